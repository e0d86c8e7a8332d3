//! What whoever has the operator's token cannot do, and who says so.

use crate::cluster::{Cluster, DIRECT, ours};
use api::cases::Identity;
use attack::exchange::{Credentials, Sent, send};
use attack::{Answer, Layer};
use manifests::install::{self, Part};
use operator::plan::Goal;
use ownership::identity::{NODE_NAME, POD_NAME, POD_UID};
use serde_json::{Value, json};
use std::time::Duration;
use tests::server::Place;
use tokio::time::{Instant, sleep};

/// How long a policy may take to be in force.
const PATIENCE: Duration = Duration::from_secs(30);
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const SETS: &str = "/apis/apps/v1/namespaces/nodebound-system/daemonsets";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

/// A request, and who refuses it: a policy by what it says, or otherwise RBAC.
struct Try {
    sent: Sent,
    policy: Option<(&'static str, &'static str)>,
}

fn sent(method: &str, path: String, body: Value) -> Sent {
    let media_type = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    Sent { media_type: media_type.to_owned(), ..Sent::json(method, path + "?dryRun=All", body) }
}

/// As the operator makes its objects: by a patch, which names them.
fn applied(path: &str, body: Value) -> Sent {
    let name = body["metadata"]["name"].as_str().expect("has a name").to_owned();
    let path = format!("{path}/{name}?dryRun=All&fieldManager=mallory&force=true");
    Sent { media_type: "application/apply-patch+yaml".to_owned(), ..Sent::json("PATCH", path, body) }
}

fn labelled(path: &str) -> Try {
    let body = json!({"metadata": {"labels": {"a": "b"}}});
    Try { sent: sent("PATCH", path.to_owned(), body), policy: None }
}

fn deleted(path: String) -> Try {
    Try { sent: sent("DELETE", path, json!({})), policy: None }
}

/// What is somebody else's, and its own limits.
fn of_others() -> Vec<Try> {
    let patched = [
        "/api/v1/namespaces/kube-system",
        "/api/v1/namespaces/kube-system/serviceaccounts/default",
        "/api/v1/namespaces/nodebound-system/serviceaccounts/nodebound-operator",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/others.example.com",
        "/apis/apps/v1/namespaces/nodebound-system/deployments/nodebound-operator",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/view",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/nodebound-p-operator",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/nodebound-p-prober",
        "/api/v1/namespaces/nodebound-system/serviceaccounts/nodebound-prober",
        "/apis/apps/v1/namespaces/nodebound-system/deployments/nodebound-prober",
        "/apis/coordination.k8s.io/v1/namespaces/nodebound-system/leases/nodebound-prober-p",
    ];
    let limits = ["nodes", "shadownodes", "leases", "grants", "roles", "workloads"].into_iter().flat_map(|name| {
        let kinds = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
        kinds.map(|kind| deleted(format!("{ADMISSION}/{kind}/nodebound-operator-{name}")))
    });
    let roles = ["clusterroles/cluster-admin", "clusterrolebindings/cluster-admin"];
    let roles = roles.map(|role| deleted(format!("{RBAC}/{role}")));
    patched.map(labelled).into_iter().chain(limits).chain(roles).collect()
}

/// A role that may be bound.
const BOUND: &str = "nodebound-p-agent";

fn role(name: &str, labels: Value) -> Value {
    let rules = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}]);
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels}, "rules": rules})
}

fn binding(name: &str, subject: Value) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": BOUND}, "subjects": [subject]})
}

