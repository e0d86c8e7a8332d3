//! From recipes to the cases of one ground: every key, every way, every target.

use api::cases::{Case, Denied, Expectation, Named, NotRun, Operation, Patch, PatchType, ResourceName, User};
use ownership::path::{FieldPath, Segment};
use ownership::spec::OwnNode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use crate::catalogue::{Each, Recipe, Stopper, Target, Template, Unless, Way};
use crate::ground::{Ground, Speaker, name};
use crate::keys;

/// One request of a recipe, on one ground.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The recipe.
    pub recipe: &'static Recipe,
    /// As whom.
    pub speaker: Speaker,
    /// How the change is sent; none where nothing is changed.
    pub way: Option<Way>,
    /// Whether the request is for all objects of the resource.
    pub collection: bool,
    /// The request, in the format of suites.
    pub case: Case,
    /// What should come of it.
    pub aim: Aim,
}

/// What should come of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// An attack: one of these refuses, or RBAC.
    Refused(Vec<Stopper>),
    /// It gets through, and the reason why that is known.
    Residual(String),
    /// The profile permits it, where another would not.
    Permitted(String),
    /// It gets through and changes nothing that matters, and why.
    Harmless(String),
    /// A legitimate write: it gets through.
    Admitted,
}

/// A part of a recipe that cannot be tried here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omitted {
    /// What would have been tried.
    pub name: String,
    /// Why it is not.
    pub reason: String,
}

/// Every attempt of a recipe on a ground, and what of it cannot be tried there.
#[must_use]
pub fn expand(recipe: &'static Recipe, ground: &Ground, attack: bool) -> (Vec<Attempt>, Vec<Omitted>) {
    let (mut attempts, mut omitted) = (Vec::new(), Vec::new());
    for template in &recipe.attempts {
        match subjects(template, ground) {
            Ok(subjects) => {
                let before = attempts.len();
                for subject in subjects {
                    attempts.extend(one_target(recipe, template, ground, &subject, attack));
                }
                if attempts.len() == before {
                    let reason = template.each.map_or("there is nothing to try it with", Each::absence);
                    omitted.push(Omitted { name: plain_name(template), reason: reason.to_owned() });
                }
            }
            Err(reason) => omitted.push(Omitted { name: plain_name(template), reason: reason.to_owned() }),
        }
    }
    (attempts, omitted)
}

/// The name of a template whose placeholders have nothing to stand for.
fn plain_name(template: &Template) -> String {
    let stands = [("$key", "a key"), ("$resource", "an object"), ("$field", "a field")];
    stands.iter().fold(template.name.clone(), |name, (placeholder, text)| name.replace(placeholder, text))
}

impl Each {
    fn absence(self) -> &'static str {
        match self {
            Self::OwnedLabels | Self::AllOwnedLabels | Self::OwnedPairs => "the profile owns no such labels",
            Self::OwnedAnnotations => "the profile owns no annotations",
            Self::PresentOwnedLabels => "the node has no owned label",
            Self::ForeignLabels => "the node has no foreign label",
            Self::ForeignAnnotations => "the node has no foreign annotation",
            Self::LookAlikeLabels | Self::LookAlikeAnnotations => "the profile owns nothing that could be imitated",
            Self::ForbiddenLabels | Self::ForbiddenAnnotations => "the profile allows any value",
            Self::TooManyLabels => "the profile sets no limit",
            Self::NodeFields => "the profile lists no field that names a node",
        }
    }
}

/// An object to attack.
struct Subject {
    resource: ResourceName,
    object: Value,
}

impl Subject {
    fn node(object: &Value) -> Self {
        Self { resource: resource("", "v1", "nodes"), object: object.clone() }
    }
}

fn resource(group: &str, version: &str, plural: &str) -> ResourceName {
    ResourceName { group: group.to_owned(), version: version.to_owned(), resource: plural.to_owned() }
}

const NO_OTHER: &str = "the cluster has one node";
const NO_SCRATCH: &str = "needs a Node that exists for nothing else: name one with --danger-write";
const NO_VICTIM: &str = "the agent has no pod on another node";
const NO_OBJECT: &str = "there is no such object to try it on";
const NO_POLICY: &str = "no guard is installed";

