//! Threads of a system: they hear the caller's listeners, and an executor need not wait for them.

use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::error::{Error, Result};

pub(super) fn spawn<R: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<JoinHandle<R>> {
    // Whoever listens to the caller's events hears those of the thread too.
    let listener = tracing::dispatcher::get_default(Clone::clone);
    std::thread::Builder::new()
        .name(format!("gpu-actor-{name}"))
        .spawn(move || tracing::dispatcher::with_default(&listener, work))
        .map_err(|source| Error::Thread { name, source })
}

/// Does blocking work on a thread of its own, so that the caller's executor goes on.
pub(super) async fn on_thread<R: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R> {
    let (send, receive) = oneshot::channel();
    spawn(name, move || {
        // The receiver may be gone: the caller lost interest, and the work was done all the same.
        let _ = send.send(work());
    })?;
    receive.await.map_err(|_| Error::Thread {
        name,
        source: std::io::Error::other("it panicked; this is a bug in gpu-actor"),
    })
}
