use super::*;
use manifests::install::{AGENT, Settings};
use ownership::Profile;
use proptest::prelude::*;
use proptest::sample::subsequence;

fn goal(account: &str, more: &str) -> Goal {
    let text = format!(
        "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: p}}\nspec:\n  \
        serviceAccount: {{namespace: nodebound-system, name: {account}}}\n  labels: [{{domain: kubevirt.io}}]\n{more}"
    );
    let profile: Profile = ownership::parse::profile(&text).unwrap();
    Goal {
        installation: Installation { profile, settings: Settings::default() },
        adopt: false,
        profile_is_given: false,
        rehearses: false,
    }
}

const BY_SHADOW: &str =
    "  channel: ShadowNode\n  liveness: {source: Lease, mark: {label: kubevirt.io/schedulable, value: 'false'}}\n";

fn all(goal: &Goal) -> Vec<(Part, Value)> {
    goal.objects().collect()
}

fn there(objects: &[(Part, Value)]) -> Found {
    let objects = objects.iter().map(|(_, object)| (Place::of(object), object.clone())).collect();
    Found { objects, ..Found::default() }
}

fn parts(steps: &[Step]) -> Vec<Option<Part>> {
    let part = |step: &Step| match step {
        Step::Apply { part, .. } => Some(*part),
        Step::Prove | Step::Wait(_) | Step::Remove(_) => None,
    };
    steps.iter().map(part).collect()
}

#[test]
fn nothing_is_left_to_do_where_everything_is() {
    for (account, more) in [(AGENT, BY_SHADOW), (AGENT, ""), ("theirs", "")] {
        let goal = goal(account, more);
        let found = there(&all(&goal));
        assert_eq!(goal.plan(&found, Some(&Proven::of("p"))).unwrap().steps, [], "{account} {more}");
        assert_eq!(goal.plan(&found, None).unwrap().steps, [Step::Prove], "it is proven all the same");
    }
}

#[test]
fn of_somebody_elses_agent_nothing_but_guards_and_probes_is_installed() {
    let steps = goal("theirs", "").whole(&Found::default()).unwrap().steps;
    let kinds: Vec<String> = steps.iter().filter_map(Step::place).map(|place| place.kind).collect();
    let policy = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    let rights = ["ClusterRole", "ClusterRoleBinding"];
    assert_eq!(kinds, [&["CustomResourceDefinition", "AgentProfile"][..], &policy, &policy, &rights].concat());
}

#[test]
fn a_trial_grants_nothing() {
    let goal = goal(AGENT, &format!("{BY_SHADOW}  actions: [Audit]\n"));
    let steps = goal.whole(&Found::default()).unwrap().steps;
    assert!(parts(&steps).into_iter().all(|part| part.is_some_and(|part| part <= Part::Guards)), "{steps:?}");
}

#[test]
fn whatever_differs_is_repaired_and_what_is_not_ours_is_not_touched() {
    let goal = goal("theirs", "");
    let objects = all(&goal);
    let policy = objects.iter().map(|(_, o)| o).find(|o| o["kind"] == "ValidatingAdmissionPolicy").unwrap();
    let binding = objects.iter().map(|(_, o)| o).find(|o| o["kind"] == "ValidatingAdmissionPolicyBinding").unwrap();
    let edited = |object: &Value, pointer: &str, key: &str, value: Value| {
        let mut object = object.clone();
        object.pointer_mut(pointer).unwrap()[key] = value;
        object
    };
    let exempted =
        serde_json::json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["nodes"]}]);
    let table = [
        ("failurePolicy", edited(policy, "/spec", "failurePolicy", "Ignore".into())),
        ("an exemption", edited(policy, "/spec/matchConstraints", "excludeResourceRules", exempted)),
        ("a condition", edited(policy, "/spec/matchConditions/0", "expression", "false".into())),
        ("no rule", edited(policy, "/spec", "validations", serde_json::json!([]))),
        ("not denied", edited(binding, "/spec", "validationActions", serde_json::json!(["Audit"]))),
        ("fewer objects", edited(binding, "/spec", "matchResources", serde_json::json!({"objectSelector": {}}))),
    ];
    for (name, object) in table {
        let mut found = there(&objects);
        found.objects.insert(Place::of(&object), object.clone());
        let steps = goal.plan(&found, Some(&Proven::of("p"))).unwrap().steps;
        assert!(matches!(&steps[..], [Step::Apply { change: Change::Repair, .. }]), "{name}: {steps:?}");
        let mut theirs = object;
        theirs["metadata"]["labels"] = Value::Null;
        found.objects.insert(Place::of(&theirs), theirs.clone());
        assert_eq!(goal.plan(&found, None), Err(Foreign(Place::of(&theirs))), "{name}");
        let adopting = Goal { adopt: true, ..goal.clone() };
        let steps = adopting.plan(&found, Some(&Proven::of("p"))).unwrap().steps;
        assert!(matches!(&steps[..], [Step::Apply { change: Change::Adopt, .. }]), "{name}: {steps:?}");
    }
}

