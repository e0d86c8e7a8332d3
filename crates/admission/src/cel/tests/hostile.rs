//! Expressions made to exhaust a parser, checker or evaluator.

use serde_json::json;

use super::super::{Activation, EvalError, Roots, Variables};
use super::{compile, environment};

fn refusal(text: &str) -> String {
    compile(text).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn deep_nesting_is_refused_or_survived() {
    for (open, core, close) in
        [("(", "1", ")"), ("[", "1", "]"), ("{1: ", "1", "}"), ("!(", "true", ")"), ("-(", "1", ")")]
    {
        for depth in [10, 100, 249, 250, 5_000, 30_000] {
            let text = [open.repeat(depth), core.to_owned(), close.repeat(depth)].concat();
            let text = format!("{text} == {text}");
            let error = refusal(&text);
            let too_deep =
                error.contains("expression recursion limit exceeded: 250") || error.contains("size exceeds limit");
            assert_eq!(too_deep, depth >= 250, "{open} {depth}: {error:.200}");
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

#[test]
fn a_chain_of_variables_does_not_exhaust_the_stack() {
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
    let program = environment.compile(&format!("{text} == 0"), &[]).unwrap();
    let outcome = program.evaluate(&Activation::with_variables(Roots::default(), &variables));
    assert!(outcome.result.unwrap_err().to_string().contains("evaluation nests too deeply"));
}
