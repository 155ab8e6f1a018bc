//! The shortest way there and back.

use pyproc::{CallError, Pool};

use crate::support::{scenario, worker};

#[test]
fn a_function_is_called_and_the_pool_is_shut_down() {
    scenario(async || {
        let pool = Pool::start(worker("").workers(2)).await.expect("start");
        let text: String = pool.call("echo", "Grüße").await.expect("echo");
        assert_eq!(text, "Grüße");
        pool.shutdown().await.expect("shutdown");
        let error = pool
            .call::<_, String>("echo", "late")
            .await
            .expect_err("closed");
        assert!(matches!(error, CallError::Closed));
        assert!(!error.may_have_run());
    });
}

#[test]
fn a_pool_that_is_dropped_leaves_nothing() {
    scenario(async || {
        let pool = Pool::start(worker("").workers(2)).await.expect("start");
        let _: String = pool.call("echo", "x").await.expect("echo");
    });
}
