//! The guards on an API server: accepted, unchanged when applied again, and enforced as the suites say. Every trial runs on
//! the sandbox, and on a real API server where there is one.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `etcd` and `kube-apiserver`. Without it the trials on them are ignored.
#![expect(clippy::print_stderr, reason = "a test says why it is ignored")]

use libtest_mimic::{Arguments, Failed, Trial};
use manifests::install::{self, Installation, Part};
use serde_json::{Value, json};
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tests::server::{Place, Server, assets, collection, suite};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let assets = assets();
    if assets.is_none() {
        eprintln!("KUBEBUILDER_ASSETS is not set: the tests on a real API server are ignored");
    }
    let without = assets.is_none();
    let real =
        trials(&Place::Real(assets.unwrap_or_default())).into_iter().map(|trial| trial.with_ignored_flag(without));
    let trials = trials(&Place::Sandbox).into_iter().chain(real).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(place: &Place) -> Vec<Trial> {
    let mut trials: Vec<Trial> = suite::files().into_iter().map(|file| of_suite(place, file)).collect();
    trials.push(trial("applying a guard again changes nothing", place, applied_again));
    trials.push(trial("what is installed carries every default", place, installed));
    trials.push(trial("real tokens are told apart by their claims", place, real_tokens));
    trials
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime can be made").block_on(future)
}

fn kind(place: &Place) -> &'static str {
    match place {
        Place::Sandbox => "sandbox",
        Place::Real(_) => "real",
    }
}

fn of_suite(place: &Place, file: PathBuf) -> Trial {
    let name = format!("{}: suite {}", kind(place), file.file_stem().unwrap_or_default().display());
    let place = place.clone();
    Trial::test(name, move || block_on(suite::run(&place, &file)).map(drop).map_err(Failed::from))
}

fn trial<F: Future<Output = ()> + 'static>(name: &str, place: &Place, test: fn(Server) -> F) -> Trial {
    let name = format!("{}: {name}", kind(place));
    let place = place.clone();
    Trial::test(name, move || {
        block_on(async { test(Server::start(&place).await).await });
        Ok(())
    })
}

const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";

fn path_of(object: &Value) -> String {
    let collection = if object["kind"] == "ValidatingAdmissionPolicy" { POLICIES } else { BINDINGS };
    format!("{collection}/{}", object["metadata"]["name"].as_str().expect("has a name"))
}

/// Every guard of both profiles, applied twice: what is stored is what was rendered, and keeps its version.
async fn applied_again(server: Server) {
    for (name, _) in ownership::builtin::PROFILES {
        let profile = ownership::builtin::profile(name).expect("is built in").expect("is valid");
        for object in manifests::guards(&profile).iter().flat_map(manifests::Guarding::objects) {
            let path = format!("{}?fieldManager=test&force=true", path_of(&object));
            let apply = async || {
                let builder = http::Request::patch(&path).header("Content-Type", "application/apply-patch+yaml");
                server.exchange().send(None, builder, Some(&object)).await
            };
            let (first, second) = (apply().await, apply().await);
            assert_eq!((first.code, second.code), (201, 200), "{first:?} {second:?}");
            assert_eq!(first.body["metadata"]["resourceVersion"], second.body["metadata"]["resourceVersion"]);
            assert_eq!(second.body["spec"], object["spec"], "the server defaults a field that is not rendered");
            assert_eq!(second.body["metadata"]["labels"], object["metadata"]["labels"]);
        }
    }
}

/// Everything that is installed with agents and a controller of ours, applied twice.
async fn installed(server: Server) {
    for installation in installations() {
        let objects = Part::ALL.into_iter().flat_map(|part| installation.objects(part));
        // The sandbox serves no budgets.
        let inside = server.sandbox().is_some();
        for object in objects.filter(|object| !(inside && object["kind"] == "PodDisruptionBudget")) {
            let name = object["metadata"]["name"].as_str().expect("has a name");
            let path = format!("{}/{name}?fieldManager=test&force=true", collection(&object));
            let apply = async || {
                let builder = http::Request::patch(&path).header("Content-Type", "application/apply-patch+yaml");
                server.exchange().send(None, builder, Some(&object)).await
            };
            let served = async || apply().await.code != 404;
            assert!(server.poll(Duration::from_secs(20), served).await, "{path} is not served");
            let [first, second] = [apply().await, apply().await];
            assert_eq!((first.code, second.code), (200, 200), "{object}: {first:?} {second:?}");
            let generation = |answer: &tests::server::Answer| answer.body["metadata"]["generation"].clone();
            assert_eq!(generation(&first), generation(&second), "{path}");
            for field in ["spec", "data", "rules", "roleRef", "subjects"] {
                // Namespaces and definitions have fields that are the server's business.
                let own = matches!(object["kind"].as_str(), Some("Namespace" | "CustomResourceDefinition"));
                assert!(own || second.body[field] == object[field], "{path}: {field}: {:#}", second.body[field]);
            }
        }
    }
}

