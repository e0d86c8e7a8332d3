//! Each rule of the rendered policies dropped, each matcher loosened, each comparison turned: the agreement notices.

use admission::{Binding, KubeVersion, Policy};
use ownership::{Profile, parse};
use tests::agreement::{Answer, Guards, by_decision};
use tests::choices::{Choices, pseudo_random};
use tests::generate;
use tests::mutants::{self, Mutant};

/// More requests than this are not drawn for one mutant.
const PATIENCE: u64 = 60_000;

fn profiles() -> Vec<Profile> {
    let common = "  checkNodeUID: true\n  labels:\n  - {domain: a.io, values: [good, fine]}\n  - {domain: c.b.a.io}\n  \
        - {prefix: x.io/, format: Decimal}\n  - {prefix: b.a.io/, values: [\"\"]}\n  - {key: plain, format: Boolean}\n  \
        - {key: a.io/k, format: Timestamp}\n  - {key: mark}\n  annotations:\n  - {domain: b.a.io}\n  \
        - {key: bare, values: [good]}\n  - {prefix: a.io/, format: Timestamp}\n";
    let resources = "  resources:\n  - {group: g.io, version: v1, resource: things, operations: [CREATE, UPDATE, DELETE], \
        node: [s.node, s.target, \"metadata.labels['a.io/node']\"], mayNotIntroduce: [s.target]}\n  \
        - {group: g.io, version: v1, resource: trackers, mayChange: [status.redo, top]}\n";
    let lease = "  liveness: {source: Lease, mark: {label: mark, value: \"false\"}}\n";
    let limits = "  limits: {removedKeys: 1, ownedKeys: 3, ownedBytes: 60}\n";
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
const EQUIVALENT: [(&str, &str); 0] = [];

fn is_killed(profile: &Profile, mutant: &Mutant) -> bool {
    let release = KubeVersion::minor(30);
    if Policy::compile(&mutant.guarding.policy, release).is_err() || Binding::check(&mutant.guarding.binding).is_err() {
        return true;
    }
    let guards = Guards::compile(std::slice::from_ref(&mutant.guarding));
    let original = Guards::compile(&[manifests::render(profile, mutant.guarding.guard)]);
    (0..PATIENCE).any(|seed| {
        let bytes = pseudo_random(seed, 260);
        let request = generate::request_for(&mut Choices::new(&bytes), profile, mutant.guarding.guard);
        let answer = guards.answer(&request);
        let expected = by_decision(profile, &request).expect("generated objects are well formed");
        let of_this_guard = original.answer(&request) != Answer::NotMatched;
        if of_this_guard { answer != expected } else { answer != Answer::NotMatched }
    })
}

#[test]
fn every_mutant_of_the_rendered_policies_is_noticed() {
    let mut survivors = Vec::new();
    let mut count = 0;
    for profile in profiles() {
        for guarding in manifests::guards(&profile) {
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
    assert!(survivors.is_empty(), "{} of {count} survive, or die though said to be equivalent:\n{}", survivors.len(), survivors.join("\n"));
}
