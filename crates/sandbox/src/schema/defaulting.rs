//! What the server fills into objects of the built-in kinds after decoding them: the declared defaults, the defaulting
//! functions (`pkg/apis/*/v1/defaults.go`, `apiextensions/v1/defaults.go`), and what conversion to the internal version
//! and back leaves behind (`pkg/apis/*/v1/conversion.go`).

use serde_json::{Map, Value};

use super::defaulting_rules::RULES;
use super::{Schema, Shape, builtin, quantity};

type Object = Map<String, Value>;

/// Deepest nesting of what is filled in.
const MAX_DEPTH: usize = 300;

/// Fills in what the server fills in when it decodes an object of a built-in kind, declared defaults
/// ([`super::conform::defaults`]) included. The object has to be conformed before.
pub fn fill((group, version, kind): (&str, &str, &str), value: &mut Value) {
    let types = builtin::types();
    let Some(id) = builtin::kind_type(group, version, kind) else { return };
    walk(types.at(id), value, &mut fill_struct);
}

/// What the server sets in an object of a built-in kind when it is created, whatever the request says
/// (`PrepareForCreate` in `pkg/registry`).
pub fn begin((group, _, kind): (&str, &str, &str), value: &mut Value) {
    let Some(object) = value.as_object_mut() else { return };
    match (group, kind) {
        ("", "Namespace") => {
            object.insert("status".to_owned(), serde_json::json!({"phase": "Active"}));
            add_finalizer(child(object, "spec"));
        }
        ("apps", "DaemonSet") => {
            let annotations = child(child(object, "metadata"), "annotations");
            annotations.insert(TEMPLATE_GENERATION.to_owned(), Value::from("1"));
        }
        _ => {}
    }
}

/// The annotation in which a DaemonSet's internal field appears.
pub const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn add_finalizer(spec: &mut Object) {
    let finalizers = spec.entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(finalizers) = finalizers
        && !finalizers.iter().any(|finalizer| finalizer == "kubernetes")
    {
        finalizers.push(Value::from("kubernetes"));
    }
}

/// Visits the structures of an object, outer ones first.
pub(super) fn walk<'t>(schema: Schema<'t>, value: &mut Value, visit: &mut dyn FnMut(Schema<'t>, &mut Object)) {
    walk_within(schema, value, visit, MAX_DEPTH);
}

fn walk_within<'t>(
    schema: Schema<'t>,
    value: &mut Value,
    visit: &mut dyn FnMut(Schema<'t>, &mut Object),
    depth: usize,
) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match (schema.shape(), value) {
        (Shape::Struct(_), Value::Object(object)) => {
            visit(schema, object);
            for (name, value) in object.iter_mut() {
                if let Some((_, schema)) = schema.field(name) {
                    walk_within(schema, value, visit, depth);
                }
            }
        }
        (Shape::List(list), Value::Array(items)) => {
            items.iter_mut().for_each(|item| walk_within(schema.at(list.item), item, visit, depth));
        }
        (Shape::Map { value: each, .. }, Value::Object(map)) => {
            map.values_mut().for_each(|value| walk_within(schema.at(*each), value, visit, depth));
        }
        _ => {}
    }
}

/// Gives a field a value, unless it has one; the zero value is one only if the field can also be `null`.
pub(super) fn fill_field(object: &mut Object, name: &str, nullable: bool, value: &Value) {
    let has_value = match object.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => nullable || !text.is_empty(),
        Some(Value::Number(number)) => nullable || number.as_f64() != Some(0.0),
        Some(_) => true,
    };
    if !has_value {
        object.insert(name.to_owned(), value.clone());
    }
}

fn fill_struct(schema: Schema<'_>, object: &mut Object) {
    let Shape::Struct(shape) = schema.shape() else { return };
    for (name, field) in &shape.fields {
        if let Some(default) = &field.default {
            fill_field(object, name, field.nullable, default);
        }
        if field.go_type == "v1.ResourceList" {
            object.get_mut(name).and_then(Value::as_object_mut).into_iter().for_each(round_resources);
        }
    }
    let name = schema.ty().name.as_deref().unwrap_or_default();
    let name = name.strip_prefix("io.k8s.api.").unwrap_or(name);
    for (_, field, constant) in CONSTANTS.iter().filter(|(ty, ..)| *ty == name) {
        let nullable = shape.fields.get(*field).is_some_and(|field| field.nullable);
        fill_field(object, field, nullable, &constant.value());
    }
    if let Some((_, rule)) = RULES.iter().find(|(ty, _)| *ty == name) {
        rule(object);
    }
}

fn round_resources(resources: &mut Object) {
    for amount in resources.values_mut() {
        if let Value::String(text) = amount {
            *text = quantity::rounded_to_milli(text);
        }
    }
}

/// The structure in a field, made if it is not there.
pub(super) fn child<'o>(object: &'o mut Object, name: &str) -> &'o mut Object {
    let place = object.entry(name).or_insert(Value::Null);
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    place.as_object_mut().expect("an object was put there")
}

