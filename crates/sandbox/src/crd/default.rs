//! Defaults of schemas (`apiextensions-apiserver/pkg/apiserver/schema/defaulting/algorithm.go`).

use serde_json::{Map, Value};

use super::structural::Schema;

/// Fills in defaults: of missing fields, and of nulls that may not be null.
pub fn fill(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => fill_fields(fields, schema),
        Value::Array(items) => {
            let Some(schema) = schema.items.as_deref() else { return };
            items.iter_mut().for_each(|item| fill_item(item, schema));
        }
        _ => {}
    }
}

fn fill_fields(fields: &mut Map<String, Value>, schema: &Schema) {
    for (name, property) in &schema.properties {
        let Some(default) = &property.default else { continue };
        let absent = fields.get(name).is_none_or(|value| value.is_null() && !property.nullable);
        if absent {
            fields.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in fields.iter_mut() {
        match (schema.properties.get(name), schema.additional.schema()) {
            (Some(property), _) => fill(value, property),
            (None, Some(others)) => fill_item(value, others),
            _ => {}
        }
    }
}

fn fill_item(value: &mut Value, schema: &Schema) {
    if value.is_null() && !schema.nullable {
        *value = schema.default.clone().unwrap_or(Value::Null);
    }
    fill(value, schema);
}
