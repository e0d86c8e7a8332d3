//! One evaluation of a policy: for one request, one binding and one parameter object
//! (`validator.Validate` of the API server).

use serde_json::Value as Json;

use super::compile::{Policy, Rule};
use super::phase::{Budget, ExpressionError, OutOfBudget, Outcome, evaluate};
use super::{EVALUATION_BUDGET, MATCH_CONDITIONS_BUDGET, message};
use crate::cel::{Activation, Roots, Value};
use crate::request::AdmissionRequest;
use crate::verdict::{Cost, ErrorKind, Reason};

/// What the expressions see.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) request: &'a AdmissionRequest,
    /// `request` in match conditions: as the client asked.
    pub(super) requested: &'a Json,
    /// `request` everywhere else: as the policy matched.
    pub(super) matched: &'a Json,
    pub(super) params: Option<&'a Json>,
    pub(super) namespace: Option<&'a Json>,
}

/// What an evaluation came to.
pub(super) enum Judgement {
    /// A match condition of this name is false.
    Skipped(String),
    /// Everything that is wrong, and the audit annotations that came out.
    Judged { decisions: Vec<Decision>, annotations: Vec<Annotated> },
}

/// A failure that the binding's actions apply to.
pub(super) struct Decision {
    /// The server's number of the decision, which audit annotations quote.
    pub(super) index: usize,
    /// The validation, if one failed by itself.
    pub(super) validation: Option<usize>,
    pub(super) ruling: Ruling,
}

/// How a validation failed.
pub(super) enum Ruling {
    Denied { message: String, reason: Reason },
    Failed(ExpressionError),
}

/// The outcome of one audit annotation.
pub(super) struct Annotated {
    pub(super) key: String,
    /// None is published where the value is null or blank.
    pub(super) value: Result<Option<String>, ExpressionError>,
}

/// Evaluates everything, phase by phase; each pays for its own use of variables.
pub(super) fn judge<'a>(policy: &'a Policy, inputs: Inputs<'a>, cost: &mut Cost) -> Judgement {
    match match_conditions(policy, inputs, cost) {
        Err(error) => return whole(error),
        Ok(Some(name)) => return Judgement::Skipped(name),
        Ok(None) => {}
    }
    let mut activation = inputs.activation(policy);
    let decided = decisions(policy, &mut activation, cost);
    let annotated = decided.and_then(|decisions| Ok((decisions, annotations(policy, &mut activation, cost)?)));
    match annotated {
        Ok((decisions, annotations)) => Judgement::Judged { decisions, annotations },
        Err(OutOfBudget) => whole(out_of_budget()),
    }
}

/// One error in place of all results.
fn whole(error: ExpressionError) -> Judgement {
    let decision = Decision { index: 0, validation: None, ruling: Ruling::Failed(error) };
    Judgement::Judged { decisions: vec![decision], annotations: Vec::new() }
}

fn out_of_budget() -> ExpressionError {
    ExpressionError { kind: ErrorKind::Cost, message: OutOfBudget::TEXT.to_owned() }
}

