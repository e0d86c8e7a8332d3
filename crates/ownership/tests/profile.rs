//! Profiles as text: what is accepted, and what each refusal says about which line.

use ownership::builtin;
use ownership::parse::{ParseError, profile};
use ownership::spec::{Action, Channel, Enforcement, LivenessSource, OwnNode, ResourceOperation};
use std::time::Duration;

fn text(spec: &str) -> String {
    format!(
        "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  \
         serviceAccount: {{namespace: ns, name: agent}}\n{spec}"
    )
}

#[test]
fn defaults_are_the_strict_ones() {
    let profile = profile(&text("")).unwrap();
    let spec = profile.spec();
    assert_eq!(profile.username(), "system:serviceaccount:ns:agent");
    assert_eq!((spec.node, spec.check_node_uid), (OwnNode::Own, false));
    assert_eq!((spec.channel, spec.enforcement), (Channel::Direct, Enforcement::Strict));
    assert_eq!(spec.actions, [Action::Deny, Action::Audit]);
    assert!(spec.labels.is_empty() && spec.resources.is_empty() && spec.limits.is_none() && spec.liveness.is_none());
    assert_eq!(profile.timeout(), None);
}

#[test]
fn every_field_is_read() {
    let profile = profile(&text(
        "  node: OwnIfClaimed\n  checkNodeUID: true\n  labels: [{key: k, values: [a]}]\n  annotations: [{domain: b.io}]\n  \
         limits: {removedKeys: 1, ownedKeys: 2, ownedBytes: 3}\n  channel: ShadowNode\n  enforcement: Permissive\n  \
         actions: [Warn, Audit]\n  liveness: {source: Lease, mark: {label: k, value: a}, timeout: 90s}\n  \
         resources: [{group: '', version: v1, resource: pods, operations: [DELETE, CREATE, DELETE], node: [spec.nodeName]}]\n",
    ))
    .unwrap();
    assert!(profile.checks_node_uid() && profile.beats_by_lease());
    assert_eq!((profile.node(), profile.enforcement()), (OwnNode::OwnIfClaimed, Enforcement::Permissive));
    assert_eq!(profile.timeout(), Some(Duration::from_secs(90)));
    assert_eq!(profile.spec().liveness.as_ref().unwrap().source, LivenessSource::Lease);
    assert_eq!(profile.resources()[0].operations, [ResourceOperation::Create, ResourceOperation::Delete]);
    assert_eq!(profile.limits().owned_bytes, Some(3));
    assert!(profile.labels().owns("k") && profile.annotations().owns("x.b.io/y"));
}

#[test]
fn json_is_read_as_well_as_yaml() {
    let json = r#"{"apiVersion":"nodebound.io/v1alpha1","kind":"AgentProfile","metadata":{"name":"p","uid":"x"},
      "spec":{"serviceAccount":{"namespace":"ns","name":"agent"},"labels":[{"key":"k"}]}}"#;
    assert!(profile(json).unwrap().labels().owns("k"));
}

