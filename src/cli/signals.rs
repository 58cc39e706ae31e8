//! Ctrl-C and SIGTERM ask the run to stop; a second one stops the process at once. Nothing durable is lost either way.

use std::sync::mpsc::channel;
use std::thread;

use super::output::say;
use crate::app::Cancel;

/// Listens on a thread of its own until the process ends. From its return on no signal is lost.
pub(crate) fn listen(cancel: Cancel) {
    let (ready, listens) = channel::<()>();
    let listening = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let Some(mut signals) = Signals::new() else { return };
            drop(ready);
            let mut count = 0;
            loop {
                let terminated = signals.next().await;
                count += 1;
                if count > 1 {
                    std::process::exit(if terminated { 143 } else { 130 });
                }
                cancel.cancel(terminated);
                say("stopping at the next batch; once more stops at once");
            }
        });
    });
    // Nothing is ever sent: the channel closes when the thread listens, and also when it can't.
    let _ = listens.recv();
    if listening.is_err() {
        say("signals can't be handled: the run still resumes after a kill");
    }
}

/// What is listened for, for as long as the process lives.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// Only held: at a file size limit the write then fails like on a full disk, and the process is not killed.
    _file_size: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        /// SIGXFSZ, where it has this number.
        const FILE_SIZE: Option<i32> =
            if cfg!(any(target_os = "linux", target_os = "macos")) { Some(25) } else { None };
        Some(Self {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
            _file_size: FILE_SIZE.and_then(|number| signal(SignalKind::from_raw(number)).ok()),
        })
    }

    /// Waits for a signal; true for SIGTERM.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => true,
        }
    }
}

/// What is listened for, for as long as the process lives.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Option<Self> {
        Some(Self)
    }

    /// Waits for Ctrl-C.
    async fn next(&mut self) -> bool {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        false
    }
}
