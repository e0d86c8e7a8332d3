//! Expressions made to exhaust a parser, checker or evaluator.

use serde_json::json;

use super::super::{Activation, Cause, Environment, EvalError, Roots, Value, Variables};
use super::{compile, environment};

fn refusal(text: &str) -> String {
    compile(text).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn deep_nesting_is_refused_or_survived() {
    for (open, core, close) in
        [("(", "1", ")"), ("[", "1", "]"), ("{1: ", "1", "}"), ("!(", "true", ")"), ("-(", "1", ")")]
    {
        for depth in [10, 100, 248, 249, 5_000, 30_000] {
            let text = [open.repeat(depth), core.to_owned(), close.repeat(depth)].concat();
            let text = format!("{text} == {text}");
            let error = refusal(&text);
            let too_deep =
                error.contains("expression recursion limit exceeded: 250") || error.contains("size exceeds limit");
            assert_eq!(too_deep, depth >= 249, "{open} {depth}: {error:.200}");
        }
    }
}

#[test]
fn long_chains_are_refused_or_survived() {
    for link in [".a", "[0]", "+1", ".?a", ".size()", " == 1"] {
        for length in [10, 250, 251, 1_500, 20_000] {
            let text = format!("object{} == 1", link.repeat(length - 1));
            let error = refusal(&text);
            let too_deep = error.contains("max recursion depth exceeded") || error.contains("size exceeds limit");
            assert_eq!(too_deep, length > 250, "{link} {length}: {error:.200}");
        }
    }
}

#[test]
fn conjunctions_are_balanced() {
    for link in [" && object.a", " || object.a"] {
        assert_eq!(refusal(&format!("object.a{}", link.repeat(5_000))), "");
    }
}

#[test]
fn an_evaluation_ends_at_its_limit() {
    let numbers: Vec<u32> = (0..120).collect();
    let object = json!({"l": numbers});
    let program = compile("object.l.all(x, object.l.all(y, object.l.all(z, x + y + z >= 0)))").unwrap();
    let outcome = program.evaluate(&Activation::new(Roots { object: Some(&object), ..Roots::default() }));
    assert_eq!(outcome.result.unwrap_err(), EvalError::CostLimit);
    assert!(outcome.cost > 1_000_000 && outcome.cost < 1_001_000);
}

/// The server panics and recovers; nothing absorbs that.
#[test]
fn octets_as_keys_end_the_evaluation() {
    let object = json!({"a": "b"});
    for text in ["dyn(b'a') in ['a'] || true", "true && {bytes(object.a): 1}.size() == 1 || true"] {
        let program = compile(text).unwrap();
        let outcome = program.evaluate(&Activation::new(Roots { object: Some(&object), ..Roots::default() }));
        assert_eq!(outcome.result.unwrap_err(), EvalError::Unhashable, "{text}");
    }
}

#[test]
fn a_chain_of_variables_does_not_exhaust_the_stack() {
    let (environment, variables) = chain();
    let program = environment.compile("variables.v2999 == 3000", &[]).unwrap();
    let outcome = program.evaluate(&Activation::with_variables(Roots::default(), &variables));
    assert!(outcome.result.unwrap_err().to_string().contains("evaluation nests too deeply"));
}

/// What was too deep in one phase need not be in the next, which may use the variables in another order.
#[test]
fn what_was_too_deep_is_tried_again() {
    let (environment, variables) = chain();
    let uses = (99..3_000).step_by(100).map(|index| format!("variables.v{index} == {}", index + 1));
    let uses: Vec<_> = uses.map(|text| environment.compile(&text, &[]).unwrap()).collect();
    let mut activation = Activation::with_variables(Roots::default(), &variables);
    assert!(uses[29].evaluate(&activation).result.is_err());
    activation.next_phase();
    assert!(uses.iter().all(|program| matches!(program.evaluate(&activation).result, Ok(Value::Bool(true)))));
}

/// Variables each of which adds one to the one before.
fn chain() -> (Environment, Variables) {
    let mut environment = environment().with_variables();
    let mut variables = Variables::new();
    let mut text = String::from("1");
    for index in 0..3_000 {
        let name = format!("v{index}");
        let program = environment.compile(&text, &[]);
        environment.declare_variable(&name, program.as_ref().unwrap().result_type());
        variables.push(name, program);
        text = format!("variables.v{index} + 1");
    }
    (environment, variables)
}

/// Each variable puts a list around the one before, used in order so that no evaluation is deep.
#[test]
fn values_nested_through_variables_are_bounded() {
    for (first, wrapped) in [("1", "[variables.v]"), ("dyn(1)", "dyn([variables.v])"), ("'a'", "{'k': variables.v}")] {
        let mut environment = environment().with_variables();
        let mut variables = Variables::new();
        for index in 0..3_000_usize {
            let previous = format!("variables.v{}", index.saturating_sub(1));
            let text = if index == 0 { first.to_owned() } else { wrapped.replace("variables.v", &previous) };
            let program = environment.compile(&text, &[]);
            environment.declare_variable(&format!("v{index}"), program.as_ref().unwrap().result_type());
            variables.push(format!("v{index}"), program);
        }
        let uses = (0..3_000).map(|index| format!("variables.v{index} == variables.v{index}"));
        let uses: Vec<_> = uses.map(|text| environment.compile(&text, &[]).unwrap()).collect();
        let activation = Activation::with_variables(Roots::default(), &variables);
        let causes = uses.iter().map(|program| program.evaluate(&activation).result.err().map(|error| error.cause()));
        let first_failure = causes.enumerate().find_map(|(index, cause)| cause.map(|cause| (index, cause)));
        assert_eq!(first_failure, Some((1_001, Cause::Evaluator)), "{wrapped}");
    }
}
