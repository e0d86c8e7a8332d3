//! The checks that the API server makes when a policy is created (`ValidateValidatingAdmissionPolicy`).

use std::collections::HashSet;

use k8s_openapi::api::admissionregistration::v1::{
    AuditAnnotation, MatchCondition, ParamKind, ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec, Validation,
    Variable,
};
use serde_json::json;

use super::compile::{ExpressionScope, compile_error_text};
use super::{metadata, rules};
use crate::cel::{CompileError, KubeVersion, Mode};
use crate::field_error::{FieldError, FieldPath};
use crate::names;

const MAX_MATCH_CONDITIONS: usize = 64;
const MAX_AUDIT_ANNOTATIONS: usize = 20;
const MAX_VALUE_EXPRESSION: usize = 5 * 1024;

/// Everything that a server of this release objects to in a new policy.
pub(super) fn validate(policy: &ValidatingAdmissionPolicy, release: KubeVersion) -> Vec<FieldError> {
    let mut errors = metadata::validate(&policy.metadata);
    let default = ValidatingAdmissionPolicySpec::default();
    let spec = policy.spec.as_ref().unwrap_or(&default);
    let mut check = SpecCheck {
        policy_name: policy.metadata.name.as_deref().unwrap_or_default(),
        scope: ExpressionScope::new(spec, release, Mode::New),
        errors: Vec::new(),
    };
    check.spec(spec, &FieldPath::root("spec"));
    errors.append(&mut check.errors);
    errors
}

struct SpecCheck<'p> {
    policy_name: &'p str,
    scope: ExpressionScope,
    errors: Vec<FieldError>,
}

impl SpecCheck<'_> {
    fn spec(&mut self, spec: &ValidatingAdmissionPolicySpec, path: &FieldPath) {
        if let Some(policy) = spec.failure_policy.as_deref().filter(|policy| !["Fail", "Ignore"].contains(policy)) {
            self.errors.push(FieldError::not_supported(&path.child("failurePolicy"), policy, &["Fail", "Ignore"]));
        }
        if let Some(kind) = &spec.param_kind {
            self.errors.extend(param_kind(kind, &path.child("paramKind")));
        }
        self.errors.extend(match_constraints(spec, &path.child("matchConstraints")));
        self.match_conditions(spec.match_conditions.as_deref().unwrap_or_default(), &path.child("matchConditions"));
        for (index, variable) in spec.variables.iter().flatten().enumerate() {
            self.variable(variable, &path.child("variables").index(index));
        }
        self.rules(spec, path);
    }

    fn rules(&mut self, spec: &ValidatingAdmissionPolicySpec, path: &FieldPath) {
        let validations = spec.validations.as_deref().unwrap_or_default();
        let annotations = spec.audit_annotations.as_deref().unwrap_or_default();
        if validations.is_empty() && annotations.is_empty() {
            let detail = "validations or auditAnnotations must contain at least one item";
            let missing = ["validations", "auditAnnotations"];
            return self.errors.extend(missing.map(|field| FieldError::required(&path.child(field), detail)));
        }
        for (index, validation) in validations.iter().enumerate() {
            self.validation(validation, &path.child("validations").index(index));
        }
        self.audit_annotations(annotations, &path.child("auditAnnotations"));
    }

    fn match_conditions(&mut self, conditions: &[MatchCondition], path: &FieldPath) {
        if conditions.len() > MAX_MATCH_CONDITIONS {
            self.errors.push(FieldError::too_many(path, conditions.len(), MAX_MATCH_CONDITIONS));
        }
        let mut names = HashSet::new();
        for (index, condition) in conditions.iter().enumerate() {
            let path = path.index(index);
            self.match_condition(condition, &path);
            if !condition.name.is_empty() && !names.insert(&condition.name) {
                self.errors.push(FieldError::duplicate(&path.child("name"), &condition.name));
            }
        }
    }

    fn match_condition(&mut self, condition: &MatchCondition, path: &FieldPath) {
        let source = condition.expression.trim();
        if source.is_empty() {
            self.errors.push(FieldError::required(&path.child("expression"), ""));
        } else {
            let error = self.scope.compile_condition(source).err();
            self.compile_error(error, source, &path.child("expression"));
        }
        let name = path.child("name");
        if condition.name.is_empty() {
            self.errors.push(FieldError::required(&name, ""));
        } else {
            self.invalid(&name, &condition.name, names::label_key(&condition.name));
        }
    }

    fn variable(&mut self, variable: &Variable, path: &FieldPath) {
        let name = path.child("name");
        if variable.name.trim().is_empty() {
            self.errors.push(FieldError::required(&name, "name is not specified"));
        } else if !names::is_identifier(&variable.name) {
            self.errors.push(FieldError::invalid(&name, &variable.name, "must be a valid CEL identifier"));
        }
        let expression = path.child("expression");
        if variable.expression.trim().is_empty() {
            return self.errors.push(FieldError::required(&expression, "expression is not specified"));
        }
        let error = self.scope.compile_variable(&variable.name, &variable.expression).err();
        self.compile_error(error, &variable.expression, &expression);
    }

    fn validation(&mut self, validation: &Validation, path: &FieldPath) {
        let expression = path.child("expression");
        if validation.expression.trim().is_empty() {
            self.errors.push(FieldError::required(&expression, "expression is not specified"));
        } else {
            let error = self.scope.compile_validation(&validation.expression).err();
            self.compile_error(error, &validation.expression, &expression);
        }
        self.message_expression(validation.message_expression.as_deref(), &path.child("messageExpression"));
        self.errors.extend(message(validation.message.as_deref(), &path.child("message")));
        let supported = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
        if let Some(reason) = validation.reason.as_deref().filter(|reason| !supported.contains(reason)) {
            self.errors.push(FieldError::not_supported(&path.child("reason"), reason, &supported));
        }
    }

    fn message_expression(&mut self, source: Option<&str>, path: &FieldPath) {
        let Some(source) = source.filter(|source| !source.is_empty()) else {
            return;
        };
        if source.trim().is_empty() {
            return self.errors.push(FieldError::invalid(path, source, "must be non-empty if specified"));
        }
        let error = self.scope.compile_message(source).err();
        self.compile_error(error, source, path);
    }

    fn audit_annotations(&mut self, annotations: &[AuditAnnotation], path: &FieldPath) {
        if annotations.len() > MAX_AUDIT_ANNOTATIONS {
            let detail = format!("must not have more than {MAX_AUDIT_ANNOTATIONS} auditAnnotations");
            self.errors.push(FieldError::invalid_json(path, &internal_form(annotations), detail));
        }
        let mut keys = HashSet::new();
        for (index, annotation) in annotations.iter().enumerate() {
            let path = path.index(index);
            self.audit_annotation(annotation, &path);
            if !keys.insert(&annotation.key) {
                self.errors.push(FieldError::duplicate(&path.child("key"), &annotation.key));
            }
        }
    }

    fn audit_annotation(&mut self, annotation: &AuditAnnotation, path: &FieldPath) {
        let key = path.child("key");
        if self.policy_name.is_empty() {
            self.errors.push(FieldError::invalid(&key, &annotation.key, "requires metadata.name be non-empty"));
        } else {
            let published = format!("{}/{}", self.policy_name, annotation.key);
            self.invalid(&key, &published, names::label_key(&published));
        }
        let path = path.child("valueExpression");
        let source = annotation.value_expression.trim();
        if source.is_empty() {
            self.errors.push(FieldError::required(&path, "valueExpression is not specified"));
        } else if source.len() > MAX_VALUE_EXPRESSION {
            let detail = format!("must not exceed {MAX_VALUE_EXPRESSION} bytes in length");
            self.errors.push(FieldError::required(&path, &detail));
        } else {
            let error = self.scope.compile_annotation(source).err();
            self.compile_error(error, &annotation.value_expression, &path);
        }
    }

    fn compile_error(&mut self, error: Option<CompileError>, source: &str, path: &FieldPath) {
        self.errors.extend(error.map(|error| match error {
            CompileError::Program(_) => FieldError::internal(path, compile_error_text(&error)),
            _ => FieldError::invalid(path, source, compile_error_text(&error)),
        }));
    }

    fn invalid(&mut self, path: &FieldPath, value: &str, problems: Vec<String>) {
        self.errors.extend(problems.into_iter().map(|problem| FieldError::invalid(path, value, problem)));
    }
}

