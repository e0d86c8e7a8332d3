//! Discovery: which groups, versions and resources there are, as one aggregated document
//! (KEP-3352, `k8s.io/apiserver/pkg/endpoints/discovery/aggregated`) and as the older ones, one per group and version.

mod accept;
mod aggregated;
mod legacy;
mod version;

use ring::digest::{SHA512, digest};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use self::accept::Form;
use crate::catalog::{Group, groups};
use crate::failure::Failure;
use crate::resource::Resource;

pub use self::version::version;

const JSON: &str = "application/json";
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const TEXT: &str = "text/plain; charset=utf-8";

/// A GET of a discovery document.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiscoveryRequest<'r> {
    /// The path, without the query.
    pub path: &'r str,
    /// The `Accept` header; empty if there is none.
    pub accept: &'r str,
    /// The `If-None-Match` header; empty if there is none.
    pub if_none_match: &'r str,
    /// Host and port that clients reach the server by.
    pub address: &'r str,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryAnswer {
    /// The HTTP code.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The `ETag` header, in its quotes. Where there is one, `Vary: Accept` and `Cache-Control: public` go with it.
    pub etag: Option<String>,
    /// The body; empty for 304.
    pub body: Vec<u8>,
}

impl DiscoveryAnswer {
    fn plain(document: &Value) -> Self {
        Self { status: 200, content_type: JSON, etag: None, body: document.to_string().into_bytes() }
    }

    fn refused(failure: &Failure) -> Self {
        Self { status: failure.code, ..Self::plain(&failure.to_status()) }
    }

    /// What the server says of a path that no part of it knows.
    fn unknown_path() -> Self {
        Self { status: 404, content_type: TEXT, etag: None, body: b"404 page not found\n".to_vec() }
    }

    fn tagged(document: &Value, if_none_match: &str) -> Self {
        let body = document.to_string().into_bytes();
        let etag = format!("\"{}\"", hash(&body));
        if etag == if_none_match {
            return Self { status: 304, content_type: AGGREGATED, etag: Some(etag), body: Vec::new() };
        }
        Self { status: 200, content_type: AGGREGATED, etag: Some(etag), body }
    }
}

