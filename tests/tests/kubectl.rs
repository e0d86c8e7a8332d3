//! The real kubectl against the sandbox: command lines, in their order, and what they print.
//!
//! It runs where a kubectl of at least 1.31 is on the PATH; elsewhere it says so and is ignored.
#![expect(clippy::panic, clippy::print_stderr, reason = "a test fails by panicking, and says why it is ignored")]

use libtest_mimic::{Arguments, Failed, Trial};
use sandbox::Settings;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use tempfile::TempDir;
use tests::reach::Served;
use tests::server::{Place, Server, suite};

/// The oldest kubectl that is understood, by its minor version.
const OLDEST: u64 = 31;

/// Arguments, the exit code, and parts of what is printed.
type Line<'l> = (&'l str, i32, &'l [&'l str]);

/// The words in braces are files.
const LINES: &[Line<'_>] = &[
    ("version", 0, &["Server Version: v1.36"]),
    ("get nodes -o wide", 0, &["NAME", "INTERNAL-IP", "n1", "n2"]),
    ("get nodes -o name", 0, &["node/n1\nnode/n2\n"]),
    ("get nodes -o jsonpath={.items[*].metadata.name}", 0, &["n1 n2"]),
    ("label node n1 team=x", 0, &["node/n1 labeled"]),
    ("get nodes -l team=x -o name", 0, &["node/n1\n"]),
    ("annotate node n1 note=y", 0, &["node/n1 annotated"]),
    ("cordon n1", 0, &["node/n1 cordoned"]),
    ("get nodes --field-selector spec.unschedulable=true -o name", 0, &["node/n1\n"]),
    ("taint node n2 a=b:NoSchedule", 0, &["node/n2 tainted"]),
    ("patch node n1 --type=merge -p {\"metadata\":{\"labels\":{\"m\":\"1\"}}}", 0, &["node/n1 patched"]),
    ("patch node n1 --type=json -p [{\"op\":\"remove\",\"path\":\"/metadata/labels/m\"}]", 0, &["node/n1 patched"]),
    ("patch node n1 -p {\"spec\":{\"unschedulable\":null}}", 0, &["node/n1 patched"]),
    ("apply -f {crd}", 0, &["customresourcedefinition.apiextensions.k8s.io/widgets.example.com created"]),
    ("wait --for=condition=Established crd/widgets.example.com --timeout=10s", 0, &["condition met"]),
    ("apply -f {object}", 0, &["widget.example.com/w created"]),
    ("apply -f {object}", 0, &["widget.example.com/w unchanged"]),
    ("diff -f {object}", 0, &[]),
    ("get widgets", 0, &["NAME", "SIZE", "w      3"]),
    ("explain widgets.spec.size", 0, &["FIELD: size <integer>", "How large it is."]),
    ("apply --server-side -f {map}", 0, &["configmap/m serverside-applied"]),
    ("get configmap m -o jsonpath={.data.k}", 0, &["v"]),
    ("apply -f {list}", 0, &["configmap/l created", "serviceaccount/l created"]),
    ("apply -f {misspelt}", 1, &["unknown field \"date\" in io.k8s.api.core.v1.ConfigMap"]),
    (
        "apply -f {several}",
        0,
        &["configmap/first created\nserviceaccount/second created\nwidget.example.com/third created\n"],
    ),
    (
        "apply -f {several}",
        0,
        &["configmap/first unchanged\nserviceaccount/second unchanged\nwidget.example.com/third unchanged\n"],
    ),
    ("create serviceaccount agent", 0, &["serviceaccount/agent created"]),
    ("create token agent", 0, &["ey"]),
    (
        "create clusterrole reader --verb=get --resource=nodes",
        0,
        &["clusterrole.rbac.authorization.k8s.io/reader created"],
    ),
    (
        "create clusterrolebinding reader --clusterrole=reader --serviceaccount=default:agent",
        0,
        &["clusterrolebinding.rbac.authorization.k8s.io/reader created"],
    ),
    ("auth whoami", 0, &["kubernetes-admin", "system:masters"]),
    ("auth can-i delete nodes", 0, &["yes"]),
    ("auth can-i get nodes --as=system:serviceaccount:default:agent", 0, &["yes"]),
    ("auth can-i delete nodes --as=system:serviceaccount:default:agent", 1, &["no"]),
    (
        "label node n1 stolen=1 --as=system:serviceaccount:default:agent",
        1,
        &[
            "User \"system:serviceaccount:default:agent\" cannot patch resource \"nodes\" in API group \"\" at the cluster scope",
        ],
    ),
    ("explain node.spec.taints", 0, &["KIND:", "Node", "FIELD: taints <[]Taint>"]),
    ("api-resources --api-group=example.com", 0, &["widgets", "Widget"]),
    ("get nope", 1, &["the server doesn't have a resource type \"nope\""]),
    ("get node none", 1, &["Error from server (NotFound): nodes \"none\" not found"]),
    ("delete widget w", 0, &["widget.example.com \"w\" deleted"]),
    ("delete node n2", 0, &["node \"n2\" deleted"]),
];

