//! Everything that was collected, as one publication: only keys that kube-apiserver accepts and the profile owns, only
//! values that it allows, and not more than a bound. The same facts give an equal publication.

use chrono::{DateTime, SecondsFormat, Utc};
use ownership::Profile;
use ownership::key::{self, KeyError};
use ownership::matcher::{Owned, Pattern};
use ownership::publication::Publication;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use thiserror::Error;

use crate::fault::{Source, quoted};
use crate::keys;
use crate::ksm;
use crate::labeller::Label;

/// What the agent says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Guests may be scheduled here.
    pub schedulable: bool,
    /// When it says so.
    pub heartbeat: Option<SystemTime>,
}

/// What the node labeller wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// An administrator wants its labels on the Node left as they are.
    #[default]
    AsTheyAre,
    /// These, and no others.
    Of(Vec<Label>),
}

/// What makes up a publication; what is not given is not published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The agent's own marks.
    pub life: Option<Life>,
    /// Whether the kubelet's CPU manager pins guests to CPUs.
    pub cpu_manager: Option<bool>,
    /// Same-page merging.
    pub same_page_merging: Option<ksm::State>,
    /// The node labeller's.
    pub labels: Labels,
    /// Whether virt-handler's labeller is to leave this Node to the agent.
    pub takes_over: bool,
}

/// The most that is published. A Node as a whole may have 1.5 MiB in a request, of which its annotations 256 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Keys, of labels and annotations together. The most that is known of a real host is about 350.
    pub keys: usize,
    /// Bytes of keys and values together.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { keys: 2048, bytes: 128 << 10 }
    }
}

/// A publication, and how it came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assembly {
    /// What is published.
    pub publication: Publication,
    /// For each key, what says so.
    pub sources: BTreeMap<String, Source>,
    /// What is not published, each cause once for each source.
    pub left_out: Vec<LeftOut>,
    /// Labels of the Node that shall neither be written nor removed, whoever wrote them.
    pub as_they_are: Vec<Pattern>,
}

/// Keys of one source that are not published for one cause.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{from}: {} not published: {why}", counted(.key, *.count))]
pub struct LeftOut {
    /// What says so.
    pub from: Source,
    /// Why they are not published.
    pub why: Why,
    /// The first of them, quoted.
    pub key: String,
    /// How many there are.
    pub count: usize,
}

fn counted(key: &str, count: usize) -> String {
    if count == 1 { key.to_owned() } else { format!("{key} and {} more", count - 1) }
}

/// Why a key is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Why {
    /// kube-apiserver would not accept the key or the value.
    #[error("{0}")]
    Invalid(KeyError),
    /// The profile does not own the key.
    #[error("the profile does not own the key")]
    NotOwned,
    /// The profile does not allow the value.
    #[error("the profile does not allow the value")]
    Value,
    /// The publication is at its bound.
    #[error("the publication is full")]
    Full,
}

/// Puts the parts together, the agent's own marks first.
#[must_use]
pub fn assemble(parts: Parts, profile: &Profile, bounds: Bounds) -> Assembly {
    let Parts { life, cpu_manager, same_page_merging, labels, takes_over } = parts;
    let mut assembler = Assembler { profile, bounds, bytes: 0, assembly: Assembly::default() };
    assembler.life(life);
    if let Some(pinned) = cpu_manager {
        assembler.label(keys::CPU_MANAGER, &pinned.to_string(), Source::CpuManager);
        assembler.label(keys::OLD_CPU_MANAGER, &pinned.to_string(), Source::CpuManager);
    }
    if let Some(ksm::State { eligible, managed }) = same_page_merging {
        assembler.label(keys::KSM_ENABLED, &eligible.to_string(), Source::Ksm);
        assembler.annotation(keys::KSM_MANAGED, &managed.to_string(), Source::Ksm);
    }
    if takes_over {
        assembler.annotation(keys::SKIP_LABELLER, keys::TAKEN_OVER, Source::Agent);
    }
    match labels {
        Labels::AsTheyAre => assembler.assembly.as_they_are = keys::of_labeller(),
        Labels::Of(labels) => labels.iter().for_each(|label| assembler.label(&label.key, &label.value, label.from)),
    }
    assembler.assembly
}

struct Assembler<'a> {
    profile: &'a Profile,
    bounds: Bounds,
    bytes: usize,
    assembly: Assembly,
}