/// Text of a spec, the line, the field, and a part of what is said.
#[test]
fn each_error_names_line_and_field() {
    let long = format!("  labels: [{{key: {}}}]\n", "k".repeat(64));
    let table: &[(&str, u64, &str, &str)] = &[
        ("  nope: 1\n", 6, "spec.nope", "unknown field `nope`"),
        ("  labels:\n  - {key: a, nope: 1}\n", 7, "spec.labels[0].nope", "unknown field"),
        ("  labels:\n  - {key: a}\n  - {prefix: a.io}\n", 8, "spec.labels[1].prefix", "write `a.io/`"),
        ("  labels: [{prefix: a.io/b/}]\n", 6, "spec.labels[0].prefix", "at most one '/'"),
        ("  labels: [{prefix: /}]\n", 6, "spec.labels[0].prefix", "is empty"),
        ("  labels: [{domain: A.io}]\n", 6, "spec.labels[0].domain", "no DNS name"),
        ("  labels: [{domain: a.io/x}]\n", 6, "spec.labels[0].domain", "at most one '/'"),
        ("  labels: [{key: a b}]\n", 6, "spec.labels[0].key", "no API server accepts"),
        (&long, 6, "spec.labels[0].key", "longer than 63"),
        ("  labels: [{}]\n", 6, "spec.labels[0]", "exactly one of"),
        ("  labels: [{key: a, domain: b}]\n", 6, "spec.labels[0]", "exactly one of"),
        ("  labels:\n  - key: a\n  - key: b\n  - key: a\n", 9, "spec.labels[2]", "twice"),
        ("  labels: [{key: a, values: [x], format: Decimal}]\n", 6, "spec.labels[0]", "both values and format"),
        ("  labels: [{key: a, values: []}]\n", 6, "spec.labels[0].values", "at least one"),
        ("  labels: [{key: a, values: [true]}]\n", 6, "spec.labels[0].values[0]", "expected a string"),
        ("  labels: [{key: a, values: ['x y']}]\n", 6, "spec.labels[0].values[0]", "no API server accepts `x y`"),
        ("  labels: [{key: a, format: Nope}]\n", 6, "spec.labels[0].format", "unknown variant"),
        ("  node: own\n", 6, "spec.node", "unknown variant"),
        ("  actions: []\n", 6, "spec.actions", "at least one"),
        ("  actions: [Deny, Warn]\n", 6, "spec.actions", "both Deny and Warn"),
        ("  actions: [Deny, Deny]\n", 6, "spec.actions", "twice"),
        ("  limits: {removedKeys: -1}\n", 6, "spec.limits.removedKeys", "invalid value"),
        ("  resources: [{group: g, version: v1, resource: r}]\n", 6, "spec.resources[0]", "needs node"),
        (
            "  resources: [{group: g, version: v1, resource: r/status, node: [a]}]\n",
            6,
            "spec.resources[0].resource",
            "without subresource",
        ),
        ("  resources: [{group: G, version: v1, resource: r, node: [a]}]\n", 6, "spec.resources[0].group", "API group"),
        (
            "  resources: [{group: g, version: v.1, resource: r, node: [a]}]\n",
            6,
            "spec.resources[0].version",
            "API version",
        ),
        (
            "  resources: [{group: '', version: v1, resource: nodes, node: [a]}]\n",
            6,
            "spec.resources[0].resource",
            "nodes are guarded",
        ),
        (
            "  resources: [{group: g, version: v1, resource: r, node: [a], operations: []}]\n",
            6,
            "spec.resources[0].operations",
            "at least one",
        ),
        (
            "  resources: [{group: g, version: v1, resource: r, node: ['a[']}]\n",
            6,
            "spec.resources[0].node[0]",
            "no field path",
        ),
        (
            "  resources: [{group: g, version: v1, resource: r, mayChange: [metadata.labels]}]\n",
            6,
            "spec.resources[0].mayChange[0]",
            "outside metadata",
        ),
        (
            "  resources: [{group: g, version: v1, resource: r, mayChange: [a.b.c]}]\n",
            6,
            "spec.resources[0].mayChange[0]",
            "field.field",
        ),
        (
            "  resources:\n  - {group: g, version: v1, resource: r, node: [a]}\n  - {group: g, version: v2, resource: r, node: [a]}\n",
            8,
            "spec.resources[1]",
            "twice",
        ),
        (
            "  resources: [{group: g, version: v1, resource: r, mayChange: [a], operations: [UPDATE, DELETE]}]\n",
            6,
            "spec.resources[0].operations",
            "needs node",
        ),
        (
            "  resources: [{group: g, version: v1, resource: r, mayChange: [a], nodeReferences: [b]}]\n",
            6,
            "spec.resources[0].nodeReferences",
            "needs node",
        ),
        ("  liveness: {source: Lease, mark: {label: k, value: a}}\n", 6, "spec.liveness.mark.label", "owns"),
        (
            "  labels: [{key: k, values: [b]}]\n  liveness: {source: Lease, mark: {label: k, value: a}}\n",
            7,
            "spec.liveness.mark.value",
            "allows",
        ),
        (
            "  labels: [{key: k}]\n  liveness: {source: Lease, mark: {label: k, value: a}, timeout: 5}\n",
            7,
            "spec.liveness.timeout",
            "expected a string",
        ),
        (
            "  labels: [{key: k}]\n  liveness: {source: Lease, mark: {label: k, value: a}, timeout: 5d}\n",
            7,
            "spec.liveness.timeout",
            "whole number",
        ),
        (
            "  labels: [{key: k}]\n  liveness: {source: Lease, mark: {label: k, value: a}, timeout: 0s}\n",
            7,
            "spec.liveness.timeout",
            "whole number",
        ),
        (
            "  labels: [{key: k}]\n  liveness: {source: Lease, mark: {label: k, value: a}, timeout: +5m}\n",
            7,
            "spec.liveness.timeout",
            "whole number",
        ),
    ];
    for (spec, line, path, part) in table {
        let Err(ParseError::Fields(errors)) = profile(&text(spec)) else { panic!("{spec}") };
        let [error] = errors.as_slice() else { panic!("{spec} {errors:?}") };
        assert_eq!((error.line, error.error.path.as_str()), (*line, *path), "{spec} {error:?}");
        assert!(error.error.message.contains(part), "{spec}: {}", error.error.message);
    }
}

