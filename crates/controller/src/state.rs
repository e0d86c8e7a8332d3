//! What the controller knows and decides. It waits for nothing: what is to be done it hands out as jobs.

use channels::{Backoff, Cause, Observation, Trouble};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicObject;
use ownership::Profile;
use ownership::guard::Rule;
use ownership::publication::{Guarded, Publication, Refusal};
use ownership::request::Object;
use ownership::spec::{Channel, LivenessSource};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::desired::{Desired, Given, Published, desired};
use crate::fair::Fair;
use crate::liveness::{Confirmed, Liveness, Name, Settings as Judging, Sign, Verdict};
use crate::pods::{AgentPod, ByNode};
use crate::report::{Kind, Report};
use crate::run::{Reporter, Settings, Sight, kinds, name};
use crate::told::Told;
use crate::view::{Heartbeat, Objects, Record, Recorder, owner, version};
use crate::work::{Done, Fresh, Step, Worked};

/// How long an agent may be silent, where its profile does not say.
const TIMEOUT: Duration = Duration::from_secs(300);
/// When a suspect is looked at again that could not be looked at.
const AGAIN: Duration = Duration::from_secs(5);

/// Why a publication stays out, as [`Told`] has it.
const HELD: [&str; 8] =
    ["nothing-published", "not-guarded", "too-much", "limits", "labels", "annotations", "values", "refused"];

/// Something to be done.
#[derive(Debug)]
pub(crate) enum Job {
    Work(Name, Vec<Step>),
    Look(Kind, Name),
}

pub(crate) struct State {
    profile: Profile,
    settings: Settings,
    report: Reporter,
    recorder: Recorder,
    nodes: Objects<Record>,
    shadows: Objects<Record>,
    leases: Objects<Heartbeat>,
    pods: Objects<AgentPod>,
    by_node: ByNode,
    liveness: Liveness,
    queue: Fair<Name>,
    looks: VecDeque<Name>,
    failures: HashMap<Name, Backoff>,
    told: Told,
    blind: BTreeSet<Kind>,
    limited: bool,
    synced: bool,
    leads: bool,
    guarded: Option<Guarded>,
}

impl State {
    pub fn new(profile: Profile, settings: Settings, report: Reporter) -> Self {
        let judging = Judging { marks: settings.marks, ..Judging::with_timeout(profile.timeout().unwrap_or(TIMEOUT)) };
        Self {
            recorder: Recorder::new(profile.clone(), settings.adopted.clone()),
            queue: Fair::new(settings.pace),
            liveness: Liveness::new(judging),
            nodes: Objects::new(),
            shadows: Objects::new(),
            leases: Objects::new(),
            pods: Objects::new(),
            by_node: ByNode::default(),
            looks: VecDeque::new(),
            failures: HashMap::new(),
            told: Told::default(),
            blind: BTreeSet::new(),
            limited: false,
            synced: false,
            leads: false,
            guarded: None,
            profile,
            settings,
            report,
        }
    }

    /// It leads from now on, or does not any more. Whatever was under way then has been given up.
    pub fn lead(&mut self, leads: bool) {
        if leads == self.leads {
            return;
        }
        self.leads = leads;
        self.queue.interrupt();
        (self.report)(Report::Leading(leads));
    }

    /// The guard has been seen to refuse, or has not any more.
    pub fn guard(&mut self, now: Duration, guarded: Option<Guarded>) {
        if self.guarded.is_some() != guarded.is_some() {
            (self.report)(Report::Guarded(guarded.is_some()));
        }
        self.guarded = guarded;
        self.nodes.names().for_each(|node| self.queue.add(now, node));
    }

    /// When there will be something to do.
    pub fn next(&self, free: bool) -> Option<Duration> {
        let work = self.queue.due().filter(|_| free && self.leads && self.synced);
        let look = self.liveness.next().filter(|_| self.synced);
        [work, look].into_iter().flatten().min()
    }

