//! Requests that two servers in a row may read as different ones, byte by byte. Nothing is answered that was not asked,
//! on the sandbox and on a real API server where `KUBEBUILDER_ASSETS` names one.
#![expect(clippy::print_stderr, reason = "a test says why it is ignored")]

use libtest_mimic::{Arguments, Failed, Trial};
use sandbox::Settings;
use std::process::ExitCode;
use std::time::Duration;
use tests::reach::Served;
use tests::server::{Place, Server, TOKEN, assets};
use tests::wire::{Address, codes};

/// Longer than a server waits for the rest of a request.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is said, what kube-apiserver answers, and what the sandbox does where that is something else. `GETHEAD` and
/// `POSTHEAD` are good heads but for the empty line, `NEXT` is a good last request, `LEN` its length, `MORE` the same with
/// the last chunk before it, and `AUTH` a header with the administrator's token.
type Case = (&'static str, &'static str, &'static [u16], Option<&'static [u16]>);

const CASES: &[Case] = &[
    ("one after the other", "GETHEAD\r\nNEXT", &[200, 200], None),
    ("a body is no request", "GETHEADContent-Length: LEN\r\n\r\nNEXTNEXT", &[200, 200], None),
    ("two lengths", "GETHEADContent-Length: 0\r\nContent-Length: LEN\r\n\r\nNEXT", &[400], None),
    ("two equal lengths", "GETHEADContent-Length: LEN\r\nContent-Length: LEN\r\n\r\nNEXTNEXT", &[200, 200], None),
    ("lengths in one header", "GETHEADContent-Length: 0, LEN\r\n\r\nNEXT", &[400], None),
    ("a length with a sign", "GETHEADContent-Length: +LEN\r\n\r\nNEXTNEXT", &[400], None),
    ("a negative length", "GETHEADContent-Length: -1\r\n\r\nNEXT", &[400], None),
    ("a hexadecimal length", "GETHEADContent-Length: 0x7\r\n\r\nNEXTNEXT", &[400], None),
    ("a length too large", "GETHEADContent-Length: 18446744073709551617\r\n\r\nNEXT", &[400], None),
    (
        "chunks and a length: what follows may be anybody's",
        "GETHEADContent-Length: MORE\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT",
        &[200, 200],
        Some(&[200]),
    ),
    (
        "a length and chunks",
        "GETHEADTransfer-Encoding: chunked\r\nContent-Length: MORE\r\n\r\n0\r\n\r\nNEXT",
        &[200, 200],
        Some(&[200]),
    ),
    ("chunks of chunks", "GETHEADTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\nNEXT", &[501], None),
    (
        "chunks twice",
        "GETHEADTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT",
        &[501],
        None,
    ),
    (
        "chunks that are not last",
        "GETHEADTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nNEXT",
        &[501],
        Some(&[400]),
    ),
    ("another encoding", "GETHEADTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nNEXT", &[501], Some(&[400])),
    ("a control character in it", "GETHEADTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\nNEXT", &[400], None),
    ("a space before the colon", "GETHEADTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nNEXT", &[400], None),
    ("a folded header", "GETHEADTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nNEXT", &[200, 200], Some(&[400])),
    ("no colon", "GETHEADTransfer-Encoding\r\n\r\nNEXT", &[400], None),
    ("an empty name", "GETHEAD: chunked\r\n\r\nNEXT", &[400], None),
    ("a NUL in a value", "GETHEADX: a\0b\r\n\r\nNEXT", &[400], None),
    ("a lone CR in a value", "GETHEADX: a\rTransfer-Encoding: chunked\r\n\r\nNEXT", &[400], None),
    ("a good body", "POSTHEADContent-Length: 2\r\n\r\n{}NEXT", &[422, 200], None),
    ("a good body in chunks", "POSTHEADTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nNEXT", &[422, 200], None),
    ("no chunk size", "POSTHEADTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\nNEXT", &[500], None),
    ("a chunk size too large", "POSTHEADTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\nNEXT", &[500], None),
    ("a chunk longer than it says", "POSTHEADTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\nNEXT", &[500], None),
    (
        "chunks of the past",
        "POST /api/v1/nodes HTTP/1.0\r\nTransfer-Encoding: chunked\r\nAUTH\r\n2\r\n{}\r\nNEXT",
        &[400],
        None,
    ),
    ("no host", "GET /version HTTP/1.1\r\nAUTH\r\nNEXT", &[400], None),
    ("two hosts", "GETHEADHost: other\r\n\r\nNEXT", &[400], None),
    ("a host that is none", "GET /version HTTP/1.1\r\nHost: a b\r\nAUTH\r\nNEXT", &[400], None),
    ("a whole address", "GET http://other/version HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nNEXT", &[200, 200], None),
    (
        "a path that goes up",
        "GET /version/../api/v1/nodes HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nNEXT",
        &[404, 200],
        None,
    ),
    ("an encoded line end", "GET /version%0d%0aX:y HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nNEXT", &[404, 200], None),
    ("a space in the path", "GET /version x HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nNEXT", &[400], None),
    ("no version", "GET /version\r\n\r\nNEXT", &[400], None),
    ("a version to come", "GET /version HTTP/3.0\r\nHost: localhost\r\nAUTH\r\nNEXT", &[505], Some(&[400])),
    ("no method", " /version HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nNEXT", &[400], None),
    ("an upgrade to HTTP/2", "GETHEADConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nNEXT", &[200, 200], None),
    ("HTTP/2 by force", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[401], Some(&[])),
];

