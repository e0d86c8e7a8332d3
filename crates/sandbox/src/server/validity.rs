//! Whether an object may be stored: metadata, its kind's own rules, its definition's, and what its author may grant.

use admission::{Binding, FieldError, Policy};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use serde_json::Value;

use super::call::Call;
use super::create::text;
use super::policies::{GROUP, read};
use super::state::{DEFINITIONS, State};
use crate::failure::Failure;
use crate::{crd, rbac, validation};

impl State {
    /// Judges a new object.
    pub fn validate_new(&self, call: &Call, object: &Value) -> Result<(), Failure> {
        self.may_grant(call, object, None)?;
        let errors = validation::create(&call.resource, object);
        let errors = self.own_rules(call, object, None, errors);
        refuse(call, object, &errors)
    }

    /// Judges a changed object.
    pub fn validate_change(&self, call: &Call, new: &Value, old: &Value) -> Result<(), Failure> {
        self.may_grant(call, new, Some(old))?;
        let errors = validation::update(&call.resource, &call.place.subresource, new, old);
        let errors = self.own_rules(call, new, Some(old), errors);
        refuse(call, new, &errors)
    }

    /// What was found before, and what the rules of the kind itself find.
    fn own_rules(&self, call: &Call, new: &Value, old: Option<&Value>, mut found: Vec<FieldError>) -> Vec<FieldError> {
        if let Some(compiled) = self.compiled(&call.resource) {
            let verdict = match old {
                Some(old) if call.place.subresource == "status" => compiled.validate_status(new, old, found),
                _ => compiled.validate(new, old, found),
            };
            return verdict.errors;
        }
        if (call.resource.group.as_str(), call.resource.plural.as_str()) == DEFINITIONS {
            found.extend(crd::validate_definition(new, old));
        }
        if call.resource.group == GROUP && old.is_none_or(|old| old["spec"] != new["spec"]) {
            found.extend(self.policy_objections(&call.resource.kind, new));
        }
        found
    }

    fn policy_objections(&self, kind: &str, object: &Value) -> Vec<FieldError> {
        let version = self.settings.version;
        let verdict = match kind {
            "ValidatingAdmissionPolicy" => read::<ValidatingAdmissionPolicy>(object)
                .map(|policy| Policy::compile(&policy, version).map(drop).err().unwrap_or_default()),
            "ValidatingAdmissionPolicyBinding" => read::<ValidatingAdmissionPolicyBinding>(object)
                .map(|binding| Binding::check(&binding).map(drop).err().unwrap_or_default()),
            _ => Some(Vec::new()),
        };
        let unreadable = || vec![FieldError::internal(&admission::FieldPath::root("spec"), "cannot be read")];
        verdict.unwrap_or_else(unreadable)
    }

    /// Nobody grants what he does not have.
    fn may_grant(&self, call: &Call, new: &Value, old: Option<&Value>) -> Result<(), Failure> {
        if call.resource.group != rbac::GROUP {
            return Ok(());
        }
        let Call { user, place, resource, .. } = call;
        let write = rbac::escalation::Write {
            user,
            resource: &resource.plural,
            namespace: call.namespace(),
            name: &place.name,
            new,
            old,
        };
        rbac::escalation::check(&write, &self.store, &|attributes| self.decide(attributes))
    }
}

fn refuse(call: &Call, object: &Value, errors: &[FieldError]) -> Result<(), Failure> {
    if errors.is_empty() {
        return Ok(());
    }
    // Events of both groups are one kind to the server.
    let group = if call.resource.kind == "Event" { "" } else { &call.resource.group };
    Err(Failure::invalid(group, &call.resource.kind, &text(object, "name"), errors))
}
