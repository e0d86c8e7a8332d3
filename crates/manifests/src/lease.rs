//! The guard on heartbeat Leases: the agent renews its own, and changes nothing else.

use ownership::Profile;
use ownership::guard::{Guard, HEARTBEATS, Rule};

use crate::expression::{SERVER_MANAGED, declare_claim, own_node, quote, same_but};
use crate::policy::Draft;

pub(crate) fn draft(profile: &Profile) -> Draft {
    let mut draft = Draft::new(Guard::Leases, profile);
    draft.matching("coordination.k8s.io", "v1", &["leases", "leases/*"], &["*"]);
    draft.only_if("heartbeats", format!("has(request.namespace) && request.namespace == {}", quote(HEARTBEATS)));
    draft.variable("update", "request.operation == 'UPDATE'");
    declare_claim(&mut draft, profile);
    for (variable, object) in [("newSpec", "object"), ("oldSpec", "oldObject")] {
        draft.variable(variable, format!("variables.update && has({object}.spec) ? dyn({object}.spec) : dyn({{}})"));
    }
    draft.rule(Rule::Operation, "variables.update");
    // A Lease's UID is its own, not the Node's.
    let named = "has(oldObject.metadata.name) && oldObject.metadata.name == variables.claim";
    if let Some(own) = own_node(profile, named) {
        draft.rule(Rule::OwnNode, format!("!variables.update || ({own})"));
    }
    draft.rule(Rule::Spec, same_but(&["renewTime", "holderIdentity"], "variables.newSpec", "variables.oldSpec"));
    let metadata = same_but(&SERVER_MANAGED, "dyn(object.metadata)", "dyn(oldObject.metadata)");
    draft.rule(Rule::Metadata, format!("!variables.update || ({metadata})"));
    draft
}
