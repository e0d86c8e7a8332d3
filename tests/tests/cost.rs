//! What the guard on Nodes costs in the API server, to the unit: it is free of noise, so it is pinned.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use admission::policy::evaluate;
use admission::{AdmissionRequest, Binding, KubeVersion, NoCluster, Policy, Verdict};
use ownership::guard::Guard;
use ownership::{Profile, builtin};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use tests::nodes::{bare, node, owned_only, reannotated, relabelled, update};

/// Most that the rules on labels may cost for each label where a map changed (the design's measure).
const PER_LABEL: u64 = 22;
/// The validation `labels` of the guard on Nodes, counted from 0.
const LABELS: usize = 5;
/// What the API server spends at most on one policy, and on one expression (`k8s.io/apiserver/pkg/apis/cel`).
const BUDGET: u64 = 10_000_000;
const PER_CALL: u64 = 1_000_000;

struct Priced {
    labels: u64,
    validations: u64,
    messages: u64,
    dearest: u64,
    total: u64,
}

fn price(profile: &Profile, request: &AdmissionRequest) -> Priced {
    let guarding = manifests::render(profile, Guard::Nodes);
    let policy = Policy::compile(&guarding.policy, KubeVersion::minor(30)).unwrap();
    let binding = Binding::check(&guarding.binding).unwrap();
    let report = evaluate(&policy, &[binding], request, &NoCluster);
    assert_eq!(report.verdict, Verdict::Allow, "an ordinary write is admitted");
    let [cost] = report.costs.as_slice() else { panic!("one binding, one cost") };
    let sum = |costs: &[admission::verdict::ExpressionCost]| costs.iter().map(|cost| cost.total()).sum();
    let all = cost.validations.iter().chain(&cost.messages);
    Priced {
        labels: cost.validations[LABELS].total(),
        validations: sum(&cost.validations),
        messages: sum(&cost.messages),
        dearest: all.map(|cost| cost.total()).max().unwrap(),
        total: cost.total(),
    }
}

type Change = (&'static str, fn(&Value) -> (Value, Value));

const CHANGES: [Change; 5] = [
    ("nothing", |node| (node.clone(), node.clone())),
    ("one annotation", |node| (node.clone(), reannotated(node))),
    ("one label", |node| (node.clone(), relabelled(node))),
    ("all owned labels new", |node| (bare(node), owned_only(node))),
    ("all owned labels gone", |node| (owned_only(node), bare(node))),
];

#[test]
fn costs_are_pinned_and_linear() {
    let mut text =
        "profile         labels  change                 labels rule  validations  messages  total\n".to_owned();
    for name in ["kubevirt", "kubevirt-least"] {
        let profile = builtin::profile(name).unwrap().unwrap();
        for count in [0, 170, 1000, 3000, 10_000] {
            for (change, apply) in CHANGES {
                let (old, new) = apply(&node(count));
                let price = price(&profile, &update(&profile, old, new));
                let Priced { labels, validations, messages, total, .. } = price;
                writeln!(
                    text,
                    "{name:<15} {count:>6}  {change:<21} {labels:>12} {validations:>12} {messages:>9} {total:>6}"
                )
                .unwrap();
                assert!(price.dearest <= PER_CALL && total <= BUDGET, "{name} {count} {change}: {total}");
                let per_label = if change == "one label" { PER_LABEL * (count as u64 + 1) + 100 } else { u64::MAX };
                assert!(labels <= per_label, "{name} {count} {change}: {labels}");
                if change == "nothing" || change == "one annotation" {
                    // Comparing two equal maps costs a tenth of a unit a label, four times for rule and message.
                    assert!(total <= 1000 + 6 * count as u64 / 10, "{name} {count} {change}: {total}");
                }
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/costs.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; if that is meant, run the test with UPDATE_GOLDEN=1", path.display());
}
