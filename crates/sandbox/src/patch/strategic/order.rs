//! The order of merged lists: what the patch says comes first, and what only the server has keeps its place among it
//! as far as it can.

use serde_json::Value;
use std::collections::HashMap;

use super::directives::{ELEMENT_ORDER, PATCH, list_name, without_directives};
use super::list::{items_are_maps, keyless};
use super::{Fields, list, lookup};
use crate::failure::Failure;
use crate::patch::crashed;
use crate::patch::go_text::{shown, type_name};
use crate::schema::Schema;

/// How many items are sorted one by one, which shows where the server's idea of order is contradictory.
const SMALL: usize = 20;

/// What items are compared by.
pub(super) fn same_key(item: &Value, key: &str) -> String {
    item.get(key).unwrap_or(&Value::Null).to_string()
}

fn identity(item: &Value, key: Option<&str>) -> String {
    key.map_or_else(|| item.to_string(), |key| same_key(item, key))
}

/// The order that lists give.
pub(super) struct Order<'l> {
    ours: HashMap<String, usize>,
    theirs: HashMap<String, usize>,
    key: Option<&'l str>,
}

impl<'l> Order<'l> {
    /// The order by a list of the patch and by the list that was there.
    pub fn new(patch: &[Value], original: &[Value], key: Option<&'l str>) -> Result<Self, Failure> {
        for list in [patch, original] {
            check_keys(list, key)?;
        }
        Ok(Self { ours: ranks(patch, key), theirs: ranks(original, key), key })
    }

    /// Arranges the items that the patch has and those that only the server has.
    pub fn arrange(&self, ours: Vec<Value>, others: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let ours = self.sorted(ours, &self.ours);
        let others = self.sorted(others, &self.theirs);
        Ok(self.interleaved(others, ours))
    }

    fn sorted(&self, items: Vec<Value>, ranks: &HashMap<String, usize>) -> Vec<Value> {
        let mut ranked: Vec<(Option<usize>, Value)> =
            items.into_iter().map(|item| (ranks.get(&identity(&item, self.key)).copied(), item)).collect();
        if ranked.len() <= SMALL {
            sort_one_by_one(&mut ranked);
        } else {
            ranked.sort_by_key(|(rank, _)| *rank);
        }
        ranked.into_iter().map(|(_, item)| item).collect()
    }

    /// An item that only the server has comes before the next of the patch only if it was so before.
    fn interleaved(&self, others: Vec<Value>, ours: Vec<Value>) -> Vec<Value> {
        let rank = |item: &Value| self.theirs.get(&identity(item, self.key));
        let mut all = Vec::with_capacity(others.len() + ours.len());
        let mut others = others.into_iter().peekable();
        for item in ours {
            let place = rank(&item);
            while let Some(other) = others.next_if(|other| matches!((rank(other), place), (Some(l), Some(r)) if l < r))
            {
                all.push(other);
            }
            all.push(item);
        }
        all.extend(others);
        all
    }
}

fn ranks(items: &[Value], key: Option<&str>) -> HashMap<String, usize> {
    let mut ranks = HashMap::new();
    for (rank, item) in items.iter().enumerate() {
        ranks.entry(identity(item, key)).or_insert(rank);
    }
    ranks
}

/// An insertion sort in which items without a rank come before everything that stands before them.
fn sort_one_by_one(items: &mut [(Option<usize>, Value)]) {
    let before = |left: Option<usize>, right: Option<usize>| left.zip(right).is_none_or(|(left, right)| left < right);
    for end in 1..items.len() {
        let mut place = end;
        while let Some([left, right]) = place.checked_sub(1).and_then(|start| items.get_mut(start..=place)) {
            if !before(right.0, left.0) {
                break;
            }
            std::mem::swap(left, right);
            place -= 1;
        }
    }
}

/// If items are found by a key, all must have it.
fn check_keys(items: &[Value], key: Option<&str>) -> Result<(), Failure> {
    let Some(key) = key else { return Ok(()) };
    items.iter().try_for_each(|item| key_of(item, key).map(drop))
}

fn key_of<'v>(item: &'v Value, key: &str) -> Result<&'v Value, Failure> {
    let fields = item.as_object().ok_or_else(|| wrong_type("map[string]interface {}", item))?;
    fields.get(key).ok_or_else(|| keyless(item, key))
}

fn wrong_type(wanted: &str, found: &Value) -> Failure {
    Failure::internal(format!("expected a {wanted}, but received a {}", type_name(found)))
}

/// Splits a list into what another list has too and what it has not.
pub(super) fn split(items: Vec<Value>, by: &[Value], key: Option<&str>) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let members = Members::new(by, key);
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for item in items {
        if members.has(&item)? { ours.push(item) } else { others.push(item) }
    }
    Ok((ours, others))
}

struct Members<'l> {
    ranks: HashMap<String, usize>,
    /// The first item that is no map, though items are found by a key.
    odd: Option<usize>,
    hashable: bool,
    key: Option<&'l str>,
}

