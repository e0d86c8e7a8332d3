//! Static types of expressions.

use std::fmt;
use std::sync::Arc;

/// A type as the checker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Anything; checked when the expression runs.
    Dyn,
    /// The result of a failed check, compatible with everything.
    Error,
    /// The null value.
    Null,
    /// Boolean.
    Bool,
    /// 64-bit signed integer.
    Int,
    /// 64-bit unsigned integer.
    Uint,
    /// IEEE double.
    Double,
    /// Text.
    String,
    /// Octets.
    Bytes,
    /// `google.protobuf.Duration`.
    Duration,
    /// `google.protobuf.Timestamp`.
    Timestamp,
    /// A list of one element type.
    List(Arc<Type>),
    /// A map of one key and one value type.
    Map(Arc<Type>, Arc<Type>),
    /// The type of types, with the type it stands for.
    Type(Arc<Type>),
    /// A named type without visible fields, such as `kubernetes.Quantity` or `optional_type(T)`.
    Opaque(&'static str, Vec<Type>),
    /// A declared type with fields.
    Struct(Arc<StructType>),
    /// A type parameter of an overload, such as `T`.
    Param(&'static str),
    /// An inference variable of the checker.
    Variable(u32),
}

/// A declared type with named fields.
#[derive(Debug)]
pub struct StructType {
    /// Full name, such as `kubernetes.AdmissionRequest`.
    pub name: String,
    /// Fields in order of declaration.
    pub fields: Vec<(String, Type)>,
}

/// Names are unique, so the name is the identity.
impl PartialEq for StructType {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for StructType {}

impl StructType {
    /// The type of a field.
    pub fn field(&self, name: &str) -> Option<&Type> {
        self.fields.iter().rev().find(|(field, _)| field == name).map(|(_, kind)| kind)
    }
}

/// The name of the optional type.
pub const OPTIONAL: &str = "optional_type";

impl Type {
    /// `list(element)`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// `map(key, value)`.
    pub fn map(key: Self, value: Self) -> Self {
        Self::Map(Arc::new(key), Arc::new(value))
    }

    /// `optional_type(value)`.
    pub fn optional(value: Self) -> Self {
        Self::Opaque(OPTIONAL, vec![value])
    }

    /// `type(of)`.
    pub fn type_of(of: Self) -> Self {
        Self::Type(Arc::new(of))
    }

    /// A named type without fields or parameters.
    pub fn opaque(name: &'static str) -> Self {
        Self::Opaque(name, Vec::new())
    }

    /// The value type, if this is an optional type.
    pub fn optional_value(&self) -> Option<&Self> {
        match self {
            Self::Opaque(OPTIONAL, parameters) => parameters.first(),
            _ => None,
        }
    }

    /// Whether the check of this expression is left to the evaluation.
    pub fn is_dyn_or_error(&self) -> bool {
        matches!(self, Self::Dyn | Self::Error)
    }
}

/// The name as checker messages print it.
impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(element) => write!(out, "list({element})"),
            Self::Map(key, value) => write!(out, "map({key}, {value})"),
            Self::Type(of) => write!(out, "type({of})"),
            Self::Opaque(name, parameters) => display_opaque(name, parameters, out),
            Self::Struct(declared) => out.write_str(&declared.name),
            Self::Param(name) => out.write_str(name),
            Self::Variable(number) => write!(out, "_var{number}"),
            simple => out.write_str(simple.simple_name()),
        }
    }
}

fn display_opaque(name: &str, parameters: &[Type], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    out.write_str(name)?;
    if parameters.is_empty() {
        return Ok(());
    }
    for (index, parameter) in parameters.iter().enumerate() {
        out.write_str(if index == 0 { "(" } else { ", " })?;
        write!(out, "{parameter}")?;
    }
    out.write_str(")")
}

impl Type {
    fn simple_name(&self) -> &'static str {
        match self {
            Self::Error => "!error!",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
            _ => "dyn",
        }
    }
}

impl Type {
    /// The name as demands on a result's type print it (`google.protobuf.Timestamp`, not `timestamp`).
    pub fn runtime_name(&self) -> String {
        match self {
            Self::Null => String::from("null_type"),
            Self::Error => String::from("error"),
            Self::Duration => String::from("google.protobuf.Duration"),
            Self::Timestamp => String::from("google.protobuf.Timestamp"),
            Self::List(element) => format!("list({})", element.runtime_name()),
            Self::Map(key, value) => format!("map({}, {})", key.runtime_name(), value.runtime_name()),
            Self::Type(of) => format!("type({})", of.runtime_name()),
            Self::Opaque(name, parameters) if !parameters.is_empty() => {
                let names: Vec<String> = parameters.iter().map(Self::runtime_name).collect();
                format!("{name}({})", names.join(", "))
            }
            other => other.to_string(),
        }
    }

    /// Whether the type nests at most this deep.
    pub(crate) fn nests_within(&self, limit: usize) -> bool {
        let Some(below) = limit.checked_sub(1) else { return false };
        match self {
            Self::List(part) | Self::Type(part) => part.nests_within(below),
            Self::Map(key, value) => key.nests_within(below) && value.nests_within(below),
            Self::Opaque(_, parts) => parts.iter().all(|part| part.nests_within(below)),
            _ => true,
        }
    }

    /// Calls a function with each part of the type, the type itself included.
    pub(crate) fn visit(&self, visitor: &mut impl FnMut(&Self)) {
        visitor(self);
        match self {
            Self::List(part) | Self::Type(part) => part.visit(visitor),
            Self::Map(key, value) => {
                key.visit(visitor);
                value.visit(visitor);
            }
            Self::Opaque(_, parts) => parts.iter().for_each(|part| part.visit(visitor)),
            _ => {}
        }
    }

    /// Replaces the simple parts for which the function gives another type.
    pub(crate) fn map_parts(&self, replace: &impl Fn(&Self) -> Option<Self>) -> Self {
        if let Some(replaced) = replace(self) {
            return replaced;
        }
        match self {
            Self::List(element) => Self::list(element.map_parts(replace)),
            Self::Map(key, value) => Self::map(key.map_parts(replace), value.map_parts(replace)),
            Self::Type(of) => Self::type_of(of.map_parts(replace)),
            Self::Opaque(name, parts) => Self::Opaque(name, parts.iter().map(|part| part.map_parts(replace)).collect()),
            other => other.clone(),
        }
    }
}
