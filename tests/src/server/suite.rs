//! Runs the cases of a suite against an API server: the guard is installed, seen to refuse, and then asked once a case.

use api::cases::{Case, Change, Denied, Expectation, Failed, Identity, Layer, Operation, PatchType, Resolved, Suite};
use http::Request;
use http::request::Builder;
use ownership::guard::{Guard, Message};
use ownership::identity::NODE_UID;
use ownership::{Profile, builtin, parse};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Answer, Place, Server, crds};

const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

/// The suites of the project.
///
/// # Panics
/// If their folder cannot be read.
#[must_use]
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// Runs a suite on a server of its own.
///
/// # Errors
/// Each case that came out otherwise than expected, a line each.
///
/// # Panics
/// If the suite cannot be read, or the server refuses its setting.
pub async fn run(place: &Place, file: &Path) -> Result<usize, String> {
    let server = Server::start(place).await;
    let install = async |policies: Vec<Value>| {
        for policy in policies {
            let plural = match policy["kind"].as_str() {
                Some("ValidatingAdmissionPolicy") => "validatingadmissionpolicies",
                _ => "validatingadmissionpolicybindings",
            };
            server.create(&format!("{ADMISSION}/{plural}"), &policy).await;
        }
    };
    run_on(&server, file, install).await
}

/// Runs a suite on a server, after its policies and their bindings are installed there.
///
/// # Errors
/// Each case that came out otherwise than expected, a line each.
///
/// # Panics
/// If the suite cannot be read, or the server refuses its setting.
pub async fn run_on(server: &Server, file: &Path, install: impl AsyncFnOnce(Vec<Value>)) -> Result<usize, String> {
    let text = std::fs::read_to_string(file).expect("a suite can be read");
    let suite = api::cases::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let folder = file.parent().expect("a file is in a folder");
    let run = Run { server, profile: profile(&suite, folder), suite: &suite };
    run.prepare().await;
    install(run.policies(folder)).await;
    let here: Vec<&Case> = suite.cases.iter().filter(|case| runs(server, case)).collect();
    run.wait_until_in_force(&here).await;
    let mut failed = Vec::new();
    for case in &here {
        failed.extend(run.case(case).await.err().map(|error| format!("{}: {error}", case.name)));
    }
    if failed.is_empty() { Ok(here.len()) } else { Err(failed.join("\n")) }
}

/// What no API server can be asked, the sandbox cannot be asked either.
fn runs(server: &Server, case: &Case) -> bool {
    case.not_run.server.is_none() && (server.sandbox().is_none() || case.not_run.sandbox.is_none())
}

