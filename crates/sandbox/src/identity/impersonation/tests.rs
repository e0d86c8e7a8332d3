use super::*;
use crate::rbac::Decision;
use http::{HeaderName, HeaderValue};
use std::cell::RefCell;

/// Headers by name and value.
type Given<'a> = &'a [(&'a str, &'a str)];

fn headers(given: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn account() -> UserInfo {
    let groups = ["system:serviceaccounts", "system:serviceaccounts:ns1", "system:authenticated"];
    UserInfo {
        username: "system:serviceaccount:ns1:a".to_owned(),
        groups: groups.map(str::to_owned).to_vec(),
        extra: BTreeMap::from([(NODE_NAME.to_owned(), vec!["n2".to_owned()])]),
        ..UserInfo::default()
    }
}

/// `verb group resource/subresource namespace name`, with `-` for what is empty.
fn shown(attributes: &Attributes<'_>) -> String {
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let Attributes { verb, group, resource, subresource, namespace, name, .. } = attributes;
    let slash = if subresource.is_empty() { "" } else { "/" };
    format!("{verb} {} {resource}{slash}{subresource} {} {}", dash(group), dash(namespace), dash(name))
}

struct Outcome {
    user: Result<Option<UserInfo>, Failure>,
    asked: Vec<String>,
}

/// What comes of listing Nodes in the name of somebody, if only `granted` is allowed (`*`: everything).
fn attempt(given: &[(&str, &str)], granted: &[&str], minor: u16) -> Outcome {
    let asked = RefCell::new(Vec::new());
    let requestor = account();
    let request = Attributes::resource(&requestor, "list", "", "nodes");
    let authorize = |attributes: &Attributes<'_>| {
        let shown = shown(attributes);
        let allowed = granted.contains(&"*") || granted.contains(&shown.as_str());
        asked.borrow_mut().push(shown);
        Decision { allowed, reason: String::new() }
    };
    let user = impersonated(&headers(given), &request, &authorize, KubeVersion::minor(minor));
    Outcome { user, asked: asked.into_inner() }
}

fn groups(given: &[(&str, &str)]) -> Vec<String> {
    attempt(given, &["*"], 35).user.unwrap().unwrap().groups
}

#[test]
fn nothing_is_asked_without_headers() {
    for given in [&[][..], &[("impersonate-user", "")], &[("authorization", "Bearer x")]] {
        let outcome = attempt(given, &[], 36);
        assert_eq!((outcome.user, outcome.asked.len()), (Ok(None), 0));
    }
}

#[test]
fn each_part_is_asked_for() {
    let given = [
        ("Impersonate-User", "bob"),
        ("Impersonate-Uid", "u1"),
        ("Impersonate-Group", "g"),
        ("Impersonate-Group", "system:masters"),
        ("Impersonate-Extra-Foo%2FBar", "1"),
        ("Impersonate-Extra-foo%2fbar", "2"),
    ];
    let all = [
        "impersonate - users - bob",
        "impersonate authentication.k8s.io uids - u1",
        "impersonate - groups - g",
        "impersonate - groups - system:masters",
        "impersonate authentication.k8s.io userextras/foo/bar - 1",
        "impersonate authentication.k8s.io userextras/foo/bar - 2",
    ];
    let outcome = attempt(&given, &all, 35);
    assert_eq!(outcome.asked, all);
    let user = outcome.user.unwrap().unwrap();
    assert_eq!((user.username.as_str(), user.uid.as_str()), ("bob", "u1"));
    assert_eq!(user.groups, ["g", "system:masters", AUTHENTICATED]);
    assert_eq!(user.extra, BTreeMap::from([("foo/bar".to_owned(), vec!["1".to_owned(), "2".to_owned()])]));
    for missing in all {
        let rest: Vec<&str> = all.into_iter().filter(|one| *one != missing).collect();
        assert_eq!(attempt(&given, &rest, 35).user.unwrap_err().code, 403, "{missing}");
        assert_eq!(attempt(&given, &rest, 36).user.unwrap_err().code, 403, "{missing}");
    }
    assert!(attempt(&given, &all, 36).user.is_ok());
}