/// A value to fill in.
#[derive(Clone, Copy, Debug)]
enum Constant {
    Text(&'static str),
    Number(i64),
    /// An empty structure.
    Empty,
}
use Constant::{Empty, Number, Text};

impl Constant {
    fn value(self) -> Value {
        match self {
            Text(text) => Value::from(text),
            Number(number) => Value::from(number),
            Empty => Value::Object(Map::new()),
        }
    }
}

/// The permissions of files in volumes: 0644.
const FILE_MODE: Constant = Number(0o644);

/// What fields of what structures get if they have no value.
const CONSTANTS: &[(&str, &str, Constant)] = &[
    ("core.v1.PodSpec", "dnsPolicy", Text("ClusterFirst")),
    ("core.v1.PodSpec", "restartPolicy", Text("Always")),
    ("core.v1.PodSpec", "securityContext", Empty),
    ("core.v1.PodSpec", "terminationGracePeriodSeconds", Number(30)),
    ("core.v1.PodSpec", "schedulerName", Text("default-scheduler")),
    ("core.v1.Container", "terminationMessagePath", Text("/dev/termination-log")),
    ("core.v1.Container", "terminationMessagePolicy", Text("File")),
    ("core.v1.EphemeralContainer", "terminationMessagePath", Text("/dev/termination-log")),
    ("core.v1.EphemeralContainer", "terminationMessagePolicy", Text("File")),
    ("core.v1.Probe", "timeoutSeconds", Number(1)),
    ("core.v1.Probe", "periodSeconds", Number(10)),
    ("core.v1.Probe", "successThreshold", Number(1)),
    ("core.v1.Probe", "failureThreshold", Number(3)),
    ("core.v1.HTTPGetAction", "path", Text("/")),
    ("core.v1.HTTPGetAction", "scheme", Text("HTTP")),
    ("core.v1.ObjectFieldSelector", "apiVersion", Text("v1")),
    ("core.v1.SecretVolumeSource", "defaultMode", FILE_MODE),
    ("core.v1.ConfigMapVolumeSource", "defaultMode", FILE_MODE),
    ("core.v1.DownwardAPIVolumeSource", "defaultMode", FILE_MODE),
    ("core.v1.ProjectedVolumeSource", "defaultMode", FILE_MODE),
    ("core.v1.ServiceAccountTokenProjection", "expirationSeconds", Number(3600)),
    ("core.v1.HostPathVolumeSource", "type", Text("")),
    ("core.v1.PersistentVolumeClaimSpec", "volumeMode", Text("Filesystem")),
    ("core.v1.Secret", "type", Text("Opaque")),
    ("core.v1.NamespaceStatus", "phase", Text("Active")),
    ("core.v1.ServiceSpec", "sessionAffinity", Text("None")),
    ("core.v1.ServiceSpec", "type", Text("ClusterIP")),
    ("apps.v1.DeploymentSpec", "replicas", Number(1)),
    ("apps.v1.DeploymentSpec", "revisionHistoryLimit", Number(10)),
    ("apps.v1.DeploymentSpec", "progressDeadlineSeconds", Number(600)),
    ("apps.v1.DaemonSetSpec", "revisionHistoryLimit", Number(10)),
    ("apps.v1.ReplicaSetSpec", "replicas", Number(1)),
    ("authentication.v1.TokenRequestSpec", "expirationSeconds", Number(3600)),
    ("admissionregistration.v1.ValidatingAdmissionPolicySpec", "failurePolicy", Text("Fail")),
    ("admissionregistration.v1.MatchResources", "matchPolicy", Text("Equivalent")),
    ("admissionregistration.v1.MatchResources", "namespaceSelector", Empty),
    ("admissionregistration.v1.MatchResources", "objectSelector", Empty),
    ("admissionregistration.v1.NamedRuleWithOperations", "scope", Text("*")),
    ("admissionregistration.v1.RuleWithOperations", "scope", Text("*")),
    ("admissionregistration.v1.ServiceReference", "port", Number(443)),
    ("admissionregistration.v1.ValidatingWebhook", "failurePolicy", Text("Fail")),
    ("admissionregistration.v1.ValidatingWebhook", "matchPolicy", Text("Equivalent")),
    ("admissionregistration.v1.ValidatingWebhook", "namespaceSelector", Empty),
    ("admissionregistration.v1.ValidatingWebhook", "objectSelector", Empty),
    ("admissionregistration.v1.ValidatingWebhook", "timeoutSeconds", Number(10)),
    ("admissionregistration.v1.MutatingWebhook", "failurePolicy", Text("Fail")),
    ("admissionregistration.v1.MutatingWebhook", "matchPolicy", Text("Equivalent")),
    ("admissionregistration.v1.MutatingWebhook", "namespaceSelector", Empty),
    ("admissionregistration.v1.MutatingWebhook", "objectSelector", Empty),
    ("admissionregistration.v1.MutatingWebhook", "timeoutSeconds", Number(10)),
    ("admissionregistration.v1.MutatingWebhook", "reinvocationPolicy", Text("Never")),
    ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference", "port", Number(443)),
    ("rbac.v1.RoleRef", "apiGroup", Text("rbac.authorization.k8s.io")),
];
