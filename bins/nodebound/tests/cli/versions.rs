//! What is installed, said and answered on clusters of each age, as the table in `docs/versions.md` has it.

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use manifests::install::Settings;
use operator::execute::{Executor, Prover};
use operator::object::Objects;
use operator::prove::Claim;
use operator::run::Operator;
use ownership::identity::{NODE_NAME, POD_NAME};
use serde_json::Value;
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;
use testkit::Controllers;

use crate::root;
use crate::verify::cluster::{Cluster, Stage};

const PROFILE: &str = "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {name: p}\nspec:\n  \
    serviceAccount: {namespace: nodebound-system, name: nodebound-agent}\n  labels: [{domain: kubevirt.io}]\n";
const PATH: &str = "/apis/nodebound.io/v1alpha1/agentprofiles/p";

/// Minor versions, and what their tokens claim.
const RELEASES: [(u16, &str, &[&str]); 5] = [
    (28, "1.28", &[POD_NAME]),
    (29, "1.29", &[POD_NAME]),
    (30, "1.30 without claims", &[POD_NAME]),
    (32, "1.32", &[POD_NAME, NODE_NAME]),
    (36, "1.36", &[POD_NAME, NODE_NAME]),
];

#[test]
fn every_release_does_what_the_documentation_says() {
    let each =
        RELEASES.into_iter().flat_map(|release| ["Strict", "Permissive"].map(|enforcement| (release, enforcement)));
    let running: Vec<_> = each
        .map(|((minor, name, claims), enforcement)| {
            thread::spawn(move || format!("| {name} | {enforcement} | {} |", row(minor, claims, enforcement)))
        })
        .collect();
    let rows: Vec<String> = running.into_iter().map(|row| row.join().unwrap()).collect();
    let page = std::fs::read_to_string(root().join("docs/versions.md")).unwrap_or_default();
    let missing: Vec<&String> = rows.iter().filter(|row| !page.lines().any(|line| line == *row)).collect();
    assert!(missing.is_empty(), "docs/versions.md lacks:\n{missing:#?}");
    assert_eq!(
        page.lines().filter(|line| line.starts_with("| 1.") && line.contains("AsExpected")).count(),
        rows.len(),
        "and has no other"
    );
}

fn row(minor: u16, claims: &'static [&'static str], enforcement: &str) -> String {
    let cluster = Stage::new().release(minor).served();
    let profile = cluster.file("profile.yaml");
    std::fs::write(&profile, format!("{PROFILE}  enforcement: {enforcement}\n")).unwrap();
    let profile = profile.display().to_string();
    let by_hand = cluster.run(&["install", "--static", "--profile", &profile]).code;
    let _left = cluster.run(&["uninstall", "--force", "--profile", &profile]);
    cluster.beside(|| operate(&cluster, claims));
    let installed = cluster.run(&["install", "--wait", "--profile", &profile]);
    assert!(installed.code < 2, "{installed:?}");
    let installed = installed.code;
    let status = cluster.run(&["status"]).code;
    let object = cluster.get(PATH).unwrap();
    let condition = |of: &str| {
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let condition = conditions.iter().find(|condition| condition["type"] == of).unwrap();
        format!("`{}` {}", condition["status"].as_str().unwrap(), condition["reason"].as_str().unwrap())
    };
    let there = |path: &str, what: &'static str| cluster.get(path).map(|_| what);
    let parts = [
        there("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/nodebound-p", "guard"),
        there("/apis/apps/v1/namespaces/nodebound-system/daemonsets/nodebound-agent", "agents"),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    let parts = if parts.is_empty() { "definitions, accounts".to_owned() } else { parts.join(", ") };
    [
        parts,
        condition("Enforced"),
        condition("Progressing"),
        condition("Degraded"),
        events(&cluster),
        format!("{installed}, {by_hand}, {status}"),
    ]
    .join(" | ")
}

/// Types and reasons.
fn events(cluster: &Cluster) -> String {
    let events = cluster.get("/api/v1/namespaces/default/events").unwrap();
    let of_operator =
        events["items"].as_array().unwrap().iter().filter(|event| event["source"]["component"] == "nodebound-operator");
    let told: BTreeSet<String> =
        of_operator.map(|event| format!("{} {}", text(event, "type"), text(event, "reason"))).collect();
    told.into_iter().collect::<Vec<_>>().join(", ")
}

fn text<'v>(event: &'v Value, field: &str) -> &'v str {
    event[field].as_str().unwrap()
}

/// An operator with a token that claims this, and workload controllers.
fn operate(cluster: &Cluster, claims: &[&str]) -> impl Future<Output = ()> + Send + use<> {
    let groups = ["system:masters", "system:authenticated"].map(str::to_owned).to_vec();
    let extra = claims.iter().map(|claim| ((*claim).to_owned(), vec!["its".to_owned()])).collect();
    let user = admission::UserInfo { username: "operator".to_owned(), groups, extra, ..admission::UserInfo::default() };
    let (sandbox, connection) = (cluster.sandbox.clone(), cluster.sandbox.connection_as(user));
    async move {
        let _controllers = Controllers::start(Client::new(sandbox.admin(), "default"));
        let client = Client::new(connection.clone(), "default");
        let connect = Box::new(move || Ok(Client::new(connection.clone(), "default")));
        let executor = Executor {
            objects: Objects::new(client),
            prover: Prover::Itself { connect, claim: Claim::Elsewhere },
            patience: Duration::from_secs(5),
        };
        let clock = Box::new(Timestamp::now);
        let mut operator =
            Operator::new(executor, Settings::default(), clock, Duration::from_secs(600), 1, Box::new(|_| ()));
        loop {
            // Before it is installed there is nothing to look at.
            let _ = operator.look().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
