//! `install`, `status` and `uninstall`: what they print and how they end, where all is well and where it is not.

use serde_json::{Value, json};

use crate::verify::cluster::{Cluster, Stage, guard, reading, shipped};
use crate::{Outcome, nodebound};

fn bare() -> Stage {
    Stage::new().only(|object| object["kind"] != "ValidatingAdmissionPolicy")
}

/// With an account whose role lets it write every Node.
fn cluster() -> Cluster {
    bare().served()
}

fn profile(cluster: &Cluster, name: &str, more: &str) -> String {
    let text = format!(
        "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: {name}}}\nspec:\n  \
        serviceAccount: {{namespace: kubevirt, name: kubevirt-handler}}\n  labels: [{{domain: kubevirt.io}}]\n  \
        annotations: [{{domain: kubevirt.io}}]\n{more}"
    );
    let path = cluster.file(&format!("{name}.yaml"));
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn ended(outcome: &Outcome, code: i32, why: &str) {
    assert_eq!(outcome.code, code, "{outcome:?}");
    assert!(outcome.err.contains(why), "{why}\n{}", outcome.err);
}

#[test]
fn a_guard_from_here_twice_and_away_again() {
    let cluster = cluster();
    let before = cluster.revision();
    let planned = cluster.run(&["install", "--static", "--profile", "kubevirt", "--dry-run", "-o", "json"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    let steps = planned.json()["steps"].take();
    let actions: Vec<&str> = steps.as_array().unwrap().iter().map(|step| word(&step["action"])).collect();
    let (last, others) = actions.split_last().unwrap();
    assert!(*last == "prove" && others.iter().all(|action| *action == "create"), "{actions:?}");
    assert_eq!(cluster.revision(), before, "a dry run writes nothing");
    let installed = cluster.run(&["install", "--static", "--profile", "kubevirt", "-o", "json"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    assert_eq!((&installed.json()[0]["enforced"], word(&installed.json()[0]["reason"])), (&json!(true), "GuardProven"));
    let before = cluster.revision();
    let again = cluster.run(&["install", "--static", "--profile", "kubevirt"]);
    assert_eq!((again.code, cluster.revision()), (0, before), "the second time nothing is written: {again:?}");
    ended(&cluster.run(&["status"]), 3, "");
    ended(&cluster.run(&["status", "--prove"]), 0, "");
    let kept = cluster.run(&["uninstall", "--profile", "kubevirt"]);
    ended(&kept, 1, "nodebound: ");
    assert_eq!(cluster.revision(), before, "the guard stays while its agent may write every Node");
    let planned = cluster.run(&["uninstall", "--profile", "kubevirt", "--dry-run", "-o", "json"]);
    assert_eq!((planned.code, cluster.revision()), (0, before));
    let removed = cluster.run(&["uninstall", "--profile", "kubevirt", "--force", "-o", "json"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(removed.json()["objects"], planned.json()["objects"], "what it said it would remove");
    ended(&cluster.run(&["status"]), 1, "there is no AgentProfile in this cluster");
}

/// The operator is not there to do its part; what is handed over to it is.
#[test]
fn a_trial_becomes_a_guard() {
    let cluster = cluster();
    for (mode, actions) in [("audit", json!(["Audit"])), ("deny", json!(["Deny", "Audit"]))] {
        ended(
            &cluster.run(&["install", "--profile", "kubevirt", "--mode", mode]),
            0,
            "kubectl wait --for=condition=Enforced",
        );
        let profile = cluster.get("/apis/nodebound.io/v1alpha1/agentprofiles/kubevirt").unwrap();
        assert_eq!(profile["spec"]["actions"], actions);
        let before = cluster.revision();
        ended(&cluster.run(&["install", "--profile", "kubevirt", "--mode", mode]), 0, "");
        assert_eq!(cluster.revision(), before, "the second time nothing is written");
    }
    let left = cluster.run(&["uninstall", "--profile", "kubevirt", "--force"]);
    assert_eq!(left.code, 0, "{left:?}");
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Nothing is written by any of them.
#[test]
fn what_is_refused_before_anything_is_done() {
    let cluster = bare().with(guard().into_iter().map(foreign)).served();
    let missing = profile(&cluster, "missing", "").replace("missing.yaml", "nowhere.yaml");
    let [wrong, mine] = [profile(&cluster, "wrong", "  channel: Nothing\n"), profile(&cluster, "mine", "")];
    let before = cluster.revision();
    let table: [(&[&str], i32, &str); 8] = [
        (&["install", "--profile", &missing], 2, "nowhere.yaml"),
        (&["install", "--profile", &wrong], 2, "channel"),
        (&["install", "--profile", &mine, "--channel", "ShadowNode"], 2, "is not our agent"),
        (&["install", "--profile", &mine, "--mode", "sometimes"], 2, "sometimes"),
        (&["install", "--static", "--profile", "kubevirt"], 1, "is there and not ours"),
        (&["uninstall", "--profile", &missing], 3, "nowhere.yaml"),
        (&["status", "nothing"], 1, "there is no AgentProfile nothing in this cluster"),
        (&["status", "--output", "csv"], 2, "csv"),
    ];
    for (command, code, why) in table {
        ended(&cluster.run(command), code, why);
        assert_eq!(cluster.revision(), before, "{command:?}");
    }
    ended(&nodebound(["install", "--profile", "kubevirt", "--kubeconfig", "/nowhere/kubeconfig"]), 3, "nowhere");
}

/// As somebody else made it.
fn foreign(mut object: Value) -> Value {
    object["metadata"]["labels"] = json!({});
    object
}

/// managedFields are a hint that the agent writes what the guard will refuse.
#[test]
fn an_agent_that_would_be_locked_out_is_not_guarded_without_force() {
    let cluster = bare().with([]).served();
    let narrow = profile(&cluster, "narrow", "").replace("narrow.yaml", "less.yaml");
    let text = std::fs::read_to_string(cluster.file("narrow.yaml")).unwrap();
    std::fs::write(&narrow, text.replace("domain: kubevirt.io", "key: kubevirt.io/one")).unwrap();
    cluster.label("virt-handler", "kubevirt.io/other");
    let before = cluster.revision();
    let refused = cluster.run(&["install", "--static", "--profile", &narrow]);
    ended(&refused, 1, "the agent seems to write keys that the profile does not own");
    assert!(refused.err.contains("kubevirt.io/other"), "{}", refused.err);
    assert_eq!(cluster.revision(), before);
    assert_eq!(cluster.run(&["install", "--static", "--profile", &narrow, "--mode", "audit"]).code, 0);
    assert_eq!(cluster.run(&["install", "--static", "--profile", &narrow, "--force"]).code, 0);
}

/// One account has one profile.
#[test]
fn a_second_profile_for_the_account_is_refused() {
    let cluster = cluster();
    let [one, other] = ["one", "other"].map(|name| profile(&cluster, name, ""));
    assert_eq!(cluster.run(&["install", "--static", "--profile", &one]).code, 0);
    let before = cluster.revision();
    ended(&cluster.run(&["install", "--static", "--profile", &other]), 1, "the AgentProfile one is about");
    assert_eq!(cluster.revision(), before);
}

/// Somebody made our namespace before us, and kept rights in it.
#[test]
fn a_namespace_in_which_others_have_rights_is_not_ours() {
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"namespace": "nodebound-system", "name": "mine"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}]});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nodebound-system"}});
    let cluster = bare().with([namespace, binding]).served();
    let before = cluster.revision();
    let refused = cluster.run(&["install", "--profile", "kubevirt"]);
    ended(&refused, 1, "could speak for them: RoleBinding nodebound-system/mine; remove those, or use --adopt");
    assert_eq!(cluster.revision(), before);
    assert_eq!(cluster.run(&["install", "--profile", "kubevirt", "--adopt", "--dry-run"]).code, 0);
}

/// Without policies, and only where it was asked for.
#[test]
fn upgrades_of_the_product_are_held_back() {
    for (more, expected) in [(&[][..], false), (&["--hold-upgrades"][..], true)] {
        let cluster = Stage::new().release(29).served();
        let installed = cluster.run(&[&["install", "--static", "--profile", "kubevirt"], more].concat());
        ended(&installed, 1, "1.30");
        let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/nodebound-kubevirt-hold";
        assert_eq!(cluster.get(path).is_some(), expected, "{more:?}");
    }
}

/// Who installs may read only: it says what is missing, and leaves everything as it was.
#[test]
fn who_lacks_a_right_is_told_which() {
    let cluster = bare().operator(&reading()).served();
    let before = cluster.revision();
    let outcome = cluster.run(&["install", "--static", "--profile", "kubevirt"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert!(outcome.err.contains("cannot") || outcome.err.contains("forbidden"), "{}", outcome.err);
    assert_eq!(cluster.revision(), before);
}

/// A policy of somebody else that refuses the same hides nothing: the probe finds another way.
#[test]
fn beside_the_products_own_policy() {
    let cluster = bare().with(shipped()).served();
    let installed = cluster.run(&["install", "--static", "--profile", "kubevirt", "-o", "json"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    assert!(word(&installed.json()[0]["evidence"]).starts_with("refused 5 of 5 probes by"), "{}", installed.out);
}
