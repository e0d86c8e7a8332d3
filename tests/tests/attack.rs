//! The catalogue of attacks on a whole cluster: without a policy, with the one that KubeVirt ships, with ours, and with
//! policies that are installed and do nothing. Every trial runs on the sandbox, and on a real API server where there is one.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `etcd` and `kube-apiserver`. Without it the trials on them are ignored.
#![expect(clippy::panic, clippy::print_stderr, reason = "a test fails by panicking, and says why it is ignored")]

use attack::exchange::{Credentials, Sent, send};
use attack::report::{Conclusion, Report, Status};
use attack::{Layer, Outcome, Plan, Speaker, Survey, Wanted, inspect, stage, survey};
use libtest_mimic::{Arguments, Failed, Trial};
use ownership::{Profile, builtin};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tests::server::{Place, Server, assets};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let assets = assets();
    if assets.is_none() {
        eprintln!("KUBEBUILDER_ASSETS is not set: the tests on a real API server are ignored");
    }
    let without = assets.is_none();
    let place = Place::Real(assets.unwrap_or_default());
    let real = trials(&place).into_iter().chain([same_results(&place)]);
    let real = real.map(|trial| trial.with_ignored_flag(without));
    let trials = trials(&Place::Sandbox).into_iter().chain(real).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(place: &Place) -> Vec<Trial> {
    vec![
        trial("without a policy everything about nodes gets through", place, unguarded),
        trial("the policy that KubeVirt ships leaves what is known of it", place, shipped),
        trial("the guard of kubevirt stops every attack and no legitimate write", place, |place| {
            guarded(place, "kubevirt")
        }),
        trial("so does the guard of kubevirt-least", place, |place| guarded(place, "kubevirt-least")),
        trial("policies that do nothing are called inert, each with its reason", place, inert),
    ]
}

fn trial<F: Future<Output = ()> + 'static>(name: &str, place: &Place, test: fn(Place) -> F) -> Trial {
    let kind = if *place == Place::Sandbox { "sandbox" } else { "real" };
    let (name, place) = (format!("{kind}: {name}"), place.clone());
    Trial::test(name, move || {
        block_on(test(place));
        Ok(())
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime can be made").block_on(future)
}

fn profile(name: &str) -> Profile {
    builtin::profile(name).expect("is built in").expect("is valid")
}

fn guard(name: &str) -> Vec<Value> {
    manifests::guards(&profile(name)).iter().flat_map(manifests::Guarding::objects).collect()
}

fn kubevirts_own() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites/policies/kubevirt-shipped.yaml");
    let text = std::fs::read_to_string(path).expect("the policy is there");
    serde_saphyr::from_multiple(&text).expect("is YAML")
}

/// A cluster with the agent, policies, and what is known of it.
struct Cluster {
    _server: Server,
    attacked: attack::Server,
    found: Survey,
}

impl Cluster {
    async fn start(place: &Place, profile: Profile, policies: &[Value], named: &[&str]) -> Self {
        let server = Server::with_roles(place).await;
        let attacked = server.attacked();
        let mut objects = stage::objects().expect("is readable");
        objects.extend(stage::role(&stage::widest_rules()));
        objects.extend(policies.iter().cloned());
        stage::build(&attacked, &objects).await.expect("the cluster can be built");
        let wanted = Wanted {
            node: Some(stage::NODES[0].to_owned()),
            scratch: Some(stage::BARE.to_owned()),
            policies: named.iter().map(ToString::to_string).collect(),
        };
        let found = survey(&attacked, profile, &wanted).await.expect("there is an agent");
        Self { _server: server, attacked, found }
    }

