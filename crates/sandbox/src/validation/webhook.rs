//! Validating webhooks (`pkg/apis/admissionregistration/validation`, `apiserver/pkg/util/webhook/validation.go`).

use admission::FieldError;
use std::collections::BTreeSet;

use super::match_condition;
use super::names;
use super::place::Place;
use super::selector;
use super::web_address::{self, WebAddress};

const SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];
const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

/// What a configuration that is stored already excuses in its successor.
#[derive(Clone, Copy, Debug, Default)]
struct Excused {
    side_effects: bool,
    reviews: bool,
    names: bool,
}

/// A new configuration.
pub(crate) fn create(object: &Place<'_>) -> Vec<FieldError> {
    configuration(object, Excused::default())
}

/// A changed configuration.
pub(crate) fn update(new: &Place<'_>, old: &Place<'_>) -> Vec<FieldError> {
    let old = old.child("webhooks").items();
    let excused = Excused {
        side_effects: old.iter().any(|hook| !SIDE_EFFECTS.contains(&hook.child("sideEffects").text())),
        reviews: old.iter().any(|hook| !is_understood(hook)),
        names: old.iter().map(|hook| hook.child("name").text()).collect::<BTreeSet<_>>().len() < old.len(),
    };
    configuration(new, excused)
}

fn is_understood(hook: &Place<'_>) -> bool {
    hook.child("admissionReviewVersions").texts().iter().any(|version| REVIEWS.contains(version))
}

fn configuration(object: &Place<'_>, excused: Excused) -> Vec<FieldError> {
    let hooks = object.child("webhooks").items();
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for hook in &hooks {
        let name = hook.child("name");
        errors.extend(self::hook(hook, excused));
        errors.extend(reviews(hook, excused));
        if !name.is_empty() && !seen.insert(name.text()) && !excused.names {
            errors.push(name.duplicate());
        }
    }
    errors
}

fn hook(hook: &Place<'_>, excused: Excused) -> Vec<FieldError> {
    let name = hook.child("name");
    let mut errors: Vec<_> = names::fully_qualified(name.path(), name.text()).into_iter().collect();
    errors.extend(hook.child("rules").items().iter().flat_map(rule));
    errors.extend(known(&hook.child("failurePolicy"), &["Fail", "Ignore"]));
    errors.extend(known(&hook.child("matchPolicy"), &["Equivalent", "Exact"]));
    errors.extend(side_effects(&hook.child("sideEffects"), excused));
    let timeout = hook.child("timeoutSeconds");
    if timeout.number().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        errors.push(timeout.invalid("the timeout value must be between 1 and 30 seconds"));
    }
    errors.extend(selector::check(&hook.child("namespaceSelector")));
    errors.extend(selector::check(&hook.child("objectSelector")));
    errors.extend(client(&hook.child("clientConfig")));
    errors.extend(match_condition::check(&hook.child("matchConditions")));
    errors
}

fn known(place: &Place<'_>, known: &[&str]) -> Option<FieldError> {
    (place.is_set() && !known.contains(&place.text())).then(|| place.not_supported(known))
}

fn side_effects(place: &Place<'_>, excused: Excused) -> Option<FieldError> {
    if !place.is_set() {
        return Some(place.required(&format!("must specify one of {}", SIDE_EFFECTS.join(", "))));
    }
    if excused.side_effects {
        known(place, &["None", "NoneOnDryRun", "Some", "Unknown"])
    } else {
        known(place, &SIDE_EFFECTS)
    }
}

fn reviews(hook: &Place<'_>, excused: Excused) -> Vec<FieldError> {
    let versions = hook.child("admissionReviewVersions");
    if versions.is_empty() {
        return vec![versions.required("must specify one of v1, v1beta1")];
    }
    let mut seen = BTreeSet::new();
    let mut errors = Vec::new();
    for version in versions.items() {
        if !seen.insert(version.text()) {
            errors.push(version.invalid_text("duplicate version"));
        } else {
            errors.extend(version.checked(names::dns_1035_label));
        }
    }
    if !excused.reviews && !is_understood(hook) {
        errors.push(versions.invalid("must include at least one of v1, v1beta1"));
    }
    errors
}

fn rule(rule: &Place<'_>) -> Vec<FieldError> {
    let operations = rule.child("operations");
    let mut errors = or_everything(&operations, "operations");
    errors.extend(operations.items().iter().filter_map(|one| known(one, &OPERATIONS)));
    errors.extend(or_everything(&rule.child("apiGroups"), "API groups"));
    let versions = rule.child("apiVersions");
    errors.extend(or_everything(&versions, "API versions"));
    errors.extend(versions.items().iter().filter(|one| one.is_empty()).map(|one| one.required("")));
    errors.extend(resources(&rule.child("resources")));
    errors.extend(known(&rule.child("scope"), &["*", "Cluster", "Namespaced"]));
    errors
}

