//! The names of service accounts as users and groups (`k8s.io/apiserver/pkg/authentication/serviceaccount/util.go`).

const PREFIX: &str = "system:serviceaccount:";
const EVERY_ACCOUNT: &str = "system:serviceaccounts";
const MAX_LABEL: usize = 63;
const MAX_SUBDOMAIN: usize = 253;

/// The user name of a service account.
#[must_use]
pub fn username(namespace: &str, name: &str) -> String {
    format!("{PREFIX}{namespace}:{name}")
}

/// The groups of the service accounts of a namespace.
#[must_use]
pub fn groups(namespace: &str) -> Vec<String> {
    vec![EVERY_ACCOUNT.to_owned(), format!("{EVERY_ACCOUNT}:{namespace}")]
}

/// Namespace and name of the service account that a user name names.
#[must_use]
pub fn split(username: &str) -> Option<(&str, &str)> {
    let (namespace, name) = username.strip_prefix(PREFIX)?.split_once(':')?;
    (is_label(namespace) && is_subdomain(name)).then_some((namespace, name))
}

/// Whether a user name is that of a service account.
#[must_use]
pub fn is_named(username: &str, namespace: &str, name: &str) -> bool {
    let rest = username.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(namespace));
    rest.and_then(|rest| rest.strip_prefix(':')) == Some(name)
}

/// Whether this is a lower-case RFC 1123 label.
fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && is_part(text)
}

/// Whether this is a lower-case RFC 1123 subdomain; its parts may be longer than a label.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(allowed) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split() {
        let long = "a".repeat(64);
        let cases = [
            ("system:serviceaccount:ns:a.b-c", Some(("ns", "a.b-c"))),
            ("system:serviceaccount:ns:a:b", None),
            ("system:serviceaccount::a", None),
            ("system:serviceaccount:ns:", None),
            ("system:serviceaccount:NS:a", None),
            ("system:serviceaccount:n.s:a", None),
            ("system:serviceaccount:ns:A", None),
            ("system:serviceaccounts:ns:a", None),
            (" system:serviceaccount:ns:a", None),
        ];
        for (username, expected) in cases {
            assert_eq!(split(username), expected, "{username}");
        }
        assert_eq!(split(&username(&long, "a")), None);
        assert_eq!(split(&username("ns", &long)), Some(("ns", long.as_str())));
    }

    #[test]
    fn similar_names_are_not_the_same() {
        let cases = [
            ("system:serviceaccount:ns:a", "ns", "a", true),
            ("system:serviceaccount:ns:a", "n", "a", false),
            ("system:serviceaccount:ns:ab", "ns", "a", false),
            ("system:serviceaccount:ns:a", "ns:a", "", false),
            ("system:serviceaccount::a", "", "a", true),
            ("ns:a", "ns", "a", false),
        ];
        for (username, namespace, name, expected) in cases {
            assert_eq!(is_named(username, namespace, name), expected, "{username} {namespace} {name}");
        }
    }
}
