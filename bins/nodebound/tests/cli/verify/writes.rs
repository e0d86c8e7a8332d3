//! What is written: nothing, or a Node that is gone afterwards.

use sandbox::adversity::{Effect, Matches, Rule, When};
use serde_json::json;
use std::process::{Child, Command, Stdio};

use super::cluster::{Cluster, Stage};
use crate::{Outcome, root};

const SCRATCH: &str = "nodebound-scratch";
const PATH: &str = "/api/v1/nodes/nodebound-scratch";

#[test]
fn without_leave_nothing_is_written() {
    for stage in [Stage::new(), Stage::guarded()] {
        let cluster = stage.served();
        let before = cluster.sandbox.snapshot();
        assert!(cluster.verify(&[]).out.contains("attacks stopped"));
        assert!(cluster.sandbox.snapshot() == before, "the store is as it was, to the revision");
    }
}

#[test]
fn a_scratch_node_is_used_and_gone() {
    let cluster = Stage::guarded().served();
    let before = cluster.revision();
    let outcome = cluster.verify(&["--danger-write", SCRATCH]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{}", outcome.out);
    let used = "Write on a Node that has no labels and no annotations  admitted 2";
    assert!(outcome.out.contains(used), "{}", outcome.out);
    assert!(cluster.get(PATH).is_none());
    assert_eq!(cluster.revision(), before + 2, "created and deleted, and nothing else");
}

#[test]
fn a_node_of_somebody_is_not_touched() {
    let cluster = Stage::guarded().served();
    let before = cluster.sandbox.snapshot();
    let outcome = cluster.verify(&["--danger-write", "node-2"]);
    assert_eq!((outcome.code, outcome.out.as_str()), (3, ""));
    let refused = "--danger-write: there is a Node node-2 already; name one that does not exist";
    assert!(outcome.err.contains(refused), "{}", outcome.err);
    assert!(cluster.sandbox.snapshot() == before);
    let outcome = cluster.verify(&["--danger-write", "No Name"]);
    assert_eq!(outcome.code, 3);
    assert!(outcome.err.contains("cannot create the Node No Name: "), "{}", outcome.err);
    assert!(cluster.sandbox.snapshot() == before);
}

#[test]
fn the_scratch_node_goes_if_there_is_no_agent_to_verify() {
    let cluster = Stage::guarded().only(|object| object["kind"] != "Pod").served();
    let before = cluster.revision();
    let outcome = cluster.verify(&["--danger-write", SCRATCH]);
    assert_eq!(outcome.code, 3);
    assert!(cluster.get(PATH).is_none() && cluster.revision() == before + 2, "{}", outcome.err);
}

#[test]
fn a_scratch_node_that_cannot_be_deleted_is_named() {
    let cluster = Stage::guarded().served();
    let matches = Matches { verbs: vec!["delete".into()], names: vec![SCRATCH.into()], ..Matches::default() };
    cluster.sandbox.trouble(vec![Rule { matches, when: When::Always, effect: Effect::Refuse(500) }]);
    let outcome = cluster.verify(&["--danger-write", SCRATCH]);
    assert_eq!(outcome.code, 3, "{}", outcome.out);
    let said = "the Node nodebound-scratch was created for this and could not be deleted: delete it: ";
    assert!(outcome.err.contains(said), "{}", outcome.err);
}

/// A run of the tool that goes on.
struct Running(Child);

impl Running {
    fn start(cluster: &Cluster, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodebound"));
        command.args(cluster.arguments(more)).current_dir(root());
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    fn end(self) -> Outcome {
        Outcome::of(self.0.wait_with_output().unwrap())
    }
}

#[test]
fn an_interruption_leaves_nothing_behind() {
    for signal in ["INT", "TERM"] {
        let cluster = Stage::guarded().served();
        let users = vec!["system:serviceaccount:kubevirt:kubevirt-handler".to_owned()];
        let matches = Matches { verbs: vec!["patch".into()], users, ..Matches::default() };
        let hour = Effect::Delay(3_600_000);
        cluster.sandbox.trouble(vec![Rule { matches, when: When::Always, effect: hour }]);
        let before = cluster.revision();
        let running = Running::start(&cluster, &["--danger-write", SCRATCH]);
        cluster.wait_for(PATH, |node| node.is_some_and(|node| node["spec"]["unschedulable"] == json!(true)));
        running.signal(signal);
        let outcome = running.end();
        assert_eq!((outcome.code, outcome.out.as_str()), (3, ""));
        assert_eq!(outcome.err, "nodebound: could not verify: interrupted\n");
        assert!(cluster.get(PATH).is_none() && cluster.revision() == before + 2);
    }
}

#[test]
fn an_interruption_before_the_node_is_there_leaves_nothing_behind() {
    let mut cluster = Stage::guarded().gated().served();
    let before = cluster.revision();
    let running = Running::start(&cluster, &["--danger-write", SCRATCH]);
    cluster.visitor();
    running.signal("INT");
    cluster.open_gate();
    let outcome = running.end();
    assert_eq!((outcome.code, outcome.err.as_str()), (3, "nodebound: could not verify: interrupted\n"));
    assert!(cluster.get(PATH).is_none());
    assert_eq!(cluster.revision(), before + 2, "it was created, and deleted");
}
