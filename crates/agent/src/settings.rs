//! What an administrator keeps in the KubeVirt object, so that nobody keeps two copies of it.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use crate::fault::{Fault, Problem, Source};
use crate::selector::Selector;

/// The models that virt-handler leaves out where the KubeVirt object names none; each also with `-v1` at its end.
const OBSOLETE_MODELS: [&str; 17] = [
    "486",
    "pentium",
    "pentium2",
    "pentium3",
    "pentiumpro",
    "coreduo",
    "n270",
    "core2duo",
    "Conroe",
    "athlon",
    "phenom",
    "qemu64",
    "qemu32",
    "kvm64",
    "kvm32",
    "Opteron_G1",
    "Opteron_G2",
];

/// What the agent takes from the KubeVirt object. Without one, everything is as virt-handler has it by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `obsoleteCPUModels`: these are left out, *instead of* the default ones. An empty list counts as none.
    pub obsolete_models: BTreeSet<String>,
    /// `ksmConfiguration.nodeLabelSelector`: the Nodes on which the kernel's same-page merging is controlled.
    /// None without a selector, all with an empty one.
    pub same_page_merging: Option<Selector>,
    /// The feature gate `CPUManager`.
    pub cpu_manager: bool,
    /// The feature gate `CrossArchitectureVirtualization`.
    pub cross_architecture: bool,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Configuration {
    #[serde(rename = "obsoleteCPUModels")]
    obsolete_cpu_models: Option<BTreeMap<String, IgnoredAny>>,
    ksm_configuration: Option<SamePageMerging>,
    developer_configuration: Option<Developer>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SamePageMerging {
    node_label_selector: Option<Selector>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Developer {
    feature_gates: Option<Vec<String>>,
}

impl Settings {
    /// Reads the object's `spec.configuration`.
    ///
    /// # Errors
    /// A field has another type than KubeVirt gives it.
    pub fn from_configuration(configuration: &Value) -> Result<Self, Fault> {
        let malformed = |error: serde_json::Error| {
            Fault::new(Source::KubeVirt, Problem::malformed("spec.configuration", &error.to_string()))
        };
        let read = Option::<Configuration>::deserialize(configuration).map_err(malformed)?.unwrap_or_default();
        let gates = read.developer_configuration.and_then(|developer| developer.feature_gates).unwrap_or_default();
        let enabled = |gate: &str| gates.iter().any(|enabled| enabled == gate);
        Ok(Self {
            obsolete_models: read.obsolete_cpu_models.unwrap_or_default().into_keys().collect(),
            same_page_merging: read.ksm_configuration.and_then(|ksm| ksm.node_label_selector),
            cpu_manager: enabled("CPUManager"),
            cross_architecture: enabled("CrossArchitectureVirtualization"),
        })
    }

    /// Whether a model is left out.
    #[must_use]
    pub fn leaves_out(&self, model: &str) -> bool {
        if !self.obsolete_models.is_empty() {
            return self.obsolete_models.contains(model);
        }
        OBSOLETE_MODELS.contains(&model.strip_suffix("-v1").unwrap_or(model))
    }

    /// Whether the administrator named a model obsolete. The default list does not count, for virt-handler neither.
    #[must_use]
    pub fn names_obsolete(&self, model: &str) -> bool {
        self.obsolete_models.contains(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_default_list_holds_where_none_is_given() {
        let none = Settings::default();
        for model in ["486", "486-v1", "Opteron_G2", "Opteron_G2-v1", "kvm64", "qemu32-v1"] {
            assert!(none.leaves_out(model) && !none.names_obsolete(model), "{model}");
        }
        for model in ["Penryn", "Opteron_G3", "486-v2", "486-v1-v1", "-v1", ""] {
            assert!(!none.leaves_out(model), "{model}");
        }
    }

    #[test]
    fn a_list_of_ones_own_replaces_the_default_one() {
        let settings = Settings::from_configuration(&json!({"obsoleteCPUModels": {"Haswell": false}})).unwrap();
        assert!(settings.leaves_out("Haswell") && settings.names_obsolete("Haswell"));
        assert!(!settings.leaves_out("486") && !settings.leaves_out("Haswell-v1"));
        let empty = Settings::from_configuration(&json!({"obsoleteCPUModels": {}})).unwrap();
        assert_eq!(empty, Settings::default());
    }

    #[test]
    fn gates_and_the_selector_are_read() {
        let settings = Settings::from_configuration(&json!({
            "ksmConfiguration": {"nodeLabelSelector": {"matchLabels": {"a": "b"}}},
            "developerConfiguration": {"featureGates": ["CPUManager", "CrossArchitectureVirtualization", "Other"]},
            "network": {"unknown": [1, {}]},
        }))
        .unwrap();
        assert!(settings.cpu_manager && settings.cross_architecture);
        let labels = [("a".to_owned(), "b".to_owned())].into();
        assert_eq!(settings.same_page_merging.map(|selector| selector.matches(&labels)), Some(Ok(true)));
    }

    #[test]
    fn nothing_is_as_good_as_nothing_set() {
        for value in [
            json!(null),
            json!({}),
            json!({"ksmConfiguration": {}, "developerConfiguration": {"featureGates": null}}),
            json!({"obsoleteCPUModels": null, "developerConfiguration": {}}),
        ] {
            assert_eq!(Settings::from_configuration(&value).unwrap(), Settings::default(), "{value}");
        }
    }

    #[test]
    fn a_field_of_another_type_is_a_fault() {
        for value in [json!("x"), json!({"obsoleteCPUModels": ["486"]}), json!({"ksmConfiguration": true})] {
            let fault = Settings::from_configuration(&value).expect_err("is malformed");
            assert!(fault.to_string().starts_with("kubevirt: spec.configuration"), "{fault}");
        }
    }
}
