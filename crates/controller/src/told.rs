//! What has been told of each node, so that it is told once.

use std::collections::{BTreeSet, HashMap};

use crate::liveness::Name;

/// Causes by node, one word each.
#[derive(Debug, Default)]
pub(crate) struct Told {
    standing: HashMap<Name, BTreeSet<&'static str>>,
}

impl Told {
    /// These are the causes of a kind that stand for a node now; says which of them are news.
    pub fn news(&mut self, node: &Name, kind: &[&'static str], now: &BTreeSet<&'static str>) -> Vec<&'static str> {
        if now.is_empty() && !self.standing.contains_key(node) {
            return Vec::new();
        }
        let standing = self.standing.entry(node.clone()).or_default();
        let news = now.difference(standing).copied().collect();
        standing.retain(|word| !kind.contains(word) || now.contains(word));
        standing.extend(now);
        if standing.is_empty() {
            self.standing.remove(node);
        }
        news
    }

    /// A cause that stands; says whether it is news.
    pub fn is_news(&mut self, node: &Name, word: &'static str) -> bool {
        self.standing.entry(node.clone()).or_default().insert(word)
    }

    pub fn forget(&mut self, node: &str) {
        self.standing.remove(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_news_once_until_it_ends() {
        let (mut told, node) = (Told::default(), Name::from("n"));
        let kind = ["a", "b"];
        let mut news = |now: &[&'static str]| told.news(&node, &kind, &now.iter().copied().collect());
        assert_eq!(news(&["a"]), ["a"]);
        assert_eq!(news(&["a", "b"]), ["b"]);
        assert_eq!(news(&["b"]), [""; 0]);
        assert_eq!(news(&["a", "b"]), ["a"], "it came back");
        assert_eq!(news(&[]), [""; 0]);
        assert!(told.standing.is_empty(), "nothing is kept of nodes that have nothing");
        assert!(told.is_news(&node, "c"));
        assert_eq!(told.news(&node, &kind, &BTreeSet::new()), [""; 0]);
        assert!(!told.is_news(&node, "c"), "of another kind");
    }
}
