//! Labels and annotations that many nodes have in common, kept once.
//!
//! Two nodes of one make have the same hundred and seventy labels, and a Node has those of its ShadowNode. Each pair of
//! key and value is kept once, and each set of pairs.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// A pool is looked through for what nobody has any more when it has this many entries, or twice what was left then.
const SWEEP: usize = 4096;

/// A key and its value.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Pair {
    key: Box<str>,
    value: Box<str>,
}

/// A map from text to text that is shared and does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts(Arc<[Arc<Pair>]>);

impl Texts {
    /// The pairs, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|pair| (&*pair.key, &*pair.value))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let place = self.0.binary_search_by(|pair| (*pair.key).cmp(key)).ok()?;
        self.0.get(place).map(|pair| &*pair.value)
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the two are one in memory.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What is shared.
#[derive(Debug, Default)]
pub struct Pool {
    pairs: Unique<Pair>,
    sets: Unique<[Arc<Pair>]>,
}

impl Pool {
    /// A map of these pairs, which are in the order of their keys, each key once.
    pub fn texts<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Texts {
        let pairs = pairs.into_iter().map(|(key, value)| self.pairs.of(Pair { key: key.into(), value: value.into() }));
        let set: Vec<Arc<Pair>> = pairs.collect();
        Texts(self.sets.of_slice(set))
    }

    /// How many pairs, and how many sets of them, are kept.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.pairs.known.len(), self.sets.known.len())
    }
}

/// Values of which each is kept once, as long as somebody has it.
#[derive(Debug)]
struct Unique<T: ?Sized> {
    known: HashSet<Arc<T>>,
    sweep: usize,
}

impl<T: ?Sized> Default for Unique<T> {
    fn default() -> Self {
        Self { known: HashSet::new(), sweep: SWEEP }
    }
}

impl<T: ?Sized + Hash + Eq> Unique<T> {
    fn known(&self, value: &T) -> Option<Arc<T>>
    where
        Arc<T>: Borrow<T>,
    {
        self.known.get(value).cloned()
    }

    fn keep(&mut self, value: Arc<T>) -> Arc<T> {
        if self.known.len() >= self.sweep {
            self.known.retain(|kept| Arc::strong_count(kept) > 1);
            self.sweep = SWEEP.max(self.known.len().saturating_mul(2));
        }
        self.known.insert(value.clone());
        value
    }
}

impl<T: Hash + Eq> Unique<T> {
    fn of(&mut self, value: T) -> Arc<T> {
        self.known(&value).unwrap_or_else(|| self.keep(Arc::new(value)))
    }
}

impl<T: Hash + Eq> Unique<[T]> {
    fn of_slice(&mut self, values: Vec<T>) -> Arc<[T]> {
        self.known(&values).unwrap_or_else(|| self.keep(values.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_maps_are_one_and_equal_pairs_too() {
        let mut pool = Pool::default();
        let (first, second) = (pool.texts([("a", "1"), ("b", "2")]), pool.texts([("a", "1"), ("b", "2")]));
        let third = pool.texts([("a", "1"), ("c", "3")]);
        assert!(first.is(&second) && !first.is(&third));
        assert_eq!(pool.sizes(), (3, 2));
        assert_eq!((first.get("b"), first.get("c"), third.get("c")), (Some("2"), None, Some("3")));
        assert_eq!(third.iter().collect::<Vec<_>>(), [("a", "1"), ("c", "3")]);
    }

    #[test]
    fn what_nobody_has_is_forgotten() {
        let mut pool = Pool::default();
        let kept = pool.texts([("a", "1")]);
        for number in 0..SWEEP * 10 {
            let value = number.to_string();
            drop(pool.texts([("flapping", value.as_str())]));
        }
        let (pairs, sets) = pool.sizes();
        assert!(pairs <= SWEEP + 1 && sets <= SWEEP + 1, "{pairs} pairs, {sets} sets");
        assert!(kept.is(&pool.texts([("a", "1")])));
    }
}
