//! Exact run-time costs of the forms that policies on labels take.

use serde_json::{Map, Value as Json, json};

use super::super::{Activation, EvalError, Roots, Type, Variables};
use super::environment;

/// A Node with so many foreign labels, and as many owned ones as asked. Keys have 38 to 46 code points.
fn node(foreign: usize, owned: usize) -> Json {
    let mut labels = Map::new();
    for index in 0..foreign {
        labels.insert(format!("feature.node.example.com/capability-{index:05}"), json!("true"));
    }
    for index in 0..owned {
        labels.insert(format!("cpu-feature.node.kubevirt.io/capab-{index:05}"), json!("true"));
    }
    json!({"metadata": {"name": "n1", "labels": labels}})
}

struct Form {
    variables: &'static [(&'static str, &'static str)],
    expression: &'static str,
}

const MAPS: &[(&str, &str)] = &[("newL", "object.metadata.labels"), ("oldL", "oldObject.metadata.labels")];

fn cost(form: &Form, object: &Json, old_object: &Json) -> Result<u64, EvalError> {
    let mut environment = environment().with_variables();
    let mut variables = Variables::new();
    for (name, text) in form.variables {
        let program = environment.compile(text, &[]);
        environment.declare_variable(name, program.as_ref().unwrap().result_type());
        variables.push(*name, program);
    }
    let program = environment.compile(form.expression, &[Type::Bool]).unwrap();
    let roots = Roots { object: Some(object), old_object: Some(old_object), ..Roots::default() };
    let outcome = program.evaluate(&Activation::with_variables(roots, &variables));
    outcome.result.map(|_| outcome.cost + outcome.variables_cost)
}

