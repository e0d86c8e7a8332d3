//! A failure before it is known whether it is news.

use std::time::Duration;
use tokio::time::timeout;

use crate::Cause;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What went wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of failure it is.
    pub cause: Cause,
    /// What the server or the connection said.
    pub message: String,
    /// How long the server asks to wait.
    pub asked: Duration,
}

impl Trouble {
    /// An answer that cannot be read.
    pub fn unreadable(error: &dyn std::error::Error) -> Self {
        let message = format!("the answer is no such object: {error}");
        Self { cause: Cause::Server(200), message, asked: Duration::ZERO }
    }

    pub(crate) fn of(error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self { cause: Cause::Unreachable, message: chain(error), asked: Duration::ZERO };
        };
        let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        Self { cause: Cause::of(status), message: status.message.clone(), asked: Duration::from_secs(seconds.into()) }
    }
}

/// The answer to a request, if it comes in time.
///
/// # Errors
/// [`Trouble`]
pub async fn answered<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    let late = || Trouble {
        cause: Cause::Late,
        message: format!("no answer within {} s", PATIENCE.as_secs()),
        asked: Duration::ZERO,
    };
    timeout(PATIENCE, request).await.map_err(|_| late())?.map_err(|error| Trouble::of(&error))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
