//! By which means the operator becomes the agent, and what that leaves unproven.

use quick_junit::NonSuccessKind;
use sandbox::adversity::{Effect, Matches, Rule, When};
use serde_json::{Value, json};

use super::cluster::{Cluster, Stage, impersonating, minting, reading};
use super::formats::failures;

const BORROWED: &str = "no token of the agent could be had, so its identity was borrowed";
const AGENT: &str = "system:serviceaccount:kubevirt:kubevirt-handler";

fn who_may(rules: &[Value]) -> Cluster {
    let rules: Vec<Value> = reading().into_iter().chain(rules.iter().cloned()).collect();
    Stage::guarded().operator(&rules).served()
}

#[test]
fn tokens_alone_prove_what_tokens_can() {
    let outcome = who_may(&[minting()]).verify(&[]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{}", outcome.out);
    let skipped = "there are no such tokens, and the account may not be impersonated";
    assert!(outcome.out.contains(&format!("P              {skipped}\n")), "{}", outcome.out);
}

#[test]
fn a_borrowed_identity_leaves_the_tokens_unproven() {
    let cluster = who_may(&impersonating());
    unproven(&cluster, "cannot create resource \"serviceaccounts/token\"");
    let junit = cluster.verify(&["-o", "junit"]);
    let open: Vec<_> = failures(&junit).collect();
    let name = "the attack was made with the agent's own token";
    assert_eq!((junit.code, open), (3, vec![(String::new(), name.to_owned(), NonSuccessKind::Error)]));
    let sarif = cluster.verify(&["-o", "sarif"]);
    let notifications = &sarif.json()["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert!(sarif.code == 3 && notifications[0]["message"]["text"].as_str().unwrap().contains(BORROWED));
}

/// Everything is stopped, and exit code 3 says that this is not all, unless that is accepted.
fn unproven(cluster: &Cluster, reason: &str) {
    let outcome = cluster.verify(&[]);
    assert_eq!((outcome.code, outcome.err.as_str()), (3, ""), "{}", outcome.out);
    assert!(outcome.out.contains(BORROWED) && outcome.out.contains(reason), "{reason}\n{}", outcome.out);
    assert!(outcome.out.contains("but not everything was proven: 139 attacks stopped, 0 got through"));
    let json = cluster.verify(&["-o", "json", "--allow-unproven"]);
    assert_eq!((json.code, &json.json()["conclusion"]), (0, &"unproven".into()));
    assert_eq!(json.json()["means"]["token"], false);
}

#[test]
fn tokens_that_nobody_accepts_are_as_good_as_none() {
    let cluster = Stage::guarded().served();
    let matches = Matches { users: vec![AGENT.to_owned()], ..Matches::default() };
    let refuse = |when| Rule { matches: matches.clone(), when, effect: Effect::ExpireToken };
    // The first to ask is the bearer of the token; whoever is impersonated comes after it.
    cluster.sandbox.trouble(vec![refuse(When::First(1))]);
    let outcome = cluster.verify(&["-o", "json"]);
    let unproven = outcome.json()["means"]["unproven"].as_str().unwrap_or_default().to_owned();
    assert!(outcome.code == 3 && unproven.ends_with("(one was minted, but Unauthorized)"), "{unproven}");
    cluster.sandbox.trouble(vec![refuse(When::Always)]);
    let outcome = cluster.verify(&[]);
    assert_eq!((outcome.code, outcome.out.as_str()), (3, ""));
    let said = "there is no token of kubevirt/kubevirt-handler (one was minted, but Unauthorized), \
        and it may not be impersonated (Unauthorized)";
    assert!(outcome.err.contains(said), "{}", outcome.err);
}

/// The one that the kubeconfig impersonates would be the agent and a member of `system:masters` at once.
#[test]
fn a_kubeconfig_that_impersonates_already_cannot_do_so_again() {
    let cluster = Stage::guarded().served();
    let path = cluster.file("kubeconfig");
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    file["users"][0]["user"]["as"] = json!("somebody");
    file["users"][0]["user"]["as-groups"] = json!(["system:masters"]);
    std::fs::write(&path, file.to_string()).unwrap();
    let outcome = cluster.verify(&[]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{}", outcome.out);
    let skipped = "there are no such tokens, and the account may not be impersonated";
    assert!(outcome.out.contains(&format!("P              {skipped}\n")), "{}", outcome.out);
}