    /// Something to be done now.
    pub fn take(&mut self, now: Duration, free: bool) -> Option<Job> {
        if !free || !self.synced {
            return None;
        }
        self.looks.extend(self.liveness.suspects(now));
        if let Some(node) = self.looks.pop_front() {
            return Some(Job::Look(self.kind_of_sign(), node));
        }
        while self.leads {
            let node = self.queue.take(now)?;
            let steps = self.steps(&node);
            if !steps.is_empty() {
                return Some(Job::Work(node, steps));
            }
            self.queue.pass(&node);
        }
        None
    }

    fn kind_of_sign(&self) -> Kind {
        match self.profile.spec().liveness.as_ref().map(|liveness| liveness.source) {
            Some(LivenessSource::Lease) => Kind::Leases,
            Some(LivenessSource::PodReadiness) => Kind::Pods,
            _ if self.profile.channel() == Channel::ShadowNode => Kind::ShadowNodes,
            _ => Kind::Nodes,
        }
    }

    fn steps(&mut self, node: &Name) -> Vec<Step> {
        let needed = kinds(&self.profile);
        let mut steps = Vec::new();
        for kind in [Kind::ShadowNodes, Kind::Leases].into_iter().filter(|kind| needed.contains(kind)) {
            steps.extend(self.keep(kind, node));
        }
        if let Some(desired) = self.desired(node) {
            self.tell(node, &desired);
            steps.extend(desired.patch.map(|(patch, way)| Step::Write(patch, way)));
        }
        steps
    }

    /// What is to be done so that a Node has its object in the middle, and no Node has that of another.
    fn keep(&self, kind: Kind, name: &Name) -> Vec<Step> {
        let (uid, owner) = match kind {
            Kind::Leases => self.leases.get(name).map(|lease| (&lease.uid, &lease.owner)),
            _ => self.shadows.get(name).map(|shadow| (&shadow.uid, &shadow.owner)),
        }
        .unzip();
        let node = self.nodes.get(name).map(|node| &node.uid);
        let remove = |uid: &str| Step::Remove(kind, uid.into());
        match (node, uid) {
            (None, None) => Vec::new(),
            (None, Some(uid)) => vec![remove(uid)],
            (Some(node), None) => vec![Step::Make(kind, node.clone())],
            (Some(node), Some(_)) if owner.is_some_and(|owner| owner.as_ref() == Some(node)) => Vec::new(),
            (Some(node), Some(uid)) => vec![remove(uid), Step::Make(kind, node.clone())],
        }
    }

    fn desired(&self, name: &Name) -> Option<Desired> {
        let node = self.nodes.get(name)?;
        let (object, written) = (node.object(name), node.written());
        let publication = self.publication(name, node);
        let given = Given {
            profile: &self.profile,
            node: Object::new(&object).ok()?,
            written: &written,
            published: match &publication {
                _ if self.profile.channel() != Channel::ShadowNode => Published::Itself,
                Ok(None) => Published::Nothing,
                Ok(Some(publication)) => Published::This(publication),
                Err(size) => Published::TooMuch(*size),
            },
            guarded: self.guarded.as_ref(),
            verdict: self.liveness.verdict(name),
        };
        Some(desired(&given))
    }

    /// What is published for this very Node.
    fn publication(&self, name: &Name, node: &Record) -> Result<Option<Publication>, crate::desired::Size> {
        match self.shadows.get(name).filter(|shadow| shadow.owner.as_ref() == Some(&node.uid)) {
            Some(shadow) => shadow.publication(),
            None => Ok(None),
        }
    }

    fn tell(&mut self, node: &Name, Desired { left_out, held, .. }: &Desired) {
        let mut by_rule: BTreeMap<&'static str, (Rule, Vec<String>)> = BTreeMap::new();
        for Refusal { key, rule } in left_out {
            by_rule.entry(rule.as_str()).or_insert_with(|| (*rule, Vec::new())).1.push(key.clone());
        }
        let now = by_rule.keys().copied().chain(held.map(|held| held.word())).collect();
        for word in self.told.news(node, &HELD, &now) {
            let node = node.clone();
            match (by_rule.remove(word), held) {
                (Some((rule, keys)), _) => (self.report)(Report::LeftOut { node, rule, keys }),
                (None, Some(held)) => (self.report)(Report::Held { node, held: *held }),
                (None, None) => {}
            }
        }
    }

