//! Generated expressions: none panics, and where the interpreter of the `cel` crate gives a value, ours gives the same.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;

use super::super::{Activation, Roots, Value};
use super::environment;

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
        Just("object.m"),
        Just("object.m.a"),
        Just("object.m.b"),
        Just("object.l"),
        Just("object.s"),
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
    let object: HashMap<&str, cel::Value> = HashMap::from([
        ("m", HashMap::from([("a", 1), ("b", 2)]).into()),
        ("l", vec![1, 2, 3].into()),
        ("s", "text".into()),
    ]);
    context.add_variable_from_value("object", object);
    match program.execute(&context).ok()? {
        cel::Value::Bool(value) => Some(value.to_string()),
        cel::Value::Int(value) => Some(value.to_string()),
        cel::Value::String(value) => Some(value.to_string()),
        _ => None,
    }
}

fn ours(text: &str) -> Option<String> {
    let object = json!({"m": {"a": 1, "b": 2}, "l": [1, 2, 3], "s": "text"});
    let program = environment().compile(text, &[]).ok()?;
    let outcome = program.evaluate(&Activation::new(Roots { object: Some(&object), ..Roots::default() }));
    match outcome.result.ok()? {
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::String(value) => Some(value.as_str().to_owned()),
        _ => None,
    }
}

#[test]
fn both_interpreters_see_the_object() {
    for (text, expected) in [("object.m.a + 1", "2"), ("object.l.exists(x, x == 3)", "true"), ("object.s", "text")] {
        assert_eq!((ours(text).as_deref(), theirs(text).as_deref()), (Some(expected), Some(expected)), "{text}");
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
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }
}
