//! The programs as workloads, with every field that the API server would default.

use serde_json::{Map, Value, json};

use crate::expression::quote;

use super::operator::Limit;
use super::{AGENT, CONTROLLER, Installation, OPERATOR, PROBER, Settings};

/// The port of metrics and health.
const PORT: u16 = 8080;
/// Where programs find their profile.
const PROFILE: &str = "/etc/nodebound/profile.yaml";
/// The annotation by which pods with another profile are other pods.
const PROFILE_SUM: &str = "nodebound.io/profile-sum";
/// The user of the images.
const USER: u32 = 65532;

/// A program with an image of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    /// `nodebound-agent`
    Agent,
    /// `nodebound-controller`
    Controller,
    /// `nodebound-operator`
    Operator,
    /// `nodebound-prober`, which is the operator's program with another task.
    Prober,
}

impl Program {
    /// Every program that has an image.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Controller, Self::Operator];

    /// Its name, which is that of its account and its workload.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => AGENT,
            Self::Controller => CONTROLLER,
            Self::Operator => OPERATOR,
            Self::Prober => PROBER,
        }
    }
}

impl Settings {
    /// The image of a program.
    #[must_use]
    pub fn image(&self, program: Program) -> String {
        let program = if program == Program::Prober { Program::Operator } else { program };
        let (registry, name) = (&self.registry, program.name());
        match self.digests.iter().find(|(of, _)| *of == program) {
            Some((_, digest)) => format!("{registry}/{name}@{digest}"),
            None => format!("{registry}/{name}:{}", self.tag),
        }
    }
}

/// What is different from one program to the other.
struct Pod {
    program: Program,
    arguments: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    /// Files and folders of the host: name, path, and its type.
    host: &'static [(&'static str, &'static str, &'static str)],
    profile: bool,
    requests: [&'static str; 2],
    memory: &'static str,
    placement: Map<String, Value>,
    security: Value,
}

/// What agents read of their hosts. All of it is mounted read-only, and what is not there is no reason not to start.
const HOST: [(&str, &str, &str); 5] = [
    ("node-labeller", "/var/lib/kubevirt-node-labeller", "DirectoryOrCreate"),
    ("kubelet", "/var/lib/kubelet", "Directory"),
    ("kvm", "/dev/kvm", ""),
    ("proc", "/proc/sys/kernel", "Directory"),
    ("ksm", "/sys/kernel/mm/ksm", ""),
];

/// The agents.
pub(super) fn agents(installation: &Installation) -> Vec<Value> {
    let pod = Pod {
        program: Program::Agent,
        arguments: vec![format!("--profile={PROFILE}"), format!("--listen=0.0.0.0:{PORT}")],
        environment: vec![("NODE_NAME", "spec.nodeName")],
        host: &HOST,
        profile: true,
        requests: ["10m", "16Mi"],
        memory: "64Mi",
        placement: map(json!({"priorityClassName": "system-node-critical", "tolerations": [{"operator": "Exists"}]})),
        // Whose files it reads are root's; it gives every capability up at its start.
        security: json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsUser": 0,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}),
    };
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}});
    let spec = json!({"revisionHistoryLimit": 10, "selector": selector(Program::Agent), "updateStrategy": strategy,
        "template": pod.template(installation)});
    let mut set = workload(installation, "DaemonSet", Program::Agent, spec);
    // What the server writes into each new one.
    set["metadata"]["annotations"] = json!({"deprecated.daemonset.template.generation": "1"});
    vec![profile(installation), set]
}

