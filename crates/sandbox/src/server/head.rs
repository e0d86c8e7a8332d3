//! What Go's HTTP server demands of the head of a request that the library here lets pass (`readRequest` in
//! `net/http/server.go`, `parseTransferEncoding` in `net/http/transfer.go`).

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};

use super::reply::Body;

/// The answer to a head that is refused; the connection ends with it.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<Response<Body>> {
    if request.version() > Version::HTTP_11 {
        return None;
    }
    let (code, text) = fault(request.headers(), request.version())?;
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync());
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

fn fault(headers: &HeaderMap, version: Version) -> Option<(StatusCode, &'static str)> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = encodings.next().map(HeaderValue::as_bytes);
    if encodings.next().is_some() || first.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"chunked")) {
        return Some((StatusCode::NOT_IMPLEMENTED, "Unsupported transfer encoding"));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let text = match (hosts.next(), hosts.next()) {
        (None, _) if version >= Version::HTTP_11 => "400 Bad Request: missing required Host header",
        (Some(_), Some(_)) => "400 Bad Request",
        (Some(host), None) if !is_host(host.as_bytes()) => "400 Bad Request: malformed Host header",
        _ => return None,
    };
    Some((StatusCode::BAD_REQUEST, text))
}

/// `ValidHostHeader` in `golang.org/x/net/http/httpguts`.
fn is_host(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_refused_as_by_go() {
        let (encoding, host) = (TRANSFER_ENCODING, HOST);
        let table = [
            (Version::HTTP_11, vec![(&host, "localhost:6443")], None),
            (Version::HTTP_11, vec![(&host, "[::1]:6443"), (&encoding, "Chunked")], None),
            (Version::HTTP_11, vec![(&host, "")], None),
            (Version::HTTP_11, vec![], Some((400, "400 Bad Request: missing required Host header"))),
            (Version::HTTP_10, vec![], None),
            (Version::HTTP_2, vec![], None),
            (Version::HTTP_11, vec![(&host, "a"), (&host, "a")], Some((400, "400 Bad Request"))),
            (Version::HTTP_10, vec![(&host, "a b")], Some((400, "400 Bad Request: malformed Host header"))),
            (Version::HTTP_11, vec![(&host, "a/b")], Some((400, "400 Bad Request: malformed Host header"))),
            (Version::HTTP_11, vec![(&encoding, "chunked, chunked")], Some((501, "Unsupported transfer encoding"))),
            (
                Version::HTTP_11,
                vec![(&encoding, "chunked"), (&encoding, "chunked")],
                Some((501, "Unsupported transfer encoding")),
            ),
        ];
        for (version, headers, expected) in table {
            let mut request = Request::new(());
            *request.version_mut() = version;
            for (name, value) in &headers {
                request.headers_mut().append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(refusal(&request).is_some(), expected.is_some(), "{headers:?}");
            let found = fault(request.headers(), version).filter(|_| version <= Version::HTTP_11);
            assert_eq!(found.map(|(code, text)| (code.as_u16(), text)), expected, "{headers:?}");
        }
    }
}
