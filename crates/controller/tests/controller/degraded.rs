//! What is missing, broken or taken away while the controller runs: it is named, what stands stays, and nothing is widened.

use channels::{Backoff, Cause, Refuser};
use controller::report::{About, Kind};
use controller::{Report, profiles};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::discovery::ApiResource;
use ownership::Profile;
use sandbox::adversity::{Effect, Matches, Rule, When};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

use crate::stage::{Running, Stage, pass, trouble};

const X: &str = "kubevirt.io/x";

async fn copied() -> (Stage, Running) {
    let stage = Stage::new().await;
    stage.register("n").await;
    let controller = stage.controller(true);
    pass(10).await;
    stage.shadow("n", json!({"labels": {X: "1"}})).await;
    pass(2).await;
    (stage, controller)
}

fn blind(controller: &Running) -> Vec<(Kind, Cause)> {
    let reports = controller.reports().into_iter();
    let blind = reports.filter_map(|report| match report {
        Report::Blind { kind, cause, .. } => Some((kind, cause)),
        _ => None,
    });
    blind.collect()
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_goes_and_comes_again_is_named_and_nothing_is_lost() {
    let (stage, controller) = copied().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(stage.admin.clone());
    definitions.delete("shadownodes.nodebound.io", &DeleteParams::default()).await.unwrap();
    pass(400).await;
    assert_eq!(blind(&controller), [(Kind::ShadowNodes, Cause::Gone)]);
    assert_eq!(stage.says("n", X).await.as_deref(), Some("1"), "what stands, stays");
    definitions.create(&PostParams::default(), &api::shadow_node_definition()).await.unwrap();
    pass(120).await;
    assert!(controller.reports().contains(&Report::Sighted(Kind::ShadowNodes)));
    stage.shadow("n", json!({"labels": {X: "2"}})).await;
    pass(2).await;
    assert_eq!(stage.says("n", X).await.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn rights_and_tokens_that_are_taken_away_are_named() {
    let (stage, controller) = copied().await;
    let bindings: Api<ClusterRoleBinding> = Api::all(stage.admin.clone());
    let mut binding = bindings.get("controller").await.unwrap();
    bindings.delete("controller", &DeleteParams::default()).await.unwrap();
    stage.sandbox.drop_watches();
    pass(120).await;
    let refused = Cause::Refused(Refuser::Rbac);
    let mut named = blind(&controller);
    named.sort();
    assert_eq!(named, [(Kind::Nodes, refused.clone()), (Kind::ShadowNodes, refused.clone()), (Kind::Leases, refused)]);
    binding.metadata.resource_version = None;
    binding.metadata.uid = None;
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    pass(120).await;
    stage.sandbox.trouble(vec![trouble(Effect::Refuse(401), When::Always)]);
    stage.sandbox.drop_watches();
    pass(120).await;
    let credentials = |(_, cause): &(Kind, Cause)| *cause == Cause::Refused(Refuser::Credentials);
    assert_eq!(blind(&controller).iter().filter(|blind| credentials(blind)).count(), 3);
    let events = controller.reports();
    let events = events.iter().filter_map(Report::event).filter(|event| *event == (About::Itself, "WatchFailed"));
    assert_eq!(events.count(), 6, "each is worth an Event");
    stage.sandbox.trouble(Vec::new());
    pass(120).await;
    stage.shadow("n", json!({"labels": {X: "2"}})).await;
    pass(2).await;
    assert_eq!(stage.says("n", X).await.as_deref(), Some("2"), "all is well again");
}

/// An AgentProfile of the cluster that is followed.
struct Followed {
    stage: Stage,
    objects: Api<DynamicObject>,
    profiles: watch::Receiver<Option<Profile>>,
    reports: Arc<Mutex<Vec<Report>>>,
}

impl Followed {
    /// Without the rules of its definition, which would keep most of what is invalid out.
    async fn new() -> Self {
        let stage = Stage::new().await;
        let mut definition = api::agent_profile_definition();
        for version in &mut definition.spec.versions {
            let anything = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
            version.schema = serde_json::from_value(anything).unwrap();
        }
        Api::all(stage.admin.clone()).create(&PostParams::default(), &definition).await.unwrap();
        pass(5).await;
        let objects = Api::all_with(stage.admin.clone(), &ApiResource::erase::<api::AgentProfile>(&()));
        let (valid, profiles) = watch::channel(None);
        let reports: Arc<Mutex<Vec<Report>>> = Arc::default();
        let (told, client) = (reports.clone(), stage.admin.clone());
        tokio::spawn(async move {
            let report = move |report| told.lock().unwrap().push(report);
            profiles::follow(client, "p", Backoff::seeded(1), valid, report).await;
        });
        pass(1).await;
        Self { stage, objects, profiles, reports }
    }

    async fn apply(&self, spec: Value) {
        let object = json!({"apiVersion": "nodebound.io/v1alpha1", "kind": "AgentProfile", "metadata": {"name": "p"},
            "spec": spec});
        let parameters = PatchParams::apply("test").force();
        self.objects.patch("p", &parameters, &Patch::Apply(object)).await.unwrap();
        pass(1).await;
    }

    fn news(&self) -> Vec<String> {
        let reports = std::mem::take(&mut *self.reports.lock().unwrap());
        reports.iter().map(|report| report.event().map_or("", |(_, reason)| reason).to_owned()).collect()
    }

    fn owns(&self, key: &str) -> bool {
        self.profiles.borrow().as_ref().is_some_and(|profile| profile.labels().owns(key))
    }
}

fn owning(domain: &str) -> Value {
    json!({"serviceAccount": {"namespace": "a", "name": "b"}, "labels": [{"domain": domain}]})
}

#[tokio::test(start_paused = true)]
async fn the_last_valid_profile_stays_in_force() {
    let followed = Followed::new().await;
    assert_eq!(followed.news(), ["ProfileGone"]);
    assert!(followed.profiles.borrow().is_none(), "there never was one");
    followed.apply(owning("example.com")).await;
    assert_eq!(followed.news(), ["ProfileAccepted"]);
    assert!(followed.owns("example.com/x"));
    for broken in [
        json!({"serviceAccount": {"namespace": "a", "name": "b"}, "labels": [{"prefix": "no-slash"}]}),
        json!({"serviceAccount": "everybody"}),
        json!({}),
    ] {
        followed.apply(broken).await;
        assert_eq!(followed.news(), ["ProfileInvalid"]);
        assert!(followed.owns("example.com/x") && !followed.owns("no-slash/x"));
    }
    followed.objects.delete("p", &DeleteParams::default()).await.unwrap();
    pass(1).await;
    assert_eq!(followed.news(), ["ProfileGone"]);
    assert!(followed.owns("example.com/x"));
    followed.apply(owning("example.org")).await;
    assert_eq!(followed.news(), ["ProfileAccepted"]);
    assert!(followed.owns("example.org/x") && !followed.owns("example.com/x"));
    followed.apply(owning("example.org")).await;
    followed.stage.sandbox.drop_watches();
    pass(60).await;
    assert_eq!(followed.news(), [""; 0], "nothing has changed");
    followed.stage.sandbox.trouble(vec![Rule {
        matches: Matches::default(),
        when: When::Always,
        effect: Effect::Refuse(503),
    }]);
    followed.stage.sandbox.drop_watches();
    pass(60).await;
    followed.stage.sandbox.trouble(Vec::new());
    pass(120).await;
    assert_eq!(followed.news(), ["", "ProfileAccepted"], "unseen, and seen again");
}
