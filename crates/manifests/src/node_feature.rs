//! The guard on NodeFeatures: Node Feature Discovery finds their Node by a label, so that label is what is bound.

use ownership::Profile;
use ownership::guard::{Guard, NFD_NODE_NAME, Rule};

use crate::expression::{allows, declare_claim, own_node, owns, quote};
use crate::policy::Draft;

pub(crate) fn draft(profile: &Profile) -> Draft {
    let mut draft = Draft::new(Guard::NodeFeatures, profile);
    let operations = ["CREATE", "UPDATE", "DELETE"];
    draft.matching("nfd.k8s-sigs.io", "v1alpha1", &["nodefeatures", "nodefeatures/*"], &operations);
    declare_claim(&mut draft, profile);
    declare_published(&mut draft, "published", "DELETE", "object");
    if let Some(own) = own_node(profile, &labelled_by_claim()) {
        draft.rule(Rule::OwnNode, own);
    }
    draft.rule(Rule::Spec, format!("request.operation == 'DELETE' || ({})", publishes_no_features()));
    let namespace = quote(&profile.service_account().namespace);
    draft.rule(Rule::Metadata, format!("has(request.namespace) && request.namespace == {namespace}"));
    let owned = owns(profile.labels());
    let foreign = format!("variables.published.filter(k, !({owned}) || type(dyn(variables.published[k])) != string)");
    draft.variable("foreign", foreign);
    draft.rule_without(Rule::Labels, "variables.foreign");
    values(&mut draft, profile);
    draft
}

/// Declares the labels that an object publishes; none for the operation that has no such object.
fn declare_published(draft: &mut Draft, variable: &str, without: &str, object: &str) {
    let present = format!("request.operation != '{without}' && has({object}.spec) && has({object}.spec.labels)");
    draft.variable(variable, format!("{present} ? {object}.spec.labels : {{}}"));
}

/// Both the stored and the new object, where there is one, carry the claimed node's name.
fn labelled_by_claim() -> String {
    let label = quote(NFD_NODE_NAME);
    let labelled = |object: &str| {
        let labels = format!("{object}.metadata.labels");
        format!("(has({labels}) && {label} in {labels} && {labels}[{label}] == variables.claim)")
    };
    let (old, new) = (labelled("oldObject"), labelled("object"));
    format!("(request.operation == 'CREATE' || {old}) && (request.operation == 'DELETE' || {new})")
}

fn publishes_no_features() -> &'static str {
    "!has(object.spec) || !has(object.spec.features) || (type(dyn(object.spec.features)) == map && \
     dyn(object.spec.features).all(k, dyn(object.spec.features)[k] == {}))"
}

fn values(draft: &mut Draft, profile: &Profile) {
    let Some(allowed) = allows(profile.labels(), "variables.published") else { return };
    declare_published(draft, "publishedBefore", "CREATE", "oldObject");
    let (new, old) = ("variables.published", "variables.publishedBefore");
    draft.variable("bad", format!("{new}.filter(k, !(k in {old} && {new}[k] == {old}[k]) && !({allowed}))"));
    draft.rule_without(Rule::Values, "variables.bad");
}
