//! The guard on a profile's other resources: objects that belong to the agent's own node.

use std::collections::BTreeMap;

use ownership::Profile;
use ownership::guard::{Guard, Rule};
use ownership::path::FieldPath;
use ownership::profile::Resource;
use ownership::spec::{OwnNode, ResourceOperation};

use crate::expression::{SERVER_MANAGED, declare_claim, held, list, own_node, quote, same_but};
use crate::policy::Draft;

pub(crate) fn draft(profile: &Profile) -> Draft {
    let mut draft = Draft::new(Guard::Resources, profile);
    for resource in profile.resources() {
        let subresources = format!("{}/*", resource.resource);
        let operations: Vec<&str> = resource.operations.iter().map(|operation| operation.as_str()).collect();
        draft.matching(&resource.group, &resource.version, &[&resource.resource, &subresources], &operations);
    }
    declare_claim(&mut draft, profile);
    for (index, resource) in profile.resources().iter().enumerate() {
        let entry = Entry { index, resource, profile };
        entry.declare(&mut draft);
        entry.own_node(&mut draft);
        if resource.operations.contains(&ResourceOperation::Update) {
            entry.node_field(&mut draft);
            entry.introduce(&mut draft);
            entry.fields(&mut draft);
        }
    }
    draft
}

struct Entry<'a> {
    index: usize,
    resource: &'a Resource,
    profile: &'a Profile,
}

impl Entry<'_> {
    /// The name of a variable of this entry.
    fn variable(&self, name: &str) -> String {
        format!("{name}{}", self.index)
    }

    fn declare(&self, draft: &mut Draft) {
        let Resource { group, resource, .. } = self.resource;
        let is =
            format!("request.resource.group == {} && request.resource.resource == {}", quote(group), quote(resource));
        draft.variable(&self.variable("is"), is);
        let update = format!("variables.{} && request.operation == 'UPDATE'", self.variable("is"));
        draft.variable(&self.variable("update"), update);
    }

    /// Without a check of the node the rule still stands, because a policy has at least one.
    fn own_node(&self, draft: &mut Draft) {
        let rule = match own_node(self.profile, &self.belongs()) {
            Some(rule) => format!("!variables.{} || ({rule})", self.variable("is")),
            None => "true".to_owned(),
        };
        draft.rule(Rule::OwnNode, rule);
    }

    /// Whether a node field names the claimed node. A claim on any node will do for an object that names none.
    fn belongs(&self) -> String {
        let named = |object: &str| {
            let fields = self.resource.node.iter().map(|path| format!("{} == variables.claim", held(object, path)));
            fields.collect::<Vec<_>>().join(" || ")
        };
        match self.resource.node.as_slice() {
            [] => "true".to_owned(),
            // A ternary over the two objects would not type-check where their types are known.
            _ => format!("(request.operation == 'CREATE' ? ({}) : ({}))", named("object"), named("oldObject")),
        }
    }

    /// The claimed node needs no mention: by the rule before, one of the fields names it already.
    fn node_field(&self, draft: &mut Draft) {
        if self.profile.node() == OwnNode::Any || self.resource.node.is_empty() {
            return;
        }
        let fields: Vec<&FieldPath> = self.resource.node.iter().chain(&self.resource.node_references).collect();
        let before: Vec<String> = fields.iter().map(|path| held("oldObject", path)).collect();
        let known = self.variable("known");
        draft.variable(&known, format!("[{}]", before.join(", ")));
        let stray = |path: &FieldPath| format!("!({} in variables.{known})", held("object", path));
        self.paths(draft, Rule::NodeField, "moved", fields, stray);
    }

    fn introduce(&self, draft: &mut Draft) {
        let empty = |object: &str, path: &FieldPath| format!("{} in [dyn(''), dyn(null)]", held(object, path));
        let introduced = |path: &FieldPath| format!("{} && !({})", empty("oldObject", path), empty("object", path));
        self.paths(draft, Rule::Introduce, "introduced", self.resource.may_not_introduce.iter().collect(), introduced);
    }

    /// Declares the paths for which a condition holds, and the rule that there is none.
    fn paths(
        &self,
        draft: &mut Draft,
        rule: Rule,
        name: &str,
        paths: Vec<&FieldPath>,
        condition: impl Fn(&FieldPath) -> String,
    ) {
        if paths.is_empty() {
            return;
        }
        let update = format!("variables.{}", self.variable("update"));
        let listed = paths
            .into_iter()
            .map(|path| format!("({update} && {} ? [{}] : [])", condition(path), quote(&path.to_string())));
        let variable = self.variable(name);
        draft.variable(&variable, listed.collect::<Vec<_>>().join(" + "));
        draft.rule_without(rule, &format!("variables.{variable}"));
    }

    fn fields(&self, draft: &mut Draft) {
        if self.resource.may_change.is_empty() {
            return;
        }
        let tops = by_top(&self.resource.may_change);
        let mut but: Vec<&str> = tops.keys().copied().collect();
        but.push("metadata");
        let mut parts = vec![
            same_but(&but, "dyn(object)", "dyn(oldObject)"),
            same_but(&SERVER_MANAGED, "dyn(object.metadata)", "dyn(oldObject.metadata)"),
        ];
        for (top, fields) in tops.iter().filter(|(_, fields)| !fields.contains(&None)) {
            let fields: Vec<&str> = fields.iter().copied().flatten().collect();
            let [new, old] = ["object", "oldObject"].map(|object| self.declare_top(draft, object, top));
            parts.push(same_but(&fields, &new, &old));
        }
        let rule = format!("!variables.{} || ({})", self.variable("update"), parts.join(" && "));
        let names: Vec<String> = self.resource.may_change.iter().map(ToString::to_string).collect();
        draft.rule_naming(Rule::Fields, rule, &list(names.iter().map(String::as_str)));
    }

    /// Declares a top-level field as a map; empty where it is missing or none.
    fn declare_top(&self, draft: &mut Draft, object: &str, top: &str) -> String {
        let variable = self.variable(&format!("{object}_{top}_"));
        let at = format!("{object}.{top}");
        let update = format!("variables.{}", self.variable("update"));
        let present = format!("{update} && has({at}) && type(dyn({at})) == map");
        draft.variable(&variable, format!("{present} ? dyn({at}) : dyn({{}})"));
        format!("variables.{variable}")
    }
}

/// The second steps of paths by their first; `None` for a path of one step.
fn by_top(paths: &[FieldPath]) -> BTreeMap<&str, Vec<Option<&str>>> {
    let mut tops: BTreeMap<&str, Vec<Option<&str>>> = BTreeMap::new();
    for path in paths {
        if let [top, rest @ ..] = path.segments() {
            tops.entry(top.name()).or_default().push(rest.first().map(|segment| segment.name()));
        }
    }
    tops
}
