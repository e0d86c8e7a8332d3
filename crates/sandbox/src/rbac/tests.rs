use super::*;
use crate::identity::stored::Stored;
use serde_json::{Value, json};

fn user(name: &str, groups: &[&str]) -> UserInfo {
    let groups = groups.iter().map(ToString::to_string).collect();
    UserInfo { username: name.to_owned(), groups, ..UserInfo::default() }
}

fn account() -> UserInfo {
    user(
        "system:serviceaccount:ns1:a",
        &["system:serviceaccounts", "system:serviceaccounts:ns1", "system:authenticated"],
    )
}

fn role(namespace: &str, name: &str, rules: Value) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name}, "rules": rules})
}

fn binding(namespace: &str, name: &str, kind: &str, role: &str, subject: Value) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name}, "subjects": [subject],
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role}})
}

fn get_pods() -> Value {
    json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])
}

/// `reader` may get Pods; who has it is up to the binding.
fn bound(subject: Value) -> Stored {
    Stored::default().with(GROUP, "clusterroles", role("", "reader", get_pods())).with(
        GROUP,
        "clusterrolebindings",
        binding("", "b", "ClusterRole", "reader", subject),
    )
}

fn bound_in(namespace: &str, kind: &str, subject: Value) -> Stored {
    Stored::default()
        .with(GROUP, "clusterroles", role("", "reader", get_pods()))
        .with(GROUP, "roles", role("ns1", "reader", get_pods()))
        .with(GROUP, "rolebindings", binding(namespace, "b", kind, "reader", subject))
}

#[test]
fn subjects_must_be_the_same() {
    let a = account();
    let subject = |kind: &str, name: &str| json!({"kind": kind, "name": name});
    let of = |namespace: &str, name: &str| json!({"kind": "ServiceAccount", "namespace": namespace, "name": name});
    let cases = [
        (&a, subject("User", "system:serviceaccount:ns1:a"), true),
        (&a, subject("User", "System:serviceaccount:ns1:a"), false),
        (&a, subject("User", "*"), false),
        (&a, subject("user", "system:serviceaccount:ns1:a"), false),
        (&a, subject("Group", "system:serviceaccounts:ns1"), true),
        (&a, subject("Group", "system:serviceaccounts:ns2"), false),
        (&a, subject("Group", "system:serviceaccount:ns1:a"), false),
        (&a, subject("Group", ""), false),
        (&a, of("ns1", "a"), true),
        (&a, of("ns1", "b"), false),
        (&a, of("ns2", "a"), false),
        (&a, subject("ServiceAccount", "a"), false),
        (&a, subject("Node", "a"), false),
    ];
    for (user, subject, expected) in cases {
        let decision = authorize(&Attributes::resource(user, "get", "", "pods"), &bound(subject.clone()));
        assert_eq!(decision.allowed, expected, "{subject}");
    }
}

/// A user cannot bring itself into a group by other ways than its groups.
#[test]
fn extra_and_names_are_no_groups() {
    let objects = bound(json!({"kind": "Group", "name": "admins"}));
    let mut eve = user("admins", &["x"]);
    eve.extra.insert("groups".to_owned(), vec!["admins".to_owned(), MASTERS.to_owned()]);
    eve.uid = "admins".to_owned();
    assert!(!authorize(&Attributes::resource(&eve, "get", "", "pods"), &objects).allowed);
    for group in ["system:masters ", "System:masters", "system:master", "a,system:masters"] {
        assert!(!authorize(&Attributes::resource(&user("eve", &[group]), "get", "", "pods"), &objects).allowed);
    }
    let everything = authorize(&Attributes::path(&user("root", &[MASTERS]), "get", "/metrics"), &objects);
    assert_eq!(everything, Decision::allow(""));
}

