//! JSON whose fields come in the order of the server's structures, as messages show them.

use admission::{FieldError, FieldErrorKind, FieldPath};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, json};

/// A value with its fields in a given order.
#[derive(Clone, Debug)]
pub(crate) enum Ordered {
    /// Anything without an order of its own.
    Plain(Value),
    /// A structure.
    Struct(Vec<(&'static str, Ordered)>),
    /// A list.
    List(Vec<Ordered>),
}

/// How a structure shows a field that is absent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Absent {
    /// Not at all (`omitempty`).
    Omitted,
    /// As `null`.
    Null,
    /// As `""`.
    Text,
    /// As `0`.
    Zero,
}

/// A field: its name in the API, its name in the message, and what stands for an absent one.
pub(crate) type Shown = (&'static str, &'static str, Absent);

impl Ordered {
    /// A structure by the table of its fields.
    pub(crate) fn of(value: &Value, fields: &[Shown]) -> Self {
        let shown = fields.iter().filter_map(|(name, shown, absent)| {
            let value = value.get(name).filter(|value| !value.is_null()).cloned().or_else(|| absent.value())?;
            Some((*shown, Self::Plain(value)))
        });
        Self::Struct(shown.collect())
    }

    /// A list of structures.
    pub(crate) fn list(values: &Value, fields: &[Shown]) -> Self {
        Self::List(values.as_array().into_iter().flatten().map(|value| Self::of(value, fields)).collect())
    }