    /// Work has ended.
    pub fn worked(&mut self, now: Duration, Worked { node, done, trouble }: Worked) {
        for step in done {
            match step {
                Done::Made(kind) => (self.report)(Report::Made(kind, node.clone())),
                Done::Removed(kind) => (self.report)(Report::Removed(kind, node.clone())),
                Done::Wrote(object) => {
                    (self.report)(Report::Wrote(node.clone()));
                    self.node(now, Observation::Changed(*object));
                }
            }
        }
        match trouble {
            None => {
                self.failures.remove(&node);
                self.told.news(&node, &FAILURES, &BTreeSet::new());
                self.queue.done(now, &node);
            }
            Some(trouble) => self.failed(now, node, trouble),
        }
    }

    fn failed(&mut self, now: Duration, node: Name, Trouble { cause, message, asked }: Trouble) {
        let seed = node.bytes().fold(self.settings.seed, |seed, byte| seed.rotate_left(8) ^ u64::from(byte));
        let backoff = self.failures.entry(node.clone()).or_insert_with(|| Backoff::seeded(seed));
        self.queue.retry(now, &node, backoff.next(asked));
        // Somebody was faster, or something is there or gone already: it is seen soon.
        let passing = matches!(cause, Cause::Conflict | Cause::Gone);
        if !passing && self.told.is_news(&node, cause.word()) {
            (self.report)(Report::Failed { node, cause, message });
        }
    }

    /// A suspect has been looked at.
    pub fn looked(&mut self, now: Duration, node: &Name, fresh: Result<Fresh, Trouble>) {
        match fresh {
            Ok(Fresh::Node(object)) => self.node(now, Observation::Changed(object)),
            Ok(Fresh::Shadow(object)) => self.shadow(now, Observation::Changed(object)),
            Ok(Fresh::Lease(object)) => self.lease(now, Observation::Changed(object)),
            Ok(Fresh::Nothing) => {}
            Err(_) => return self.liveness.put_off(now, node, AGAIN),
        }
        match self.liveness.confirm(now, node) {
            Confirmed::Silent => {
                self.limited = false;
                (self.report)(Report::Silent(node.clone()));
                self.queue.add(now, node);
            }
            Confirmed::Limited if !std::mem::replace(&mut self.limited, true) => (self.report)(Report::Limited),
            Confirmed::Limited | Confirmed::No => {}
        }
    }

    /// Something was seen.
    pub fn see(&mut self, now: Duration, sight: Sight) {
        match sight {
            Sight::Node(seen) => self.node(now, seen),
            Sight::Shadow(seen) => self.shadow(now, seen),
            Sight::Lease(seen) => self.lease(now, seen),
            Sight::Pod(seen) => self.pod(now, *seen),
        }
        if !self.synced && kinds(&self.profile).into_iter().all(|kind| self.is_complete(kind)) {
            self.synced = true;
            (self.report)(Report::Synced);
            let names: Vec<Name> = self.nodes.names().cloned().collect();
            names.iter().for_each(|name| self.judge(now, name));
        }
    }

    fn is_complete(&self, kind: Kind) -> bool {
        match kind {
            Kind::Nodes => self.nodes.is_complete(),
            Kind::ShadowNodes => self.shadows.is_complete(),
            Kind::Leases => self.leases.is_complete(),
            Kind::Pods => self.pods.is_complete(),
        }
    }

    fn node<K: Resource>(&mut self, now: Duration, seen: Observation<K>) {
        let recorder = &mut self.recorder;
        let before = |objects: &Objects<Record>, name: &str| objects.get(name).map(|node| node.uid.clone());
        let uid = named(&seen).and_then(|name| before(&self.nodes, &name).map(|uid| (name, uid)));
        let record = |object: &K| Some(recorder.node(object.meta()));
        let touched = take_in(&mut self.nodes, seen, record, |sighted| {
            sight(&mut self.report, &mut self.blind, Kind::Nodes, sighted)
        });
        if let Some((name, uid)) = uid.filter(|(name, uid)| before(&self.nodes, name).as_ref() != Some(uid)) {
            drop(uid);
            self.liveness.forget(&name);
            self.told.forget(&name);
            self.failures.remove(&name);
        }
        self.touched(now, Kind::Nodes, touched);
    }

