//! Under what an object is stored, and the order of that.

use std::cmp::Ordering;
use std::ops::Bound;

/// Namespace and name of an object.
///
/// Keys are ordered as the server's storage has them, which is by the text `namespace/name`: objects of `a-b` come
/// before those of `a`, because `-` comes before `/` (`NamespaceKeyFunc` in
/// `staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    path: Box<str>,
    namespace: usize,
}

impl Key {
    /// A key; the namespace is empty for objects of the whole cluster.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        let path = if namespace.is_empty() { name.into() } else { [namespace, "/", name].concat().into() };
        Self { path, namespace: namespace.len() }
    }

    /// The first key whose text is not before this one.
    pub(super) fn bound(path: &str) -> Bound<Self> {
        Bound::Included(Self { path: path.into(), namespace: 0 })
    }

    /// The namespace; empty for objects of the whole cluster.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.path.get(..self.namespace).unwrap_or_default()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        let start = if self.namespace == 0 { 0 } else { self.namespace + 1 };
        self.path.get(start..).unwrap_or_default()
    }

    /// `namespace/name`, or the name alone.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether this is in the namespace; everything is in none.
    #[must_use]
    pub fn is_in(&self, namespace: Option<&str>) -> bool {
        namespace.is_none_or(|namespace| namespace.is_empty() || self.namespace() == namespace)
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.path.cmp(&other.path).then(self.namespace.cmp(&other.namespace))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        for (namespace, name) in [("", "n1"), ("a", "b"), ("a", ""), ("", ""), ("ä", "ö"), ("", "a/b"), ("a", "b/c")]
        {
            let key = Key::new(namespace, name);
            assert_eq!((key.namespace(), key.name()), (namespace, name));
        }
        assert_ne!(Key::new("a", "b"), Key::new("", "a/b"));
    }

    #[test]
    fn the_order_is_that_of_the_text() {
        let mut keys = [Key::new("zz", "a"), Key::new("zz-b", "a"), Key::new("zz", "B"), Key::new("a", "z")];
        keys.sort();
        assert_eq!(keys.map(|key| key.path().to_owned()), ["a/z", "zz-b/a", "zz/B", "zz/a"]);
    }
}
