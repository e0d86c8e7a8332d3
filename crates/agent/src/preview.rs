//! What an agent on this host would publish: without a cluster, and changing nothing.

use channels::Seen;
use ownership::Profile;

use crate::configuration::Configuration;
use crate::device_plugins::DevicePlugins;
use crate::host::Host;
use crate::publication::{Assembly, Bounds, Life, Parts, assemble};
use crate::readiness;
use crate::report::Report;
use crate::work::{Gathered, gather};

/// A publication that nobody publishes.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// What would be published, without a heartbeat.
    pub assembly: Assembly,
    /// What is missing or broken, and what would not be published.
    pub findings: Vec<Report>,
}

/// Collects from the host as the configuration says, on a Node about which nothing is known.
#[must_use]
pub fn preview(mut host: Host, configuration: &Configuration, profile: &Profile) -> Preview {
    let Configuration { readiness, device_plugins, settings, .. } = configuration;
    configuration.apply(&mut host);
    let Gathered { parts, step, mut findings } = gather(&host, settings, &Seen::default());
    let missing = readiness::missing(readiness, &mut DevicePlugins::new(device_plugins));
    let life = Some(Life { schedulable: missing.is_empty(), heartbeat: None });
    let parts = Parts { life, same_page_merging: Some(step.state(true)), ..parts };
    let assembly = assemble(parts, profile, Bounds::default());
    findings.push(Report::Waiting(missing));
    findings.extend(assembly.left_out.iter().cloned().map(Report::LeftOut));
    Preview { assembly, findings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;
    use crate::keys;
    use std::fs;

    #[test]
    fn same_page_merging_is_shown_and_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, content) in
            [("run", "0"), ("pages_to_scan", "1"), ("meminfo", "MemTotal: 8 kB\nMemAvailable: 0 kB\n")]
        {
            fs::write(path(name), content).unwrap();
        }
        let host = Host {
            architecture: Architecture::S390x,
            ksm: vec![folder.path().into()],
            memory: path("meminfo"),
            ..Host::default()
        };
        let text = format!(
            "{{virsh: false, documents: {}, readiness: [file: /nowhere], kubevirt: {{ksmConfiguration: {{nodeLabelSelector: {{}}}}}}}}",
            folder.path().display()
        );
        let configuration = Configuration::parse(&text).unwrap();
        let profile = ownership::builtin::profile("kubevirt-least").unwrap().unwrap();
        let Preview { assembly, findings } = preview(host, &configuration, &profile);
        assert_eq!(assembly.publication.annotations[keys::KSM_MANAGED], "true", "memory is scarce");
        assert_eq!(assembly.publication.labels[keys::SCHEDULABLE], "false");
        assert!(findings.contains(&Report::Waiting(vec!["file /nowhere".into()])));
        assert_eq!(fs::read_to_string(path("run")).unwrap(), "0");
    }
}