    fn shadow<K: Resource>(&mut self, now: Duration, seen: Observation<K>) {
        let recorder = &mut self.recorder;
        let record = |object: &K| Some(recorder.shadow(object.meta()));
        let touched = take_in(&mut self.shadows, seen, record, |sighted| {
            sight(&mut self.report, &mut self.blind, Kind::ShadowNodes, sighted);
        });
        self.touched(now, Kind::ShadowNodes, touched);
    }

    fn lease(&mut self, now: Duration, seen: Observation<DynamicObject>) {
        let touched = take_in(
            &mut self.leases,
            seen,
            |lease| Some(heartbeat(lease)),
            |sighted| {
                sight(&mut self.report, &mut self.blind, Kind::Leases, sighted);
            },
        );
        self.touched(now, Kind::Leases, touched);
    }

    fn pod(&mut self, now: Duration, seen: Observation<k8s_openapi::api::core::v1::Pod>) {
        let account = self.profile.service_account().name.clone();
        let named = named(&seen);
        let node = |pods: &Objects<AgentPod>| named.as_ref().and_then(|name| Some(pods.get(name)?.node.clone()));
        let mut nodes: BTreeSet<Name> = node(&self.pods).into_iter().collect();
        let listed: Vec<(Name, Name)> = self
            .pods
            .names()
            .filter_map(|name| Some((name.clone(), self.pods.get(name)?.node.clone())))
            .filter(|_| named.is_none())
            .collect();
        let touched = take_in(
            &mut self.pods,
            seen,
            |pod| AgentPod::of(pod, &account),
            |sighted| {
                sight(&mut self.report, &mut self.blind, Kind::Pods, sighted);
            },
        );
        nodes.extend(node(&self.pods));
        let old = listed.into_iter().filter(|(pod, _)| touched.names.contains(pod));
        let before: Vec<(Name, Name)> =
            named.iter().flat_map(|pod| nodes.iter().map(|node| (pod.clone(), node.clone()))).chain(old).collect();
        for (pod, node) in &before {
            match self.pods.get(pod).filter(|agent| agent.node == *node) {
                Some(agent) => self.by_node.set(pod, agent),
                None => self.by_node.remove(pod, node),
            }
        }
        let names = before.into_iter().map(|(_, node)| node).collect();
        self.touched(now, Kind::Pods, Touched { names, ..touched });
    }

    /// Judges and queues the nodes that were touched.
    fn touched(&mut self, now: Duration, kind: Kind, Touched { names, sighted }: Touched) {
        if kind == self.kind_of_sign() {
            match sighted {
                Some(false) => self.liveness.blind(now),
                Some(true) => self.liveness.sighted(now),
                None => {}
            }
        }
        for name in names {
            self.judge(now, &name);
            // A heartbeat alone changes nothing on the Node, but the end of a silence does.
            let gone = self.nodes.get(&name).is_none();
            if gone || kind != Kind::Leases || self.leases.get(&name).is_none_or(|lease| !self.belongs(&name, lease)) {
                self.queue.add(now, &name);
            }
        }
    }

    fn belongs(&self, name: &str, lease: &Heartbeat) -> bool {
        self.nodes.get(name).is_some_and(|node| lease.owner.as_ref() == Some(&node.uid))
    }

