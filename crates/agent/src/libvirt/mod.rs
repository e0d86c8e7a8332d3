//! Libvirt's documents about the host and its hypervisor, as KubeVirt's node-labeller container leaves them in a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::architecture::Architecture;
use crate::fault::{self, Fault, Problem, Source};
use crate::xml::{self, Element};

pub mod capabilities;
pub mod domain_capabilities;
pub mod features;
pub mod virsh;

pub use capabilities::{Capabilities, TimeStampCounter};
pub use domain_capabilities::{Confidential, DomainCapabilities, HostModel};

/// Where virt-handler looks for the documents.
pub const FOLDER: &str = "/var/lib/kubevirt-node-labeller";

/// Longest document. The longest known has 31,000 bytes; one of a host with 1,024 CPUs about 200,000.
const LONGEST: usize = 2 << 20;

/// A document of libvirt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// What guests may have on this host: `virsh domcapabilities`.
    DomainCapabilities,
    /// The features of the best guest CPU: `virsh hypervisor-cpu-baseline --features`.
    SupportedFeatures,
    /// The host and the machine types of its emulators: `virsh capabilities`.
    Capabilities,
    /// Whether arm64 guests can be emulated: `virsh domcapabilities --arch aarch64`.
    CrossAarch64,
    /// Whether amd64 guests can be emulated: `virsh domcapabilities --arch x86_64`.
    CrossX86,
}

impl Document {
    /// Every document.
    pub const ALL: [Self; 5] =
        [Self::DomainCapabilities, Self::SupportedFeatures, Self::Capabilities, Self::CrossAarch64, Self::CrossX86];

    /// The name of the file in [`FOLDER`].
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::DomainCapabilities => "virsh_domcapabilities.xml",
            Self::SupportedFeatures => "supported_features.xml",
            Self::Capabilities => "capabilities.xml",
            Self::CrossAarch64 => "virsh_domcapabilities_aarch64.xml",
            Self::CrossX86 => "virsh_domcapabilities_x86_64.xml",
        }
    }

    /// Whether a host of this architecture should have it. The others may be there and may be not.
    #[must_use]
    pub fn is_needed_on(self, architecture: Architecture) -> bool {
        match self {
            Self::DomainCapabilities | Self::Capabilities => architecture != Architecture::Other,
            Self::SupportedFeatures => architecture.has_cpu_models(),
            Self::CrossAarch64 | Self::CrossX86 => false,
        }
    }

    /// The architecture of the guests that a document on emulation is about.
    fn emulated(self) -> Option<Architecture> {
        match self {
            Self::CrossAarch64 => Some(Architecture::Arm64),
            Self::CrossX86 => Some(Architecture::Amd64),
            Self::DomainCapabilities | Self::SupportedFeatures | Self::Capabilities => None,
        }
    }
}

/// The documents as they were read, or why they were not. What is not here is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(BTreeMap<Document, Result<Vec<u8>, Problem>>);

impl Texts {
    /// Documents that were read.
    #[must_use]
    pub fn new(texts: impl IntoIterator<Item = (Document, Vec<u8>)>) -> Self {
        Self(texts.into_iter().map(|(document, text)| (document, Ok(text))).collect())
    }

    /// Reads the documents in a folder.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let read = |document: Document| (document, fault::read(&folder.join(document.file_name()), LONGEST));
        Self(Document::ALL.map(read).into())
    }

    /// Whether a document that a host of this architecture should have is missing.
    #[must_use]
    pub fn lacks_any(&self, architecture: Architecture) -> bool {
        let missing = |document: &Document| matches!(self.text(*document), Err(Problem::Missing));
        Document::ALL.iter().filter(|document| document.is_needed_on(architecture)).any(missing)
    }

    /// These documents, and those of `others` that are missing among these.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (document, text) in others.0 {
            if matches!(self.text(document), Err(Problem::Missing)) {
                self.0.insert(document, text);
            }
        }
        self
    }

    fn insert(&mut self, document: Document, text: Result<Vec<u8>, Problem>) {
        self.0.insert(document, text);
    }

    fn text(&self, document: Document) -> Result<&[u8], Problem> {
        match self.0.get(&document) {
            None => Err(Problem::Missing),
            Some(Ok(text)) => Ok(text),
            Some(Err(problem)) => Err(problem.clone()),
        }
    }
}

/// What the documents say; a document that is missing or not acceptable says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// `virsh_domcapabilities.xml`.
    pub domain: Option<DomainCapabilities>,
    /// `supported_features.xml`.
    pub features: Option<BTreeSet<String>>,
    /// `capabilities.xml`.
    pub host: Option<Capabilities>,
    /// The other architectures whose guests can be emulated, and the document that says so.
    pub emulated: BTreeMap<Architecture, Document>,
}

