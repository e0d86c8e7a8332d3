//! Match conditions of webhooks: the same as those of policies (`validateMatchConditions` of
//! `pkg/apis/admissionregistration/validation`), judged in the environment of the newest release.

use admission::{FieldError, FieldErrorKind, FieldPath, KubeVersion, Policy};
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec,
};

use super::place::Place;

const IN_POLICY: &str = "spec.matchConditions";

/// What is wrong with a list of conditions.
pub(crate) fn check(list: &Place<'_>) -> Vec<FieldError> {
    if list.is_empty() {
        return Vec::new();
    }
    let Ok(conditions) = serde_json::from_value::<Vec<MatchCondition>>(list.value().clone()) else {
        return vec![list.invalid("cannot be read")];
    };
    let spec = ValidatingAdmissionPolicySpec { match_conditions: Some(conditions), ..Default::default() };
    let policy = ValidatingAdmissionPolicy { spec: Some(spec), ..Default::default() };
    let errors = Policy::compile(&policy, KubeVersion::NEWEST).err().unwrap_or_default();
    errors.iter().filter_map(|error| moved(error, list)).collect()
}

/// An error about a policy's condition as one about a webhook's.
fn moved(error: &FieldError, list: &Place<'_>) -> Option<FieldError> {
    let rest = error.field().strip_prefix(IN_POLICY)?;
    let base = FieldError::required(list.path(), "").field().to_owned();
    let path = FieldPath::root(&format!("{base}{rest}"));
    let shown = named(list, rest).map(|place| place.value().clone());
    let shown = shown.filter(|_| matches!(error.kind(), FieldErrorKind::Invalid | FieldErrorKind::Duplicate));
    Some(FieldError::of(&path, error.kind(), shown.as_ref(), error.detail()))
}

/// The field that a path such as `[0].name` leads to.
fn named<'v>(list: &Place<'v>, path: &str) -> Option<Place<'v>> {
    let (index, field) = path.strip_prefix('[')?.split_once("].")?;
    Some(list.items().get(index.parse::<usize>().ok()?)?.child(field))
}
