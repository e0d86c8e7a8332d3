//! The audit log: what was asked, by whom, and what came of it (`audit.k8s.io/v1`, level `RequestResponse`;
//! `staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go`).

use admission::UserInfo;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The annotation that says whether the request was allowed: `allow` or `forbid`.
pub const DECISION: &str = "authorization.k8s.io/decision";

/// The annotation that says why.
pub const REASON: &str = "authorization.k8s.io/reason";

/// Longer user agents are cut (`maxUserAgentLength` in `staging/src/k8s.io/apiserver/pkg/audit/request.go`).
const LONGEST_AGENT: usize = 1024;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Stage {
    /// It came.
    RequestReceived,
    /// The answer has begun and goes on: watches.
    ResponseStarted,
    /// It is answered.
    ResponseComplete,
}

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// The plural.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The name: that of the path, or that of the object that shall be created.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The UID, if the request has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// The version, without the group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// The resource version, if the request has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// The subresource.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

/// What is known of a request at a stage.
#[derive(Clone, Debug)]
pub struct Facts<'r> {
    /// Distinguishes requests: the header `Audit-ID` as the client sent it, or a UID.
    pub audit_id: &'r str,
    /// How far the request has come.
    pub stage: Stage,
    /// Path and query as they came.
    pub request_uri: &'r str,
    /// The verb.
    pub verb: &'r str,
    /// Who asks.
    pub user: &'r UserInfo,
    /// As whom.
    pub impersonated: Option<&'r UserInfo>,
    /// Where it comes from: proxies last.
    pub source_ips: &'r [String],
    /// With what.
    pub user_agent: &'r str,
    /// About what, unless it is about a path.
    pub object: Option<ObjectReference>,
    /// The code of the answer.
    pub code: Option<u16>,
    /// What was sent: an object with its defaults, or a patch as it came.
    pub request_object: Option<&'r Value>,
    /// What was answered. Discovery and other answers that are no objects of an API are not written.
    pub response_object: Option<&'r Value>,
    /// When the request came: RFC 3339 with microseconds, in UTC.
    pub received: &'r str,
    /// When it came to this stage, in the same form.
    pub staged: &'r str,
    /// What authorization and policies noted.
    pub annotations: &'r BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'r> {
    kind: &'static str,
    api_version: &'static str,
    level: &'static str,
    #[serde(rename = "auditID")]
    audit_id: &'r str,
    stage: Stage,
    #[serde(rename = "requestURI")]
    request_uri: &'r str,
    verb: &'r str,
    user: &'r UserInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonated_user: Option<&'r UserInfo>,
    #[serde(rename = "sourceIPs", skip_serializing_if = "<[_]>::is_empty")]
    source_ips: &'r [String],
    #[serde(skip_serializing_if = "String::is_empty")]
    user_agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_ref: Option<&'r ObjectReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_object: Option<&'r Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_object: Option<&'r Value>,
    request_received_timestamp: &'r str,
    stage_timestamp: &'r str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'r BTreeMap<String, String>,
}

impl Facts<'_> {
    /// The line for the log, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let event = Event {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level: "RequestResponse",
            audit_id: self.audit_id,
            stage: self.stage,
            request_uri: self.request_uri,
            verb: self.verb,
            user: self.user,
            impersonated_user: self.impersonated,
            source_ips: self.source_ips,
            user_agent: shortened(self.user_agent),
            object_ref: self.object.as_ref(),
            response_status: self.code.map(|code| response_status(code, self.response_object)),
            request_object: self.request_object,
            response_object: self.response_object,
            request_received_timestamp: self.received,
            stage_timestamp: self.staged,
            annotations: self.annotations,
        };
        escaped(&serde_json::to_string(&event).expect("texts and JSON can be written"))
    }
}