fn profile(suite: &Suite, folder: &Path) -> Option<Profile> {
    let name = suite.profile.as_ref()?;
    if let Some(profile) = builtin::profile(name) {
        return Some(profile.expect("the built-in profiles are valid"));
    }
    let text = std::fs::read_to_string(folder.join(name)).expect("a profile can be read");
    Some(parse::profile(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

struct Run<'a> {
    server: &'a Server,
    suite: &'a Suite,
    profile: Option<Profile>,
}

impl Run<'_> {
    /// The guards of the profile, and the policies of the files that the suite names.
    fn policies(&self, folder: &Path) -> Vec<Value> {
        let guards = self.profile.iter().flat_map(manifests::guards);
        let files = self.suite.policies.iter().flat_map(|file| documents(&folder.join(file)));
        guards.flat_map(|guard| guard.objects()).chain(files).collect()
    }

    async fn prepare(&self) {
        for crd in crds() {
            self.server.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &crd).await;
        }
        for namespace in self.namespaces() {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            let answer = self.server.exchange().post("/api/v1/namespaces", &object).await;
            assert!(answer.is_success() || answer.code == 409, "{namespace}: {answer:?}");
        }
        for crd in crds() {
            let (group, version) = (&crd["spec"]["group"], &crd["spec"]["versions"][0]["name"]);
            let plural = &crd["spec"]["names"]["plural"];
            let path = format!("/apis/{}/{}/{}", text(group), text(version), text(plural));
            let served = async || self.server.exchange().get(&path).await.code == 200;
            assert!(self.server.poll(Duration::from_secs(30), served).await, "{path} is not served");
        }
    }

    fn namespaces(&self) -> BTreeSet<String> {
        let resolved = self.suite.cases.iter().filter_map(|case| self.suite.resolve(case).ok());
        resolved.map(|resolved| resolved.namespace).filter(|name| !name.is_empty() && name != "default").collect()
    }

    /// A policy is in force some time after its creation. The first case that each policy must refuse is asked until it
    /// is refused by that policy.
    async fn wait_until_in_force(&self, cases: &[&Case]) {
        let mut seen = BTreeSet::new();
        for case in cases {
            let policy = match &case.expect {
                Expectation::Deny(denied) => denied.policy.as_ref(),
                Expectation::Error(failed) => failed.policy.as_ref(),
                Expectation::Allow | Expectation::NotMatched => None,
            };
            let Some(policy) = policy else { continue };
            if seen.insert(policy.clone()) {
                let refused = async || self.case(case).await.is_ok();
                let in_force = self.server.poll(Duration::from_secs(20), refused).await;
                assert!(in_force, "{policy} is not in force: {:?}", self.case(case).await);
            }
        }
    }

    /// Creates the old object, makes the request as the user in a dry run, and takes the object away again.
    async fn case(&self, case: &Case) -> Result<(), String> {
        let mut resolved = self.suite.resolve(case)?;
        let path = Location::of(&resolved);
        let stored = match &resolved.old {
            Some(old) => Some(self.store(&path, old).await),
            None => None,
        };
        if let Some(stored) = &stored {
            adopt_identity(&mut resolved, stored);
        }
        let answer = self.ask(&path, &resolved, stored.as_ref()).await;
        if stored.is_some() {
            self.remove(&path).await;
        }
        self.compare(&case.expect, &answer)
    }

    async fn remove(&self, path: &Location) {
        let unhold = Request::patch(&path.object).header("Content-Type", "application/merge-patch+json");
        let finalizers = json!({"metadata": {"finalizers": null}});
        for (builder, body) in [(unhold, Some(&finalizers)), (Request::delete(&path.object), None)] {
            let answer = self.server.exchange().send(None, builder, body).await;
            assert!(answer.is_success(), "{}: {answer:?}", path.object);
        }
    }

    async fn store(&self, path: &Location, object: &Value) -> Value {
        let stored = self.server.create(&path.collection, object).await;
        let Some(status) = object.get("status").filter(|_| path.has_status) else { return stored };
        let mut with_status = stored.clone();
        with_status["status"] = status.clone();
        let builder = Request::put(format!("{}/status", path.object)).header("Content-Type", "application/json");
        let answer = self.server.exchange().send(None, builder, Some(&with_status)).await;
        assert!(answer.is_success(), "{}: {answer:?}", path.object);
        answer.body
    }

    async fn ask(&self, path: &Location, resolved: &Resolved, stored: Option<&Value>) -> Answer {
        let who: &Identity = &resolved.user;
        let (builder, body) = request(path, resolved, stored);
        self.server.exchange().send(Some(who), builder, body.as_ref()).await
    }

    fn compare(&self, expected: &Expectation, answer: &Answer) -> Result<(), String> {
        let differs = || Err(format!("expected {expected:?}, the answer is {} {}", answer.code, answer.message()));
        let holds = match expected {
            Expectation::Allow | Expectation::NotMatched => answer.is_success(),
            Expectation::Deny(denied) => self.is_denied(denied, answer),
            Expectation::Error(failed) => is_error(failed, answer),
        };
        if holds { Ok(()) } else { differs() }
    }

    fn is_denied(&self, denied: &Denied, answer: &Answer) -> bool {
        let Some((policy, message)) = refusal(answer.message()) else { return false };
        let guard = self.guard(policy);
        let layer = if guard.is_some() { Layer::Guard } else { Layer::Policy };
        if layer != denied.layer || denied.policy.as_deref().is_some_and(|expected| expected != policy) {
            // Which of several refusing policies reports is arbitrary.
            return !denied.alone && self.suite.policies.len() + usize::from(self.profile.is_some()) > 1;
        }
        let whole = denied.message.as_deref().is_none_or(|expected| expected == message);
        let ours = guard.is_none_or(|guard| self.is_ours(guard, message, denied));
        answer.code == 403 && answer.body["reason"] == "Forbidden" && whole && ours
    }

    /// Our guard of that name.
    fn guard(&self, policy: &str) -> Option<Guard> {
        let profile = self.profile.as_ref()?.name();
        let guards = [Guard::Nodes, Guard::Resources, Guard::ShadowNodes, Guard::Leases, Guard::NodeFeatures];
        guards.into_iter().find(|guard| guard.policy_name(profile) == policy)
    }

    /// Whether a message is what our guard says for the expected rule, to the letter but for the order of keys.
    fn is_ours(&self, guard: Guard, message: &str, denied: &Denied) -> bool {
        let Some(parsed) = Message::parse(message) else { return false };
        let bare = ownership::guard::bare_message(&parsed.profile, guard, parsed.rule);
        let listed = message.strip_prefix(&bare).is_some_and(|rest| rest.is_empty() || rest.starts_with(": "));
        let rule = denied.rule.as_deref().is_none_or(|rule| rule == parsed.rule.as_str());
        rule && listed && denied.keys.as_ref().is_none_or(|keys| *keys == parsed.keys)
    }
}