fn subjects(template: &Template, ground: &Ground) -> Result<Vec<Subject>, &'static str> {
    let node = |object: &Option<Value>, absent| object.as_ref().map(|node| vec![Subject::node(node)]).ok_or(absent);
    let elsewhere = matches!(template.speaker, Speaker::Elsewhere | Speaker::Doubled);
    match template.target {
        Target::Own if elsewhere && ground.other.is_none() => Ok(vec![Subject::node(&ground.own)]),
        Target::Own => Ok(vec![Subject::node(&ground.own)]),
        Target::Other => node(&ground.other, NO_OTHER),
        Target::Scratch => node(&ground.scratch, NO_SCRATCH),
        Target::Victim => victim(ground).ok_or(NO_VICTIM),
        Target::ObjectOwn => held(ground, true),
        Target::ObjectOther => held(ground, false),
        Target::Policy => policies(ground),
    }
}

fn victim(ground: &Ground) -> Option<Vec<Subject>> {
    Some(vec![Subject { resource: resource("", "v1", "pods"), object: ground.victim.clone()? }])
}

fn held(ground: &Ground, own: bool) -> Result<Vec<Subject>, &'static str> {
    let held = ground.objects.iter().filter(|held| held.is_own == own);
    let subjects: Vec<Subject> =
        held.map(|held| Subject { resource: held.resource.clone(), object: held.object.clone() }).collect();
    if subjects.is_empty() { Err(NO_OBJECT) } else { Ok(subjects) }
}

fn policies(ground: &Ground) -> Result<Vec<Subject>, &'static str> {
    let subject = |object: &Value| {
        let binding = object["kind"].as_str().is_some_and(|kind| kind.ends_with("Binding"));
        let plural = if binding { "validatingadmissionpolicybindings" } else { "validatingadmissionpolicies" };
        Subject { resource: resource("admissionregistration.k8s.io", "v1", plural), object: object.clone() }
    };
    let subjects: Vec<Subject> = ground.policies.iter().map(subject).collect();
    if subjects.is_empty() { Err(NO_POLICY) } else { Ok(subjects) }
}

/// What placeholders stand for.
type Words = BTreeMap<&'static str, Value>;

fn one_target(
    recipe: &'static Recipe,
    template: &Template,
    ground: &Ground,
    subject: &Subject,
    attack: bool,
) -> Vec<Attempt> {
    if template.needs.is_some_and(|needs| elements(needs, ground, subject).is_empty()) {
        return Vec::new();
    }
    let all = match template.each {
        Some(each) => elements(each, ground, subject),
        None => vec![Words::new()],
    };
    let count = if template.first { 1 } else { all.len() };
    let mut attempts = Vec::new();
    for words in all.into_iter().take(count) {
        let words = common_words(words, ground, subject);
        let maker = Maker { recipe, template, ground, subject, words, attack };
        attempts.extend(maker.attempts());
    }
    attempts
}

fn common_words(mut words: Words, ground: &Ground, subject: &Subject) -> Words {
    words.insert("$own", json!(name(&ground.own)));
    words.insert("$other", json!(ground.other_name()));
    words.insert("$resource", json!(subject.resource.resource));
    words.insert("$victim", json!(name(&subject.object)));
    words.insert("$namespace", subject.object["metadata"]["namespace"].clone());
    words
}

fn elements(each: Each, ground: &Ground, subject: &Subject) -> Vec<Words> {
    let (labels, annotations) = (ground.profile.labels(), ground.profile.annotations());
    let keyed = |keys: Vec<String>| keys.into_iter().map(|key| Words::from([("$key", json!(key))])).collect();
    let present = |field: &str, owned: bool| {
        let owns = |key: &str| if field == "labels" { labels.owns(key) } else { annotations.owns(key) };
        let map = subject.object["metadata"][field].as_object();
        let pairs = map.into_iter().flatten().filter(|(key, _)| owns(key) == owned);
        pairs.map(|(key, value)| pair(key, value)).collect()
    };
    match each {
        Each::OwnedLabels => pairs(keys::owned(labels)),
        Each::OwnedAnnotations => pairs(keys::owned(annotations)),
        Each::OwnedPairs => both(keys::owned(labels), keys::owned(annotations)),
        Each::AllOwnedLabels => all_at_once(keys::owned(labels)),
        Each::PresentOwnedLabels => present("labels", true),
        Each::ForeignLabels => present("labels", false),
        Each::ForeignAnnotations => present("annotations", false),
        Each::LookAlikeLabels => keyed(keys::look_alikes(labels)),
        Each::LookAlikeAnnotations => keyed(keys::look_alikes(annotations)),
        Each::ForbiddenLabels => pairs(keys::forbidden_values(labels)),
        Each::ForbiddenAnnotations => pairs(keys::forbidden_values(annotations)),
        Each::TooManyLabels => too_many(ground),
        Each::NodeFields => node_fields(ground, &subject.resource),
    }
}

