use super::*;
use ownership::guard::{Guard, Rule};
use ownership::parse;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCHEDULABLE: &str = "kubevirt.io/schedulable";

fn profile(limits: &str) -> Profile {
    let text = format!(
        "{{apiVersion: nodebound.io/v1alpha1, kind: AgentProfile, metadata: {{name: p}}, spec: {{
            serviceAccount: {{namespace: a, name: b}}, channel: ShadowNode, limits: {limits},
            labels: [{{domain: kubevirt.io}}, {{key: cpumanager, values: ['true', 'false']}}],
            annotations: [{{domain: kubevirt.io}}],
            liveness: {{source: Lease, mark: {{label: {SCHEDULABLE}, value: 'false'}}}}}}}}"
    );
    parse::profile(&text).unwrap()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn publication(labels: &[(&str, &str)]) -> Publication {
    Publication { labels: map(labels), annotations: BTreeMap::new() }
}

fn node(labels: &[(&str, &str)]) -> Value {
    json!({"metadata": {"name": "n", "uid": "u", "labels": map(labels)}})
}

fn ours(labels: &[&str]) -> Written {
    let labels = labels.iter().map(ToString::to_string).collect();
    Written { applied: Keys { labels, annotations: BTreeSet::new() }, otherwise: Keys::default() }
}

/// A Node, what of it is ours, what is published, and the verdict.
struct Case<'a> {
    node: &'a [(&'a str, &'a str)],
    ours: &'a [&'a str],
    published: Option<&'a [(&'a str, &'a str)]>,
    verdict: Verdict,
}

impl Case<'_> {
    fn decide(&self, profile: &Profile, guarded: bool) -> Desired {
        let (node, written) = (node(self.node), ours(self.ours));
        let publication = self.published.map(publication);
        let policy = Guard::ShadowNodes.policy_name("p");
        let guarded = guarded.then(|| Guarded::seen(profile, Guard::ShadowNodes, &policy, Rule::OwnNode).unwrap());
        desired(&Given {
            profile,
            node: Object::new(&node).unwrap(),
            written: &written,
            published: publication.as_ref().map_or(Published::Nothing, Published::This),
            guarded: guarded.as_ref(),
            verdict: self.verdict,
            taken_back: false,
        })
    }
}

/// The labels that a patch changes: `key=value` and `key-`.
fn changes(desired: &Desired) -> Vec<String> {
    let patch = desired.patch.iter().flat_map(|(patch, _)| patch.labels());
    patch.map(|(key, value)| value.as_ref().map_or(format!("{key}-"), |value| format!("{key}={value}"))).collect()
}

fn held_by(desired: &Desired) -> &'static str {
    desired.held.map_or("", Held::word)
}

#[test]
fn what_is_written_and_what_stays() {
    use Verdict::{Alive, Silent, Unknown};
    const X: &str = "kubevirt.io/x";
    type Row<'a> = (&'a str, Case<'a>, &'a [&'a str], &'a str);
    let case = |node, ours, published, verdict| Case { node, ours, published, verdict };
    let table: &[Row<'_>] = &[
        ("a new key", case(&[], &[], Some(&[(X, "1")]), Alive), &["kubevirt.io/x=1"], ""),
        ("nothing differs", case(&[(X, "1")], &[X], Some(&[(X, "1")]), Alive), &[], ""),
        ("a foreign key", case(&[("a/b", "1")], &[], Some(&[("a/b", "2"), (X, "1")]), Alive), &["kubevirt.io/x=1"], ""),
        (
            "no more published",
            case(&[(X, "1"), ("cpumanager", "true")], &[X, "cpumanager"], Some(&[(X, "1")]), Alive),
            &["cpumanager-"],
            "",
        ),
        ("not ours, not removed", case(&[(X, "1"), ("cpumanager", "true")], &[X], Some(&[(X, "1")]), Alive), &[], ""),
        ("nothing published yet", case(&[(X, "1")], &[X], None, Alive), &[], "nothing-published"),
        (
            "silent",
            case(&[(X, "1")], &[X], Some(&[(X, "1"), (SCHEDULABLE, "true")]), Silent),
            &["kubevirt.io/schedulable=false"],
            "",
        ),
        (
            "silent and unpublished",
            case(&[(X, "1")], &[X], None, Silent),
            &["kubevirt.io/schedulable=false"],
            "nothing-published",
        ),
        (
            "recovered",
            case(&[(SCHEDULABLE, "false")], &[SCHEDULABLE], Some(&[(SCHEDULABLE, "true")]), Alive),
            &["kubevirt.io/schedulable=true"],
            "",
        ),
        (
            "a mark outlives a restart",
            case(&[(SCHEDULABLE, "false")], &[SCHEDULABLE], Some(&[(SCHEDULABLE, "true")]), Unknown),
            &[],
            "",
        ),
        (
            "no mark of ours",
            case(&[(SCHEDULABLE, "false")], &[], Some(&[(SCHEDULABLE, "true")]), Unknown),
            &["kubevirt.io/schedulable=true"],
            "",
        ),
    ];
    for (name, case, expected, held) in table {
        let desired = case.decide(&profile("{}"), true);
        assert_eq!(
            (changes(&desired), held_by(&desired)),
            (expected.iter().map(ToString::to_string).collect(), *held),
            "{name}"
        );
    }
}