impl Assembler<'_> {
    fn life(&mut self, life: Option<Life>) {
        let Some(Life { schedulable, heartbeat }) = life else { return };
        self.label(keys::SCHEDULABLE, &schedulable.to_string(), Source::Agent);
        if let Some(time) = heartbeat {
            self.annotation(keys::HEARTBEAT, &timestamp(time), Source::Agent);
        }
    }

    fn label(&mut self, key: &str, value: &str, from: Source) {
        let valid = key::label_key(key).and_then(|()| key::label_value(value));
        let refused = self.refused(self.profile.labels(), valid, key, value);
        self.put(refused, key, value, from, |publication| &mut publication.labels);
    }

    fn annotation(&mut self, key: &str, value: &str, from: Source) {
        let refused = self.refused(self.profile.annotations(), key::annotation_key(key), key, value);
        self.put(refused, key, value, from, |publication| &mut publication.annotations);
    }

    fn refused(&self, owned: &Owned, valid: Result<(), KeyError>, key: &str, value: &str) -> Option<Why> {
        if let Err(error) = valid {
            return Some(Why::Invalid(error));
        }
        let Publication { labels, annotations } = &self.assembly.publication;
        let full = labels.len() + annotations.len() >= self.bounds.keys
            || self.bytes.saturating_add(key.len() + value.len()) > self.bounds.bytes;
        match (owned.owns(key), owned.allows(key, value)) {
            (false, _) => Some(Why::NotOwned),
            (true, false) => Some(Why::Value),
            (true, true) => full.then_some(Why::Full),
        }
    }

    fn put(
        &mut self,
        refused: Option<Why>,
        key: &str,
        value: &str,
        from: Source,
        map: fn(&mut Publication) -> &mut BTreeMap<String, String>,
    ) {
        if let Some(why) = refused {
            return self.leave_out(key, from, why);
        }
        self.bytes += key.len() + value.len();
        map(&mut self.assembly.publication).insert(key.to_owned(), value.to_owned());
        self.assembly.sources.insert(key.to_owned(), from);
    }

    fn leave_out(&mut self, key: &str, from: Source, why: Why) {
        let known = self.assembly.left_out.iter_mut().find(|known| known.from == from && known.why == why);
        match known {
            Some(known) => known.count += 1,
            None => self.assembly.left_out.push(LeftOut { from, why, key: quoted(key), count: 1 }),
        }
    }
}

