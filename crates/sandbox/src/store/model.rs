//! Random operations on a store against a model that keeps every state it was ever in and knows no shortcut.
//! `SANDBOX_OPERATIONS` says how many.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::watch::{Cursor, WatchEvent};
use super::{Key, Store};
use crate::failure::Failure;
use crate::listing::{self, ListOptions, Page, Refused};
use crate::resource::GroupResource;

/// The last is hardly ever written to.
const RESOURCES: usize = 4;
const NAMESPACES: [&str; 3] = ["a", "a-b", "b"];
const NAMES: [&str; 5] = ["m", "m-1", "m.n", "n", "z"];
const LABELS: [&str; 3] = ["x", "y", ""];

/// Xorshift: the same numbers everywhere, and no dependency.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    fn revision(&mut self, to: u64) -> u64 {
        let back = if self.one_in(4) { 400 } else { 40 };
        let below = u64::try_from(self.below(back)).unwrap();
        (to + 3).saturating_sub(below).max(1)
    }
}

type State = BTreeMap<(usize, String), (String, Value)>;

/// Everything that was, and per resource what is still known of it.
struct Model {
    states: Vec<State>,
    kept: [Vec<u64>; RESOURCES],
    changes: [Vec<u64>; RESOURCES],
    horizons: [u64; RESOURCES],
    capacity: usize,
}

impl Model {
    fn new(capacity: usize) -> Self {
        // No store has revision 0.
        let states = vec![State::new(), State::new()];
        Self { states, kept: Default::default(), changes: Default::default(), horizons: [0; RESOURCES], capacity }
    }

    fn revision(&self) -> u64 {
        u64::try_from(self.states.len()).unwrap() - 1
    }

    fn at(&self, revision: u64) -> &State {
        &self.states[usize::try_from(revision).unwrap()]
    }

    fn now(&self) -> &State {
        self.at(self.revision())
    }

    fn change(&mut self, resource: usize, path: &str, object: Option<(String, Value)>) {
        let mut state = self.now().clone();
        let revision = self.revision() + 1;
        state.remove(&(resource, path.to_owned()));
        if let Some((namespace, mut object)) = object {
            object["metadata"]["resourceVersion"] = json!(revision.to_string());
            state.insert((resource, path.to_owned()), (namespace, object));
        }
        self.states.push(state);
        self.changes[resource].push(revision);
        self.kept[resource].push(revision);
        if self.kept[resource].len() > self.capacity {
            self.kept[resource].remove(0);
            self.horizons[resource] = self.horizons[resource].max(self.kept[resource][0] - 1);
        }
    }

    fn compact(&mut self, to: u64) {
        for resource in 0..RESOURCES {
            self.kept[resource].retain(|revision| *revision > to);
            self.horizons[resource] = self.horizons[resource].max(to);
        }
    }

    fn missed(&self, resource: usize, position: u64) -> bool {
        let known = |revision: &u64| self.kept[resource].contains(revision);
        self.changes[resource].iter().any(|revision| *revision > position && !known(revision))
    }

    fn list(&self, resource: usize, namespace: Option<&str>, revision: u64) -> Vec<(String, Value)> {
        let all = self.at(revision).iter().filter(|((of, _), _)| *of == resource);
        let inside = all.filter(|(_, (of, _))| namespace.is_none_or(|namespace| of == namespace));
        inside.map(|((_, path), (_, object))| (path.clone(), object.clone())).collect()
    }

    /// What a watcher sees of the changes after one revision, up to another.
    fn seen(&self, watch: &Watched, after: u64) -> Vec<(&'static str, Value)> {
        (after + 1..=self.revision()).flat_map(|revision| self.seen_at(watch, revision)).collect()
    }

    fn seen_at(&self, watch: &Watched, revision: u64) -> Vec<(&'static str, Value)> {
        let shown = |revision| -> BTreeMap<String, Value> {
            let objects = self.list(watch.resource, watch.namespace, revision).into_iter();
            objects.filter(|(_, object)| has_label(object, watch.label)).collect()
        };
        let (before, after) = (shown(revision - 1), shown(revision));
        let mut seen = Vec::new();
        for (path, object) in &before {
            let mut gone = object.clone();
            gone["metadata"]["resourceVersion"] = json!(revision.to_string());
            match after.get(path) {
                None => seen.push(("DELETED", gone)),
                Some(now) if now != object => seen.push(("MODIFIED", now.clone())),
                Some(_) => {}
            }
        }
        let entered = after.iter().filter(|(path, _)| !before.contains_key(*path));
        seen.extend(entered.map(|(_, object)| ("ADDED", object.clone())));
        seen
    }
}

fn has_label(object: &Value, label: &str) -> bool {
    label.is_empty() || object["metadata"]["labels"]["l"] == label
}

