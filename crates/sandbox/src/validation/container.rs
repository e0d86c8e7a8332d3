//! Containers of pods (`validateContainer…` of `pkg/apis/core/validation`).

use admission::{FieldError, FieldErrorKind, FieldPath};
use std::collections::BTreeSet;

use super::names;
use super::ordered::{Ordered, SECURITY_CONTEXT};
use super::place::Place;
use super::probe;
use super::resources;
use super::volume;

const ENVIRONMENT_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// What containers refer to.
#[derive(Clone, Debug)]
pub(crate) struct Pod<'v> {
    /// The names of usable volumes.
    pub(crate) volumes: BTreeSet<&'v str>,
}

/// The containers that run.
pub(crate) fn regular(list: &Place<'_>, pod: &Pod<'_>) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    let items = list.items();
    for one in &items {
        errors.extend(common(one, pod));
        errors.extend(unique(&one.child("name"), &mut seen));
        errors.extend(probe::lifecycle(&one.child("lifecycle")));
        errors.extend(probe::all(one));
    }
    errors.extend(host_ports(&items));
    errors
}

/// The containers that run first.
pub(crate) fn initial(list: &Place<'_>, regular: &Place<'_>, pod: &Pod<'_>) -> Vec<FieldError> {
    let mut seen: BTreeSet<_> = regular.items().iter().map(|one| one.child("name").text()).collect();
    let mut errors = Vec::new();
    for one in list.items() {
        errors.extend(common(&one, pod));
        errors.extend(unique(&one.child("name"), &mut seen));
        errors.extend(host_ports(std::slice::from_ref(&one)));
        if one.child("restartPolicy").text() == "Always" {
            errors.extend(probe::lifecycle(&one.child("lifecycle")));
            errors.extend(probe::all(&one));
        } else {
            errors.extend(only_for_lasting(&one));
        }
    }
    errors
}

fn only_for_lasting(one: &Place<'_>) -> Vec<FieldError> {
    let fields = ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"].into_iter();
    let set = fields.map(|field| one.child(field)).filter(Place::is_set);
    set.map(|field| field.forbidden("may not be set for init containers without restartPolicy=Always")).collect()
}

/// The containers that are added to debug.
pub(crate) fn ephemeral(list: &Place<'_>, others: [&Place<'_>; 2], pod: &Pod<'_>) -> Vec<FieldError> {
    let named =
        |list: &Place<'_>| list.items().iter().map(|one| one.child("name").text().to_owned()).collect::<Vec<_>>();
    let others: BTreeSet<_> = others.into_iter().flat_map(named).collect();
    let mut seen: BTreeSet<_> = others.iter().map(String::as_str).collect();
    let mut errors = Vec::new();
    for one in list.items() {
        errors.extend(common(&one, pod));
        errors.extend(unique(&one.child("name"), &mut seen));
        let target = one.child("targetContainerName");
        if !target.is_empty() && !others.contains(target.text()) {
            errors.push(not_found(&target));
        }
    }
    errors
}

fn unique<'v>(name: &Place<'v>, seen: &mut BTreeSet<&'v str>) -> Option<FieldError> {
    (!name.is_empty() && !seen.insert(name.text())).then(|| name.duplicate())
}

fn common(one: &Place<'_>, pod: &Pod<'_>) -> Vec<FieldError> {
    let (name, image) = (one.child("name"), one.child("image"));
    let mut errors = if name.is_empty() { vec![name.required("")] } else { name.checked(names::label) };
    if image.is_empty() {
        errors.push(image.required(""));
    }
    errors.extend(one.child("terminationMessagePolicy").one_of(&["File", "FallbackToLogsOnError"]));
    errors.extend(ports(&one.child("ports")));
    errors.extend(one.child("env").items().iter().flat_map(variable));
    errors.extend(variables(&one.child("envFrom")));
    errors.extend(mounts(one, pod));
    errors.extend(one.child("imagePullPolicy").one_of(&["Always", "IfNotPresent", "Never"]));
    errors.extend(resources::requirements(&one.child("resources")));
    errors.extend(security(&one.child("securityContext")));
    errors
}

fn ports(list: &Place<'_>) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for port in list.items() {
        errors.extend(port_name(&port.child("name"), &mut seen));
        let (own, host) = (port.child("containerPort"), port.child("hostPort"));
        if own.is_empty() {
            errors.push(own.required(""));
        }
        let numbers = [own, host].into_iter().filter(|number| !number.is_empty());
        errors.extend(numbers.filter_map(|number| number.within(1, 65_535)));
        errors.extend(port.child("protocol").one_of(&["SCTP", "TCP", "UDP"]));
    }
    errors
}

fn port_name<'v>(name: &Place<'v>, seen: &mut BTreeSet<&'v str>) -> Vec<FieldError> {
    if name.is_empty() {
        return Vec::new();
    }
    let errors = name.checked(names::port_name);
    if !errors.is_empty() {
        return errors;
    }
    unique(name, seen).into_iter().collect()
}

/// Two containers cannot have one port of the host (`checkHostPortConflicts`).
fn host_ports(containers: &[Place<'_>]) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for port in containers.iter().flat_map(|one| one.child("ports").items()) {
        let host = port.child("hostPort");
        let number = host.number().unwrap_or_default();
        let shown = format!("{}/{}/{number}", port.child("protocol").text(), port.child("hostIP").text());
        if number != 0 && !seen.insert(shown.clone()) {
            errors.push(FieldError::duplicate(host.path(), &shown));
        }
    }
    errors
}

