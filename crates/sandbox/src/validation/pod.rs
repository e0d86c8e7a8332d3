//! New pods and pod templates (`ValidatePodCreate`, `ValidatePodSpec` of `pkg/apis/core/validation`), the
//! parts that clusters without special hardware use.

use admission::FieldError;
use std::collections::BTreeSet;

use super::addresses;
use super::container::{self, Pod};
use super::names;
use super::node;
use super::place::Place;
use super::placement;
use super::volume;

const RESTART: [&str; 3] = ["Always", "OnFailure", "Never"];
const DNS: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const LARGEST: i64 = i32::MAX as i64;

/// What the specification belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Pod,
    Template,
}

/// A new pod.
pub(crate) fn create(object: &Place<'_>) -> Vec<FieldError> {
    let spec = object.child("spec");
    let mut errors = checked(object);
    if !spec.child("ephemeralContainers").is_empty() {
        errors.push(spec.child("ephemeralContainers").forbidden("cannot be set on create"));
    }
    if !spec.child("nodeName").is_empty() && !spec.child("schedulingGates").is_empty() {
        errors.push(spec.child("nodeName").forbidden("cannot be set until all schedulingGates have been cleared"));
    }
    errors
}

/// What holds for new and changed pods alike (`validatePodMetadataAndSpec`).
pub(crate) fn checked(object: &Place<'_>) -> Vec<FieldError> {
    let spec = object.child("spec");
    let mut errors = annotations(object);
    errors.extend(self::spec(&spec, Of::Pod));
    if spec.child("serviceAccountName").is_empty() {
        errors.extend(volume::tokens(&spec.child("volumes")));
    }
    let lists = ["containers", "initContainers"].into_iter().map(|list| spec.child(list));
    errors.extend(lists.flat_map(|list| list.items()).filter_map(|one| padded_image(&one)).collect::<Vec<_>>());
    errors
}

fn annotations(object: &Place<'_>) -> Vec<FieldError> {
    let annotations = object.down(&["metadata", "annotations"]);
    let mirror = annotations.key("kubernetes.io/config.mirror");
    let cost = annotations.key("controller.kubernetes.io/pod-deletion-cost");
    let mut errors = Vec::new();
    if mirror.is_set() && object.down(&["spec", "nodeName"]).is_empty() {
        errors.push(mirror.invalid_text("must set spec.nodeName if mirror pod annotation is set"));
    }
    let text = cost.text();
    let canonical = text.parse::<i32>().is_ok() && !text.starts_with('+') && (text == "0" || !text.starts_with('0'));
    if cost.is_set() && !canonical {
        errors.push(cost.invalid_text("must be a 32bit integer"));
    }
    errors
}

/// An image with spaces around its name.
pub(crate) fn padded_image(container: &Place<'_>) -> Option<FieldError> {
    let image = container.child("image");
    let padded = image.text().trim().len() != image.text().len();
    padded.then(|| image.invalid_text("must not have leading or trailing whitespace"))
}

/// `ValidatePodSpec`.
pub(crate) fn spec(spec: &Place<'_>, of: Of) -> Vec<FieldError> {
    let grace = spec.child("terminationGracePeriodSeconds");
    let mut errors: Vec<_> = (!grace.is_set()).then(|| grace.required("")).into_iter().collect();
    let (volumes, wrong) = volume::check(&spec.child("volumes"));
    errors.extend(wrong);
    let pod = Pod { volumes };
    errors.extend(containers(spec, &pod));
    errors.extend(host_ports(spec, of));
    errors.extend(spec.child("restartPolicy").one_of(&RESTART));
    errors.extend(spec.child("dnsPolicy").one_of(&DNS));
    errors.extend(names::labels(spec.child("nodeSelector").value(), spec.child("nodeSelector").path()));
    errors.extend(security(&spec.child("securityContext")));
    errors.extend(placement::affinity(&spec.child("affinity")));
    errors.extend(resolver(&spec.child("dnsConfig")));
    errors.extend(
        spec.child("readinessGates")
            .items()
            .iter()
            .flat_map(|gate| gate.child("conditionType").checked(names::qualified)),
    );
    errors.extend(gates(&spec.child("schedulingGates")));
    errors.extend(placement::spread(&spec.child("topologySpreadConstraints")));
    errors.extend(named(spec));
    errors.extend(tolerations(&spec.child("tolerations")));
    errors.extend(spec.child("hostAliases").items().iter().flat_map(host_alias));
    errors.extend(operating_system(&spec.child("os")));
    errors
}

fn containers(spec: &Place<'_>, pod: &Pod<'_>) -> Vec<FieldError> {
    let (regular, initial) = (spec.child("containers"), spec.child("initContainers"));
    if regular.is_empty() {
        let mut errors = vec![regular.required("")];
        errors.extend(container::initial(&initial, &regular, pod));
        return errors;
    }
    let mut errors = container::regular(&regular, pod);
    errors.extend(container::initial(&initial, &regular, pod));
    errors.extend(container::ephemeral(&spec.child("ephemeralContainers"), [&regular, &initial], pod));
    errors
}

