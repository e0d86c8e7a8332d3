//! The parts of the Helm chart that come from code: the operator's objects with its values in place of ours, definitions,
//! default values and their schema. What is written by hand lies beside them in `charts/nodebound`.

use anyhow::{Context, Result};
use manifests::install::{AGENT, Installation, Program, Settings};
use ownership::Profile;
use ownership::spec::{Liveness, LivenessSource, Mark, ServiceAccount};
use serde_json::{Map, Value, json};

use crate::generate::{File, header};

const CHART: &str = "charts/nodebound";

/// Words that no object has otherwise, and what the chart has in their place.
const PLACES: [(&str, &str); 6] = [
    ("x-namespace-x", r#"{{ include "nodebound.namespace" $ }}"#),
    ("x-profile-x", "{{ .name }}"),
    ("x-account-namespace-x", "{{ .spec.serviceAccount.namespace }}"),
    ("x-account-name-x", "{{ .spec.serviceAccount.name }}"),
    ("x-registry-x", r#"{{ trimSuffix "/" .Values.registry }}"#),
    ("x-tag-x", r#"{{ include "nodebound.tag" . }}"#),
];
const REPLICAS: u32 = 7777;
const DIGEST: &str = "sha256:x-digest-x";
const PULL_SECRET: &str = "x-pull-secret-x";

/// The generated files of the chart.
pub(crate) fn files() -> Result<Vec<File>> {
    let mut files = vec![
        text("templates/operator.yaml", &operator()?),
        text("templates/profiles.yaml", &profiles()?),
        text("Chart.yaml", &about()),
        text("values.yaml", &values()?),
        plain("values.schema.json", format!("{:#}\n", schema()?)),
    ];
    for definition in Installation::definitions(true) {
        let name = definition["spec"]["names"]["plural"].as_str().context("a definition has a plural")?.to_owned();
        files.push(text(&format!("crds/{name}.yaml"), &manifests::documents(&[definition])?));
    }
    Ok(files)
}

fn text(path: &str, text: &str) -> File {
    plain(path, format!("{}{text}", header("#")))
}

fn plain(path: &str, text: String) -> File {
    File { path: format!("{CHART}/{path}"), text }
}

fn about() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "apiVersion: v2\nname: nodebound\ntype: application\nversion: {version}\nappVersion: {version}\nkubeVersion: '>=1.28.0-0'\n\
        description: Binds node agents to the node they run on and to the metadata they own, and proves it\n"
    )
}

/// For an agent of ours, of somebody else, or of somebody else whose heartbeats are Leases.
#[derive(Clone, Copy, PartialEq)]
enum Whose {
    Ours,
    Theirs,
    TheirsByLease,
}

fn installation(whose: Whose) -> Result<Installation> {
    let account = match whose {
        Whose::Ours => ["x-namespace-x", AGENT],
        _ => ["x-account-namespace-x", "x-account-name-x"],
    };
    let mut spec = ownership::builtin::profile("kubevirt").context("the profile is built in")??.spec().clone();
    let [namespace, name] = account.map(str::to_owned);
    spec.service_account = ServiceAccount { namespace, name };
    if whose == Whose::TheirsByLease {
        let mark = Mark { label: "kubevirt.io/schedulable".to_owned(), value: "false".to_owned() };
        spec.liveness = Some(Liveness { source: LivenessSource::Lease, mark, timeout: "5m".to_owned() });
    }
    let profile = Profile::new("x-profile-x", spec).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let settings = Settings {
        namespace: "x-namespace-x".to_owned(),
        registry: "x-registry-x".to_owned(),
        tag: "x-tag-x".to_owned(),
        digests: vec![(Program::Operator, DIGEST.to_owned())],
        pull_secrets: vec![PULL_SECRET.to_owned()],
        replicas: REPLICAS,
        any_node: false,
        hold_upgrades: true,
    };
    Ok(Installation { profile, settings })
}

/// Whether there is one for each profile.
fn is_of_profile(object: &Value) -> bool {
    object.to_string().contains("x-profile-x") || object["metadata"]["name"] == ownership::guard::HEARTBEATS
}

/// What there is once. Helm makes the namespace, and installs definitions from another folder.
fn operator() -> Result<String> {
    let mut objects = installation(Whose::Theirs)?.operator();
    objects.retain(|object| {
        let apart = ["CustomResourceDefinition", "Namespace"];
        !is_of_profile(object) && !apart.iter().any(|kind| object["kind"] == *kind)
    });
    let yaml = with_values(&manifests::documents(&objects)?);
    let pull = format!("- name: {PULL_SECRET}");
    let lines: Vec<String> = yaml.lines().flat_map(|line| optional(line, &pull)).collect();
    let yaml = unless(&lines.join("\n"), "affinity:", ".Values.anyNode");
    Ok(unless(&yaml, "tolerations:", ".Values.anyNode"))
}

/// Lines that depend on values.
fn optional(line: &str, pull: &str) -> Vec<String> {
    let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
    match rest {
        _ if rest.starts_with("image: ") => vec![format!(r#"{indent}image: {{{{ include "nodebound.image" . }}}}"#)],
        "- --hold-upgrades" => Vec::new(),
        _ if rest.starts_with("- --replicas=") => vec![
            line.to_owned(),
            "{{- if .Values.anyNode }}".to_owned(),
            format!("{indent}- --any-node"),
            "{{- end }}".to_owned(),
            "{{- if .Values.holdUpgrades }}".to_owned(),
            format!("{indent}- --hold-upgrades"),
            "{{- end }}".to_owned(),
        ],
        _ if rest.starts_with("- --digest=") => vec![
            "{{- range $program, $digest := .Values.digests }}".to_owned(),
            "{{- with $digest }}".to_owned(),
            format!("{indent}- --digest=nodebound-{{{{ $program }}}}={{{{ . }}}}"),
            "{{- end }}".to_owned(),
            "{{- end }}".to_owned(),
        ],
        _ if rest.starts_with("- --pull-secret=") => vec![
            "{{- range .Values.pullSecrets }}".to_owned(),
            format!("{indent}- --pull-secret={{{{ . }}}}"),
            "{{- end }}".to_owned(),
        ],
        "imagePullSecrets:" => vec!["{{- with .Values.pullSecrets }}".to_owned(), line.to_owned()],
        _ if rest == pull => vec![
            "{{- range . }}".to_owned(),
            format!("{indent}- name: {{{{ . }}}}"),
            "{{- end }}".to_owned(),
            "{{- end }}".to_owned(),
        ],
        _ => vec![line.to_owned()],
    }
}

/// The field with everything below it, only where a value is not set.
fn unless(yaml: &str, field: &str, value: &str) -> String {
    let mut lines = Vec::new();
    let mut within: Option<usize> = None;
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start().len();
        let goes_on = |start: usize| indent > start || (indent == start && line.trim_start().starts_with("- "));
        if within.is_some_and(|start| !goes_on(start)) {
            lines.push("{{- end }}".to_owned());
            within = None;
        }
        if line.trim() == field {
            lines.push(format!("{{{{- if not {value} }}}}"));
            within = Some(indent);
        }
        lines.push(line.to_owned());
    }
    if within.is_some() {
        lines.push("{{- end }}".to_owned());
    }
    lines.join("\n") + "\n"
}

/// Whether the account of a profile is that of our agents.
const OURS: &str = r#"if and (eq .spec.serviceAccount.name "nodebound-agent") (eq .spec.serviceAccount.namespace (include "nodebound.namespace" $))"#;

/// The profiles, and for each what the operator may do.
fn profiles() -> Result<String> {
    let mut yaml = "{{- range .Values.profiles }}\n".to_owned();
    let conditions = [
        (Whose::Ours, OURS),
        (Whose::TheirsByLease, r#"else if eq (dig "liveness" "source" "" .spec) "Lease""#),
        (Whose::Theirs, "else"),
    ];
    for (whose, condition) in conditions {
        let mut objects = installation(whose)?.operator();
        objects.retain(is_of_profile);
        yaml.push_str(&format!("{{{{- {condition} }}}}\n{}", with_values(&manifests::documents(&objects)?)));
    }
    yaml.push_str(
        "{{- end }}\n---\napiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata:\n  name: {{ .name }}\n",
    );
    yaml.push_str("spec:\n  {{- toYaml .spec | nindent 2 }}\n{{- end }}\n");
    Ok(yaml)
}

/// The verbs with which upgrades are held back; what holds them back may always be found and removed.
const HOLD: [&str; 2] = [
    "- validatingwebhookconfigurations\n  verbs:\n  - get\n  - create\n  - update\n  - patch\n  - delete\n",
    "- validatingwebhookconfigurations\n  verbs:\n  - get\n{{- if $.Values.holdUpgrades }}\n  - create\n  - update\n  - patch\n{{- end }}\n  - delete\n",
];

fn with_values(yaml: &str) -> String {
    let yaml = yaml.replace(HOLD[0], HOLD[1]);
    let yaml = PLACES.iter().fold(yaml, |yaml, (word, place)| yaml.replace(word, place));
    yaml.replace(&REPLICAS.to_string(), "{{ .Values.replicas }}")
}

fn values() -> Result<String> {
    let profile = ownership::builtin::profile("kubevirt").context("the profile is built in")??;
    let profiles = json!({"profiles": [{"name": profile.name(), "spec": profile.spec()}]});
    let profiles = manifests::documents(&[profiles])?;
    Ok(format!(
        "# Where images come from, for clusters without a way out too.\nregistry: ghcr.io/nodebound\n\
        # Their tag; if empty, that of this version.\ntag: ''\n\
        # Their digests in place of the tag: sha256:…\ndigests:\n  agent: ''\n  controller: ''\n  operator: ''\n\
        # Secrets with which they are pulled.\npullSecrets: []\n\
        # How many operators and controllers there are, of which one each leads.\nreplicas: 2\n\
        # Whether they run on any node: where the control plane takes no pods.\nanyNode: false\n\
        # Whether KubeVirt is kept at its version while the guard of a Strict profile cannot be had.\nholdUpgrades: false\n\
        # The namespace, if not that of the release.\nnamespaceOverride: ''\n\
        # For the Prometheus operator and Grafana.\nmetrics:\n  serviceMonitor:\n    enabled: false\n    labels: {{}}\n  \
        prometheusRule:\n    enabled: false\n    labels: {{}}\n  dashboard:\n    enabled: false\n    labels:\n      grafana_dashboard: '1'\n\
        # For OpenShift: what agents of ours read of their hosts.\nopenshift:\n  scc: false\n\
        # The agents, and what they own: AgentProfiles. One whose account is nodebound-agent in the namespace of the release is\n\
        # one of ours, and installed too. Begin with `actions: [Audit]` to see what would be refused.\n{}",
        profiles.trim_start_matches("---\n")
    ))
}

/// What values may be; profiles as the cluster's definition has them.
fn schema() -> Result<Value> {
    let definition = Installation::definitions(false).into_iter().next().context("there is a definition")?;
    let mut spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
    plainly(&mut spec);
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let digest = json!({"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"});
    let extra = |more: &[(&str, Value)]| {
        let mut properties = Map::from_iter([("enabled".to_owned(), json!({"type": "boolean"}))]);
        properties.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        closed(Value::Object(properties))
    };
    let labelled = extra(&[("labels", strings)]);
    let mut profile = closed(json!({"name": {"type": "string", "maxLength": 52}, "spec": spec}));
    profile["required"] = json!(["name", "spec"]);
    let metrics = json!({"serviceMonitor": labelled, "prometheusRule": labelled, "dashboard": labelled});
    let mut schema = closed(json!({
        "registry": {"type": "string", "minLength": 1}, "tag": {"type": "string"},
        "digests": closed(json!({"agent": digest, "controller": digest, "operator": digest})),
        "pullSecrets": {"type": "array", "items": {"type": "string"}},
        "replicas": {"type": "integer", "minimum": 1}, "anyNode": {"type": "boolean"}, "holdUpgrades": {"type": "boolean"},
        "namespaceOverride": {"type": "string", "maxLength": 63}, "metrics": closed(metrics),
        "openshift": closed(json!({"scc": {"type": "boolean"}})), "global": {"type": "object"},
        "profiles": {"type": "array", "items": profile},
    }));
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    Ok(schema)
}

/// An object with these fields and no other.
fn closed(properties: Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

/// Without what only an API server understands.
fn plainly(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.retain(|field, _| !field.starts_with("x-kubernetes-") && field != "nullable" && field != "format");
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            fields.values_mut().for_each(plainly);
        }
        Value::Array(list) => list.iter_mut().for_each(plainly),
        _ => {}
    }
}
