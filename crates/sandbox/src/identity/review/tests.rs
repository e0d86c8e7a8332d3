use super::*;
use crate::identity::stored::Stored;
use crate::rbac::{Decision, GROUP, denied};

fn user(name: &str, groups: &[&str]) -> UserInfo {
    let groups = groups.iter().map(ToString::to_string).collect();
    UserInfo { username: name.to_owned(), groups, ..UserInfo::default() }
}

/// Says in the reason what it was asked, by the text of a refusal, and allows what is asked by `u`.
fn echo(attributes: &Attributes<'_>) -> Decision {
    let fields = if attributes.fields.is_empty() { String::new() } else { format!(" {:?}", attributes.fields) };
    Decision { allowed: attributes.user.username == "u", reason: denied(attributes, "").message + &fields }
}

#[test]
fn reviews_are_validated() {
    let root = user("root", &[]);
    let spec = |spec: Value| json!({"spec": spec});
    let both = json!({"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"path": "/x", "verb": "get"}});
    let neither = "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
    let nobody = "spec.user: Invalid value: \"\": at least one of user or group must be specified";
    let selector = "spec.resourceAttributes.fieldSelector.requirements: Required value: when spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required";
    let self_access = |body: &Value| self_subject_access(body, &root, &echo);
    let access = |body: &Value| subject_access(body, &echo);
    let local = |body: &Value| local_subject_access(body, "default", &echo);
    let in_other = json!({"metadata": {"namespace": "default"}, "spec": {"user": "u", "resourceAttributes": {"namespace": "other"}}});
    let cases = [
        (self_access(&spec(json!({}))), neither.to_owned()),
        (
            self_access(&spec(both)),
            "spec.nonResourceAttributes: Invalid value: {\"Path\":\"/x\",\"Verb\":\"get\"}: cannot be specified in combination with resourceAttributes".to_owned(),
        ),
        (access(&json!({})), format!("[{neither}, {nobody}]")),
        (access(&spec(json!({"resourceAttributes": {"fieldSelector": {}}}))), format!("[{nobody}, {selector}]")),
        (
            self_access(&json!({"metadata": {"name": "x"}, "spec": {"resourceAttributes": {}}})),
            "metadata: Invalid value: {\"name\":\"x\"}: must be empty".to_owned(),
        ),
        (local(&in_other), "spec.resourceAttributes.namespace: Invalid value: \"other\": must match metadata.namespace".to_owned()),
        (
            local(&spec(json!({"user": "u", "nonResourceAttributes": {"path": "/x", "verb": "get"}}))),
            "spec.nonResourceAttributes: Invalid value: {\"Path\":\"/x\",\"Verb\":\"get\"}: disallowed on this kind of request".to_owned(),
        ),
    ];
    for (result, expected) in cases {
        let failure = result.unwrap_err();
        let message = format!(".authorization.k8s.io \"\" is invalid: {expected}");
        assert_eq!((failure.code, failure.message), (422, message));
    }
}

#[test]
fn access_is_asked_for_as_it_is_given() {
    let attributes = json!({"verb": "get", "group": "apps", "version": "v1", "resource": "deployments",
        "subresource": "status", "namespace": "ns1", "name": "x"});
    let spec = json!({"user": "u", "groups": ["g"], "resourceAttributes": attributes});
    let body = json!({"metadata": {"managedFields": []}, "spec": spec});
    let answer = subject_access(&body, &echo).unwrap();
    assert_eq!(
        answer,
        json!({
            "kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {"managedFields": []}, "spec": spec,
            "status": {"allowed": true, "reason": "deployments.apps \"x\" is forbidden: User \"u\" cannot get resource \"deployments/status\" in API group \"apps\" in the namespace \"ns1\""},
        })
    );
    let path = json!({"spec": {"nonResourceAttributes": {"path": "/x", "verb": "get"}}, "status": {"allowed": true}});
    let answer = self_subject_access(&path, &user("me", &[]), &|_| Decision::default()).unwrap();
    assert_eq!((&answer["status"], &answer["metadata"]), (&json!({"allowed": false}), &json!({})));
    let local = json!({"spec": {"user": "u", "resourceAttributes": {"namespace": "default"}}});
    let answer = local_subject_access(&local, "default", &echo).unwrap();
    assert_eq!(answer["metadata"], json!({"namespace": "default"}));
}

#[test]
fn field_selectors_are_understood() {
    let requirement = |operator: &str, values: Value| json!({"key": "k", "operator": operator, "values": values});
    let some = |requirements: &[Value]| json!({"requirements": requirements});
    let raw = |raw: &str| json!({"rawSelector": raw});
    let ignored = "spec.resourceAttributes.fieldSelector ignored due to parse error";
    let partially = "spec.resourceAttributes.fieldSelector partially ignored due to parse error";
    let a = requirement("In", json!(["a"]));
    let cases = [
        (some(std::slice::from_ref(&a)), " [(\"k\", \"a\")]", ""),
        (some(&[requirement("In", json!(["a", "b"]))]), "", ignored),
        (some(&[requirement("In", json!(["a", "b"])), a]), " [(\"k\", \"a\")]", partially),
        (some(&[requirement("NotIn", json!(["a"]))]), "", ""),
        (some(&[requirement("Exists", json!([]))]), "", ignored),
        (raw("a=b,c==d"), " [(\"a\", \"b\"), (\"c\", \"d\")]", ""),
        (raw("a!=b"), "", ""),
        (raw("a=b,c"), "", ignored),
        (raw("a=b,c=d=e"), "", ignored),
        (raw("a=b\\,c"), "", ignored),
    ];
    for (selector, fields, problem) in cases {
        let body = json!({"spec": {"user": "u", "resourceAttributes": {"verb": "list", "fieldSelector": selector}}});
        let answer = subject_access(&body, &echo).unwrap();
        assert!(text(&answer, "/status/reason").ends_with(&format!("at the cluster scope{fields}")), "{answer}");
        assert_eq!(text(&answer, "/status/evaluationError"), problem, "{answer}");
    }
}

#[test]
fn rules_are_listed() {
    let rules = json!([
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]},
        {"verbs": ["get"], "nonResourceURLs": ["/api"]},
    ]);
    let binding = |name: &str, role: &str| {
        json!({"metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "Group", "name": "g"}]})
    };
    let objects = Stored::default()
        .with(GROUP, "clusterroles", json!({"metadata": {"name": "r"}, "rules": rules}))
        .with(GROUP, "clusterrolebindings", binding("a", "r"))
        .with(GROUP, "clusterrolebindings", binding("b", "missing"));
    let body = json!({"metadata": {"name": "x"}, "spec": {"namespace": "default"}});
    let answer = self_subject_rules(&body, &user("u", &["g"]), &objects).unwrap();
    assert_eq!(
        answer,
        json!({
            "kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": {},
            "status": {
                "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}],
                "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/api"]}],
                "incomplete": false,
                "evaluationError": "clusterrole.rbac.authorization.k8s.io \"missing\" not found",
            },
        })
    );
    let node = self_subject_rules(&body, &user("system:node:n1", &["system:nodes"]), &objects).unwrap();
    assert_eq!(node["status"]["incomplete"], true);
    assert_eq!(node["status"]["evaluationError"], "node authorizer does not support user rule resolution");
    let failure = self_subject_rules(&json!({"spec": {}}), &user("u", &[]), &objects).unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (400, "no namespace on request"));
}

