//! Sets of fields (`structured-merge-diff/fieldpath/set.go`): a tree whose nodes are members or lead to members.

use std::cmp::Ordering;

use super::path::{Element, Path};

/// A set of paths. Every node is a member or has members below it; the nodes of a level are in the order of elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    entries: Vec<(Element, Node)>,
}

/// What a set knows about one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Whether the path itself is in the set.
    pub member: bool,
    /// What is in the set below the path.
    pub children: Set,
}

impl Node {
    /// A path that is in the set, with nothing below it.
    #[must_use]
    pub fn leaf() -> Self {
        Self { member: true, children: Set::default() }
    }

    /// Whether there is nothing at or below the path.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    /// What is at or below the path in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { member: self.member || other.member, children: self.children.union(&other.children) }
    }
}

impl FromIterator<(Element, Node)> for Set {
    /// Elements may come in any order, and repeatedly; empty nodes are left out.
    fn from_iter<I: IntoIterator<Item = (Element, Node)>>(nodes: I) -> Self {
        let mut entries: Vec<_> = nodes.into_iter().filter(|(_, node)| !node.is_empty()).collect();
        if entries.is_sorted_by(|left, right| left.0 < right.0) {
            return Self { entries };
        }
        entries.sort_by(|left, right| left.0.cmp(&right.0));
        let mut out: Vec<(Element, Node)> = Vec::with_capacity(entries.len());
        for (element, node) in entries {
            match out.last_mut() {
                Some((last, known)) if *last == element => *known = std::mem::take(known).union(node),
                _ => out.push((element, node)),
            }
        }
        Self { entries: out }
    }
}

impl<'p> FromIterator<&'p Path> for Set {
    fn from_iter<I: IntoIterator<Item = &'p Path>>(paths: I) -> Self {
        paths.into_iter().fold(Self::default(), |set, path| set.union(&Self::of(path)))
    }
}

