//! Requests that kube-apiserver 1.36 judged, with its answers; `recorded.json` has one to a line.

use super::*;
use crate::failure::Failure;
use crate::schema::defaulting;
use crate::strategy;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_oneof, proptest};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Case {
    /// `group/plural`.
    resource: String,
    object: Value,
    old: Option<Value>,
    #[serde(default)]
    subresource: String,
    /// Empty if the object was accepted.
    message: String,
    /// What an accepted change became.
    result: Option<Value>,
}

pub(crate) fn resource(group: &str, plural: &str, kind: &str, namespaced: bool) -> Resource {
    Resource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        plural: plural.to_owned(),
        kind: kind.to_owned(),
        namespaced,
        ..Resource::default()
    }
}

impl Case {
    fn resource(&self) -> Resource {
        let (group, plural) = self.resource.split_once('/').unwrap_or(("", &self.resource));
        let kind = self.object["kind"].as_str().unwrap_or_default();
        // Reviews are refused without their kind's name.
        let kind = if group == "authorization.k8s.io" { "" } else { kind };
        let cluster = ["nodes", "namespaces", "clusterroles", "clusterrolebindings", "validatingwebhookconfigurations"];
        resource(group, plural, kind, !cluster.contains(&plural))
    }

    fn judged(&self) -> String {
        let resource = self.resource();
        let mut object = self.object.clone();
        let errors = match &self.old {
            Some(old) => {
                strategy::prepare_update(&resource, &self.subresource, &mut object, old);
                update(&resource, &self.subresource, &object, old)
            }
            None => {
                let review = ["authorization.k8s.io", "authentication.k8s.io"].contains(&resource.group.as_str());
                defaulting::fill((&resource.group, &resource.version, &resource.kind), &mut object);
                if !review {
                    strategy::prepare_create(&resource, &mut object);
                }
                if resource.plural == "tokenrequests" { token_request(&object) } else { create(&resource, &object) }
            }
        };
        if errors.is_empty() {
            return String::new();
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        // Events of both groups are one kind to the server.
        let group = if resource.plural == "events" { "" } else { &resource.group };
        Failure::invalid(group, &resource.kind, name, &errors).message
    }
}

#[test]
fn the_server_agrees() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("recorded.json")).unwrap();
    assert!(cases.len() > 400, "{}", cases.len());
    // Which fields are shown first inside a message is up to the error's type.
    let rough = ["Duplicate value: {", "Unsupported value: {", "Not found"];
    let mut wrong = Vec::new();
    for case in &cases {
        let judged = case.judged();
        let agrees = match rough.iter().any(|part| case.message.contains(part)) {
            true => !judged.is_empty(),
            false => judged == case.message,
        };
        if !agrees {
            wrong.push(format!(
                "{} {}\n  server: {}\n  here:   {judged}",
                case.resource, case.subresource, case.message
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn accepted_changes_become_what_the_server_makes_of_them() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("recorded.json")).unwrap();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for case in &cases {
        let (Some(old), Some(result)) = (&case.old, &case.result) else { continue };
        let resource = case.resource();
        let mut object = case.object.clone();
        defaulting::fill((&resource.group, &resource.version, &resource.kind), &mut object);
        strategy::prepare_update(&resource, &case.subresource, &mut object, old);
        object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
        compared += 1;
        if object != *result {
            wrong.push(format!("{} {}\n  server: {result}\n  here:   {object}", case.resource, case.subresource));
        }
    }
    assert!(compared > 40, "{compared}");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}

/// JSON with the names of fields that rules look at.
fn anything() -> impl Strategy<Value = Value> {
    let names = "metadata|spec|status|labels|annotations|finalizers|ownerReferences|name|generateName|taints|key|rules|\
                 podCIDRs|capacity|containers|volumes|ports|webhooks|selector|template|rollingUpdate|roleRef|subjects|data";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[-a-z0-9./%:@#? é]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(names, inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_sent_is_judged(new in anything(), old in anything(), subresource in "|status|finalize|scale") {
        for rules in &RULES {
            for namespaced in [false, true] {
                let resource = resource(rules.group, rules.resource, "", namespaced);
                let (mut created, mut changed) = (new.clone(), new.clone());
                strategy::prepare_create(&resource, &mut created);
                strategy::prepare_update(&resource, &subresource, &mut changed, &old);
                let (errors, _) = (create(&resource, &created), update(&resource, &subresource, &changed, &old));
                prop_assert!(!errors.is_empty() || rules.flavour != Core || created["metadata"].is_object());
            }
        }
    }
}

#[test]
fn sizes() {
    let annotated = |size: usize| json!({"metadata": {"name": "n", "annotations": {"x": "y".repeat(size)}}});
    let texts = |size: usize| json!({"metadata": {"name": "c", "namespace": "d"}, "data": {"a": "x".repeat(size)}});
    let bytes = |size: usize| json!({"metadata": {"name": "c", "namespace": "d"}, "data": {"a": "A".repeat(size)}});
    let cases = [
        ("nodes", annotated(262_143), ""),
        ("nodes", annotated(262_144), "metadata.annotations: Too long: may not be more than 262144 bytes"),
        ("configmaps", texts(1_048_576), ""),
        ("configmaps", texts(1_048_577), "[]: Too long: may not be more than 1048576 bytes"),
        ("secrets", bytes(1_398_100), ""),
        ("secrets", bytes(1_398_108), "data: Too long: may not be more than 1048576 bytes"),
    ];
    for (plural, object, expected) in cases {
        let errors = create(&resource("", plural, "", plural != "nodes"), &object);
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts.join(" "), expected, "{plural}");
    }
}
