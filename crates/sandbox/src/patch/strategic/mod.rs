//! Strategic merge patch, as the API server applies it (`k8s.io/apimachinery/pkg/util/strategicpatch`).
//!
//! The types say how a list is merged: by a key of its items, as a set of plain values, or not at all. The patch can
//! say otherwise: `$patch`, `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…`.

mod directives;
mod list;
mod lookup;
mod order;

use serde_json::{Map, Value};

use super::limits::{MAX_DEPTH, is_deeper};
use super::{no_object, rejected};
use crate::failure::Failure;
use crate::schema::Schema;
use directives::{DELETE_FROM_LIST, PATCH, discard_nulls, without_directives};

/// Applies a patch to an object of a type.
///
/// # Errors
/// 400 for a patch that is no object or has malformed directives, 422 for one that is rejected, 500 for what
/// the API server does not expect either.
pub fn apply(patch: &Value, target: &Value, schema: Schema<'_>) -> Result<Value, Failure> {
    apply_and_show(patch, target, schema).map(|(patched, _)| patched)
}

/// Applies a patch and also gives the patch as messages about the result show it: parts of it are used up.
///
/// # Errors
/// As [`apply`].
pub fn apply_and_show(patch: &Value, target: &Value, schema: Schema<'_>) -> Result<(Value, Value), Failure> {
    let mut patch = match patch {
        Value::Object(fields) => fields.clone(),
        Value::Null => Map::new(),
        other => return Err(Failure::bad_request(no_object(other))),
    };
    if patch.values().any(|field| is_deeper(field, MAX_DEPTH - 1)) || is_deeper(target, MAX_DEPTH) {
        return Err(rejected());
    }
    let target = target.as_object().cloned().unwrap_or_default();
    let patched = merge_map(target, &mut patch, schema)?;
    Ok((Value::Object(patched), Value::Object(patch)))
}

type Fields = Map<String, Value>;

fn merge_map(mut original: Fields, patch: &mut Fields, schema: Schema<'_>) -> Result<Fields, Failure> {
    if let Some(directive) = patch.get(PATCH) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(PATCH);
                Ok(patch.clone())
            }
            Some("delete") => Ok(Fields::new()),
            _ => Err(directives::unknown(directive, patch)),
        };
    }
    directives::retain_keys(&mut original, patch)?;
    order::merge_ordered_lists(&mut original, patch, schema)?;
    for (key, wanted) in patch.iter_mut() {
        let (name, deleting) = match key.starts_with(DELETE_FROM_LIST) {
            true => (directives::list_name(key, DELETE_FROM_LIST)?, true),
            false => (key.as_str(), false),
        };
        merge_field(&mut original, name, wanted, schema, deleting)?;
    }
    Ok(original)
}

fn merge_field(
    original: &mut Fields,
    name: &str,
    wanted: &mut Value,
    schema: Schema<'_>,
    deleting: bool,
) -> Result<(), Failure> {
    if wanted.is_null() {
        original.remove(name);
        return Ok(());
    }
    let merged = match (original.get_mut(name), &mut *wanted) {
        (Some(Value::Object(fields)), Value::Object(wanted)) => Some(Value::Object(match lookup::map(schema, name)? {
            Some(ty) => merge_map(std::mem::take(fields), wanted, ty)?,
            None => std::mem::take(wanted),
        })),
        (Some(Value::Array(items)), Value::Array(wanted)) => {
            let (ty, strategy) = lookup::list(schema, name)?;
            Some(Value::Array(list::merge(items, wanted, ty, strategy, deleting)?))
        }
        (Some(known), wanted) if deleting && !same_type(known, wanted) => return Ok(()),
        (None, _) if deleting => return Ok(()),
        (_, wanted) => {
            discard_nulls(wanted);
            without_directives(wanted)
        }
    };
    match merged {
        Some(value) => original.insert(name.to_owned(), value),
        None => original.remove(name),
    };
    Ok(())
}

/// Whether the server holds two plain values in the same type.
fn same_type(left: &Value, right: &Value) -> bool {
    super::go_text::type_name(left) == super::go_text::type_name(right)
}

#[cfg(test)]
mod tests;
