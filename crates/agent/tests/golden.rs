//! The labels of real hosts, from documents that libvirt wrote there, and of the hosts of upstream's tests.
//!
//! The documents lie beside the project, in `../shared/data`. Where they do not, these tests are ignored and say so.
#![expect(clippy::print_stderr, reason = "a test says why it is ignored")]

use agent::libvirt::{Document, Documents, Texts};
use agent::publication::{Assembly, Bounds, Labels, Parts, assemble};
use agent::{Architecture, Facts, Fault, Settings, labeller};
use libtest_mimic::{Arguments, Failed, Trial};
use ownership::builtin;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The name of a golden file, the architecture, and each document with the file that it stands in.
type Host = (&'static str, Architecture, &'static [(Document, &'static str)]);

type Test = Box<dyn FnOnce(&Path) -> Result<(), String> + Send>;

use Document::{Capabilities, CrossAarch64, DomainCapabilities as Domain, SupportedFeatures};

const HOSTS: [Host; 13] = [
    (
        "epyc-kvm",
        Architecture::Amd64,
        &[
            (Domain, "epyc-kvm/virsh_domcapabilities.xml"),
            (SupportedFeatures, "epyc-kvm/supported_features.xml"),
            (Capabilities, "epyc-kvm/capabilities.xml"),
        ],
    ),
    ("epyc-tcg", Architecture::Amd64, &[(Domain, "epyc-tcg/virsh_domcapabilities.xml")]),
    (
        "intel-with-aarch64",
        Architecture::Amd64,
        &[
            (Domain, "virsh_domcapabilities.xml"),
            (SupportedFeatures, "supported_features.xml"),
            (CrossAarch64, "virsh_domcapabilities_aarch64.xml"),
        ],
    ),
    (
        "nothing-usable",
        Architecture::Amd64,
        &[(Domain, "virsh_domcapabilities_nothing_usable.xml"), (SupportedFeatures, "supported_features.xml")],
    ),
    ("no-sev", Architecture::Amd64, &[(Domain, "domcapabilities_nosev.xml")]),
    ("sev-without-es", Architecture::Amd64, &[(Domain, "domcapabilities_noseves.xml")]),
    ("sev-es", Architecture::Amd64, &[(Domain, "domcapabilities_sev.xml")]),
    ("sev-snp", Architecture::Amd64, &[(Domain, "domcapabilities_sevsnp.xml")]),
    ("tdx", Architecture::Amd64, &[(Domain, "domcapabilities_tdx.xml")]),
    ("aarch64", Architecture::Arm64, &[(Domain, "virsh_domcapabilities_aarch64.xml")]),
    (
        "s390x",
        Architecture::S390x,
        &[(Domain, "s390x/virsh_domcapabilities.xml"), (SupportedFeatures, "s390x/supported_features.xml")],
    ),
    (
        "s390x-secure-execution",
        Architecture::S390x,
        &[(Domain, "s390x/domcapabilities_s390-pv.xml"), (SupportedFeatures, "s390x/supported_features.xml")],
    ),
    (
        "s390x-documents-on-amd64",
        Architecture::Amd64,
        &[
            (Domain, "s390x/virsh_domcapabilities.xml"),
            (SupportedFeatures, "s390x/supported_features.xml"),
            (Capabilities, "epyc-kvm/capabilities.xml"),
        ],
    ),
];

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/node-labeller");
    let missing = !folder.exists();
    if missing {
        eprintln!("{} is not there: the tests on real documents are ignored", folder.display());
    }
    let trial = |name: &str, test: Test| {
        let folder = folder.clone();
        Trial::test(name, move || test(&folder).map_err(Failed::from)).with_ignored_flag(missing)
    };
    let mut trials: Vec<Trial> =
        HOSTS.into_iter().map(|host| trial(host.0, Box::new(move |folder| matches_golden(folder, host)))).collect();
    trials.push(trial("every beginning of a document is taken whole or not at all", Box::new(truncated)));
    trials.push(trial("the states of upstream's CPU manager", Box::new(cpu_manager_states)));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Compares with `tests/golden/<name>.txt`; `UPDATE_GOLDEN=1` writes it.
fn matches_golden(folder: &Path, (name, architecture, files): Host) -> Result<(), String> {
    let text = described(folder, architecture, files)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).map_err(|error| error.to_string())?;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    if text == golden {
        return Ok(());
    }
    let lines = |from: &str, of: &str| -> String {
        let only = from.lines().filter(|line| !of.lines().any(|other| other == *line));
        only.fold(String::new(), |all, line| all + "\n  " + line)
    };
    let (new, gone) = (lines(&text, &golden), lines(&golden, &text));
    let hint = "if that is meant, run the test with UPDATE_GOLDEN=1";
    Err(format!("{} differs; {hint}\nnew:{new}\ngone:{gone}", path.display()))
}

/// What a host publishes, each label with what says so, and what is missing.
fn described(folder: &Path, architecture: Architecture, files: &[(Document, &str)]) -> Result<String, String> {
    let gates = serde_json::json!({"developerConfiguration": {"featureGates": ["CrossArchitectureVirtualization"]}});
    let settings = Settings::from_configuration(&gates).map_err(|error| error.to_string())?;
    let (facts, faults) = facts(folder, architecture, files)?;
    let Assembly { publication, sources, left_out, as_they_are: _ } = assembled(&facts, &settings)?;
    let mut text = String::new();
    for (key, value) in &publication.labels {
        let source = sources.get(key).map(ToString::to_string).unwrap_or_default();
        writeln!(text, "{key}={value}  {source}").map_err(|error| error.to_string())?;
    }
    let said = faults.iter().map(ToString::to_string).chain(left_out.iter().map(ToString::to_string));
    Ok(said.fold(text, |text, line| text + "! " + &line + "\n"))
}

fn facts(folder: &Path, architecture: Architecture, files: &[(Document, &str)]) -> Result<(Facts, Vec<Fault>), String> {
    let read = |(document, file): &(Document, &str)| Ok((*document, bytes(&folder.join(file))?));
    let texts: Vec<_> = files.iter().map(read).collect::<Result<_, String>>()?;
    let (documents, faults) = Documents::parse(&Texts::new(texts), architecture);
    Ok((Facts { documents, ..Facts::none(architecture) }, faults))
}

fn assembled(facts: &Facts, settings: &Settings) -> Result<Assembly, String> {
    let profile = builtin::profile("kubevirt-least").ok_or("is built in")?.map_err(|error| error.to_string())?;
    let parts = Parts { labels: Labels::Of(labeller::labels(facts, settings)), ..Parts::default() };
    Ok(assemble(parts, &profile, Bounds::default()))
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A document that was cut off is never taken for one that says less.
fn truncated(folder: &Path) -> Result<(), String> {
    for (document, file) in
        [(Domain, "epyc-kvm/virsh_domcapabilities.xml"), (SupportedFeatures, "supported_features.xml")]
    {
        let whole = bytes(&folder.join(file))?;
        let said = |text: &[u8]| Documents::parse(&Texts::new([(document, text.to_vec())]), Architecture::Amd64).0;
        let complete = said(&whole);
        let end = whole.trim_ascii_end().len();
        for length in 0..=whole.len() {
            let expected = if length < end { Documents::default() } else { complete.clone() };
            if said(whole.get(..length).unwrap_or_default()) != expected {
                return Err(format!("{file}, cut off after {length} bytes"));
            }
        }
    }
    Ok(())
}

fn cpu_manager_states(folder: &Path) -> Result<(), String> {
    let files = |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|name| folder.join(name)).collect() };
    let table: [(&[&str], Result<bool, agent::Problem>); 4] = [
        (&["cpu_manager_state_none"], Ok(false)),
        (&["cpu_manager_state_static"], Ok(true)),
        (&["absent", "cpu_manager_state_static"], Ok(true)),
        (&["absent"], Err(agent::Problem::Missing)),
    ];
    let wrong = table.into_iter().find(|(names, expected)| agent::cpu_manager::read(&files(names)) != *expected);
    wrong.map_or(Ok(()), |(names, _)| Err(format!("{names:?}")))
}