    /// The same without order, for messages that cannot show it.
    fn unordered(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// `Invalid value` with this as the value.
    pub(crate) fn invalid(&self, path: &FieldPath, detail: &str) -> FieldError {
        FieldError::invalid_json(path, self, detail)
    }

    /// An error of another kind with this as the value.
    pub(crate) fn error(&self, path: &FieldPath, kind: FieldErrorKind, detail: impl Into<String>) -> FieldError {
        FieldError::of(path, kind, Some(&self.unordered()), detail)
    }
}

impl Absent {
    fn value(self) -> Option<Value> {
        match self {
            Self::Omitted => None,
            Self::Null => Some(Value::Null),
            Self::Text => Some(json!("")),
            Self::Zero => Some(json!(0)),
        }
    }
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(value) => value.serialize(serializer),
            Self::Struct(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
        }
    }
}

/// A reference to a Role (`rbac.RoleRef`).
pub(crate) const ROLE_REFERENCE: &[Shown] =
    &[("apiGroup", "APIGroup", Absent::Text), ("kind", "Kind", Absent::Text), ("name", "Name", Absent::Text)];

/// A taint (`core.Taint`).
pub(crate) const TAINT: &[Shown] = &[
    ("key", "Key", Absent::Text),
    ("value", "Value", Absent::Text),
    ("effect", "Effect", Absent::Text),
    ("timeAdded", "TimeAdded", Absent::Null),
];

/// An address of a Node (`core.NodeAddress`).
pub(crate) const ADDRESS: &[Shown] = &[("type", "Type", Absent::Text), ("address", "Address", Absent::Text)];

/// An owner (`metav1.OwnerReference`).
pub(crate) const OWNER: &[Shown] = &[
    ("apiVersion", "apiVersion", Absent::Text),
    ("kind", "kind", Absent::Text),
    ("name", "name", Absent::Text),
    ("uid", "uid", Absent::Text),
    ("controller", "controller", Absent::Omitted),
    ("blockOwnerDeletion", "blockOwnerDeletion", Absent::Omitted),
];

/// A reference to an object (`core.ObjectReference`).
pub(crate) const REFERENCE: &[Shown] = &[
    ("kind", "Kind", Absent::Text),
    ("namespace", "Namespace", Absent::Text),
    ("name", "Name", Absent::Text),
    ("uid", "UID", Absent::Text),
    ("apiVersion", "APIVersion", Absent::Text),
    ("resourceVersion", "ResourceVersion", Absent::Text),
    ("fieldPath", "FieldPath", Absent::Text),
];

/// Who reported an Event (`core.EventSource`).
pub(crate) const SOURCE: &[Shown] = &[("component", "Component", Absent::Text), ("host", "Host", Absent::Text)];

/// What is asked besides resources (`authorization.NonResourceAttributes`).
pub(crate) const NON_RESOURCE: &[Shown] = &[("path", "Path", Absent::Text), ("verb", "Verb", Absent::Text)];

/// How a rolling update proceeds (`apps.RollingUpdateDaemonSet`, `apps.RollingUpdateDeployment`).
pub(crate) const ROLLING: &[Shown] =
    &[("maxUnavailable", "MaxUnavailable", Absent::Zero), ("maxSurge", "MaxSurge", Absent::Zero)];

/// What a PodDisruptionBudget asks for (`policy.PodDisruptionBudgetSpec`).
pub(crate) fn budget(value: &Value) -> Ordered {
    let field = |name: &str| Ordered::Plain(value.get(name).cloned().unwrap_or_default());
    Ordered::Struct(vec![
        ("MinAvailable", field("minAvailable")),
        ("Selector", selector(&value["selector"])),
        ("MaxUnavailable", field("maxUnavailable")),
        ("UnhealthyPodEvictionPolicy", field("unhealthyPodEvictionPolicy")),
    ])
}

/// A requirement of a label selector.
const REQUIREMENT: &[Shown] =
    &[("key", "key", Absent::Text), ("operator", "operator", Absent::Text), ("values", "values", Absent::Omitted)];

/// What is compared of the ports of a Service (`core.ServicePort`).
pub(crate) const PORT: &[Shown] = &[
    ("name", "Name", Absent::Text),
    ("protocol", "Protocol", Absent::Text),
    ("appProtocol", "AppProtocol", Absent::Null),
    ("port", "Port", Absent::Zero),
    ("targetPort", "TargetPort", Absent::Zero),
    ("nodePort", "NodePort", Absent::Zero),
];

/// Metadata (`metav1.ObjectMeta`).
pub(crate) const METADATA: &[Shown] = &[
    ("name", "name", Absent::Omitted),
    ("generateName", "generateName", Absent::Omitted),
    ("namespace", "namespace", Absent::Omitted),
    ("selfLink", "selfLink", Absent::Omitted),
    ("uid", "uid", Absent::Omitted),
    ("resourceVersion", "resourceVersion", Absent::Omitted),
    ("generation", "generation", Absent::Omitted),
    ("creationTimestamp", "creationTimestamp", Absent::Omitted),
    ("deletionTimestamp", "deletionTimestamp", Absent::Omitted),
    ("deletionGracePeriodSeconds", "deletionGracePeriodSeconds", Absent::Omitted),
    ("labels", "labels", Absent::Omitted),
    ("annotations", "annotations", Absent::Omitted),
    ("ownerReferences", "ownerReferences", Absent::Omitted),
    ("finalizers", "finalizers", Absent::Omitted),
    ("managedFields", "managedFields", Absent::Omitted),
];

/// The rights of a container (`core.SecurityContext`).
pub(crate) const SECURITY_CONTEXT: &[Shown] = &[
    ("capabilities", "Capabilities", Absent::Null),
    ("privileged", "Privileged", Absent::Null),
    ("seLinuxOptions", "SELinuxOptions", Absent::Null),
    ("windowsOptions", "WindowsOptions", Absent::Null),
    ("runAsUser", "RunAsUser", Absent::Null),
    ("runAsGroup", "RunAsGroup", Absent::Null),
    ("runAsNonRoot", "RunAsNonRoot", Absent::Null),
    ("readOnlyRootFilesystem", "ReadOnlyRootFilesystem", Absent::Null),
    ("allowPrivilegeEscalation", "AllowPrivilegeEscalation", Absent::Null),
    ("procMount", "ProcMount", Absent::Null),
    ("seccompProfile", "SeccompProfile", Absent::Null),
    ("appArmorProfile", "AppArmorProfile", Absent::Null),
];

/// A label selector (`metav1.LabelSelector`).
pub(crate) fn selector(value: &Value) -> Ordered {
    if value.is_null() {
        return Ordered::Plain(Value::Null);
    }
    let mut fields = Vec::new();
    if let Some(labels) =
        value.get("matchLabels").filter(|labels| labels.as_object().is_some_and(|all| !all.is_empty()))
    {
        fields.push(("matchLabels", Ordered::Plain(labels.clone())));
    }
    if let Some(all) = value.get("matchExpressions").filter(|all| all.as_array().is_some_and(|all| !all.is_empty())) {
        fields.push(("matchExpressions", Ordered::list(all, REQUIREMENT)));
    }
    Ordered::Struct(fields)
}

/// How a workload is updated (`apps.DaemonSetUpdateStrategy`, `apps.DeploymentStrategy`).
pub(crate) fn update_strategy(value: &Value) -> Ordered {
    let rolling = match &value["rollingUpdate"] {
        Value::Null => Ordered::Plain(Value::Null),
        rolling => Ordered::of(rolling, ROLLING),
    };
    let kind = value.get("type").cloned().unwrap_or_else(|| json!(""));
    Ordered::Struct(vec![("Type", Ordered::Plain(kind)), ("RollingUpdate", rolling)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_the_servers_order() {
        let shown = |ordered: Ordered| serde_json::to_string(&ordered).unwrap();
        let selects =
            json!({"matchExpressions": [{"operator": "In", "values": ["x"], "key": "a"}], "matchLabels": {"b": "c"}});
        let cases = [
            (
                Ordered::of(&json!({"key": "a", "effect": "NoSchedule"}), TAINT),
                r#"{"Key":"a","Value":"","Effect":"NoSchedule","TimeAdded":null}"#,
            ),
            (
                selector(&selects),
                r#"{"matchLabels":{"b":"c"},"matchExpressions":[{"key":"a","operator":"In","values":["x"]}]}"#,
            ),
            (selector(&json!({})), "{}"),
            (selector(&Value::Null), "null"),
            (update_strategy(&json!({"type": "X"})), r#"{"Type":"X","RollingUpdate":null}"#),
        ];
        for (ordered, expected) in cases {
            assert_eq!(shown(ordered), expected);
        }
    }
}