#[test]
fn groups_follow_from_names() {
    let user = |name| ("impersonate-user", name);
    let group = |name| ("impersonate-group", name);
    let cases: [(Given<'_>, &[&str]); 8] = [
        (&[user("bob")], &[AUTHENTICATED]),
        (&[user("bob"), group(AUTHENTICATED)], &[AUTHENTICATED]),
        (&[user("bob"), group(UNAUTHENTICATED)], &[UNAUTHENTICATED]),
        (&[user(ANONYMOUS)], &[UNAUTHENTICATED]),
        (&[user(ANONYMOUS), group("g")], &["g", UNAUTHENTICATED]),
        (
            &[user("system:serviceaccount:ns1:b")],
            &["system:serviceaccounts", "system:serviceaccounts:ns1", AUTHENTICATED],
        ),
        (&[user("system:serviceaccount:ns1:b"), group("g")], &["g", AUTHENTICATED]),
        (&[user("system:node:n1")], &[AUTHENTICATED]),
    ];
    for (given, expected) in cases {
        assert_eq!(groups(given), expected, "{given:?}");
    }
}

/// Section 5.3: a permission for users is none for service accounts, one for a Node none for others.
#[test]
fn service_accounts_are_no_users() {
    let given = [("impersonate-user", "system:serviceaccount:ns1:b")];
    assert!(attempt(&given, &["impersonate - users - system:serviceaccount:ns1:b"], 35).user.is_err());
    assert!(attempt(&given, &["impersonate - serviceaccounts ns1 b"], 35).user.is_ok());
    let odd = [("impersonate-user", "system:serviceaccount:ns1:B")];
    assert!(attempt(&odd, &["impersonate - users - system:serviceaccount:ns1:B"], 35).user.is_ok());
}

#[test]
fn refusals_are_the_servers() {
    let here = "User \"system:serviceaccount:ns1:a\" cannot";
    let scope = "at the cluster scope";
    let on = |mode: &str| {
        format!("nodes is forbidden: {here} impersonate-on:{mode}:list resource \"nodes\" in API group \"\" {scope}")
    };
    let user = |name| [("Impersonate-User", name)];
    let cases = [
        (user("bob").to_vec(), 36, on("user-info")),
        (user("system:serviceaccount:ns1:b").to_vec(), 36, on("serviceaccount")),
        (user("system:node:n1").to_vec(), 36, on("arbitrary-node")),
        (user("system:node:n2").to_vec(), 36, on("associated-node")),
        (user("system:node:BAD!").to_vec(), 36, on("user-info")),
        (vec![("impersonate-user", "bob"), ("impersonate-group", "g")], 36, on("user-info")),
        (
            user("bob").to_vec(),
            35,
            format!("users \"bob\" is forbidden: {here} impersonate resource \"users\" in API group \"\" {scope}"),
        ),
        (
            user("system:serviceaccount:ns1:b").to_vec(),
            35,
            format!(
                "serviceaccounts \"b\" is forbidden: {here} impersonate resource \"serviceaccounts\" in API group \"\" in the namespace \"ns1\""
            ),
        ),
    ];
    for (given, minor, message) in cases {
        let failure = attempt(&given, &[], minor).user.unwrap_err();
        assert_eq!((failure.code, failure.message), (403, message));
    }
    let given = [("impersonate-user", "bob"), ("impersonate-extra-authentication.kubernetes.io%2fnode-name", "sem-n0")];
    let failure = attempt(&given, &["impersonate - users - bob"], 35).user.unwrap_err();
    assert_eq!(
        failure.message,
        format!(
            "userextras.authentication.k8s.io \"sem-n0\" is forbidden: {here} impersonate resource \
            \"userextras/authentication.kubernetes.io/node-name\" in API group \"authentication.k8s.io\" {scope}"
        )
    );
}

#[test]
fn somebody_must_be_named() {
    let cases: [(Given<'_>, u16, &str); 6] = [
        (
            &[("Impersonate-Group", "g")],
            36,
            r#"requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"g"}, Extra:map[string][]string(nil)} without impersonating a user name"#,
        ),
        (
            &[("Impersonate-Extra-Foo%2fbar", "g"), ("Impersonate-Extra-foo%2Fbar", "h")],
            36,
            r#"requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string(nil), Extra:map[string][]string{"foo/bar":[]string{"g", "h"}}} without impersonating a user name"#,
        ),
        (
            &[("Impersonate-Uid", "g"), ("Impersonate-Group", "h\"i")],
            36,
            r#"requested &user.DefaultInfo{Name:"", UID:"g", Groups:[]string{"h\"i"}, Extra:map[string][]string(nil)} without impersonating a user name"#,
        ),
        (
            &[("Impersonate-Extra-foo", "bar")],
            35,
            "requested [{UserExtra  bar  authentication.k8s.io/v1  foo}] without impersonating a user",
        ),
        (&[("Impersonate-Group", "g")], 35, "requested [{Group  g    }] without impersonating a user"),
        (
            &[("Impersonate-User", ""), ("Impersonate-User", "bob"), ("Impersonate-Group", "")],
            35,
            "requested [{Group      }] without impersonating a user",
        ),
    ];
    for (given, minor, message) in cases {
        let failure = attempt(given, &["*"], minor).user.unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (400, message));
    }
}

#[test]
fn modes_need_both_permissions() {
    let on = |mode: &str| format!("impersonate-on:{mode}:list - nodes - -");
    let cases = [
        (
            "system:node:n2",
            "associated-node",
            "impersonate:associated-node authentication.k8s.io nodes - *",
            vec![NODES, AUTHENTICATED],
        ),
        (
            "system:node:n1",
            "arbitrary-node",
            "impersonate:arbitrary-node authentication.k8s.io nodes - n1",
            vec![NODES, AUTHENTICATED],
        ),
        (
            "system:serviceaccount:ns1:b",
            "serviceaccount",
            "impersonate:serviceaccount authentication.k8s.io serviceaccounts ns1 b",
            vec!["system:serviceaccounts", "system:serviceaccounts:ns1", AUTHENTICATED],
        ),
        ("bob", "user-info", "impersonate:user-info authentication.k8s.io users - bob", vec![AUTHENTICATED]),
    ];
    for (name, mode, whom, groups) in cases {
        let (given, on) = ([("impersonate-user", name)], on(mode));
        let user = attempt(&given, &[&on, whom], 36).user.unwrap().unwrap();
        assert_eq!((user.username.as_str(), user.groups), (name, groups.into_iter().map(str::to_owned).collect()));
        assert!(attempt(&given, &[&on], 36).user.is_err());
        assert!(attempt(&given, &[whom], 36).user.is_err());
        assert!(attempt(&given, &[&on, whom], 35).user.is_err());
    }
}

/// Modes never give `system:masters`, nor more than a name to nodes and service accounts.
#[test]
fn modes_are_limited() {
    let modes = |name: &str, more: (&str, &str)| {
        let asked = attempt(&[("impersonate-user", name), more], &[], 36).asked;
        asked.into_iter().filter(|one| one.starts_with("impersonate-on")).collect::<Vec<_>>()
    };
    assert_eq!(modes("system:serviceaccount:ns1:b", ("impersonate-group", "g")), Vec::<String>::new());
    assert_eq!(modes("system:node:n2", ("impersonate-uid", "g")), Vec::<String>::new());
    let granted = [
        "impersonate-on:user-info:list - nodes - -",
        "impersonate:user-info authentication.k8s.io users - bob",
        "impersonate:user-info authentication.k8s.io groups - *",
        "impersonate:user-info authentication.k8s.io groups - system:masters",
    ];
    let given = [("impersonate-user", "bob"), ("impersonate-group", "system:masters")];
    let failure = attempt(&given, &granted, 36).user.unwrap_err();
    assert!(failure.message.ends_with("impersonating the system:masters group is not allowed"), "{failure}");
    for (key, problem) in [
        ("impersonate-extra-scopes", "must be a domain-prefixed path"),
        ("impersonate-extra-%41cme.io%2ffoo", "must be a domain-prefixed path"),
        (
            "impersonate-extra-a.b%2fc%20d",
            r#"Invalid value: "c d": Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')"#,
        ),
        ("impersonate-extra-a.b%2fC%44", "impersonating a non-lowercase key in extra is not allowed: \"a.b/cD\""),
    ] {
        let given = [("impersonate-user", "bob"), (key, "x")];
        let failure = attempt(&given, &granted, 36).user.unwrap_err();
        assert!(failure.message.contains(problem), "{failure}");
    }
}

#[test]
fn headers_are_known() {
    for name in ["Impersonate-User", "impersonate-uid", "IMPERSONATE-GROUP", "Impersonate-Extra-x"] {
        assert!(is_header(name), "{name}");
    }
    assert!(!is_header("impersonate") && !is_header("x-impersonate-user"));
}
