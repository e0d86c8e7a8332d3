//! Whether anything is going on on a connection.

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;

use super::reply::Body;

/// How many requests of a connection are not yet answered to the end.
#[derive(Clone, Debug)]
pub(super) struct Open(Arc<watch::Sender<usize>>);

impl Default for Open {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Busy(Open);

impl Open {
    /// Counts a request.
    pub fn begin(&self) -> Busy {
        self.0.send_modify(|count| *count += 1);
        Busy(self.clone())
    }

    /// Waits until there was no request for so long.
    pub async fn idle_for(&self, patience: Duration) {
        let mut count = self.0.subscribe();
        // The sender is here, so there is no error to wait for.
        while count.wait_for(|count| *count == 0).await.is_ok() {
            if tokio::time::timeout(patience, count.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

/// The body of an answer that is counted until it is sent.
#[derive(Debug)]
pub(super) struct Counted {
    body: Body,
    _busy: Busy,
}

impl Counted {
    /// Counts an answer on.
    pub fn response(response: Response<Body>, busy: Busy) -> Response<Self> {
        response.map(|body| Self { body, _busy: busy })
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, sleep};

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_answer() {
        let (open, begin) = (Open::default(), Instant::now());
        let first = open.begin();
        tokio::spawn(async move {
            sleep(5 * MINUTE).await;
            drop(first);
        });
        let again = open.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(5 * 60 + 30)).await;
            drop(again.begin());
        });
        open.idle_for(MINUTE).await;
        assert_eq!(begin.elapsed(), Duration::from_secs(6 * 60 + 30));
    }
}