#[test]
fn all_errors_of_a_profile_are_told_at_once() {
    let Err(error) = profile(&text("  labels: [{prefix: a}, {key: ''}]\n  actions: []\n")) else { panic!() };
    assert_eq!(error.to_string().lines().count(), 3);
    assert!(error.to_string().starts_with("line 6: spec.labels[0].prefix: "), "{error}");
}

#[test]
fn what_is_no_profile_is_refused_as_such() {
    let good = text("");
    let table = [
        (good.replace("AgentProfile", "Node"), 2, "kind"),
        (good.replace("v1alpha1", "v2"), 1, "apiVersion"),
        (good.replace("name: p", "name: P"), 3, "metadata.name"),
        (good.replace("name: p", &format!("name: {}", "p".repeat(64))), 3, "metadata.name"),
        (good.replace("namespace: ns", "namespace: n.s"), 5, "spec.serviceAccount.namespace"),
        (good.replace("name: agent", "name: Agent"), 5, "spec.serviceAccount.name"),
        ("apiVersion: x\n".to_owned(), 1, "document"),
        ("[]".to_owned(), 1, "document"),
        (String::new(), 1, "document"),
    ];
    for (text, line, path) in table {
        match profile(&text) {
            Err(ParseError::Fields(errors)) => {
                assert_eq!((errors[0].line, errors[0].error.path.as_str()), (line, path), "{text}");
            }
            other => assert!(path == "document" && other.is_err(), "{text} {other:?}"),
        }
    }
    for broken in ["a: [", "a: b: c", "\u{0}", "a: 1\na: 2", "- \t-"] {
        assert!(matches!(profile(broken), Err(ParseError::Syntax(_))), "{broken:?}");
    }
}

#[test]
fn the_built_in_profiles_are_whole() {
    for (name, _) in builtin::PROFILES {
        assert_eq!(builtin::profile(name).unwrap().unwrap().name(), name);
    }
    assert!(builtin::profile("nope").is_none());
    let least = builtin::profile("kubevirt-least").unwrap().unwrap();
    let owned = [
        ("kubevirt.io/schedulable", "true", "maybe"),
        ("cpumanager", "false", "1"),
        ("cpu-feature.node.kubevirt.io/aes", "true", "false"),
        ("cpu-timer.node.kubevirt.io/tsc-frequency", "2445404000", "fast"),
        ("kubevirt.io/vm-arch-s390x", "true", "x"),
    ];
    for (key, good, bad) in owned {
        assert!(least.labels().owns(key) && least.labels().allows(key, good), "{key}");
        assert!(!least.labels().allows(key, bad), "{key}");
    }
    for foreign in [
        "scheduling.node.kubevirt.io/tsc-frequency-1",
        "kubevirt.io/vm-arch-sparc",
        "kubevirt.io/sevx",
        "cpu-manager",
        "node-labeller.kubevirt.io/skip-node",
        "kubevirt.io/ksm-pages-boost-override",
    ] {
        assert!(!least.labels().owns(foreign) && !least.annotations().owns(foreign), "{foreign}");
    }
    let wide = builtin::profile("kubevirt").unwrap().unwrap();
    assert!(wide.labels().owns("scheduling.node.kubevirt.io/tsc-frequency-1") && wide.labels().owns("cpumanager"));
    assert!(!wide.labels().owns("cpu-manager") && !wide.annotations().owns("cpumanager"));
}

#[test]
fn an_error_of_the_syntax_is_one_line() {
    for (text, part) in [("a: [1, 2\n", "line"), ("a: b: c\n", "line")] {
        let error = profile(text).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{text:?}: {error}");
    }
}
