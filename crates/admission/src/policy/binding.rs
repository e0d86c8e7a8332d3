//! Bindings: where a policy applies, with which parameters, and what a failure does.

use k8s_openapi::api::admissionregistration::v1::{ParamRef, ValidatingAdmissionPolicyBinding};

use super::{metadata, rules};
use crate::field_error::{FieldError, FieldPath};
use crate::matching::Matcher;
use crate::names;
use crate::selector::{self, Selector};
use crate::verdict::Action;

/// A binding that requests can be judged by.
#[derive(Clone, Debug)]
pub struct Binding {
    pub(super) name: String,
    pub(super) policy: String,
    pub(super) actions: Vec<Action>,
    pub(super) matcher: Option<Matcher>,
    pub(super) params: Option<ParamSource>,
}

/// Which parameter objects a binding uses (`paramRef`).
#[derive(Clone, Debug)]
pub(super) struct ParamSource {
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) selector: Option<Result<Selector, String>>,
    pub(super) deny_if_none: bool,
}

impl Binding {
    /// Accepts a binding as a server does at creation, its defaults filled in.
    ///
    /// # Errors
    /// Everything that the server would object to, in its order and words.
    pub fn check(binding: &ValidatingAdmissionPolicyBinding) -> Result<Self, Vec<FieldError>> {
        let errors = validate(binding);
        if errors.is_empty() { Ok(Self::stored(binding)) } else { Err(errors) }
    }

    /// Takes a binding over as a server takes one from its storage: without checks.
    pub fn stored(binding: &ValidatingAdmissionPolicyBinding) -> Self {
        let spec = &binding.spec;
        Self {
            name: binding.metadata.name.clone().unwrap_or_default(),
            policy: spec.policy_name.clone(),
            actions: spec.validation_actions.iter().filter_map(|name| Action::parse(name)).collect(),
            matcher: spec.match_resources.as_ref().map(Matcher::new),
            params: spec.param_ref.as_ref().map(ParamSource::new),
        }
    }

    /// A binding of the policy's own name that applies it everywhere and denies.
    pub fn denying(policy: &str) -> Self {
        let name = policy.to_owned();
        Self { policy: name.clone(), name, actions: vec![Action::Deny], matcher: None, params: None }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the policy that is bound.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// What a failure does.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }
}

impl ParamSource {
    fn new(source: &ParamRef) -> Self {
        let non_empty = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Self {
            name: non_empty(&source.name),
            namespace: non_empty(&source.namespace),
            selector: source.selector.as_ref().map(Selector::new),
            deny_if_none: source.parameter_not_found_action.as_deref() == Some("Deny"),
        }
    }
}

fn validate(binding: &ValidatingAdmissionPolicyBinding) -> Vec<FieldError> {
    let path = FieldPath::root("spec");
    let spec = &binding.spec;
    let mut errors = metadata::validate(&binding.metadata);
    errors.extend(policy_name(&spec.policy_name, &path.child("policyName")));
    errors.extend(spec.param_ref.iter().flat_map(|source| param_ref(source, &path.child("paramRef"))));
    errors.extend(spec.match_resources.iter().flat_map(|item| rules::validate(item, &path.child("matchResources"))));
    errors.extend(validation_actions(&spec.validation_actions, &path.child("validationActions")));
    errors
}

fn policy_name(name: &str, path: &FieldPath) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    names::subdomain(name).into_iter().map(|problem| FieldError::invalid(path, name, problem)).collect()
}

fn param_ref(source: &ParamRef, path: &FieldPath) -> Vec<FieldError> {
    let name = source.name.as_deref().filter(|name| !name.is_empty());
    let both = name.is_some() && source.selector.is_some();
    let exclusive =
        |field| both.then(|| FieldError::forbidden(&path.child(field), "name and selector are mutually exclusive"));
    let problems = |name| {
        names::path_segment(name).into_iter().map(move |text| FieldError::invalid(&path.child("name"), name, text))
    };
    let mut errors: Vec<_> = name.into_iter().flat_map(problems).chain(exclusive("name")).collect();
    errors.extend(source.selector.iter().flat_map(|item| selector::validate(item, &path.child("selector"))));
    errors.extend(exclusive("selector"));
    if name.is_none() && source.selector.is_none() {
        errors.push(FieldError::required(path, "one of name or selector must be specified"));
    }
    errors
        .extend(not_found_action(source.parameter_not_found_action.as_deref(), &path.child("parameterNotFoundAction")));
    errors
}

fn not_found_action(action: Option<&str>, path: &FieldPath) -> Option<FieldError> {
    match action.unwrap_or_default() {
        "" => Some(FieldError::required(path, "")),
        "Deny" | "Allow" => None,
        other => Some(FieldError::not_supported(path, other, &["Deny", "Allow"])),
    }
}

fn validation_actions(actions: &[String], path: &FieldPath) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, action) in actions.iter().enumerate() {
        let path = path.index(index);
        if Action::parse(action).is_none() {
            errors.push(FieldError::not_supported(&path, action, &["Audit", "Deny", "Warn"]));
        }
        if actions.iter().take(index).any(|earlier| earlier == action) {
            errors.push(FieldError::duplicate(&path, action));
        }
    }
    let has = |name: &str| actions.iter().any(|action| action == name);
    if has("Deny") && has("Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in the \
                      API response and headers serves no purpose)";
        errors.push(FieldError::invalid_json(path, &actions, detail));
    }
    if actions.is_empty() {
        errors.push(FieldError::required(path, "at least one validation action is required"));
    }
    errors
}
