//! How deep values nest. Each variable can put a list around another's, so no single expression bounds it.

use std::collections::HashMap;
use std::sync::Arc;

use super::map::Map;
use super::value::{List, Value};

/// Values that nest deeper are refused: comparing, printing and dropping them recurses.
pub(super) const MAX_NESTING: usize = 1_000;

/// The depths of the computed lists, maps and optionals of one activation, by address: what variables share is
/// walked once. An address stays good as long as the variable that holds it.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    known: HashMap<usize, usize>,
}

impl Nesting {
    /// The depth of a variable's value, none if it is beyond the bound.
    pub fn measure(&mut self, value: &Value<'_>) -> Option<usize> {
        let depth = self.below(value, MAX_NESTING);
        if depth.is_none() {
            // The value is about to be dropped, and its addresses with it.
            self.known.clear();
        }
        depth
    }

    fn below(&mut self, value: &Value<'_>, left: usize) -> Option<usize> {
        let Some(address) = address(value) else { return Some(0) };
        if let Some(known) = self.known.get(&address) {
            return (*known <= left).then_some(*known);
        }
        let left = left.checked_sub(1)?;
        let depth = 1 + self.deepest(value, left)?;
        self.known.insert(address, depth);
        Some(depth)
    }

    fn deepest(&mut self, value: &Value<'_>, left: usize) -> Option<usize> {
        match value {
            Value::List(List::Items(items)) => self.deepest_of(items.iter(), left),
            Value::List(List::Keyed(keyed)) => self.deepest_of(keyed.items.iter(), left),
            Value::Map(Map::Entries(entries)) => {
                let values = entries.pairs().iter().map(|(_, value)| value);
                self.deepest_of(values, left)
            }
            Value::Optional(Some(inner)) => self.below(inner, left),
            _ => Some(0),
        }
    }

    fn deepest_of<'v, 'a: 'v>(
        &mut self,
        mut values: impl Iterator<Item = &'v Value<'a>>,
        left: usize,
    ) -> Option<usize> {
        values.try_fold(0, |deepest, value| Some(deepest.max(self.below(value, left)?)))
    }
}

/// Where a computed value with parts is; JSON is bounded by its own parser.
fn address(value: &Value<'_>) -> Option<usize> {
    match value {
        Value::List(List::Items(items)) => Some(Arc::as_ptr(items).addr()),
        Value::List(List::Keyed(keyed)) => Some(Arc::as_ptr(keyed).addr()),
        Value::Map(Map::Entries(entries)) => Some(Arc::as_ptr(entries).addr()),
        Value::Optional(Some(inner)) => Some(Arc::as_ptr(inner).addr()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(times: usize) -> Value<'static> {
        (0..times).fold(Value::Null, |inner, _| Value::list(vec![inner]))
    }

    #[test]
    fn values_are_measured_up_to_the_bound() {
        let cases = [(0, Some(0)), (1, Some(1)), (MAX_NESTING, Some(MAX_NESTING)), (MAX_NESTING + 1, None)];
        for (times, expected) in cases {
            assert_eq!(Nesting::default().measure(&wrapped(times)), expected, "{times}");
        }
    }

    #[test]
    fn what_is_known_counts_in_what_is_built_on_it() {
        let mut nesting = Nesting::default();
        let inner = wrapped(MAX_NESTING - 1);
        assert_eq!(nesting.measure(&inner), Some(MAX_NESTING - 1));
        let outer = Value::list(vec![inner]);
        assert_eq!(nesting.measure(&outer), Some(MAX_NESTING));
        assert_eq!(nesting.measure(&Value::some(outer)), None);
    }

    #[test]
    fn shared_parts_are_walked_once() {
        let mut nesting = Nesting::default();
        let shared = (0..500).fold(Value::Null, |inner, _| Value::list(vec![inner.clone(), inner]));
        assert_eq!(nesting.measure(&shared), Some(500));
    }
}
