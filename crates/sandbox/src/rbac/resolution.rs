//! Which rules apply to a user: those of the roles that bindings give (`k8s.io/kubernetes/pkg/registry/rbac/validation`).

use admission::UserInfo;
use serde_json::Value;
use std::sync::Arc;

use super::GROUP;
use crate::identity::service_account;
use crate::identity::value::{list, quoted, text};
use crate::objects::Objects;

/// A rule with what gives it.
#[derive(Clone, Copy, Debug)]
pub struct Granted<'v> {
    /// The rule.
    pub rule: &'v Value,
    /// What gives it.
    pub source: Source<'v>,
}

/// What gives a rule to a user.
#[derive(Clone, Copy, Debug)]
pub struct Source<'v> {
    binding: &'v Value,
    subject: &'v Value,
    namespace: &'v str,
}

impl Source<'_> {
    /// In the words of the server: `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`.
    #[must_use]
    pub fn describe(&self) -> String {
        let name = text(self.binding, "/metadata/name");
        let (kind, name) = match self.namespace {
            "" => ("ClusterRoleBinding", name.to_owned()),
            namespace => ("RoleBinding", format!("{name}/{namespace}")),
        };
        let (role_kind, role) = role_reference(self.binding);
        format!("{kind} {} of {role_kind} {} to {}", quoted(&name), quoted(role), self.describe_subject())
    }

    fn describe_subject(&self) -> String {
        let (kind, name) = (text(self.subject, "/kind"), text(self.subject, "/name"));
        if kind != "ServiceAccount" {
            return format!("{kind} {}", quoted(name));
        }
        let namespace = Some(text(self.subject, "/namespace")).filter(|own| !own.is_empty());
        format!("{kind} {}", quoted(&format!("{name}/{}", namespace.unwrap_or(self.namespace))))
    }
}

/// The kind and the name of the role that a binding gives.
#[must_use]
pub fn role_reference(binding: &Value) -> (&str, &str) {
    (text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"))
}

/// Shows every rule that applies to a user in a namespace (empty: in the whole cluster), and every problem in finding
/// them, until `see` returns false.
pub fn visit(
    user: &UserInfo,
    namespace: &str,
    objects: &dyn Objects,
    see: &mut dyn FnMut(Result<Granted<'_>, String>) -> bool,
) {
    let cluster = objects.list(GROUP, "clusterrolebindings", None);
    if visit_bindings(user, "", &cluster, objects, see) && !namespace.is_empty() {
        let local = objects.list(GROUP, "rolebindings", Some(namespace));
        visit_bindings(user, namespace, &local, objects, see);
    }
}

fn visit_bindings(
    user: &UserInfo,
    namespace: &str,
    bindings: &[Arc<Value>],
    objects: &dyn Objects,
    see: &mut dyn FnMut(Result<Granted<'_>, String>) -> bool,
) -> bool {
    bindings.iter().all(|binding| {
        let mut subjects = list(binding, "/subjects").iter();
        let Some(subject) = subjects.find(|subject| applies(user, subject, namespace)) else { return true };
        match role(objects, role_reference(binding), namespace) {
            Ok(role) => {
                let source = Source { binding, subject, namespace };
                list(&role, "/rules").iter().all(|rule| see(Ok(Granted { rule, source })))
            }
            Err(missing) => see(Err(missing.to_string())),
        }
    })
}

fn applies(user: &UserInfo, subject: &Value, namespace: &str) -> bool {
    let name = text(subject, "/name");
    match text(subject, "/kind") {
        "User" => user.username == name,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let own = Some(text(subject, "/namespace")).filter(|own| !own.is_empty()).unwrap_or(namespace);
            !own.is_empty() && service_account::is_named(&user.username, own, name)
        }
        _ => false,
    }
}

/// Why a role that is referred to cannot be had. Displays as the server's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// There is no such role.
    #[error("{resource}.{GROUP} \"{name}\" not found")]
    Missing {
        /// `role` or `clusterrole`.
        resource: &'static str,
        /// Its name.
        name: String,
    },
    /// A Role outside any namespace.
    #[error("Namespace parameter required.")]
    NoNamespace,
    /// Something else than a role.
    #[error("unsupported role reference kind: {}", quoted(.0))]
    Kind(String),
}

/// The role that a binding of a namespace refers to by kind and name.
///
/// # Errors
/// If there is none.
pub fn role(objects: &dyn Objects, (kind, name): (&str, &str), namespace: &str) -> Result<Arc<Value>, RoleError> {
    let (resource, plural, namespace) = match kind {
        "ClusterRole" => ("clusterrole", "clusterroles", ""),
        "Role" if namespace.is_empty() => return Err(RoleError::NoNamespace),
        "Role" => ("role", "roles", namespace),
        other => return Err(RoleError::Kind(other.to_owned())),
    };
    let missing = || RoleError::Missing { resource, name: name.to_owned() };
    objects.get(GROUP, plural, namespace, name).ok_or_else(missing)
}

/// All rules that apply to a user in a namespace, and the problems in finding them.
#[must_use]
pub fn rules(user: &UserInfo, namespace: &str, objects: &dyn Objects) -> (Vec<Value>, Vec<String>) {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    visit(user, namespace, objects, &mut |granted| {
        match granted {
            Ok(granted) => rules.push(granted.rule.clone()),
            Err(problem) => problems.push(problem),
        }
        true
    });
    (rules, problems)
}