/// A list that is not empty, and where `*` stands alone.
fn or_everything(list: &Place<'_>, what: &str) -> Vec<FieldError> {
    let texts = list.texts();
    match texts.len() {
        0 => vec![list.required("")],
        2.. if texts.contains(&"*") => vec![list.invalid(format!("if '*' is present, must not specify other {what}"))],
        _ => Vec::new(),
    }
}

fn resources(list: &Place<'_>) -> Vec<FieldError> {
    let items = list.items();
    let texts = list.texts();
    let mut errors: Vec<_> = items.is_empty().then(|| list.required("")).into_iter().collect();
    let mut earlier = BTreeSet::new();
    for item in &items {
        errors.extend(covered(item, &earlier));
        earlier.insert(item.text());
    }
    if texts.len() > 1 && texts.contains(&"*/*") {
        errors.push(list.invalid("if '*/*' is present, must not specify other resources"));
    }
    // The server only remembers the last one.
    let last = texts.iter().rfind(|text| !text.is_empty() && !text.contains('/'));
    if texts.contains(&"*") && last.is_some_and(|last| *last != "*") {
        errors.push(list.invalid("if '*' is present, must not specify other resources without subresources"));
    }
    errors
}

/// A resource that an earlier one covers.
fn covered(item: &Place<'_>, earlier: &BTreeSet<&str>) -> Vec<FieldError> {
    if item.is_empty() {
        return vec![item.required("")];
    }
    let Some((resource, below)) = item.text().split_once('/') else {
        return Vec::new();
    };
    let wider = [format!("{resource}/*"), format!("*/{below}")];
    let present = wider.into_iter().filter(|wider| earlier.contains(wider.as_str()));
    let error = |wider: String| item.invalid_text(format!("if '{wider}' is present, must not specify {}", item.text()));
    present.map(error).collect()
}

fn client(config: &Place<'_>) -> Vec<FieldError> {
    let (url, service) = (config.child("url"), config.child("service"));
    match (url.is_set(), service.is_set()) {
        (true, false) => self::url(&url),
        (false, true) => self::service(&service),
        _ => vec![config.required("exactly one of url or service is required")],
    }
}

fn url(place: &Place<'_>) -> Vec<FieldError> {
    const FORM: &str = "; desired format: https://host[/path]";
    let WebAddress { scheme, host, user, fragment, query } = match web_address::parse(place.text()) {
        Ok(address) => address,
        Err(error) => return vec![place.required(&format!("url must be a valid URL: {error}{FORM}"))],
    };
    let error = |value: &str, detail: String| FieldError::invalid(place.path(), value, detail);
    let mut errors = Vec::new();
    if scheme != "https" {
        errors.push(error(&scheme, format!("'https' is the only allowed URL scheme{FORM}")));
    }
    if host.is_empty() {
        errors.push(error("", format!("host must be specified{FORM}")));
    }
    let barred = [
        (user, "user information is not permitted in the URL"),
        (fragment, "fragments are not permitted in the URL"),
        (query, "query parameters are not permitted in the URL"),
    ];
    errors.extend(barred.into_iter().filter_map(|(part, detail)| Some(error(&part?, detail.to_owned()))));
    errors
}

fn service(service: &Place<'_>) -> Vec<FieldError> {
    let (port, path) = (service.child("port"), service.child("path"));
    let needed = ["name", "namespace"].into_iter().map(|field| service.child(field)).filter(Place::is_empty);
    let mut errors: Vec<_> = needed.map(|field| field.required("")).collect();
    if !(1..=65_535).contains(&port.number().unwrap_or(443)) {
        errors.push(port.invalid("port is not valid: must be between 1 and 65535, inclusive"));
    }
    errors.extend(service_path(&path));
    errors
}

fn service_path(path: &Place<'_>) -> Vec<FieldError> {
    let text = path.text();
    match text {
        "" | "/" => return Vec::new(),
        "//" => return vec![path.invalid_text("segment[0] may not be empty")],
        _ => {}
    }
    let mut errors = Vec::new();
    if !text.starts_with('/') {
        errors.push(path.invalid_text("must start with a '/'"));
    }
    // The server drops the first byte, whatever it is.
    let mut rest = text.chars();
    rest.next();
    let rest = rest.as_str();
    let steps = rest.strip_suffix('/').unwrap_or(rest).split('/').enumerate();
    errors.extend(steps.flat_map(|(index, step)| segment(index, step)).map(|detail| path.invalid_text(detail)));
    errors
}

fn segment(index: usize, step: &str) -> Vec<String> {
    if step.is_empty() {
        return vec![format!("segment[{index}] may not be empty")];
    }
    names::subdomain(step).into_iter().map(|problem| format!("segment[{index}]: {problem}")).collect()
}
