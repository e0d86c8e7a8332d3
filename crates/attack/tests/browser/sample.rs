//! A report as an attack makes it, without a cluster: the requests of the catalogue, with made-up answers.

use attack::exchange::Sent;
use attack::ground::AgentPod;
use attack::matrix::{Row, cells};
use attack::report::{Means, Told};
use attack::{Aim, Attempt, Check, Credentials, Ground, Layer, Matrix, Outcome, Plan, Refusal, Report, Status, Trial};
use ownership::guard::{Guard, Rule};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What an attacker would write wherever a text is taken.
pub const HOSTILE: &str =
    "</script><script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>\u{2028}\u{202e}\u{7}";

const SERVERS: [&str; 2] = ["https://10.0.0.11:6443", "https://10.0.0.12:6443"];

/// How a cluster is protected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    Nothing,
    Roles,
    Guard,
}

/// An attack with so many trials.
pub fn report(protection: Protection, trials: usize) -> Report {
    let ground = ground();
    let plan = Plan::new(&ground);
    let attempts: Vec<&Attempt> = plan.attempts().collect();
    let made = SERVERS.iter().flat_map(|server| attempts.iter().map(move |attempt| (attempt, *server)));
    let mut trials: Vec<Trial> =
        made.cycle().take(trials).map(|(attempt, server)| trial(attempt, server, protection)).collect();
    if let Some(last) = trials.iter_mut().rfind(|trial| trial.attack) {
        disfigure(last);
    }
    Report {
        profile: "kubevirt".to_owned(),
        account: "kubevirt/kubevirt-handler".to_owned(),
        version: "v1.36.1".to_owned(),
        node: "worker-1".to_owned(),
        pod: "virt-handler-x7k2p".to_owned(),
        means: Means { token: true, unproven: String::new() },
        servers: SERVERS.map(str::to_owned).to_vec(),
        checks: checks(protection),
        trials,
    }
}

/// Three ways to protect Nodes.
pub fn matrix() -> Matrix {
    let ways = [
        ("-", "no protection", Protection::Nothing),
        ("1", "policy that also asks from which node", Protection::Guard),
        ("7", "a role and an account for each node", Protection::Roles),
    ];
    let options = ways.map(|(number, name, protection)| Row {
        number: number.to_owned(),
        name: name.to_owned(),
        installs: "the role that KubeVirt grants, patch on nodes".to_owned(),
        opens: "everything on the own node, cordons and control-plane labels included".to_owned(),
        cells: cells(&report(protection, 200)),
        legitimate: (17, 18),
    });
    Matrix { options: options.to_vec(), ..Matrix::new() }
}

fn ground() -> Ground {
    let profile = ownership::builtin::profile("kubevirt").expect("there is one").expect("it parses");
    let node = "worker-1".to_owned();
    Ground {
        pod: AgentPod { name: "virt-handler-x7k2p".to_owned(), uid: "0b7b1a2e".to_owned(), node },
        profile,
        own: machine("worker-1"),
        other: Some(machine("worker-2")),
        victim: Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "virt-handler-9wq4c",
            "namespace": "kubevirt"}, "spec": {"nodeName": "worker-2"}})),
        scratch: None,
        objects: Vec::new(),
        policies: vec![
            json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "nodebound-kubevirt"}}),
        ],
    }
}

/// A Node with as many labels as a recent CPU gives it.
fn machine(name: &str) -> Value {
    let mut labels: Map<String, Value> =
        (0..170).map(|index| (format!("cpu-feature.node.kubevirt.io/feature-{index:03}"), json!("true"))).collect();
    labels.extend([("kubernetes.io/hostname".to_owned(), json!(name)), ("cpumanager".to_owned(), json!("false"))]);
    let fields: Map<String, Value> = labels.keys().map(|key| (format!("f:{key}"), json!({}))).collect();
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": "7f5b", "resourceVersion": "812", "labels": labels,
            "annotations": {"kubevirt.io/heartbeat": "2026-01-02T03:04:05Z", "example.com/owner": "team-a"},
            "managedFields": [{"manager": "virt-handler", "fieldsV1": {"f:metadata": {"f:labels": fields}}}],
        },
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {"capacity": {"cpu": "16", "pods": "110"}},
    })
}

