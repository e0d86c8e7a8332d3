//! From a policy object to programs.

use k8s_openapi::api::admissionregistration::v1::{
    AuditAnnotation, MatchCondition, ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec, Validation, Variable,
};

use super::FailurePolicy;
use super::validate::validate;
use crate::cel::{CompileError, Environment, KubeVersion, Mode, Program, Type, Variables};
use crate::cluster::ParamKind;
use crate::field_error::FieldError;
use crate::matching::Matcher;
use crate::verdict::Reason;

/// A policy that requests can be judged by.
#[derive(Debug)]
pub struct Policy {
    pub(super) name: String,
    pub(super) failure_policy: FailurePolicy,
    pub(super) matcher: Option<Matcher>,
    pub(super) param_kind: Option<ParamKind>,
    pub(super) match_conditions: Vec<Condition>,
    pub(super) variables: Variables,
    pub(super) validations: Vec<Rule>,
    pub(super) audit_annotations: Vec<Annotation>,
    pub(super) uses_namespace: bool,
}

#[derive(Debug)]
pub(super) struct Condition {
    pub(super) name: String,
    pub(super) expression: Expression,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) expression: Expression,
    pub(super) message_expression: Option<Expression>,
    pub(super) message: String,
    pub(super) reason: Reason,
}

#[derive(Debug)]
pub(super) struct Annotation {
    pub(super) key: String,
    pub(super) expression: Expression,
}

/// An expression with its program, or why it has none.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) source: String,
    pub(super) program: Result<Program, CompileError>,
}

impl Policy {
    /// Accepts a policy as a server of this release does at creation, its defaults filled in.
    ///
    /// # Errors
    /// Everything that the server would object to, in its order and words.
    pub fn compile(policy: &ValidatingAdmissionPolicy, release: KubeVersion) -> Result<Self, Vec<FieldError>> {
        let errors = validate(policy, release);
        if errors.is_empty() { Ok(Self::stored(policy, release)) } else { Err(errors) }
    }

