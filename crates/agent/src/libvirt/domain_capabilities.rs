//! `virsh domcapabilities`: what guests may have on this host.

use std::collections::BTreeSet;

use super::{about, root};
use crate::architecture::Architecture;
use crate::fault::Problem;
use crate::xml::Element;

/// What the document says that the node labeller publishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainCapabilities {
    /// The host's CPU as a guest CPU.
    pub host_model: Option<HostModel>,
    /// The vendor of that CPU.
    pub vendor: Option<String>,
    /// The named models that libvirt knows, usable on this host or not.
    pub known_models: BTreeSet<String>,
    /// Those that are usable on this host.
    pub usable_models: BTreeSet<String>,
    /// Ways to keep the host from reading a guest's memory.
    pub confidential: BTreeSet<Confidential>,
}

/// The host's CPU as a guest CPU: a named model, and the features that a host must have beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostModel {
    /// The named model.
    pub name: String,
    /// The features with the policy `require`.
    pub required_features: BTreeSet<String>,
}

/// A way to keep the host from reading a guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidential {
    /// AMD Secure Encrypted Virtualization.
    Sev,
    /// The same with encrypted registers.
    SevEs,
    /// The same with protected page tables.
    SevSnp,
    /// Intel Trust Domain Extensions.
    Tdx,
    /// IBM Secure Execution.
    SecureExecution,
}

/// Reads the document on a host, or about guests, of this architecture.
///
/// # Errors
/// Another document, or one about another architecture.
pub fn parse(text: &[u8], architecture: Architecture) -> Result<DomainCapabilities, Problem> {
    let root = root(text, "domainCapabilities")?;
    about(architecture, root.first(&["arch"]))?;
    let modes = root.all(&["cpu", "mode"]);
    let host = modes.iter().find(|mode| mode.attribute("name") == Some("host-model"));
    let models = || modes.iter().flat_map(|mode| mode.all(&["model"]));
    Ok(DomainCapabilities {
        host_model: host.and_then(|mode| host_model(mode)),
        vendor: host.and_then(|mode| mode.first(&["vendor"])?.some_text()).map(str::to_owned),
        known_models: models().filter(|model| usable(model).is_some()).filter_map(name).collect(),
        usable_models: models().filter(|model| usable(model) == Some(true)).filter_map(name).collect(),
        confidential: confidential(&root),
    })
}

fn name(model: &Element) -> Option<String> {
    model.some_text().map(str::to_owned)
}

/// Whether a model is usable, where libvirt says. Anything but `no` counts as yes, as it does for virt-handler.
fn usable(model: &Element) -> Option<bool> {
    model.attribute("usable").filter(|value| !value.is_empty()).map(|value| value != "no")
}

fn host_model(mode: &Element) -> Option<HostModel> {
    let required = |feature: &&Element| feature.attribute("policy") == Some("require");
    let features = mode.all(&["feature"]);
    let names = features.iter().copied().filter(required).filter_map(|feature| feature.attribute("name"));
    Some(HostModel { name: name(mode.first(&["model"])?)?, required_features: names.map(str::to_owned).collect() })
}

fn confidential(root: &Element) -> BTreeSet<Confidential> {
    let supported =
        |name| root.first(&["features", name]).filter(|element| element.attribute("supported") == Some("yes"));
    let sev = supported("sev");
    let encrypted_state = sev.filter(|sev| encrypted_guests(sev) > 0);
    let secured = encrypted_state.and_then(|_| supported("launchSecurity"));
    let nested = secured.filter(|launch| launch.all(&["enum", "value"]).iter().any(|kind| kind.text() == "sev-snp"));
    let found = [
        (Confidential::Sev, sev),
        (Confidential::SevEs, encrypted_state),
        (Confidential::SevSnp, nested),
        (Confidential::Tdx, supported("tdx")),
        (Confidential::SecureExecution, supported("s390-pv")),
    ];
    found.into_iter().filter(|(_, element)| element.is_some()).map(|(way, _)| way).collect()
}