fn filled(bytes: &str) -> String {
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let head =
        |path: &str| format!(" {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{bearer}");
    let get = format!("GET{}", head("/version"));
    let next = format!("{get}Connection: close\r\n\r\n");
    let values = [
        ("GETHEAD", &get),
        ("POSTHEAD", &format!("POST{}", head("/api/v1/nodes"))),
        ("NEXT", &next),
        ("LEN", &next.len().to_string()),
        ("MORE", &(next.len() + "0\r\n\r\n".len()).to_string()),
        ("AUTH", &bearer),
    ];
    values.into_iter().fold(bytes.to_owned(), |bytes, (name, value)| bytes.replace(name, value))
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let assets = assets();
    let without = assets.is_none();
    if without {
        eprintln!("KUBEBUILDER_ASSETS is not set: the tests on a real API server are ignored");
    }
    let real = Place::Real(assets.unwrap_or_default());
    let trials = vec![
        Trial::test("sandbox: no request hides in another", || block_on(on_the_sandbox())),
        Trial::test("real: no request hides in another", move || block_on(on(real))).with_ignored_flag(without),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn block_on(run: impl Future<Output = Result<(), String>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Runtime::new().map_err(Failed::from)?;
    runtime.block_on(run).map_err(Failed::from)
}

async fn on_the_sandbox() -> Result<(), String> {
    let admin = (TOKEN.to_owned(), "admin".to_owned(), vec!["system:masters".to_owned()]);
    let served = Served::start(Settings { static_tokens: vec![admin], ..Settings::default() }).await;
    ask_all(&served.address, |(_, _, real, ours)| ours.unwrap_or(real)).await
}

async fn on(place: Place) -> Result<(), String> {
    let server = Server::start(&place).await;
    ask_all(&server.address().expect("the real server is on a port"), |(_, _, real, _)| real).await
}

async fn ask_all(address: &Address, expected: fn(&Case) -> &'static [u16]) -> Result<(), String> {
    let mut wrong = Vec::new();
    for case in CASES {
        let (name, bytes, ..) = case;
        let bytes = filled(bytes);
        let said = tokio::time::timeout(PATIENCE, address.tell(bytes.as_bytes())).await;
        let answers = said.as_deref().map(codes).map_err(|_| "the connection stays open");
        if answers.as_deref() != Ok(expected(case)) {
            wrong.push(format!("{name}: expected {:?}, the answers are {answers:?}", expected(case)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}