const SEVERAL: &str = "\
# Comments and empty documents are skipped.
---
apiVersion: v1
kind: ConfigMap
metadata: {name: first}
data: {k: v}
---
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: second}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: third}
spec: {size: 3}
";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let minor = minor_version();
    let usable = minor.is_some_and(|minor| minor >= OLDEST);
    if !usable {
        eprintln!("no kubectl of 1.{OLDEST} or later is on the PATH: its tests are ignored");
    }
    let mut trials = vec![Trial::test("kubectl on the sandbox", || session().map_err(Failed::from))];
    trials.extend(suite::files().into_iter().map(of_suite));
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(!usable)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A suite whose policies kubectl has applied.
fn of_suite(file: PathBuf) -> Trial {
    let name = format!("kubectl applies the policies of suite {}", file.file_stem().unwrap_or_default().display());
    Trial::test(name, move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        runtime.block_on(applied(&file)).map(drop).map_err(Failed::from)
    })
}

async fn applied(file: &Path) -> Result<usize, String> {
    let server = Server::start(&Place::Sandbox).await;
    let served = Served::over(server.sandbox().expect("it is a sandbox").clone()).await;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let install = async |policies: Vec<Value>| {
        let created: Vec<String> = policies.iter().map(created).collect();
        write(&folder, "config", &served.kubeconfig.to_string());
        write(&folder, "object", &json!({"apiVersion": "v1", "kind": "List", "items": policies}).to_string());
        let parts: Vec<&str> = created.iter().map(String::as_str).collect();
        run(folder.path(), &("apply -f {object}", 0, &parts)).unwrap_or_else(|error| panic!("{error}"));
    };
    suite::run_on(&server, file, install).await
}

/// What kubectl says of an object that it has created.
fn created(policy: &Value) -> String {
    let kind = policy["kind"].as_str().unwrap_or_default().to_lowercase();
    format!("{kind}.admissionregistration.k8s.io/{} created\n", policy["metadata"]["name"].as_str().unwrap_or_default())
}

fn minor_version() -> Option<u64> {
    let output = Command::new("kubectl").args(["version", "--client", "-o", "json"]).output().ok()?;
    let version: Value = serde_json::from_slice(&output.stdout).ok()?;
    version["clientVersion"]["minor"].as_str()?.trim_end_matches('+').parse().ok()
}

fn session() -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let served = runtime.block_on(Served::start(Settings::default()));
    for name in ["n1", "n2"] {
        served.sandbox.plant(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}}));
    }
    write(&folder, "config", &served.kubeconfig.to_string());
    for (name, object) in [
        ("crd", definition()),
        ("object", widget()),
        ("map", map()),
        ("list", list("data")),
        ("misspelt", list("date")),
    ] {
        write(&folder, name, &object.to_string());
    }
    write(&folder, "several", SEVERAL);
    let watched = watched(folder.path());
    let lines = LINES.iter().map(|line| run(folder.path(), line));
    let wrong: Vec<String> = [watched].into_iter().chain(lines).filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn write(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(format!("{name}.json"));
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn kubectl(folder: &Path, line: &str) -> Command {
    let file = |name: &str| folder.join(format!("{name}.json")).display().to_string();
    let words = line.split(' ').map(|word| match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
        Some(name @ ("crd" | "object" | "map" | "list" | "misspelt" | "several")) => file(name),
        _ => word.to_owned(),
    });
    let mut command = Command::new("kubectl");
    command.args(["--kubeconfig", &file("config"), "--cache-dir", &file("cache")]).args(words).env("HOME", folder);
    command
}

fn run(folder: &Path, (line, code, parts): &Line<'_>) -> Result<(), String> {
    let output = kubectl(folder, line).output().expect("kubectl is on the PATH");
    let text = printed(&output);
    let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
    if output.status.code() == Some(*code) && missing.is_empty() {
        return Ok(());
    }
    Err(format!("kubectl {line}: {:?}, expected {code}; missing {missing:?} in:\n{text}", output.status.code()))
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What is there is told first, and then what becomes of it.
fn watched(folder: &Path) -> Result<(), String> {
    let watch = "get node n1 -w --no-headers -o jsonpath={.metadata.labels.color}; --request-timeout=60s";
    let mut watch = kubectl(folder, watch).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut told = BufReader::new(watch.stdout.take().ok_or("there is no output")?).split(b';').map_while(Result::ok);
    let first = told.next();
    let labelled = run(folder, &("label node n1 color=red", 0, &["node/n1 labeled"]));
    let told = (first, labelled.is_ok().then(|| told.next()).flatten());
    watch.kill().and_then(|()| watch.wait()).map_err(|error| error.to_string())?;
    labelled?;
    if told == (Some(Vec::new()), Some(b"red".to_vec())) { Ok(()) } else { Err(format!("get -w: {told:?}")) }
}

fn definition() -> Value {
    let size = json!({"type": "integer", "description": "How large it is."});
    let spec = json!({"type": "object", "properties": {"size": size}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
            }],
        },
    })
}

fn widget() -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}})
}

fn map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"k": "v"}})
}

/// kubectl validates the objects of a list by itself.
fn list(field: &str) -> Value {
    let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "l"}});
    map[field] = json!({"k": "v"});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "l"}});
    json!({"apiVersion": "v1", "kind": "List", "items": [map, account]})
}
