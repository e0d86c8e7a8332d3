//! Who may do what: role-based access control (`k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac`), the authorizer of
//! nodes, and the texts of refusals.

pub mod aggregation;
pub mod bootstrap;
pub mod coverage;
pub mod escalation;
pub mod node;
pub(crate) mod pod_references;
pub mod resolution;
pub mod rule;

use admission::{KubeVersion, UserInfo};

use crate::failure::Failure;
use crate::identity::MASTERS;
use crate::identity::value::{aggregated, quoted};
use crate::objects::Objects;
use crate::resource::GroupResource;
use resolution::Granted;

/// The group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// What is asked for, by whom (`k8s.io/apiserver/pkg/authorization/authorizer`, `Attributes`).
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a UserInfo,
    /// `get`, `list`, `create` …; in lower case the HTTP method for paths that are no resources.
    pub verb: &'a str,
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The resource, in the plural.
    pub resource: &'a str,
    /// `status`, `token` …; empty for the object itself.
    pub subresource: &'a str,
    /// The namespace (of a Namespace: its own name); empty for the whole cluster.
    pub namespace: &'a str,
    /// The name; empty for collections and, at creation, for resources without subresource. A list or watch by
    /// `metadata.name` in its field selector has that name.
    pub name: &'a str,
    /// The fields that the objects listed, watched or deleted must have, as `field` and `value`, from the field
    /// selector's requirements of equality.
    pub fields: &'a [(String, String)],
    /// The path, if it is no resource.
    pub path: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    /// A request for a resource; what is not given is empty.
    #[must_use]
    pub fn resource(user: &'a UserInfo, verb: &'a str, group: &'a str, resource: &'a str) -> Self {
        let (subresource, namespace, name) = ("", "", "");
        Self { user, verb, group, resource, subresource, namespace, name, fields: &[], path: None }
    }

    /// A request for a path that is no resource.
    #[must_use]
    pub fn path(user: &'a UserInfo, verb: &'a str, path: &'a str) -> Self {
        Self { path: Some(path), ..Self::resource(user, verb, "", "") }
    }

    /// As rules name it: `pods` or `pods/status`.
    fn combined(&self) -> String {
        if self.subresource.is_empty() {
            return self.resource.to_owned();
        }
        format!("{}/{}", self.resource, self.subresource)
    }
}

/// What an authorizer says. What is not allowed may be allowed by another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why, or why perhaps not; may be empty.
    pub reason: String,
}

impl Decision {
    /// It is allowed.
    #[must_use]
    pub fn allow(reason: impl Into<String>) -> Self {
        Self { allowed: true, reason: reason.into() }
    }

    /// It is not allowed here.
    #[must_use]
    pub fn pass(reason: impl Into<String>) -> Self {
        Self { allowed: false, reason: reason.into() }
    }
}

/// Something that authorizes.
pub type Authorize<'f> = dyn Fn(&Attributes<'_>) -> Decision + 'f;

/// What the chain of authorizers of a server with `--authorization-mode=Node,RBAC` says: members of `system:masters`
/// first, then nodes, then roles.
#[must_use]
pub fn decide(attributes: &Attributes<'_>, objects: &dyn Objects, version: KubeVersion) -> Decision {
    let by_node = node::authorize(attributes, objects, version);
    if by_node.allowed {
        return by_node;
    }
    let mut decision = authorize(attributes, objects);
    if !decision.allowed && !by_node.reason.is_empty() {
        let reasons = [by_node.reason, decision.reason];
        decision.reason = reasons.iter().filter(|reason| !reason.is_empty()).cloned().collect::<Vec<_>>().join("\n");
    }
    decision
}

/// What roles and bindings say.
#[must_use]
pub fn authorize(attributes: &Attributes<'_>, objects: &dyn Objects) -> Decision {
    if is_master(attributes.user) {
        return Decision::allow("");
    }
    let mut problems = Vec::new();
    let mut allowed = None;
    resolution::visit(attributes.user, attributes.namespace, objects, &mut |granted| match granted {
        Ok(Granted { rule, source }) => {
            if rule::allows(rule, attributes) {
                allowed = Some(format!("RBAC: allowed by {}", source.describe()));
            }
            allowed.is_none()
        }
        Err(problem) => {
            problems.push(problem);
            true
        }
    });
    match (allowed, problems.is_empty()) {
        (Some(reason), _) => Decision::allow(reason),
        (None, true) => Decision::default(),
        (None, false) => Decision::pass(format!("RBAC: {}", aggregated(&problems))),
    }
}

/// Whether a user may do everything, whatever the roles say.
#[must_use]
pub fn is_master(user: &UserInfo) -> bool {
    user.groups.iter().any(|group| group == MASTERS)
}

/// The 403 for what is not allowed, with the reason that the authorizers gave
/// (`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`).
#[must_use]
pub fn denied(attributes: &Attributes<'_>, reason: &str) -> Failure {
    let refusal = refusal(attributes).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let why = if reason.is_empty() { refusal } else { format!("{refusal}: {reason}") };
    Failure::forbidden(&GroupResource::new(attributes.group, attributes.resource), attributes.name, &why)
}

fn refusal(attributes: &Attributes<'_>) -> String {
    let (user, verb) = (quoted(&attributes.user.username), attributes.verb);
    if let Some(path) = attributes.path {
        return format!("User {user} cannot {verb} path {}", quoted(path));
    }
    let (resource, group) = (quoted(&attributes.combined()), quoted(attributes.group));
    let scope = match attributes.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {}", quoted(namespace)),
    };
    format!("User {user} cannot {verb} resource {resource} in API group {group} {scope}")
}

#[cfg(test)]
mod tests;
