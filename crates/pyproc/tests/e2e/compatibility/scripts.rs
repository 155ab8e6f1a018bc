//! Whole scripts, exactly as their authors wrote them.

use pyproc::Pool;
use serde_json::{Value, json};

use crate::support::{Events, config, eventually, scenario, script, start};

#[test]
fn the_worker_of_the_documentation() {
    scenario(async || {
        let script = script(
            r#"from pyproc_worker import expose, run_worker

@expose
def predict(req):
    return {"result": req["value"] * 2}

if __name__ == "__main__":
    run_worker()
"#,
        );
        let pool = start(config(&script)).await;
        let result: Value = pool
            .call("predict", &json!({"value": 42}))
            .await
            .expect("predict");
        assert_eq!(result, json!({"result": 84}));
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn a_worker_of_the_older_pyproc() {
    scenario(async || {
        let events = Events::collect();
        let script = script(
            r#"import os
import threading

from pyproc_worker import expose, run_worker


@expose
def predict(req):
    return {"result": req["value"] * 2}


@expose
def slow(req, cancel_event):
    assert isinstance(cancel_event, threading.Event)
    return {"cancelled": cancel_event.wait(float(req["seconds"]))}


if __name__ == "__main__":
    run_worker(socket_path=os.environ.get("PYPROC_SOCKET_PATH", "/tmp/pyproc.sock"), codec_type="json")
"#,
        );
        let pool: Pool = start(config(&script)).await;
        let result: Value = pool
            .call("predict", &json!({"value": 21}))
            .await
            .expect("predict");
        assert_eq!(result, json!({"result": 42}));
        let result: Value = pool
            .call("slow", &json!({"seconds": 0}))
            .await
            .expect("slow");
        assert_eq!(result, json!({"cancelled": false}));
        for body in [json!({}), json!(null)] {
            let health: Value = pool.call("health", &body).await.expect("health");
            assert_eq!(health["status"], "healthy");
            assert!(health["pid"].is_u64());
        }
        eventually("the warning", async || {
            events
                .find(|event| {
                    event
                        .message
                        .contains("run_worker() ignores socket_path, codec_type")
                })
                .is_some()
        })
        .await;
        pool.shutdown().await.expect("shutdown");
    });
}

#[test]
fn three_hundred_functions_and_long_names() {
    scenario(async || {
        let long = "ü".repeat(127);
        let script = script(&format!(
            "from pyproc_worker import expose, run_worker\n\
             for number in range(300):\n    \
                 expose(name=f'function_{{number}}')(lambda x=None, number=number: number)\n\
             @expose(name='{long}')\n\
             def f():\n    '''{}'''\n    return 'long'\n\
             run_worker()\n",
            "Much to say. ".repeat(20_000)
        ));
        let pool = start(config(&script)).await;
        assert_eq!(pool.functions().len(), 302);
        for number in [0, 1, 255, 256, 299] {
            let result: u32 = pool
                .call(&format!("function_{number}"), &json!({}))
                .await
                .expect("a call");
            assert_eq!(result, number);
        }
        assert_eq!(
            pool.call::<_, String>(&long, &()).await.expect("a call"),
            "long"
        );
        pool.shutdown().await.expect("shutdown");
    });
}
