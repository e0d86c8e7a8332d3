//! A cluster to be attacked, for demonstrations and tests: three nodes, an agent on each, and what it looks after. It is
//! built through the API of whichever server it is for.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use thiserror::Error;

use crate::exchange::{Credentials, NoAnswer, Sent, send};
use crate::ground::name;
use crate::run::Server;

/// The nodes; attacks come from the first.
pub const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// A Node without labels and annotations.
pub const BARE: &str = "node-without-labels";
/// How long a server may take to serve a kind that was just defined.
const PATIENCE: u32 = 200;
const PAUSE: Duration = Duration::from_millis(100);

/// Why a cluster could not be built.
#[derive(Debug, Error)]
pub enum StageError {
    /// The server does not answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// The server refuses.
    #[error("{request}: {code} {message}")]
    Refused {
        /// Method and path.
        request: String,
        /// The HTTP code.
        code: u16,
        /// What the server said.
        message: String,
    },
    /// There is no such kind here.
    #[error("no resource is known for the kind `{0}`")]
    UnknownKind(String),
    /// A description cannot be read.
    #[error("the description of the cluster cannot be read: {0}")]
    Unreadable(String),
}

/// The objects of the cluster, in the order in which they are created.
///
/// # Errors
/// [`StageError::Unreadable`]
pub fn objects() -> Result<Vec<Value>, StageError> {
    let mut objects: Vec<Value> = of_node(include_str!("../stage/cluster.yaml"), "")?;
    for node in NODES {
        objects.extend(of_node::<Vec<Value>>(include_str!("../stage/node.yaml"), node)?);
    }
    objects.push(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": BARE}, "spec": {}}));
    Ok(objects)
}

/// A description in YAML in which NODE stands for a node.
///
/// # Errors
/// [`StageError::Unreadable`]
pub fn of_node<T: DeserializeOwned>(text: &str, node: &str) -> Result<T, StageError> {
    let text = if node.is_empty() { text.to_owned() } else { text.replace("NODE", node) };
    serde_saphyr::from_str(&text).map_err(|error| StageError::Unreadable(error.to_string()))
}

/// The agent's role with these rules, and its binding.
#[must_use]
pub fn role(rules: &Value) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    [
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": "kubevirt-handler"}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "kubevirt-handler"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "kubevirt-handler"},
            "subjects": [{"kind": "ServiceAccount", "namespace": "kubevirt", "name": "kubevirt-handler"}]}),
    ]
}

/// Everything about Nodes, and the virtual machines: the widest role that agents are found with.
#[must_use]
pub fn widest_rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["nodes", "nodes/status", "nodes/proxy"], "verbs": ["*"]},
        {"apiGroups": ["kubevirt.io"], "resources": ["virtualmachineinstances"], "verbs": ["get", "list", "watch", "update", "patch"]},
    ])
}

/// Creates objects one after the other, each with its status.
///
/// # Errors
/// [`StageError`]
pub async fn build(server: &Server, objects: &[Value]) -> Result<(), StageError> {
    for object in objects {
        create(server, object).await?;
    }
    Ok(())
}

async fn create(server: &Server, object: &Value) -> Result<(), StageError> {
    let collection = collection(object)?;
    let created = created(server, &Sent::json("POST", collection.clone(), object.clone())).await?;
    let Some(status) = object.get("status").filter(|_| has_status(object)) else { return Ok(()) };
    let mut with_status = created;
    with_status["status"] = status.clone();
    let path = format!("{collection}/{}/status", name(object));
    asked(server, &Sent::json("PUT", path, with_status)).await.map(drop)
}

/// A kind that was just defined is served a little later.
async fn created(server: &Server, sent: &Sent) -> Result<Value, StageError> {
    for _ in 0..PATIENCE {
        match asked(server, sent).await {
            Err(StageError::Refused { code: 404, .. }) => tokio::time::sleep(PAUSE).await,
            other => return other,
        }
    }
    asked(server, sent).await
}

/// Sends a request as the operator, and wants it done.
///
/// # Errors
/// [`StageError`]
pub async fn asked(server: &Server, sent: &Sent) -> Result<Value, StageError> {
    let answer = send(&server.operator, &Credentials::Own, sent).await?;
    if answer.is_success() {
        return Ok(answer.body);
    }
    let request = format!("{} {}", sent.method, sent.path);
    Err(StageError::Refused { request, code: answer.code, message: answer.message().to_owned() })
}

/// Virtual machines have their status in the object itself.
fn has_status(object: &Value) -> bool {
    object["kind"] != "VirtualMachineInstance"
}

/// The path under which objects of a kind are created.
///
/// # Errors
/// [`StageError::UnknownKind`]
pub fn collection(object: &Value) -> Result<String, StageError> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let known = PLURALS.iter().find(|(known, _)| *known == kind);
    let (_, plural) = known.ok_or_else(|| StageError::UnknownKind(kind.to_owned()))?;
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    let namespace = object["metadata"]["namespace"].as_str();
    let namespace = namespace.map_or(String::new(), |name| format!("/namespaces/{name}"));
    Ok(format!("{root}/{api_version}{namespace}/{plural}"))
}

const PLURALS: [(&str, &str); 14] = [
    ("Namespace", "namespaces"),
    ("ServiceAccount", "serviceaccounts"),
    ("RoleBinding", "rolebindings"),
    ("CustomResourceDefinition", "customresourcedefinitions"),
    ("Node", "nodes"),
    ("Pod", "pods"),
    ("VirtualMachineInstance", "virtualmachineinstances"),
    ("ShadowNode", "shadownodes"),
    ("NodeFeature", "nodefeatures"),
    ("KubeVirt", "kubevirts"),
    ("ClusterRole", "clusterroles"),
    ("ClusterRoleBinding", "clusterrolebindings"),
    ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
];