#[test]
fn reasons_are_the_servers() {
    let a = account();
    let group = json!({"kind": "Group", "name": "system:authenticated"});
    let here = json!({"kind": "ServiceAccount", "name": "a"});
    let cases = [
        (
            bound(group.clone()),
            "",
            "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"reader\" to Group \"system:authenticated\"",
        ),
        (
            bound(json!({"kind": "ServiceAccount", "name": "a", "namespace": "ns1"})),
            "ns1",
            "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"reader\" to ServiceAccount \"a/ns1\"",
        ),
        (
            bound_in("ns1", "Role", here.clone()),
            "ns1",
            "RBAC: allowed by RoleBinding \"b/ns1\" of Role \"reader\" to ServiceAccount \"a/ns1\"",
        ),
        (
            bound_in("ns1", "ClusterRole", group),
            "ns1",
            "RBAC: allowed by RoleBinding \"b/ns1\" of ClusterRole \"reader\" to Group \"system:authenticated\"",
        ),
    ];
    for (objects, namespace, reason) in cases {
        let attributes = Attributes { namespace, ..Attributes::resource(&a, "get", "", "pods") };
        assert_eq!(authorize(&attributes, &objects), Decision::allow(reason));
    }
}

#[test]
fn role_bindings_hold_in_their_namespace_only() {
    let a = account();
    for kind in ["Role", "ClusterRole"] {
        let objects = bound_in("ns1", kind, json!({"kind": "User", "name": a.username}));
        for (namespace, expected) in [("ns1", true), ("ns2", false), ("", false)] {
            let attributes = Attributes { namespace, ..Attributes::resource(&a, "get", "", "pods") };
            assert_eq!(authorize(&attributes, &objects).allowed, expected, "{kind} {namespace}");
        }
    }
}

#[test]
fn missing_roles_are_reported() {
    let a = account();
    let me = json!({"kind": "ServiceAccount", "namespace": "ns1", "name": "a"});
    let objects = Stored::default()
        .with(GROUP, "clusterrolebindings", binding("", "x", "ClusterRole", "missing", me.clone()))
        .with(GROUP, "clusterrolebindings", binding("", "y", "ClusterRole", "missing", me.clone()))
        .with(GROUP, "rolebindings", binding("ns1", "x", "Role", "missing2", me.clone()));
    let nodes = Attributes::resource(&a, "list", "", "nodes");
    let decision = authorize(&nodes, &objects);
    assert_eq!(
        denied(&nodes, &decision.reason).message,
        "nodes is forbidden: User \"system:serviceaccount:ns1:a\" cannot list resource \"nodes\" in API group \"\" at the cluster scope: \
         RBAC: clusterrole.rbac.authorization.k8s.io \"missing\" not found"
    );
    let pods = Attributes { namespace: "ns1", ..Attributes::resource(&a, "get", "", "pods") };
    assert_eq!(
        authorize(&pods, &objects).reason,
        "RBAC: [clusterrole.rbac.authorization.k8s.io \"missing\" not found, role.rbac.authorization.k8s.io \"missing2\" not found]"
    );
    let odd = Stored::default().with(GROUP, "clusterrolebindings", binding("", "z", "Bogus", "m", me));
    assert_eq!(authorize(&pods, &odd).reason, "RBAC: unsupported role reference kind: \"Bogus\"");
}

#[test]
fn refusals_are_the_servers() {
    let a = account();
    let eve = user("e\"<&>", &[]);
    let nodes = Attributes::resource(&a, "list", "", "nodes");
    let roles = Attributes { namespace: "ns1", name: "x", ..Attributes::resource(&a, "get", GROUP, "roles") };
    let cases = [
        (
            nodes,
            r#"nodes is forbidden: User "system:serviceaccount:ns1:a" cannot list resource "nodes" in API group "" at the cluster scope"#,
            json!({"kind": "nodes"}),
        ),
        (
            Attributes { subresource: "status", name: "x", verb: "get", ..nodes },
            r#"nodes "x" is forbidden: User "system:serviceaccount:ns1:a" cannot get resource "nodes/status" in API group "" at the cluster scope"#,
            json!({"kind": "nodes", "name": "x"}),
        ),
        (
            roles,
            r#"roles.rbac.authorization.k8s.io "x" is forbidden: User "system:serviceaccount:ns1:a" cannot get resource "roles" in API group "rbac.authorization.k8s.io" in the namespace "ns1""#,
            json!({"kind": "roles", "name": "x", "group": GROUP}),
        ),
        (
            Attributes::path(&a, "get", "/metrics"),
            r#"forbidden: User "system:serviceaccount:ns1:a" cannot get path "/metrics""#,
            json!({}),
        ),
        (
            Attributes::path(&eve, "get", "/a<b&c"),
            r#"forbidden: User "e\"&lt;&amp;&gt;" cannot get path "/a&lt;b&amp;c""#,
            json!({}),
        ),
    ];
    for (attributes, message, details) in cases {
        let failure = denied(&attributes, "");
        assert_eq!((failure.code, failure.reason, failure.message.as_str()), (403, "Forbidden", message));
        assert_eq!(failure.details.map(Value::Object), Some(details));
    }
}