/// Each channel with each sign of life, for agents of ours and of somebody else.
fn installations() -> Vec<Installation> {
    let spec = |name: &str, account: &str, more: &str| {
        format!(
            "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {{name: {name}}}\nspec:\n  \
            serviceAccount: {account}\n  labels: [{{domain: kubevirt.io}}]\n  annotations: [{{domain: kubevirt.io}}]\n{more}"
        )
    };
    let ours = ("p", "{namespace: nodebound-system, name: nodebound-agent}");
    let theirs = ("q", "{namespace: default, name: kubevirt-handler}");
    let alive = |source: &str| {
        format!("  liveness: {{source: {source}, mark: {{label: kubevirt.io/schedulable, value: 'false'}}}}\n")
    };
    let by_shadow = format!("  channel: ShadowNode\n{}", alive("Lease"));
    [(ours, by_shadow), (ours, String::new()), (theirs, alive("PodReadiness")), (theirs, String::new())]
        .map(|((name, account), more)| {
            let profile = ownership::parse::profile(&spec(name, account, &more)).expect("is valid");
            Installation { profile, settings: install::Settings::default() }
        })
        .into()
}

/// Tokens bound to a pod on the node, to a pod elsewhere, to the Node alone, and to nothing.
async fn real_tokens(server: Server) {
    let text = "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {name: p}\nspec:\n  \
        serviceAccount: {namespace: default, name: agent}\n  labels: [{domain: example.com}]\n";
    let profile = ownership::parse::profile(text).expect("is valid");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "agent"}});
    server.create("/api/v1/namespaces/default/serviceaccounts", &account).await;
    for node in ["n1", "n2"] {
        server.create("/api/v1/nodes", &json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})).await;
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": node}, "spec": {"nodeName": node,
            "serviceAccountName": "agent", "containers": [{"name": "c", "image": "i"}]}});
        server.create("/api/v1/namespaces/default/pods", &pod).await;
    }
    for object in manifests::guards(&profile).iter().flat_map(manifests::Guarding::objects) {
        let path = path_of(&object);
        server.create(path.rsplit_once('/').expect("is a path").0, &object).await;
    }
    let bound = |kind: &str, name: &str| Some(json!({"apiVersion": "v1", "kind": kind, "name": name}));
    let here = server.exchange().token("default", "agent", bound("Pod", "n1")).await;
    let there = server.exchange().token("default", "agent", bound("Pod", "n2")).await;
    let node = server.exchange().token("default", "agent", bound("Node", "n1")).await;
    let unbound = server.exchange().token("default", "agent", None).await;
    let patch = async |token: &str, key: &str| {
        let builder = http::Request::patch("/api/v1/nodes/n1?dryRun=All");
        let builder = builder.header("Content-Type", "application/merge-patch+json");
        let body = json!({"metadata": {"labels": {key: "1"}}});
        server.exchange().bearing(token).send(None, builder, Some(&body)).await
    };
    let owned = "example.com/x";
    let refused = async || patch(&unbound, owned).await.code == 403;
    assert!(server.poll(Duration::from_secs(20), refused).await, "the guard is not in force");
    let refusal = "nodes \"n1\" is forbidden: ValidatingAdmissionPolicy 'nodebound-p' with binding 'nodebound-p' denied \
        request: nodebound/p: ";
    let elsewhere = format!("{refusal}own-node: the request does not come from this node");
    for (token, key, code, message) in [
        (&here, owned, 200, String::new()),
        (&here, "example.org/x", 403, format!("{refusal}labels: not owned by this agent: example.org/x")),
        (&there, owned, 403, elsewhere.clone()),
        (&node, owned, 403, elsewhere.clone()),
        (&unbound, owned, 403, elsewhere),
    ] {
        let answer = patch(token, key).await;
        assert_eq!((answer.code, answer.message()), (code, message.as_str()));
    }
}
