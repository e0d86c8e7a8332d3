//! The columns of the built-in kinds (`pkg/printers/internalversion/printers.go`; kinds without printers of their own
//! have the columns of `k8s.io/apiserver/pkg/registry/rest/table.go`).

use serde_json::{Value, json};

use super::{pod, rows, service};

/// A kind with its columns, and the function that fills them.
pub(super) struct Kind {
    group: &'static str,
    kind: &'static str,
    columns: &'static [Column],
    pub cells: fn(&Value, i64) -> Vec<Value>,
}

struct Column {
    name: &'static str,
    ty: &'static str,
    format: &'static str,
    priority: u8,
    description: &'static str,
}

const fn text(name: &'static str, description: &'static str) -> Column {
    Column { name, ty: "string", format: "", priority: 0, description }
}

const fn whole(name: &'static str, description: &'static str) -> Column {
    Column { ty: "integer", ..text(name, description) }
}

/// Shown with `-o wide` only.
const fn wide(name: &'static str, description: &'static str) -> Column {
    Column { priority: 1, ..text(name, description) }
}

const NAME: Column = Column { format: "name", ..text("Name", "The name of the object.") };
const AGE: Column = text("Age", "The time since the object was created.");
const CONTAINERS: Column = wide("Containers", "The names of the containers in the template.");
const IMAGES: Column = wide("Images", "The images of the containers in the template.");
const SELECTOR: Column = wide("Selector", "The labels by which pods are selected.");