mod escalation_of_privileges {
    use super::*;
    use crate::rbac::escalation::{Write, check};

    /// `b` may write roles, bindings and Pods, and get and update the latter.
    fn objects() -> Stored {
        let held = json!([
            {"verbs": ["create", "get", "patch", "update"], "apiGroups": [""], "resources": ["pods"]},
            {"verbs": ["create", "get", "patch", "update"], "apiGroups": [GROUP],
                "resources": ["roles", "clusterroles", "rolebindings", "clusterrolebindings"]},
        ]);
        let everything = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]);
        let subject = json!({"kind": "ServiceAccount", "namespace": "ns1", "name": "b"});
        Stored::default()
            .with(GROUP, "clusterroles", role("", "rw", held))
            .with(GROUP, "clusterroles", role("", "cluster-admin", everything))
            .with(GROUP, "clusterroles", role("", "empty", json!([])))
            .with(GROUP, "clusterrolebindings", binding("", "rw", "ClusterRole", "rw", subject))
    }

    fn b() -> UserInfo {
        user(
            "system:serviceaccount:ns1:b",
            &["system:serviceaccounts", "system:serviceaccounts:ns1", "system:authenticated"],
        )
    }

    fn attempt(user: &UserInfo, resource: &str, namespace: &str, new: &Value, objects: &Stored) -> Result<(), Failure> {
        let write = Write { user, resource, namespace, name: "", new, old: None };
        check(&write, objects, &|attributes| authorize(attributes, objects))
    }

    const ATTEMPT: &str = "user \"system:serviceaccount:ns1:b\" (groups=[\"system:serviceaccounts\" \"system:serviceaccounts:ns1\" \
                           \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n";

    #[test]
    fn roles() {
        let rules = json!([
            {"apiGroups": ["", "apps"], "resources": ["nodes", "pods"], "verbs": ["get", "list"]},
            {"nonResourceURLs": ["/x", "/y*"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"], "verbs": ["get", "list"]},
        ]);
        let failure = attempt(&b(), "clusterroles", "", &role("", "e1", rules), &objects()).unwrap_err();
        let missing = "{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"list\"]}\n\
            {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\"]}\n\
            {APIGroups:[\"\"], Resources:[\"secrets\"], ResourceNames:[\"a\"], Verbs:[\"get\" \"list\"]}\n\
            {APIGroups:[\"\"], Resources:[\"secrets\"], ResourceNames:[\"b\"], Verbs:[\"get\" \"list\"]}\n\
            {APIGroups:[\"apps\"], Resources:[\"nodes\"], Verbs:[\"get\" \"list\"]}\n\
            {APIGroups:[\"apps\"], Resources:[\"pods\"], Verbs:[\"get\" \"list\"]}\n\
            {NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}\n{NonResourceURLs:[\"/y*\"], Verbs:[\"get\"]}";
        let message = format!("clusterroles.rbac.authorization.k8s.io \"e1\" is forbidden: {ATTEMPT}{missing}");
        assert_eq!((failure.code, failure.message), (403, message));
        assert_eq!(attempt(&b(), "clusterroles", "", &role("", "e3", get_pods()), &objects()), Ok(()));
        let star = json!([{"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}]);
        assert!(attempt(&b(), "roles", "ns1", &role("ns1", "e7", star), &objects()).is_err());
        let root = user("root", &[MASTERS]);
        let everything = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
        assert_eq!(attempt(&root, "clusterroles", "", &role("", "e", everything), &objects()), Ok(()));
    }

    #[test]
    fn aggregation_needs_everything() {
        let selector = json!({"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]});
        let mut new = role("", "e2", json!([]));
        let plain = new.clone();
        new["aggregationRule"] = selector;
        let message = "clusterroles.rbac.authorization.k8s.io \"e2\" is forbidden: must have cluster-admin privileges to use the aggregationRule";
        assert_eq!(attempt(&b(), "clusterroles", "", &new, &objects()).unwrap_err().message, message);
        let user = b();
        let changed = role("", "e2", get_pods());
        let write =
            Write { user: &user, resource: "clusterroles", namespace: "", name: "e2", new: &changed, old: Some(&new) };
        let objects = objects();
        let authorize: &Authorize<'_> = &|attributes| authorize(attributes, &objects);
        assert_eq!(check(&write, &objects, authorize).unwrap_err().message, message);
        assert_eq!(check(&Write { old: Some(&plain), ..write }, &objects, authorize), Ok(()));
    }

    #[test]
    fn bindings() {
        let bind = |kind: &str, name: &str| binding("", "e", kind, name, json!({"kind": "User", "name": "x"}));
        let star = "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}";
        let cases = [
            ("clusterrolebindings", "", bind("ClusterRole", "rw"), None),
            ("clusterrolebindings", "", bind("ClusterRole", "empty"), None),
            (
                "clusterrolebindings",
                "",
                bind("ClusterRole", "cluster-admin"),
                Some((
                    403,
                    format!("clusterrolebindings.rbac.authorization.k8s.io \"e\" is forbidden: {ATTEMPT}{star}"),
                )),
            ),
            (
                "clusterrolebindings",
                "",
                bind("ClusterRole", "nope"),
                Some((404, "clusterrolebindings.rbac.authorization.k8s.io \"nope\" not found".to_owned())),
            ),
            (
                "rolebindings",
                "ns1",
                bind("Role", "nope"),
                Some((404, "rolebindings.rbac.authorization.k8s.io \"nope\" not found".to_owned())),
            ),
            ("clusterrolebindings", "", bind("Role", "nope"), Some((400, "Namespace parameter required.".to_owned()))),
            (
                "clusterrolebindings",
                "",
                bind("Bogus", "nope"),
                Some((500, "unsupported role reference kind: \"Bogus\"".to_owned())),
            ),
            ("pods", "ns1", bind("ClusterRole", "cluster-admin"), None),
        ];
        for (resource, namespace, new, expected) in cases {
            let found = attempt(&b(), resource, namespace, &new, &objects())
                .err()
                .map(|failure| (failure.code, failure.message));
            assert_eq!(found, expected, "{new}");
        }
    }

    #[test]
    fn explicit_verbs_permit_it() {
        let me = json!({"kind": "ServiceAccount", "namespace": "ns1", "name": "b"});
        let verbs = json!([
            {"verbs": ["bind"], "apiGroups": [GROUP], "resources": ["clusterroles"], "resourceNames": ["cluster-admin"]},
            {"verbs": ["escalate"], "apiGroups": [GROUP], "resources": ["roles"]},
        ]);
        let local = objects().with(GROUP, "clusterroles", role("", "verbs", verbs)).with(
            GROUP,
            "rolebindings",
            binding("ns1", "verbs", "ClusterRole", "verbs", me),
        );
        let admin = binding("", "e", "ClusterRole", "cluster-admin", json!({"kind": "User", "name": "x"}));
        let rules = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
        let cases = [
            ("rolebindings", "ns1", admin.clone(), true),
            ("rolebindings", "ns2", admin.clone(), false),
            ("clusterrolebindings", "", admin, false),
            ("roles", "ns1", role("ns1", "r", rules.clone()), true),
            ("roles", "ns2", role("ns2", "r", rules.clone()), false),
            ("clusterroles", "", role("", "r", rules), false),
        ];
        for (resource, namespace, new, expected) in cases {
            assert_eq!(attempt(&b(), resource, namespace, &new, &local).is_ok(), expected, "{resource} {namespace}");
        }
    }

    #[test]
    fn the_garbage_collector_may_touch_what_it_does_not_hold() {
        let objects = objects();
        let old = role("", "big", json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]));
        let mut new = old.clone();
        new["metadata"]["finalizers"] = json!(["x"]);
        let user = b();
        let write =
            Write { user: &user, resource: "clusterroles", namespace: "", name: "big", new: &new, old: Some(&old) };
        let authorize: &Authorize<'_> = &|attributes| authorize(attributes, &objects);
        assert_eq!(check(&write, &objects, authorize), Ok(()));
        let mut labelled = old.clone();
        labelled["metadata"]["labels"] = json!({"a": "b"});
        assert!(check(&Write { new: &labelled, ..write }, &objects, authorize).is_err());
    }
}

mod defaults {
    use super::*;
    use crate::rbac::bootstrap::objects;

    fn stored(minor: u16) -> Stored {
        objects(KubeVersion::minor(minor)).into_iter().fold(Stored::default(), |stored, object| {
            let resource = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
            stored.with(GROUP, &resource, object)
        })
    }

    #[test]
    fn everybody_gets_what_the_server_gives() {
        let stored = stored(36);
        let (a, nobody) = (account(), user("system:anonymous", &["system:unauthenticated"]));
        let scheduler = user("system:kube-scheduler", &["system:authenticated"]);
        let cases = [
            (Attributes::path(&a, "get", "/api"), true),
            (Attributes::path(&a, "get", "/openapi/v3"), true),
            (Attributes::path(&a, "get", "/.well-known/openid-configuration"), true),
            (Attributes::path(&a, "get", "/openid/v1/jwks"), true),
            (Attributes::path(&a, "get", "/metrics"), false),
            (Attributes::path(&a, "post", "/api"), false),
            (Attributes::path(&nobody, "get", "/version"), true),
            (Attributes::path(&nobody, "get", "/healthz"), true),
            (Attributes::path(&nobody, "get", "/api"), false),
            (Attributes::resource(&a, "create", "authentication.k8s.io", "selfsubjectreviews"), true),
            (Attributes::resource(&a, "create", "authorization.k8s.io", "subjectaccessreviews"), false),
            (Attributes::resource(&a, "list", "", "nodes"), false),
            (Attributes::resource(&nobody, "create", "authentication.k8s.io", "selfsubjectreviews"), false),
            (
                Attributes {
                    subresource: "binding",
                    namespace: "x",
                    ..Attributes::resource(&scheduler, "create", "", "pods")
                },
                true,
            ),
            (Attributes::resource(&scheduler, "create", "", "nodes"), false),
        ];
        for (attributes, expected) in cases {
            assert_eq!(authorize(&attributes, &stored).allowed, expected, "{attributes:?}");
        }
    }

    #[test]
    fn roles_are_gathered() {
        let everything = objects(KubeVersion::NEWEST);
        let role = |name: &str| {
            everything.iter().find(|role| role["kind"] == "ClusterRole" && role["metadata"]["name"] == name).unwrap()
        };
        let count = |name: &str| role(name)["rules"].as_array().unwrap().len();
        assert_eq!(count("view"), 12);
        assert_eq!(count("edit"), 12 + 15);
        assert_eq!(count("admin"), 12 + 15 + 2);
        assert_eq!(
            role("view")["metadata"]["labels"],
            json!({
            "kubernetes.io/bootstrapping": "rbac-defaults", "rbac.authorization.k8s.io/aggregate-to-edit": "true"})
        );
        assert_eq!(
            role("admin")["aggregationRule"],
            json!({"clusterRoleSelectors": [
            {"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}}]})
        );
        assert_eq!(
            role("cluster-admin")["rules"],
            json!([
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}])
        );
        assert_eq!(
            role("system:node")["metadata"]["annotations"],
            json!({"rbac.authorization.kubernetes.io/autoupdate": "true"})
        );
    }

    #[test]
    fn every_line_is_read() {
        let source = include_str!("bootstrap_roles.txt");
        let lines = source.lines().filter(|line| line.starts_with("  ")).count();
        let own = |object: &&Value| object["aggregationRule"].is_null();
        let everything = objects(KubeVersion::NEWEST);
        let rules = everything.iter().filter(own).flat_map(|object| object["rules"].as_array().into_iter().flatten());
        let (mut count, mut words) = (0, 0);
        for rule in rules {
            count += 1;
            for key in ["verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"] {
                words += rule[key].as_array().map_or(0, Vec::len);
            }
            assert!(
                rule["verbs"][0].is_string()
                    && (rule["resources"][0].is_string() || rule["nonResourceURLs"][0].is_string())
            );
        }
        assert_eq!(count, lines);
        assert!(words > 3 * lines);
    }

    /// Nothing that a server does not give to nodes by roles: the binding is empty.
    #[test]
    fn nodes_have_nothing_by_roles() {
        let node = user("system:node:n1", &["system:nodes", "system:authenticated"]);
        let attributes = Attributes { name: "n1", ..Attributes::resource(&node, "get", "", "nodes") };
        assert!(!authorize(&attributes, &stored(36)).allowed);
        assert!(decide(&attributes, &stored(36), KubeVersion::NEWEST).allowed);
    }
}

mod hostile {
    use super::*;
    use crate::node_restriction;
    use crate::rbac::escalation::{Write, check};
    use admission::Operation;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "",
            "*",
            "*/",
            "*/x",
            "/",
            "get",
            "pods",
            "pods/x",
            "x",
            "ns1",
            "nodes",
            "system:masters",
            "é",
        ])
        .prop_map(str::to_owned)
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            word().prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let keys = [
                "verbs",
                "apiGroups",
                "resources",
                "resourceNames",
                "nonResourceURLs",
                "metadata",
                "spec",
                "rules",
                "labels",
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(prop::sample::select(keys.to_vec()), inner, 0..5).prop_map(|map| map
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()),
            ]
        })
    }

    fn rule() -> impl Strategy<Value = Value> {
        let words = || prop::collection::vec(word(), 0..3);
        (words(), words(), words(), words(), words()).prop_map(|(verbs, groups, resources, names, paths)| {
            json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names, "nonResourceURLs": paths})
        })
    }

    proptest! {
        #[test]
        fn nothing_panics(a in value(), b in value(), name in word()) {
            let me = user("me", &["g"]);
            let stored = bound(json!({"kind": "User", "name": "me"})).with(GROUP, "clusterroles", json!({"metadata": {"name": "reader"}, "rules": a}));
            let attributes = Attributes { name: &name, ..Attributes::resource(&me, "get", "", &name) };
            let _ = decide(&attributes, &stored, KubeVersion::NEWEST);
            for resource in ["clusterroles", "clusterrolebindings"] {
                let write = Write { user: &me, resource, namespace: "", name: &name, new: &b, old: Some(&a) };
                let _ = check(&write, &stored, &|_| Decision::default());
            }
            let node = user("system:node:n1", &["system:nodes"]);
            for resource in ["nodes", "pods", "leases", "serviceaccounts"] {
                let write = node_restriction::Write { user: &node, operation: Operation::Create, group: "", resource, subresource: "",
                    namespace: "ns1", name: &name, new: Some(&b), old: Some(&a) };
                let _ = node_restriction::admit(&write, &stored, &|_| Decision::default(), KubeVersion::NEWEST);
            }
        }

        /// Whoever is told that nothing is missing can do nothing with the new rule that they could not do before.
        #[test]
        fn what_is_covered_gives_nothing_new(held in prop::collection::vec(rule(), 0..4), wanted in rule(),
            verb in word(), group in word(), resource in word(), subresource in word(), name in word(), path in word(), of_path: bool) {
            prop_assume!(coverage::missing(&held, std::slice::from_ref(&wanted)).is_empty());
            let me = user("me", &[]);
            let attributes = if of_path {
                Attributes::path(&me, &verb, &path)
            } else {
                Attributes { subresource: &subresource, name: &name, ..Attributes::resource(&me, &verb, &group, &resource) }
            };
            if rule::allows(&wanted, &attributes) {
                prop_assert!(held.iter().any(|rule| rule::allows(rule, &attributes)), "{:?} {:?} {:?}", held, wanted, attributes);
            }
        }
    }
}