#[test]
fn without_proof_nothing_new_is_taken_and_marks_are_set_all_the_same() {
    let published: &[(&str, &str)] = &[("kubevirt.io/x", "2"), ("kubevirt.io/y", "1")];
    let case = |verdict| Case {
        node: &[("kubevirt.io/x", "1")],
        ours: &["kubevirt.io/x"],
        published: Some(published),
        verdict,
    };
    let desired = case(Verdict::Alive).decide(&profile("{}"), false);
    assert_eq!((desired.patch, desired.held), (None, Some(Held::NotGuarded)));
    let desired = case(Verdict::Silent).decide(&profile("{}"), false);
    assert_eq!(changes(&desired), ["kubevirt.io/schedulable=false"]);
    let (patch, _) = desired.patch.unwrap();
    let applied = patch.apply_patch();
    assert_eq!(
        applied["metadata"]["labels"],
        json!({"kubevirt.io/x": "1", "kubevirt.io/schedulable": "false"}),
        "nothing is lost"
    );
    assert_eq!((&applied["metadata"]["uid"], &applied["metadata"]["name"]), (&json!("u"), &json!("n")));
}

#[test]
fn limits_hold_back_the_whole() {
    let (keys, labels): (Vec<String>, Vec<String>) =
        ((0..5).map(|n| format!("kubevirt.io/k{n}")).collect(), vec!["1".into(); 5]);
    let all: Vec<(&str, &str)> = keys.iter().map(String::as_str).zip(labels.iter().map(String::as_str)).collect();
    let ours: Vec<&str> = keys.iter().map(String::as_str).collect();
    // What is on the Node, what is published, the limits, and what holds it back.
    let table: [(usize, usize, &str, &str); 8] = [
        (5, 2, "{removedKeys: 3}", ""),
        (5, 1, "{removedKeys: 3}", "limits"),
        (1, 3, "{ownedKeys: 3}", ""),
        (1, 4, "{ownedKeys: 3}", "limits"),
        (5, 4, "{ownedKeys: 3}", ""),
        (1, 3, "{ownedBytes: 45}", ""),
        (1, 4, "{ownedBytes: 45}", "limits"),
        (5, 1, "{}", ""),
    ];
    for (node, published, limits, held) in table {
        let case = Case {
            node: &all[..node],
            ours: &ours[..node],
            published: Some(&all[..published]),
            verdict: Verdict::Alive,
        };
        let desired = case.decide(&profile(limits), true);
        assert_eq!(held_by(&desired), held, "{node} {published} {limits}");
        assert_eq!(desired.patch.is_none(), held == "limits", "{node} {published} {limits}");
    }
}

