//! SIGTERM and SIGINT, as they come.

use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Signals that wait to be seen. A program that is told to stop twice need not be told a fifth time.
const WAITING: usize = 4;

/// One message for each signal that asks the program to stop, from one handler for all of them.
///
/// # Errors
/// The system does not let us handle a signal.
pub fn stops() -> io::Result<mpsc::Receiver<()>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
