//! Merging an applied object into the live one (`structured-merge-diff/typed/merge.go`).

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::form::{self, Form, ListForm, Place};
use super::path::Element;
use super::validate::Errors;

/// The live object with the applied one over it. Nothing is removed.
pub(super) fn merge(live: &Value, applied: &Value, place: Place<'_>) -> Result<Value, Errors> {
    both(Some(live), Some(applied), place).map(Option::unwrap_or_default)
}

/// `None` if nothing is left, which is not the same as a null.
fn both(live: Option<&Value>, applied: Option<&Value>, place: Place<'_>) -> Result<Option<Value>, Errors> {
    let Some(value) = applied else { return Ok(live.cloned()) };
    match place.form(applied) {
        Form::Scalar(_) | Form::Map { atomic: true } | Form::List(ListForm::Atomic) => Ok(Some(value.clone())),
        Form::Map { atomic: false } => maps(live, value, place),
        Form::List(list) => lists(list, live, value, place),
    }
}

fn maps(live: Option<&Value>, applied: &Value, place: Place<'_>) -> Result<Option<Value>, Errors> {
    let before = form::entries(live).filter(|entries| !entries.is_empty());
    let after = form::entries(Some(applied)).filter(|entries| !entries.is_empty());
    if before.is_none() && after.is_none() {
        return Ok(Some(applied.clone()));
    }
    let names: BTreeSet<&String> = before.iter().chain(&after).flat_map(|entries| entries.keys()).collect();
    let mut out = Map::new();
    for name in names {
        let (live, applied) = (before.and_then(|map| map.get(name)), after.and_then(|map| map.get(name)));
        let merged = both(live, applied, place.entry(name)).map_err(|errors| errors.below(&Element::field(name)))?;
        out.extend(merged.map(|value| (name.clone(), value)));
    }
    Ok(Some(Value::Object(out)).filter(|out| out.as_object().is_some_and(|out| !out.is_empty())))
}

fn lists(list: ListForm<'_>, live: Option<&Value>, applied: &Value, place: Place<'_>) -> Result<Option<Value>, Errors> {
    let (before, after) = (form::items(live), form::items(Some(applied)));
    if before.is_empty() && after.is_empty() {
        return Ok(Some(applied.clone()));
    }
    let mut merger = ListMerger::new(list, before, after, place)?;
    let out = merger.run()?;
    Ok(Some(out).filter(|out| !out.is_empty()).map(Value::Array))
}

/// A list with its items by element.
struct Indexed<'v> {
    order: Vec<Element>,
    items: &'v [Value],
    known: BTreeMap<Element, &'v Value>,
}

static NULL: Value = Value::Null;

impl<'v> Indexed<'v> {
    /// Items that are there more than once are not merged with anything, if they are allowed at all.
    fn new(list: ListForm<'_>, items: &'v [Value], place: Place<'_>, duplicates: bool) -> Result<Self, Errors> {
        let mut known = BTreeMap::new();
        let mut order = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let element = place.element(list, item).map_err(|message| Errors::element(index, &message))?;
            let repeated = known.contains_key(&element);
            if repeated && !duplicates {
                return Err(Errors::one(format!("duplicate entries for key {element}")));
            }
            known.insert(element.clone(), if repeated { &NULL } else { item });
            order.push(element);
        }
        Ok(Self { order, items, known })
    }

    fn get(&self, element: &Element) -> Option<&'v Value> {
        self.known.get(element).copied()
    }
}

/// Brings the items of two lists into one order: shared items in the order of the applied list, the others of the
/// live list where they were among them.
struct ListMerger<'v, 't> {
    live: Indexed<'v>,
    applied: Indexed<'v>,
    place: Place<'t>,
    /// The items of the applied list that the live one has, and that are still to come.
    shared: VecDeque<Element>,
    merged: BTreeSet<Element>,
    out: Vec<Value>,
}

/// What to do next.
enum Step {
    /// Both lists continue with the same item.
    Both,
    /// The item of the live list comes in a later round.
    SkipLive,
    /// The item of the live list has been merged.
    SkipLiveTakeApplied,
    TakeLive,
    TakeApplied,
}

impl<'v, 't> ListMerger<'v, 't> {
    fn new(list: ListForm<'_>, live: &'v [Value], applied: &'v [Value], place: Place<'t>) -> Result<Self, Errors> {
        let applied = Indexed::new(list, applied, place, false)?;
        let live = Indexed::new(list, live, place, true)?;
        let shared = applied.order.iter().filter(|element| live.get(element).is_some()).cloned().collect();
        Ok(Self { live, applied, place, shared, merged: BTreeSet::new(), out: Vec::new() })
    }

    fn run(&mut self) -> Result<Vec<Value>, Errors> {
        let (mut l, mut r) = (0, 0);
        while l < self.live.order.len() || r < self.applied.order.len() {
            match self.step(self.live.order.get(l), self.applied.order.get(r)) {
                Step::Both => {
                    self.shared.pop_front();
                    self.take_applied(r)?;
                    l += 1;
                    r += 1;
                }
                Step::SkipLive => l += 1,
                Step::TakeLive => {
                    self.out.extend(self.live.items.get(l).cloned());
                    l += 1;
                }
                step => {
                    l += usize::from(matches!(step, Step::SkipLiveTakeApplied));
                    self.take_shared(r);
                    self.take_applied(r)?;
                    r += 1;
                }
            }
        }
        Ok(std::mem::take(&mut self.out))
    }

    fn step(&self, live: Option<&Element>, applied: Option<&Element>) -> Step {
        let Some(live) = live else { return Step::TakeApplied };
        let shared = self.applied.get(live).is_some();
        let awaited = self.shared.front();
        match applied {
            Some(applied) if applied == live => Step::Both,
            Some(_) if shared && awaited.is_some_and(|awaited| awaited != live) => Step::SkipLive,
            _ if !shared => Step::TakeLive,
            None => Step::SkipLive,
            Some(_) if self.merged.contains(live) => Step::SkipLiveTakeApplied,
            Some(_) => Step::TakeApplied,
        }
    }

    fn take_shared(&mut self, index: usize) {
        let element = self.applied.order.get(index);
        if element.is_some() && element == self.shared.front() {
            self.shared.pop_front();
        }
    }

    fn take_applied(&mut self, index: usize) -> Result<(), Errors> {
        let Some(element) = self.applied.order.get(index) else { return Ok(()) };
        let item = both(self.live.get(element), self.applied.get(element), self.place.item());
        self.out.extend(item.map_err(|errors| errors.below(element))?);
        self.merged.insert(element.clone());
        Ok(())
    }
}
