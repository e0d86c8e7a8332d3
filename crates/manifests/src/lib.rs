//! Renders a profile as what an API server enforces: one ValidatingAdmissionPolicy with its binding for each guard.
//!
//! The objects are typed and carry every field that the API server would default, so that applying them again, or
//! comparing them with what is installed, shows no difference. Kubernetes 1.30, where the API became stable, accepts
//! them: no expression uses a function that is newer.

mod expression;
pub mod install;
mod lease;
mod metadata;
mod node_feature;
mod policy;
mod resources;
mod yaml;

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use ownership::Profile;
use ownership::guard::Guard;
use ownership::spec::Channel;
use serde_json::Value;

pub use yaml::documents;

/// A guard as objects: the policy, and the binding that puts it in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Guarding {
    /// What is guarded.
    pub guard: Guard,
    /// The policy.
    pub policy: ValidatingAdmissionPolicy,
    /// Its binding, of the same name.
    pub binding: ValidatingAdmissionPolicyBinding,
}

impl Guarding {
    /// The policy and the binding as plain objects.
    #[must_use]
    pub fn objects(&self) -> [Value; 2] {
        let plain = "objects of the Kubernetes API have no maps with keys other than text";
        [serde_json::to_value(&self.policy).expect(plain), serde_json::to_value(&self.binding).expect(plain)]
    }
}

/// The guards that a profile needs, in the order in which they are installed.
#[must_use]
pub fn guards(profile: &Profile) -> Vec<Guarding> {
    let needed = [
        (Guard::Nodes, true),
        (Guard::Resources, !profile.resources().is_empty()),
        (Guard::ShadowNodes, profile.channel() == Channel::ShadowNode),
        (Guard::Leases, profile.beats_by_lease()),
        (Guard::NodeFeatures, profile.channel() == Channel::NodeFeature),
    ];
    needed.into_iter().filter(|(_, needed)| *needed).map(|(guard, _)| render(profile, guard)).collect()
}

/// One guard of a profile, whether the profile needs it or not.
#[must_use]
pub fn render(profile: &Profile, guard: Guard) -> Guarding {
    let draft = match guard {
        Guard::Nodes | Guard::ShadowNodes => metadata::draft(profile, guard),
        Guard::Resources => resources::draft(profile),
        Guard::Leases => lease::draft(profile),
        Guard::NodeFeatures => node_feature::draft(profile),
    };
    Guarding { guard, policy: draft.policy(profile), binding: policy::binding(profile, guard) }
}
