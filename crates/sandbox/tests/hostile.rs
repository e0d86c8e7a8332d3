//! Requests that nobody should send: the server answers each, and grants nobody what roles do not.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sandbox::{Connection, Sandbox, Settings};
use serde_json::Value;
use std::time::Duration;
use tower_service::Service;

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"];

/// Separated by spaces; the empty part is added by hand.
const PARTS: &str = "api apis v1 nodes n1 status proxy namespaces default pods configmaps c serviceaccounts token apps \
    deployments scale coordination.k8s.io leases rbac.authorization.k8s.io clusterroles cluster-admin \
    apiextensions.k8s.io customresourcedefinitions authorization.k8s.io selfsubjectaccessreviews watch openapi v3 \
    healthz version .. . %2e%2e %00 %ff a%2Fb";

const KNOWN: &[&str] = &[
    "/api/v1/nodes",
    "/api/v1/nodes/n1",
    "/api/v1/nodes/n1/status",
    "/api/v1/namespaces/default/configmaps",
    "/api/v1/namespaces/default/configmaps/c",
    "/api/v1/namespaces/default/pods",
    "/api/v1/namespaces/default/serviceaccounts/default/token",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/view",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
];

const QUERIES: &[&str] = &[
    "watch=true&timeoutSeconds=0",
    "watch=1&timeoutSeconds=1&resourceVersion=1",
    "limit=-1",
    "limit=99999999999999999999",
    "limit=1&continue=AAAA",
    "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiLi4vIn0",
    "resourceVersion=abc",
    "resourceVersion=18446744073709551616",
    "resourceVersionMatch=Exact",
    "labelSelector=a%20in%20(",
    "labelSelector=!,!",
    "fieldSelector=metadata.name%3Dn1",
    "fieldSelector=%5C%2Cmetadata.name%3Dn1",
    "dryRun=All",
    "dryRun=None",
    "fieldManager=m&force=true",
    "fieldValidation=Strict",
    "propagationPolicy=Foreground",
    "includeObject=Object",
    "&&==&",
];

const TYPES: &[&str] = &[
    "",
    "application/json",
    "application/yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/vnd.kubernetes.protobuf",
    ";;;",
];

const BODIES: &[&str] = &[
    "",
    "{}",
    "[]",
    "null",
    "1e999",
    "{\"a\":",
    "\u{feff}{}",
    r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","labels":{"a":1}}}"#,
    r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","labels":{"a":"b"}},"spec":{"taints":[null]}}"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"pöd-"},"spec":{"containers":[{}]}}"#,
    r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c"},"data":{"k":"v"}}"#,
    r#"{"metadata":{"labels":null,"managedFields":[{}],"resourceVersion":"0"}}"#,
    r#"{"$patch":"frob","metadata":{"$deleteFromPrimitiveList/finalizers":["x"]}}"#,
    r#"[{"op":"copy","from":"","path":"/metadata/labels"},{"op":"replace","path":"/-1","value":null}]"#,
    r#"[{"op":"test","path":"/spec/taints/-9223372036854775808","value":{}}]"#,
    r#"{"spec":{"resourceAttributes":{"verb":"*","resource":"*"}}}"#,
    r#"{"spec":{"expirationSeconds":-1,"boundObjectRef":{"kind":"Pod"}}}"#,
    r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"a.b"},"spec":{"versions":[{}]}}"#,
    r#"{"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}"#,
];

const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io"),
    ("accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"),
    ("accept", "application/yaml"),
    ("accept", "q=;;,"),
    ("authorization", "Bearer"),
    ("authorization", "Bearer a.b.c"),
    ("authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06bWFzdGVycyJ9."),
    ("authorization", "Basic YWRtaW46YWRtaW4="),
    ("impersonate-user", "system:serviceaccount:::"),
    ("impersonate-user", "me"),
    ("impersonate-group", "system:masters"),
    ("impersonate-extra-a%2", "x"),
    ("transfer-encoding", "chunked, chunked"),
    ("content-length", "7"),
];

#[derive(Clone, Debug)]
struct Ask {
    method: &'static str,
    path: String,
    query: &'static str,
    kind: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
}

fn path() -> impl Strategy<Value = String> {
    let parts: Vec<&str> = PARTS.split_whitespace().chain([""]).collect();
    let random = vec(select(parts), 0..8).prop_map(|parts| format!("/{}", parts.join("/")));
    prop_oneof![random, select(KNOWN).prop_map(str::to_owned)]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let whole = select(BODIES).prop_map(|body| body.as_bytes().to_vec());
    let broken = (select(BODIES), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(body, at, byte)| {
        let mut body = [body.as_bytes(), b" "].concat();
        let at = at.index(body.len());
        body[at] = byte;
        body
    });
    prop_oneof![whole, broken, vec(any::<u8>(), 0..64)]
}

fn ask() -> impl Strategy<Value = Ask> {
    let parts = (select(METHODS), path(), select(QUERIES), select(TYPES), vec(select(HEADERS), 0..3), body());
    parts.prop_map(|(method, path, query, kind, headers, body)| Ask { method, path, query, kind, headers, body })
}

