//! Merging two lists.

use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

use super::directives::{self, PATCH};
use super::lookup::{self, Strategy};
use super::merge_map;
use super::order::{Order, same_key, split};
use crate::failure::Failure;
use crate::patch::go_text::{shown, type_name};
use crate::patch::{crashed, rejected};
use crate::schema::Schema;

/// Merges the items of a patch into a list, or takes them out of it.
///
/// What is left in `original` is what the server takes for the list as it was when it goes on to order the items: it
/// merges in place, so that new items stand where deleted ones made room.
pub(super) fn merge(
    original: &mut Vec<Value>,
    patch: &mut [Value],
    item: Schema<'_>,
    strategy: Strategy<'_>,
    deleting: bool,
) -> Result<Vec<Value>, Failure> {
    if !strategy.merge && !deleting {
        return Ok(patch.to_vec());
    }
    if original.is_empty() && patch.is_empty() {
        return Ok(Vec::new());
    }
    if items_are_maps(original, patch)? {
        return merge_maps(original, patch, item, strategy.key);
    }
    if deleting {
        let gone: HashSet<String> = patch.iter().map(ToString::to_string).collect();
        return Ok(original.iter().filter(|item| !gone.contains(&item.to_string())).cloned().collect());
    }
    let mut seen = HashSet::new();
    let both = original.iter().chain(patch.iter());
    let merged = both.filter(|item| seen.insert(item.to_string())).cloned().collect();
    arrange(merged, patch, original, strategy.key)
}

fn arrange(merged: Vec<Value>, patch: &[Value], original: &[Value], key: Option<&str>) -> Result<Vec<Value>, Failure> {
    let (ours, others) = split(merged, patch, key)?;
    Order::new(patch, original, key)?.arrange(ours, others)
}

/// Whether the items are maps. All must be of one type.
pub(super) fn items_are_maps(original: &[Value], patch: &[Value]) -> Result<bool, Failure> {
    let mut items = original.iter().chain(patch);
    let first = match items.next() {
        None => return Err(Failure::internal("no elements in any of the given slices")),
        Some(Value::Null) => return Err(crashed()),
        Some(Value::Array(_)) => return Err(rejected()),
        Some(first) => first,
    };
    if items.any(|item| type_name(item) != type_name(first)) {
        let lists = shown(&Value::from(vec![original.to_vec(), patch.to_vec()]));
        return Err(Failure::internal(format!("list element types are not identical: {lists}")));
    }
    Ok(first.is_object())
}

fn merge_maps(
    original: &mut Vec<Value>,
    patch: &mut [Value],
    item: Schema<'_>,
    key: Option<&str>,
) -> Result<Vec<Value>, Failure> {
    let Some(key) = key else {
        let text = format!("cannot merge lists without merge key for {}", lookup::kind(item));
        return Err(Failure::internal(text));
    };
    let room = original.len();
    let Divided { mut wanted, gone, replace } = divide(patch, key)?;
    original.retain(|item| item.get(key).is_none() || !gone.contains(&same_key(item, key)));
    if replace {
        let items: Vec<Value> = wanted.into_iter().map(|item| item.clone()).collect();
        return arrange(items.clone(), &[], &items, Some(key));
    }
    let merged = merge_items(original.clone(), &mut wanted, item, key)?;
    let wanted: Vec<Value> = wanted.into_iter().map(|item| item.clone()).collect();
    let arranged = arrange(merged.clone(), &wanted, original, Some(key))?;
    *original = merged;
    original.truncate(room);
    Ok(arranged)
}

/// The items of a patch, by what their `$patch` says.
struct Divided<'p> {
    wanted: Vec<&'p mut Value>,
    gone: HashSet<String>,
    replace: bool,
}

fn divide<'p>(patch: &'p mut [Value], key: &str) -> Result<Divided<'p>, Failure> {
    let mut divided = Divided { wanted: Vec::new(), gone: HashSet::new(), replace: false };
    for item in patch {
        let Some(fields) = item.as_object() else { return Err(crashed()) };
        let Some(directive) = fields.get(PATCH) else {
            divided.wanted.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") if fields.contains_key(key) => {
                divided.gone.insert(same_key(item, key));
            }
            Some("delete") => return Err(keyless(item, key)),
            Some("replace") => divided.replace = true,
            Some("merge") => return Err(Failure::internal("merging lists cannot yet be specified in the patch")),
            _ => return Err(directives::unknown(directive, fields)),
        }
    }
    Ok(divided)
}

fn merge_items(
    mut merged: Vec<Value>,
    patch: &mut [&mut Value],
    item: Schema<'_>,
    key: &str,
) -> Result<Vec<Value>, Failure> {
    let mut places = BTreeMap::new();
    for (place, item) in merged.iter().enumerate().filter(|(_, item)| item.get(key).is_some()) {
        places.entry(same_key(item, key)).or_insert(place);
    }
    for wanted in patch {
        if wanted.get(key).is_none() {
            return Err(keyless(wanted, key));
        }
        let known = places.get(&same_key(wanted, key)).and_then(|place| merged.get_mut(*place));
        match (known, &mut **wanted) {
            (Some(known), Value::Object(wanted)) => {
                let fields = known.as_object_mut().map(std::mem::take).unwrap_or_default();
                *known = Value::Object(merge_map(fields, wanted, item)?);
            }
            _ => {
                places.insert(same_key(wanted, key), merged.len());
                merged.push(Value::clone(wanted));
            }
        }
    }
    Ok(merged)
}

/// 500 for an item without the field that it would be found by.
pub(super) fn keyless(item: &Value, key: &str) -> Failure {
    Failure::internal(format!("map: {} does not contain declared merge key: {key}", shown(item)))
}
