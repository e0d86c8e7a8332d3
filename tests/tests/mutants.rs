//! Each rule of the rendered policies dropped, each matcher loosened, each comparison turned: the agreement notices.

use admission::{AdmissionRequest, Binding, KubeVersion, Policy};
use ownership::guard::Guard;
use ownership::{Profile, parse};
use serde_json::json;
use tests::agreement::{Guards, by_decision};
use tests::choices::{Choices, pseudo_random};
use tests::generate;
use tests::mutants::{self, Mutant};
use tests::nodes::update;

/// More requests than this are not drawn for one mutant.
const PATIENCE: u64 = 4000;

fn profiles() -> Vec<Profile> {
    let common = "  checkNodeUID: true\n  labels:\n  - {domain: a.io, values: [good, fine]}\n  - {domain: c.b.a.io}\n  \
        - {domain: x.io}\n  - {prefix: x.io/, format: Decimal}\n  - {prefix: b.a.io/, values: [\"\"]}\n  - {key: plain, format: Boolean}\n  \
        - {key: a.io/k, format: Timestamp}\n  - {key: mark}\n  annotations:\n  - {domain: b.a.io}\n  \
        - {key: bare, values: [good]}\n  - {prefix: a.io/, format: Timestamp}\n";
    let resources = "  resources:\n  - {group: g.io, version: v1, resource: things, operations: [CREATE, UPDATE, DELETE], \
        node: [s.node, s.target], nodeReferences: [\"metadata.labels['a.io/node']\"], mayNotIntroduce: [s.target]}\n  \
        - {group: g.io, version: v1, resource: trackers, mayChange: [status.redo, top]}\n";
    let lease = "  liveness: {source: Lease, mark: {label: mark, value: \"false\"}}\n";
    let limits = "  limits: {removedKeys: 2, ownedKeys: 6, ownedBytes: 44}\n";
    [
        ("Own", format!("  channel: ShadowNode\n{resources}{lease}{limits}")),
        ("OwnIfClaimed", "  channel: NodeFeature\n".to_owned() + resources),
        ("Any", String::new()),
    ]
    .map(|(node, rest)| {
        let text = format!(
            "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  node: {node}\n  \
             serviceAccount: {{namespace: ns, name: agent}}\n{common}{rest}"
        );
        parse::profile(&text).unwrap()
    })
    .into()
}

/// Mutants that no request tells from the original, each with the reason.
const EQUIVALENT: [(&str, &str); 2] = [
    ("`has(object` → `has(oldObject` at 67 of !variables.update || (has(object.spec)", "presence was just found equal"),
    (
        "`has(object` → `has(oldObject` at 71 of !variables.update || (has(object.status)",
        "presence was just found equal",
    ),
];

fn is_killed(profile: &Profile, mutant: &Mutant) -> bool {
    let release = KubeVersion::minor(30);
    if Policy::compile(&mutant.guarding.policy, release).is_err() || Binding::check(&mutant.guarding.binding).is_err() {
        return true;
    }
    let guards = Guards::compile(std::slice::from_ref(&mutant.guarding));
    let drawn = (0..PATIENCE).map(|seed| {
        generate::request_for(&mut Choices::new(&pseudo_random(seed, 260)), profile, mutant.guarding.guard)
    });
    let at_the_limits = limits(profile).filter(|_| mutant.guarding.guard == Guard::Nodes);
    at_the_limits.chain(drawn).any(|request| {
        let expected = by_decision(profile, &request).expect("generated objects are well formed");
        guards.answer(&request) != expected
    })
}

/// From so many owned labels to so many, of 11 bytes each.
fn limits(profile: &Profile) -> impl Iterator<Item = AdmissionRequest> {
    let node = |count: usize| {
        let labels: serde_json::Map<_, _> = (0..count).map(|i| (format!("a.io/l{i}"), json!("good"))).collect();
        json!({"metadata": {"name": "n1", "uid": "u1", "labels": labels, "annotations": {"na.io/x": "v"}}})
    };
    let pairs = (0..9).flat_map(|old| (0..9).map(move |new| (old, new)));
    pairs.map(move |(old, new)| update(profile, node(old), node(new)))
}

#[test]
fn every_mutant_of_the_rendered_policies_is_noticed() {
    let mut survivors = Vec::new();
    let mut count = 0;
    for profile in profiles() {
        // A ShadowNode's guard has the expressions of a Node's.
        for guarding in manifests::guards(&profile).into_iter().filter(|g| g.guard != Guard::ShadowNodes) {
            for mutant in mutants::of(&guarding) {
                count += 1;
                let equivalent = EQUIVALENT.iter().any(|(name, _)| mutant.name.contains(name));
                if is_killed(&profile, &mutant) == equivalent {
                    survivors.push(format!("{:?}: {}", guarding.guard, mutant.name));
                }
            }
        }
    }
    assert!(count > 300, "only {count} mutants");
    assert!(
        survivors.is_empty(),
        "{} of {count} survive, or die though said to be equivalent:\n{}",
        survivors.len(),
        survivors.join("\n")
    );
}
