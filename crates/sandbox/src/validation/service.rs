//! Services (`validateService…` of `pkg/apis/core/validation`), without load balancers and node ports.

use admission::{FieldError, FieldErrorKind};
use serde_json::json;
use std::collections::BTreeSet;

use super::addresses;
use super::names;
use super::ordered::{Ordered, PORT};
use super::place::Place;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// A new Service.
pub(crate) fn create(object: &Place<'_>) -> Vec<FieldError> {
    let spec = object.child("spec");
    let external = spec.child("type").text() == "ExternalName";
    let mut errors = Vec::new();
    if spec.child("ports").is_empty() && !is_headless(&spec) && !external {
        errors.push(spec.child("ports").required(""));
    }
    errors.extend(of_type(&spec));
    errors.extend(ports(&spec.child("ports")));
    errors.extend(names::labels(spec.child("selector").value(), spec.child("selector").path()));
    errors.extend(spec.child("sessionAffinity").one_of(&["ClientIP", "None"]));
    if !external {
        errors.extend(cluster_ips(&spec));
    }
    errors.extend(spec.child("externalIPs").items().iter().filter_map(addresses::address));
    errors.extend(spec.child("type").one_of(&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]));
    errors.extend(unused(&spec));
    errors.extend(same_port_twice(&spec.child("ports")));
    errors.extend(traffic(&spec));
    errors
}

/// A changed Service.
pub(crate) fn update(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let mut errors = kept_addresses(&new.child("spec"), &old.child("spec"));
    errors.extend(create(new));
    errors
}

/// A Service whose status changed.
pub(crate) fn status(new: &Place<'_>, _: &Place<'_>) -> Vec<FieldError> {
    let ingress = new.down(&["status", "loadBalancer", "ingress"]);
    if ingress.is_empty() || new.down(&["spec", "type"]).text() == "LoadBalancer" {
        return Vec::new();
    }
    vec![ingress.forbidden("may only be used when `spec.type` is 'LoadBalancer'")]
}

fn is_headless(spec: &Place<'_>) -> bool {
    spec.child("clusterIPs").texts() == ["None"]
}

fn of_type(spec: &Place<'_>) -> Vec<FieldError> {
    let kind = spec.child("type").text();
    if kind != "ExternalName" {
        let barred = ["LoadBalancer", "NodePort"].contains(&kind) && is_headless(spec);
        let detail = format!("may not be set to 'None' for {kind} services");
        let first = spec.child("clusterIPs").items().into_iter().next().filter(|_| barred);
        return first.map(|first| first.invalid_text(detail)).into_iter().collect();
    }
    let barred = ["clusterIPs", "ipFamilies", "ipFamilyPolicy"].into_iter().map(|field| spec.child(field));
    let mut errors: Vec<_> = barred
        .filter(|field| !field.is_empty())
        .map(|field| field.forbidden("may not be set for ExternalName services"))
        .collect();
    errors.extend(external_name(&spec.child("externalName")));
    errors
}

fn external_name(place: &Place<'_>) -> Vec<FieldError> {
    let name = place.text().strip_suffix('.').unwrap_or_else(|| place.text());
    if name.is_empty() {
        return vec![place.required("")];
    }
    names::subdomain(name).into_iter().map(|problem| FieldError::invalid(place.path(), name, problem)).collect()
}

fn ports(list: &Place<'_>) -> Vec<FieldError> {
    let items = list.items();
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for port in &items {
        errors.extend(port_name(&port.child("name"), &mut seen, items.len() > 1));
        errors.extend(port_numbers(port));
    }
    errors
}

fn port_name<'v>(name: &Place<'v>, seen: &mut BTreeSet<&'v str>, needed: bool) -> Vec<FieldError> {
    if name.is_empty() {
        return needed.then(|| name.required("")).into_iter().collect();
    }
    let mut errors = name.checked(names::label);
    if !seen.insert(name.text()) {
        errors.push(name.duplicate());
    }
    errors
}

fn port_numbers(port: &Place<'_>) -> Vec<FieldError> {
    let number = port.child("port");
    let mut errors = Vec::new();
    if !(1..=65_535).contains(&number.number().unwrap_or_default()) {
        let shown = number.number().unwrap_or_default();
        errors.push(FieldError::invalid_json(number.path(), &shown, "must be between 1 and 65535, inclusive"));
    }
    errors.extend(port.child("protocol").one_of(&PROTOCOLS));
    errors.extend(port_or_name(&port.child("targetPort")));
    if port.child("appProtocol").is_set() {
        errors.extend(port.child("appProtocol").checked(names::qualified));
    }
    errors
}

