//! From the facts about a host to the node labeller's labels.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::Source;
use crate::host::Facts;
use crate::keys::{self, Family};
use crate::libvirt::{Document, DomainCapabilities};
use crate::settings::Settings;

/// A label, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The key. Nobody has checked yet that it is one.
    pub key: String,
    /// The value.
    pub value: String,
    /// What says so.
    pub from: Source,
}

impl Label {
    /// A label with the value `true`.
    fn holds(key: impl Into<String>, from: Source) -> Self {
        Self { key: key.into(), value: true.to_string(), from }
    }
}

const DOMAIN: Source = Source::Libvirt(Document::DomainCapabilities);
const HOST: Source = Source::Libvirt(Document::Capabilities);

/// Whether an administrator wants the labeller to leave this Node alone. This agent's own annotation, for virt-handler,
/// does not count.
#[must_use]
pub fn is_skipped(annotations: &BTreeMap<String, String>) -> bool {
    annotations.get(keys::SKIP_LABELLER).is_some_and(|value| value != keys::TAKEN_OVER)
}

/// The name of the host's CPU model, if the administrator named it obsolete.
#[must_use]
pub fn obsolete_host_model<'a>(facts: &'a Facts, settings: &Settings) -> Option<&'a str> {
    let model = facts.domain()?.host_model.as_ref()?;
    let obsolete = facts.architecture.has_cpu_models() && settings.names_obsolete(&model.name);
    obsolete.then_some(model.name.as_str())
}

/// The labels, those first that the others are worth least without: where a publication is full, the last are left out.
#[must_use]
pub fn labels(facts: &Facts, settings: &Settings) -> Vec<Label> {
    let mut labels = Vec::new();
    labels.extend(vendor(facts).map(|(name, from)| Label::holds(Family::Vendor.key(name), from)));
    labels.extend(obsolete_host_model(facts, settings).map(|_| Label::holds(keys::OBSOLETE_HOST_MODEL, DOMAIN)));
    labels.extend(counter(facts));
    labels.extend(facts.realtime.then(|| Label::holds(keys::REALTIME, Source::Scheduler)));
    labels.extend(confidential(facts));
    labels.extend(settings.cross_architecture.then(|| guests(facts)).into_iter().flatten());
    labels.extend(family(Family::HyperV, &facts.hyperv, Source::Kvm));
    labels.extend(cpu(facts, settings));
    let machines = facts.documents.host.iter().flat_map(|host| &host.machines);
    labels.extend(family(Family::Machine, machines, HOST));
    labels
}

fn family<T: AsRef<str>>(
    family: Family,
    names: impl IntoIterator<Item = T>,
    from: Source,
) -> impl Iterator<Item = Label> {
    names.into_iter().map(move |name| Label::holds(family.key(name.as_ref()), from))
}

/// The vendor of the CPU: as libvirt names it for guests, as it names it for the host, as the host does.
fn vendor(facts: &Facts) -> Option<(&str, Source)> {
    if !facts.architecture.has_cpu_models() {
        return None;
    }
    let of_guests = facts.domain().and_then(|domain| domain.vendor.as_deref());
    let of_host = facts.documents.host.as_ref().and_then(|host| host.vendor.as_deref());
    let only = facts.architecture.only_vendor();
    let named = [(of_guests, DOMAIN), (only, DOMAIN), (of_host, HOST), (facts.vendor, Source::Processor)];
    named.into_iter().find_map(|(vendor, from)| Some((vendor?, from)))
}

/// The time stamp counter: as libvirt's document says, of which KVM stands in only if there is none.
fn counter(facts: &Facts) -> Vec<Label> {
    let (counter, from) = match &facts.documents.host {
        Some(host) => (host.counter, HOST),
        None => (facts.counter, Source::Kvm),
    };
    let Some(counter) = counter else { return Vec::new() };
    let label = |key: &str, value: String| Label { key: key.to_owned(), value, from };
    vec![
        label(keys::TSC_FREQUENCY, counter.frequency.to_string()),
        label(keys::TSC_SCALABLE, counter.scalable.to_string()),
    ]
}