#[test]
fn whoever_asks_is_shown() {
    assert_eq!(
        self_subject(&user("u", &["g"]), 1_795_369_560),
        json!({
            "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"creationTimestamp": "2026-11-22T17:46:00Z"},
            "status": {"userInfo": {"username": "u", "groups": ["g"]}},
        })
    );
}

#[test]
fn tokens_are_reviewed() {
    let examine = |token: &str, audiences: &[String]| match token {
        "good" => Ok(Authenticated { user: user("u", &[]), audiences: audiences.to_vec() }),
        other => Err(format!("no {other}")),
    };
    let review = |spec: Value| token(&json!({"spec": spec}), &["own".to_owned()], &examine);
    let status = |spec: Value| review(spec).unwrap()["status"].clone();
    let good = json!({"authenticated": true, "user": {"username": "u"}, "audiences": ["a"]});
    assert_eq!(status(json!({"token": "good", "audiences": ["a"]})), good);
    assert_eq!(status(json!({"token": "good rest", "audiences": ["a"]})), good);
    assert_eq!(status(json!({"token": "bad"})), json!({"user": {}, "error": "no bad"}));
    let nobody = json!({"username": "system:anonymous", "groups": ["system:unauthenticated"]});
    let anonymous = json!({"authenticated": true, "user": nobody, "audiences": ["own"]});
    assert_eq!(status(json!({"token": " good"})), anonymous);
    let known = json!({"authenticated": true, "user": {"username": "u"}, "audiences": ["own"]});
    assert_eq!(status(json!({"token": "good"})), known);
    let failure = review(json!({})).unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (400, "token is required for TokenReview in authentication"));
}
