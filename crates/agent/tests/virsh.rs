//! Documents from `virsh`, played by the scripts in `tests/virsh`.

use agent::libvirt::virsh::Virsh;
use agent::libvirt::{Documents, Texts};
use agent::{Architecture, Fault};
use std::path::Path;
use std::time::Duration;

fn texts(script: &str, deadline: Duration, architecture: Architecture, kvm: bool) -> Texts {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/virsh").join(script);
    Virsh { program, deadline }.documents(architecture, kvm)
}

fn documents(script: &str, architecture: Architecture, kvm: bool) -> (Documents, Vec<String>) {
    let texts = texts(script, Duration::from_secs(60), architecture, kvm);
    let (documents, faults) = Documents::parse(&texts, architecture);
    (documents, said(&faults))
}

fn said(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

/// How the document on the domain was asked for.
fn asked(documents: &Documents) -> String {
    documents.domain.as_ref().and_then(|domain| domain.vendor.clone()).unwrap_or_default()
}

fn features(documents: &Documents) -> Vec<String> {
    documents.features.iter().flatten().cloned().collect()
}

#[test]
fn a_new_virsh_is_asked_with_its_options() {
    let (documents, faults) = documents("new", Architecture::Amd64, true);
    assert_eq!(faults, Vec::<String>::new());
    let guests = "--machine q35 --arch x86_64 --virttype kvm";
    assert_eq!(asked(&documents), format!("domcapabilities {guests} --expand-cpu-features"));
    let [input, command] = features(&documents).try_into().unwrap_or_default();
    assert_eq!(command, format!("hypervisor-cpu-baseline --features /dev/stdin {guests}"));
    assert!(
        input.contains(&format!("domcapabilities {guests} --expand-cpu-features --supported-cpu-features")),
        "{input}"
    );
    assert!(documents.host.is_some_and(|host| host.machines.contains("q35")));
    assert!(documents.emulated.keys().eq([&Architecture::Arm64]));
}

#[test]
fn each_architecture_is_asked_for_its_own_guests() {
    let table = [
        (Architecture::Amd64, true, "--machine q35 --arch x86_64 --virttype kvm", true),
        (Architecture::Amd64, false, "--machine q35 --arch x86_64 --virttype qemu", true),
        (Architecture::S390x, true, "--machine s390-ccw-virtio --arch s390x --virttype kvm", true),
    ];
    for (architecture, kvm, guests, models) in table {
        let (documents, _) = documents("old", architecture, kvm);
        assert_eq!(asked(&documents), format!("domcapabilities {guests}"));
        assert_eq!(!features(&documents).is_empty(), models);
        assert!(documents.emulated.is_empty());
    }
}

#[test]
fn on_arm64_no_baseline_is_asked_for() {
    let (documents, faults) = documents("new", Architecture::Arm64, true);
    assert!(documents.features.is_none() && documents.emulated.keys().eq([&Architecture::Amd64]), "{faults:?}");
}

#[test]
fn an_answer_that_fails_is_named_and_the_others_count() {
    let (documents, faults) = documents("old", Architecture::Amd64, false);
    assert!(documents.domain.is_some() && documents.features.is_some());
    assert_eq!(faults, ["capabilities.xml: virsh capabilities: exit status: 1"]);
}

#[test]
fn nothing_is_asked_on_an_architecture_that_nobody_knows() {
    assert_eq!(texts("new", Duration::from_secs(60), Architecture::Other, true), Texts::default());
}

#[test]
fn a_virsh_that_does_not_come_to_an_end_is_ended() {
    for (script, problem) in [
        ("silent", "virsh did not answer in time"),
        ("lingering", "virsh did not answer in time"),
        ("endless", "is longer than 2097152 bytes"),
        ("absent", "is not there"),
    ] {
        let deadline = if script == "endless" { Duration::from_secs(60) } else { Duration::from_millis(50) };
        let (documents, faults) =
            Documents::parse(&texts(script, deadline, Architecture::Arm64, true), Architecture::Arm64);
        assert_eq!(documents, Documents::default());
        let expected = ["virsh_domcapabilities.xml", "capabilities.xml"].map(|name| format!("{name}: {problem}"));
        assert_eq!(said(&faults), expected, "{script}");
    }
}
