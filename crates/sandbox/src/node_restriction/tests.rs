use super::*;
use crate::identity::stored::Stored;
use crate::rbac::{self, Decision, GROUP};
use serde_json::json;

fn node(name: &str) -> UserInfo {
    let groups = ["system:nodes", "system:authenticated"].map(str::to_owned).to_vec();
    UserInfo { username: format!("system:node:{name}"), groups, ..UserInfo::default() }
}

fn objects() -> Stored {
    let volumes = json!([{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"audience": "vault"}}, {"secret": {"name": "s2"}}]}},
        {"name": "c", "configMap": {"name": "c1"}}, {"name": "e", "ephemeral": {}}]);
    Stored::default()
        .with_core("nodes", "", "n1", json!({}))
        .with_core(
            "pods",
            "ns1",
            "p1",
            json!({"spec": {"nodeName": "n1", "serviceAccountName": "a", "volumes": volumes,
            "containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "s1"}}}]}]}}),
        )
        .with_core("pods", "ns1", "p2", json!({"spec": {"nodeName": "n2", "serviceAccountName": "b"}}))
        .with_core(
            "pods",
            "ns1",
            "mirror",
            json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": ""}},
            "spec": {"nodeName": "n1", "serviceAccountName": "c"}}),
        )
}

/// A write of `group/resource/subresource` in `ns1` unless it is a Node; the outcome's message, empty if admitted.
fn attempt(user: &UserInfo, operation: Operation, what: &str, name: &str, new: &Value, old: &Value) -> String {
    let mut parts = what.split('/');
    let mut part = || parts.next().unwrap_or_default();
    let (group, resource, subresource) = (part(), part(), part());
    let namespace = match resource {
        "nodes" | "csinodes" => "",
        "leases" => "kube-node-lease",
        _ => "ns1",
    };
    let (new, old) = (Some(new), Some(old));
    let write = Write { user, operation, group, resource, subresource, namespace, name, new, old };
    let stored = objects();
    let outcome = admit(&write, &stored, &|_| Decision::default(), KubeVersion::NEWEST);
    outcome.err().map(|failure| failure.message).unwrap_or_default()
}

#[test]
fn others_are_not_restricted() {
    let mut eve = node("n1");
    eve.groups = vec!["system:authenticated".to_owned()];
    assert_eq!(attempt(&eve, Operation::Update, "/nodes", "n2", &json!({}), &json!({})), "");
    let message = "nodes \"n2\" is forbidden: could not determine node from user \"system:node:\"";
    assert_eq!(attempt(&node(""), Operation::Update, "/nodes", "n2", &json!({}), &json!({})), message);
    let message = "selfsubjectreviews.authentication.k8s.io \"Unknown\" is forbidden: could not determine node from user \"system:node:\"";
    assert_eq!(
        attempt(&node(""), Operation::Create, "authentication.k8s.io/selfsubjectreviews", "", &json!({}), &json!({})),
        message
    );
}

#[test]
fn nodes_change_little_of_themselves() {
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    let taints = json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}});
    let owners = json!({"metadata": {"ownerReferences": [{"name": "x"}]}});
    let source = json!({"spec": {"configSource": {}}});
    let three = labels(
        json!({"foo.node-restriction.kubernetes.io/b": "b", "node-restriction.kubernetes.io/a": "b", "x.k8s.io/c": "d"}),
    );
    let plain = json!({});
    use Operation::{Create, Delete, Update};
    let cases = [
        (
            Update,
            "/nodes",
            "n2",
            &plain,
            &plain,
            "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"",
        ),
        (
            Delete,
            "/nodes",
            "n2",
            &plain,
            &plain,
            "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"",
        ),
        (
            Update,
            "/nodes/status",
            "n2",
            &plain,
            &plain,
            "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"",
        ),
        (
            Create,
            "/nodes",
            "",
            &json!({"metadata": {"generateName": "n9"}}),
            &plain,
            "nodes \"n9\" is forbidden: node \"n1\" is not allowed to modify node \"\"",
        ),
        (
            Update,
            "/nodes",
            "n1",
            &three,
            &plain,
            "nodes \"n1\" is forbidden: is not allowed to modify labels: foo.node-restriction.kubernetes.io/b, node-restriction.kubernetes.io/a, x.k8s.io/c",
        ),
        (
            Update,
            "/nodes/status",
            "n1",
            &plain,
            &labels(json!({"node-restriction.kubernetes.io/a": "b"})),
            "nodes \"n1\" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/a",
        ),
        (
            Create,
            "/nodes",
            "n1",
            &labels(json!({"kubernetes.io/foo": "x"})),
            &plain,
            "nodes \"n1\" is forbidden: node \"n1\" is not allowed to set the following labels: kubernetes.io/foo",
        ),
        (
            Update,
            "/nodes",
            "n1",
            &taints,
            &plain,
            "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints",
        ),
        (
            Update,
            "/nodes",
            "n1",
            &plain,
            &taints,
            "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints",
        ),
        (Update, "/nodes", "n1", &json!({"spec": {"taints": []}}), &plain, ""),
        (Create, "/nodes", "n1", &taints, &plain, ""),
        (
            Update,
            "/nodes",
            "n1",
            &owners,
            &plain,
            "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify ownerReferences",
        ),
        (
            Update,
            "/nodes",
            "n1",
            &source,
            &plain,
            "nodes \"n1\" is forbidden: node \"n1\" is not allowed to update configSource to a new non-nil configSource",
        ),
        (Update, "/nodes", "n1", &plain, &source, ""),
        (
            Create,
            "/nodes",
            "n1",
            &source,
            &plain,
            "nodes \"n1\" is forbidden: node \"n1\" is not allowed to create pods with a non-nil configSource",
        ),
        (Update, "/nodes", "n1", &labels(json!({"kubernetes.io/hostname": "x", "a": "b"})), &plain, ""),
    ];
    for (operation, what, name, new, old, expected) in cases {
        assert_eq!(attempt(&node("n1"), operation, what, name, new, old), expected, "{new} {old}");
    }
}