fn pair(key: &str, value: &Value) -> Words {
    Words::from([("$key", json!(key)), ("$value", value.clone())])
}

fn pairs(pairs: Vec<(String, String)>) -> Vec<Words> {
    pairs.iter().map(|(key, value)| pair(key, &json!(value))).collect()
}

fn both(labels: Vec<(String, String)>, annotations: Vec<(String, String)>) -> Vec<Words> {
    let second = |(key, value): (String, String)| [("$key2", json!(key)), ("$value2", json!(value))];
    let zipped = pairs(labels).into_iter().zip(annotations);
    zipped
        .map(|(mut words, annotation)| {
            words.extend(second(annotation));
            words
        })
        .collect()
}

fn all_at_once(labels: Vec<(String, String)>) -> Vec<Words> {
    let map: Map<String, Value> = labels.into_iter().map(|(key, value)| (key, json!(value))).collect();
    if map.is_empty() { Vec::new() } else { vec![Words::from([("$map", Value::Object(map))])] }
}

/// One owned label more than the limit on their number, where a matcher is wide enough for so many.
fn too_many(ground: &Ground) -> Vec<Words> {
    let Some(limit) = ground.profile.limits().owned_keys else { return Vec::new() };
    let wide = keys::owned(ground.profile.labels()).into_iter().find(|(key, _)| key.ends_with("/example"));
    let Some((key, value)) = wide else { return Vec::new() };
    let map: Map<String, Value> = (0..=limit).map(|index| (format!("{key}{index}"), json!(value))).collect();
    vec![Words::from([("$map", Value::Object(map))])]
}

fn node_fields(ground: &Ground, resource: &ResourceName) -> Vec<Words> {
    let same = |known: &&ownership::profile::Resource| {
        (known.group.as_str(), known.resource.as_str()) == (resource.group.as_str(), resource.resource.as_str())
    };
    let known = ground.profile.resources().iter().find(same);
    let fields = known.into_iter().flat_map(|known| known.node.iter().chain(&known.node_references));
    fields.map(|field| Words::from([("$field", json!(field.to_string()))])).collect()
}

/// What one attempt is made from.
struct Maker<'a> {
    recipe: &'static Recipe,
    template: &'a Template,
    ground: &'a Ground,
    subject: &'a Subject,
    words: Words,
    attack: bool,
}

impl Maker<'_> {
    fn attempts(&self) -> Vec<Attempt> {
        let Some(change) = self.change() else { return self.attempt(None, None, self.fresh()).into_iter().collect() };
        let ways = self.template.ways.iter();
        ways.filter_map(|way| {
            let (patch, new) = send_by(*way, &self.subject.object, &change)?;
            self.attempt(Some(*way), patch, new)
        })
        .collect()
    }

    fn change(&self) -> Option<Value> {
        if let Some(set) = &self.template.set {
            let at = self.words.get(set.at.as_str()).and_then(Value::as_str).unwrap_or(&set.at);
            let to = self.words.get(set.to.as_str()).cloned().unwrap_or_else(|| json!(set.to));
            return nested(&FieldPath::parse(at).ok()?, to);
        }
        self.template.change.as_ref().map(|change| replaced(change, &self.words))
    }

    fn fresh(&self) -> Option<Value> {
        self.template.new.as_ref().map(|new| replaced(new, &self.words))
    }

    fn attempt(&self, way: Option<Way>, patch: Option<Patch>, new: Option<Value>) -> Option<Attempt> {
        let Self { recipe, template, ground, .. } = self;
        let aim = self.aim();
        let case = Case {
            name: self.name(way),
            references: Vec::new(),
            user: Named::Inline(self.user()?),
            operation: template.operation,
            resource: Some(self.subject.resource.clone()),
            subresource: template.subresource.clone(),
            old: (template.operation != Operation::Create).then(|| Named::Inline(self.subject.object.clone())),
            new: new.map(Named::Inline),
            patch,
            fill: Vec::new(),
            expect: expectation(&aim, ground),
            not_run: NotRun::default(),
        };
        Some(Attempt { recipe, speaker: template.speaker, way, collection: template.collection, case, aim })
    }

    fn name(&self, way: Option<Way>) -> String {
        let text = |word: &str| self.words.get(word).and_then(Value::as_str).unwrap_or_default().to_owned();
        let placeholders = ["$key", "$resource", "$field"];
        let name = placeholders.iter().fold(self.template.name.clone(), |name, word| name.replace(word, &text(word)));
        let name = if self.template.target == Target::Policy { format!("{name}: {}", self.policy()) } else { name };
        match way {
            Some(way) if self.template.ways.len() > 1 => format!("{name}, by {}", way.as_str()),
            _ => name,
        }
    }

    fn policy(&self) -> String {
        let kind = self.subject.object["kind"].as_str().unwrap_or_default();
        let what = if kind.ends_with("Binding") { "binding" } else { "policy" };
        format!("{what} {}", name(&self.subject.object))
    }

    fn user(&self) -> Option<User> {
        let account = self.ground.profile.service_account();
        let identity = self.ground.identity(self.template.speaker);
        Some(User {
            account: Some(format!("{}/{}", account.namespace, account.name)),
            groups: vec![crate::ground::PROBE_GROUP.to_owned()],
            extra: identity.extra,
            ..User::default()
        })
    }

    fn aim(&self) -> Aim {
        let Template { residual, harmless, stopped, unless, .. } = self.template;
        if !self.attack {
            return Aim::Admitted;
        }
        match (residual, harmless) {
            (Some(reason), _) => Aim::Residual(reason.clone()),
            (None, Some(reason)) => Aim::Harmless(reason.clone()),
            (None, None) if unless.is_some_and(|unless| permits(unless, self.ground.profile.node())) => {
                Aim::Permitted("the profile does not ask that a write come from the node that it changes".to_owned())
            }
            (None, None) => Aim::Refused(stopped.clone()),
        }
    }
}