#[test]
fn what_was_not_applied_is_removed_by_name() {
    let keys = |key: &str| Keys { labels: BTreeSet::from([key.to_owned()]), annotations: BTreeSet::new() };
    let written = Written { applied: keys("kubevirt.io/a"), otherwise: keys("kubevirt.io/b") };
    let node = node(&[("kubevirt.io/a", "1"), ("kubevirt.io/b", "1"), ("kubevirt.io/c", "1")]);
    let profile = profile("{}");
    let policy = Guard::ShadowNodes.policy_name("p");
    let guarded = Guarded::seen(&profile, Guard::ShadowNodes, &policy, Rule::OwnNode);
    let way = |labels: &[(&str, &str)]| {
        let publication = publication(labels);
        let (written, node) = (&written, Object::new(&node).unwrap());
        let published = Published::This(&publication);
        let given = Given {
            profile: &profile,
            node,
            written,
            published,
            guarded: guarded.as_ref(),
            verdict: Verdict::Alive,
            taken_back: false,
        };
        desired(&given).patch.map(|(_, way)| way)
    };
    assert_eq!(way(&[("kubevirt.io/a", "1")]), Some(Way::Merge));
    assert_eq!(way(&[("kubevirt.io/b", "1")]), Some(Way::Apply));
    assert_eq!(way(&[("kubevirt.io/a", "1"), ("kubevirt.io/b", "1")]), None);
}

fn some_labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let keys = [
        "kubevirt.io/x",
        "kubevirt.io/y",
        SCHEDULABLE,
        "cpumanager",
        "a/b",
        "kubevirt.io.evil/x",
        "xkubevirt.io/x",
        "bad key",
    ];
    let values = ["true", "false", "1", "", "not a value"];
    prop::collection::btree_map(
        prop::sample::select(keys.to_vec()).prop_map(str::to_owned),
        prop::sample::select(values.to_vec()).prop_map(str::to_owned),
        0..8,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is published: only owned keys change, what others wrote stays, and a second look changes nothing.
    #[test]
    fn foreign_keys_are_untouched_and_it_converges(
        present in some_labels(),
        published in some_labels(),
        mine in prop::collection::btree_set(0_usize..8, 0..8),
        verdict in prop::sample::select(vec![Verdict::Unknown, Verdict::Alive, Verdict::Silent]),
    ) {
        let profile = profile("{}");
        let policy = Guard::ShadowNodes.policy_name("p");
        let guarded = Guarded::seen(&profile, Guard::ShadowNodes, &policy, Rule::OwnNode);
        let owned = |key: &str| profile.labels().owns(key);
        let mut present = present;
        let mut applied: BTreeSet<String> = present.keys().enumerate().filter(|(n, key)| mine.contains(n) && owned(key)).map(|(_, key)| key.clone()).collect();
        let publication = Publication { labels: published, annotations: BTreeMap::new() };
        for round in 0..2 {
            let node = json!({"metadata": {"name": "n", "uid": "u", "labels": present}});
            let written = Written { applied: Keys { labels: applied.clone(), annotations: BTreeSet::new() }, otherwise: Keys::default() };
            let given = Given { profile: &profile, node: Object::new(&node).unwrap(), written: &written, published: Published::This(&publication), guarded: guarded.as_ref(), verdict, taken_back: false };
            let Some((patch, _)) = desired(&given).patch else { break };
            prop_assert_eq!(round, 0, "nothing is left to do after the first: {:?}", patch);
            prop_assert!(patch.labels().keys().all(|key| owned(key)));
            prop_assert!(patch.labels().iter().all(|(key, value)| value.is_some() || applied.contains(key)));
            let whole = patch.apply_patch();
            let whole: BTreeMap<String, String> = serde_json::from_value(whole["metadata"]["labels"].clone()).unwrap();
            present.retain(|key, _| whole.contains_key(key) || !applied.contains(key));
            present.extend(whole.clone());
            applied = whole.into_keys().collect();
            if verdict == Verdict::Silent {
                prop_assert_eq!(&present[SCHEDULABLE], "false");
            }
        }
    }
}
