//! Amounts of resources: their names and values (`pkg/apis/core/helper`, `ValidateResourceQuantityValue`).

use admission::FieldError;
use std::cmp::Ordering;

use super::names;
use super::place::Place;
use super::quantity::Quantity;

const WHOLE: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const COMPUTE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
const OF_CONTAINERS: [&str; 2] = ["cpu", "memory"];
const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];

/// Whether Kubernetes itself defines the resource.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a cluster's owner defines the resource, as device plugins do.
fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && names::qualified(&format!("requests.{name}")).is_empty()
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether more may be promised than there is.
fn is_overcommittable(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// What is wrong with an amount.
pub(crate) fn amount(name: &str, place: &Place<'_>) -> Vec<FieldError> {
    let Some(quantity) = read(place) else {
        return Vec::new();
    };
    let error = |detail: &str| FieldError::invalid(place.path(), &quantity.to_string(), detail);
    let negative = quantity.sign() == Ordering::Less;
    let fraction = (WHOLE.contains(&name) || is_extended(name)) && !quantity.is_whole();
    let problems = [(negative, "must be greater than or equal to 0"), (fraction, "must be an integer")];
    problems.into_iter().filter(|(broken, _)| *broken).map(|(_, detail)| error(detail)).collect()
}

/// A quantity, which may also be written as a number.
pub(crate) fn read(place: &Place<'_>) -> Option<Quantity> {
    match place.value() {
        serde_json::Value::Number(number) => Quantity::parse(&number.to_string()),
        value => Quantity::parse(value.as_str()?),
    }
}

/// The name of a resource that a container asks for (`validateContainerResourceName`).
fn name_in_container(name: &str, place: &Place<'_>) -> Vec<FieldError> {
    let error = |detail: String| FieldError::invalid(place.path(), name, detail);
    let mut errors: Vec<_> = names::qualified(name).into_iter().map(error).collect();
    let plain = !name.contains('/');
    if errors.is_empty() && plain && !STANDARD.contains(&name) && !is_huge_page(name) {
        errors.push(error("must be a standard resource type or fully qualified".to_owned()));
    }
    if plain && !COMPUTE.contains(&name) && !is_huge_page(name) {
        errors.push(error("must be a standard resource for containers".to_owned()));
    } else if !plain && !is_native(name) && !is_extended(name) {
        errors.push(error("doesn't follow extended resource name standard".to_owned()));
    }
    errors
}

/// Requests and limits (`validateResourceRequirements`).
pub(crate) fn requirements(place: &Place<'_>) -> Vec<FieldError> {
    let (limits, requests) = (place.child("limits"), place.child("requests"));
    let mut errors = amounts(&limits);
    for (name, _) in requests.entries() {
        errors.extend(one_amount(name, &requests.key(name)));
        errors.extend(request_and_limit(name, &requests, &limits));
    }
    let named = || limits.entries().chain(requests.entries()).map(|(name, _)| name);
    if named().any(is_huge_page) && !named().any(|name| OF_CONTAINERS.contains(&name)) {
        errors.push(place.forbidden("HugePages require cpu or memory"));
    }
    errors
}

fn amounts(place: &Place<'_>) -> Vec<FieldError> {
    place.entries().flat_map(|(name, _)| one_amount(name, &place.key(name))).collect()
}

fn one_amount(name: &str, place: &Place<'_>) -> Vec<FieldError> {
    let mut errors = name_in_container(name, place);
    errors.extend(amount(name, place));
    errors
}

fn request_and_limit(name: &str, requests: &Place<'_>, limits: &Place<'_>) -> Option<FieldError> {
    let requested = read(&requests.key(name))?;
    let error = |detail: String| FieldError::invalid(requests.path(), &requested.to_string(), detail);
    let Some(limit) = read(&limits.key(name)) else {
        return (!is_overcommittable(name))
            .then(|| limits.required("Limit must be set for non overcommitable resources"));
    };
    match requested.compare(limit) {
        Ordering::Equal => None,
        _ if !is_overcommittable(name) => Some(error(format!("must be equal to {name} limit of {limit}"))),
        Ordering::Greater => Some(error(format!("must be less than or equal to {name} limit of {limit}"))),
        Ordering::Less => None,
    }
}