/// A watch and what the model knows of it.
struct Watched {
    cursor: Cursor,
    resource: usize,
    namespace: Option<&'static str>,
    label: &'static str,
    initial: Option<bool>,
    bookmarks: bool,
    from: u64,
    position: u64,
    floor: u64,
    begun: bool,
}

/// A list of which there are pages to come.
struct Paged {
    resource: usize,
    namespace: Option<&'static str>,
    label: &'static str,
    limit: usize,
    /// 0 for whatever is now.
    revision: u64,
    last: String,
    token: String,
}

struct Run {
    dice: Dice,
    store: Store,
    model: Model,
    watches: Vec<Watched>,
    lists: Vec<Paged>,
    count: u64,
    tally: BTreeMap<&'static str, usize>,
}

fn group_resource(resource: usize) -> GroupResource {
    let (group, plural) = [("", "nodes"), ("", "pods"), ("x.y", "pods"), ("x.y", "rare")][resource];
    GroupResource::new(group, plural)
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let capacity = [5, 50, 1000][dice.below(3)];
        let (store, model) = (Store::new(capacity), Model::new(capacity));
        Self { dice, store, model, watches: Vec::new(), lists: Vec::new(), count: 0, tally: BTreeMap::new() }
    }

    fn tally(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..=59 => self.write(),
            60..=69 => self.list(),
            70..=77 => self.next_page(),
            78..=82 => self.watch(),
            83..=94 => self.poll(),
            95 | 96 => self.bookmark(),
            97 => self.read(),
            98 => self.compact(),
            _ if self.dice.one_in(20) => self.restart(),
            _ => self.read_past(),
        }
        assert_eq!(self.store.revision(), self.model.revision());
    }

    fn place(&mut self) -> (usize, &'static str, &'static str) {
        let last = usize::from(self.dice.one_in(500));
        let resource = self.dice.below(RESOURCES - 1 + last);
        let namespace = if resource == 0 { "" } else { self.dice.of(&NAMESPACES) };
        (resource, namespace, self.dice.of(&NAMES))
    }

    fn namespace(&mut self, resource: usize) -> Option<&'static str> {
        (resource != 0 && self.dice.one_in(2)).then(|| self.dice.of(&NAMESPACES))
    }

    fn write(&mut self) {
        let (resource, namespace, name) = self.place();
        self.count += 1;
        let mut object =
            json!({"data": self.count, "metadata": {"name": name, "labels": {"l": self.dice.of(&LABELS)}}});
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = json!(namespace);
        }
        let path = Key::new(namespace, name).path().to_owned();
        let before = self.model.now().get(&(resource, path.clone())).cloned();
        let (of, state) = (group_resource(resource), Some((namespace.to_owned(), object.clone())));
        let stored = match self.dice.below(3) {
            0 => self.store.create(&of, namespace, name, object).ok(),
            1 => self.store.update(&of, namespace, name, object),
            _ => {
                let last = self.store.delete(&of, namespace, name);
                assert_eq!(last.is_some(), before.is_some());
                let Some((last, (_, mut expected))) = last.zip(before) else { return };
                self.model.change(resource, &path, None);
                expected["metadata"]["resourceVersion"] = json!(self.model.revision().to_string());
                assert_eq!(*last, expected);
                return;
            }
        };
        let Some(stored) = stored else { return };
        self.model.change(resource, &path, state);
        let expected = &self.model.now()[&(resource, path.clone())].1;
        assert_eq!(*stored, *expected);
        let created = before.is_none();
        self.tally(if created { "created" } else { "updated" });
    }

    fn list(&mut self) {
        let resource = self.dice.below(RESOURCES);
        let (namespace, label) = (self.namespace(resource), self.dice.of(&LABELS));
        let limit = self.dice.below(5);
        let mut options = ListOptions { limit: i64::try_from(limit).unwrap(), ..ListOptions::default() };
        label.clone_into(&mut options.label_selector);
        let asked = self.dice.revision(self.model.revision());
        let kind = self.dice.below(5);
        if kind > 0 {
            options.resource_version = if kind == 1 { "0".to_owned() } else { asked.to_string() };
        }
        let exact = match kind {
            2 => limit > 0,
            3 => true,
            _ => false,
        };
        options.resource_version_match = ["", "", "", "Exact", "NotOlderThan"][kind].to_owned();
        let result = self.ask(resource, namespace, label, &options);
        let now = self.model.revision();
        if kind > 1 && asked > now {
            let expected = format!("Timeout: Too large resource version: {asked}, current: {now}");
            assert_eq!(result.map_err(|refused| refused.failure.message), Err(expected));
            return self.tally("lists of the future");
        }
        let revision = if exact { asked } else { now };
        if revision < self.model.horizons[resource] {
            let refused = result.expect_err("it is forgotten");
            assert_eq!((refused.failure.code, refused.continue_), (410, None));
            return self.tally("lists too old");
        }
        let limit = if kind == 1 { 0 } else { limit };
        let list = Paged { resource, namespace, label, limit, revision, last: String::new(), token: String::new() };
        self.check_page(list, result.expect("a page"));
    }

    fn next_page(&mut self) {
        if self.lists.is_empty() {
            return;
        }
        let index = self.dice.below(self.lists.len());
        let mut list = self.lists.swap_remove(index);
        let limit = i64::try_from(list.limit).unwrap();
        let options = ListOptions { limit, continue_: list.token.clone(), ..ListOptions::default() };
        let options = ListOptions { label_selector: list.label.to_owned(), ..options };
        let result = self.ask(list.resource, list.namespace, list.label, &options);
        if list.revision != 0 && list.revision < self.model.horizons[list.resource] {
            let refused = result.expect_err("it is forgotten");
            assert_eq!(refused.failure.code, 410);
            list.token = refused.continue_.expect("a token for the rest");
            list.revision = 0;
            self.lists.push(list);
            return self.tally("pages too old");
        }
        if list.revision == 0 {
            list.revision = self.model.revision();
        }
        self.check_page(list, result.expect("a page"));
    }

    fn ask(
        &self,
        resource: usize,
        namespace: Option<&str>,
        label: &'static str,
        options: &ListOptions,
    ) -> Result<Page, Refused> {
        listing::list(&self.store, &group_resource(resource), namespace, options, &|object| has_label(object, label))
    }

    fn check_page(&mut self, mut list: Paged, page: Page) {
        assert_eq!(page.revision, list.revision);
        let all = self.model.list(list.resource, list.namespace, list.revision);
        let rest: Vec<_> = all.into_iter().filter(|(path, _)| *path > list.last).collect();
        let mut expected = Vec::new();
        let mut left = 0;
        for (index, (path, object)) in rest.iter().enumerate().filter(|(_, (_, object))| has_label(object, list.label))
        {
            expected.push(object.clone());
            if expected.len() == list.limit {
                left = rest.len() - index - 1;
                list.last.clone_from(path);
                break;
            }
        }
        let items: Vec<Value> = page.items.iter().map(|object| Value::clone(object)).collect();
        assert_eq!(items, expected);
        assert_eq!(page.continue_.is_some(), left > 0);
        let remaining = (left > 0 && list.label.is_empty()).then(|| u64::try_from(left).unwrap());
        assert_eq!(page.remaining, remaining);
        if let Some(token) = page.continue_ {
            list.token = token;
            self.lists.push(list);
        }
        self.tally("pages");
    }

    fn watch(&mut self) {
        let resource = self.dice.below(RESOURCES);
        let (namespace, label) = (self.namespace(resource), self.dice.of(&LABELS));
        let from = if self.dice.one_in(3) { 0 } else { self.dice.revision(self.model.revision()) };
        let (initial, bookmarks) = ([None, Some(false), Some(true)][self.dice.below(3)], self.dice.one_in(2));
        let mut options = ListOptions { watch: true, allow_watch_bookmarks: bookmarks, ..ListOptions::default() };
        options.send_initial_events = initial;
        options.resource_version = if from == 0 { String::new() } else { from.to_string() };
        let matches = Arc::new(move |object: &Value| has_label(object, label));
        let cursor = Cursor::new(group_resource(resource), namespace.map(str::to_owned), matches, &options);
        let (position, floor, begun) = (0, 0, false);
        let watch = Watched { cursor, resource, namespace, label, initial, bookmarks, from, position, floor, begun };
        self.watches.push(watch);
    }

    fn poll(&mut self) {
        if self.watches.is_empty() {
            return;
        }
        let index = self.dice.below(self.watches.len());
        let mut watch = self.watches.swap_remove(index);
        let result = watch.cursor.poll(&self.store);
        match self.expected(&mut watch) {
            Ok(expected) => {
                let told = result.expect("no error");
                let told: Vec<_> = told.iter().map(|event| (event.kind, Value::clone(&event.object))).collect();
                assert_eq!(told, expected);
                for (kind, _) in &expected {
                    self.tally(kind);
                }
                if !self.dice.one_in(8) {
                    self.watches.push(watch);
                }
            }
            Err(expected) => {
                assert_eq!(result.map_err(|failure| (failure.code, failure.message)), Err(expected));
                self.tally("watches refused");
            }
        }
    }

    fn expected(&self, watch: &mut Watched) -> Result<Vec<(&'static str, Value)>, (u16, String)> {
        let now = self.model.revision();
        let horizon = self.model.horizons[watch.resource];
        let too_old = |revision| (410, format!("too old resource version: {revision} ({horizon})"));
        let mut expected = Vec::new();
        if !watch.begun {
            watch.begun = true;
            watch.position = now;
            if watch.initial == Some(true) || (watch.initial.is_none() && watch.from == 0) {
                if watch.from > now {
                    return Err((504, format!("Timeout: Too large resource version: {}, current: {now}", watch.from)));
                }
                let objects = self.model.list(watch.resource, watch.namespace, now).into_iter();
                let shown = objects.filter(|(_, object)| has_label(object, watch.label));
                expected.extend(shown.map(|(_, object)| ("ADDED", object)));
                if watch.initial.is_some() && watch.bookmarks {
                    let annotations = json!({"k8s.io/initial-events-end": "true"});
                    let metadata = json!({"resourceVersion": now.to_string(), "annotations": annotations});
                    expected.push(("BOOKMARK", json!({ "metadata": metadata })));
                }
            } else if watch.from != 0 {
                if watch.from < horizon {
                    return Err(too_old(watch.from));
                }
                watch.position = watch.from;
            }
            watch.floor = watch.position;
        }
        if self.model.missed(watch.resource, watch.position) {
            return Err(too_old(watch.position));
        }
        expected.extend(self.model.seen(watch, watch.position));
        watch.position = watch.position.max(now);
        Ok(expected)
    }

    fn bookmark(&mut self) {
        if self.watches.is_empty() {
            return;
        }
        let index = self.dice.below(self.watches.len());
        let watch = &mut self.watches[index];
        let now = self.model.revision();
        let changes = &self.model.changes[watch.resource];
        if watch.begun && watch.position < now && changes.iter().all(|revision| *revision <= watch.position) {
            watch.position = now;
        }
        let expected = (watch.position > watch.floor).then(|| {
            let object = Arc::new(json!({"metadata": {"resourceVersion": watch.position.to_string()}}));
            WatchEvent { kind: "BOOKMARK", object }
        });
        assert_eq!(watch.cursor.bookmark(&self.store), expected);
    }

    fn read(&mut self) {
        let (resource, namespace, name) = self.place();
        let of = group_resource(resource);
        let key = (resource, Key::new(namespace, name).path().to_owned());
        let expected = self.model.now().get(&key).map(|(_, object)| object);
        assert_eq!(self.store.get(&of, namespace, name).map(AsRef::as_ref), expected);
        let all = self.model.list(resource, None, self.model.revision());
        assert_eq!(self.store.count(&of), all.len());
        let ahead = self.model.revision() + 1;
        let options = ListOptions { resource_version: ahead.to_string(), ..ListOptions::default() };
        assert_eq!(listing::not_ahead(&self.store, &options).map_err(|failure: Failure| failure.code), Err(504));
    }

    fn read_past(&mut self) {
        let (resource, revision) = (self.dice.below(RESOURCES), self.dice.revision(self.model.revision()));
        let namespace = self.namespace(resource);
        let known = revision >= self.model.horizons[resource] && revision <= self.model.revision();
        let listed = self.store.list_at(&group_resource(resource), namespace, revision);
        assert_eq!(listed.is_ok(), known);
        if let Ok(listed) = listed {
            let listed: Vec<Value> = listed.iter().map(|object| Value::clone(object)).collect();
            let expected = self.model.list(resource, namespace, revision);
            assert_eq!(listed, expected.into_iter().map(|(_, object)| object).collect::<Vec<_>>());
        }
        self.tally("reads of the past");
    }

    fn compact(&mut self) {
        let to = self.dice.revision(self.model.revision());
        self.store.compact(to);
        self.model.compact(to.min(self.model.revision()));
        self.tally("compactions");
    }

    fn restart(&mut self) {
        let text = serde_json::to_string(&self.store.to_snapshot()).expect("JSON");
        let snapshot = serde_json::from_str(&text).expect("a snapshot");
        self.store = Store::from_snapshot(snapshot, self.model.capacity).expect("a good one");
        self.model.compact(self.model.revision());
        self.watches.clear();
        self.tally("restarts");
    }
}

#[test]
fn a_store_is_what_the_model_is() {
    const ROUND: usize = 2_000;
    let operations = option_env!("SANDBOX_OPERATIONS").and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for (seed, start) in (0x5eed_u64..).zip((0..operations).step_by(ROUND)) {
        println!("seed {seed:#x}");
        let mut run = Run::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in start..operations.min(start + ROUND) {
            run.step();
        }
        for (what, count) in run.tally {
            *tally.entry(what).or_default() += count;
        }
    }
    println!("{operations} operations: {tally:?}");
    if operations >= 20_000 {
        let expected = ["pages too old", "lists too old", "watches refused", "restarts", "DELETED", "BOOKMARK"];
        assert!(expected.iter().all(|what| tally.contains_key(what)), "{tally:?}");
    }
}
