//! Values against their schemas, with the texts of kube-openapi (`pkg/validation/validate`) and without errors about
//! what an update leaves unchanged (`apiextensions-apiserver/pkg/apiserver/validation/ratcheting.go`).

use serde_json::{Map, Value};

use super::correlation::Pair;
use super::formats;
use super::numbers::{self, NumberType};
use super::outcome::{Outcome, Problem};
use super::structural::{Additional, Schema};

/// How schemas are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// For objects: an int-or-string is of one of the two types.
    Objects,
    /// For defaults: an int-or-string is of any type.
    Defaults,
}

/// Checks a value against its schema. With a pair, what an update leaves unchanged passes.
pub fn check(schema: &Schema, value: &Value, path: &str, pair: Option<Pair<'_>>, reading: Reading) -> Outcome {
    let outcome = Check { schema, path, pair, reading }.all(value);
    match pair {
        Some(pair) if !outcome.is_valid() && pair.is_unchanged() => {
            Outcome { problems: Vec::new(), matches: outcome.matches }
        }
        _ => outcome,
    }
}

struct Check<'c> {
    schema: &'c Schema,
    path: &'c str,
    pair: Option<Pair<'c>>,
    reading: Reading,
}

impl Check<'_> {
    fn all(&self, value: &Value) -> Outcome {
        let mut outcome = Outcome::default();
        if value.is_null() {
            outcome.merge(self.null());
            outcome.merge(self.choice(value));
            return outcome;
        }
        for part in self.parts(value) {
            outcome.merge(part);
            outcome.matches += 1;
        }
        outcome.matches += 1;
        outcome
    }

    /// The checks that apply to the value, in the server's order.
    fn parts(&self, value: &Value) -> Vec<Outcome> {
        let mut parts = Vec::new();
        if !self.types().is_empty() || !self.format().is_empty() {
            parts.push(self.kind(value));
        }
        parts.push(self.alternatives(value));
        match value {
            Value::String(text) => {
                parts.push(self.text(text));
                parts.extend(formats::is_known(self.format()).then(|| self.formatted(text)));
            }
            Value::Number(_) => parts.push(self.number(value)),
            Value::Array(items) => parts.push(self.list(items)),
            _ => {}
        }
        parts.push(self.choice(value));
        if let Value::Object(fields) = value {
            parts.push(self.object(fields));
        }
        parts
    }

    fn types(&self) -> Vec<&str> {
        if self.schema.extensions.int_or_string && self.reading == Reading::Objects {
            return vec!["integer", "string"];
        }
        Some(self.schema.kind.as_str()).filter(|kind| !kind.is_empty()).into_iter().collect()
    }

    /// The format, unless the type does not know it.
    fn format(&self) -> &str {
        let format = self.schema.format.as_str();
        let known = match self.types().as_slice() {
            [] | ["string"] => formats::is_known(format),
            ["integer"] => matches!(format, "int32" | "int64"),
            ["number"] => matches!(format, "float" | "double"),
            [_, _] => formats::is_known(format),
            _ => false,
        };
        if known { format } else { "" }
    }

    fn null(&self) -> Outcome {
        let types = self.types();
        if types.is_empty() || self.schema.nullable {
            return Outcome { problems: Vec::new(), matches: 1 };
        }
        Outcome::failed(Problem::mistyped(self.path, &types.join(","), "null"))
    }

    fn kind(&self, value: &Value) -> Outcome {
        let fine = Outcome { problems: Vec::new(), matches: 1 };
        let (types, format) = (self.types(), self.format());
        let (found, found_format) = kind_of(value);
        let numeric = types.contains(&"number") || types.contains(&"integer");
        let whole = found == "number" && value.as_f64().is_some_and(numbers::is_whole) && types.contains(&"integer");
        let widened = found == "integer" && types.contains(&"number");
        let fits = types.contains(&found) || whole || widened;
        let plain = matches!(value, Value::String(_) | Value::Array(_));
        if !format.is_empty() && !plain && !fits && format != found_format {
            return Outcome::failed(Problem::mistyped(self.path, format, found_format));
        }
        if (!numeric && !format.is_empty() && plain) || fits {
            return fine;
        }
        Outcome::failed(Problem::mistyped(self.path, &types.join(","), found))
    }

    fn text(&self, text: &str) -> Outcome {
        let bounds = &self.schema.bounds;
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let value = || Some(Value::from(text));
        let problem = match (bounds.max_length, bounds.min_length) {
            (Some(most), _) if length > most => Some(Problem::too_long(self.path, most)),
            (_, Some(least)) if length < least => {
                Some(Problem::invalid(self.path, value(), format!("should be at least {least} chars long")))
            }
            _ => self.mismatch(text).map(|rule| Problem::invalid(self.path, value(), rule)),
        };
        problem.map_or_else(Outcome::default, Outcome::failed)
    }

    /// What is said of a text that the pattern does not match.
    fn mismatch(&self, text: &str) -> Option<String> {
        let pattern = &self.schema.pattern;
        match &self.schema.regex {
            _ if pattern.is_empty() => None,
            Some(regex) => (!regex.is_match(text)).then(|| format!("should match '{pattern}'")),
            None => {
                let why = admission::cel::library::re2::compile(pattern).err().unwrap_or_default();
                Some(format!("should match '{pattern}, but pattern is invalid: {why}'"))
            }
        }
    }

    fn formatted(&self, text: &str) -> Outcome {
        if formats::matches(self.format(), text) {
            return Outcome::default();
        }
        Outcome::failed(Problem::mistyped(self.path, self.format(), text))
    }

    fn number(&self, value: &Value) -> Outcome {
        let kind = match self.types().as_slice() {
            ["integer"] => NumberType { name: "integer", format: self.format() },
            ["number"] => NumberType { name: "number", format: self.format() },
            _ => NumberType { name: "", format: "" },
        };
        numbers::check(value, &self.schema.bounds, kind, self.path)
    }

    fn choice(&self, value: &Value) -> Outcome {
        let choices = &self.schema.choices;
        if choices.is_empty() || choices.iter().any(|choice| is_choice(value, choice)) {
            return Outcome::default();
        }
        Outcome::failed(Problem::unknown_choice(self.path, value, choices))
    }

    fn list(&self, items: &[Value]) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(schema) = &self.schema.items {
            for (index, item) in items.iter().enumerate() {
                let pair = self.pair.and_then(|pair| pair.index(index));
                outcome.merge(check(schema, item, &format!("{}[{index}]", self.path), pair, self.reading));
            }
        }
        let bounds = &self.schema.bounds;
        self.sized(&mut outcome, items.len(), "items", bounds.min_items, bounds.max_items);
        if self.schema.unique_items && has_duplicates(items) {
            outcome.add(Problem::invalid(self.path, None, "shouldn't contain duplicates"));
        }
        outcome.matches += 1;
        outcome
    }

    fn sized(&self, outcome: &mut Outcome, size: usize, what: &str, least: Option<i64>, most: Option<i64>) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if let Some(least) = least.filter(|least| size < *least) {
            let rule = format!("should have at least {least} {what}");
            outcome.add(Problem::invalid(self.path, Some(Value::from(size)), rule));
        }
        if let Some(most) = most.filter(|most| size > *most) {
            outcome.add(Problem::too_many(self.path, what, size, most));
        }
    }

    fn object(&self, fields: &Map<String, Value>) -> Outcome {
        let mut outcome = Outcome::default();
        let bounds = &self.schema.bounds;
        self.sized(&mut outcome, fields.len(), "properties", bounds.min_properties, bounds.max_properties);
        let others = fields.iter().filter(|(name, _)| !self.schema.properties.contains_key(*name));
        match &self.schema.additional {
            Additional::Allowed(false) => others.for_each(|(name, _)| outcome.add(self.forbidden(name))),
            Additional::Schema(schema) => {
                others.for_each(|(name, value)| outcome.merge(self.field(schema, name, value, self.below(name))));
            }
            _ => {}
        }
        for (name, schema) in &self.schema.properties {
            let path = if self.path.is_empty() { name.clone() } else { self.below(name) };
            if let Some(value) = fields.get(name) {
                outcome.merge(self.field(schema, name, value, path));
            }
        }
        let missing = self.schema.required.iter().filter(|name| !fields.contains_key(*name));
        missing.for_each(|name| outcome.add(Problem::missing(&self.below(name))));
        outcome
    }

    fn below(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    fn forbidden(&self, name: &str) -> Problem {
        let text = format!("{}.{name} in body is a forbidden property", self.path);
        Problem::declared(self.path, Value::from(name), text)
    }

    /// `apiVersion` and `kind` of the object itself have no old values.
    fn field(&self, schema: &Schema, name: &str, value: &Value, path: String) -> Outcome {
        let is_type = self.path.is_empty() && matches!(name, "apiVersion" | "kind");
        let pair = self.pair.filter(|_| !is_type).and_then(|pair| pair.key(name));
        check(schema, value, &path, pair, self.reading)
    }

    fn alternatives(&self, value: &Value) -> Outcome {
        let mut outcome = Outcome::default();
        self.any_of(value, &mut outcome);
        self.one_of(value, &mut outcome);
        self.all_of(value, &mut outcome);
        if let Some(schema) = &self.schema.not
            && self.alternative(schema, value).is_valid()
        {
            outcome.add(self.placeless("must not validate the schema (not)"));
        }
        outcome.matches += 1;
        outcome
    }

    /// Alternatives know no old values.
    fn alternative(&self, schema: &Schema, value: &Value) -> Outcome {
        check(schema, value, self.path, None, self.reading)
    }

    fn placeless(&self, rule: &str) -> Problem {
        Problem::placeless(format!("{} {rule}", admission::quote::go_quoted(self.path)))
    }

    fn any_of(&self, value: &Value, outcome: &mut Outcome) {
        let mut best: Option<Outcome> = None;
        for schema in &self.schema.any_of {
            let result = self.alternative(schema, value);
            if result.is_valid() {
                return outcome.merge(result);
            }
            keep_better(&mut best, result);
        }
        if let Some(best) = best {
            outcome.add(self.placeless("must validate at least one schema (anyOf)"));
            outcome.merge(best);
        }
    }

    fn one_of(&self, value: &Value, outcome: &mut Outcome) {
        let (mut valid, mut best): (Vec<Outcome>, Option<Outcome>) = (Vec::new(), None);
        for schema in &self.schema.one_of {
            let result = self.alternative(schema, value);
            if result.is_valid() {
                best = None;
                valid.push(result);
            } else if valid.is_empty() {
                keep_better(&mut best, result);
            }
        }
        let found = match valid.len() {
            0 if best.is_none() => return,
            0 => String::from("Found none valid"),
            1 => return valid.into_iter().for_each(|only| outcome.merge(only)),
            several => format!("Found {several} valid alternatives"),
        };
        outcome.add(self.placeless(&format!("must validate one and only one schema (oneOf). {found}")));
        best.into_iter().for_each(|best| outcome.merge(best));
    }

    fn all_of(&self, value: &Value, outcome: &mut Outcome) {
        let mut valid = 0;
        for schema in &self.schema.all_of {
            let result = self.alternative(schema, value);
            valid += usize::from(result.is_valid());
            outcome.merge(result);
        }
        if valid != self.schema.all_of.len() {
            let none = if valid == 0 { ". None validated" } else { "" };
            outcome.add(self.placeless(&format!("must validate all the schemas (allOf){none}")));
        }
    }
}

fn keep_better(best: &mut Option<Outcome>, result: Outcome) {
    if best.as_ref().is_none_or(|best| result.matches > best.matches) {
        *best = Some(result);
    }
}

/// A value's type and the format that the server's own type suggests.
fn kind_of(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if number.as_i64().is_some() => ("integer", "int64"),
        Value::Number(_) => ("number", "float64"),
        Value::String(_) => ("string", ""),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    }
}

/// Whether a value is a choice, once it is converted to the choice's type.
fn is_choice(value: &Value, choice: &Value) -> bool {
    match (value, choice) {
        (Value::Null, _) => false,
        (Value::Number(value), Value::Number(choice)) => match (value.as_i64(), choice.as_i64()) {
            (None, Some(choice)) => value.as_f64().is_some_and(|value| same_whole(value, choice)),
            _ => value.as_f64() == choice.as_f64(),
        },
        (value, choice) => value == choice,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the server truncates too")]
fn same_whole(value: f64, choice: i64) -> bool {
    value as i64 == choice
}

fn has_duplicates(items: &[Value]) -> bool {
    items.iter().enumerate().any(|(index, item)| items.iter().take(index).any(|earlier| earlier == item))
}