fn is_error(failed: &Failed, answer: &Answer) -> bool {
    let Some((policy, message)) = refusal(answer.message()) else { return false };
    let part = failed.message.as_deref().is_none_or(|part| message.contains(part));
    let named = failed.policy.as_deref().is_none_or(|expected| expected == policy);
    (answer.code == 422 && part && named) || (!failed.alone && !named)
}

/// The policy and its message in `… ValidatingAdmissionPolicy 'p' with binding 'b' denied request: message`.
fn refusal(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("ValidatingAdmissionPolicy '")?;
    let (policy, rest) = rest.split_once('\'')?;
    let (_, message) = rest.split_once("denied request: ")?;
    Some((policy, message))
}

/// Where an object is served.
struct Location {
    collection: String,
    object: String,
    has_status: bool,
}

impl Location {
    fn of(resolved: &Resolved) -> Self {
        let resource = &resolved.resource;
        let root = match resource.group.as_str() {
            "" => format!("/api/{}", resource.version),
            group => format!("/apis/{group}/{}", resource.version),
        };
        let collection = match resolved.namespace.as_str() {
            "" => format!("{root}/{}", resource.resource),
            namespace => format!("{root}/namespaces/{namespace}/{}", resource.resource),
        };
        let object = format!("{collection}/{}", resolved.name);
        let has_status = matches!(resource.resource.as_str(), "nodes" | "virtualmachinebackuptrackers");
        Self { collection, object, has_status }
    }
}

/// The server gives every object a UID of its own; whoever claimed the one in the suite claims that.
fn adopt_identity(resolved: &mut Resolved, stored: &Value) {
    let (Some(old), new) = (&resolved.old, &stored["metadata"]["uid"]) else { return };
    let known = old["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    if let Some(values) = resolved.user.extra.get_mut(NODE_UID) {
        values.iter_mut().filter(|value| **value == known && !known.is_empty()).for_each(|v| text(new).clone_into(v));
    }
    if let Change::Object(object) = &mut resolved.change
        && object["metadata"]["uid"].as_str() == Some(known.as_str())
    {
        object["metadata"]["uid"] = new.clone();
    }
}

fn request(path: &Location, resolved: &Resolved, stored: Option<&Value>) -> (Builder, Option<Value>) {
    let subresource = match resolved.subresource.as_str() {
        "" => String::new(),
        name => format!("/{name}"),
    };
    let object = format!("{}{subresource}?dryRun=All&fieldManager=suite", path.object);
    match (&resolved.change, resolved.operation) {
        (_, Operation::Connect) => (Request::get(format!("{}{subresource}", path.object)), None),
        (Change::Nothing, _) => (Request::delete(object), None),
        (Change::Object(new), Operation::Create) => {
            (json_body(Request::post(format!("{}?dryRun=All", path.collection))), Some(new.clone()))
        }
        (Change::Object(new), _) => (json_body(Request::put(object)), Some(with_version(new, stored))),
        (Change::Patch(patch), _) => {
            let forced = if patch.patch_type == PatchType::Apply { format!("{object}&force=true") } else { object };
            let builder = Request::patch(forced).header("Content-Type", patch.patch_type.media_type());
            (builder, Some(patch.body.clone()))
        }
    }
}

fn json_body(builder: Builder) -> Builder {
    builder.header("Content-Type", "application/json")
}

/// A replacement names the version that it replaces.
fn with_version(new: &Value, stored: Option<&Value>) -> Value {
    let mut new = new.clone();
    if let Some(stored) = stored {
        new["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
    }
    new
}

fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
