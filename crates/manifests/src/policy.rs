//! Puts rules together as a policy, with every field that the API server would default.

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation,
    Variable,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use ownership::Profile;
use ownership::guard::{Guard, Rule, bare_message};

use crate::expression::quote;

/// The rules of one guard before they become a policy.
pub(crate) struct Draft {
    guard: Guard,
    rules: Vec<NamedRuleWithOperations>,
    conditions: Vec<(&'static str, String)>,
    variables: Vec<(String, String)>,
    validations: Vec<(Rule, String, Option<String>)>,
}

impl Draft {
    /// A guard for requests of the profile's agent.
    pub(crate) fn new(guard: Guard, profile: &Profile) -> Self {
        let agent = format!("request.userInfo.username == {}", quote(profile.username()));
        Self {
            guard,
            rules: Vec::new(),
            conditions: vec![("agent", agent)],
            variables: Vec::new(),
            validations: Vec::new(),
        }
    }

    /// Matches operations on resources of one group and version.
    pub(crate) fn matching(&mut self, group: &str, version: &str, resources: &[&str], operations: &[&str]) {
        let owned = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect());
        self.rules.push(NamedRuleWithOperations {
            api_groups: owned(&[group]),
            api_versions: owned(&[version]),
            operations: owned(operations),
            resource_names: None,
            resources: owned(resources),
            scope: Some("*".to_owned()),
        });
    }

    /// Matches only requests for which an expression holds.
    pub(crate) fn only_if(&mut self, name: &'static str, expression: String) {
        self.conditions.push((name, expression));
    }

    /// Declares a variable.
    pub(crate) fn variable(&mut self, name: &str, expression: impl Into<String>) {
        self.variables.push((name.to_owned(), expression.into()));
    }

    /// Adds a rule without keys.
    pub(crate) fn rule(&mut self, rule: Rule, expression: impl Into<String>) {
        self.validations.push((rule, expression.into(), None));
    }

    /// Adds a rule that holds if `keys`, an expression that yields a list of text, is empty; the message lists them.
    pub(crate) fn rule_without(&mut self, rule: Rule, keys: &str) {
        self.validations.push((rule, format!("size({keys}) == 0"), Some(keys.to_owned())));
    }

    /// Adds a rule whose message lists keys that are known beforehand.
    pub(crate) fn rule_naming(&mut self, rule: Rule, expression: String, keys: &str) {
        self.validations.push((rule, expression, Some(keys.to_owned())));
    }

    /// The policy.
    pub(crate) fn policy(self, profile: &Profile) -> ValidatingAdmissionPolicy {
        let name = profile.name();
        let validations = self.validations.into_iter().map(|(rule, expression, keys)| {
            let bare = bare_message(name, self.guard, rule);
            let listing = keys.map(|keys| format!("{} + {keys}.join(', ')", quote(&format!("{bare}: "))));
            validation(expression, bare, listing)
        });
        let spec = ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_conditions: Some(self.conditions.into_iter().map(condition).collect()),
            match_constraints: Some(MatchResources {
                match_policy: Some("Equivalent".to_owned()),
                namespace_selector: Some(LabelSelector::default()),
                object_selector: Some(LabelSelector::default()),
                resource_rules: Some(self.rules),
                exclude_resource_rules: None,
            }),
            variables: Some(
                self.variables.into_iter().map(|(name, expression)| Variable { name, expression }).collect(),
            ),
            validations: Some(validations.collect()),
            ..ValidatingAdmissionPolicySpec::default()
        };
        ValidatingAdmissionPolicy { metadata: named(profile, self.guard), spec: Some(spec), status: None }
    }
}

fn condition((name, expression): (&str, String)) -> MatchCondition {
    MatchCondition { name: name.to_owned(), expression }
}

fn validation(expression: String, message: String, listing: Option<String>) -> Validation {
    Validation { expression, message: Some(message), message_expression: listing, reason: Some("Forbidden".to_owned()) }
}

/// The binding that puts a guard in force with the profile's actions.
pub(crate) fn binding(profile: &Profile, guard: Guard) -> ValidatingAdmissionPolicyBinding {
    let actions = profile.actions().iter().map(|action| action.as_str().to_owned()).collect();
    let spec = ValidatingAdmissionPolicyBindingSpec {
        policy_name: guard.policy_name(profile.name()),
        validation_actions: actions,
        match_resources: None,
        param_ref: None,
    };
    ValidatingAdmissionPolicyBinding { metadata: named(profile, guard), spec }
}

fn named(profile: &Profile, guard: Guard) -> ObjectMeta {
    let labels = [
        ("app.kubernetes.io/component", "guard"),
        ("app.kubernetes.io/instance", profile.name()),
        ("app.kubernetes.io/managed-by", "nodebound"),
        ("app.kubernetes.io/name", "nodebound"),
        ("app.kubernetes.io/part-of", "nodebound"),
    ];
    ObjectMeta {
        name: Some(guard.policy_name(profile.name())),
        labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        ..ObjectMeta::default()
    }
}