/// A port by its number or by its name (`ValidatePortNumOrName`).
pub(crate) fn port_or_name(place: &Place<'_>) -> Vec<FieldError> {
    if place.value().is_string() {
        return place.checked(names::port_name);
    }
    let number = place.number().unwrap_or_default();
    if (1..=65_535).contains(&number) {
        return Vec::new();
    }
    vec![FieldError::invalid_json(place.path(), &number, "must be between 1 and 65535, inclusive")]
}

/// `ValidateServiceClusterIPsRelatedFields`, without what depends on two families.
fn cluster_ips(spec: &Place<'_>) -> Vec<FieldError> {
    let (one, all) = (spec.child("clusterIP"), spec.child("clusterIPs"));
    let mut errors = Vec::new();
    match (one.is_empty(), all.texts().first()) {
        (false, None) => errors.push(all.required("")),
        (false, Some(first)) if *first != one.text() => errors.push(all.invalid("first value must match `clusterIP`")),
        (true, Some(_)) => errors.push(all.invalid("must be empty when `clusterIP` is not specified")),
        _ => {}
    }
    let families = spec.child("ipFamilies").items().into_iter();
    errors.extend(families.filter_map(|family| unknown(&family, &["IPv4", "IPv6"])));
    let policy = spec.child("ipFamilyPolicy");
    if policy.is_set() {
        errors.extend(unknown(&policy, &["PreferDualStack", "RequireDualStack", "SingleStack"]));
    }
    let addresses = all.items();
    errors.extend(addresses.iter().filter(|place| place.text() != "None").filter_map(addresses::address));
    if addresses.len() > 2 {
        errors.push(all.invalid("may only hold up to 2 values"));
    }
    errors
}

fn unknown(place: &Place<'_>, known: &[&str]) -> Option<FieldError> {
    (!known.contains(&place.text())).then(|| place.not_supported(known))
}

/// Fields that another type of Service would use.
fn unused(spec: &Place<'_>) -> Vec<FieldError> {
    let kind = spec.child("type").text();
    if kind != "ClusterIP" {
        return Vec::new();
    }
    let ports = spec.child("ports").items().into_iter().map(|port| port.child("nodePort"));
    let used = ports.filter(|port| port.number().unwrap_or_default() != 0);
    used.map(|port| port.forbidden("may not be used when `type` is 'ClusterIP'")).collect()
}

fn same_port_twice(list: &Place<'_>) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let repeated = list
        .items()
        .into_iter()
        .filter(|port| !seen.insert((port.child("protocol").text(), port.child("port").number())));
    let shown = |port: &Place<'_>| {
        let (protocol, number) = (port.child("protocol").value().clone(), port.child("port").value().clone());
        Ordered::of(&json!({"protocol": protocol, "port": number}), PORT).error(
            port.path(),
            FieldErrorKind::Duplicate,
            "",
        )
    };
    repeated.map(|port| shown(&port)).collect()
}

/// Where requests to the Service go.
fn traffic(spec: &Place<'_>) -> Vec<FieldError> {
    let (external, internal) = (spec.child("externalTrafficPolicy"), spec.child("internalTrafficPolicy"));
    let outside = ["LoadBalancer", "NodePort"].contains(&spec.child("type").text());
    let mut errors = Vec::new();
    if !external.is_empty() && !outside && spec.child("externalIPs").is_empty() {
        errors.push(external.invalid_text("may only be set for externally-accessible services"));
    } else if !external.is_empty() {
        errors.extend(unknown(&external, &["Cluster", "Local"]));
    }
    if internal.is_set() {
        errors.extend(unknown(&internal, &["Cluster", "Local"]));
    }
    errors
}

/// `validateUpgradeDowngradeClusterIPs` for addresses of one family.
fn kept_addresses(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let external = |spec: &Place<'_>| spec.child("type").text() == "ExternalName";
    let (now, before) = (new.child("clusterIPs"), old.child("clusterIPs"));
    if external(new) || external(old) || (is_headless(new) && is_headless(old)) {
        return Vec::new();
    }
    let first = now.path().index(0);
    match (now.texts().first(), before.texts().first()) {
        (None, Some(_)) => vec![now.at(first).invalid("primary clusterIP can not be unset")],
        (Some(now_first), Some(before_first)) if now_first != before_first => {
            vec![now.at(first).invalid("may not change once set")]
        }
        _ => Vec::new(),
    }
}