/// What holds of every workload that the operator may make: our images, started as they are, with accounts of ours, and nothing of
/// the host but what agents read there.
pub(super) fn limits(installation: &Installation) -> Vec<Limit> {
    let registry = quote(&format!("{}/", installation.settings.registry));
    let paths: Vec<String> = HOST.iter().map(|(_, path, _)| quote(path)).collect();
    let shared = ["hostNetwork", "hostPID", "hostIPC"].map(|field| format!("!(has({POD}.{field}) && {POD}.{field})"));
    let of_containers = |holds: &str| format!("!has({POD}.initContainers) && {POD}.containers.all(c, {holds})");
    let of_host = format!("object.metadata.name == '{AGENT}' && v.hostPath.path in [{}]", paths.join(", "));
    let of_ours = "has(v.configMap) && has(v.configMap.name) && v.configMap.name.startsWith('nodebound-')";
    let volumes = format!("!has({POD}.volumes) || {POD}.volumes.all(v, has(v.hostPath) ? {of_host} : {of_ours})");
    let account = format!(
        "object.metadata.name in ['{AGENT}', '{CONTROLLER}'] && {POD}.serviceAccountName == object.metadata.name"
    );
    vec![
        (account, "its workloads have names and accounts of ours"),
        (of_containers(&format!("c.image.startsWith({registry})")), "its workloads have our images"),
        (of_containers(AS_IT_IS), "its workloads start our images as they are"),
        (of_containers(UNPRIVILEGED), "its workloads have no privileges"),
        (
            format!("!has({POD}.securityContext.seLinuxOptions) && {}", shared.join(" && ")),
            "its workloads share nothing with their host",
        ),
        (volumes, "its workloads see of their host what agents read"),
        (
            of_containers("!has(c.volumeMounts) || c.volumeMounts.all(m, has(m.readOnly) && m.readOnly)"),
            "its workloads write nothing",
        ),
    ]
}

const POD: &str = "object.spec.template.spec";
const AS_IT_IS: &str = "!has(c.command) && !has(c.lifecycle) && !has(c.envFrom) && (!has(c.env) || c.env.all(e, e.name in ['NODE_NAME', 'POD_NAME', 'POD_NAMESPACE']))";
/// Whoever may not escalate is not privileged (`ValidateSecurityContext` in `pkg/apis/core/validation`).
const UNPRIVILEGED: &str = "has(c.securityContext) && has(c.securityContext.allowPrivilegeEscalation) && !c.securityContext.allowPrivilegeEscalation && has(c.securityContext.capabilities) && !has(c.securityContext.capabilities.add) && has(c.securityContext.capabilities.drop) && 'ALL' in c.securityContext.capabilities.drop && !has(c.securityContext.seLinuxOptions)";

/// The controller, and that one of its replicas stays when nodes are drained.
pub(super) fn controller(installation: &Installation) -> Vec<Value> {
    let arguments = vec![
        format!("--agent-profile={}", installation.profile.name()),
        // What agents wrote when they wrote their Nodes themselves.
        format!("--adopt={AGENT}"),
        format!("--listen=0.0.0.0:{PORT}"),
    ];
    deployment(installation, Program::Controller, arguments, "256Mi")
}

/// The prober, likewise.
pub(super) fn prober(installation: &Installation) -> Vec<Value> {
    let arguments = vec!["--prober".to_owned(), format!("--listen=0.0.0.0:{PORT}")];
    deployment(installation, Program::Prober, arguments, "128Mi")
}

/// The operator, likewise.
pub(super) fn operator(installation: &Installation) -> Vec<Value> {
    let settings = &installation.settings;
    let mut arguments = vec![
        format!("--registry={}", settings.registry),
        format!("--tag={}", settings.tag),
        format!("--replicas={}", settings.replicas),
    ];
    let switches = [(settings.any_node, "--any-node"), (settings.hold_upgrades, "--hold-upgrades")];
    arguments.extend(switches.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag.to_owned()));
    arguments.extend(settings.digests.iter().map(|(program, digest)| format!("--digest={}={digest}", program.name())));
    arguments.extend(settings.pull_secrets.iter().map(|secret| format!("--pull-secret={secret}")));
    arguments.push(format!("--listen=0.0.0.0:{PORT}"));
    deployment(installation, Program::Operator, arguments, "128Mi")
}

fn deployment(
    installation: &Installation,
    program: Program,
    arguments: Vec<String>,
    memory: &'static str,
) -> Vec<Value> {
    let pod = Pod {
        program,
        arguments,
        environment: vec![("POD_NAME", "metadata.name"), ("POD_NAMESPACE", "metadata.namespace")],
        host: &[],
        profile: false,
        requests: ["50m", "64Mi"],
        memory,
        placement: map(placement(&installation.settings)),
        security: json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
            "runAsUser": USER, "runAsGroup": USER, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"}}),
    };
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    let spec = json!({"replicas": installation.settings.replicas, "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600, "selector": selector(program), "strategy": strategy,
        "template": pod.template(installation)});
    let metadata = json!({"name": program.name(), "namespace": installation.settings.namespace});
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata,
        "spec": {"maxUnavailable": 1, "selector": selector(program)}});
    vec![workload(installation, "Deployment", program, spec), budget]
}