fn encrypted_guests(sev: &Element) -> u64 {
    sev.first(&["maxESGuests"]).and_then(|guests| guests.text().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inner: &str) -> DomainCapabilities {
        let text = format!("<domainCapabilities>{inner}</domainCapabilities>");
        parse(text.as_bytes(), Architecture::Amd64).unwrap()
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn models_are_known_or_usable_in_any_mode() {
        let found = read(
            "<cpu><mode name='host-passthrough' supported='no'/>
             <mode name='host-model'><model usable='yes'>Host</model></mode>
             <mode name='custom'><model usable='no'>Unusable</model><model usable='yes'> Usable\n</model>
               <model usable='maybe'>Odd</model><model>Silent</model><model usable=''>Empty</model>
               <model usable='yes'> </model><blockers model='Unusable'><feature name='avx'/></blockers></mode></cpu>",
        );
        assert_eq!(found.known_models, set(&["Host", "Odd", "Unusable", "Usable"]));
        assert_eq!(found.usable_models, set(&["Host", "Odd", "Usable"]));
    }

    #[test]
    fn the_host_model_is_the_first_with_the_features_it_requires() {
        let found = read(
            "<cpu><mode name='host-model'><model fallback='allow'>First</model><model>Second</model>
             <vendor>\n Intel</vendor><feature policy='require' name='ss'/><feature policy='disable' name='pni'/>
             <feature name='none'/><feature policy='require'/></mode></cpu>",
        );
        let model = HostModel { name: "First".to_owned(), required_features: set(&["ss"]) };
        assert_eq!((found.host_model, found.vendor.as_deref()), (Some(model), Some("Intel")));
    }

    #[test]
    fn no_host_model_and_no_vendor_are_no_fault() {
        for inner in [
            "",
            "<cpu/>",
            "<cpu><mode name='host-model' supported='no'/></cpu>",
            "<cpu><mode name='host-model'><model/><vendor/></mode></cpu>",
            "<cpu><mode name='custom'><model>M</model><vendor>V</vendor></mode></cpu>",
        ] {
            assert_eq!(read(inner), DomainCapabilities::default(), "{inner}");
        }
    }

    #[test]
    fn confidential_guests_by_what_is_supported() {
        use Confidential::{SecureExecution, Sev, SevEs, SevSnp, Tdx};
        let snp = "<launchSecurity supported='yes'><enum name='sectype'><value>sev-snp</value></enum></launchSecurity>";
        let table: [(String, &[Confidential]); 11] = [
            ("<sev supported='no'><maxESGuests>9</maxESGuests></sev>".to_owned(), &[]),
            ("<sev supported='yes'/>".to_owned(), &[Sev]),
            ("<sev supported='yes'><maxESGuests>0</maxESGuests></sev>".to_owned(), &[Sev]),
            ("<sev supported='yes'><maxESGuests>many</maxESGuests></sev>".to_owned(), &[Sev]),
            ("<sev supported='yes'><maxESGuests>15</maxESGuests></sev>".to_owned(), &[Sev, SevEs]),
            (format!("<sev supported='yes'><maxESGuests>1</maxESGuests></sev>{snp}"), &[Sev, SevEs, SevSnp]),
            (format!("<sev supported='yes'><maxESGuests>0</maxESGuests></sev>{snp}"), &[Sev]),
            (
                format!("<sev supported='yes'><maxESGuests>1</maxESGuests></sev>{}", snp.replace("yes", "no")),
                &[Sev, SevEs],
            ),
            (snp.to_owned(), &[]),
            ("<tdx supported='yes'/><s390-pv supported='no'/>".to_owned(), &[Tdx]),
            ("<tdx/><s390-pv supported='yes'/>".to_owned(), &[SecureExecution]),
        ];
        for (features, expected) in table {
            let found = read(&format!("<features>{features}</features>"));
            assert_eq!(found.confidential, expected.iter().copied().collect(), "{features}");
        }
    }
}