/// Pods on the host's network use the host's ports.
fn host_ports(spec: &Place<'_>, of: Of) -> Vec<FieldError> {
    if !spec.child("hostNetwork").flag() {
        return Vec::new();
    }
    let containers = spec.child("containers").items();
    let ports = containers.iter().flat_map(|container| container.child("ports").items());
    let differs = |port: &Place<'_>| {
        let (host, own) = (port.child("hostPort").number().unwrap_or_default(), port.child("containerPort").number());
        (of == Of::Pod || host != 0) && Some(host) != own
    };
    let error = |port: Place<'_>| {
        let host = port.child("hostPort");
        let shown = host.number().unwrap_or_default();
        FieldError::invalid_json(host.path(), &shown, "must match `containerPort` when `hostNetwork` is true")
    };
    ports.filter(differs).map(error).collect()
}

fn security(context: &Place<'_>) -> Vec<FieldError> {
    let bounded = ["fsGroup", "runAsUser", "runAsGroup"].iter();
    let mut errors: Vec<_> = bounded.filter_map(|field| context.child(field).within(0, LARGEST)).collect();
    let groups = context.child("supplementalGroups").items();
    errors.extend(groups.iter().filter_map(|group| group.within(0, LARGEST)));
    errors
}

fn gates(list: &Place<'_>) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for gate in list.items() {
        let name = gate.child("name").at(gate.path().clone());
        errors.extend(name.checked(names::qualified));
        if !seen.insert(name.text()) {
            errors.push(name.duplicate());
        }
    }
    errors
}

/// `validatePodDNSConfig`.
fn resolver(config: &Place<'_>) -> Vec<FieldError> {
    let servers = config.child("nameservers");
    let mut errors = Vec::new();
    if servers.items().len() > 3 {
        errors.push(servers.invalid("must not have more than 3 nameservers"));
    }
    errors.extend(servers.items().iter().filter_map(addresses::address));
    let options = config.child("options").items();
    errors.extend(
        options
            .iter()
            .filter(|option| option.child("name").is_empty())
            .map(|option| option.required("must not be empty")),
    );
    errors
}

fn host_alias(alias: &Place<'_>) -> Vec<FieldError> {
    let mut errors: Vec<_> = addresses::address(&alias.child("ip")).into_iter().collect();
    errors.extend(alias.child("hostnames").items().iter().flat_map(|name| name.checked(names::subdomain)));
    errors
}

fn operating_system(os: &Place<'_>) -> Option<FieldError> {
    let name = os.child("name");
    if !os.is_set() || ["linux", "windows"].contains(&name.text()) {
        return None;
    }
    Some(if name.is_empty() {
        name.required("")
    } else {
        name.at(os.path().clone()).not_supported(&["linux", "windows"])
    })
}

/// Fields that name something.
fn named(spec: &Place<'_>) -> Vec<FieldError> {
    type Grammar = fn(&str) -> Vec<String>;
    let fields = |table: &[(&str, Grammar)]| {
        let set =
            table.iter().map(|(field, grammar)| (spec.child(field), grammar)).filter(|(field, _)| !field.is_empty());
        set.flat_map(|(field, grammar)| field.checked(grammar)).collect::<Vec<_>>()
    };
    let mut errors = fields(&[("serviceAccountName", names::subdomain), ("nodeName", names::subdomain)]);
    errors.extend(spec.child("activeDeadlineSeconds").within(1, LARGEST));
    errors.extend(fields(&[
        ("hostname", names::label),
        ("subdomain", names::label),
        ("priorityClassName", names::subdomain),
        ("runtimeClassName", names::subdomain),
    ]));
    errors
}

/// `ValidateTolerations`.
pub(crate) fn tolerations(list: &Place<'_>) -> Vec<FieldError> {
    list.items().iter().flat_map(toleration).collect()
}

fn toleration(place: &Place<'_>) -> Vec<FieldError> {
    let (key, operator, effect) = (place.child("key"), place.child("operator"), place.child("effect"));
    let mut errors = if key.is_empty() { Vec::new() } else { key.checked(names::qualified) };
    if key.is_empty() && operator.text() != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.push(operator.invalid_text(detail));
    }
    if place.child("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
        errors.push(effect.invalid_text("effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    errors.extend(tolerated_value(&operator, place.child("value").text()));
    if !effect.is_empty() {
        errors.extend(node::effect(&effect));
    }
    errors
}

fn tolerated_value(operator: &Place<'_>, value: &str) -> Option<FieldError> {
    let about_value = |detail: &str| FieldError::invalid(operator.path(), value, detail);
    match operator.text() {
        "Equal" | "" => {
            let problems = names::label_value(value);
            (!problems.is_empty()).then(|| about_value(&problems.join(";")))
        }
        "Exists" if !value.is_empty() => Some(about_value("value must be empty when `operator` is 'Exists'")),
        "Exists" => None,
        "Lt" | "Gt" => Some(operator.not_supported(&["Equal", "Exists", "Lt", "Gt"])),
        _ => Some(operator.not_supported(&["Equal", "Exists"])),
    }
}