    /// Takes a policy over as a server of this release takes one from its storage: without checks. What does not
    /// compile becomes an error of the requests that get to it.
    pub fn stored(policy: &ValidatingAdmissionPolicy, release: KubeVersion) -> Self {
        let default = ValidatingAdmissionPolicySpec::default();
        let spec = policy.spec.as_ref().unwrap_or(&default);
        let mut scope = ExpressionScope::new(spec, release, Mode::Stored);
        let variables = scope.variables(spec.variables.as_deref().unwrap_or_default());
        Self {
            name: policy.metadata.name.clone().unwrap_or_default(),
            failure_policy: failure_policy(spec),
            matcher: spec.match_constraints.as_ref().map(Matcher::new),
            param_kind: param_kind(spec),
            match_conditions: spec.match_conditions.iter().flatten().map(|item| scope.condition(item)).collect(),
            variables,
            validations: spec.validations.iter().flatten().map(|item| scope.rule(item)).collect(),
            audit_annotations: spec.audit_annotations.iter().flatten().map(|item| scope.annotation(item)).collect(),
            uses_namespace: uses_namespace(spec),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What happens when it cannot be evaluated.
    pub fn failure_policy(&self) -> FailurePolicy {
        self.failure_policy
    }

    /// The kind of its parameters, if it takes any.
    pub fn param_kind(&self) -> Option<&ParamKind> {
        self.param_kind.as_ref()
    }
}

fn failure_policy(spec: &ValidatingAdmissionPolicySpec) -> FailurePolicy {
    match spec.failure_policy.as_deref() {
        Some("Ignore") => FailurePolicy::Ignore,
        _ => FailurePolicy::Fail,
    }
}

fn param_kind(spec: &ValidatingAdmissionPolicySpec) -> Option<ParamKind> {
    let kind = spec.param_kind.as_ref()?;
    Some(ParamKind {
        api_version: kind.api_version.clone().unwrap_or_default(),
        kind: kind.kind.clone().unwrap_or_default(),
    })
}

/// Whether an expression may read the namespace; a mention in a string counts too, which errs on the strict side.
/// Match conditions always see null instead.
fn uses_namespace(spec: &ValidatingAdmissionPolicySpec) -> bool {
    let variables = spec.variables.iter().flatten().map(|item| item.expression.as_str());
    let validations = spec.validations.iter().flatten();
    let messages = validations.clone().filter_map(|item| item.message_expression.as_deref());
    let annotations = spec.audit_annotations.iter().flatten().map(|item| item.value_expression.as_str());
    let mut sources =
        variables.chain(validations.map(|item| item.expression.as_str())).chain(messages).chain(annotations);
    sources.any(|source| source.contains("namespaceObject"))
}

/// The environments of a policy's expressions: match conditions have no variables, messages no authorizer.
pub(super) struct ExpressionScope {
    conditions: Environment,
    validations: Environment,
    messages: Environment,
}

impl ExpressionScope {
    pub(super) fn new(spec: &ValidatingAdmissionPolicySpec, release: KubeVersion, mode: Mode) -> Self {
        let params = spec.param_kind.is_some();
        let environment = |authorizer| Environment::new(release, mode).admission(params, authorizer);
        let composed = |environment: Environment| match spec.variables.as_deref() {
            None | Some([]) => environment,
            Some(_) => environment.with_variables(),
        };
        Self {
            conditions: environment(true),
            validations: composed(environment(true)),
            messages: composed(environment(false)),
        }
    }

    pub(super) fn compile_condition(&self, source: &str) -> Result<Program, CompileError> {
        self.conditions.compile(source, &[Type::Bool])
    }

    pub(super) fn compile_validation(&self, source: &str) -> Result<Program, CompileError> {
        self.validations.compile(source, &[Type::Bool])
    }

    pub(super) fn compile_message(&self, source: &str) -> Result<Program, CompileError> {
        self.messages.compile(source, &[Type::String])
    }

    pub(super) fn compile_annotation(&self, source: &str) -> Result<Program, CompileError> {
        self.validations.compile(source, &[Type::String, Type::Null])
    }

    /// Compiles a variable and declares it for what follows, of any type if it does not compile.
    pub(super) fn compile_variable(&mut self, name: &str, source: &str) -> Result<Program, CompileError> {
        let program = self.validations.compile(source, &[]);
        let result = program.as_ref().map_or(&Type::Dyn, Program::result_type);
        self.validations.declare_variable(name, result);
        self.messages.declare_variable(name, result);
        program
    }

    fn variables(&mut self, declared: &[Variable]) -> Variables {
        let mut variables = Variables::new();
        for variable in declared {
            variables.push(variable.name.as_str(), self.compile_variable(&variable.name, &variable.expression));
        }
        variables
    }

    fn condition(&self, condition: &MatchCondition) -> Condition {
        let program = self.compile_condition(&condition.expression);
        Condition {
            name: condition.name.clone(),
            expression: Expression { source: condition.expression.clone(), program },
        }
    }

    fn rule(&self, validation: &Validation) -> Rule {
        let message = validation.message_expression.as_deref().filter(|source| !source.is_empty());
        let message_expression =
            |source: &str| Expression { source: source.to_owned(), program: self.compile_message(source) };
        Rule {
            expression: Expression {
                source: validation.expression.clone(),
                program: self.compile_validation(&validation.expression),
            },
            message_expression: message.map(message_expression),
            message: validation.message.clone().unwrap_or_default(),
            reason: validation.reason.as_deref().map(Reason::parse).unwrap_or_default(),
        }
    }

    fn annotation(&self, annotation: &AuditAnnotation) -> Annotation {
        let source = annotation.value_expression.clone();
        let program = self.compile_annotation(&source);
        Annotation { key: annotation.key.clone(), expression: Expression { source, program } }
    }
}

/// The text of a compile error as the server reports it.
pub(super) fn compile_error_text(error: &CompileError) -> String {
    match error {
        CompileError::Findings { .. } => format!("compilation failed: {error}"),
        CompileError::ResultType { .. } => error.to_string(),
        CompileError::Program(_) => format!("program instantiation failed: {error}"),
    }
}