/// What authorization notes.
#[must_use]
pub fn decision(allowed: bool, reason: &str) -> [(String, String); 2] {
    let decision = if allowed { "allow" } else { "forbid" };
    [(DECISION, decision), (REASON, reason)].map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// Of an answer that is a `Status`, all but what kind of object it is; of others the code only.
fn response_status(code: u16, answer: Option<&Value>) -> Map<String, Value> {
    let is_status = |answer: &&Map<String, Value>| {
        answer.get("kind").is_some_and(|kind| kind == "Status")
            && answer.get("apiVersion").is_some_and(|version| version == "v1")
    };
    let mut status = answer.and_then(Value::as_object).filter(is_status).cloned().unwrap_or_default();
    status.retain(|field, _| !matches!(field.as_str(), "kind" | "apiVersion"));
    status.entry("metadata").or_insert_with(|| json!({}));
    status.insert("code".to_owned(), json!(code));
    status
}

fn shortened(agent: &str) -> String {
    if agent.len() <= LONGEST_AGENT {
        return agent.to_owned();
    }
    let end = (0..=LONGEST_AGENT).rev().find(|end| agent.is_char_boundary(*end)).unwrap_or_default();
    format!("{}...TRUNCATED", &agent[..end])
}

/// JSON as Go writes it, so that it may stand in HTML. The characters in question stand within texts only.
fn escaped(json: &str) -> String {
    let mut written = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '&' => written.push_str("\\u0026"),
            '<' => written.push_str("\\u003c"),
            '>' => written.push_str("\\u003e"),
            '\u{2028}' => written.push_str("\\u2028"),
            '\u{2029}' => written.push_str("\\u2029"),
            other => written.push(other),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = r#""user":{"username":"token-admin","uid":"token-admin-uid","groups":["system:masters","system:authenticated"]}"#;
    const TIMES: &str =
        r#""requestReceivedTimestamp":"2026-11-22T18:10:05.548381Z","stageTimestamp":"2026-11-22T18:10:05.549099Z""#;

    fn user(name: &str, uid: &str, groups: &[&str]) -> UserInfo {
        let groups = groups.iter().map(ToString::to_string).collect();
        UserInfo { username: name.to_owned(), uid: uid.to_owned(), groups, ..UserInfo::default() }
    }

    /// What facts are lent.
    struct Lent {
        user: UserInfo,
        bob: UserInfo,
        source_ips: Vec<String>,
        annotations: BTreeMap<String, String>,
        asked: Value,
        answer: Value,
    }

    fn lent() -> Lent {
        let failure = crate::failure::Failure::not_found(&crate::resource::GroupResource::new("", "nodes"), "n");
        let mut bob = user("bob", "", &["g1"]);
        bob.extra.insert("k".to_owned(), vec!["v".to_owned()]);
        Lent {
            user: user("token-admin", "token-admin-uid", &["system:masters", "system:authenticated"]),
            bob,
            source_ips: vec!["127.0.0.1".to_owned()],
            annotations: BTreeMap::new(),
            asked: json!({"a": "<b>"}),
            answer: failure.to_status(),
        }
    }

    fn facts<'r>(lent: &'r Lent, stage: Stage, request_uri: &'r str, verb: &'r str) -> Facts<'r> {
        Facts {
            audit_id: "my-id",
            stage,
            request_uri,
            verb,
            user: &lent.user,
            impersonated: None,
            source_ips: &lent.source_ips,
            user_agent: "probe/1",
            object: None,
            code: None,
            request_object: None,
            response_object: None,
            received: "2026-11-22T18:10:05.548381Z",
            staged: "2026-11-22T18:10:05.549099Z",
            annotations: &lent.annotations,
        }
    }

    fn expected(stage: &str, uri: &str, verb: &str, before_source: &str, rest: &str) -> String {
        format!(
            "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"RequestResponse\",\"auditID\":\"my-id\",\
             \"stage\":\"{stage}\",\"requestURI\":\"{uri}\",\"verb\":\"{verb}\",{USER}{before_source},\
             \"sourceIPs\":[\"127.0.0.1\"],\"userAgent\":\"probe/1\"{rest}}}"
        )
    }

    #[test]
    fn lines_are_as_the_server_writes_them() {
        let lent = lent();
        let mut received = facts(&lent, Stage::RequestReceived, "/api/v1/nodes?watch=1&limit=1", "watch");
        let (resource, api_version) = ("nodes".to_owned(), "v1".to_owned());
        received.object = Some(ObjectReference { resource, api_version, ..ObjectReference::default() });
        let about = r#","objectRef":{"resource":"nodes","apiVersion":"v1"}"#;
        let uri = r"/api/v1/nodes?watch=1\u0026limit=1";
        assert_eq!(received.to_line(), expected("RequestReceived", uri, "watch", "", &format!("{about},{TIMES}")));
        let version = Facts { code: Some(200), ..facts(&lent, Stage::ResponseComplete, "/version", "get") };
        let status = r#","responseStatus":{"code":200,"metadata":{}}"#;
        assert_eq!(
            version.to_line(),
            expected("ResponseComplete", "/version", "get", "", &format!("{status},{TIMES}"))
        );
    }

    #[test]
    fn a_refusal_is_told_whole() {
        let lent = Lent { annotations: BTreeMap::from(decision(false, "")), ..lent() };
        let object = ObjectReference {
            resource: "leases".to_owned(),
            namespace: "default".to_owned(),
            name: "l".to_owned(),
            api_group: "coordination.k8s.io".to_owned(),
            api_version: "v1".to_owned(),
            subresource: "status".to_owned(),
            ..ObjectReference::default()
        };
        let told = Facts {
            impersonated: Some(&lent.bob),
            object: Some(object),
            code: Some(404),
            request_object: Some(&lent.asked),
            response_object: Some(&lent.answer),
            ..facts(&lent, Stage::ResponseComplete, "/x", "create")
        };
        let body = r#""details":{"kind":"nodes","name":"n"}"#;
        let words = r#""message":"nodes \"n\" not found","metadata":{},"reason":"NotFound","status":"Failure"}"#;
        let rest = [
            r#","objectRef":{"resource":"leases","namespace":"default","name":"l","apiGroup":"coordination.k8s.io","apiVersion":"v1","subresource":"status"}"#,
            &format!(r#","responseStatus":{{"code":404,{body},{words}"#),
            r#","requestObject":{"a":"\u003cb\u003e"}"#,
            &format!(r#","responseObject":{{"apiVersion":"v1","code":404,{body},"kind":"Status",{words},"#),
            TIMES,
            r#","annotations":{"authorization.k8s.io/decision":"forbid","authorization.k8s.io/reason":""}"#,
        ];
        let impersonated = r#","impersonatedUser":{"username":"bob","groups":["g1"],"extra":{"k":["v"]}}"#;
        assert_eq!(told.to_line(), expected("ResponseComplete", "/x", "create", impersonated, &rest.concat()));
    }

    #[test]
    fn a_success_gets_its_code_and_long_agents_are_cut() {
        let answer = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        let status = Value::Object(response_status(200, Some(&answer)));
        assert_eq!(status, json!({"metadata": {}, "status": "Success", "code": 200}));
        let node = json!({"kind": "Node", "apiVersion": "v1", "status": {}});
        assert_eq!(Value::Object(response_status(201, Some(&node))), json!({"metadata": {}, "code": 201}));
        assert_eq!(shortened(&"a".repeat(1024)).len(), 1024);
        assert_eq!(shortened(&"ä".repeat(513)), format!("{}...TRUNCATED", "ä".repeat(512)));
    }
}