impl Documents {
    /// Understands what was read on a host of this architecture.
    #[must_use]
    pub fn parse(texts: &Texts, architecture: Architecture) -> (Self, Vec<Fault>) {
        let mut faults = Faults { architecture, found: Vec::new() };
        let documents = Self {
            domain: faults.domain(texts),
            features: faults.features(texts),
            host: faults.sift(Document::Capabilities, texts, |text| capabilities::parse(text, architecture)),
            emulated: faults.emulated(texts),
        };
        (documents, faults.found)
    }
}

/// Separates what was understood from what was not.
struct Faults {
    architecture: Architecture,
    found: Vec<Fault>,
}

impl Faults {
    fn sift<T>(
        &mut self,
        document: Document,
        texts: &Texts,
        parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
    ) -> Option<T> {
        let parsed = texts.text(document).and_then(parse);
        let fault = |problem| Fault::new(Source::Libvirt(document), problem);
        let expected = document.is_needed_on(self.architecture);
        parsed
            .map_err(|problem| {
                let absent = problem == Problem::Missing && !expected;
                self.found.extend((!absent).then(|| fault(problem)));
            })
            .ok()
    }

    fn domain(&mut self, texts: &Texts) -> Option<DomainCapabilities> {
        let (document, architecture) = (Document::DomainCapabilities, self.architecture);
        let domain = self.sift(document, texts, |text| domain_capabilities::parse(text, architecture))?;
        if domain.host_model.is_none() && architecture.has_cpu_models() {
            let problem = Problem::Malformed("has no host model".to_owned());
            self.found.push(Fault::new(Source::Libvirt(document), problem));
        }
        Some(domain)
    }

    fn features(&mut self, texts: &Texts) -> Option<BTreeSet<String>> {
        let architecture = self.architecture;
        let read = |text: &[u8]| features::parse(text, architecture);
        architecture.has_cpu_models().then(|| self.sift(Document::SupportedFeatures, texts, read)).flatten()
    }

    /// The architectures, other than the host's, about which there is a document.
    fn emulated(&mut self, texts: &Texts) -> BTreeMap<Architecture, Document> {
        let mut emulated = BTreeMap::new();
        for document in Document::ALL {
            let Some(guest) = document.emulated().filter(|guest| *guest != self.architecture) else { continue };
            // A probe that failed leaves an empty file.
            if texts.text(document).is_ok_and(|text| text.trim_ascii().is_empty()) {
                continue;
            }
            let parsed = self.sift(document, texts, |text| domain_capabilities::parse(text, guest));
            emulated.extend(parsed.map(|_| (guest, document)));
        }
        emulated
    }
}

/// The root element of a document, if it has this name.
fn root(text: &[u8], expected: &'static str) -> Result<Element, Problem> {
    let root = xml::parse(text)?;
    if root.name() == expected {
        return Ok(root);
    }
    Err(Problem::OtherDocument { expected, found: root.name().chars().take(32).collect() })
}

