//! Rendered policies with one mistake each, to see whether the agreement with the rule in Rust notices.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec};
use manifests::Guarding;

/// A guard with one mistake.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Which mistake, and where.
    pub name: String,
    /// The guard with it.
    pub guarding: Guarding,
}

/// Texts that are exchanged for others, one occurrence at a time.
const EXCHANGES: [(&str, &str); 12] = [
    ("==", "!="),
    (" && ", " || "),
    (" || ", " && "),
    ("!(", "("),
    ("!variables.", "variables."),
    ("startsWith(", "contains("),
    ("^([^/]*[.])?", ""),
    ("'^", "'"),
    ("$'", "'"),
    (" <= ", " < "),
    (".all(", ".exists("),
    ("has(object", "has(oldObject"),
];

/// Every mutant of a guard: each rule dropped, each exchange at each place, each message's list of keys emptied.
#[must_use]
pub fn of(guarding: &Guarding) -> Vec<Mutant> {
    let mut mutants = dropped(guarding);
    for place in 0..expressions(&mut spec(&guarding.policy)).len() {
        for (from, to) in EXCHANGES {
            mutants.extend(exchanged(guarding, place, from, to));
        }
    }
    mutants
}

fn spec(policy: &ValidatingAdmissionPolicy) -> ValidatingAdmissionPolicySpec {
    policy.spec.clone().unwrap_or_default()
}

fn dropped(guarding: &Guarding) -> Vec<Mutant> {
    let count = spec(&guarding.policy).validations.unwrap_or_default().len();
    let drop = |index: usize| {
        let mut spec = spec(&guarding.policy);
        let dropped = spec.validations.as_mut().map(|validations| validations.remove(index));
        let name = format!("without {}", dropped.and_then(|v| v.message).unwrap_or_default());
        mutant(guarding, spec, name)
    };
    (0..count).map(drop).collect()
}

fn exchanged(guarding: &Guarding, place: usize, from: &str, to: &str) -> Vec<Mutant> {
    let mut original = spec(&guarding.policy);
    let text = expressions(&mut original)[place].clone();
    let starts: Vec<usize> = text.match_indices(from).map(|(start, _)| start).collect();
    let exchange = |start: &usize| {
        let mut spec = spec(&guarding.policy);
        let changed = format!("{}{to}{}", &text[..*start], &text[start + from.len()..]);
        let name = format!("`{from}` → `{to}` at {start} of {text}");
        *expressions(&mut spec)[place] = changed;
        mutant(guarding, spec, name)
    };
    starts.iter().map(exchange).collect()
}

/// Every expression of a policy: conditions, variables, validations, messages.
fn expressions(spec: &mut ValidatingAdmissionPolicySpec) -> Vec<&mut String> {
    let conditions = spec.match_conditions.iter_mut().flatten().map(|condition| &mut condition.expression);
    let variables = spec.variables.iter_mut().flatten().map(|variable| &mut variable.expression);
    let validations = spec.validations.iter_mut().flatten().flat_map(|validation| {
        std::iter::once(&mut validation.expression).chain(validation.message_expression.as_mut())
    });
    conditions.chain(variables).chain(validations).collect()
}

fn mutant(guarding: &Guarding, spec: ValidatingAdmissionPolicySpec, name: String) -> Mutant {
    let policy = ValidatingAdmissionPolicy { spec: Some(spec), ..guarding.policy.clone() };
    Mutant { name, guarding: Guarding { policy, ..guarding.clone() } }
}
