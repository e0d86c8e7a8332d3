//! Who is asking: tokens, client certificates, impersonation, and the reviews that tell about it.

pub mod authenticator;
pub mod certificate;
pub mod claims;
pub mod impersonation;
pub mod review;
pub mod service_account;
pub mod signing;
#[cfg(test)]
pub(crate) mod stored;
pub mod token;
pub mod value;

use admission::UserInfo;

/// The group of everybody who is known (`k8s.io/apiserver/pkg/authentication/user`).
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody who is not (`k8s.io/apiserver/pkg/authentication/user`).
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The name of everybody who is not known (`k8s.io/apiserver/pkg/authentication/user`).
pub const ANONYMOUS: &str = "system:anonymous";
/// The group that may do everything (`k8s.io/apiserver/pkg/authentication/user`).
pub const MASTERS: &str = "system:masters";
/// The group of the nodes (`k8s.io/apiserver/pkg/authentication/user`).
pub const NODES: &str = "system:nodes";
/// What a node's name is preceded by in its user name (`k8s.io/kubernetes/pkg/auth/nodeidentifier`).
pub const NODE_PREFIX: &str = "system:node:";

/// Extra key: which credential was used (`k8s.io/apiserver/pkg/authentication/user`).
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
/// Extra key: the Node that a token is for (`k8s.io/apiserver/pkg/authentication/serviceaccount`).
pub const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// Extra key: the uid of that Node.
pub const NODE_UID: &str = "authentication.kubernetes.io/node-uid";
/// Extra key: the Pod that a token is bound to.
pub const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
/// Extra key: the uid of that Pod.
pub const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// The user of a request without credentials.
#[must_use]
pub fn anonymous() -> UserInfo {
    UserInfo { username: ANONYMOUS.to_owned(), groups: vec![UNAUTHENTICATED.to_owned()], ..UserInfo::default() }
}

/// The user with the group that every known user is in (`authentication/group/authenticated_group_adder.go`).
#[must_use]
pub fn authenticated(mut user: UserInfo) -> UserInfo {
    let settled = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
    if user.username != ANONYMOUS && !user.groups.iter().any(settled) {
        user.groups.push(AUTHENTICATED.to_owned());
    }
    user
}

/// The Node that a user is the kubelet of; empty if the user is a node without a name. `None` for everybody else
/// (`k8s.io/kubernetes/pkg/auth/nodeidentifier/default.go`).
#[must_use]
pub fn node_of(user: &UserInfo) -> Option<&str> {
    let name = user.username.strip_prefix(NODE_PREFIX)?;
    user.groups.iter().any(|group| group == NODES).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, groups: &[&str]) -> UserInfo {
        let groups = groups.iter().map(ToString::to_string).collect();
        UserInfo { username: name.to_owned(), groups, ..UserInfo::default() }
    }

    #[test]
    fn nodes_need_name_and_group() {
        let cases = [
            (user("system:node:n1", &[NODES]), Some("n1")),
            (user("system:node:", &[NODES]), Some("")),
            (user("system:node:n1", &["system:Nodes"]), None),
            (user("system:node:n1", &[]), None),
            (user("system:nodes:n1", &[NODES]), None),
            (user("System:node:n1", &[NODES]), None),
        ];
        for (user, expected) in cases {
            assert_eq!(node_of(&user), expected, "{user:?}");
        }
    }

    #[test]
    fn everybody_known_is_authenticated() {
        let cases = [
            (user("a", &["g"]), vec!["g", AUTHENTICATED]),
            (user("a", &[AUTHENTICATED]), vec![AUTHENTICATED]),
            (user("a", &[UNAUTHENTICATED]), vec![UNAUTHENTICATED]),
            (user(ANONYMOUS, &[]), vec![]),
        ];
        for (user, groups) in cases {
            assert_eq!(authenticated(user).groups, groups);
        }
    }
}