#[test]
fn what_a_server_adds_to_a_definition_is_no_difference() {
    let goal = goal("theirs", "");
    let mut found = there(&all(&goal));
    for object in found.objects.values_mut().filter(|object| object["kind"] == "CustomResourceDefinition") {
        object["spec"]["conversion"] = serde_json::json!({"strategy": "None"});
        object["metadata"]["labels"]["more"] = "1".into();
        object["status"] = serde_json::json!({"conditions": []});
    }
    assert_eq!(goal.plan(&found, Some(&Proven::of("p"))).unwrap().steps, []);
}

fn without_policies() -> Found {
    let unserved = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"].map(str::to_owned);
    Found { unserved: unserved.into(), ..Found::default() }
}

#[test]
fn without_policies_strict_rolls_nothing_out_and_permissive_does() {
    for (more, hold) in [("", Some(Hold::NotServed)), ("  enforcement: Permissive\n", None)] {
        let plan = goal(AGENT, &format!("{BY_SHADOW}{more}")).plan(&without_policies(), None).unwrap();
        assert_eq!((plan.hold, plan.unguarded), (hold, true));
        let parts: Vec<Part> = parts(&plan.steps).into_iter().flatten().collect();
        assert_eq!(parts.contains(&Part::Agents), hold.is_none(), "{parts:?}");
        assert!(!parts.contains(&Part::Guards) && parts.contains(&Part::Ground), "{parts:?}");
    }
}

#[test]
fn what_protects_nothing_may_be_missing() {
    let goal = goal(AGENT, BY_SHADOW);
    let mut found = there(&all(&goal));
    found.objects.retain(|place, _| place.kind != "PodDisruptionBudget");
    assert_eq!(goal.plan(&found, Some(&Proven::of("p"))).unwrap().steps.len(), 2);
    found.unserved.insert("PodDisruptionBudget".to_owned());
    assert_eq!(goal.plan(&found, Some(&Proven::of("p"))).unwrap().steps, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// From whatever is there: parts come in their order, nothing that grants comes before the proof, and the steps end
    /// where everything is.
    #[test]
    fn nothing_is_granted_before_the_proof(
        by_shadow in any::<bool>(),
        kept in subsequence((0_usize..64).collect::<Vec<_>>(), 0..64),
    ) {
        let goal = goal(AGENT, if by_shadow { BY_SHADOW } else { "" });
        let objects = all(&goal);
        let some: Vec<_> = kept.into_iter().filter_map(|index| objects.get(index).cloned()).collect();
        let mut found = there(&some);
        let before = parts(&goal.plan(&found, None).unwrap().steps);
        prop_assert_eq!(before.last(), Some(&None), "the proof is the last step that is known");
        prop_assert!(before.iter().flatten().all(|part| *part < Part::Rights));
        prop_assert!(before.iter().flatten().is_sorted());
        let whole = goal.whole(&found).unwrap().steps;
        let proof = whole.iter().position(|step| *step == Step::Prove).unwrap();
        prop_assert!(parts(&whole[proof + 1..]).iter().flatten().all(|part| *part >= Part::Rights));
        prop_assert_eq!(whole.len() - 1 + some.len(), objects.len());
        let mut proven = None;
        for _ in 0..=objects.len() {
            match goal.plan(&found, proven.as_ref()).unwrap().steps.into_iter().next() {
                Some(Step::Prove) => proven = Some(Proven::of("p")),
                Some(Step::Apply { object, .. }) => drop(found.objects.insert(Place::of(&object), object)),
                Some(Step::Wait(_) | Step::Remove(_)) | None => break,
            }
        }
        prop_assert_eq!(found.objects.len(), objects.len());
    }
}
