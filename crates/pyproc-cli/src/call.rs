//! `pyproc call`: one function, once.

use pyproc::Body;

use crate::failure::Failure;
use crate::options::CallOptions;
use crate::output;

pub(crate) fn run(options: CallOptions) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(call(options))
}

async fn call(options: CallOptions) -> Result<(), Failure> {
    let pool = crate::start(options.config).await?;
    let mut request = pool
        .request(&options.called.function)
        .body(options.called.argument.map_or_else(Body::empty, Body::json))
        .accept(options.accept);
    if let Some(timeout) = options.timeout {
        // The pool's limit is for functions without one of their own; this covers those with one.
        request = request.timeout(timeout);
    }
    let result = request.send().await;
    // What cannot end gently is killed, and the call has its answer already.
    drop(pool.shutdown().await);
    match result {
        Ok(reply) => output::reply(&reply),
        Err(error) => Err(Failure::of_call(&options.called.function, &error)),
    }
}
