//! The Helm chart, rendered by helm where there is one: the operator's objects are those of `nodebound install`, whatever the
//! values say, and values that make no sense are refused.
#![expect(clippy::panic, clippy::print_stderr, reason = "a test fails by panicking, and says why it is ignored")]

use libtest_mimic::{Arguments, Trial};
use manifests::install::{AGENT, Installation, Program, Settings};
use ownership::Profile;
use ownership::spec::{Channel, ServiceAccount};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let has_helm = Command::new("helm").arg("version").output().is_ok_and(|output| output.status.success());
    if !has_helm {
        eprintln!("there is no helm on the PATH: the tests that render the chart are ignored");
    }
    let rendering: [(&str, fn()); 4] = [
        ("the chart is as helm wants it", lint),
        ("what is rendered is what the tool installs", as_installed),
        ("values that make no sense are refused", nonsense),
        ("everything that can be asked for is there", everything),
    ];
    let rendering = rendering.map(|(name, test)| trial(name, test).with_ignored_flag(!has_helm));
    let trials = rendering.into_iter().chain([trial("rules and dashboard speak of metrics that there are", metrics)]);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn helm(arguments: &[&str]) -> Output {
    Command::new("helm").args(arguments).current_dir(root()).output().expect("helm can be run")
}

fn template(values: &Value) -> Result<Vec<Value>, String> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values.to_string()).expect("a file can be written");
    let file = file.display().to_string();
    let output =
        helm(&["template", "nodebound", "charts/nodebound", "--namespace", "nodebound-system", "--values", &file]);
    let text = |bytes| String::from_utf8(bytes).expect("helm writes text");
    if !output.status.success() {
        return Err(text(output.stderr));
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text(output.stdout)).expect("is YAML");
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// By kind, namespace and name.
fn named(objects: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let name = |object: &Value| {
        format!("{} {} {}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"])
    };
    objects.into_iter().map(|object| (name(&object), object)).collect()
}

fn lint() {
    let output = helm(&["lint", "--strict", "charts/nodebound"]);
    assert!(output.status.success(), "{output:?}");
}

fn builtin() -> Profile {
    ownership::builtin::profile("kubevirt").expect("is built in").expect("is valid")
}

fn of_ours(namespace: &str) -> Profile {
    let mut spec = builtin().spec().clone();
    (spec.channel, spec.service_account) =
        (Channel::ShadowNode, ServiceAccount { namespace: namespace.to_owned(), name: AGENT.to_owned() });
    Profile::new("mine", spec).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn as_installed() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let settings = Settings {
        namespace: "elsewhere".to_owned(),
        registry: "registry.example/mirror".to_owned(),
        tag: "v9.9.9".to_owned(),
        digests: vec![(Program::Agent, digest.clone()), (Program::Operator, digest.clone())],
        pull_secrets: vec!["one".to_owned(), "two".to_owned()],
        replicas: 3,
        any_node: true,
        hold_upgrades: true,
    };
    let values = json!({"registry": "registry.example/mirror/", "tag": "v9.9.9", "replicas": 3, "anyNode": true, "holdUpgrades": true,
        "digests": {"agent": digest, "operator": digest}, "pullSecrets": ["one", "two"], "namespaceOverride": "elsewhere"});
    for (profile, settings, mut values) in [
        (builtin(), Settings::default(), json!({})),
        (of_ours("nodebound-system"), Settings::default(), json!({})),
        (of_ours("elsewhere"), settings.clone(), values.clone()),
        (builtin(), settings, values),
    ] {
        values["profiles"] = json!([{"name": profile.name(), "spec": profile.spec()}]);
        let installation = Installation { profile, settings };
        let rendered = named(template(&values).unwrap_or_else(|error| panic!("{error}")));
        // Helm makes the one, and installs the others before.
        let apart = |object: &Value| {
            object["kind"] == "CustomResourceDefinition"
                || object["metadata"]["name"] == *installation.settings.namespace
        };
        let expected = installation.operator().into_iter().filter(|object| !apart(object));
        let expected = named(expected.chain([installation.agent_profile()]));
        assert_eq!(rendered.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, object) in &expected {
            assert_eq!(&rendered[name], object, "{name}");
        }
    }
}

fn nonsense() {
    let spec = json!(builtin().spec());
    let with = |field: &str, value: Value| {
        let mut spec = spec.clone();
        spec[field] = value;
        json!({"profiles": [{"name": "p", "spec": spec}]})
    };
    for (values, said) in [
        (json!({"registri": "x"}), "registri"),
        (json!({"replicas": 0}), "replicas"),
        (json!({"digests": {"agent": "sha256:short"}}), "digests"),
        (json!({"metrics": {"serviceMonitor": {"enabled": "yes"}}}), "serviceMonitor"),
        (json!({"profiles": [{"name": "p"}]}), "spec"),
        (with("chanel", json!("Direct")), "chanel"),
        (with("channel", json!("Pigeon")), "channel"),
    ] {
        let Err(error) = template(&values) else { panic!("{values} is taken") };
        assert!(error.contains(said), "{said}: {error}");
    }
}

fn everything() {
    let on = json!({"enabled": true, "labels": {"release": "mine"}});
    let values =
        json!({"metrics": {"serviceMonitor": on, "prometheusRule": on, "dashboard": on}, "openshift": {"scc": true}});
    let rendered = named(template(&values).unwrap_or_else(|error| panic!("{error}")));
    let kinds: BTreeSet<&str> = rendered.values().filter_map(|object| object["kind"].as_str()).collect();
    for kind in ["ServiceMonitor", "PrometheusRule", "ConfigMap", "SecurityContextConstraints", "Service"] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    let of = |kind: &str| rendered.values().find(|object| object["kind"] == kind).expect("is there");
    assert_eq!(of("ServiceMonitor")["metadata"]["labels"]["release"], "mine");
    assert_eq!(
        of("SecurityContextConstraints")["users"],
        json!(["system:serviceaccount:nodebound-system:nodebound-agent"])
    );
    let rules = of("PrometheusRule").pointer("/spec/groups/0/rules").and_then(Value::as_array).expect("has rules");
    assert!(rules.len() > 4 && rules.iter().all(|rule| rule["expr"].is_string()));
    let dashboard = of("ConfigMap").pointer("/data/nodebound.json").and_then(Value::as_str).expect("has a dashboard");
    assert!(serde_json::from_str::<Value>(dashboard).is_ok_and(|dashboard| dashboard["title"] == "nodebound"));
}

/// Each name is registered by its program: with its prefix, and what the format adds.
fn metrics() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("is there");
    let text = ["rules.yaml", "dashboard.json"].map(|file| read(&format!("charts/nodebound/files/{file}"))).concat();
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let names: BTreeSet<&str> = words.filter(|word| word.starts_with("nodebound_")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let [program, rest] = name.splitn(3, '_').skip(1).collect::<Vec<_>>()[..] else { panic!("{name}") };
        let registered = ["_bucket", "_seconds", "_total"]
            .into_iter()
            .fold(rest, |name, end| name.strip_suffix(end).unwrap_or(name));
        let source = match program {
            "prober" => read("bins/nodebound-operator/src/prober.rs"),
            _ => read(&format!("bins/nodebound-{program}/src/telemetry.rs")),
        };
        assert!(source.contains(&format!("\"{registered}\"")), "{name}: nodebound-{program} has no {registered}");
    }
}