/// Refuses a document that says it is about another architecture; one that does not say is taken.
fn about(architecture: Architecture, named: Option<&Element>) -> Result<(), Problem> {
    let named = named.and_then(Element::some_text);
    let fits = |name: &str| architecture == Architecture::Other || name == architecture.kernel_name();
    match named.filter(|name| !fits(name)) {
        None => Ok(()),
        Some(found) => Err(Problem::OtherArchitecture {
            expected: architecture.kernel_name(),
            found: found.chars().take(32).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &[u8] = b"<domainCapabilities><arch>x86_64</arch><cpu><mode name='host-model'>\
        <model>EPYC</model></mode></cpu></domainCapabilities>";

    fn parse(texts: &Texts, architecture: Architecture) -> (Documents, Vec<String>) {
        let (documents, faults) = Documents::parse(texts, architecture);
        (documents, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_missing_depends_on_the_architecture() {
        let table: [(Architecture, &[&str]); 4] = [
            (Architecture::Amd64, &["virsh_domcapabilities.xml", "supported_features.xml", "capabilities.xml"]),
            (Architecture::S390x, &["virsh_domcapabilities.xml", "supported_features.xml", "capabilities.xml"]),
            (Architecture::Arm64, &["virsh_domcapabilities.xml", "capabilities.xml"]),
            (Architecture::Other, &[]),
        ];
        for (architecture, missing) in table {
            let (documents, faults) = parse(&Texts::default(), architecture);
            assert_eq!(documents, Documents::default());
            let expected: Vec<String> = missing.iter().map(|name| format!("{name}: is not there")).collect();
            assert_eq!(faults, expected, "{architecture:?}");
            assert_eq!(Texts::default().lacks_any(architecture), !missing.is_empty());
        }
    }

    #[test]
    fn one_broken_document_does_not_hide_the_others() {
        let texts = Texts::new([
            (Document::DomainCapabilities, b"<domainCapabilities>".to_vec()),
            (Document::SupportedFeatures, b"<cpu><feature policy='require' name='vmx'/></cpu>".to_vec()),
            (Document::Capabilities, b"<html/>".to_vec()),
        ]);
        let (documents, faults) = parse(&texts, Architecture::Amd64);
        assert_eq!(documents.features, Some(["vmx".to_owned()].into()));
        assert_eq!(
            faults,
            [
                "virsh_domcapabilities.xml: is no acceptable XML: it ends within <domainCapabilities>",
                "capabilities.xml: is no <capabilities> but <html>",
            ]
        );
    }

    #[test]
    fn a_document_about_another_architecture_is_refused() {
        let texts = Texts::new([
            (Document::DomainCapabilities, DOMAIN.to_vec()),
            (
                Document::Capabilities,
                b"<capabilities><host><cpu><arch>s390x</arch></cpu></host></capabilities>".to_vec(),
            ),
        ]);
        let (documents, faults) = parse(&texts, Architecture::Arm64);
        assert_eq!(documents, Documents::default());
        assert_eq!(
            faults,
            [
                "virsh_domcapabilities.xml: is about x86_64, not about aarch64",
                "capabilities.xml: is about s390x, not about aarch64",
            ]
        );
    }

    #[test]
    fn a_host_without_a_host_model_is_named_where_one_is_expected() {
        let texts = Texts::new([(Document::DomainCapabilities, b"<domainCapabilities/>".to_vec())]);
        for (architecture, named) in [(Architecture::Amd64, true), (Architecture::Arm64, false)] {
            let (documents, faults) = parse(&texts, architecture);
            assert!(documents.domain.is_some());
            let fault = "virsh_domcapabilities.xml: has no host model".to_owned();
            assert_eq!(faults.contains(&fault), named, "{faults:?}");
        }
    }

    #[test]
    fn emulated_are_the_other_architectures_with_a_document() {
        let arm = b"<domainCapabilities><arch>aarch64</arch></domainCapabilities>";
        let texts = |arm: &[u8], x86: &[u8]| {
            Texts::new([(Document::CrossAarch64, arm.to_vec()), (Document::CrossX86, x86.to_vec())])
        };
        type Case = (Architecture, &'static [u8], &'static [u8], &'static [Architecture], usize);
        let table: [Case; 5] = [
            (Architecture::Amd64, arm, DOMAIN, &[Architecture::Arm64], 0),
            (Architecture::Arm64, arm, DOMAIN, &[Architecture::Amd64], 0),
            (Architecture::S390x, arm, DOMAIN, &[Architecture::Amd64, Architecture::Arm64], 0),
            (Architecture::Amd64, b" \n", b"broken", &[], 0),
            (Architecture::Amd64, DOMAIN, b"", &[], 1),
        ];
        for (host, arm, x86, expected, faults) in table {
            let (documents, found) = parse(&texts(arm, x86), host);
            assert!(documents.emulated.keys().eq(expected), "{:?}", documents.emulated);
            let cross = found.iter().filter(|fault| fault.starts_with("virsh_domcapabilities_")).count();
            assert_eq!(cross, faults, "{found:?}");
        }
    }

    #[test]
    fn texts_fill_up_what_is_missing_only() {
        let ours = Texts::new([(Document::Capabilities, b"ours".to_vec())]);
        let theirs =
            Texts::new([(Document::Capabilities, b"theirs".to_vec()), (Document::CrossX86, b"theirs".to_vec())]);
        let both = ours.or(theirs);
        assert_eq!(both.text(Document::Capabilities), Ok(&b"ours"[..]));
        assert_eq!(both.text(Document::CrossX86), Ok(&b"theirs"[..]));
        assert!(both.lacks_any(Architecture::Amd64) && !both.lacks_any(Architecture::Other));
    }

    #[test]
    fn a_folder_is_read_file_by_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("virsh_domcapabilities.xml"), DOMAIN).unwrap();
        std::fs::create_dir(folder.path().join("capabilities.xml")).unwrap();
        let (documents, faults) = parse(&Texts::read(folder.path()), Architecture::Amd64);
        assert!(documents.domain.is_some());
        assert_eq!(faults, ["supported_features.xml: is not there", "capabilities.xml: is no regular file"],);
    }
}
