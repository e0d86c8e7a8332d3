//! `virsh capabilities`: the host, and the machine types of its emulators.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use super::{about, root};
use crate::architecture::Architecture;
use crate::fault::Problem;
use crate::xml::Element;

/// What the document says that the node labeller publishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The vendor of the host's CPU.
    pub vendor: Option<String>,
    /// The host's time stamp counter.
    pub counter: Option<TimeStampCounter>,
    /// The machine types of every guest architecture, the deprecated ones too, as virt-handler publishes them.
    pub machines: BTreeSet<String>,
}

/// The host's time stamp counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeStampCounter {
    /// Its frequency in Hz.
    pub frequency: NonZeroU64,
    /// Whether guests may have another frequency.
    pub scalable: bool,
}

/// Reads the document on a host of this architecture.
///
/// # Errors
/// Another document, or one about another architecture.
pub fn parse(text: &[u8], architecture: Architecture) -> Result<Capabilities, Problem> {
    let root = root(text, "capabilities")?;
    about(architecture, root.first(&["host", "cpu", "arch"]))?;
    let machines = root.all(&["guest", "arch", "machine"]);
    Ok(Capabilities {
        vendor: root.first(&["host", "cpu", "vendor"]).and_then(Element::some_text).map(str::to_owned),
        counter: root.all(&["host", "cpu", "counter"]).into_iter().find_map(time_stamp_counter),
        machines: machines.into_iter().filter_map(Element::some_text).map(str::to_owned).collect(),
    })
}

fn time_stamp_counter(counter: &Element) -> Option<TimeStampCounter> {
    if counter.attribute("name") != Some("tsc") {
        return None;
    }
    let frequency = counter.attribute("frequency")?.parse().ok()?;
    Some(TimeStampCounter { frequency, scalable: counter.attribute("scaling") == Some("yes") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inner: &str) -> Capabilities {
        let text = format!("<capabilities>{inner}</capabilities>");
        parse(text.as_bytes(), Architecture::Amd64).unwrap()
    }

    #[test]
    fn machines_are_those_of_every_guest_architecture() {
        let found = read(
            "<guest><arch name='i686'><machine>pc</machine><machine deprecated='yes'>old</machine></arch></guest>
             <guest><arch name='x86_64'><machine>pc</machine><machine>q35</machine><machine/>
               <domain type='kvm'><machine>only-with-kvm</machine></domain></arch></guest>",
        );
        let machines: Vec<&str> = found.machines.iter().map(String::as_str).collect();
        assert_eq!(machines, ["old", "pc", "q35"]);
    }

    #[test]
    fn only_a_time_stamp_counter_with_a_frequency_counts() {
        let counter =
            |frequency, scalable| NonZeroU64::new(frequency).map(|frequency| TimeStampCounter { frequency, scalable });
        let table = [
            ("<counter name='tsc' frequency='2596136000' scaling='no'/>", counter(2_596_136_000, false)),
            ("<counter name='tsc' frequency='1' scaling='yes'/>", counter(1, true)),
            ("<counter name='tsc' frequency='1'/>", counter(1, false)),
            ("<counter name='other' frequency='7'/><counter name='tsc' frequency='1'/>", counter(1, false)),
            ("<counter name='other' frequency='7' scaling='yes'/>", None),
            ("<counter name='tsc' frequency='0'/>", None),
            ("<counter name='tsc' frequency='-1'/>", None),
            ("<counter name='tsc' frequency='fast'/>", None),
            ("<counter name='tsc'/>", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(read(&format!("<host><cpu>{text}</cpu></host>")).counter, expected, "{text}");
        }
    }

    #[test]
    fn the_vendor_is_the_hosts() {
        let found = read("<host><cpu><arch>x86_64</arch><vendor>AMD</vendor></cpu></host>");
        assert_eq!(found.vendor.as_deref(), Some("AMD"));
        assert_eq!(read("<host><cpu><vendor> </vendor></cpu></host>").vendor, None);
    }
}