/// RFC 3339 in UTC with whole seconds, as virt-handler writes it; nothing that the profile would allow where a clock
/// shows a time that has no such form.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let whole = |past: Duration| i64::try_from(past.as_secs()).ok();
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => whole(before.duration()).map(std::ops::Neg::neg),
    };
    let time = seconds.and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership::{builtin, parse};

    fn least() -> Profile {
        builtin::profile("kubevirt-least").unwrap().unwrap()
    }

    fn label(key: &str, value: &str) -> Label {
        Label { key: key.to_owned(), value: value.to_owned(), from: Source::Kvm }
    }

    fn of(labels: Vec<Label>) -> Parts {
        Parts { labels: Labels::Of(labels), ..Parts::default() }
    }

    fn at(seconds: u64) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    fn everything() -> Parts {
        Parts {
            life: Some(Life { schedulable: true, heartbeat: at(1_795_348_800) }),
            cpu_manager: Some(false),
            same_page_merging: Some(ksm::State { eligible: true, managed: false }),
            labels: Labels::Of(vec![label("hyperv.node.kubevirt.io/base", "true")]),
            takes_over: false,
        }
    }

    fn texts(map: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
        map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    #[test]
    fn every_part_has_its_keys_and_each_key_its_source() {
        let Assembly { publication, sources, left_out, as_they_are } =
            assemble(everything(), &least(), Bounds::default());
        let labels = [
            ("cpumanager", "false"),
            ("hyperv.node.kubevirt.io/base", "true"),
            ("kubevirt.io/cpumanager", "false"),
            ("kubevirt.io/ksm-enabled", "true"),
            ("kubevirt.io/schedulable", "true"),
        ];
        assert_eq!(texts(&publication.labels), labels);
        let annotations =
            [("kubevirt.io/heartbeat", "2026-11-22T12:00:00Z"), ("kubevirt.io/ksm-handler-managed", "false")];
        assert_eq!(texts(&publication.annotations), annotations);
        assert_eq!((left_out, as_they_are), (vec![], vec![]));
        assert_eq!(sources.len(), labels.len() + annotations.len());
        assert_eq!(sources["kubevirt.io/heartbeat"], Source::Agent);
        assert_eq!(sources["hyperv.node.kubevirt.io/base"], Source::Kvm);
    }

    #[test]
    fn what_is_not_given_is_not_published() {
        let assembly = assemble(of(vec![]), &least(), Bounds::default());
        assert_eq!(assembly, Assembly::default());
    }

    #[test]
    fn equal_facts_give_equal_publications_whatever_their_order() {
        let labels = ["a", "b", "c"].map(|name| label(&format!("hyperv.node.kubevirt.io/{name}"), "true"));
        let forth = assemble(of(labels.to_vec()), &least(), Bounds::default());
        let back = assemble(of(labels.into_iter().rev().collect()), &least(), Bounds::default());
        assert_eq!(forth.publication, back.publication);
    }

    #[test]
    fn a_skipped_labeller_leaves_its_labels_as_they_are() {
        let parts = Parts { labels: Labels::AsTheyAre, ..everything() };
        let assembly = assemble(parts, &least(), Bounds::default());
        assert!(!assembly.publication.labels.contains_key("hyperv.node.kubevirt.io/base"));
        let left = |key: &str| assembly.as_they_are.iter().any(|pattern| pattern.matches(key));
        assert!(left("hyperv.node.kubevirt.io/base") && left("kubevirt.io/sev") && left("kubevirt.io/s390-pv"));
        assert!(!left("kubevirt.io/schedulable") && !left("kubevirt.io/sev-unknown") && !left("example.org/x"));
    }

    #[test]
    fn what_the_server_or_the_profile_would_refuse_is_left_out_and_counted() {
        let long = format!("cpu-model.node.kubevirt.io/{}", "m".repeat(64));
        let parts = of(vec![
            label("cpu-vendor.node.kubevirt.io/", "true"),
            label("cpu-model.node.kubevirt.io/a b", "true"),
            label("cpu-model.node.kubevirt.io/é", "true"),
            label(&long, "true"),
            label("node-role.kubernetes.io/control-plane", "true"),
            label("kubevirt.io/schedulable", "perhaps"),
            label("cpu-timer.node.kubevirt.io/tsc-frequency", "99999999999999999999"),
            label("cpu-model.node.kubevirt.io/good", "true"),
        ]);
        let assembly = assemble(parts, &least(), Bounds::default());
        assert_eq!(texts(&assembly.publication.labels), [("cpu-model.node.kubevirt.io/good", "true")]);
        let found: Vec<_> = assembly.left_out.iter().map(|left| (left.why, left.count)).collect();
        let expected = [
            (Why::Invalid(KeyError::EmptyName), 1),
            (Why::Invalid(KeyError::Name), 2),
            (Why::Invalid(KeyError::LongName), 1),
            (Why::NotOwned, 1),
            (Why::Value, 2),
        ];
        assert_eq!(found, expected);
        let said = assembly.left_out[4].to_string();
        let whole = "kvm: \"kubevirt.io/schedulable\" and 1 more not published: the profile does not allow the value";
        assert_eq!(said, whole);
    }

    #[test]
    fn a_full_publication_takes_the_first_labels_and_names_the_rest() {
        let labels: Vec<Label> = (0..100).map(|n| label(&format!("hyperv.node.kubevirt.io/{n}"), "true")).collect();
        for bounds in [Bounds { keys: 12, bytes: 10_000 }, Bounds { keys: 10_000, bytes: 300 }] {
            let parts = Parts { labels: Labels::Of(labels.clone()), ..everything() };
            let Assembly { publication, left_out, .. } = assemble(parts, &least(), bounds);
            let published = publication.labels.len() + publication.annotations.len();
            let bytes: usize =
                publication.labels.iter().chain(&publication.annotations).map(|(k, v)| k.len() + v.len()).sum();
            assert!(published <= bounds.keys && bytes <= bounds.bytes, "{published} keys, {bytes} bytes");
            assert!(publication.labels.contains_key("kubevirt.io/schedulable"), "the agent's own marks come first");
            assert!(publication.labels.contains_key("hyperv.node.kubevirt.io/0"));
            assert_eq!(left_out.len(), 1);
            assert_eq!((left_out[0].why, left_out[0].count), (Why::Full, 106 - published));
        }
    }

    #[test]
    fn another_profile_owns_other_keys() {
        let text = "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {name: p}\nspec:\n  \
                    serviceAccount: {namespace: ns, name: agent}\n  labels: [{key: cpumanager}]\n";
        let assembly = assemble(everything(), &parse::profile(text).unwrap(), Bounds::default());
        assert_eq!(texts(&assembly.publication.labels), [("cpumanager", "false")]);
        assert!(assembly.publication.annotations.is_empty());
        assert!(assembly.left_out.iter().all(|left| left.why == Why::NotOwned));
    }

    #[test]
    fn times_are_rfc_3339_and_impossible_ones_are_left_out() {
        let before = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1));
        let table = [
            (at(0), Some("1970-01-01T00:00:00Z")),
            (before, Some("1969-12-31T23:59:59Z")),
            (at(253_402_300_799), Some("9999-12-31T23:59:59Z")),
            (at(253_402_300_800), None),
            (at(i64::MAX.unsigned_abs()), None),
        ];
        for (heartbeat, expected) in table {
            let parts = Parts { life: Some(Life { schedulable: true, heartbeat }), ..Parts::default() };
            let assembly = assemble(parts, &least(), Bounds::default());
            let published = assembly.publication.annotations.get(keys::HEARTBEAT).map(String::as_str);
            assert_eq!(published, expected, "{heartbeat:?}");
            assert_eq!(assembly.left_out.is_empty(), expected.is_some());
        }
    }
}
