//! The checks of match resources at creation: rules, selectors, match policy (`validateMatchResources`).

use std::collections::HashSet;

use k8s_openapi::api::admissionregistration::v1::{MatchResources, NamedRuleWithOperations};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::field_error::{FieldError, FieldPath};
use crate::{names, selector};

const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];

pub(super) fn validate(resources: &MatchResources, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let policies = ["Equivalent", "Exact"];
    if let Some(policy) = resources.match_policy.as_deref().filter(|policy| !policies.contains(policy)) {
        errors.push(FieldError::not_supported(&path.child("matchPolicy"), policy, &policies));
    }
    errors.extend(selector(resources.namespace_selector.as_ref(), &path.child("namespaceSelector")));
    errors.extend(selector(resources.object_selector.as_ref(), &path.child("objectSelector")));
    errors.extend(rules(resources.resource_rules.as_deref(), &path.child("resourceRules")));
    errors.extend(rules(resources.exclude_resource_rules.as_deref(), &path.child("excludeResourceRules")));
    errors
}

fn selector(selector: Option<&LabelSelector>, path: &FieldPath) -> Vec<FieldError> {
    selector.map(|selector| selector::validate(selector, path)).unwrap_or_default()
}

fn rules(rules: Option<&[NamedRuleWithOperations]>, path: &FieldPath) -> Vec<FieldError> {
    let rules = rules.unwrap_or_default().iter().enumerate();
    rules.flat_map(|(index, item)| rule(item, &path.index(index))).collect()
}

fn rule(rule: &NamedRuleWithOperations, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = resource_names(list(&rule.resource_names), &path.child("resourceNames"));
    errors.extend(operations(list(&rule.operations), &path.child("operations")));
    errors.extend(wildcard_list(list(&rule.api_groups), &path.child("apiGroups"), "API groups"));
    errors.extend(versions(list(&rule.api_versions), &path.child("apiVersions")));
    errors.extend(resources(list(&rule.resources), &path.child("resources")));
    if let Some(scope) = rule.scope.as_deref().filter(|scope| !SCOPES.contains(scope)) {
        errors.push(FieldError::not_supported(&path.child("scope"), scope, &SCOPES));
    }
    errors
}

fn list(list: &Option<Vec<String>>) -> &[String] {
    list.as_deref().unwrap_or_default()
}

fn resource_names(resource_names: &[String], path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = HashSet::new();
    for (index, name) in resource_names.iter().enumerate() {
        let path = path.index(index);
        errors.extend(names::path_segment(name).into_iter().map(|problem| FieldError::invalid(&path, name, problem)));
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(&path, name));
        }
    }
    errors
}

/// A list that is not empty, and where a star stands alone.
fn wildcard_list(items: &[String], path: &FieldPath, what: &str) -> Option<FieldError> {
    match items {
        [] => Some(FieldError::required(path, "")),
        [_] => None,
        many if many.iter().any(|item| item == "*") => {
            let detail = format!("if '*' is present, must not specify other {what}");
            Some(FieldError::invalid_json(path, &many, detail))
        }
        _ => None,
    }
}

fn operations(operations: &[String], path: &FieldPath) -> Vec<FieldError> {
    let unknown = |(index, name): (usize, &String)| {
        let known = OPERATIONS.contains(&name.as_str());
        (!known).then(|| FieldError::not_supported(&path.index(index), name, &OPERATIONS))
    };
    let shape = wildcard_list(operations, path, "operations").into_iter();
    shape.chain(operations.iter().enumerate().filter_map(unknown)).collect()
}

fn versions(versions: &[String], path: &FieldPath) -> Vec<FieldError> {
    let empty = versions.iter().enumerate().filter(|(_, version)| version.is_empty());
    let shape = wildcard_list(versions, path, "API versions").into_iter();
    shape.chain(empty.map(|(index, _)| FieldError::required(&path.index(index), ""))).collect()
}

fn resources(resources: &[String], path: &FieldPath) -> Vec<FieldError> {
    if resources.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let mut errors = overlaps(resources, path);
    if resources.len() > 1 && resources.iter().any(|item| item == "*/*") {
        let detail = "if '*/*' is present, must not specify other resources";
        errors.push(FieldError::invalid_json(path, &resources, detail));
    }
    if resources.iter().any(|item| item == "*") && ends_in_plain_resource(resources) {
        let detail = "if '*' is present, must not specify other resources without subresources";
        errors.push(FieldError::invalid_json(path, &resources, detail));
    }
    errors
}

/// The server remembers only the last entry without a subresource, so `["nodes", "*"]` passes and `["*", "nodes"]`
/// does not.
fn ends_in_plain_resource(resources: &[String]) -> bool {
    let plain = |item: &&String| !item.is_empty() && !item.contains('/');
    resources.iter().rfind(plain).is_some_and(|item| item != "*")
}

/// Entries that an earlier `x/*` or `*/x` covers already.
fn overlaps(resources: &[String], path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut whole_resources = HashSet::new();
    let mut whole_subresources = HashSet::new();
    for (index, item) in resources.iter().enumerate() {
        let path = path.index(index);
        if item.is_empty() {
            errors.push(FieldError::required(&path, ""));
        }
        let Some((resource, subresource)) = item.split_once('/') else {
            continue;
        };
        let covered =
            |by: String| FieldError::invalid(&path, item, format!("if '{by}' is present, must not specify {item}"));
        errors.extend(whole_resources.contains(resource).then(|| covered(format!("{resource}/*"))));
        errors.extend(whole_subresources.contains(subresource).then(|| covered(format!("*/{subresource}"))));
        whole_resources.extend((subresource == "*").then_some(resource));
        whole_subresources.extend((resource == "*").then_some(subresource));
    }
    errors
}