/// The server prints its internal structures here, whose fields have no JSON names.
fn internal_form(annotations: &[AuditAnnotation]) -> Vec<serde_json::Value> {
    let form = |item: &AuditAnnotation| json!({"Key": item.key, "ValueExpression": item.value_expression});
    annotations.iter().map(form).collect()
}

fn match_constraints(spec: &ValidatingAdmissionPolicySpec, path: &FieldPath) -> Vec<FieldError> {
    let Some(constraints) = &spec.match_constraints else {
        return vec![FieldError::required(path, "")];
    };
    let mut errors = rules::validate(constraints, path);
    if constraints.resource_rules.as_deref().unwrap_or_default().is_empty() {
        errors.push(FieldError::required(&path.child("resourceRules"), ""));
    }
    errors
}

fn message(message: Option<&str>, path: &FieldPath) -> Option<FieldError> {
    let message = message.filter(|message| !message.is_empty())?;
    if message.trim().is_empty() {
        return Some(FieldError::invalid(path, message, "must be non-empty if specified"));
    }
    let broken = message.trim().contains(['\n', '\r']);
    broken.then(|| FieldError::invalid(path, message, "must not contain line breaks"))
}

fn param_kind(kind: &ParamKind, path: &FieldPath) -> Vec<FieldError> {
    let mut errors = param_version(kind.api_version.as_deref().unwrap_or_default(), &path.child("apiVersion"));
    let path = path.child("kind");
    let kind = kind.kind.as_deref().unwrap_or_default();
    let problems = names::dns_1035_label(&kind.to_lowercase());
    if kind.is_empty() {
        errors.push(FieldError::required(&path, ""));
    } else if !problems.is_empty() {
        let detail = format!("may have mixed case, but should otherwise match: {}", problems.join(","));
        errors.push(FieldError::invalid(&path, kind, detail));
    }
    errors
}

fn param_version(api_version: &str, path: &FieldPath) -> Vec<FieldError> {
    if api_version.is_empty() {
        return vec![FieldError::required(path, "")];
    }
    let (group, version) = match api_version.split_once('/') {
        None => ("", api_version),
        Some((_, version)) if version.contains('/') => {
            let detail = format!("unexpected GroupVersion string: {api_version}");
            return vec![FieldError::invalid(path, api_version, detail)];
        }
        Some(parts) => parts,
    };
    let mut errors = joined(path, group, if group.is_empty() { Vec::new() } else { names::subdomain(group) });
    if version.is_empty() {
        errors.push(FieldError::invalid(path, api_version, "version must be specified"));
    } else {
        errors.extend(joined(path, version, names::dns_1035_label(version)));
    }
    errors
}

fn joined(path: &FieldPath, value: &str, problems: Vec<String>) -> Vec<FieldError> {
    if problems.is_empty() { Vec::new() } else { vec![FieldError::invalid(path, value, problems.join(","))] }
}
