//! What the server declares for admission policies: root names and their types.

use std::sync::Arc;

use super::types::{StructType, Type};

/// A name that an activation binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Object,
    OldObject,
    Params,
    Request,
    NamespaceObject,
    Authorizer,
    Variables,
    /// What a schema's rule is about.
    This,
    /// What it was before.
    Old,
}

/// Named types of the language itself that can stand as values.
pub(super) const TYPE_NAMES: [(&str, Type); 11] = [
    ("bool", Type::Bool),
    ("bytes", Type::Bytes),
    ("double", Type::Double),
    ("google.protobuf.Duration", Type::Duration),
    ("dyn", Type::Dyn),
    ("int", Type::Int),
    ("null_type", Type::Null),
    ("string", Type::String),
    ("google.protobuf.Timestamp", Type::Timestamp),
    ("type", Type::Error),
    ("uint", Type::Uint),
];

/// The type of `authorizer`.
const AUTHORIZER: &str = "kubernetes.authorization.Authorizer";
/// The type of `authorizer.requestResource`.
const RESOURCE_CHECK: &str = "kubernetes.authorization.ResourceCheck";

/// The roots of an admission expression.
pub(super) fn roots(params: bool, authorizer: bool) -> Vec<(&'static str, Root, Type)> {
    let mut roots = vec![
        ("object", Root::Object, Type::Dyn),
        ("oldObject", Root::OldObject, Type::Dyn),
        ("namespaceObject", Root::NamespaceObject, namespace()),
        ("request", Root::Request, request()),
    ];
    if params {
        roots.push(("params", Root::Params, Type::Dyn));
    }
    if authorizer {
        roots.push(("authorizer", Root::Authorizer, Type::opaque(AUTHORIZER)));
        roots.push(("authorizer.requestResource", Root::Authorizer, Type::opaque(RESOURCE_CHECK)));
    }
    roots
}

/// The declared structs, which can also be named as types.
pub(super) fn struct_types() -> Vec<Arc<StructType>> {
    let mut found = Vec::new();
    collect(&request(), &mut found);
    collect(&namespace(), &mut found);
    found
}

/// All structs that a type is made of.
pub(super) fn structs_of(kind: &Type) -> Vec<Arc<StructType>> {
    let mut found = Vec::new();
    collect(kind, &mut found);
    found
}

fn collect(kind: &Type, found: &mut Vec<Arc<StructType>>) {
    kind.visit(&mut |part| {
        if let Type::Struct(declared) = part
            && !found.contains(declared)
        {
            found.push(Arc::clone(declared));
            declared.fields.iter().for_each(|(_, field)| collect(field, found));
        }
    });
}

/// A struct type from its fields.
pub(super) fn structure(name: &str, fields: Vec<(&str, Type)>) -> Type {
    let fields = fields.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
    Type::Struct(Arc::new(StructType { name: name.to_owned(), fields }))
}

fn texts(names: &[&'static str]) -> Vec<(&'static str, Type)> {
    names.iter().map(|name| (*name, Type::String)).collect()
}

/// `kubernetes.AdmissionRequest`: no uid, object or oldObject.
fn request() -> Type {
    let kind = structure("kubernetes.GroupVersionKind", texts(&["group", "version", "kind"]));
    let resource = structure("kubernetes.GroupVersionResource", texts(&["group", "version", "resource"]));
    structure(
        "kubernetes.AdmissionRequest",
        vec![
            ("kind", kind.clone()),
            ("resource", resource.clone()),
            ("subResource", Type::String),
            ("requestKind", kind),
            ("requestResource", resource),
            ("requestSubResource", Type::String),
            ("name", Type::String),
            ("namespace", Type::String),
            ("operation", Type::String),
            ("userInfo", user_info()),
            ("dryRun", Type::Bool),
            ("options", Type::Dyn),
        ],
    )
}

fn user_info() -> Type {
    let strings = Type::list(Type::String);
    structure(
        "kubernetes.UserInfo",
        vec![
            ("username", Type::String),
            ("uid", Type::String),
            ("groups", strings.clone()),
            ("extra", Type::map(Type::String, strings)),
        ],
    )
}

/// `kubernetes.Namespace`, with the server's spelling of `UID`.
fn namespace() -> Type {
    let spec = structure("kubernetes.NamespaceSpec", vec![("finalizers", Type::list(Type::String))]);
    structure(
        "kubernetes.Namespace",
        vec![("metadata", namespace_metadata()), ("spec", spec), ("status", namespace_status())],
    )
}

fn namespace_status() -> Type {
    let mut fields = texts(&["status", "type", "message", "reason"]);
    fields.push(("lastTransitionTime", Type::Timestamp));
    let condition = structure("kubernetes.NamespaceCondition", fields);
    structure("kubernetes.NamespaceStatus", vec![("conditions", Type::list(condition)), ("phase", Type::String)])
}

fn namespace_metadata() -> Type {
    let labels = Type::map(Type::String, Type::String);
    let mut fields = texts(&["name", "generateName", "namespace", "UID", "resourceVersion"]);
    fields.extend([
        ("labels", labels.clone()),
        ("annotations", labels),
        ("creationTimestamp", Type::Timestamp),
        ("deletionGracePeriodSeconds", Type::Int),
        ("deletionTimestamp", Type::Timestamp),
        ("generation", Type::Int),
        ("finalizers", Type::list(Type::String)),
    ]);
    structure("kubernetes.NamespaceMetadata", fields)
}

/// The type that a variable's entry is declared with: the server keeps simple types, lists and maps of them,
/// and forgets all others.
pub(super) fn variable_type(inferred: &Type) -> Type {
    match inferred {
        Type::Null
        | Type::Bool
        | Type::Int
        | Type::Uint
        | Type::Double
        | Type::String
        | Type::Bytes
        | Type::Duration
        | Type::Timestamp => inferred.clone(),
        Type::List(element) => Type::list(variable_type(element)),
        Type::Map(key, value) => Type::map(variable_type(key), variable_type(value)),
        _ => Type::Dyn,
    }
}
