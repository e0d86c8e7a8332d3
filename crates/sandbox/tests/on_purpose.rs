//! Trouble by rules, and what the audit log says.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use sandbox::adversity::{Effect, Matches, Rule, When};
use sandbox::server::{Body, Recording};
use sandbox::{Connection, Sandbox, Settings};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower_service::Service;

async fn send(connection: &Connection, request: Request<Full<Bytes>>) -> Response<Body> {
    let Ok(response) = connection.clone().call(request).await;
    response
}

async fn json_of(response: Response<Body>) -> Value {
    let body = response.into_body().collect().await.expect("is read").to_bytes();
    serde_json::from_slice(&body).unwrap_or_default()
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("user-agent", "tester/1").body(Full::default()).expect("is a request")
}

fn create_node(name: &str) -> Request<Full<Bytes>> {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
    let body = Full::new(Bytes::from(node.to_string()));
    Request::post("/api/v1/nodes").header("content-type", "application/json").body(body).expect("is a request")
}

fn troubled(effect: Effect, when: When) -> Sandbox {
    let matches = Matches { resources: vec!["nodes".to_owned()], ..Matches::default() };
    let adversity = vec![Rule { matches, when, effect }];
    Sandbox::start(Settings { adversity, ..Settings::default() }).expect("a sandbox starts")
}

#[tokio::test(start_paused = true)]
async fn answers_are_those_of_the_rules() {
    let table = [
        (Effect::Refuse(503), 503, "ServiceUnavailable", None),
        (Effect::Conflict, 409, "Conflict", None),
        (Effect::ExpireToken, 401, "Unauthorized", None),
        (Effect::TooMany { retry_after: 7 }, 429, "TooManyRequests", Some("7")),
    ];
    for (effect, code, reason, retry) in table {
        let sandbox = troubled(effect, When::First(1));
        let first = send(&sandbox.admin(), get("/api/v1/nodes")).await;
        assert_eq!(first.status().as_u16(), code);
        let header = first.headers().get("retry-after").and_then(|value| value.to_str().ok());
        assert_eq!(header, retry);
        assert_eq!(json_of(first).await["reason"], reason);
        assert_eq!(send(&sandbox.admin(), get("/api/v1/nodes")).await.status().as_u16(), 200, "once is enough");
        assert_eq!(send(&sandbox.admin(), get("/api/v1/pods")).await.status().as_u16(), 200, "others are spared");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_one_of_the_clock_of_tokio() {
    let sandbox = troubled(Effect::Delay(5_000), When::Always);
    let begin = tokio::time::Instant::now();
    send(&sandbox.admin(), get("/api/v1/nodes")).await;
    assert_eq!(begin.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_or_loses_the_objects() {
    for (keep_store, left) in [(true, 1), (false, 0)] {
        let sandbox = troubled(Effect::Restart { keep_store }, When::Nth(2));
        assert_eq!(send(&sandbox.admin(), create_node("n1")).await.status().as_u16(), 201);
        let list = json_of(send(&sandbox.admin(), get("/api/v1/nodes")).await).await;
        assert_eq!(list["items"].as_array().map(Vec::len), Some(left), "{list}");
        let namespaces = json_of(send(&sandbox.admin(), get("/api/v1/namespaces")).await).await;
        assert_eq!(namespaces["items"].as_array().map(Vec::len), Some(4));
    }
}

/// A place to write to that can be read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn events(&self) -> Vec<Value> {
        let text = self.0.lock().expect("nobody panics with it").clone();
        let lines = String::from_utf8(text).expect("is text");
        lines.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_says_who_did_what_and_what_came_of_it() {
    let lines = Lines::default();
    let recording = Some(Recording::to(lines.clone()));
    let sandbox = Sandbox::start(Settings { recording, ..Settings::default() }).expect("a sandbox starts");
    send(&sandbox.admin(), create_node("n1")).await;
    send(&sandbox.connection(), get("/api/v1/nodes/n1?x=y")).await;
    let events = lines.events();
    let [created, refused] = events.as_slice() else { panic!("{events:?}") };
    let facts = |event: &Value, pointers: &[&str]| {
        pointers.iter().map(|pointer| event.pointer(pointer).cloned().unwrap_or_default()).collect::<Value>()
    };
    let common = ["/kind", "/apiVersion", "/level", "/stage", "/verb", "/user/username", "/responseStatus/code"];
    let whole = ["Event", "audit.k8s.io/v1", "RequestResponse", "ResponseComplete"];
    let expected = |verb: &str, user: &str, code: u16| {
        let mut values: Vec<Value> = whole.iter().map(|text| json!(text)).collect();
        values.extend([json!(verb), json!(user), json!(code)]);
        Value::Array(values)
    };
    assert_eq!(facts(created, &common), expected("create", "kubernetes-admin", 201));
    assert_eq!(facts(refused, &common), expected("get", "system:anonymous", 403));
    let more = ["/objectRef/resource", "/objectRef/name", "/requestObject/kind", "/responseObject/metadata/name"];
    assert_eq!(facts(created, &more), json!(["nodes", "n1", "Node", "n1"]));
    let uri = ["/requestURI", "/userAgent", "/annotations/authorization.k8s.io~1decision"];
    assert_eq!(facts(refused, &uri), json!(["/api/v1/nodes/n1?x=y", "tester/1", "forbid"]));
}