/// What RBAC lets it grant, because it holds it.
fn grants() -> Vec<Try> {
    let user = |name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name});
    let agent = json!({"kind": "ServiceAccount", "namespace": "nodebound-system", "name": "nodebound-agent"});
    let itself = json!({"kind": "ServiceAccount", "namespace": "nodebound-system", "name": "nodebound-operator"});
    let aggregated = json!({"rbac.authorization.k8s.io/aggregate-to-edit": "true"});
    let (roles, grants) = ("nodebound-operator-roles", "nodebound-operator-grants");
    let mut mighty = role(BOUND, json!({}));
    mighty["rules"] = json!([{"apiGroups": ["admissionregistration.k8s.io"], "resources": ["validatingadmissionpolicies"],
        "resourceNames": ["nodebound-p"], "verbs": ["delete"]}]);
    let mut its_own = binding(BOUND, agent.clone());
    its_own["roleRef"]["name"] = json!("nodebound-p-operator");
    let (others, named) = ("grants to accounts of ours only", "binds roles of ours only, and not its own");
    let part = "makes no roles that become part of others";
    let table = [
        ("clusterroles", role(BOUND, aggregated), roles, part),
        ("clusterroles", role(BOUND, json!({"operators.coreos.com/aggregate": "true"})), roles, part),
        ("clusterroles", mighty, roles, "grants no rights like its own"),
        ("clusterrolebindings", its_own, grants, named),
        ("clusterrolebindings", binding(BOUND, user("mallory")), grants, others),
        ("clusterrolebindings", binding(BOUND, itself), grants, others),
    ];
    let tries = table.map(|(resource, body, policy, says)| Try {
        sent: applied(&format!("{RBAC}/{resource}"), body),
        policy: Some((policy, says)),
    });
    let unnamed =
        [("clusterroles", role("nodebound-p-x", json!({}))), ("clusterrolebindings", binding("nodebound-p-x", agent))];
    let unnamed =
        unnamed.map(|(resource, body)| Try { sent: applied(&format!("{RBAC}/{resource}"), body), policy: None });
    tries.into_iter().chain(unnamed).collect()
}

/// What agents publish.
fn publications() -> Vec<Try> {
    let shadow = "/apis/nodebound.io/v1alpha1/shadownodes";
    let labelled = json!({"apiVersion": "nodebound.io/v1alpha1", "kind": "ShadowNode",
        "metadata": {"name": "here", "labels": {"kubevirt.io/a": "b"}}, "spec": {}});
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x"}, "spec": {}});
    let finding = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "nodebound-prober-q"}, "spec": {}});
    let beats = "/apis/coordination.k8s.io/v1/namespaces/nodebound-heartbeats/leases";
    vec![
        Try {
            sent: sent("POST", shadow.to_owned(), labelled),
            policy: Some(("nodebound-operator-shadownodes", "makes empty shadow nodes only")),
        },
        Try {
            sent: sent("POST", beats.to_owned(), lease),
            policy: Some(("nodebound-operator-leases", "writes no heartbeat")),
        },
        Try {
            sent: sent("POST", beats.replace("nodebound-heartbeats", "nodebound-system"), finding),
            policy: Some(("nodebound-prober-findings", "nobody else says what guards do")),
        },
    ]
}

/// The context of our containers with something else in it.
fn with(other: Value) -> Value {
    let mut context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    for (field, value) in other.as_object().into_iter().flatten() {
        context[field] = value.clone();
    }
    context
}

