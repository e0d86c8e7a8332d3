//! Heartbeat Leases: the agent renews the one that is named like its node, and changes nothing else.

use super::object::unchanged_but;
use super::{SERVER_MANAGED, Verdict, must, own_node};
use crate::guard::Rule;
use crate::profile::Profile;
use crate::request::{Operation, Request};

pub(super) fn judge(profile: &Profile, request: &Request<'_>) -> Verdict {
    let Operation::Update { old, new } = request.operation else { return must(Rule::Operation, false) };
    // A Lease's UID is its own, not the Node's.
    own_node(profile, request, |claim| claim.names(old.name(), None))?;
    must(Rule::Spec, unchanged_but(&["renewTime", "holderIdentity"], old.field("spec"), new.field("spec")))?;
    must(Rule::Metadata, unchanged_but(&SERVER_MANAGED, old.field("metadata"), new.field("metadata")))
}
