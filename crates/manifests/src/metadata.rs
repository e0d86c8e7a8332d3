//! The guard on Nodes, and the same on ShadowNodes: metadata only, owned keys only.

use ownership::Profile;
use ownership::guard::{Guard, Rule};
use ownership::matcher::Owned;
use ownership::spec::Limits;

use crate::expression::{allows, claim_names, declare_claim, own_node, owns, same_but};
use crate::policy::Draft;

/// Metadata that an agent, or the server on its behalf, may change.
const CHANGEABLE: [&str; 5] = ["labels", "annotations", "managedFields", "resourceVersion", "generation"];

/// A map of the metadata, and the variables that hold it before and after.
struct Half<'a> {
    field: &'static str,
    rule: Rule,
    new: &'static str,
    old: &'static str,
    foreign: &'static str,
    bad: &'static str,
    owned: &'a Owned,
}

fn halves(profile: &Profile) -> [Half<'_>; 2] {
    [
        Half {
            field: "labels",
            rule: Rule::Labels,
            new: "newLabels",
            old: "oldLabels",
            foreign: "foreignLabels",
            bad: "badLabels",
            owned: profile.labels(),
        },
        Half {
            field: "annotations",
            rule: Rule::Annotations,
            new: "newAnnotations",
            old: "oldAnnotations",
            foreign: "foreignAnnotations",
            bad: "badAnnotations",
            owned: profile.annotations(),
        },
    ]
}

pub(crate) fn draft(profile: &Profile, guard: Guard) -> Draft {
    let mut draft = Draft::new(guard, profile);
    match guard {
        Guard::ShadowNodes => draft.matching("nodebound.io", "v1alpha1", &["shadownodes", "shadownodes/*"], &["*"]),
        _ => draft.matching("", "v1", &["nodes", "nodes/*"], &["*"]),
    }
    let halves = halves(profile);
    draft.variable("update", "request.operation == 'UPDATE'");
    declare_claim(&mut draft, profile);
    halves.iter().for_each(|half| half.declare(&mut draft));
    draft.rule(Rule::Operation, "variables.update");
    if let Some(own) = own_node(profile, &claim_names(profile, "oldObject")) {
        draft.rule(Rule::OwnNode, on_update(&own));
    }
    draft.rule(Rule::Spec, on_update(&unchanged("spec")));
    draft.rule(Rule::Status, on_update(&unchanged("status")));
    let metadata = same_but(&CHANGEABLE, "dyn(object.metadata)", "dyn(oldObject.metadata)");
    draft.rule(Rule::Metadata, on_update(&metadata));
    halves.iter().for_each(|half| draft.rule_without(half.rule, &format!("variables.{}", half.foreign)));
    values(&mut draft, &halves);
    limits(&mut draft, &halves, profile.limits());
    draft
}

/// A rule that is judged on updates alone; for anything else `operation` speaks.
fn on_update(rule: &str) -> String {
    format!("!variables.update || ({rule})")
}

fn unchanged(field: &str) -> String {
    format!(
        "has(object.{field}) == has(oldObject.{field}) && (!has(object.{field}) || object.{field} == oldObject.{field})"
    )
}

impl Half<'_> {
    fn declare(&self, draft: &mut Draft) {
        let Self { field, new, old, foreign, owned, .. } = self;
        for (variable, object) in [(new, "object"), (old, "oldObject")] {
            let present = format!("variables.update && has({object}.metadata.{field})");
            draft.variable(variable, format!("{present} ? {object}.metadata.{field} : {{}}"));
        }
        let (new, old) = (format!("variables.{new}"), format!("variables.{old}"));
        let owned = owns(owned);
        let set = format!("{new}.filter(k, !(k in {old} && {new}[k] == {old}[k]) && !({owned}))");
        let removed = format!("{old}.filter(k, !(k in {new}) && !({owned}))");
        draft.variable(foreign, format!("{new} == {old} ? [] : {set} + {removed}"));
    }

    /// Declares the keys that were added or changed and have a value that is not allowed, if values are restricted.
    fn declare_bad(&self, draft: &mut Draft) -> Option<String> {
        let (new, old) = (format!("variables.{}", self.new), format!("variables.{}", self.old));
        let allowed = allows(self.owned, &new)?;
        let bad = format!("{new}.filter(k, !(k in {old} && {new}[k] == {old}[k]) && !({allowed}))");
        draft.variable(self.bad, format!("{new} == {old} ? [] : {bad}"));
        Some(format!("variables.{}", self.bad))
    }
}

fn values(draft: &mut Draft, halves: &[Half<'_>]) {
    let bad: Vec<String> = halves.iter().filter_map(|half| half.declare_bad(draft)).collect();
    match bad.as_slice() {
        [] => {}
        [one] => draft.rule_without(Rule::Values, one),
        several => draft.rule_without(Rule::Values, &format!("({})", several.join(" + "))),
    }
}

fn limits(draft: &mut Draft, halves: &[Half<'_>], limits: Limits) {
    let mut bounds = Vec::new();
    if let Some(limit) = limits.removed_keys {
        let removed = total(draft, halves, "removed", removed);
        bounds.push(format!("{removed} <= {limit}"));
    }
    let grown = [("Keys", limits.owned_keys, key_count as Measure), ("Bytes", limits.owned_bytes, byte_count)];
    for (name, limit, measure) in grown {
        let Some(limit) = limit else { continue };
        let after = total(draft, halves, &format!("new{name}"), |half| measure(half, half.new));
        let before = total(draft, halves, &format!("old{name}"), |half| measure(half, half.old));
        bounds.push(format!("({after} <= {limit} || {after} <= {before})"));
    }
    if !bounds.is_empty() {
        draft.rule(Rule::Limits, bounds.join(" && "));
    }
}

type Measure = fn(&Half<'_>, &str) -> String;

/// Declares the sum of a measure over labels and annotations, each in a variable with a cost limit of its own.
fn total(draft: &mut Draft, halves: &[Half<'_>], name: &str, measure: impl Fn(&Half<'_>) -> String) -> String {
    let parts: Vec<String> = halves
        .iter()
        .map(|half| {
            let variable = format!("{name}In{}", half.foreign.trim_start_matches("foreign"));
            draft.variable(&variable, measure(half));
            format!("variables.{variable}")
        })
        .collect();
    format!("({})", parts.join(" + "))
}

fn removed(half: &Half<'_>) -> String {
    let Half { new, old, owned, .. } = half;
    format!("size(variables.{old}.filter(k, !(k in variables.{new}) && ({})))", owns(owned))
}

fn key_count(half: &Half<'_>, map: &str) -> String {
    format!("size(variables.{map}.filter(k, {}))", owns(half.owned))
}

fn byte_count(half: &Half<'_>, map: &str) -> String {
    let size = format!("size(bytes(k)) + size(bytes(variables.{map}[k]))");
    format!("variables.{map}.map(k, ({}) ? {size} : 0).sum()", owns(half.owned))
}