fn permits(unless: Unless, node: OwnNode) -> bool {
    match unless {
        Unless::AnyNode => node == OwnNode::Any,
        Unless::AnyNodeOrUnclaimed => matches!(node, OwnNode::Any | OwnNode::OwnIfClaimed),
    }
}

/// The expectation of a suite: the guard's first rule, else RBAC.
fn expectation(aim: &Aim, ground: &Ground) -> Expectation {
    let Aim::Refused(stoppers) = aim else { return Expectation::Allow };
    let rule = stoppers.iter().find_map(|stopper| match stopper {
        Stopper::Rule(rule) => Some(*rule),
        Stopper::Layer(_) => None,
    });
    let layer = if rule.is_some() { api::cases::Layer::Guard } else { api::cases::Layer::Rbac };
    let policy = rule.map(|_| ownership::guard::Guard::Nodes.policy_name(ground.profile.name()));
    Expectation::Deny(Denied { layer, policy, rule: rule.map(|rule| rule.to_string()), ..Denied::default() })
}

/// A change as a patch or a whole object; `None` if the way cannot say it.
fn send_by(way: Way, old: &Value, change: &Value) -> Option<(Option<Patch>, Option<Value>)> {
    let patch = |patch_type, body| Some((Some(Patch { patch_type, body }), None));
    match way {
        Way::Merge => patch(PatchType::Merge, change.clone()),
        Way::Strategic => patch(PatchType::Strategic, change.clone()),
        Way::Json => patch(PatchType::Json, json!(json_patch::diff(old, &merged(old, change)))),
        Way::Apply if removes(change) => None,
        Way::Apply => patch(PatchType::Apply, applied(old, change)),
        Way::Put => Some((None, Some(merged(old, change)))),
    }
}

fn merged(old: &Value, change: &Value) -> Value {
    let mut new = old.clone();
    json_patch::merge(&mut new, change);
    new
}

/// What an apply says nothing about stays, so it cannot remove what others wrote. The depth is that of the catalogue.
fn removes(change: &Value) -> bool {
    match change {
        Value::Null => true,
        Value::Object(map) => map.values().any(removes),
        _ => false,
    }
}

fn applied(old: &Value, change: &Value) -> Value {
    let mut body =
        json!({"apiVersion": old["apiVersion"], "kind": old["kind"], "metadata": {"name": old["metadata"]["name"]}});
    json_patch::merge(&mut body, change);
    body
}

/// A merge patch that sets one field.
pub(crate) fn nested(path: &FieldPath, value: Value) -> Option<Value> {
    path.segments().iter().rev().try_fold(value, |value, segment| match segment {
        Segment::Field(field) | Segment::Key(field) => Some(json!({field.as_str(): value})),
    })
}

/// The template with the words in place of the placeholders. The depth is that of the catalogue.
fn replaced(template: &Value, words: &Words) -> Value {
    match template {
        Value::String(text) => words.get(text.as_str()).cloned().unwrap_or_else(|| template.clone()),
        Value::Array(items) => items.iter().map(|item| replaced(item, words)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (word(key, words), replaced(value, words))).collect())
        }
        _ => template.clone(),
    }
}

fn word(key: &str, words: &Words) -> String {
    words.get(key).and_then(Value::as_str).map_or_else(|| key.to_owned(), str::to_owned)
}
