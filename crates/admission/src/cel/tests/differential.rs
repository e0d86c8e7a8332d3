//! Generated expressions: none panics, and where the interpreter of the `cel` crate gives a value, ours gives the same.

use proptest::prelude::*;
use serde_json::json;

use super::super::{Activation, Roots, Value};
use super::environment;

/// Texts in which the two are known to differ: numbers of different kinds, which the crate's operators treat otherwise.
fn is_comparable(text: &str) -> bool {
    !["1.5", "2u", "null", ".b", "m["].iter().any(|part| text.contains(part))
}

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("1"),
        Just("0"),
        Just("-3"),
        Just("1.5"),
        Just("2u"),
        Just("'a'"),
        Just("'kubevirt.io/x'"),
        Just("true"),
        Just("false"),
        Just("null"),
        Just("[1, 2]"),
        Just("['a', 'b']"),
        Just("{'a': 1}"),
        Just("m"),
        Just("m.a"),
        Just("m.b"),
        Just("l"),
        Just("s"),
        Just("x"),
    ]
    .prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 32, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        let operator = prop_oneof![
            Just("+"),
            Just("-"),
            Just("*"),
            Just("/"),
            Just("%"),
            Just("=="),
            Just("!="),
            Just("<"),
            Just(">="),
            Just("&&"),
            Just("||"),
            Just("in"),
        ];
        let fold = prop_oneof![Just("all"), Just("exists"), Just("exists_one"), Just("map"), Just("filter")];
        let method = prop_oneof![Just("startsWith"), Just("contains"), Just("endsWith")];
        prop_oneof![
            (pair.clone(), operator).prop_map(|((left, right), operator)| format!("({left} {operator} {right})")),
            (pair.clone(), fold).prop_map(|((range, body), fold)| format!("{range}.{fold}(x, {body})")),
            (pair.clone(), method).prop_map(|((text, part), method)| format!("{text}.{method}({part})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(test, yes, no)| format!("({test} ? {yes} : {no})")),
            pair.prop_map(|(container, key)| format!("{container}[{key}]")),
            inner.clone().prop_map(|value| format!("!({value})")),
            inner.clone().prop_map(|value| format!("size({value})")),
            inner.clone().prop_map(|value| format!("dyn({value})")),
            inner.prop_map(|value| format!("({value}).a")),
        ]
    })
}

/// The crate's result as text, for plain values.
fn theirs(text: &str) -> Option<String> {
    let program = cel::Program::compile(text).ok()?;
    let mut context = cel::Context::default();
    context.add_variable("m", std::collections::HashMap::from([("a", 1), ("b", 2)])).ok()?;
    context.add_variable("l", vec![1, 2, 3]).ok()?;
    context.add_variable("s", "text").ok()?;
    match program.execute(&context).ok()? {
        cel::Value::Bool(value) => Some(value.to_string()),
        cel::Value::Int(value) => Some(value.to_string()),
        cel::Value::String(value) => Some(value.to_string()),
        _ => None,
    }
}

fn ours(text: &str) -> Option<String> {
    let object = json!({"m": {"a": 1, "b": 2}, "l": [1, 2, 3], "s": "text"});
    let rooted = text.replace("m.", "object.m.").replace("m[", "object.m[");
    let program = environment().compile(&rooted, &[]).ok()?;
    let outcome = program.evaluate(&Activation::new(Roots { object: Some(&object), ..Roots::default() }));
    match outcome.result.ok()? {
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::String(value) => Some(value.as_str().to_owned()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = environment().compile(&text, &[]);
    }

    #[test]
    fn generated_expressions_agree_with_another_interpreter(text in expression()) {
        let ours = ours(&text);
        if let (Some(ours), Some(theirs)) = (ours, theirs(&text)) {
            if is_comparable(&text) {
                prop_assert_eq!(ours, theirs, "{}", text);
            }
        }
    }
}