static KINDS: &[Kind] = &[
    Kind {
        group: "",
        kind: "Node",
        columns: &[
            NAME,
            text("Status", "Whether the node is ready, and whether pods may be scheduled to it."),
            text("Roles", "The roles that labels give the node."),
            AGE,
            text("Version", "The version of the kubelet."),
            wide("Internal-IP", "The address inside the cluster."),
            wide("External-IP", "The address from outside the cluster."),
            wide("OS-Image", "The operating system."),
            wide("Kernel-Version", "The kernel, with the architecture."),
            wide("Container-Runtime", "The container runtime with its version."),
        ],
        cells: rows::node,
    },
    Kind {
        group: "",
        kind: "Pod",
        columns: &[
            NAME,
            text("Ready", "How many of the containers are ready."),
            text("Status", "The state of the containers, in one word."),
            text("Restarts", "How often containers were restarted, and when last."),
            AGE,
            wide("IP", "The address of the pod."),
            wide("Node", "The node that runs the pod."),
            wide("Nominated Node", "The node that is being made free for the pod."),
            wide("Readiness Gates", "How many of the readiness gates are passed."),
        ],
        cells: pod::cells,
    },
    Kind {
        group: "",
        kind: "Namespace",
        columns: &[NAME, text("Status", "The phase of the namespace."), AGE],
        cells: rows::namespace,
    },
    Kind { group: "", kind: "ServiceAccount", columns: &[NAME, AGE], cells: rows::name_and_age },
    Kind {
        group: "",
        kind: "Secret",
        columns: &[NAME, text("Type", "What the secret is for."), text("Data", "How many entries there are."), AGE],
        cells: rows::secret,
    },
    Kind {
        group: "",
        kind: "ConfigMap",
        columns: &[NAME, text("Data", "How many entries there are."), AGE],
        cells: rows::config_map,
    },
    Kind { group: "", kind: "Event", columns: EVENT, cells: rows::core_event },
    Kind { group: "events.k8s.io", kind: "Event", columns: EVENT, cells: rows::event },
    Kind {
        group: "",
        kind: "Service",
        columns: &[
            NAME,
            text("Type", "How the service is exposed."),
            text("Cluster-IP", "The address inside the cluster."),
            text("External-IP", "The addresses from outside the cluster."),
            text("Port(s)", "The ports with their protocols."),
            AGE,
            wide("Selector", "The labels by which pods are selected."),
        ],
        cells: service::cells,
    },
    Kind {
        group: "coordination.k8s.io",
        kind: "Lease",
        columns: &[NAME, text("Holder", "Who holds the lease."), AGE],
        cells: rows::lease,
    },
    Kind {
        group: "apps",
        kind: "DaemonSet",
        columns: &[
            NAME,
            whole("Desired", "How many nodes should run the pod."),
            whole("Current", "How many of them run it."),
            whole("Ready", "How many of the pods are ready."),
            whole("Up-to-date", "How many of the pods have the current template."),
            whole("Available", "How many of the pods are available."),
            text("Node Selector", "The labels by which nodes are selected."),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        cells: rows::daemon_set,
    },
    Kind {
        group: "apps",
        kind: "Deployment",
        columns: &[
            NAME,
            text("Ready", "How many of the pods are ready."),
            text("Up-to-date", "How many of the pods have the current template."),
            text("Available", "How many of the pods are available."),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        cells: rows::deployment,
    },
    Kind {
        group: "policy",
        kind: "PodDisruptionBudget",
        columns: &[
            NAME,
            text("Min Available", "How many of the pods have to be there."),
            text("Max Unavailable", "How many of the pods may be missing."),
            whole("Allowed Disruptions", "How many of the pods may go now."),
            AGE,
        ],
        cells: rows::disruption_budget,
    },
    Kind {
        group: "apps",
        kind: "ReplicaSet",
        columns: &[
            NAME,
            whole("Desired", "How many pods there should be."),
            whole("Current", "How many pods there are."),
            whole("Ready", "How many of the pods are ready."),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ],
        cells: rows::replica_set,
    },
    Kind {
        group: "apps",
        kind: "ControllerRevision",
        columns: &[
            NAME,
            text("Controller", "What the revision belongs to."),
            text("Revision", "The number of the revision."),
            AGE,
        ],
        cells: rows::controller_revision,
    },
    Kind { group: "rbac.authorization.k8s.io", kind: "RoleBinding", columns: BINDING, cells: rows::role_binding },
    Kind {
        group: "rbac.authorization.k8s.io",
        kind: "ClusterRoleBinding",
        columns: BINDING,
        cells: rows::role_binding,
    },
    Kind {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingAdmissionPolicy",
        columns: &[
            NAME,
            whole("Validations", "How many validations the policy has."),
            text("ParamKind", "The kind of its parameters."),
            AGE,
        ],
        cells: rows::policy,
    },
    Kind {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingAdmissionPolicyBinding",
        columns: &[
            NAME,
            text("PolicyName", "The policy that is bound."),
            text("ParamRef", "The parameters that it is bound with."),
            AGE,
        ],
        cells: rows::policy_binding,
    },
    Kind {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingWebhookConfiguration",
        columns: &[NAME, whole("Webhooks", "How many webhooks there are."), AGE],
        cells: rows::webhooks,
    },
    Kind {
        group: "autoscaling",
        kind: "Scale",
        columns: &[
            text("Name", "The name of the object."),
            whole("Desired", "How many pods there should be."),
            whole("Available", "How many pods there are."),
            AGE,
        ],
        cells: rows::scale,
    },
];

const EVENT: &[Column] = &[
    text("Last Seen", "The time since it happened last."),
    text("Type", "Whether it is normal or a warning."),
    text("Reason", "Why it happened, in one word."),
    text("Object", "What it is about."),
    wide("Subobject", "Which part of it."),
    wide("Source", "Who reports it, and where."),
    text("Message", "What happened."),
    wide("First Seen", "The time since it happened first."),
    wide("Count", "How often it happened."),
    Column { format: "name", ..wide("Name", "The name of the object.") },
];

const BINDING: &[Column] = &[
    NAME,
    text("Role", "The role that is granted."),
    AGE,
    wide("Users", "The users that it is granted to."),
    wide("Groups", "The groups that it is granted to."),
    wide("ServiceAccounts", "The service accounts that it is granted to."),
];

/// What every other kind looks like.
static OTHER: Kind = Kind {
    group: "",
    kind: "",
    columns: &[NAME, Column { ty: "date", ..text("Created At", "The time when the object was created.") }],
    cells: rows::name_and_creation,
};

/// The layout of a kind.
pub(super) fn of(group: &str, kind: &str) -> &'static Kind {
    KINDS.iter().find(|known| known.group == group && known.kind == kind).unwrap_or(&OTHER)
}

impl Kind {
    pub fn definitions(&self) -> Value {
        self.columns.iter().map(Column::definition).collect()
    }
}

impl Column {
    fn definition(&self) -> Value {
        json!({"name": self.name, "type": self.ty, "format": self.format, "description": self.description,
            "priority": self.priority})
    }
}