/// SHA-512 in capital hexadecimal digits, as `ETag`s and OpenAPI links have it
/// (`k8s.io/apiserver/pkg/endpoints/discovery/aggregated/etag.go`).
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(128);
    for byte in digest(&SHA512, bytes).as_ref() {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// Answers a GET of `/api`, `/apis` or a path below them that names a group or a version; nothing for other paths.
#[must_use]
pub fn answer(request: &DiscoveryRequest<'_>, resources: &[Arc<Resource>]) -> Option<DiscoveryAnswer> {
    let path = request.path.strip_suffix('/').unwrap_or(request.path);
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let groups = groups(resources);
    let answer = match parts.as_slice() {
        ["api"] => choose(request, || legacy::core_versions(request.address), || core(&groups, resources)),
        ["apis"] => choose(request, || legacy::group_list(&groups), || named(&groups, resources)),
        ["api", version] => of_version(request, &groups, resources, "", version),
        ["apis", group] => of_group(request, &groups, group),
        ["apis", group, version] => of_version(request, &groups, resources, group, version),
        _ => return None,
    };
    Some(answer)
}

/// The document at `/`: the paths that are served, in their order.
#[must_use]
pub fn paths(resources: &[Arc<Resource>]) -> Value {
    const OTHERS: [&str; 11] = [
        "/.well-known/openid-configuration",
        "/api",
        "/apis",
        "/apis/",
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    ];
    let mut paths: BTreeSet<String> = OTHERS.into_iter().map(str::to_owned).collect();
    for group in groups(resources) {
        let root = if group.name.is_empty() { "/api".to_owned() } else { format!("/apis/{}", group.name) };
        paths.extend(group.versions.iter().map(|version| format!("{root}/{version}")));
        paths.insert(root);
    }
    json!({ "paths": paths })
}

fn choose(
    request: &DiscoveryRequest<'_>,
    legacy: impl FnOnce() -> Value,
    aggregated: impl FnOnce() -> Value,
) -> DiscoveryAnswer {
    match accept::form(request.accept, true) {
        Some(Form::Plain) => DiscoveryAnswer::plain(&legacy()),
        Some(Form::Aggregated) => DiscoveryAnswer::tagged(&aggregated(), request.if_none_match),
        None => DiscoveryAnswer::refused(&not_acceptable()),
    }
}

fn core(groups: &[Group], resources: &[Arc<Resource>]) -> Value {
    aggregated::document(groups.iter().filter(|group| group.name.is_empty()), resources)
}

fn named(groups: &[Group], resources: &[Arc<Resource>]) -> Value {
    aggregated::document(groups.iter().filter(|group| !group.name.is_empty()), resources)
}

fn of_group(request: &DiscoveryRequest<'_>, groups: &[Group], name: &str) -> DiscoveryAnswer {
    match groups.iter().find(|group| group.name == name && !name.is_empty()) {
        Some(group) => document(request, || legacy::group_document(group)),
        None => DiscoveryAnswer::unknown_path(),
    }
}

fn of_version(
    request: &DiscoveryRequest<'_>,
    groups: &[Group],
    resources: &[Arc<Resource>],
    group: &str,
    version: &str,
) -> DiscoveryAnswer {
    let Some(found) = groups.iter().find(|known| known.name == group) else {
        return DiscoveryAnswer::unknown_path();
    };
    if !found.versions.iter().any(|known| known == version) {
        return DiscoveryAnswer::refused(&Failure::nothing_here());
    }
    document(request, || legacy::resource_list(group, version, resources))
}

fn document(request: &DiscoveryRequest<'_>, make: impl FnOnce() -> Value) -> DiscoveryAnswer {
    match accept::form(request.accept, false) {
        Some(_) => DiscoveryAnswer::plain(&make()),
        None => DiscoveryAnswer::refused(&not_acceptable()),
    }
}

fn not_acceptable() -> Failure {
    let known = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    Failure::bare(406, "NotAcceptable", format!("only the following media types are accepted: {known}"))
}

#[cfg(test)]
mod tests {
    use admission::KubeVersion;

    use super::*;
    use crate::catalog::builtin;

    const KUBECTL: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
        application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

    fn served() -> Vec<Arc<Resource>> {
        let builtin = builtin(KubeVersion::minor(36), &Arc::default());
        builtin.into_iter().chain(widgets()).map(Arc::new).collect()
    }

    /// A custom resource in two versions, as its definition makes it.
    fn widgets() -> Vec<Resource> {
        let definition = Arc::new(json!({"spec": {"group": "z.example.com", "versions": [
            {"name": "v1beta1", "served": true, "storage": false}, {"name": "v1", "served": true, "storage": true}]}}));
        let text = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let sub = |name: &str, kind| crate::resource::Subresource {
            name: name.into(),
            kind,
            verbs: text("get patch update"),
        };
        let scale = Some(("autoscaling".to_owned(), "v1".to_owned(), "Scale".to_owned()));
        let of = |version: &str, subresources| Resource {
            group: "z.example.com".into(),
            version: version.into(),
            plural: "widgets".into(),
            singular: "widget".into(),
            kind: "Widget".into(),
            list_kind: "WidgetList".into(),
            namespaced: true,
            short_names: text("wd"),
            categories: text("all toys"),
            verbs: text("delete deletecollection get list patch create update watch"),
            subresources,
            types: Arc::default(),
            root: 0,
            selectable_fields: Vec::new(),
            definition: Some(definition.clone()),
        };
        vec![of("v1beta1", Vec::new()), of("v1", vec![sub("status", None), sub("scale", scale)])]
    }

    fn get(path: &str, accept: &str) -> DiscoveryAnswer {
        let request = DiscoveryRequest { path, accept, address: "127.0.0.1:6443", ..DiscoveryRequest::default() };
        answer(&request, &served()).unwrap()
    }

    fn body(answer: &DiscoveryAnswer) -> Value {
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn recorded(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn documents_are_those_of_the_server() {
        let recorded = recorded(include_str!("recorded.json"));
        for (path, expected) in recorded["legacy"].as_object().unwrap() {
            assert_eq!(&body(&get(path, "")), expected, "{path}");
        }
        for (path, expected) in recorded["aggregated"].as_object().unwrap() {
            let answer = get(path, KUBECTL);
            assert_eq!(answer.content_type, AGGREGATED);
            assert_eq!(&body(&answer), expected, "{path}");
        }
    }

    #[test]
    fn versions_of_the_core_group_come_with_an_address() {
        let expected = json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [
            {"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]});
        assert_eq!(body(&get("/api", "application/json")), expected);
    }

    #[test]
    fn unknown_paths_are_answered_as_the_server_does() {
        let text = get("/apis/nope", "");
        assert_eq!((text.status, text.content_type, text.body.as_slice()), (404, TEXT, &b"404 page not found\n"[..]));
        assert_eq!(get("/apis/nope/v1", "").content_type, TEXT);
        for path in ["/apis/apps/v9", "/api/v2"] {
            let answer = get(path, "");
            let expected = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "the server could not find the requested resource", "reason": "NotFound", "details": {},
                "code": 404});
            assert_eq!((answer.status, body(&answer)), (404, expected), "{path}");
        }
        for path in ["/", "", "/api/v1/nodes", "/apis/apps/v1/deployments", "/version", "api"] {
            assert_eq!(answer(&DiscoveryRequest { path, ..DiscoveryRequest::default() }, &served()), None, "{path}");
        }
    }

    #[test]
    fn a_client_is_refused_what_it_alone_accepts() {
        let beta = get("/apis", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList");
        let expected = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
            "reason": "NotAcceptable", "code": 406});
        assert_eq!((beta.status, body(&beta)), (406, expected));
        assert_eq!(get("/apis", "application/xml").status, 406);
        assert_eq!(
            get("/apis/apps", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList").status,
            406
        );
    }

    #[test]
    fn a_known_document_is_not_sent_again() {
        let first = get("/apis", KUBECTL);
        let etag = first.etag.clone().unwrap();
        assert_eq!(etag.len(), 130);
        let request = DiscoveryRequest { path: "/apis", accept: KUBECTL, if_none_match: &etag, address: "" };
        let again = answer(&request, &served()).unwrap();
        assert_eq!((again.status, again.etag, again.body), (304, Some(etag), Vec::new()));
    }

    #[test]
    fn a_slash_at_the_end_does_not_matter() {
        for path in ["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1"] {
            assert_eq!(get(&format!("{path}/"), ""), get(path, ""), "{path}");
        }
    }
}
