//! Metrics and health on a port.

use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at a time.
const CONNECTIONS: usize = 16;
/// How long a connection may last.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says why the program is not ready, if it is not.
pub type Readiness = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is answered.
pub struct Endpoints {
    /// Behind `/metrics`.
    pub metrics: Registry,
    /// Behind `/readyz`.
    pub readiness: Readiness,
}

impl Endpoints {
    /// Answers for ever. `/healthz` is answered as long as the program's runtime runs.
    pub async fn serve(self, listener: TcpListener) {
        let endpoints = Arc::new(self);
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = free.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let endpoints = endpoints.clone();
                    tokio::spawn(async move {
                        // What goes wrong in a connection is its client's affair.
                        let _ = timeout(PATIENCE, endpoints.answer(stream)).await;
                        drop(permit);
                    });
                }
                // No file descriptor is left, for one.
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    async fn answer(&self, stream: TcpStream) -> hyper::Result<()> {
        let service = service_fn(|request: Request<Incoming>| {
            let (status, text) = self.reply(request.method(), request.uri().path());
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status;
            std::future::ready(Ok::<_, Infallible>(response))
        });
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    }

    fn reply(&self, method: &Method, path: &str) -> (StatusCode, String) {
        if !matches!(method, &Method::GET | &Method::HEAD) {
            return (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        }
        match path {
            "/metrics" => self.numbers(),
            "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => match (self.readiness)() {
                Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
            },
            _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
        }
    }

    fn numbers(&self) -> (StatusCode, String) {
        let mut text = String::new();
        match encode(&mut text, &self.metrics) {
            Ok(()) => (StatusCode::OK, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn endpoints(ready: Arc<AtomicBool>) -> Endpoints {
        let mut metrics = Registry::with_prefix("test");
        let writes: Counter = Counter::default();
        writes.inc();
        metrics.register("writes", "Writes", writes);
        let readiness = move || ready.load(Ordering::Relaxed).then_some(()).ok_or_else(|| "not yet".to_owned());
        Endpoints { metrics, readiness: Box::new(readiness) }
    }

    #[test]
    fn paths_have_their_answers() {
        let ready = Arc::new(AtomicBool::new(false));
        let endpoints = endpoints(ready.clone());
        let reply = |path: &str| endpoints.reply(&Method::GET, path);
        assert_eq!(reply("/readyz"), (StatusCode::SERVICE_UNAVAILABLE, "not yet\n".to_owned()));
        ready.store(true, Ordering::Relaxed);
        for (path, expected) in [("/metrics", 200), ("/healthz", 200), ("/readyz", 200), ("/", 404)] {
            assert_eq!(reply(path).0, expected, "{path}");
        }
        assert!(reply("/metrics").1.lines().any(|line| line == "test_writes_total 1"));
        assert_eq!(endpoints.reply(&Method::POST, "/metrics").0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn it_is_served_over_http() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(endpoints(Arc::default()).serve(listener));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    }
}