fn placement(settings: &Settings) -> Value {
    let mut placement = json!({"priorityClassName": "system-cluster-critical"});
    if !settings.any_node {
        let control_plane = json!({"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"});
        placement["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [control_plane.clone()]}]}}});
        let mut toleration = control_plane;
        toleration["effect"] = json!("NoSchedule");
        placement["tolerations"] = json!([toleration]);
    }
    placement
}

fn workload(installation: &Installation, kind: &str, program: Program, spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": program.name(), "namespace": installation.settings.namespace}, "spec": spec})
}

fn selector(program: Program) -> Value {
    json!({"matchLabels": {"app.kubernetes.io/component": program.name()}})
}

/// The profile as a file.
fn profile(installation: &Installation) -> Value {
    let object = installation.agent_profile();
    let metadata = json!({"name": configuration(installation), "namespace": installation.settings.namespace});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"profile.yaml": object.to_string()}})
}

pub(super) fn configuration(installation: &Installation) -> String {
    format!("nodebound-{}", installation.profile.name())
}

fn sum(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Pod {
    fn template(&self, installation: &Installation) -> Value {
        let mut spec = map(json!({
            "containers": [self.container(installation)], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always",
            "schedulerName": "default-scheduler", "securityContext": {}, "serviceAccount": self.program.name(),
            "serviceAccountName": self.program.name(), "terminationGracePeriodSeconds": 30,
        }));
        spec.extend(self.placement.clone());
        let secrets: Vec<Value> = installation.settings.pull_secrets.iter().map(|name| json!({"name": name})).collect();
        if !secrets.is_empty() {
            spec.insert("imagePullSecrets".to_owned(), json!(secrets));
        }
        let volumes = self.volumes(installation);
        if !volumes.is_empty() {
            spec.insert("volumes".to_owned(), json!(volumes));
        }
        let mut metadata = json!({"labels": {"app.kubernetes.io/component": self.program.name()}});
        if self.profile {
            // It is read at the start: whatever changes in it needs new pods.
            metadata["annotations"] = json!({PROFILE_SUM: sum(&installation.agent_profile().to_string())});
        }
        json!({"metadata": metadata, "spec": spec})
    }

    fn container(&self, installation: &Installation) -> Value {
        let field = |(name, path): &(&str, &str)| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
        let environment: Vec<Value> = self.environment.iter().map(field).collect();
        let [cpu, memory] = self.requests;
        let mut container = json!({
            "name": self.program.name(), "image": installation.settings.image(self.program),
            "imagePullPolicy": "IfNotPresent", "args": self.arguments, "env": environment,
            "ports": [{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}],
            "livenessProbe": probe("/healthz", 3), "readinessProbe": probe("/readyz", 3),
            "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": self.memory}},
            "securityContext": self.security, "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        });
        let mounts = self.mounts();
        if !mounts.is_empty() {
            container["volumeMounts"] = json!(mounts);
        }
        container
    }

    fn mounts(&self) -> Vec<Value> {
        let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path, "readOnly": true});
        let profile = self.profile.then(|| mount("profile", "/etc/nodebound"));
        profile.into_iter().chain(self.host.iter().map(|(name, path, _)| mount(name, path))).collect()
    }

    fn volumes(&self, installation: &Installation) -> Vec<Value> {
        let profile = self.profile.then(
            || json!({"name": "profile", "configMap": {"name": configuration(installation), "defaultMode": 0o644}}),
        );
        let host =
            self.host.iter().map(|(name, path, kind)| json!({"name": name, "hostPath": {"path": path, "type": kind}}));
        profile.into_iter().chain(host).collect()
    }
}

fn probe(path: &str, failures: u32) -> Value {
    json!({"httpGet": {"path": path, "port": "metrics", "scheme": "HTTP"}, "failureThreshold": failures,
        "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1})
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
