//! From a publication to a patch.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ownership::guard::{Guard, Rule};
use ownership::identity::{NODE_NAME, POD_NAME, POD_UID, User};
use ownership::publication::{Claimed, Guarded, Keys, Permitted, Publication, Refusal, diff};
use ownership::request::Object;
use ownership::{Profile, builtin, parse};
use serde_json::{Value, json};

fn profile(node: &str) -> Profile {
    parse::profile(&format!(
        "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  node: {node}\n  \
         serviceAccount: {{namespace: ns, name: agent}}\n  labels: [{{domain: a.io, values: [good, fine]}}]\n  \
         annotations: [{{domain: a.io}}]\n"
    ))
    .unwrap()
}

fn speaker(username: &str, node: Option<&str>) -> User {
    let claim = |node: &str| {
        [(NODE_NAME, node), (POD_NAME, "p"), (POD_UID, "u")].map(|(k, v)| (k.to_owned(), vec![v.to_owned()]))
    };
    User { username: username.to_owned(), extra: node.map(claim).into_iter().flatten().collect() }
}

const AGENT: &str = "system:serviceaccount:ns:agent";

fn publication(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Publication {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Publication { labels: map(labels), annotations: map(annotations) }
}

fn permitted(profile: &Profile, publication: Publication) -> (Permitted, Vec<Refusal>) {
    Claimed::new("n1", publication).attribute(profile, &speaker(AGENT, Some("n1"))).unwrap().permit(profile)
}

#[test]
fn only_the_agent_on_the_node_speaks_for_it() {
    let table = [
        ("Own", AGENT, Some("n1"), true),
        ("Own", AGENT, Some("n2"), false),
        ("Own", AGENT, None, false),
        ("OwnIfClaimed", AGENT, None, true),
        ("OwnIfClaimed", AGENT, Some("n2"), false),
        ("Any", AGENT, Some("n2"), true),
        ("Own", "system:serviceaccount:ns:other", Some("n1"), false),
        ("Any", "system:serviceaccount:ns:other", None, false),
    ];
    for (node, name, claim, allowed) in table {
        let claimed = Claimed::new("n1", Publication::default());
        assert_eq!(
            claimed.attribute(&profile(node), &speaker(name, claim)).is_ok(),
            allowed,
            "{node} {name} {claim:?}"
        );
    }
}

#[test]
fn what_is_not_owned_or_not_allowed_is_left_out_alone() {
    let profile = profile("Own");
    let wanted = publication(
        &[("a.io/x", "good"), ("a.io/y", "bad"), ("b.io/x", "good"), ("a.io/-", "good")],
        &[("a.io/beat", "any text, at all"), ("c", "1"), ("a.io/b/c", "1")],
    );
    let (permitted, refusals) = permitted(&profile, wanted);
    let refusal = |key: &str, rule| Refusal { key: key.to_owned(), rule };
    assert_eq!(
        refusals,
        [
            refusal("a.io/-", Rule::Values),
            refusal("a.io/y", Rule::Values),
            refusal("b.io/x", Rule::Labels),
            refusal("a.io/b/c", Rule::Values),
            refusal("c", Rule::Annotations),
        ]
    );
    let bare = json!({"metadata": {"name": "n1"}});
    let patch = diff(&profile, &permitted, Object::new(&bare).unwrap(), &Keys::default()).unwrap();
    assert_eq!(patch.labels().keys().collect::<Vec<_>>(), ["a.io/x"]);
    assert_eq!(patch.annotations().keys().collect::<Vec<_>>(), ["a.io/beat"]);
}

fn keys(labels: &[&str], annotations: &[&str]) -> Keys {
    let set = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect();
    Keys { labels: set(labels), annotations: set(annotations) }
}

#[test]
fn the_patch_is_the_smallest_and_touches_nothing_of_others() {
    let profile = profile("Own");
    let (wanted, _) = permitted(&profile, publication(&[("a.io/x", "good"), ("a.io/y", "good")], &[("a.io/t", "2")]));
    let node = |labels: Value, annotations: Value| json!({"metadata": {"name": "n1", "uid": "u1", "labels": labels, "annotations": annotations}});
    let table = [
        (node(json!({"a.io/x": "good", "a.io/y": "good"}), json!({"a.io/t": "2"})), keys(&[], &[]), None),
        (
            node(json!({"a.io/x": "fine", "f.io/k": "v"}), json!({"a.io/t": "2"})),
            keys(&[], &[]),
            Some(json!({"uid": "u1", "labels": {"a.io/x": "good", "a.io/y": "good"}})),
        ),
        (
            node(
                json!({"a.io/x": "good", "a.io/y": "good", "a.io/old": "1", "a.io/theirs": "1", "f.io/k": "v"}),
                json!({"a.io/t": "1", "a.io/old": "1"}),
            ),
            keys(&["a.io/old", "a.io/gone", "f.io/k", "a.io/x"], &["a.io/old"]),
            Some(json!({"uid": "u1", "labels": {"a.io/old": null}, "annotations": {"a.io/old": null, "a.io/t": "2"}})),
        ),
    ];
    for (node, written, expected) in table {
        let patch = diff(&profile, &wanted, Object::new(&node).unwrap(), &written);
        assert_eq!(patch.map(|patch| patch.merge_patch()), expected.map(|metadata| json!({ "metadata": metadata })));
    }
    let other = json!({"metadata": {"name": "n2"}});
    assert_eq!(diff(&profile, &wanted, Object::new(&other).unwrap(), &Keys::default()), None);
}

#[test]
fn a_patch_applied_leaves_nothing_to_do() {
    let profile = profile("Own");
    let (wanted, _) = permitted(&profile, publication(&[("a.io/x", "good")], &[]));
    let node = json!({"metadata": {"name": "n1"}});
    let patch = diff(&profile, &wanted, Object::new(&node).unwrap(), &Keys::default()).unwrap();
    assert_eq!((patch.node(), patch.merge_patch()), ("n1", json!({"metadata": {"labels": {"a.io/x": "good"}}})));
    let after = json!({"metadata": {"name": "n1", "labels": {"a.io/x": "good"}}});
    assert_eq!(diff(&profile, &wanted, Object::new(&after).unwrap(), &keys(&["a.io/x"], &[])), None);
}

#[test]
fn a_guard_vouches_only_where_it_was_seen_to_bind_to_nodes() {
    let profile = profile("Own");
    let policy = Guard::ShadowNodes.policy_name(profile.name());
    let table = [
        (policy.as_str(), Rule::OwnNode, true),
        (policy.as_str(), Rule::Labels, false),
        ("nodebound-other-shadownodes", Rule::OwnNode, false),
        ("kubevirt-node-restriction", Rule::OwnNode, false),
    ];
    for (policy, rule, proof) in table {
        let guarded = Guarded::seen(&profile, Guard::ShadowNodes, policy, rule);
        let claimed = Claimed::new("n", Publication::default());
        assert_eq!(claimed.vouched(&profile, guarded.as_ref()).is_ok(), proof, "{policy} {rule}");
    }
    let other = builtin::profile("kubevirt").unwrap().unwrap();
    let guarded = Guarded::seen(&profile, Guard::ShadowNodes, &policy, Rule::OwnNode);
    assert!(Claimed::new("n", Publication::default()).vouched(&other, guarded.as_ref()).is_err(), "another profile");
}