fn trial(attempt: &Attempt, server: &str, protection: Protection) -> Trial {
    let sent = Sent::dry_run(&attempt.resolved().expect("attempts resolve"), attempt.collection);
    let (outcome, note) = outcome(&attempt.aim, protection);
    let refusal = (outcome == Outcome::Stopped).then(|| refusal(&attempt.aim, protection));
    let answer = refusal.as_ref().map_or_else(admitted, |refusal| forbidden(&refusal.message));
    Trial {
        recipe: attempt.recipe.id.clone(),
        title: attempt.recipe.title.clone(),
        gain: attempt.recipe.gain.clone(),
        sources: attempt.recipe.sources.clone(),
        attack: attempt.is_attack(),
        name: attempt.case.name.clone(),
        speaker: attempt.speaker.describe().to_owned(),
        server: server.to_owned(),
        outcome,
        refusal,
        note,
        curl: sent.curl(&Credentials::Token(String::new())),
        request: Some(sent),
        answer: Some(answer),
    }
}

fn outcome(aim: &Aim, protection: Protection) -> (Outcome, String) {
    match aim {
        Aim::Admitted => (Outcome::Admitted, String::new()),
        Aim::Residual(reason) => (Outcome::Residual, reason.clone()),
        Aim::Permitted(reason) => (Outcome::Permitted, reason.clone()),
        Aim::Harmless(reason) => (Outcome::Harmless, reason.clone()),
        Aim::Refused(stoppers) if protection == Protection::Nothing && !stoppers.is_empty() => {
            (Outcome::Breach, String::new())
        }
        Aim::Refused(_) => (Outcome::Stopped, String::new()),
    }
}

fn refusal(aim: &Aim, protection: Protection) -> Refusal {
    let rule = Rule::ALL.into_iter().find(|rule| format!("{aim:?}").contains(&format!("Rule({rule:?})")));
    match rule {
        Some(rule) if protection == Protection::Guard => of_guard(rule),
        _ => Refusal {
            layer: Layer::Rbac,
            policy: None,
            binding: None,
            rule: None,
            keys: BTreeSet::new(),
            message:
                "pods \"virt-handler-9wq4c\" is forbidden: User \"system:serviceaccount:kubevirt:kubevirt-handler\" \
                cannot delete resource \"pods\" in API group \"\" in the namespace \"kubevirt\""
                    .to_owned(),
        },
    }
}

fn of_guard(rule: Rule) -> Refusal {
    let name = Guard::Nodes.policy_name("kubevirt");
    let keys = rule.lists_keys().then(|| "node-role.kubernetes.io/control-plane".to_owned());
    let text = Guard::Nodes.text(rule);
    Refusal {
        layer: Layer::Guard,
        message: format!(
            "nodes \"worker-1\" is forbidden: ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: \
             nodebound/kubevirt: {rule}: {text}{}",
            keys.as_deref().unwrap_or_default()
        ),
        policy: Some(name.clone()),
        binding: Some(name),
        rule: Some(rule),
        keys: keys.into_iter().collect(),
    }
}

fn forbidden(message: &str) -> Told {
    Told { code: 403, reason: "Forbidden".to_owned(), message: message.to_owned() }
}

fn admitted() -> Told {
    Told { code: 200, reason: String::new(), message: String::new() }
}

/// Every text of it becomes an attack on whoever reads the page.
fn disfigure(trial: &mut Trial) {
    let hostile = || HOSTILE.to_owned();
    trial.name = hostile();
    trial.note = hostile();
    trial.server = hostile();
    trial.curl = hostile();
    trial.answer = Some(forbidden(HOSTILE));
    trial.sources = vec![hostile(), format!("https://example.com/{HOSTILE}"), format!("javascript:{HOSTILE}")];
    if let Some(request) = &mut trial.request {
        request.path = hostile();
        request.body = Some(json!({HOSTILE: HOSTILE}));
    }
}

fn checks(protection: Protection) -> Vec<Check> {
    let installed = if protection == Protection::Guard { Status::Good } else { Status::Bad };
    let table = [
        (
            "account",
            "the account exists and is used",
            Status::Good,
            "the pod virt-handler-x7k2p on worker-1 runs as it",
        ),
        ("bound", "the policy nodebound-kubevirt is installed and bound", installed, "its binding denies and audits"),
        (
            "type-check",
            "the policy’s expressions fit the types",
            Status::Unknown,
            "no controller-manager has looked at it",
        ),
        ("others", "other policies on the same account", Status::Noted, "kubevirt-node-restriction-policy"),
        ("hostile", HOSTILE, Status::Noted, HOSTILE),
    ];
    let check = |(id, title, status, text): (&str, &str, Status, &str)| Check {
        id: id.to_owned(),
        title: title.to_owned(),
        status,
        text: text.to_owned(),
    };
    table.into_iter().map(check).collect()
}
