//! Who makes the request of a case.

use ownership::identity::{NODE_NAME, NODE_UID, POD_NAME, POD_UID};
use ownership::spec::ServiceAccount;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A user as a suite writes it: `account`, or `username` with `groups`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// A service account as `namespace/name`.
    pub account: Option<String>,
    /// The user name of anybody else.
    pub username: Option<String>,
    /// Groups; a service account has its own besides.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What a token bound to a pod says.
    pub claims: Option<Claims>,
    /// Extra information by key; it takes the place of what the claims say.
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What a token that is bound to a pod says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Claims {
    /// The node's name.
    pub node: String,
    /// The node's UID; made from its name where it does not matter.
    #[serde(rename = "nodeUID")]
    pub node_uid: Option<String>,
}

/// A user as an API server knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user name.
    pub username: String,
    /// The groups, without duplicates.
    pub groups: Vec<String>,
    /// Extra information.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// The user as an API server knows it.
    ///
    /// # Errors
    /// What is wrong with the user, as text.
    pub fn identity(&self) -> Result<Identity, String> {
        let (username, mut groups, agent) = match (&self.account, &self.username) {
            (Some(account), None) => of_account(account)?,
            (None, Some(username)) if !username.is_empty() => (username.clone(), Vec::new(), username.as_str()),
            _ => return Err("needs either account or username".to_owned()),
        };
        for group in self.groups.iter().map(String::as_str).chain(["system:authenticated"]) {
            if !groups.iter().any(|known| known == group) {
                groups.push(group.to_owned());
            }
        }
        let mut extra = self.claims.as_ref().map(|claims| claims.extra(agent)).unwrap_or_default();
        extra.extend(self.extra.clone());
        Ok(Identity { username, groups, extra })
    }
}

fn of_account(text: &str) -> Result<(String, Vec<String>, &str), String> {
    let account = service_account(text)?;
    let groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{}", account.namespace)];
    let name = text.split_once('/').map_or(text, |(_, name)| name);
    Ok((account.username(), groups, name))
}

/// Reads `namespace/name`.
///
/// # Errors
/// A text that says what is expected.
pub fn service_account(text: &str) -> Result<ServiceAccount, String> {
    let plain = |part: &str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        !part.is_empty() && part.chars().all(allowed)
    };
    match text.split_once('/') {
        Some((namespace, name)) if plain(namespace) && plain(name) => {
            Ok(ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => {
            Err(format!("`{text}` is no service account; write namespace/name, for example kubevirt/kubevirt-handler"))
        }
    }
}

impl Claims {
    fn extra(&self, agent: &str) -> BTreeMap<String, Vec<String>> {
        let Self { node, node_uid } = self;
        let uid = node_uid.clone().unwrap_or_else(|| format!("{node}-uid"));
        let pod = format!("{agent}-{node}");
        let pod_uid = format!("{pod}-uid");
        let pairs = [(NODE_NAME, node.clone()), (NODE_UID, uid), (POD_NAME, pod), (POD_UID, pod_uid)];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(yaml: &str) -> Result<Identity, String> {
        serde_saphyr::from_str::<User>(yaml).unwrap().identity()
    }

    #[test]
    fn an_account_has_its_groups_and_claims() {
        let identity = user("{account: a/b, claims: {node: n1}, extra: {k: [v]}}").unwrap();
        assert_eq!(identity.username, "system:serviceaccount:a:b");
        assert_eq!(identity.groups, ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"]);
        assert_eq!(identity.extra[NODE_NAME], ["n1"]);
        assert_eq!(identity.extra[NODE_UID], ["n1-uid"]);
        assert_eq!(identity.extra[POD_NAME], ["b-n1"]);
        assert_eq!(identity.extra[POD_UID], ["b-n1-uid"]);
        assert_eq!(identity.extra["k"], ["v"]);
    }

    #[test]
    fn extra_takes_the_place_of_claims() {
        let identity =
            user(&format!("{{account: a/b, claims: {{node: n1}}, extra: {{{NODE_NAME}: [x, y]}}}}")).unwrap();
        assert_eq!(identity.extra[NODE_NAME], ["x", "y"]);
        assert_eq!(identity.extra[POD_NAME], ["b-n1"]);
    }

    #[test]
    fn anybody_else_has_a_name_and_groups() {
        let identity = user("{username: admin, groups: [system:masters]}").unwrap();
        assert_eq!(identity.groups, ["system:masters", "system:authenticated"]);
        assert!(identity.extra.is_empty());
    }

    #[test]
    fn a_user_is_one_of_both() {
        for text in [
            "{}",
            "{account: a/b, username: c}",
            "{username: ''}",
            "{account: ab}",
            "{account: /b}",
            "{account: a/b/c}",
        ] {
            assert!(user(text).is_err(), "{text}");
        }
    }
}
