//! What users of kubectl see.

use operator::object::Place as At;
use operator::plan::Step;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use tests::reach::Served;
use tests::server::{Place, TOKEN};
use tokio::task::spawn_blocking;

use crate::cluster::{Cluster, SHADOW, ours};

/// kubectl, and how it reaches the cluster.
struct Kubectl {
    folder: TempDir,
    _served: Option<Served>,
}

impl Kubectl {
    async fn at(cluster: &Cluster) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (served, config) = match (cluster.server.sandbox(), cluster.server.address()) {
            (Some(sandbox), _) => {
                let served = Served::over(sandbox.clone()).await;
                let config = served.kubeconfig.clone();
                (Some(served), config)
            }
            (None, Some(address)) => (None, of_bearer(address.port)),
            (None, None) => panic!("a server is in this process, or listens"),
        };
        std::fs::write(folder.path().join("config"), config.to_string()).expect("can be written");
        Self { folder, _served: served }
    }

    fn write(&self, name: &str, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(self.folder.path().join(name), list.to_string()).expect("can be written");
    }

    /// What is printed, of a command that ends well.
    async fn run(&self, line: &str) -> String {
        let folder = self.folder.path().to_owned();
        let owned = line.to_owned();
        let output = spawn_blocking(move || run(&folder, &owned)).await.expect("does not panic");
        let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert!(output.status.success(), "kubectl {line}: {}\n{out}{err}", output.status);
        out
    }
}

fn run(folder: &Path, line: &str) -> Output {
    let file = |name: &str| folder.join(name).display().to_string();
    let words = line.split(' ').map(|word| word.strip_prefix('@').map_or_else(|| word.to_owned(), file));
    let mut command = Command::new("kubectl");
    command.args(["--kubeconfig", &file("config"), "--cache-dir", &file("cache")]).args(words).env("HOME", folder);
    command.output().expect("kubectl is on the PATH")
}

fn of_bearer(port: u16) -> Value {
    let server = json!({"server": format!("https://127.0.0.1:{port}"), "insecure-skip-tls-verify": true});
    json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": server}], "users": [{"name": "c", "user": {"token": TOKEN}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}]})
}

/// The objects as they are rendered are those that are there, and applying them changes nothing that matters.
pub async fn session(place: Place) {
    let goal = ours(SHADOW);
    let cluster = Cluster::start(&place, &goal).await;
    let kubectl = Kubectl::at(&cluster).await;
    let looking = async {
        let (mut operator, _) = cluster.looking();
        operator.look().await.expect("can look");
    };
    let waited = kubectl.run("wait --for=condition=Enforced agentprofile/p --timeout=120s");
    let (waited, ()) = tokio::join!(waited, looking);
    assert_eq!(waited, "agentprofile.nodebound.io/p condition met\n");
    let shown = kubectl.run("get agentprofiles").await;
    assert!(shown.contains("ENFORCED") && shown.contains("True") && shown.contains("GuardProven"), "{shown}");

    let mut rendered = goal.installation.operator();
    rendered.retain(|object| object["kind"] != "Deployment");
    rendered.push(goal.installation.agent_profile());
    let of_part = |part| goal.installation.objects(part).into_iter().filter(|object| object["kind"] != "AgentProfile");
    rendered.extend(manifests::install::Part::ALL.into_iter().flat_map(of_part));
    kubectl.write("all.json", &rendered);
    assert_eq!(kubectl.run("diff -f @all.json").await, "", "nothing differs");
    kubectl.run("apply -f @all.json").await;
    let places = || rendered.iter().map(At::of);
    let before = cluster.versions(places()).await;
    let again = kubectl.run("apply -f @all.json").await;
    // Of these, kubectl always sends the selector.
    let is_kept = |line: &str| line.ends_with(" unchanged") || line.starts_with("poddisruptionbudget.policy/");
    assert!(again.lines().all(is_kept), "{again}");
    assert_eq!(cluster.versions(places()).await, before);
    assert_eq!(kubectl.run("diff -f @all.json").await, "");
    let installed = cluster.executor().install(&goal, None, |_| ()).await.expect("is installed");
    assert_eq!(installed.steps, [Step::Prove], "nor is there anything to do for us");
}

/// Specifications that are wrong, each with the field and what is said of it.
const WRONG: [(&str, &str, &str); 8] = [
    ("labels: [{key: a, domain: b.io}]", "spec.labels[0]", "needs exactly one of key, prefix and domain"),
    ("labels: [{values: [a]}]", "spec.labels[0]", "needs exactly one of key, prefix and domain"),
    ("labels: [{prefix: a.io}]", "spec.labels[0].prefix", "must end in '/'"),
    (
        "labels: [{key: a, values: []}]",
        "spec.labels[0].values",
        "needs at least one value, or leave it out to allow any",
    ),
    ("labels: [{key: a, values: [b], format: Timestamp}]", "spec.labels[0]", "has both values and format; keep one"),
    ("labels: [{key: a}]\n  actions: []", "spec.actions", "needs at least one of Deny, Warn and Audit"),
    (
        "labels: [{key: a}]\n  actions: [Deny, Warn]",
        "spec.actions",
        "cannot have both Deny and Warn: a refusal needs no warning",
    ),
    ("labels: [{key: a}]\n  pause: {until: '2030-01-01T00:00:00Z', reason: ' '}", "spec.pause.reason", "must say why"),
];

pub async fn definition(place: Place) {
    let cluster = Cluster::start(&place, &ours("")).await;
    for (spec, field, said) in WRONG {
        let text = format!(
            "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: q}}\nspec:\n  \
            serviceAccount: {{namespace: ns, name: agent}}\n  {spec}\n"
        );
        let of_file = ownership::parse::profile(&text).expect_err("is wrong").to_string();
        assert!(of_file.contains(field) && of_file.contains(said), "{of_file}");
        let object: Value = serde_saphyr::from_str(&text).expect("is YAML");
        let answer = cluster.server.exchange().post("/apis/nodebound.io/v1alpha1/agentprofiles", &object).await;
        let causes = answer.body["details"]["causes"].as_array().cloned().unwrap_or_default();
        let is_said = |cause: &Value| {
            cause["field"] == field && cause["message"].as_str().is_some_and(|text| text.ends_with(said))
        };
        assert!(answer.code == 422 && causes.iter().any(is_said), "{spec}: {:?} {causes:#?}", answer.code);
    }
}
