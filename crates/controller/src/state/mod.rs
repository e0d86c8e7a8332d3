//! What the controller knows and decides. It waits for nothing: what is to be done it hands out as jobs.

mod seeing;

use channels::{Backoff, Cause, Observation, Trouble};
use ownership::Profile;
use ownership::guard::Rule;
use ownership::publication::{Guarded, Publication, Refusal};
use ownership::request::Object;
use ownership::spec::{Channel, LivenessSource, ServiceAccount};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::desired::{Desired, Given, Published, desired};
use crate::fair::Fair;
use crate::latch::Latch;
use crate::liveness::{Confirmed, Liveness, Name, Settings as Judging, Verdict};
use crate::pods::{AgentPod, ByNode};
use crate::report::{Kind, Report};
use crate::rescue::Rescued;
use crate::run::{Reporter, Settings, kinds};
use crate::stranded::Strays;
use crate::told::Told;
use crate::view::{Heartbeat, Objects, Record, Recorder};
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
    Rescue { node: Name, agent: ServiceAccount, exists: bool },
    Look(Kind, Name),
}

/// For which jobs there is room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free {
    pub works: bool,
    pub looks: bool,
    pub rescues: bool,
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
    daemon_sets: Objects<Box<str>>,
    machines: Objects<Name>,
    strays: Strays,
    latch: Latch,
    /// Since when a changed publication has been known that is not on its Node yet.
    waits: HashMap<Name, Duration>,
    /// How many waited for their turn, when it was last told.
    waiting: usize,
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
    was_guarded: bool,
    /// Whose publication has changed since the guard was last seen to refuse.
    unvouched: HashSet<Name>,
    /// Whose publication may be anybody's: it is made anew.
    tainted: HashSet<Name>,
    /// Whose write was refused: nothing but the mark of a silent node is written there, until something changes.
    refused: HashSet<Name>,
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
            daemon_sets: Objects::new(),
            machines: Objects::new(),
            strays: Strays::default(),
            latch: Latch::default(),
            waits: HashMap::new(),
            waiting: 0,
            looks: VecDeque::new(),
            failures: HashMap::new(),
            told: Told::default(),
            blind: BTreeSet::new(),
            limited: false,
            synced: false,
            leads: false,
            guarded: None,
            was_guarded: false,
            unvouched: HashSet::new(),
            tainted: HashSet::new(),
            refused: HashSet::new(),
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

    /// The guard has been seen to refuse, once more or for the first time, or has not any more.
    pub fn guard(&mut self, now: Duration, guarded: Option<Guarded>) {
        let (before, after) = (self.guarded.is_some(), guarded.is_some());
        self.guarded = guarded;
        if before && after {
            self.unvouched.clear();
        }
        if before == after {
            return;
        }
        (self.report)(Report::Guarded(after));
        if after {
            // What was written while nobody was seen to be held may be anybody's.
            self.tainted.extend(std::mem::take(&mut self.unvouched).into_iter().filter(|_| self.was_guarded));
            self.was_guarded = true;
        }
        self.nodes.names().for_each(|node| self.queue.add(now, node));
    }

    /// When there will be something to do.
    pub fn next(&self, free: Free) -> Option<Duration> {
        if !self.leads || !self.synced {
            return None;
        }
        let work = self.queue.due().filter(|_| free.works);
        let look = self.liveness.next().filter(|_| free.looks);
        let rescue = self.strays.next().filter(|_| free.rescues);
        [work, look, rescue].into_iter().flatten().min()
    }

    /// Something to be done now.
    pub fn take(&mut self, now: Duration, free: Free) -> Option<Job> {
        // One that does not lead knows as much, but asks nobody: whose time is over is looked at once it leads.
        if !self.leads || !self.synced {
            return None;
        }
        let waiting = self.queue.len();
        if std::mem::replace(&mut self.waiting, waiting) != waiting {
            (self.report)(Report::Waiting(waiting));
        }
        let look = if free.looks { self.look_at(now) } else { None };
        let rescue = || if free.rescues { self.rescue(now) } else { None };
        look.or_else(rescue).or_else(|| if free.works { self.work(now) } else { None })
    }

    fn look_at(&mut self, now: Duration) -> Option<Job> {
        if self.looks.is_empty() {
            self.looks.extend(self.liveness.suspects(now));
            if self.liveness.is_limited() && !std::mem::replace(&mut self.limited, true) {
                (self.report)(Report::Limited);
            }
        }
        let node = self.looks.pop_front()?;
        Some(Job::Look(self.kind_of_sign(), node))
    }

    fn work(&mut self, now: Duration) -> Option<Job> {
        loop {
            let node = self.queue.take(now)?;
            let (steps, told) = self.steps(&node);
            if !steps.is_empty() {
                return Some(Job::Work(node, steps));
            }
            self.waits.remove(&node);
            // What somebody was told of is work: a node that is good for nothing but news has its pace too.
            if told { self.queue.done(now, &node) } else { self.queue.pass(&node) }
        }
    }

    /// A node with virtual machines to be dealt with.
    fn rescue(&mut self, now: Duration) -> Option<Job> {
        loop {
            let node = self.strays.take(now)?;
            if self.is_unresponsive(&node) {
                let exists = self.nodes.get(&node).is_some();
                return Some(Job::Rescue { node, agent: self.profile.service_account().clone(), exists });
            }
            self.strays.leave_alone(&node);
        }
    }

    /// A node that is gone, or silent.
    fn is_unresponsive(&self, node: &str) -> bool {
        self.synced && (self.nodes.get(node).is_none() || self.liveness.verdict(node) == Verdict::Silent)
    }

    /// Everything has been listed: whose nodes are gone already?
    fn strand(&mut self, now: Duration) {
        let nodes: Vec<Name> = self.strays.nodes().filter(|node| self.is_unresponsive(node)).cloned().collect();
        nodes.iter().for_each(|node| self.strays.add(now, node));
    }

    /// The virtual machines of a node have been dealt with.
    pub fn rescued(&mut self, node: &Name, Rescued { failed, orphaned, troubles }: Rescued) {
        for machine in failed {
            (self.report)(Report::Stranded { node: node.clone(), machine });
        }
        let now = if orphaned { [ORPHANED].into() } else { BTreeSet::new() };
        if !self.told.news(node, &[ORPHANED], &now).is_empty() {
            (self.report)(Report::Orphaned(node.clone()));
        }
        for Trouble { cause, message, .. } in troubles {
            (self.report)(Report::NotRescued { node: node.clone(), cause, message });
        }
    }

    /// Whether agents write their Nodes themselves.
    fn writes_itself(&self) -> bool {
        self.profile.channel() != Channel::ShadowNode
    }

    fn kind_of_sign(&self) -> Kind {
        match self.profile.spec().liveness.as_ref().map(|liveness| liveness.source) {
            Some(LivenessSource::Lease) => Kind::Leases,
            Some(LivenessSource::PodReadiness) => Kind::Pods,
            _ if self.profile.channel() == Channel::ShadowNode => Kind::ShadowNodes,
            _ => Kind::Nodes,
        }
    }

    /// What is to be done for a node, and whether somebody was told something.
    fn steps(&mut self, node: &Name) -> (Vec<Step>, bool) {
        let needed = kinds(&self.profile, &self.settings);
        let mut steps = Vec::new();
        for kind in [Kind::ShadowNodes, Kind::Leases].into_iter().filter(|kind| needed.contains(kind)) {
            steps.extend(self.keep(kind, node));
        }
        let Some(desired) = self.desired(node) else { return (steps, false) };
        let told = self.tell(node, &desired);
        steps.extend(desired.patch.map(|(patch, way)| Step::Write(patch, way)));
        (steps, told)
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
            (Some(node), Some(_))
                if owner.is_some_and(|owner| owner.as_ref() == Some(node))
                    && !(kind == Kind::ShadowNodes && self.tainted.contains(name)) =>
            {
                Vec::new()
            }
            (Some(node), Some(uid)) => vec![remove(uid), Step::Make(kind, node.clone())],
        }
    }

    fn desired(&self, name: &Name) -> Option<Desired> {
        let node = self.nodes.get(name)?;
        let (object, written) = (node.object(name), node.written());
        let (publication, verdict) = (self.publication(name, node), self.liveness.verdict(name));
        let given = Given {
            profile: &self.profile,
            node: Object::new(&object).ok()?,
            written: &written,
            published: match &publication {
                _ if self.writes_itself() => Published::Itself,
                // It may be what was refused. The Node as it stands was accepted once, and takes its mark.
                _ if verdict == Verdict::Silent && self.refused.contains(name) => Published::Nothing,
                _ if self.tainted.contains(name) => Published::Nothing,
                Ok(None) => Published::Nothing,
                Ok(Some(publication)) => Published::This(publication),
                Err(size) => Published::TooMuch(*size),
            },
            guarded: self.guarded.as_ref(),
            verdict,
            taken_back: self.latch.is_taken_back(name),
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

    fn tell(&mut self, node: &Name, Desired { left_out, held, .. }: &Desired) -> bool {
        let mut by_rule: BTreeMap<&'static str, (Rule, Vec<String>)> = BTreeMap::new();
        for Refusal { key, rule } in left_out {
            by_rule.entry(rule.as_str()).or_insert_with(|| (*rule, Vec::new())).1.push(key.clone());
        }
        let now = by_rule.keys().copied().chain(held.map(|held| held.word())).collect();
        let news = self.told.news(node, &HELD, &now);
        for word in &news {
            let node = node.clone();
            match (by_rule.remove(word), held) {
                (Some((rule, keys)), _) => (self.report)(Report::LeftOut { node, rule, keys }),
                (None, Some(held)) => (self.report)(Report::Held { node, held: *held }),
                (None, None) => {}
            }
        }
        !news.is_empty()
    }

    /// Work has ended.
    pub fn worked(&mut self, now: Duration, Worked { node, done, trouble }: Worked) {
        for step in done {
            match step {
                Done::Made(kind) => (self.report)(Report::Made(kind, node.clone())),
                Done::Removed(kind) => {
                    self.tainted.remove(&node);
                    (self.report)(Report::Removed(kind, node.clone()));
                }
                Done::Wrote(object) => {
                    self.refused.remove(&node);
                    (self.report)(Report::Wrote(node.clone()));
                    if let Some(since) = self.waits.remove(&node) {
                        (self.report)(Report::Took(now.saturating_sub(since)));
                    }
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
        if cause.is_refusal() {
            self.refused.insert(node.clone());
        }
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
            Ok(Fresh::Pods(pods)) => {
                pods.into_iter().for_each(|pod| self.pod(now, Observation::Changed(pod)));
            }
            Ok(Fresh::Nothing) => {}
            Err(_) => return self.liveness.put_off(now, node, AGAIN),
        }
        match self.liveness.confirm(now, node) {
            Confirmed::Silent => {
                self.limited = false;
                (self.report)(Report::Silent(node.clone()));
                self.queue.add(now, node);
                self.strays.add(now, node);
            }
            Confirmed::Limited if !std::mem::replace(&mut self.limited, true) => (self.report)(Report::Limited),
            Confirmed::Limited | Confirmed::No => {}
        }
    }
}

/// That there are virtual machines and no agent to come, as [`Told`] has it.
const ORPHANED: &str = "orphaned";

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