/// The first condition that is false, even where others fail; an error only if none is false.
fn match_conditions(policy: &Policy, inputs: Inputs<'_>, cost: &mut Cost) -> Result<Option<String>, ExpressionError> {
    let roots = Roots { request: Some(inputs.requested), namespace_object: None, ..inputs.roots() };
    let activation = Activation::new(roots);
    let mut budget = Budget::new(MATCH_CONDITIONS_BUDGET);
    let mut refused = None;
    let mut errors = Vec::new();
    for condition in &policy.match_conditions {
        let outcome = evaluate(&condition.expression, &activation, &mut budget, &mut cost.match_conditions);
        match outcome.map_err(|_| out_of_budget())? {
            Ok(Value::Bool(false)) if refused.is_none() => refused = Some(condition.name.clone()),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    if refused.is_some() || errors.is_empty() { Ok(refused) } else { Err(aggregate(errors)) }
}

/// Several errors in brackets, each text once. What is not supported outweighs the rest.
fn aggregate(errors: Vec<ExpressionError>) -> ExpressionError {
    let unsupported = errors.iter().find(|error| error.kind == ErrorKind::Unsupported);
    let kind = unsupported.or(errors.first()).map_or(ErrorKind::Evaluation, |error| error.kind);
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        if !texts.contains(&error.message) {
            texts.push(error.message);
        }
    }
    let joined = texts.join(", ");
    let message = if texts.len() > 1 { format!("[{joined}]") } else { joined };
    ExpressionError { kind, message }
}

fn decisions<'a>(
    policy: &'a Policy,
    activation: &mut Activation<'a>,
    cost: &mut Cost,
) -> Result<Vec<Decision>, OutOfBudget> {
    let mut budget = Budget::new(EVALUATION_BUDGET);
    let mut outcomes = Vec::with_capacity(policy.validations.len());
    for rule in &policy.validations {
        outcomes.push(evaluate(&rule.expression, activation, &mut budget, &mut cost.validations)?);
    }
    let messages = messages(policy, activation, &mut budget, cost);
    let numbered = policy.validations.iter().zip(outcomes).enumerate();
    let decision = |(index, (rule, outcome)): (usize, (&Rule, Outcome<'_>))| {
        let ruling = ruling(rule, outcome, index, messages.as_deref())?;
        Some(Decision { index, validation: Some(index), ruling })
    };
    Ok(numbered.filter_map(decision).collect())
}

/// Message expressions of every validation, passing ones too.
fn messages<'a>(
    policy: &'a Policy,
    activation: &mut Activation<'a>,
    budget: &mut Budget,
    cost: &mut Cost,
) -> Result<Vec<Option<Outcome<'a>>>, OutOfBudget> {
    activation.next_phase();
    let evaluate_one = |rule: &'a Rule| match &rule.message_expression {
        Some(expression) => evaluate(expression, activation, budget, &mut cost.messages).map(Some),
        None => {
            cost.messages.push(Default::default());
            Ok(None)
        }
    };
    policy.validations.iter().map(evaluate_one).collect()
}

fn ruling(
    rule: &Rule,
    outcome: Outcome<'_>,
    index: usize,
    messages: Result<&[Option<Outcome<'_>>], &OutOfBudget>,
) -> Option<Ruling> {
    let value = match outcome {
        Ok(value) => value,
        Err(error) => return Some(Ruling::Failed(error)),
    };
    match messages {
        Err(OutOfBudget) => {
            let message = format!("failed messageExpression: {}", OutOfBudget::TEXT);
            Some(Ruling::Failed(ExpressionError { kind: ErrorKind::Cost, message }))
        }
        Ok(_) if matches!(value, Value::Bool(true)) => None,
        Ok(messages) => {
            let evaluated = messages.get(index).and_then(Option::as_ref);
            Some(Ruling::Denied { message: message::choose(rule, evaluated), reason: rule.reason })
        }
    }
}

fn annotations<'a>(
    policy: &'a Policy,
    activation: &mut Activation<'a>,
    cost: &mut Cost,
) -> Result<Vec<Annotated>, OutOfBudget> {
    activation.next_phase();
    let mut budget = Budget::new(EVALUATION_BUDGET);
    let mut annotated = Vec::with_capacity(policy.audit_annotations.len());
    for annotation in &policy.audit_annotations {
        let outcome = evaluate(&annotation.expression, activation, &mut budget, &mut cost.audit_annotations)?;
        annotated.push(Annotated { key: annotation.key.clone(), value: outcome.map(|value| publishable(&value)) });
    }
    Ok(annotated)
}

fn publishable(value: &Value<'_>) -> Option<String> {
    match value {
        Value::String(text) => Some(text.as_str().trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        _ => None,
    }
}

impl<'a> Inputs<'a> {
    fn roots(&self) -> Roots<'a> {
        Roots {
            object: self.request.object.as_deref(),
            old_object: self.request.old_object.as_deref(),
            params: self.params,
            request: Some(self.matched),
            namespace_object: self.namespace,
        }
    }

    fn activation(&self, policy: &'a Policy) -> Activation<'a> {
        Activation::with_variables(self.roots(), &policy.variables)
    }
}
