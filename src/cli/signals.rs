//! Ctrl-C and SIGTERM ask the run to stop; a second one stops the process at once. Nothing durable is lost either way.

use std::thread;

use super::output::say;
use crate::app::Cancel;

/// Listens on a thread of its own until the process ends.
pub(crate) fn listen(cancel: Cancel) {
    let listening = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let mut count = 0;
            loop {
                let terminated = wait().await;
                count += 1;
                if count > 1 {
                    std::process::exit(if terminated { 143 } else { 130 });
                }
                cancel.cancel(terminated);
                say("stopping at the next batch; once more stops at once");
            }
        });
    });
    if listening.is_err() {
        say("signals can't be handled: the run still resumes after a kill");
    }
}

/// Waits for a signal; true for SIGTERM.
#[cfg(unix)]
async fn wait() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => false,
        _ = terminate.recv() => true,
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
async fn wait() -> bool {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    false
}