/// The code and the body of an answer; nothing for what is no HTTP.
async fn answer(connection: &Connection, ask: &Ask) -> Option<(u16, Vec<u8>)> {
    let method = Method::from_bytes(ask.method.as_bytes()).ok()?;
    let mut builder = Request::builder().method(method).uri(format!("{}?{}", ask.path, ask.query));
    for (name, value) in ask.headers.iter().copied().chain([("content-type", ask.kind)]) {
        builder = builder.header(name, value);
    }
    let request = builder.body(Full::new(Bytes::from(ask.body.clone()))).ok()?;
    let response = connection.clone().call(request).await.ok()?;
    let code = response.status().as_u16();
    let body = tokio::time::timeout(Duration::from_secs(7200), response.into_body().collect()).await;
    let body = body.expect("an answer ends").expect("an answer can be read");
    Some((code, body.to_bytes().to_vec()))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

/// An answer that is no success is a Status with the same code, or the page of a path that nothing serves.
fn is_well_formed(path: &str, code: u16, body: &[u8]) -> bool {
    // kube-apiserver says nothing of a document that it has not.
    let no_document = code == 404 && body.is_empty() && path.starts_with("/openapi/v3/");
    if code < 400 || no_document || body == b"404 page not found\n" {
        return true;
    }
    let status: Value = serde_json::from_slice(body).unwrap_or_default();
    status["kind"] == "Status" && status["status"] == "Failure" && status["code"] == code
}

fn is_public(path: &str) -> bool {
    ["/healthz", "/livez", "/readyz", "/version"].contains(&path.trim_end_matches('/'))
}

/// Where objects of many levels are sent: with `DEEP` standing for them.
const DEEP: &[(&str, &str, &str, &str)] = &[
    (
        "POST",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "application/json",
        r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"as.b"},"spec":{"versions":[{"name":"v1","schema":{"openAPIV3Schema":DEEP}}]}}"#,
    ),
    (
        "POST",
        "/api/v1/nodes",
        "application/json",
        r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},"spec":DEEP}"#,
    ),
    (
        "POST",
        "/api/v1/nodes",
        "application/yaml",
        r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n","labels":DEEP}}"#,
    ),
    (
        "PATCH",
        "/api/v1/nodes/n1",
        "application/json-patch+json",
        r#"[{"op":"add","path":"/spec/taints","value":DEEP}]"#,
    ),
    ("PATCH", "/api/v1/nodes/n1", "application/merge-patch+json", r#"{"spec":DEEP}"#),
    ("PATCH", "/api/v1/nodes/n1", "application/strategic-merge-patch+json", r#"{"spec":{"taints":[DEEP]}}"#),
    ("PATCH", "/api/v1/nodes/n1", "application/apply-patch+yaml", r#"{"apiVersion":"v1","kind":"Node","spec":DEEP}"#),
    ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/json", r#"{"spec":DEEP}"#),
];

#[test]
fn deep_bodies_are_answered() {
    runtime().block_on(async {
        let sandbox = Sandbox::start(Settings::default()).expect("a sandbox starts");
        let node = Ask {
            body: BODIES[7].replace(r#"{"a":1}"#, "{}").into(),
            ..deep("POST", "/api/v1/nodes", "application/json")
        };
        assert_eq!(answer(&sandbox.admin(), &node).await.map(|(code, _)| code), Some(201));
        for ((method, path, kind, body), levels) in
            DEEP.iter().flat_map(|row| [100, 250, 100_000].map(|levels| (row, levels)))
        {
            for (open, close) in [(r#"{"items":"#, "}"), (r#"{"spec":"#, "}"), ("[", "]")] {
                let inner = format!("{}1{}", open.repeat(levels), close.repeat(levels));
                let ask = Ask { body: body.replace("DEEP", &inner).into(), ..deep(method, path, kind) };
                let (code, text) = answer(&sandbox.admin(), &ask).await.expect("an answer");
                assert!(
                    code >= 400 && is_well_formed(path, code, &text),
                    "{method} {path} {kind} {levels} {open}: {code}"
                );
            }
        }
    });
}

fn deep(method: &'static str, path: &str, kind: &'static str) -> Ask {
    let query = "fieldManager=m&fieldValidation=Strict";
    Ask { method, path: path.to_owned(), query, kind, headers: Vec::new(), body: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered(asks in vec(ask(), 1..20)) {
        runtime().block_on(async {
            let sandbox = Sandbox::start(Settings::default()).expect("a sandbox starts");
            for ask in &asks {
                let Some((code, body)) = answer(&sandbox.admin(), ask).await else { continue };
                let text = String::from_utf8_lossy(&body);
                prop_assert!(is_well_formed(&ask.path, code, &body), "{ask:?}: {code} {text}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn nobody_is_let_in(asks in vec(ask(), 1..20)) {
        runtime().block_on(async {
            let sandbox = Sandbox::start(Settings::default()).expect("a sandbox starts");
            let before = serde_json::to_value(sandbox.snapshot()).expect("is JSON");
            for ask in &asks {
                let Some((code, body)) = answer(&sandbox.connection(), ask).await else { continue };
                let text = String::from_utf8_lossy(&body);
                prop_assert!(code >= 400 || is_public(&ask.path), "{ask:?}: {code} {text}");
                prop_assert!(is_well_formed(&ask.path, code, &body), "{ask:?}: {code} {text}");
            }
            prop_assert_eq!(before, serde_json::to_value(sandbox.snapshot()).expect("is JSON"));
            Ok(())
        })?;
    }
}
