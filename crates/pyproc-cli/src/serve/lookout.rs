//! A task that looks for the workers' answers once all other tasks have run.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::task::{Poll, ready};

use pyproc::{Look, Pool};
use tokio::io::unix::AsyncFd;

/// Keeps it, for ever. Where that cannot be, callers look for themselves.
pub(super) async fn keep(pool: Pool) {
    if let Err(error) = look(pool).await {
        tracing::warn!("calls take longer than they could: {error}");
    }
}

async fn look(pool: Pool) -> io::Result<()> {
    let mut lookout = pool.lookout()?;
    drop(pool);
    #[expect(
        deprecated,
        reason = "what could close its descriptor early must not be given; an OwnedFd cannot"
    )]
    let bells = AsyncFd::new(lookout.as_fd().try_clone_to_owned()?)?;
    poll_fn(|context| {
        while lookout.look(context) == Look::Sleep {
            ready!(bells.poll_read_ready(context))?.clear_ready();
            lookout.heard();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