impl<'l> Members<'l> {
    fn new(items: &[Value], key: Option<&'l str>) -> Self {
        let odd = items.iter().position(|item| !item.is_object()).filter(|_| key.is_some());
        let known = items.get(..odd.unwrap_or(items.len())).unwrap_or_default();
        let keyed: Vec<Value> =
            known.iter().filter(|item| key.is_none_or(|key| item.get(key).is_some())).cloned().collect();
        let hashable = key.is_some() || items.iter().all(is_hashable);
        Self { ranks: ranks(&keyed, key), odd, hashable, key }
    }

    fn has(&self, item: &Value) -> Result<bool, Failure> {
        match self.key {
            Some(key) => key_of(item, key).map(drop)?,
            None if !self.hashable || !is_hashable(item) => return Err(crashed()),
            None => {}
        }
        match (self.ranks.contains_key(&identity(item, self.key)), self.odd) {
            (false, Some(odd)) => Err(Failure::internal(format!("value for key {odd} is not a map"))),
            (found, _) => Ok(found),
        }
    }
}

fn is_hashable(item: &Value) -> bool {
    !item.is_array() && !item.is_object()
}

/// Merges the lists whose order the patch gives, and takes them and their orders out of the patch.
pub(super) fn merge_ordered_lists(
    original: &mut Fields,
    patch: &mut Fields,
    schema: Schema<'_>,
) -> Result<(), Failure> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ELEMENT_ORDER)).cloned().collect();
    for directive in directives {
        let order = patch.remove(&directive).unwrap_or_default();
        let Value::Array(order) = order else { return Err(wrong_type("[]interface {}", &order)) };
        let name = list_name(&directive, ELEMENT_ORDER)?;
        merge_ordered_list(original, patch, name, &order, schema)?;
    }
    Ok(())
}

fn merge_ordered_list(
    original: &mut Fields,
    patch: &mut Fields,
    name: &str,
    order: &[Value],
    schema: Schema<'_>,
) -> Result<(), Failure> {
    let mut known = items_of(original.get(name))?;
    let mut wanted = items_of(patch.get(name))?;
    let (item, strategy) = lookup::list(schema, name)?;
    check_order(wanted.as_deref().unwrap_or_default(), order, strategy.key)?;
    let merged = match (&mut known, &mut wanted) {
        (Some(known), None) => known.clone(),
        (None, Some(wanted)) => wanted.iter_mut().filter_map(without_directives).collect(),
        (Some(known), Some(wanted)) => list::merge(known, wanted, item, strategy, false)?,
        (None, None) => return Ok(()),
    };
    let known = known.unwrap_or_default();
    let (ours, others) = split(merged, order, strategy.key)?;
    let maps = items_are_maps(&known, wanted.as_deref().unwrap_or_default())?;
    // Plain values are never compared by a key, nor need they have one.
    let key = strategy.key.filter(|_| maps);
    let arranged = Order::new(order, &known, key)?.arrange(ours, others)?;
    original.insert(name.to_owned(), Value::Array(arranged));
    patch.remove(name);
    Ok(())
}

fn items_of(list: Option<&Value>) -> Result<Option<Vec<Value>>, Failure> {
    match list {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items.clone())),
        Some(other) => Err(wrong_type("[]interface {}", other)),
    }
}

/// The patch's items must stand in the order that it gives, and all of them.
fn check_order(items: &[Value], order: &[Value], key: Option<&str>) -> Result<(), Failure> {
    if items.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut left: Vec<&Value> = Vec::new();
    for item in items {
        match item.as_object() {
            None if key.is_some() => return Err(wrong_type("map[string]interface {}", item)),
            Some(fields) if key.is_some() && fields.get(PATCH).is_some_and(|directive| directive == "delete") => {}
            _ => left.push(item),
        }
    }
    let mut left = left.into_iter().peekable();
    let mut ordered = order.iter().peekable();
    while let (Some(item), Some(next)) = (left.peek(), ordered.peek()) {
        if item.get(PATCH).is_some() {
            left.next();
            continue;
        }
        if is_same(item, next, key)? {
            left.next();
        }
        ordered.next();
    }
    if left.peek().is_some() { Err(out_of_order(items, order)) } else { Ok(()) }
}

fn is_same(item: &Value, other: &Value, key: Option<&str>) -> Result<bool, Failure> {
    match key {
        Some(key) => {
            other.as_object().ok_or_else(|| wrong_type("map[string]interface {}", other))?;
            Ok(key_of(item, key)? == key_of(other, key)?)
        }
        None if type_name(item) == type_name(other) && !is_hashable(item) => Err(crashed()),
        None => Ok(item == other),
    }
}

fn out_of_order(items: &[Value], order: &[Value]) -> Failure {
    let (items, order) = (shown(&Value::from(items.to_vec())), shown(&Value::from(order.to_vec())));
    Failure::internal(format!("The order in patch list:\n{items}\n doesn't match {ELEMENT_ORDER} list:\n{order}\n"))
}