fn mirror(owner: Value, spec: Value) -> Value {
    let mut pod = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": owner}, "spec": spec});
    pod["spec"]["nodeName"] = json!("n1");
    pod
}

#[test]
fn mirror_pods_are_the_nodes_own() {
    let owner = |more: Value| {
        let mut owner = json!({"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "n1-uid", "controller": true});
        owner.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([owner])
    };
    let good = owner(json!({}));
    let volume = |volume: Value| json!({"volumes": [volume]});
    let may = |what: &str| format!("node \"n1\" can only create pods with {what}");
    let refers = |what: &str| format!("node \"n1\" can not create pods that reference {what}");
    let cases = [
        (mirror(good.clone(), json!({})), String::new()),
        (mirror(good.clone(), volume(json!({"hostPath": {}}))), String::new()),
        (
            json!({"spec": {"nodeName": "n1"}}),
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"n1\" can only create mirror pods"
                .to_owned(),
        ),
        (mirror(json!([]), json!({})), may("an owner reference set to itself")),
        (mirror(json!([{}, {}]), json!({})), may("a single owner reference set to itself")),
        (mirror(owner(json!({"name": "n2"})), json!({})), may("an owner reference set to itself")),
        (mirror(owner(json!({"apiVersion": "x/v1"})), json!({})), may("an owner reference set to itself")),
        (mirror(owner(json!({"controller": false})), json!({})), may("a controller owner reference set to itself")),
        (
            mirror(owner(json!({"blockOwnerDeletion": true})), json!({})),
            "node \"n1\" must not set blockOwnerDeletion on an owner reference".to_owned(),
        ),
        (mirror(owner(json!({"uid": "old"})), json!({})), "node n1 UID mismatch: expected old got n1-uid".to_owned()),
        (mirror(good.clone(), json!({"serviceAccountName": "a"})), refers("serviceaccounts")),
        (mirror(good.clone(), json!({"imagePullSecrets": [{"name": "s"}]})), refers("secrets")),
        (
            mirror(good.clone(), json!({"initContainers": [{"envFrom": [{"configMapRef": {"name": "c"}}]}]})),
            refers("configmaps"),
        ),
        (
            mirror(good.clone(), volume(json!({"persistentVolumeClaim": {"claimName": "c"}}))),
            refers("persistentvolumeclaims"),
        ),
        (mirror(good.clone(), volume(json!({"secret": {"optional": true}}))), refers("secrets (via secret volumes)")),
        (
            mirror(
                good.clone(),
                volume(json!({"projected": {"sources": [{"downwardAPI": {}}, {"serviceAccountToken": {}}]}})),
            ),
            refers("serviceaccounts (via projected volumes)"),
        ),
        (
            mirror(good, volume(json!({"name": "v", "unheard": {}}))),
            "error checking mirror pod for API references: unknown volume type for volume  \"v\"".to_owned(),
        ),
    ];
    for (pod, expected) in cases {
        let expected = if expected.is_empty() { expected } else { format!("pods \"m\" is forbidden: {expected}") };
        assert_eq!(attempt(&node("n1"), Operation::Create, "/pods", "m", &pod, &json!(null)), expected, "{pod}");
    }
    let elsewhere =
        json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": {"nodeName": "n2"}});
    let message = "pods \"m\" is forbidden: node \"n1\" can only create pods with spec.nodeName set to itself";
    assert_eq!(attempt(&node("n1"), Operation::Create, "/pods", "m", &elsewhere, &json!(null)), message);
}

#[test]
fn other_writes() {
    use Operation::{Create, Delete, Update};
    let here = json!({"spec": {"nodeName": "n1"}});
    let labelled = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "n1"}});
    let named = |name: &str| json!({"metadata": {"name": name}});
    let token = |more: Value| {
        let mut spec = json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p1", "uid": "p1-uid"}});
        for (key, value) in more.as_object().unwrap() {
            spec["boundObjectRef"][key] = value.clone();
        }
        json!({"spec": spec})
    };
    let mut for_vault = token(json!({}));
    for_vault["spec"]["audiences"] = json!(["vault"]);
    let mut for_two = for_vault.clone();
    for_two["spec"]["audiences"] = json!(["vault", "x"]);
    let none = json!(null);
    let different = "leases.coordination.k8s.io \"other\" is forbidden: can only access node lease with the same name as the requesting node";
    let cases = [
        (Delete, "/pods", "p1", &none, &none, ""),
        (
            Delete,
            "/pods",
            "p2",
            &none,
            &none,
            "pods \"p2\" is forbidden: node \"n1\" can only delete pods with spec.nodeName set to itself",
        ),
        (Delete, "/pods", "nope", &none, &none, "pod \"nope\" not found"),
        (
            Update,
            "/pods",
            "p1",
            &here,
            &here,
            "pods \"p1\" is forbidden: unexpected operation \"UPDATE\", node \"n1\" can only create and delete mirror pods",
        ),
        (Update, "/pods/status", "p1", &here, &here, ""),
        (
            Update,
            "/pods/status",
            "p1",
            &labelled,
            &here,
            "pods \"p1\" is forbidden: node \"n1\" cannot update labels through pod status",
        ),
        (
            Update,
            "/pods/status",
            "p2",
            &here,
            &none,
            "pods \"p2\" is forbidden: node \"n1\" can only update pod status for pods with spec.nodeName set to itself",
        ),
        (
            Update,
            "/pods/resize",
            "p1",
            &here,
            &here,
            "pods \"p1\" is forbidden: unexpected pod subresource \"resize\", only 'status' and 'eviction' are allowed",
        ),
        (Create, "/pods/eviction", "p1", &none, &none, ""),
        (
            Create,
            "/pods/eviction",
            "p2",
            &none,
            &none,
            "pods \"p2\" is forbidden: node n1 can only evict pods with spec.nodeName set to itself",
        ),
        (Create, "coordination.k8s.io/leases", "n1", &named("n1"), &none, ""),
        (Create, "coordination.k8s.io/leases", "other", &named("other"), &none, different),
        (Create, "coordination.k8s.io/leases", "other", &json!({"metadata": {"generateName": "n1"}}), &none, different),
        (Update, "coordination.k8s.io/leases", "other", &named("n1"), &none, different),
        (
            Create,
            "storage.k8s.io/csinodes",
            "x",
            &named("x"),
            &none,
            "csinodes.storage.k8s.io \"x\" is forbidden: can only access CSINode with the same name as the requesting node",
        ),
        (
            Create,
            "/serviceaccounts/token",
            "a",
            &json!({}),
            &none,
            "serviceaccounts \"a\" is forbidden: node requested token not bound to a pod",
        ),
        (
            Create,
            "/serviceaccounts/token",
            "a",
            &token(json!({"kind": "Node"})),
            &none,
            "serviceaccounts \"a\" is forbidden: node requested token not bound to a pod",
        ),
        (
            Create,
            "/serviceaccounts/token",
            "a",
            &token(json!({"apiVersion": ""})),
            &none,
            "serviceaccounts \"a\" is forbidden: node requested token not bound to a pod",
        ),
        (
            Create,
            "/serviceaccounts/token",
            "a",
            &token(json!({"uid": ""})),
            &none,
            "serviceaccounts \"a\" is forbidden: node requested token with a pod binding without a uid",
        ),
        (Create, "/serviceaccounts/token", "a", &token(json!({"name": "zz"})), &none, "pod \"zz\" not found"),
        (
            Create,
            "/serviceaccounts/token",
            "a",
            &token(json!({"uid": "x"})),
            &none,
            "serviceaccounts \"a\" is forbidden: the UID in the bound object reference (x) does not match the UID in record. The object might have been deleted and then recreated",
        ),
        (
            Create,
            "/serviceaccounts/token",
            "b",
            &token(json!({"name": "p2", "uid": "p2-uid"})),
            &none,
            "serviceaccounts \"b\" is forbidden: node requested token bound to a pod scheduled on a different node",
        ),
        (
            Create,
            "/serviceaccounts/token",
            "a",
            &token(json!({})),
            &none,
            "serviceaccounts \"a\" is forbidden: audience \"\" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience",
        ),
        (
            Create,
            "/serviceaccounts/token",
            "a",
            &for_two,
            &none,
            "serviceaccounts \"a\" is forbidden: node may only request 0 or 1 audiences",
        ),
        (Create, "/serviceaccounts/token", "a", &for_vault, &none, ""),
        (Create, "/serviceaccounts", "a", &json!({}), &none, ""),
    ];
    for (operation, what, name, new, old, expected) in cases {
        assert_eq!(attempt(&node("n1"), operation, what, name, new, old), expected, "{operation} {what} {name} {new}");
    }
}

