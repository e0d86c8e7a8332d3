//! Expressions with the cost and the outcome that the server's own packages gave for them.
//!
//! Each line of the table is `[expression, cost, outcome]`; an outcome starts with `=` for a value,
//! `!` for a failed evaluation and `?` for an expression that does not compile. Made with Kubernetes 1.36,
//! stored mode; known differences are not in the table.

use serde::Deserialize;

use crate::cel::functions::display_double;
use crate::cel::program::Roots;
use crate::cel::{Activation, Environment, KubeVersion, Mode, Value};

const TABLE: &str = include_str!("expressions.jsonl");

#[derive(Deserialize)]
struct Case(String, u64, String);

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Uint(number) => format!("{number}u"),
        Value::Double(number) => format!("d{}", display_double(*number)),
        Value::String(text) => serde_json::to_string(text.as_str()).unwrap(),
        Value::Bytes(octets) => format!("b{}", octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>()),
        Value::Optional(Some(value)) => format!("some({})", shown(value)),
        Value::Optional(None) => String::from("none"),
        Value::List(list) => format!("[{}]", list.iter().map(|item| shown(&item)).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let pair = |(key, value): (Value<'_>, Value<'_>)| format!("{}: {}", shown(&key), shown(&value));
            let mut pairs: Vec<String> = map.iter().map(pair).collect();
            pairs.sort();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Opaque(value) => format!("<{}>", value.type_name()),
        other => crate::cel::show::show(other),
    }
}

fn outcome(expression: &str) -> (u64, String) {
    let environment = Environment::new(KubeVersion::minor(36), Mode::Stored);
    match environment.compile(expression, &[]) {
        Err(error) => (0, format!("? {error}")),
        Ok(program) => {
            let activation = Activation::new(Roots::default());
            let evaluation = program.evaluate(&activation);
            let text = match &evaluation.result {
                Ok(value) => format!("= {}", shown(value)),
                Err(error) => format!("! {error}"),
            };
            (evaluation.cost, text)
        }
    }
}

#[test]
fn expressions_cost_and_give_what_they_do_on_the_server() {
    let mut differences = Vec::new();
    for line in TABLE.lines() {
        let Case(expression, cost, expected) = serde_json::from_str(line).expect(line);
        let found = outcome(&expression);
        if found != (cost, expected.clone()) {
            differences.push(format!("{expression}\n  server {cost} {expected}\n  here   {} {}", found.0, found.1));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
