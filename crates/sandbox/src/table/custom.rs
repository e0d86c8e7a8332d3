//! The columns of a custom resource: those of its definition, or the age
//! (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor/tableconvertor.go`).

use serde_json::{Value, json};

use super::age::{seconds, since};
use super::jsonpath::Path;
use super::read::Read;

/// A column that a definition adds.
pub(super) struct Column<'d> {
    declared: &'d Value,
    path: Option<Path>,
}

/// The columns that a definition declares for a version; nothing if it declares none.
pub(super) fn columns<'d>(definition: &'d Value, version: &str) -> Vec<Column<'d>> {
    let mut versions = definition.items("/spec/versions").iter();
    let declared = versions.find(|declared| declared.text("/name") == version);
    let columns = declared.map(|declared| declared.items("/additionalPrinterColumns")).unwrap_or_default();
    columns.iter().map(|declared| Column { declared, path: Path::read(declared.text("/jsonPath")) }).collect()
}

/// The definitions of the columns, with the name in front.
pub(super) fn definitions(columns: &[Column<'_>]) -> Value {
    let name = definition("Name", "string", "name", "The name of the object.", 0);
    let age = || definition("Age", "date", "", "The time since the object was created.", 0);
    let declared = columns.iter().map(Column::definition);
    let added: Vec<Value> = if columns.is_empty() { vec![age()] } else { declared.collect() };
    std::iter::once(name).chain(added).collect()
}

/// The cells of an object.
pub(super) fn cells(columns: &[Column<'_>], object: &Value, now: i64) -> Vec<Value> {
    let name = json!(object.text("/metadata/name"));
    if columns.is_empty() {
        return vec![name, json!(since(object.text("/metadata/creationTimestamp"), now))];
    }
    std::iter::once(name).chain(columns.iter().map(|column| column.cell(object, now))).collect()
}

fn definition(name: &str, ty: &str, format: &str, description: &str, priority: i64) -> Value {
    json!({"name": name, "type": ty, "format": format, "description": description, "priority": priority})
}

impl Column<'_> {
    fn definition(&self) -> Value {
        let declared = self.declared;
        let path = format!("Custom resource definition column (in JSONPath format): {}", declared.text("/jsonPath"));
        let description = declared.text_or("/description", &path);
        let [name, ty, format] = ["/name", "/type", "/format"].map(|field| declared.text(field));
        definition(name, ty, format, description, declared.whole("/priority"))
    }

    /// Only the first value that the path leads to is shown.
    fn cell(&self, object: &Value, now: i64) -> Value {
        let found = self.path.as_ref().and_then(|path| path.find(object));
        match found.as_deref() {
            Some([first, ..]) => shown(self.declared.text("/type"), first, now),
            _ => Value::Null,
        }
    }
}

/// A value as its column's type has it; nothing if it is of another type.
fn shown(ty: &str, value: &Value, now: i64) -> Value {
    match (ty, value) {
        ("string", value) => json!(as_text(value)),
        ("integer", Value::Number(number)) => whole(number).map_or(Value::Null, Value::from),
        ("number", Value::Number(number)) => json!(number.as_f64()),
        ("boolean", Value::Bool(truth)) => json!(truth),
        ("date", Value::String(moment)) => json!(date(moment, now)),
        _ => Value::Null,
    }
}

fn date(moment: &str, now: i64) -> String {
    match moment {
        "" | "null" => "<unknown>".to_owned(),
        moment if seconds(moment).is_none() => "<invalid>".to_owned(),
        moment => since(moment, now),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the server cuts numbers with fractions the same way")]
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().map(float).unwrap_or_default(),
        other => escaped(&other.to_string()),
    }
}

/// JSON as Go writes it: letters that mean something in HTML are escaped.
fn escaped(json: &str) -> String {
    let escapes =
        [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    escapes.into_iter().fold(json.to_owned(), |json, (letter, escape)| json.replace(letter, escape))
}

/// A number with a fraction as Go's `%v` shows it: with an exponent from 1e+06 on and below 1e-4.
fn float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_by_the_type_of_the_column() {
        let now = seconds("2026-01-01T00:00:00Z").unwrap();
        let cases = [
            ("string", json!(true), json!("true")),
            ("string", json!(2.5), json!("2.5")),
            ("string", json!(1e300), json!("1e+300")),
            ("string", json!(1_234_567.5), json!("1.2345675e+06")),
            ("string", json!(0.00001), json!("1e-05")),
            ("string", json!(["a<b"]), json!("[\"a\\u003cb\"]")),
            ("string", json!({"b": 1, "a": [null]}), json!("{\"a\":[null],\"b\":1}")),
            ("integer", json!(2.9), json!(2)),
            ("integer", json!("2"), json!(null)),
            ("number", json!(2), json!(2.0)),
            ("boolean", json!(true), json!(true)),
            ("boolean", json!("true"), json!(null)),
            ("date", json!("2025-12-31T23:59:00Z"), json!("60s")),
            ("date", json!("nope"), json!("<invalid>")),
            ("date", json!(""), json!("<unknown>")),
            ("date", json!(5), json!(null)),
        ];
        for (ty, value, expected) in cases {
            assert_eq!(shown(ty, &value, now), expected, "{ty} {value}");
        }
    }
}