/// Pods that could do more than ours do.
fn pods(set: &Value) -> Vec<Try> {
    let container = "/spec/template/spec/containers/0";
    let volume = json!([{"name": "root", "hostPath": {"path": "/", "type": ""}}]);
    let mount = json!([{"name": "profile", "mountPath": "/x"}]);
    let table = [
        (container, "image", json!("example.com/nodebound/nodebound-agent:v1"), "have our images"),
        (container, "image", json!("ghcr.io/nodebound.example.com/x"), "have our images"),
        (container, "volumeMounts", mount, "write nothing"),
        (container, "command", json!(["/bin/sh"]), "start our images as they are"),
        (container, "env", json!([{"name": "KUBECONFIG", "value": "/x"}]), "start our images as they are"),
        (container, "securityContext", json!({}), "have no privileges"),
        (container, "securityContext", with(json!({"allowPrivilegeEscalation": true})), "have no privileges"),
        (container, "securityContext", with(json!({"capabilities": {"drop": ["NET_RAW"]}})), "have no privileges"),
        (
            container,
            "securityContext",
            with(json!({"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}})),
            "have no privileges",
        ),
        (container, "securityContext", with(json!({"seLinuxOptions": {"type": "spc_t"}})), "have no privileges"),
        (
            "/spec/template/spec/securityContext",
            "seLinuxOptions",
            json!({"type": "spc_t"}),
            "share nothing with their host",
        ),
        (
            "/spec/template/spec",
            "volumes",
            json!([{"name": "s", "secret": {"secretName": "s"}}]),
            "see of their host what agents read",
        ),
        ("/spec/template/spec", "volumes", volume, "see of their host what agents read"),
        ("/spec/template/spec", "hostPID", json!(true), "share nothing with their host"),
        ("/spec/template/spec", "serviceAccountName", json!("nodebound-controller"), "have names and accounts of ours"),
    ];
    let tries = table.map(|(parent, field, value, says)| {
        let mut set = set.clone();
        let parent = set.pointer_mut(parent).expect("the agents have one");
        if field == "volumes" {
            parent["containers"][0]["volumeMounts"] = json!([]);
        }
        if field == "serviceAccountName" {
            parent["serviceAccount"] = value.clone();
        }
        parent[field] = value;
        Try { sent: applied(SETS, set), policy: Some(("nodebound-operator-workloads", says)) }
    });
    tries.into()
}

async fn answered(cluster: &Cluster, tried: &Try) -> Answer {
    let (client, end) = (cluster.operator(), Instant::now() + PATIENCE);
    loop {
        let answer = send(&client, &Credentials::Own, &tried.sent).await.expect("there is an answer");
        if tried.policy.is_none() || answer.refusal().is_some() || Instant::now() >= end {
            return answer;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Whoever may grant may not speak for those who are granted; whoever may speak for the agent may do so as a probe only, which is
/// held to change nothing.
async fn nobody_is_spoken_for(cluster: &Cluster, goal: &Goal) {
    let agent = goal.installation.profile.username().to_owned();
    let who = |group: &str, node: &str| {
        let extra = [(NODE_NAME, node), (POD_NAME, "probe"), (POD_UID, "probe"), ("nodebound.io/probe", "true")];
        let extra = extra.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).into();
        Credentials::Impersonated(Box::new(Identity { username: agent.clone(), groups: vec![group.to_owned()], extra }))
    };
    let kept =
        Sent::json("PATCH", "/api/v1/nodes/here".to_owned(), json!({"metadata": {"labels": {"kubevirt.io/a": "b"}}}));
    let kept = Sent { media_type: "application/merge-patch+json".to_owned(), ..kept };
    let (elsewhere, probes) = ("nodebound-probe-elsewhere", install::PROBE);
    let table = [
        (cluster.operator(), probes, elsewhere, Layer::Rbac, None),
        (cluster.prober().await, "system:masters", elsewhere, Layer::Rbac, None),
        (cluster.prober().await, probes, "here", Layer::Rbac, None),
        (cluster.prober().await, probes, elsewhere, Layer::Policy, Some("a probe has to be a dry run")),
    ];
    for part in [Part::Guards, Part::ProbeRights] {
        for object in goal.installation.objects(part).iter().filter(|object| !is_guard(object)) {
            cluster.apply(object).await;
        }
    }
    for (client, group, node, layer, says) in table {
        let end = Instant::now() + PATIENCE;
        let answer = loop {
            let answer = send(&client, &who(group, node), &kept).await.expect("there is an answer");
            if says.is_none() || answer.refusal().is_some() || Instant::now() >= end {
                break answer;
            }
            sleep(Duration::from_millis(200)).await;
        };
        let refusal =
            answer.refusal().unwrap_or_else(|| panic!("{group} {node}: {} {}", answer.code, answer.message()));
        assert_eq!(refusal.layer, layer, "{group} {node}: {refusal:?}");
        assert!(says.is_none_or(|says| refusal.message.contains(says)), "{group} {node}: {refusal:?}");
    }
}

/// The guard would refuse it first.
fn is_guard(object: &Value) -> bool {
    object["metadata"]["name"] == "nodebound-p"
}

pub async fn kept(place: Place) {
    let goal = ours(DIRECT);
    let cluster = Cluster::start(&place, &goal).await;
    cluster.apply(&role(BOUND, json!({}))).await;
    let agents = goal.installation.objects(Part::Agents);
    let set = agents.iter().find(|object| object["kind"] == "DaemonSet").expect("there are agents");
    for tried in of_others().iter().chain(&grants()).chain(&publications()).chain(&pods(set)) {
        let Sent { method, path, body, .. } = &tried.sent;
        let what = format!("{method} {path} {body:?}");
        let answer = answered(&cluster, tried).await;
        let refusal = answer.refusal().unwrap_or_else(|| panic!("{what}: {} {}", answer.code, answer.message()));
        match tried.policy {
            None => assert_eq!(refusal.layer, Layer::Rbac, "{what}: {refusal:?}"),
            Some((policy, says)) => {
                assert_eq!(refusal.policy.as_deref(), Some(policy), "{what}: {refusal:?}");
                assert!(refusal.message.contains(says), "{what}: {refusal:?}");
            }
        }
    }
    nobody_is_spoken_for(&cluster, &goal).await;
    let ours = Try { sent: applied(SETS, set.clone()), policy: None };
    let answer = answered(&cluster, &ours).await;
    assert!(answer.is_success(), "ours is admitted: {} {}", answer.code, answer.message());
}
