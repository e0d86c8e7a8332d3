//! Variables are evaluated at first use, at most once, and their failures say whose they are.

use serde_json::json;

use super::super::{Activation, Environment, Program, Roots, Type, Value, Variables};
use super::environment;

const FAILING: &str = "composited variable \"e\" fails to evaluate: no such key: nope";

fn declared(variables: &[(&str, &str)]) -> (Environment, Variables) {
    let mut environment = environment().with_variables();
    let mut declared = Variables::new();
    for (name, text) in variables {
        let program = environment.compile(text, &[]);
        environment.declare_variable(name, program.as_ref().map_or(&Type::Dyn, |program| program.result_type()));
        declared.push(*name, program);
    }
    (environment, declared)
}

fn outcome(variables: &[(&str, &str)], text: &str) -> Result<bool, String> {
    let object = json!({"metadata": {"name": "n1", "labels": {"a": "b"}}});
    let (environment, variables) = declared(variables);
    let program = environment.compile(text, &[Type::Bool]).map_err(|error| error.to_string())?;
    let roots = Roots { object: Some(&object), ..Roots::default() };
    match program.evaluate(&Activation::with_variables(roots, &variables)).result {
        Ok(Value::Bool(value)) => Ok(value),
        Ok(other) => Err(format!("not a boolean: {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn failing_variables_fail_only_where_used() {
    let declared = [("e", "object.nope"), ("f", "variables.e == 1"), ("ok", "1")];
    let nested = format!("composited variable \"f\" fails to evaluate: {FAILING}");
    let cases = [
        ("variables.ok == 1", Ok(true)),
        ("variables.e == 1", Err(FAILING.to_owned())),
        ("has(variables.e)", Err(FAILING.to_owned())),
        ("variables.f", Err(nested)),
        ("false && variables.e", Ok(false)),
        ("variables.e && false", Ok(false)),
        ("variables.e || true", Ok(true)),
        ("variables.?e.hasValue()", Err(FAILING.to_owned())),
        ("[1].all(x, variables.e == x)", Err(FAILING.to_owned())),
    ];
    for (text, expected) in cases {
        assert_eq!(outcome(&declared, text), expected, "{text}");
    }
}

#[test]
fn a_variable_sees_only_those_before_it() {
    let error = outcome(&[("f", "variables.e"), ("e", "1")], "variables.f == 1").unwrap_err();
    assert!(error.contains("composited variable \"f\" fails to compile"), "{error}");
    assert!(error.contains("undefined field 'e'"), "{error}");
}

#[test]
fn a_variable_has_the_type_of_its_expression() {
    let cases = [
        ("1", "variables.f == 'a'", false),
        ("dyn(1)", "variables.f == 'a'", true),
        ("[1]", "variables.f == ['a']", false),
        ("optional.of(1)", "variables.f == 'a'", true),
        ("{'a': 1}", "variables.f.a == 'b'", false),
    ];
    for (variable, text, accepted) in cases {
        let refused = outcome(&[("f", variable)], text).is_err_and(|error| error.contains("no matching overload"));
        assert_eq!(refused, !accepted, "{variable} then {text}");
    }
}

#[test]
fn a_later_declaration_of_a_name_wins() {
    assert_eq!(outcome(&[("a", "1"), ("a", "'x'")], "variables.a == 'x'"), Ok(true));
}

#[test]
fn variables_are_undeclared_where_there_are_none() {
    let error = environment().compile("variables.a == 1", &[Type::Bool]).unwrap_err();
    assert_eq!(error.findings()[0].message, "undeclared reference to 'variables' (in container '')");
}

#[test]
fn memoised_variables_cost_once_and_apart() {
    let (environment, variables) = declared(&[("l", "[1, 2, 3].map(x, x * 2)")]);
    let program = environment.compile("variables.l.size() == 3 && 2 in variables.l", &[Type::Bool]).unwrap();
    let activation = Activation::with_variables(Roots::default(), &variables);
    let first = program.evaluate(&activation);
    assert_eq!((first.cost, first.variables_cost), (9, 43));
    let second = program.evaluate(&activation);
    assert_eq!((second.cost, second.variables_cost), (9, 0));
}

/// One expression before, then all, those of later variables first: they pay for what they use.
#[test]
fn a_next_phase_pays_for_variables_like_the_first() {
    let variables = [
        ("one", "1 + 0"),
        ("list", "[variables.one, 2, 3].map(x, x * variables.one)"),
        ("fails", "variables.list[5]"),
        ("absorbs", "variables.fails == 1 || variables.one == 1"),
        ("last", "variables.one == 1 ? variables.list : [variables.fails]"),
        ("broken", "variables.nope"),
    ];
    let texts = ["broken == 1", "last == [1]", "absorbs", "fails == 1", "list.size() == 3", "one == 1"];
    let texts = texts.map(|text| format!("variables.{text}"));
    let (environment, variables) = declared(&variables);
    let programs = texts.map(|text| environment.compile(&text, &[Type::Bool]).unwrap());
    for first in &programs {
        let fresh = Activation::with_variables(Roots::default(), &variables);
        let mut activation = Activation::with_variables(Roots::default(), &variables);
        first.evaluate(&activation);
        activation.next_phase();
        assert_eq!(evaluations(&programs, &activation), evaluations(&programs, &fresh));
    }
}

fn evaluations<'a>(programs: &'a [Program], activation: &Activation<'a>) -> Vec<String> {
    programs.iter().map(|program| format!("{:?}", program.evaluate(activation))).collect()
}