impl Set {
    /// The set of one path; nobody owns the whole object, so the empty path gives the empty set.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let wrap = |inner: Node, element: &Element| Node {
            member: false,
            children: Self { entries: vec![(element.clone(), inner)] },
        };
        let mut elements = path.0.iter().rev();
        let Some(last) = elements.next() else { return Self::default() };
        elements.fold(wrap(Node::leaf(), last), wrap).children
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The nodes of the first level, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (&Element, &Node)> {
        self.entries.iter().map(|(element, node)| (element, node))
    }

    /// What the set knows about an element of the first level.
    #[must_use]
    pub fn node(&self, element: &Element) -> Option<&Node> {
        let place = self.entries.binary_search_by(|(known, _)| known.cmp(element)).ok()?;
        self.entries.get(place).map(|(_, node)| node)
    }

    /// Whether a path is in the set.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        let Some((last, parents)) = path.0.split_last() else { return false };
        let parent = parents.iter().try_fold(self, |set, element| set.node(element).map(|node| &node.children));
        parent.and_then(|set| set.node(last)).is_some_and(|node| node.member)
    }

    /// What is in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.join(other, |left, right| match (left, right) {
            (Some(left), Some(right)) => {
                Node { member: left.member || right.member, children: left.children.union(&right.children) }
            }
            (Some(only), None) | (None, Some(only)) => only.clone(),
            (None, None) => Node::default(),
        })
    }

    /// What is in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.join(other, |left, right| match (left, right) {
            (Some(left), Some(right)) => {
                Node { member: left.member && right.member, children: left.children.intersection(&right.children) }
            }
            _ => Node::default(),
        })
    }

    /// What is in this set and not in the other. A path stays if only paths below it are in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.join(other, |left, right| match (left, right) {
            (Some(left), Some(right)) => {
                Node { member: left.member && !right.member, children: left.children.difference(&right.children) }
            }
            (Some(left), None) => left.clone(),
            (None, _) => Node::default(),
        })
    }

    /// What is in this set and neither in the other nor below a path that is in the other.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.join(other, |left, right| match (left, right) {
            (Some(_), Some(right)) if right.member => Node::default(),
            (Some(left), Some(right)) => {
                Node { member: left.member, children: left.children.recursive_difference(&right.children) }
            }
            (Some(left), None) => left.clone(),
            (None, _) => Node::default(),
        })
    }

    /// The members that have no members below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        let leaf =
            |node: &Node| Node { member: node.member && node.children.is_empty(), children: node.children.leaves() };
        self.nodes().map(|(element, node)| (element.clone(), leaf(node))).collect()
    }

    /// The paths of the set: of each level first its members, then what is below (`Set.Iterate`).
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        let mut out = Vec::new();
        self.push_paths(&mut Vec::new(), &mut out);
        out
    }

    fn push_paths(&self, prefix: &mut Vec<Element>, out: &mut Vec<Path>) {
        for (element, _) in self.nodes().filter(|(_, node)| node.member) {
            out.push(Path(prefix.iter().chain([element]).cloned().collect()));
        }
        for (element, node) in self.nodes() {
            prefix.push(element.clone());
            node.children.push_paths(prefix, out);
            prefix.pop();
        }
    }

    /// Goes through two sets in step; nodes that come out empty are left out.
    fn join(&self, other: &Self, merge: impl Fn(Option<&Node>, Option<&Node>) -> Node) -> Self {
        let mut entries = Vec::with_capacity(self.entries.len());
        let (mut left, mut right) = (self.entries.as_slice(), other.entries.as_slice());
        loop {
            let (l, r) = match (left.first(), right.first()) {
                (None, None) => return Self { entries },
                (Some(l), Some(r)) => match l.0.cmp(&r.0) {
                    Ordering::Less => (Some(l), None),
                    Ordering::Equal => (Some(l), Some(r)),
                    Ordering::Greater => (None, Some(r)),
                },
                (l, r) => (l, r),
            };
            left = left.get(usize::from(l.is_some())..).unwrap_or_default();
            right = right.get(usize::from(r.is_some())..).unwrap_or_default();
            let node = merge(l.map(|(_, node)| node), r.map(|(_, node)| node));
            if let Some((element, _)) = l.or(r).filter(|_| !node.is_empty()) {
                entries.push((element.clone(), node));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Plain = BTreeSet<Vec<u8>>;

    fn set(paths: &Plain) -> Set {
        let path = |names: &Vec<u8>| Path(names.iter().map(|name| Element::Index(i64::from(*name))).collect());
        paths.iter().map(path).collect::<Vec<_>>().iter().collect()
    }

    fn plain() -> impl Strategy<Value = Plain> {
        proptest::collection::btree_set(proptest::collection::vec(0_u8..3, 1..4), 0..12)
    }

    fn kept(paths: &Plain, keep: impl Fn(&Vec<u8>) -> bool) -> Set {
        set(&paths.iter().filter(|path| keep(path)).cloned().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_algebra_is_that_of_sets_of_paths(a in plain(), b in plain()) {
            prop_assert_eq!(set(&a).union(&set(&b)), set(&a.union(&b).cloned().collect()));
            prop_assert_eq!(set(&a).intersection(&set(&b)), kept(&a, |path| b.contains(path)));
            prop_assert_eq!(set(&a).difference(&set(&b)), kept(&a, |path| !b.contains(path)));
            let covered = |path: &Vec<u8>| (1..=path.len()).any(|end| b.contains(&path[..end]));
            prop_assert_eq!(set(&a).recursive_difference(&set(&b)), kept(&a, |path| !covered(path)));
            let leaf = |path: &Vec<u8>| !a.iter().any(|other| other.len() > path.len() && other.starts_with(path));
            prop_assert_eq!(set(&a).leaves(), kept(&a, leaf));
            for path in &b {
                let steps = Path(path.iter().map(|name| Element::Index(i64::from(*name))).collect());
                prop_assert_eq!(set(&a).has(&steps), a.contains(path));
            }
            prop_assert_eq!(set(&a).paths().iter().collect::<Set>(), set(&a));
        }
    }

    #[test]
    fn paths_come_members_first() {
        let paths = [Path::fields(&["b", "z"]), Path::fields(&["c"]), Path::fields(&["b"]), Path::fields(&["a", "x"])];
        let set: Set = paths.iter().collect();
        let shown: Vec<_> = set.paths().iter().map(ToString::to_string).collect();
        assert_eq!(shown, [".b", ".c", ".a.x", ".b.z"]);
        assert!(Set::of(&Path::default()).is_empty());
    }
}
