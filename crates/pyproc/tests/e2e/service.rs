//! A pool under tower's own middleware.

use std::path::PathBuf;
use std::time::Duration;

use pyproc::{Body, Call, CallError, ContentType, Pool, PoolConfig, Reply, ResponseFuture, Retry};
use tower::buffer::Buffer;
use tower::load_shed::error::Overloaded;
use tower::retry::Policy;
use tower::timeout::error::Elapsed;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

use crate::support::{
    PATIENCE, appears, let_go, next_call_works, scenario, scratch, start, worker_to_block,
};

fn functions() -> PoolConfig {
    worker_to_block(
        r#"
        @expose
        def die_once(mark):
            if not os.path.exists(mark):
                open(mark, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return "alive"

        now = most = 0

        @expose
        async def meet_another():
            global now, most
            now += 1
            most = max(most, now)
            while most < 2:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            now -= 1
            return most
        "#,
    )
}

fn call(function: &'static str, arguments: &(impl serde::Serialize + ?Sized)) -> Call {
    Call::new(function).body(Body::encode(arguments).expect("plain data"))
}

/// A call under way that holds its worker until it is let go.
struct Holding {
    mark: PathBuf,
    call: tokio::task::JoinHandle<Result<Reply, CallError>>,
}

impl Holding {
    async fn a_worker(pool: &Pool) -> Self {
        let mark = scratch().join("runs");
        let call = tokio::spawn(pool.clone().oneshot(call("block", &mark)));
        appears(&mark).await;
        Self { mark, call }
    }

    async fn let_go(self) {
        let_go(&self.mark);
        let reply = self.call.await.unwrap().expect("block");
        assert_eq!(reply.decode(), Ok("done".to_owned()));
    }
}

#[test]
fn a_pool_and_a_reference_to_one_are_services_until_the_shutdown() {
    fn is_a_service<S: Service<Call, Response = Reply, Error = CallError, Future = F>, F>(_: &S) {}
    fn can_be_spawned<F: Future + Send + 'static>(future: F) -> F {
        future
    }
    scenario(async || {
        let mut pool = start(functions()).await;
        is_a_service::<_, ResponseFuture>(&pool);
        pool.ready().await.expect("ready");
        let reply = can_be_spawned(Service::call(&mut pool, call("echo", "Grüße")))
            .await
            .expect("echo");
        assert_eq!(reply.content_type(), ContentType::MsgPack);
        assert_eq!(reply.decode(), Ok("Grüße".to_owned()));

        let json = Call::new(String::from("echo"))
            .body(Body::json("[1, 2]"))
            .accept(ContentType::Json)
            .timeout(PATIENCE);
        let reply = (&pool).oneshot(json).await.expect("echo");
        assert_eq!(reply.bytes(), "[1,2]");

        pool.shutdown().await.expect("shutdown");
        assert_eq!(pool.ready().await.map(drop), Err(CallError::Closed));
        // A service that was ready before answers the same.
        let late = Service::call(&mut pool, call("echo", "late")).await;
        assert_eq!(late.map(drop), Err(CallError::Closed));
    });
}

#[test]
fn a_timeout_of_the_middleware_cancels_the_call() {
    scenario(async || {
        let pool = start(functions()).await;
        let service = ServiceBuilder::new()
            .timeout(Duration::from_millis(50))
            .service(pool.clone());
        let error = service
            .oneshot(call("block", &scratch().join("for-ever")))
            .await
            .expect_err("it does not end");
        assert!(error.is::<Elapsed>(), "{error}");
        // Its one worker was asked to stop, and is free again.
        next_call_works(&pool).await;
    });
}

#[test]
fn a_concurrency_limit_lets_so_many_through() {
    scenario(async || {
        let pool = start(functions()).await;
        let service = ServiceBuilder::new()
            .concurrency_limit(2)
            .service(pool.clone());
        let calls: Vec<_> = (0..16)
            .map(|_| tokio::spawn(service.clone().oneshot(Call::new("meet_another"))))
            .collect();
        for call in calls {
            let reply = call.await.unwrap().expect("two meet");
            assert_eq!(reply.decode(), Ok(2));
        }
        pool.shutdown().await.expect("shutdown");
    });
}

/// Tries again where the error says that it is safe, and where the call says so.
#[derive(Clone)]
struct ByTheError {
    left: u32,
    pause: Duration,
}

