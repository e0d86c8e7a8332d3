//! A suite as it is written.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::expectation::Expectation;
use super::identity::User;
use super::patch::Patch;

/// Cases that share a policy, users and objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// The suite's name.
    pub name: String,
    /// The profile whose guards judge: the name of a built-in one, or a file relative to the suite.
    pub profile: Option<String>,
    /// Files with policies and bindings that judge, relative to the suite; together with the profile, all must admit.
    pub policies: Vec<String>,
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// Objects by name.
    pub objects: BTreeMap<String, Value>,
    /// The cases; their names are unique.
    pub cases: Vec<Case>,
}

/// One request, and what must come of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    /// The case's name.
    pub name: String,
    /// What the case is taken from or proves, for reports.
    #[serde(default)]
    pub references: Vec<String>,
    /// Who makes the request: the name of a user of the suite, or a user.
    pub user: Named<User>,
    /// What the request does.
    #[serde(default)]
    pub operation: Operation,
    /// The resource; of the kinds that we know it need not be given.
    pub resource: Option<ResourceName>,
    /// The subresource.
    #[serde(default)]
    pub subresource: String,
    /// The object as it is stored: the name of an object of the suite, or an object.
    pub old: Option<Named<Value>>,
    /// The object as it would be stored, for CREATE and PUT.
    pub new: Option<Named<Value>>,
    /// How the stored object is changed, for PATCH.
    pub patch: Option<Patch>,
    /// Keys that both objects have besides.
    #[serde(default)]
    pub fill: Vec<Fill>,
    /// What must come of it.
    pub expect: Expectation,
    /// Where it does not run, and why.
    #[serde(default)]
    pub not_run: NotRun,
}

/// Something given by its name, or itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value", bound = "T: DeserializeOwned")]
pub enum Named<T> {
    /// Its name.
    Name(String),
    /// Itself.
    Inline(T),
}

impl<T: DeserializeOwned> TryFrom<Value> for Named<T> {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(name) => Ok(Self::Name(name)),
            Value::Object(_) => serde_json::from_value(value).map(Self::Inline).map_err(|error| error.to_string()),
            _ => Err("must be a name or an object".to_owned()),
        }
    }
}

/// What a request does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// POST.
    Create,
    /// PUT and every PATCH.
    #[default]
    Update,
    /// DELETE.
    Delete,
    /// A connection, as to `nodes/proxy`.
    Connect,
}

impl Operation {
    /// As the API server spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// A resource by group, version and plural name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceName {
    /// The API group; empty for the core group.
    #[serde(default)]
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural name.
    pub resource: String,
}

/// A number of keys that are added to both objects before the change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Which map.
    pub map: MapField,
    /// How many keys.
    pub count: u32,
    /// What the keys begin with; a number from 0 follows.
    pub prefix: String,
    /// The value of each.
    pub value: String,
}

/// A map of the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MapField {
    /// The labels.
    Labels,
    /// The annotations.
    Annotations,
}

impl MapField {
    /// The name of the field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Annotations => "annotations",
        }
    }
}

/// The places where a case does not run, each with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotRun {
    /// Not by the evaluator alone.
    pub offline: Option<String>,
    /// Not on the sandbox.
    pub sandbox: Option<String>,
    /// Not on a real API server.
    pub server: Option<String>,
}
