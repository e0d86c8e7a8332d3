//! Judging a request by policies and their bindings (the dispatcher of the API server's policy plugin).

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::annotations::{Collector, failure_annotation};
use super::binding::Binding;
use super::compile::Policy;
use super::judge::{Annotated, Decision, Inputs, Judgement, Ruling, judge};
use super::params::{self, ServedKind};
use super::phase::ExpressionError;
use super::{FailurePolicy, namespace};
use crate::cluster::Cluster;
use crate::matching::{Matched, is_exempt};
use crate::request::AdmissionRequest;
use crate::verdict::{Action, Cost, Denial, ErrorKind, Finding, Mismatch, PolicyError, PolicyReport, Report, Verdict};
use crate::warning::Warnings;

/// Judges a request by one policy and those of the bindings that name it.
pub fn evaluate(
    policy: &Policy,
    bindings: &[Binding],
    request: &AdmissionRequest,
    cluster: &dyn Cluster,
) -> PolicyReport {
    let mut dispatch = Dispatch::new(policy, request, cluster);
    dispatch.run(bindings);
    dispatch.into_report()
}

/// Judges a request by all policies, in this order, each with those of the bindings that name it.
///
/// The first refusal of the first refusing policy is what a client would be told; a server, however, has no fixed
/// order of policies.
pub fn evaluate_all<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    bindings: &[Binding],
    request: &AdmissionRequest,
    cluster: &dyn Cluster,
) -> Report {
    let reports: Vec<_> = policies.into_iter().map(|policy| evaluate(policy, bindings, request, cluster)).collect();
    let mut warnings = Warnings::default();
    let mut audit_annotations = BTreeMap::new();
    for report in &reports {
        report.warnings.iter().for_each(|text| warnings.add(text));
        for (key, value) in &report.audit_annotations {
            // What is annotated once is not overwritten.
            audit_annotations.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Report { policies: reports, warnings: warnings.into_texts(), audit_annotations }
}

struct Dispatch<'e> {
    policy: &'e Policy,
    request: &'e AdmissionRequest,
    cluster: &'e dyn Cluster,
    requested: OnceCell<Json>,
    findings: Vec<Finding>,
    costs: Vec<Cost>,
    warnings: Vec<String>,
    annotations: Collector,
    judged: bool,
    mismatch: Option<Mismatch>,
}

impl<'e> Dispatch<'e> {
    fn new(policy: &'e Policy, request: &'e AdmissionRequest, cluster: &'e dyn Cluster) -> Self {
        Self {
            policy,
            request,
            cluster,
            requested: OnceCell::new(),
            findings: Vec::new(),
            costs: Vec::new(),
            warnings: Vec::new(),
            annotations: Collector::default(),
            judged: false,
            mismatch: None,
        }
    }

    fn run(&mut self, bindings: &[Binding]) {
        if is_exempt(self.request.requested_resource()) {
            return self.mismatched(Mismatch::ExemptResource);
        }
        let mut bindings = bindings.iter().filter(|binding| binding.policy == self.policy.name).peekable();
        if bindings.peek().is_none() {
            return self.mismatched(Mismatch::NoBinding);
        }
        match self.prepare() {
            Err(text) => self.misconfigured(None, &text),
            Ok(None) => {}
            Ok(Some((matched, kind))) => {
                bindings.for_each(|binding| self.bound(binding, matched, kind.as_ref()));
            }
        }
    }

    /// The checks of the policy itself, before any binding.
    fn prepare(&mut self) -> Result<Option<(Matched<'e>, Option<ServedKind<'e>>)>, String> {
        let matcher = self.policy.matcher.as_ref().ok_or("policy contained no match constraints, a required field")?;
        match matcher.matches(self.request, self.cluster)? {
            Err(step) => {
                self.mismatched(Mismatch::Policy(step));
                Ok(None)
            }
            Ok(matched) => {
                let kind = params::served_kind(self.policy.param_kind.as_ref(), self.cluster)?;
                Ok(Some((matched, kind)))
            }
        }
    }

    fn bound(&mut self, binding: &Binding, matched: Matched<'e>, kind: Option<&ServedKind<'_>>) {
        if let Err(text) = self.try_bound(binding, matched, kind) {
            self.misconfigured(Some(binding), &text);
        }
    }

    fn try_bound(
        &mut self,
        binding: &Binding,
        matched: Matched<'e>,
        kind: Option<&ServedKind<'_>>,
    ) -> Result<(), String> {
        if let Some(matcher) = &binding.matcher
            && let Err(step) = matcher.matches(self.request, self.cluster)?
        {
            self.mismatched(Mismatch::Binding { binding: binding.name.clone(), step });
            return Ok(());
        }
        let params = params::collect(kind, binding, self.request, self.cluster)?;
        if params.is_empty() {
            self.mismatched(Mismatch::NoParams { binding: binding.name.clone() });
            return Ok(());
        }
        convertible(self.request, matched)?;
        let namespace = namespace::visible(self.policy.uses_namespace, self.request, self.cluster)?;
        self.judge_each(binding, matched, &params, namespace.as_ref());
        Ok(())
    }

    fn judge_each(
        &mut self,
        binding: &Binding,
        matched: Matched<'e>,
        params: &[Option<Arc<Json>>],
        namespace: Option<&Json>,
    ) {
        let (policy, request) = (self.policy, self.request);
        let view = request.expression_view(matched.resource, matched.kind);
        for params in params {
            let mut cost = Cost { binding: binding.name.clone(), ..Cost::default() };
            let requested =
                self.requested.get_or_init(|| request.expression_view(request.requested_resource(), matched.kind));
            let params = params.as_deref();
            let inputs = Inputs { request, requested, matched: &view, params, namespace };
            let judgement = judge(policy, inputs, &mut cost);
            self.costs.push(cost);
            self.take(binding, judgement);
        }
    }

    fn take(&mut self, binding: &Binding, judgement: Judgement) {
        match judgement {
            Judgement::Skipped(name) => {
                self.mismatched(Mismatch::MatchCondition { binding: binding.name.clone(), name });
            }
            Judgement::Judged { decisions, annotations } => {
                self.judged = true;
                decisions.into_iter().for_each(|decision| self.decide(binding, decision));
                annotations.into_iter().for_each(|annotated| self.annotate(binding, annotated));
            }
        }
    }

    fn decide(&mut self, binding: &Binding, decision: Decision) {
        let ignored = matches!(&decision.ruling, Ruling::Failed(error) if self.ignores(error.kind));
        if !ignored {
            self.act(binding, &decision);
        }
        let finding = match decision.ruling {
            Ruling::Failed(error) => {
                let admitted = ignored || !binding.actions.contains(&Action::Deny);
                Finding::Error(self.error(Some(binding), decision.validation, error, admitted))
            }
            Ruling::Denied { message, reason } => Finding::Denial(Denial {
                policy: self.policy.name.clone(),
                binding: binding.name.clone(),
                validation: decision.index,
                expression: self.expression(decision.index),
                message,
                reason,
                actions: binding.actions.clone(),
            }),
        };
        self.findings.push(finding);
    }

    /// What a server could evaluate, and perhaps refuse, is not ignored.
    fn ignores(&self, kind: ErrorKind) -> bool {
        self.policy.failure_policy == FailurePolicy::Ignore && kind != ErrorKind::Unsupported
    }

    fn expression(&self, validation: usize) -> String {
        self.policy.validations.get(validation).map(|rule| rule.expression.source.clone()).unwrap_or_default()
    }

    fn act(&mut self, binding: &Binding, decision: &Decision) {
        let message = match &decision.ruling {
            Ruling::Denied { message, .. } => message,
            Ruling::Failed(error) => &error.message,
        };
        let (policy, name) = (&self.policy.name, &binding.name);
        for action in &binding.actions {
            match action {
                Action::Deny => {}
                Action::Warn => self.warnings.push(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{name}': {message}"
                )),
                Action::Audit => {
                    let (key, value) = failure_annotation(binding, decision.index, message);
                    self.annotations.set(key, value);
                }
            }
        }
    }

    /// A failed annotation refuses whatever the binding's actions are.
    fn annotate(&mut self, binding: &Binding, annotated: Annotated) {
        match annotated.value {
            Ok(None) => {}
            Ok(Some(value)) => self.annotations.add(&annotated.key, &value),
            Err(error) => {
                let admitted = self.policy.failure_policy == FailurePolicy::Ignore;
                let error = self.error(Some(binding), None, error, admitted);
                self.findings.push(Finding::Error(error));
            }
        }
    }

    /// So does a policy or binding that does not fit its surroundings.
    fn misconfigured(&mut self, binding: Option<&Binding>, text: &str) {
        let what = if binding.is_some() { "binding" } else { "policy" };
        let message = format!("failed to configure {what}: {text}");
        let error = ExpressionError { kind: ErrorKind::Configuration, message };
        let admitted = self.policy.failure_policy == FailurePolicy::Ignore;
        let error = self.error(binding, None, error, admitted);
        self.findings.push(Finding::Error(error));
    }

    fn error(
        &self,
        binding: Option<&Binding>,
        validation: Option<usize>,
        error: ExpressionError,
        admitted: bool,
    ) -> PolicyError {
        PolicyError {
            policy: self.policy.name.clone(),
            binding: binding.map(|binding| binding.name.clone()),
            validation,
            kind: error.kind,
            message: error.message,
            admitted,
        }
    }

    fn mismatched(&mut self, mismatch: Mismatch) {
        self.mismatch.get_or_insert(mismatch);
    }

    fn into_report(self) -> PolicyReport {
        let verdict = self.verdict();
        PolicyReport {
            policy: self.policy.name.clone(),
            verdict,
            findings: self.findings,
            costs: self.costs,
            warnings: self.warnings,
            audit_annotations: self.annotations.publish(&self.policy.name),
        }
    }

    /// The first finding that refuses; else the first error; else whether anything was judged at all.
    fn verdict(&self) -> Verdict {
        let is_error = |finding: &&Finding| matches!(finding, Finding::Error(_));
        let first = self.findings.iter().find(|finding| finding.refuses());
        match first.or_else(|| self.findings.iter().find(is_error)) {
            Some(Finding::Denial(denial)) => Verdict::Deny(denial.clone()),
            Some(Finding::Error(error)) => Verdict::Error(error.clone()),
            None if self.judged => Verdict::Allow,
            None => Verdict::NotMatched(self.mismatch.clone().unwrap_or(Mismatch::NoBinding)),
        }
    }
}

/// Objects can be seen in the form only that the request brings.
fn convertible(request: &AdmissionRequest, matched: Matched<'_>) -> Result<(), String> {
    if *matched.kind == request.kind {
        return Ok(());
    }
    Err(format!("failed to convert object version: {} is asked for, the request brings {}", matched.kind, request.kind))
}