/// A form with its costs where a label was added to 170 foreign ones, to 25 foreign and 145 owned ones, and to
/// 1000 foreign ones; none where the server gives up.
type Case = (&'static str, Form, [Option<u64>; 3]);

fn cases() -> Vec<Case> {
    vec![
        (
            "upstream size",
            Form {
                variables: &[],
                expression: "size(object.metadata.labels.filter(k, !k.contains('kubevirt.io'))) == size(oldObject.metadata.labels.filter(k, !k.contains('kubevirt.io')))",
            },
            [Some(8517), Some(4167), Some(50017)],
        ),
        (
            "upstream list",
            Form {
                variables: FILTERED,
                expression: "variables.newN.all(k, k in variables.oldN && oldObject.metadata.labels[k] == object.metadata.labels[k])",
            },
            [Some(39967), Some(5167), None],
        ),
        (
            "owner first",
            Form {
                variables: MAPS,
                expression: "variables.newL.all(k, k.contains('kubevirt.io') || (k in variables.oldL && variables.newL[k] == variables.oldL[k])) && variables.oldL.all(k, k.contains('kubevirt.io') || k in variables.newL)",
            },
            [Some(7330), Some(4575), Some(43020)],
        ),
        (
            "equality first",
            Form {
                variables: MAPS,
                expression: "variables.newL.all(k, (k in variables.oldL && variables.newL[k] == variables.oldL[k]) || k.contains('kubevirt.io')) && variables.oldL.all(k, k in variables.newL || k.contains('kubevirt.io'))",
            },
            [Some(3594), Some(3594), Some(21024)],
        ),
        (
            "shortcut",
            Form {
                variables: MAPS,
                expression: "variables.newL == variables.oldL || (variables.newL.all(k, (k in variables.oldL && variables.newL[k] == variables.oldL[k]) || k.contains('kubevirt.io')) && variables.oldL.all(k, k in variables.newL || k.contains('kubevirt.io')))",
            },
            [Some(3615), Some(3615), Some(21128)],
        ),
        (
            "two variables",
            Form {
                variables: MAPS,
                expression: "variables.newL.all(k, v, (k in variables.oldL && v == variables.oldL[k]) || k.contains('kubevirt.io')) && variables.oldL.all(k, k in variables.newL || k.contains('kubevirt.io'))",
            },
            [Some(3254), Some(3254), Some(19024)],
        ),
        (
            "optional index",
            Form {
                variables: MAPS,
                expression: "variables.newL.all(k, variables.oldL[?k] == optional.of(variables.newL[k]) || k.contains('kubevirt.io')) && variables.oldL.all(k, k in variables.newL || k.contains('kubevirt.io'))",
            },
            [Some(3087), Some(3087), Some(18027)],
        ),
        (
            "transform",
            Form {
                variables: MAPS,
                expression: "variables.newL.transformMap(k, v, !k.contains('kubevirt.io'), v) == variables.oldL.transformMap(k, v, !k.contains('kubevirt.io'), v)",
            },
            [Some(5475), Some(3721), Some(32118)],
        ),
    ]
}

const FILTERED: &[(&str, &str)] = &[
    ("oldN", "oldObject.metadata.labels.filter(k, !k.contains('kubevirt.io'))"),
    ("newN", "object.metadata.labels.filter(k, !k.contains('kubevirt.io'))"),
];

fn with_added_label(node: &Json) -> Json {
    let mut node = node.clone();
    node["metadata"]["labels"]["new.kubevirt.io/x"] = json!("1");
    node
}

#[test]
fn label_forms_cost_what_they_cost_the_server() {
    for (name, form, expected) in cases() {
        for ((foreign, owned), expected) in [(170, 0), (25, 145), (1000, 0)].into_iter().zip(expected) {
            let before = node(foreign, owned);
            let found = cost(&form, &with_added_label(&before), &before);
            let expected = expected.ok_or(EvalError::CostLimit).map_err(|error| in_variables(&error, &form, &found));
            assert_eq!(found, expected, "{name}, {foreign} foreign, {owned} owned");
        }
    }
}

/// The limit as it is reported where it may be that of a variable.
fn in_variables(limit: &EvalError, form: &Form, found: &Result<u64, EvalError>) -> EvalError {
    match found {
        Err(error) if !form.variables.is_empty() && error.to_string().ends_with(&limit.to_string()) => error.clone(),
        _ => limit.clone(),
    }
}

#[test]
fn an_unchanged_map_costs_next_to_nothing() {
    let (_, form, _) = cases().swap_remove(4);
    let node = node(1000, 0);
    assert_eq!(cost(&form, &node, &node), Ok(110));
}

/// KubeVirt's rule looks keys up in a list, so that its cost grows with the square of the foreign labels.
#[test]
fn the_upstream_list_form_gives_up_between_993_and_994_labels() {
    const INLINE: Form = Form {
        variables: &[],
        expression: "object.metadata.labels.filter(k, !k.contains('kubevirt.io')).all(k, k in \
                     oldObject.metadata.labels.filter(k, !k.contains('kubevirt.io')))",
    };
    for (labels, fits) in [(100, true), (1000, false)] {
        let node = node(labels, 0);
        assert_eq!(cost(&INLINE, &node, &node).is_ok(), fits, "{labels}");
    }
}

#[test]
fn single_operations_cost_what_they_cost_the_server() {
    let object = json!({"a": {"b": "x".repeat(95), "l": [1, 2, 3], "m": {"k": "v"}}});
    let cases: &[(&str, u64)] = SINGLE;
    for (text, expected) in cases {
        let program = environment().compile(text, &[]).unwrap();
        let roots = Roots { object: Some(&object), ..Roots::default() };
        assert_eq!(program.evaluate(&Activation::new(roots)).cost, *expected, "{text}");
    }
}

/// Expressions with their cost, failing ones included.
const SINGLE: &[(&str, u64)] = &[
    ("object", 1),
    ("object.a.b", 3),
    ("has(object.a.b)", 2),
    ("has(object.a.zz)", 2),
    ("object.a.b == 'x'", 4),
    ("object.a.b == object.a.b", 16),
    ("object.a.b.startsWith('x')", 13),
    ("object.a.b.contains('xxxxxxxxxxx')", 23),
    ("object.a.b.matches('^x+$')", 13),
    ("object.a.b + 'y'", 13),
    ("'y' in ['x', 'y']", 0),
    ("object.a.b in ['x', 'y']", 3),
    ("1 in object.a.l", 4),
    ("2 in [1, size('a')]", 13),
    ("object.a.l.all(x, true)", 13),
    ("object.a.l.map(x, x)", 43),
    ("object.a.l.filter(x, x > 1)", 36),
    ("[1, size('a')]", 11),
    ("{'a': size('a')}", 31),
    ("{'a': 1}", 0),
    ("object.a.b ? 1 : 2", 3),
    ("true ? object.a.b : ''", 2),
    ("true ? size('a') : 2", 1),
    ("(true ? object.a : object).b", 2),
    ("has((true ? object.a : object).b)", 1),
    ("object.?a.?b", 3),
    ("object.a[?'zz'].orValue(1)", 2),
    ("object.a['b'] < 'y'", 4),
    ("object.nope + object.nope2", 5),
    ("int(object.a.b)", 4),
    ("object.a.l[object.a.l[0]]", 7),
    ("object.a.m.transformMap(k, v, v)", 8),
    ("optional.of(1)", 1),
    ("!(1 == 1)", 2),
    ("string(b'abc')", 0),
    ("bytes(object.a.b + '')", 23),
    ("type(1) == int", 1),
    ("object.a.l + [4]", 4),
    ("object.a.b.matches(object.a.b)", 246),
    ("matches(object.a.b, object.a.b)", 7),
];