    fn judge(&mut self, now: Duration, name: &Name) {
        if self.profile.spec().liveness.is_none() {
            return;
        }
        let Some(node) = self.nodes.get(name) else { return self.liveness.forget(name) };
        let of_this_node = |owner: &Option<Box<str>>| owner.as_ref() == Some(&node.uid);
        let beat = match self.kind_of_sign() {
            Kind::Leases => {
                let lease = self.leases.get(name).filter(|lease| of_this_node(&lease.owner));
                lease.and_then(|lease| lease.renewed.as_deref())
            }
            Kind::Nodes => node.annotation(&self.settings.heartbeat),
            Kind::ShadowNodes => {
                let shadow = self.shadows.get(name).filter(|shadow| of_this_node(&shadow.owner));
                shadow.and_then(|shadow| shadow.annotation(&self.settings.heartbeat))
            }
            Kind::Pods => None,
        };
        let sign = match (beat, self.kind_of_sign()) {
            (_, Kind::Pods) => self.by_node.sign(name),
            (Some(beat), _) => Sign::Beat(beat),
            // Before everything is listed, nothing is missing.
            (None, _) if node.is_ours() && self.synced => Sign::Missing,
            (None, _) => Sign::None,
        };
        let before = self.liveness.verdict(name);
        if self.liveness.see(now, name, sign) {
            let recovered = before == Verdict::Silent;
            (self.report)(Report::Alive { node: name.clone(), recovered });
            self.queue.add(now, name);
        }
    }
}

/// Causes of failures, as [`Told`] has them.
const FAILURES: [&str; 12] = [
    "guard",
    "policy",
    "rbac",
    "credentials",
    "channel",
    "refused",
    "gone",
    "conflict",
    "busy",
    "server",
    "unreachable",
    "late",
];

/// What an observation touched.
struct Touched {
    names: Vec<Name>,
    /// Whether the watch has been seen to work, or not to.
    sighted: Option<bool>,
}

/// Whether a watch works, for whoever is told.
enum Sighted {
    Yes,
    No(Cause, String),
}

fn sight(report: &mut Reporter, blind: &mut BTreeSet<Kind>, kind: Kind, sighted: Sighted) {
    match sighted {
        Sighted::Yes if blind.remove(&kind) => report(Report::Sighted(kind)),
        Sighted::No(cause, message) if blind.insert(kind) => report(Report::Blind { kind, cause, message }),
        Sighted::Yes | Sighted::No(..) => {}
    }
}

/// Takes an observation in: what it is of each object, `record` says.
fn take_in<K: Resource, T: PartialEq>(
    objects: &mut Objects<T>,
    seen: Observation<K>,
    record: impl FnOnce(&K) -> Option<T>,
    tell: impl FnOnce(Sighted),
) -> Touched {
    let works = !matches!(seen, Observation::Begun | Observation::Interrupted { .. });
    let name_of = |object: &K| name(object.meta().name.as_ref());
    let names = match seen {
        Observation::Begun => {
            objects.begin();
            return Touched { names: Vec::new(), sighted: None };
        }
        Observation::Interrupted { cause, message } => {
            tell(Sighted::No(cause, message));
            return Touched { names: Vec::new(), sighted: Some(false) };
        }
        Observation::Resumed => Vec::new(),
        Observation::Complete => objects.complete(),
        Observation::Gone(object) => name_of(&object).filter(|name| objects.remove(name)).into_iter().collect(),
        Observation::Listed(object) => put(objects, &object, record(&object), true),
        Observation::Changed(object) => put(objects, &object, record(&object), false),
    };
    tell(Sighted::Yes);
    Touched { names, sighted: Some(works) }
}

fn put<K: Resource, T: PartialEq>(objects: &mut Objects<T>, object: &K, record: Option<T>, listed: bool) -> Vec<Name> {
    let metadata: &ObjectMeta = object.meta();
    let Some(name) = name(metadata.name.as_ref()) else { return Vec::new() };
    let touched = match (record, listed) {
        (Some(record), true) => objects.list(&name, version(metadata), record),
        (Some(record), false) => objects.change(&name, version(metadata), record),
        (None, _) => objects.remove(&name),
    };
    touched.then_some(name).into_iter().collect()
}

/// The object that an observation is about.
fn named<K: Resource>(seen: &Observation<K>) -> Option<Name> {
    match seen {
        Observation::Listed(object) | Observation::Changed(object) | Observation::Gone(object) => {
            name(object.meta().name.as_ref())
        }
        _ => None,
    }
}

fn heartbeat(lease: &DynamicObject) -> Heartbeat {
    let renewed = lease.data.pointer("/spec/renewTime").and_then(Value::as_str);
    Heartbeat {
        uid: lease.metadata.uid.as_deref().unwrap_or_default().into(),
        owner: owner(&lease.metadata),
        renewed: renewed.map(Into::into),
    }
}