/// What the authorizer of nodes says, in whose tests the same objects serve.
#[test]
fn nodes_see_what_is_theirs() {
    let user = node("n1");
    let fields = [("spec.nodeName".to_owned(), "n1".to_owned())];
    let resource = |verb, group, resource| Attributes::resource(&user, verb, group, resource);
    let of = |resource, name| Attributes { namespace: "ns1", name, ..Attributes::resource(&user, "get", "", resource) };
    let pods = resource("list", "", "pods");
    let lease =
        Attributes { namespace: "kube-node-lease", name: "n1", ..resource("update", "coordination.k8s.io", "leases") };
    let token = |name| Attributes { verb: "create", subresource: "token", ..of("serviceaccounts", name) };
    let unrelated = "no relationship found between node 'n1' and this object";
    let cases = [
        (resource("list", "", "nodes"), Err("node 'n1' cannot read all nodes, only its own Node object")),
        (
            Attributes { name: "n2", ..resource("get", "", "nodes") },
            Err("node 'n1' cannot read 'n2', only its own Node object"),
        ),
        (Attributes { name: "n1", ..resource("watch", "", "nodes") }, Ok(())),
        (Attributes { name: "n1", ..resource("delete", "", "nodes") }, Err("")),
        (Attributes { name: "n1", subresource: "proxy", ..resource("get", "", "nodes") }, Err("")),
        (pods, Err("can only list/watch pods with spec.nodeName field selector")),
        (Attributes { fields: &fields, ..pods }, Ok(())),
        (Attributes { subresource: "exec", fields: &fields, ..pods }, Err("")),
        (of("pods", "p1"), Ok(())),
        (of("pods", "p2"), Err(unrelated)),
        (of("pods", "mirror"), Ok(())),
        (of("secrets", "s1"), Ok(())),
        (of("secrets", "s2"), Ok(())),
        (of("secrets", "s3"), Err(unrelated)),
        (of("secrets", ""), Err("No Object name found")),
        (Attributes { namespace: "", ..of("secrets", "s1") }, Err("can only read namespaced object of this type")),
        (Attributes { namespace: "ns2", ..of("secrets", "s1") }, Err(unrelated)),
        (Attributes { verb: "update", ..of("secrets", "s1") }, Err("can only read resources of this type")),
        (of("configmaps", "c1"), Ok(())),
        (of("persistentvolumeclaims", "p1-e"), Ok(())),
        (
            Attributes { verb: "list", ..of("persistentvolumeclaims", "p1-e") },
            Err("can only get individual resources of this type"),
        ),
        (token("a"), Ok(())),
        (token("b"), Err(unrelated)),
        (token("c"), Err(unrelated)),
        (Attributes { subresource: "", ..token("a") }, Err("can only create token subresource of serviceaccount")),
        (lease, Ok(())),
        (
            Attributes { name: "n2", ..lease },
            Err("can only access node lease with the same name as the requesting node"),
        ),
        (Attributes { verb: "list", ..lease }, Err("can only get, create, update, patch, or delete a node lease")),
        (
            Attributes { namespace: "default", ..lease },
            Err("can only access leases in the \"kube-node-lease\" system namespace"),
        ),
        (resource("create", "authentication.k8s.io", "tokenreviews"), Ok(())),
        (resource("create", "", "events"), Ok(())),
        (resource("create", GROUP, "clusterrolebindings"), Err("")),
        (Attributes::path(&user, "get", "/metrics"), Err("")),
    ];
    for (attributes, expected) in cases {
        let decision = rbac::decide(&attributes, &objects(), KubeVersion::NEWEST);
        let found = if decision.allowed { Ok(()) } else { Err(decision.reason.as_str()) };
        assert_eq!(found, expected, "{attributes:?}");
    }
    let old = rbac::decide(&resource("list", "", "nodes"), &objects(), KubeVersion::minor(31));
    assert!(old.allowed, "nodes read all Nodes before 1.32");
}
