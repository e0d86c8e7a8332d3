//! Nobody gives what they do not have (`k8s.io/kubernetes/pkg/registry/rbac/{role,clusterrole,…}/policybased`).

use admission::UserInfo;
use serde_json::{Value, json};

use super::resolution::{self, RoleError};
use super::{Attributes, Authorize, GROUP, coverage, is_master};
use crate::failure::Failure;
use crate::identity::value::{list, quoted, quoted_list, text};
use crate::objects::Objects;
use crate::resource::GroupResource;

/// A write of a role or a binding.
#[derive(Clone, Copy)]
pub struct Write<'a> {
    /// Who writes.
    pub user: &'a UserInfo,
    /// `roles`, `clusterroles`, `rolebindings` or `clusterrolebindings`; others are not checked.
    pub resource: &'a str,
    /// The namespace of the request; empty for the whole cluster.
    pub namespace: &'a str,
    /// The name in the request's path; empty at creation by POST.
    pub name: &'a str,
    /// What would be stored.
    pub new: &'a Value,
    /// What is stored.
    pub old: Option<&'a Value>,
}

/// Refuses to store roles and bindings that would give more than the user has.
///
/// # Errors
/// 403 with what is missing; for bindings 404 if the role is missing, 400 or 500 if it can be none.
pub fn check(write: &Write<'_>, objects: &dyn Objects, authorize: &Authorize<'_>) -> Result<(), Failure> {
    let is_binding = match write.resource {
        "roles" | "clusterroles" => false,
        "rolebindings" | "clusterrolebindings" => true,
        _ => return Ok(()),
    };
    if is_master(write.user) || only_collected(write) {
        return Ok(());
    }
    if is_binding { check_binding(write, objects, authorize) } else { check_role(write, objects, authorize) }
}

fn check_role(write: &Write<'_>, objects: &dyn Objects, authorize: &Authorize<'_>) -> Result<(), Failure> {
    let escalate = Attributes::resource(write.user, "escalate", GROUP, write.resource);
    if authorize(&Attributes { namespace: write.namespace, name: write.name, ..escalate }).allowed {
        return Ok(());
    }
    check_held(write, list(write.new, "/rules"), objects)?;
    let aggregates = |role: &Value| !list(role, "/aggregationRule/clusterRoleSelectors").is_empty();
    if write.resource != "clusterroles" || !aggregates(write.new) && !write.old.is_some_and(aggregates) {
        return Ok(());
    }
    let everything = json!([
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]);
    let why = "must have cluster-admin privileges to use the aggregationRule";
    check_held(write, list(&everything, ""), objects).map_err(|_| forbidden(write, why))
}

fn check_binding(write: &Write<'_>, objects: &dyn Objects, authorize: &Authorize<'_>) -> Result<(), Failure> {
    let (kind, name) = resolution::role_reference(write.new);
    let resource = match kind {
        "ClusterRole" => Some("clusterroles"),
        "Role" => Some("roles"),
        _ => None,
    };
    let bind = Attributes::resource(write.user, "bind", text(write.new, "/roleRef/apiGroup"), "");
    let may_bind = |resource| authorize(&Attributes { resource, name, namespace: write.namespace, ..bind }).allowed;
    if resource.is_some_and(may_bind) {
        return Ok(());
    }
    let role = resolution::role(objects, (kind, name), write.namespace).map_err(|error| unusable(write, &error))?;
    check_held(write, list(&role, "/rules"), objects)
}

fn unusable(write: &Write<'_>, error: &RoleError) -> Failure {
    match error {
        // The server takes the request's own resource for that of the role.
        RoleError::Missing { name, .. } => Failure::not_found(&GroupResource::new(GROUP, write.resource), name),
        RoleError::NoNamespace => Failure::bad_request(error.to_string()),
        RoleError::Kind(_) => Failure::internal(error.to_string()),
    }
}

fn check_held(write: &Write<'_>, wanted: &[Value], objects: &dyn Objects) -> Result<(), Failure> {
    let (held, problems) = resolution::rules(write.user, write.namespace, objects);
    let missing = coverage::missing(&held, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let (user, groups) = (quoted(&write.user.username), quoted_list(&write.user.groups));
    let missing = missing.join("\n");
    let problems = match problems.as_slice() {
        [] => String::new(),
        problems => format!("; resolution errors: [{}]", crate::identity::value::aggregated(problems)),
    };
    let why = format!(
        "user {user} (groups={groups}) is attempting to grant RBAC permissions not currently held:\n{missing}{problems}"
    );
    Err(forbidden(write, &why))
}

fn forbidden(write: &Write<'_>, why: &str) -> Failure {
    Failure::forbidden(&GroupResource::new(GROUP, write.resource), text(write.new, "/metadata/name"), why)
}

/// Whether a write changes nothing but what the garbage collector changes (`pkg/registry/rbac/helpers.go`).
fn only_collected(write: &Write<'_>) -> bool {
    write.old.is_some_and(|old| without_collected(old) == without_collected(write.new))
}

fn without_collected(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in ["ownerReferences", "finalizers", "selfLink", "managedFields"] {
            metadata.remove(key);
        }
    }
    object
}