fn confidential(facts: &Facts) -> impl Iterator<Item = Label> {
    let ways = facts.domain().into_iter().flat_map(|domain| &domain.confidential);
    ways.map(|way| Label::holds(keys::confidential(*way), DOMAIN))
}

/// The architectures of guests: the host's own, and those that can be emulated.
fn guests(facts: &Facts) -> impl Iterator<Item = Label> {
    let native = std::iter::once((facts.architecture, Source::Agent));
    let emulated = facts.documents.emulated.iter().map(|(guest, document)| (*guest, Source::Libvirt(*document)));
    native.chain(emulated).filter_map(|(guest, from)| Some(Label::holds(keys::guest_architecture(guest)?, from)))
}

fn cpu(facts: &Facts, settings: &Settings) -> Vec<Label> {
    if !facts.architecture.has_cpu_models() {
        return Vec::new();
    }
    let none = DomainCapabilities::default();
    let domain = facts.domain().unwrap_or(&none);
    let wanted = |models: &'_ BTreeSet<String>| -> Vec<String> {
        models.iter().filter(|model| !settings.leaves_out(model)).cloned().collect()
    };
    let host = domain.host_model.as_ref();
    let required = host.iter().flat_map(|host| &host.required_features);
    let features = facts.documents.features.iter().flatten();
    family(Family::HostModel, host.iter().map(|host| &host.name), DOMAIN)
        .chain(family(Family::Model, wanted(&domain.usable_models), DOMAIN))
        .chain(family(Family::Feature, features, Source::Libvirt(Document::SupportedFeatures)))
        .chain(family(Family::KnownModel, wanted(&domain.known_models), DOMAIN))
        .chain(family(Family::RequiredFeature, required, DOMAIN))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Architecture;
    use crate::libvirt::capabilities::TimeStampCounter;
    use crate::libvirt::{Documents, Texts};
    use serde_json::{Value, json};
    use std::num::NonZeroU64;

    const INTEL: &str = "<domainCapabilities><arch>x86_64</arch><cpu>
        <mode name='host-model' supported='yes'><model fallback='allow'>Skylake</model><vendor>Intel</vendor>
          <feature policy='require' name='ds'/><feature policy='disable' name='pni'/></mode>
        <mode name='custom'><model usable='no'>EPYC</model><model>silent</model><model usable='no'>486</model>
          <model usable='yes'>Penryn</model><model usable='yes'>Skylake</model><model usable='yes'>Opteron_G2</model>
        </mode></cpu><features><sev supported='yes'/><tdx supported='yes'/></features></domainCapabilities>";
    const FEATURES: &str = "<cpu><feature policy='require' name='vmx'/><feature policy='disable' name='svm'/></cpu>";
    const HOST: &str = "<capabilities><host><cpu><arch>x86_64</arch><vendor>AMD</vendor>
        <counter name='tsc' frequency='2596136000' scaling='yes'/></cpu></host>
        <guest><arch name='x86_64'><machine>q35</machine></arch></guest></capabilities>";

    fn facts(architecture: Architecture, texts: &[(Document, &str)]) -> Facts {
        let texts = Texts::new(texts.iter().map(|(document, text)| (*document, text.as_bytes().to_vec())));
        Facts { documents: Documents::parse(&texts, architecture).0, ..Facts::none(architecture) }
    }

    fn intel() -> Facts {
        let texts = [
            (Document::DomainCapabilities, INTEL),
            (Document::SupportedFeatures, FEATURES),
            (Document::Capabilities, HOST),
        ];
        facts(Architecture::Amd64, &texts)
    }

    fn settings(configuration: Value) -> Settings {
        Settings::from_configuration(&configuration).unwrap()
    }

    fn keys(facts: &Facts, settings: &Settings) -> BTreeSet<String> {
        labels(facts, settings).into_iter().map(|label| label.key).collect()
    }

    fn names(family: Family, facts: &Facts, settings: &Settings) -> Vec<String> {
        let keys = keys(facts, settings);
        keys.iter().filter_map(|key| key.strip_prefix(family.prefix())).map(str::to_owned).collect()
    }

    #[test]
    fn each_family_holds_what_libvirt_says() {
        let table: [(Family, &[&str]); 8] = [
            (Family::Feature, &["vmx"]),
            (Family::Model, &["Penryn", "Skylake"]),
            (Family::KnownModel, &["EPYC", "Penryn", "Skylake"]),
            (Family::Vendor, &["Intel"]),
            (Family::HyperV, &["base", "ipi"]),
            (Family::Machine, &["q35"]),
            (Family::HostModel, &["Skylake"]),
            (Family::RequiredFeature, &["ds"]),
        ];
        let facts = Facts { hyperv: ["base", "ipi"].into(), ..intel() };
        for (family, expected) in table {
            assert_eq!(names(family, &facts, &Settings::default()), expected, "{family:?}");
        }
    }

    #[test]
    fn kvm_stands_in_for_a_missing_document_only() {
        let counter = NonZeroU64::new(7000).map(|frequency| TimeStampCounter { frequency, scalable: false });
        let publishes = |documents: &[(Document, &str)]| {
            let facts = Facts { counter, ..facts(Architecture::Amd64, documents) };
            labels(&facts, &Settings::default()).into_iter().find(|label| label.key == keys::TSC_FREQUENCY)
        };
        let from_kvm = Label { key: keys::TSC_FREQUENCY.into(), value: "7000".into(), from: Source::Kvm };
        assert_eq!(publishes(&[]), Some(from_kvm));
        let silent = "<capabilities><host><cpu><arch>x86_64</arch></cpu></host></capabilities>";
        assert_eq!(publishes(&[(Document::Capabilities, silent)]), None);
    }

    #[test]
    fn single_labels_hold_what_the_host_shows() {
        let facts = Facts { realtime: true, ..intel() };
        let labels = labels(&facts, &Settings::default());
        let value = |key: &str| labels.iter().find(|label| label.key == key).map(|label| label.value.as_str());
        let table = [
            (keys::TSC_FREQUENCY, Some("2596136000")),
            (keys::TSC_SCALABLE, Some("true")),
            (keys::REALTIME, Some("true")),
            ("kubevirt.io/sev", Some("true")),
            ("kubevirt.io/sev-es", None),
            ("kubevirt.io/tdx", Some("true")),
            ("kubevirt.io/s390-pv", None),
            (keys::OBSOLETE_HOST_MODEL, None),
            ("kubevirt.io/vm-arch-amd64", None),
        ];
        for (key, expected) in table {
            assert_eq!(value(key), expected, "{key}");
        }
        assert!(!keys(&intel(), &Settings::default()).contains(keys::REALTIME));
    }

    #[test]
    fn a_list_of_obsolete_models_replaces_the_default_one() {
        let own = settings(json!({"obsoleteCPUModels": {"Penryn": true}}));
        assert_eq!(names(Family::Model, &intel(), &own), ["Opteron_G2", "Skylake"]);
        assert_eq!(names(Family::KnownModel, &intel(), &own), ["486", "EPYC", "Opteron_G2", "Skylake"]);
        let all = json!({"486": true, "EPYC": true, "Penryn": true, "Skylake": true, "Opteron_G2": true});
        let all = settings(json!({"obsoleteCPUModels": all}));
        assert!(
            names(Family::Model, &intel(), &all).is_empty() && names(Family::KnownModel, &intel(), &all).is_empty()
        );
    }

    #[test]
    fn an_obsolete_host_model_is_marked_if_the_administrator_named_it() {
        let own = settings(json!({"obsoleteCPUModels": {"Skylake": false}}));
        assert_eq!(obsolete_host_model(&intel(), &own), Some("Skylake"));
        let keys = keys(&intel(), &own);
        assert!(keys.contains(keys::OBSOLETE_HOST_MODEL) && keys.contains("host-model-cpu.node.kubevirt.io/Skylake"));
        let by_default = INTEL.replace("'allow'>Skylake", "'allow'>kvm64");
        let by_default = facts(Architecture::Amd64, &[(Document::DomainCapabilities, &by_default)]);
        assert_eq!(obsolete_host_model(&by_default, &Settings::default()), None);
        assert_eq!(names(Family::HostModel, &by_default, &Settings::default()), ["kvm64"]);
    }

    #[test]
    fn the_vendor_is_the_first_that_is_named() {
        let silent = INTEL.replace("<vendor>Intel</vendor>", "<vendor/>");
        let (domain, host) = ((Document::DomainCapabilities, silent.as_str()), (Document::Capabilities, HOST));
        let native = |facts: Facts| Facts { vendor: Some("Hygon"), ..facts };
        let table = [
            (intel(), Some(("Intel", Source::Libvirt(Document::DomainCapabilities)))),
            (facts(Architecture::Amd64, &[domain, host]), Some(("AMD", Source::Libvirt(Document::Capabilities)))),
            (native(facts(Architecture::Amd64, &[domain])), Some(("Hygon", Source::Processor))),
            (facts(Architecture::Amd64, &[domain]), None),
            (native(facts(Architecture::S390x, &[])), Some(("IBM", Source::Libvirt(Document::DomainCapabilities)))),
            (native(facts(Architecture::Arm64, &[])), None),
        ];
        for (facts, expected) in table {
            assert_eq!(vendor(&facts), expected);
        }
        let nobody = facts(Architecture::Amd64, &[domain]);
        assert!(names(Family::Vendor, &nobody, &Settings::default()).is_empty(), "no label without a name");
    }

    #[test]
    fn arm64_publishes_machines_and_no_cpu() {
        let domain = INTEL.replace("x86_64", "aarch64");
        let host = HOST.replace("x86_64", "aarch64").replace("q35", "virt");
        let texts = [
            (Document::DomainCapabilities, domain.as_str()),
            (Document::SupportedFeatures, FEATURES),
            (Document::Capabilities, host.as_str()),
        ];
        let facts = facts(Architecture::Arm64, &texts);
        assert_eq!(names(Family::Machine, &facts, &Settings::default()), ["virt"]);
        for family in [Family::Feature, Family::Model, Family::KnownModel, Family::Vendor, Family::HostModel] {
            assert!(names(family, &facts, &Settings::default()).is_empty(), "{family:?}");
        }
    }

    #[test]
    fn s390x_takes_features_without_a_policy() {
        let features = "<cpu><feature name='aen'/><feature name='vx'/></cpu>";
        let facts = facts(Architecture::S390x, &[(Document::SupportedFeatures, features)]);
        assert_eq!(names(Family::Feature, &facts, &Settings::default()), ["aen", "vx"]);
        assert_eq!(names(Family::Vendor, &facts, &Settings::default()), ["IBM"]);
    }

    #[test]
    fn guests_of_other_architectures_only_with_the_gate() {
        let gate = settings(json!({"developerConfiguration": {"featureGates": ["CrossArchitectureVirtualization"]}}));
        let arm = "<domainCapabilities><arch>aarch64</arch></domainCapabilities>";
        let guests = |facts: &Facts, settings: &Settings| -> Vec<String> {
            keys(facts, settings).into_iter().filter(|key| key.contains("vm-arch")).collect()
        };
        let cross = facts(Architecture::Amd64, &[(Document::CrossAarch64, arm)]);
        assert!(guests(&cross, &Settings::default()).is_empty());
        assert_eq!(guests(&intel(), &gate), ["kubevirt.io/vm-arch-amd64"]);
        assert_eq!(guests(&cross, &gate), ["kubevirt.io/vm-arch-amd64", "kubevirt.io/vm-arch-arm64"]);
        assert!(guests(&Facts::none(Architecture::Other), &gate).is_empty());
    }

    #[test]
    fn the_annotation_alone_skips() {
        let annotated = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        for value in ["true", "false", ""] {
            assert!(is_skipped(&annotated("node-labeller.kubevirt.io/skip-node", value)));
        }
        assert!(!is_skipped(&annotated("node-labeller.kubevirt.io/skip-node", "nodebound-agent")));
        assert!(!is_skipped(&annotated("node-labeller.kubevirt.io/skip", "true")) && !is_skipped(&BTreeMap::new()));
    }

    #[test]
    fn no_key_stands_twice() {
        let facts = Facts { hyperv: ["base"].into(), realtime: true, ..intel() };
        let labels = labels(&facts, &Settings::default());
        let unique: BTreeSet<&str> = labels.iter().map(|label| label.key.as_str()).collect();
        assert_eq!(unique.len(), labels.len());
    }
}
