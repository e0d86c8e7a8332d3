//! What could not be read or understood, and reading files with a bound.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use thiserror::Error;

use crate::libvirt::Document;
use crate::xml::XmlError;

/// Longest text of ours that quotes what was read.
const QUOTE: usize = 120;

/// Something that the agent reads, or the agent itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The agent: its readiness, its heartbeat.
    Agent,
    /// One of libvirt's documents.
    Libvirt(Document),
    /// KVM's device.
    Kvm,
    /// `/proc/cpuinfo`.
    Processor,
    /// `kernel.sched_rt_runtime_us`.
    Scheduler,
    /// The kubelet's CPU manager state.
    CpuManager,
    /// The control files of the kernel's same-page merging.
    Ksm,
    /// `/proc/meminfo`.
    Memory,
    /// The labels and annotations of the Node.
    Node,
    /// The KubeVirt object.
    KubeVirt,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "agent",
            Self::Libvirt(document) => document.file_name(),
            Self::Kvm => "kvm",
            Self::Processor => "cpuinfo",
            Self::Scheduler => "sched_rt_runtime_us",
            Self::CpuManager => "cpu_manager_state",
            Self::Ksm => "ksm",
            Self::Memory => "meminfo",
            Self::Node => "node",
            Self::KubeVirt => "kubevirt",
        })
    }
}

/// What is wrong with something that was read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// It does not exist.
    #[error("is not there")]
    Missing,
    /// The agent may not read or write it.
    #[error("permission denied")]
    Denied,
    /// A directory, a pipe, a device.
    #[error("is no regular file")]
    NotAFile,
    /// It exceeds its bound.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// Any other failure of the system.
    #[error("{0}")]
    System(String),
    /// It is no XML, or XML that the agent does not take.
    #[error("is no acceptable XML: {0}")]
    Xml(#[from] XmlError),
    /// An XML document of another kind.
    #[error("is no <{expected}> but <{found}>")]
    OtherDocument {
        /// The root element that was looked for.
        expected: &'static str,
        /// The root element of the document.
        found: String,
    },
    /// A document about another architecture than the host's.
    #[error("is about {found}, not about {expected}")]
    OtherArchitecture {
        /// The host's architecture.
        expected: &'static str,
        /// What the document says.
        found: String,
    },
    /// A text that is not of its form.
    #[error("{0}")]
    Malformed(String),
    /// A program did not end in time.
    #[error("virsh did not answer in time")]
    Timeout,
}

impl Problem {
    /// A [`Problem::Malformed`] that quotes what was read, cut to a bearable length.
    pub(crate) fn malformed(said: &str, read: &str) -> Self {
        Self::Malformed(format!("{said}: {}", quoted(read)))
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::System(error.to_string()),
        }
    }
}

/// One thing that could not be read, or not in whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{at}: {problem}")]
pub struct Fault {
    /// Where.
    pub at: Source,
    /// What is wrong.
    pub problem: Problem,
}

impl Fault {
    /// A fault of something that was read.
    #[must_use]
    pub fn new(source: Source, problem: Problem) -> Self {
        Self { at: source, problem }
    }

    /// Whether the thing is simply not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.problem == Problem::Missing
    }
}

/// `text` with quotes and escapes, cut to a bearable length.
pub(crate) fn quoted(text: &str) -> String {
    let (end, _) = text.char_indices().nth(QUOTE).unwrap_or((text.len(), ' '));
    let cut = if end < text.len() { "…" } else { "" };
    format!("{:?}{cut}", text.get(..end).unwrap_or_default())
}

/// Reads a regular file of at most `limit` bytes.
///
/// What is no regular file is not opened: a pipe would block.
///
/// # Errors
/// Why there are no bytes.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Problem> {
    if !fs::metadata(path)?.is_file() {
        return Err(Problem::NotAFile);
    }
    bounded(File::open(path)?, limit)
}

/// Reads to the end, if that comes within `limit` bytes.
pub(crate) fn bounded(reader: impl Read, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(Problem::TooLong(limit)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5), Ok(b"12345".to_vec()));
        assert_eq!(read(&file, 4), Err(Problem::TooLong(4)));
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path(), 5), Err(Problem::NotAFile));
        assert_eq!(read(&folder.path().join("absent"), 5), Err(Problem::Missing));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(read(&file.join("below a file"), 5), Err(Problem::Missing));
        assert_eq!(read(Path::new("/dev/null"), 5), Err(Problem::NotAFile));
    }

    #[test]
    fn quotes_are_cut_between_characters() {
        assert_eq!(quoted("a\nb"), r#""a\nb""#);
        let long = "é".repeat(QUOTE + 1);
        assert_eq!(quoted(&long), format!("{:?}…", "é".repeat(QUOTE)));
        assert_eq!(quoted(&"é".repeat(QUOTE)), format!("{:?}", "é".repeat(QUOTE)));
    }

    #[test]
    fn a_fault_says_where_and_what() {
        let fault = Fault::new(Source::Libvirt(Document::Capabilities), Problem::Missing);
        assert_eq!(fault.to_string(), "capabilities.xml: is not there");
        assert!(fault.is_missing() && !Fault::new(Source::Kvm, Problem::Denied).is_missing());
    }
}