impl Policy<Call, Reply, CallError> for ByTheError {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        call: &mut Call,
        result: &mut Result<Reply, CallError>,
    ) -> Option<Self::Future> {
        let retry = result.as_ref().err()?.retry();
        if retry == Retry::Never || (retry == Retry::IfIdempotent && !call.is_idempotent()) {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        Some(tokio::time::sleep(self.pause))
    }

    fn clone_request(&mut self, call: &Call) -> Option<Call> {
        call.try_clone()
    }
}

#[test]
fn a_policy_that_asks_the_error_retries_what_may_be_retried() {
    scenario(async || {
        let pool = start(functions()).await;
        let mut service = ServiceBuilder::new()
            .retry(ByTheError {
                left: 1,
                pause: Duration::ZERO,
            })
            .service(pool.clone());
        let error = service
            .ready()
            .await
            .unwrap()
            .call(call("die_once", &scratch().join("first")))
            .await
            .expect_err("it dies, and nobody said that it may run twice");
        assert!(matches!(error, CallError::WorkerDied { .. }), "{error}");

        // The pool itself does not try again here: the policy does.
        let again = call("die_once", &scratch().join("second"))
            .idempotent()
            .max_attempts(1);
        let reply = service.ready().await.unwrap().call(again).await;
        assert_eq!(reply.expect("alive").decode(), Ok("alive".to_owned()));

        // What was written in place goes once, and is not tried again.
        let mut memory = pool.allocate(4).expect("memory");
        memory.copy_from_slice(b"null");
        let once = Call::new("echo").body(memory.into_body(ContentType::Json));
        assert!(once.try_clone().is_none());
        let reply = service.oneshot(once).await.expect("echo");
        assert_eq!(reply.decode(), Ok(()));
    });
}

#[test]
fn a_full_queue_refuses_the_call_at_once_and_a_policy_may_wait() {
    scenario(async || {
        let pool = start(functions().queue(0)).await;
        let holding = Holding::a_worker(&pool).await;
        let mut ready = pool.clone();
        let refused = ready.ready().await.expect("ready under load as well");
        let refused = Service::call(refused, call("echo", "x"));
        let error = refused.await.expect_err("no room");
        assert!(matches!(error, CallError::Overloaded { .. }), "{error}");
        assert_eq!(error.retry(), Retry::Safe);

        let patient = ServiceBuilder::new()
            .retry(ByTheError {
                left: 10_000,
                pause: Duration::from_millis(2),
            })
            .service(pool.clone());
        let waiting = tokio::spawn(patient.oneshot(call("echo", "late")));
        holding.let_go().await;
        let reply = waiting.await.unwrap().expect("room again");
        assert_eq!(reply.decode(), Ok("late".to_owned()));
    });
}

#[test]
fn load_is_shed_before_the_pool() {
    scenario(async || {
        let pool = start(functions()).await;
        let service = ServiceBuilder::new()
            .load_shed()
            .concurrency_limit(1)
            .service(pool.clone());
        let mark = scratch().join("runs");
        let first = tokio::spawn(service.clone().oneshot(call("block", &mark)));
        appears(&mark).await;
        let error = service.oneshot(call("echo", "x")).await.expect_err("one");
        assert!(error.is::<Overloaded>(), "{error}");
        let_go(&mark);
        first.await.unwrap().expect("block");
    });
}

#[test]
fn a_buffer_passes_errors_on() {
    scenario(async || {
        let pool = start(functions().workers(2)).await;
        let service = Buffer::new(pool.clone(), 4);
        let calls: Vec<_> = (0..32_u32)
            .map(|value| tokio::spawn(service.clone().oneshot(call("echo", &value))))
            .collect();
        for (value, call) in (0_u32..).zip(calls) {
            let reply = call.await.unwrap().expect("echo");
            assert_eq!(reply.decode(), Ok(value));
        }
        let error: BoxError = service
            .clone()
            .oneshot(Call::new("ecko"))
            .await
            .expect_err("no such function");
        let error = error.downcast::<CallError>().expect("the pool's own");
        assert!(matches!(*error, CallError::NoSuchFunction { .. }));

        pool.shutdown().await.expect("shutdown");
        let error = service
            .oneshot(call("echo", "late"))
            .await
            .expect_err("closed");
        assert!(error.to_string().contains("shut down"), "{error}");
    });
}
