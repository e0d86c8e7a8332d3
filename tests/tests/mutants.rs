//! Each rule of the rendered policies dropped, each matcher loosened, each comparison turned: the agreement notices.
//!
//! Limits are left to their tables: near a limit generated requests are rare.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use admission::{Binding, KubeVersion, Policy};
use ownership::guard::Guard;
use ownership::{Profile, parse};
use tests::agreement::{Guards, by_decision};
use tests::choices::{Choices, pseudo_random};
use tests::generate;
use tests::mutants::{self, Mutant};

/// More requests than this are not drawn for one mutant.
const PATIENCE: u64 = 40_000;
/// Nor than this for one that is said to be equivalent.
const LITTLE_PATIENCE: u64 = 4000;

fn profiles() -> Vec<Profile> {
    let common = "  checkNodeUID: true\n  labels:\n  - {domain: a.io, values: [good, fine]}\n  - {domain: c.b.a.io}\n  \
        - {domain: x.io}\n  - {prefix: x.io/, format: Decimal}\n  - {prefix: b.a.io/, values: [\"\"]}\n  - {key: plain, format: Boolean}\n  \
        - {key: a.io/k, format: Timestamp}\n  - {key: mark}\n  annotations:\n  - {domain: b.a.io}\n  \
        - {key: bare, values: [good]}\n  - {prefix: a.io/, format: Timestamp}\n";
    let resources = "  resources:\n  - {group: g.io, version: v1, resource: things, operations: [CREATE, UPDATE, DELETE], \
        node: [s.node, s.target], nodeReferences: [\"metadata.labels['a.io/node']\"], mayNotIntroduce: [s.target]}\n  \
        - {group: g.io, version: v1, resource: trackers, mayChange: [status.redo, top]}\n";
    let lease = "  liveness: {source: Lease, mark: {label: mark, value: \"false\"}}\n";
    [
        ("Own", format!("  channel: ShadowNode\n{resources}{lease}")),
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

/// Mutants that no request tells from the original: the guard, the beginning of the name, the reason.
const EQUIVALENT: [(Guard, &str, &str); 13] = [
    (Guard::Nodes, "`has(object` → `has(oldObject` at 67 of !variables.update || (has(object.spec)", PRESENT),
    (Guard::Nodes, "`has(object` → `has(oldObject` at 71 of !variables.update || (has(object.status)", PRESENT),
    (Guard::Resources, "`has(object` → `has(oldObject` at 301 of", "every object has metadata"),
    (Guard::Nodes, "`^([^/]*[.])?` → `` at 612 of", FOREIGN),
    (Guard::Nodes, "`'^` → `'` at 611 of", FOREIGN),
    (Guard::Nodes, "`^([^/]*[.])?` → `` at 695 of", FOREIGN),
    (Guard::Nodes, "`'^` → `'` at 694 of", FOREIGN),
    (
        Guard::Nodes,
        "`^([^/]*[.])?` → `` at 429 of variables.newAnnotations == variables.oldAnnotations ? [] : variables.newAnnotations.filter(k, !(k in variables.oldAnnotations && variables.newAnnotations[k] == variables.oldAnnotations[k]) && !((k == 'bare') ?",
        FOREIGN,
    ),
    (
        Guard::Nodes,
        "`'^` → `'` at 428 of variables.newAnnotations == variables.oldAnnotations ? [] : variables.newAnnotations.filter(k, !(k in variables.oldAnnotations && variables.newAnnotations[k] == variables.oldAnnotations[k]) && !((k == 'bare') ?",
        FOREIGN,
    ),
    (Guard::NodeFeatures, "`^([^/]*[.])?` → `` at 574 of", FOREIGN),
    (Guard::NodeFeatures, "`'^` → `'` at 573 of", FOREIGN),
    (Guard::NodeFeatures, "`^([^/]*[.])?` → `` at 657 of", FOREIGN),
    (Guard::NodeFeatures, "`'^` → `'` at 656 of", FOREIGN),
];

const PRESENT: &str = "presence was just found equal";
const FOREIGN: &str = "a key that only the looser matcher finds is foreign, and refused before its value is looked at";

fn is_killed(profile: &Profile, mutant: &Mutant, patience: u64) -> bool {
    let release = KubeVersion::minor(30);
    if Policy::compile(&mutant.guarding.policy, release).is_err() || Binding::check(&mutant.guarding.binding).is_err() {
        return true;
    }
    let guards = Guards::compile(std::slice::from_ref(&mutant.guarding));
    (0..patience).any(|seed| {
        let bytes = pseudo_random(seed, 260);
        let request = generate::request_for(&mut Choices::new(&bytes), profile, mutant.guarding.guard);
        let expected = by_decision(profile, &request).expect("generated objects are well formed");
        guards.answer(&request) != expected
    })
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
                let equivalent =
                    EQUIVALENT.iter().any(|(guard, name, _)| *guard == guarding.guard && mutant.name.starts_with(name));
                let patience = if equivalent { LITTLE_PATIENCE } else { PATIENCE };
                if is_killed(&profile, &mutant, patience) == equivalent {
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
