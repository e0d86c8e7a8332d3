//! The policies that hold whom no profile names: probes, and the controller.

use ownership::Profile;
use ownership::spec::{Channel, OwnNode, ServiceAccount};
use serde_json::{Value, json};

/// The name of the policy on probes, and of its binding.
pub const PROBES: &str = "nodebound-probes";
/// The group of probes.
pub const PROBE: &str = "nodebound:probe";
/// The extra key that a probe is marked by.
const MARK: &str = "nodebound.io/probe";

/// The controller is held by the same rule as the agents, from whichever node it comes: it copies for all of them.
///
/// # Panics
/// Never: what is valid for the agent's account is valid for another.
#[must_use]
pub fn controllers_profile(profile: &Profile, account: ServiceAccount) -> Profile {
    let mut spec = profile.spec().clone();
    spec.service_account = account;
    (spec.node, spec.check_node_uid, spec.channel) = (OwnNode::Any, false, Channel::Direct);
    // It judges limits itself, and the mark of a silent node has to have room.
    (spec.resources, spec.liveness, spec.limits) = (Vec::new(), None, None);
    let name = format!("{}-controller", profile.name());
    let whole = Profile::new(&name, spec.clone());
    // A name that has no room for more is cut; what it guards is in the policy.
    whole
        .or_else(|_| Profile::new(&cut(profile.name()), spec))
        .expect("a valid profile stays valid for another account")
}

fn cut(name: &str) -> String {
    let kept = name.get(..name.floor_char_boundary(63 - "-controller".len())).unwrap_or(name);
    format!("{}-controller", kept.trim_end_matches(['-', '.']))
}

/// Whoever has the group of probes may try, and do nothing.
pub(super) fn probes() -> [Value; 2] {
    let rules =
        json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"], "scope": "*"}]);
    let validation = |expression: String, message: &str| json!({"expression": expression, "message": format!("nodebound: probes: {message}"), "reason": "Forbidden"});
    let marked = format!("has(request.userInfo.extra) && '{MARK}' in request.userInfo.extra");
    let dry = "has(request.dryRun) && request.dryRun == true".to_owned();
    let group = format!("has(request.userInfo.groups) && '{PROBE}' in request.userInfo.groups");
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": PROBES},
        "spec": {
            "failurePolicy": "Fail",
            "matchConditions": [{"name": "probe", "expression": group}],
            "matchConstraints": {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {},
                "resourceRules": rules},
            "validations": [validation(marked, "a probe has to be marked"), validation(dry, "a probe has to be a dry run")],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": PROBES}, "spec": {"policyName": PROBES, "validationActions": ["Deny"]},
    });
    [policy, binding]
}