fn variable(place: &Place<'_>) -> Vec<FieldError> {
    let name = place.child("name");
    let mut errors = if name.is_empty() { vec![name.required("")] } else { name.checked(names::variable) };
    errors.extend(value_from(&place.child("valueFrom"), !place.child("value").is_empty()));
    errors
}

fn value_from(from: &Place<'_>, has_value: bool) -> Vec<FieldError> {
    if !from.is_set() {
        return Vec::new();
    }
    let mut errors = volume::field(&from.child("fieldRef"), &ENVIRONMENT_FIELDS);
    errors.extend(volume::resource_field(&from.child("resourceFieldRef"), false));
    let keys = ["configMapKeyRef", "secretKeyRef"].into_iter().map(|kind| from.child(kind)).filter(Place::is_set);
    errors.extend(keys.flat_map(|key| key_of(&key)).collect::<Vec<_>>());
    let kinds = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    let problem = match kinds.iter().filter(|kind| from.child(kind).is_set()).count() {
        0 => "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        _ if has_value => "may not be specified when `value` is not empty",
        1 => return errors,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(FieldError::invalid(from.path(), "", problem));
    errors
}

fn key_of(reference: &Place<'_>) -> Vec<FieldError> {
    let key = reference.child("key");
    let mut errors = reference.child("name").checked(names::subdomain);
    errors.extend(if key.is_empty() { vec![key.required("")] } else { key.checked(names::config_key) });
    errors
}

fn variables(list: &Place<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for source in list.items() {
        let prefix = source.child("prefix");
        errors.extend(if prefix.is_empty() { Vec::new() } else { prefix.checked(names::variable) });
        let set: Vec<_> =
            ["configMapRef", "secretRef"].into_iter().map(|kind| source.child(kind)).filter(Place::is_set).collect();
        errors.extend(set.iter().flat_map(|one| one.child("name").checked(names::subdomain)));
        match set.len() {
            0 => {
                errors.push(FieldError::invalid(list.path(), "", "must specify one of: `configMapRef` or `secretRef`"))
            }
            1 => {}
            _ => errors.push(FieldError::invalid(
                list.path(),
                "",
                "may not have more than one field specified at a time",
            )),
        }
    }
    errors
}

/// The server leaves the index out of some paths.
fn mounts(container: &Place<'_>, pod: &Pod<'_>) -> Vec<FieldError> {
    let list = container.child("volumeMounts");
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for mount in list.items() {
        let (name, path) = (mount.child("name"), mount.child("mountPath"));
        if name.is_empty() {
            errors.push(name.required(""));
        }
        if !pod.volumes.contains(name.text()) {
            errors.push(not_found(&name));
        }
        if path.is_empty() {
            errors.push(path.required(""));
        }
        if !seen.insert(path.text()) {
            errors.push(path.invalid_text("must be unique"));
        }
        errors.extend(below(&mount, list.path()));
        errors.extend(propagation(&mount, container, list.path()));
    }
    errors
}

fn below(mount: &Place<'_>, list: &FieldPath) -> Vec<FieldError> {
    let (path, expression) = (mount.child("subPath"), mount.child("subPathExpr"));
    let mut errors = volume::descending(&path.at(list.child("subPath")));
    if !path.is_empty() && !expression.is_empty() {
        errors.push(expression.invalid_text("subPathExpr and subPath are mutually exclusive"));
    }
    errors.extend(volume::descending(&expression.at(list.child("subPathExpr"))));
    errors
}

fn propagation(mount: &Place<'_>, container: &Place<'_>, list: &FieldPath) -> Option<FieldError> {
    let mode = mount.child("mountPropagation").at(list.child("mountPropagation"));
    let privileged = container.down(&["securityContext", "privileged"]).flag();
    match mode.text() {
        _ if !mode.is_set() => None,
        "Bidirectional" if !privileged => {
            Some(mode.forbidden("Bidirectional mount propagation is available only to privileged containers"))
        }
        "Bidirectional" | "HostToContainer" | "None" => None,
        _ => Some(mode.not_supported(&["Bidirectional", "HostToContainer", "None"])),
    }
}

/// A name of something that does not exist.
fn not_found(name: &Place<'_>) -> FieldError {
    let shown = serde_json::Value::from(name.text());
    FieldError::of(name.path(), FieldErrorKind::Invalid, Some(&shown), "not found")
}

fn security(context: &Place<'_>) -> Vec<FieldError> {
    let largest = i64::from(i32::MAX);
    let bounded = ["runAsUser", "runAsGroup"].iter();
    let mut errors: Vec<_> = bounded.filter_map(|field| context.child(field).within(0, largest)).collect();
    if context.child("allowPrivilegeEscalation").value() != &serde_json::Value::Bool(false) {
        return errors;
    }
    let shown = Ordered::of(context.value(), SECURITY_CONTEXT);
    let mut refuse = |detail: &str| errors.push(shown.invalid(context.path(), detail));
    if context.child("privileged").flag() {
        refuse("cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    }
    if context.down(&["capabilities", "add"]).texts().contains(&"CAP_SYS_ADMIN") {
        refuse("cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
    }
    errors
}