    /// Waits until a cordon of the own node is refused by this layer, or by nobody.
    async fn wait_until(&self, expected: Option<Layer>) {
        let who = Credentials::Impersonated(Box::new(self.found.ground.identity(Speaker::Agent)));
        let body = json!({"spec": {"unschedulable": true}});
        let path = format!("/api/v1/nodes/{}?dryRun=All", stage::NODES[0]);
        let cordon = Sent { media_type: "application/merge-patch+json".to_owned(), ..Sent::json("PATCH", path, body) };
        for _ in 0..200 {
            let answer = send(&self.attacked.operator, &who, &cordon).await.expect("the server answers");
            if answer.refusal().map(|refusal| refusal.layer) == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("a cordon is not refused by {expected:?}");
    }

    async fn attack(&self, named: &[&str]) -> Report {
        let ground = &self.found.ground;
        let trials = Plan::new(ground).run(&self.attacked, ground, &self.found.keys, || ()).await;
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        Report::new(&self.found, Vec::new(), inspect::checks(&self.found, &named), trials)
    }
}

fn outcomes(report: &Report, attack: bool) -> BTreeMap<&str, Outcome> {
    let recipes = report.trials.iter().filter(|trial| trial.attack == attack).map(|trial| trial.recipe.as_str());
    recipes.filter_map(|recipe| Some((recipe, report.of_recipe(recipe)?))).collect()
}

const BY_ROLES: [&str; 3] = ["evict-and-cordon", "relabel-pods", "disarm-the-guard"];
const BELIEVED: [&str; 2] = ["lie-about-the-own-node", "field-owners"];
const UNRESTRICTED: [&str; 2] = ["forbidden-values", "mass-removal"];

async fn unguarded(place: Place) {
    let cluster = Cluster::start(&place, profile("kubevirt"), &[], &[]).await;
    cluster.wait_until(None).await;
    let report = cluster.attack(&[]).await;
    assert_eq!(report.conclusion(), Conclusion::Broken);
    for (recipe, outcome) in outcomes(&report, true) {
        let expected = match recipe {
            "disarm-the-guard" => Outcome::Skipped,
            recipe if BY_ROLES.contains(&recipe) => Outcome::Stopped,
            recipe if BELIEVED.contains(&recipe) => Outcome::Residual,
            recipe if UNRESTRICTED.contains(&recipe) => Outcome::Skipped,
            _ => Outcome::Breach,
        };
        assert_eq!(outcome, expected, "{recipe}");
    }
    assert!(outcomes(&report, false).values().all(|outcome| *outcome == Outcome::Admitted));
    let missing = report.checks.iter().find(|check| check.id == "installed").expect("is looked up");
    assert_eq!(missing.status, Status::Bad);
}

async fn shipped(place: Place) {
    let name = "kubevirt-node-restriction-policy";
    let cluster = Cluster::start(&place, profile("kubevirt"), &kubevirts_own(), &[name]).await;
    cluster.wait_until(Some(Layer::Policy)).await;
    let report = cluster.attack(&[name]).await;
    assert_eq!(report.conclusion(), Conclusion::Broken);
    let attacks = outcomes(&report, true);
    for breached in
        ["look-alike-keys", "labels-through-status", "capacity-zero", "create-or-delete-nodes", "object-in-the-middle"]
    {
        assert_eq!(attacks[breached], Outcome::Breach, "{breached}");
    }
    let through = |name: &str| report.trials.iter().find(|trial| trial.name == name).map(|trial| trial.outcome);
    assert_eq!(through("label node-role.kubernetes.io/kubevirt.io"), Some(Outcome::Breach));
    assert_eq!(through("label notkubevirt.io/nodebound-probe"), Some(Outcome::Breach));
    assert_eq!(through("become a control-plane node, by merge patch"), Some(Outcome::Stopped));
    // Absent maps are errors of its expressions, which refuse what the agent must be able to do.
    assert_eq!(outcomes(&report, false)["bare-node"], Outcome::Defect);
    let status = |id: &str| report.checks.iter().find(|check| check.id == id).map(|check| check.status);
    assert_eq!(
        (status("updates"), status("status"), status("deletion")),
        (Some(Status::Good), Some(Status::Bad), Some(Status::Bad))
    );
}

async fn guarded(place: Place, name: &'static str) {
    let cluster = Cluster::start(&place, profile(name), &guard(name), &[]).await;
    cluster.wait_until(Some(Layer::Guard)).await;
    let report = cluster.attack(&[]).await;
    let bad: Vec<_> =
        report.trials.iter().filter(|trial| trial.outcome.is_finding() || trial.outcome == Outcome::Unproven).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(report.conclusion(), Conclusion::Holds, "{:#?}", report.checks);
    for trial in report.trials.iter().filter(|trial| trial.attack && trial.outcome == Outcome::Stopped) {
        let layer = trial.refusal.as_ref().map(|refusal| refusal.layer);
        let expected = if BY_ROLES.contains(&trial.recipe.as_str()) { Layer::Rbac } else { Layer::Guard };
        assert_eq!(layer, Some(expected), "{}: {}", trial.recipe, trial.name);
    }
    assert!(report.means.token && report.trials.iter().filter(|trial| trial.request.is_some()).count() > 100);
    let attacks = outcomes(&report, true);
    let skipped = UNRESTRICTED.iter().filter(|recipe| attacks[**recipe] == Outcome::Skipped).count();
    assert_eq!(skipped, if name == "kubevirt-least" { 1 } else { 2 });
}

/// Changes of the guard that leave it installed and without effect, and what is said of each.
fn inert_guards() -> Vec<(&'static str, Vec<Value>, &'static str)> {
    let with = |pointer: &str, value: Value| {
        let mut objects = guard("kubevirt");
        let at = objects.iter_mut().find_map(|object| object.pointer_mut(pointer)).expect("the guard has that field");
        *at = value;
        objects
    };
    let condition = json!("request.userInfo.username == 'system:serviceaccount:kubevirt:somebody-else'");
    let rule = "/spec/matchConstraints/resourceRules/0";
    let mut unbound = guard("kubevirt");
    unbound.retain(|object| object["kind"] == "ValidatingAdmissionPolicy");
    vec![
        ("wrong account", with("/spec/matchConditions/0/expression", condition), "it speaks of somebody else"),
        (
            "wrong version",
            with(&format!("{rule}/apiVersions"), json!(["v1beta1"])),
            "the apiVersions of its resourceRules",
        ),
        ("wrong resource", with(&format!("{rule}/resources"), json!(["pods"])), "the resources of its resourceRules"),
        ("Audit only", with("/spec/validationActions", json!(["Audit"])), "nothing is refused without Deny"),
        ("binding missing", unbound, "no binding names it"),
    ]
}

async fn inert(place: Place) {
    for (name, objects, reason) in inert_guards() {
        let cluster = Cluster::start(&place, profile("kubevirt"), &objects, &[]).await;
        cluster.wait_until(None).await;
        let report = cluster.attack(&[]).await;
        let check = report.checks.iter().find(|check| check.id == "updates").expect("is looked up");
        assert!(
            check.status == Status::Bad && check.text.starts_with("inert: ") && check.text.contains(reason),
            "{name}: {check:?}"
        );
        assert_eq!(outcomes(&report, true)["lure-by-cordon"], Outcome::Breach, "{name}");
        assert_eq!(report.conclusion(), Conclusion::Broken, "{name}");
    }
}

/// Recipe and name of each trial, with what came of it and who refused. The order of keys in messages is the server's.
type Results = Vec<(String, String, Outcome, Option<(Layer, String)>)>;

async fn results(place: &Place, policies: &[Value], expected: Option<Layer>) -> Results {
    let cluster = Cluster::start(place, profile("kubevirt"), policies, &[]).await;
    cluster.wait_until(expected).await;
    let report = cluster.attack(&[]).await;
    let refused = |refusal: attack::Refusal| {
        (refusal.layer, format!("{:?} {:?} {:?}", refusal.policy, refusal.rule, refusal.keys))
    };
    report
        .trials
        .into_iter()
        .map(|trial| (trial.recipe, trial.name, trial.outcome, trial.refusal.map(refused)))
        .collect()
}

fn same_results(place: &Place) -> Trial {
    let place = place.clone();
    Trial::test("real: the sandbox gives the same results", move || {
        block_on(async {
            let stories =
                [(Vec::new(), None), (kubevirts_own(), Some(Layer::Policy)), (guard("kubevirt"), Some(Layer::Guard))];
            for (policies, expected) in stories {
                let real = results(&place, &policies, expected).await;
                let sandbox = results(&Place::Sandbox, &policies, expected).await;
                let differ: Vec<_> = real.iter().zip(&sandbox).filter(|(real, sandbox)| real != sandbox).collect();
                if real.len() != sandbox.len() || !differ.is_empty() {
                    return Err(Failed::from(format!("{differ:#?}")));
                }
            }
            Ok(())
        })
    })
}
