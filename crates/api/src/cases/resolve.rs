//! From a case to the request that an API server shows to admission.

use serde_json::{Map, Value, json};

use super::format::{Case, Fill, Named, Operation, ResourceName, Suite};
use super::identity::{Identity, User};
use super::patch::{Patch, Unpatchable};

/// More keys than this fit into no object that an API server stores.
const MAX_FILL: u32 = 100_000;

/// A case with everything that its suite says about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Who makes the request.
    pub user: Identity,
    /// What it does.
    pub operation: Operation,
    /// The resource.
    pub resource: ResourceName,
    /// The kind of the object.
    pub kind: String,
    /// The subresource; empty for the object itself.
    pub subresource: String,
    /// The object's name.
    pub name: String,
    /// The object's namespace; empty if it has none.
    pub namespace: String,
    /// The object as it is stored, or, for a connection, the one that is connected to.
    pub old: Option<Value>,
    /// What the request carries.
    pub change: Change,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// No body.
    Nothing,
    /// An object: POST and PUT, or the options of a connection.
    Object(Value),
    /// A patch.
    Patch(Patch),
}

impl Resolved {
    /// The object as it would be stored; `None` for a deletion.
    ///
    /// # Errors
    /// [`Unpatchable`], if the patch does not fit, or only a server can apply it.
    pub fn new_object(&self) -> Result<Option<Value>, Unpatchable> {
        match (&self.change, &self.old) {
            (Change::Nothing, _) => Ok(None),
            (Change::Object(object), _) => Ok(Some(object.clone())),
            (Change::Patch(patch), Some(old)) => patch.apply(old).map(Some),
            (Change::Patch(_), None) => Ok(None),
        }
    }

    /// The object that admission is shown as the old one: none for a connection.
    #[must_use]
    pub fn old_object(&self) -> Option<&Value> {
        self.old.as_ref().filter(|_| self.operation != Operation::Connect)
    }
}

impl Suite {
    /// Puts together what a case says and what the suite says.
    ///
    /// # Errors
    /// What is wrong with the case, as text that begins with the field.
    pub fn resolve(&self, case: &Case) -> Result<Resolved, String> {
        let user = self.user(&case.user)?.identity().map_err(|error| format!("user: {error}"))?;
        let old = self.object("old", case.old.as_ref(), &case.fill)?;
        let new = self.object("new", case.new.as_ref(), &case.fill)?;
        let change = change(case, &old, new)?;
        let subject = match (&old, &change) {
            (Some(object), _) | (None, Change::Object(object)) => object,
            _ => return Err("old: is missing".to_owned()),
        };
        let resource = case.resource.clone().map_or_else(|| resource_of(subject), Ok)?;
        Ok(Resolved {
            user,
            operation: case.operation,
            resource,
            kind: text(subject, "/kind").to_owned(),
            subresource: case.subresource.clone(),
            name: text(subject, "/metadata/name").to_owned(),
            namespace: text(subject, "/metadata/namespace").to_owned(),
            old,
            change,
        })
    }

    fn user<'a>(&'a self, user: &'a Named<User>) -> Result<&'a User, String> {
        match user {
            Named::Inline(user) => Ok(user),
            Named::Name(name) => self.users.get(name).ok_or_else(|| format!("user: the suite has no user `{name}`")),
        }
    }

    fn object(&self, field: &str, object: Option<&Named<Value>>, fill: &[Fill]) -> Result<Option<Value>, String> {
        let mut object = match object {
            None => return Ok(None),
            Some(Named::Inline(object)) => object.clone(),
            Some(Named::Name(name)) => {
                let known = self.objects.get(name).cloned();
                known.ok_or_else(|| format!("{field}: the suite has no object `{name}`"))?
            }
        };
        fill.iter().try_for_each(|fill| add_keys(&mut object, fill))?;
        Ok(Some(object))
    }
}

fn change(case: &Case, old: &Option<Value>, new: Option<Value>) -> Result<Change, String> {
    let error = |text: &str| Err(text.to_owned());
    match (case.operation, old, new, &case.patch) {
        (Operation::Create, None, Some(new), None) => Ok(Change::Object(new)),
        (Operation::Create, ..) => error("new: CREATE has new, and neither old nor patch"),
        (Operation::Update, Some(_), Some(new), None) => Ok(Change::Object(new)),
        (Operation::Update, Some(_), None, Some(patch)) => Ok(Change::Patch(patch.clone())),
        (Operation::Update, ..) => error("old: UPDATE has old, and either new or patch"),
        (Operation::Delete, Some(_), None, None) => Ok(Change::Nothing),
        (Operation::Delete, ..) => error("old: DELETE has old, and neither new nor patch"),
        (Operation::Connect, Some(_), new, None) if !case.subresource.is_empty() => {
            Ok(Change::Object(new.unwrap_or_else(|| json!({"apiVersion": "v1", "kind": "NodeProxyOptions"}))))
        }
        (Operation::Connect, ..) => error("subresource: CONNECT has a subresource and old, and no patch"),
    }
}

fn add_keys(object: &mut Value, fill: &Fill) -> Result<(), String> {
    if fill.count > MAX_FILL {
        return Err(format!("fill: at most {MAX_FILL} keys"));
    }
    let broken = || "fill: the object has no metadata to fill".to_owned();
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut).ok_or_else(broken)?;
    let map = metadata.entry(fill.map.as_str()).or_insert_with(|| Value::Object(Map::new()));
    let map = map.as_object_mut().ok_or_else(broken)?;
    map.extend((0..fill.count).map(|index| (format!("{}{index}", fill.prefix), fill.value.as_str().into())));
    Ok(())
}

/// The plural names of the kinds that suites are mostly about.
const RESOURCES: [(&str, &str, &str); 6] = [
    ("", "Node", "nodes"),
    ("nodebound.io", "ShadowNode", "shadownodes"),
    ("coordination.k8s.io", "Lease", "leases"),
    ("nfd.k8s-sigs.io", "NodeFeature", "nodefeatures"),
    ("kubevirt.io", "VirtualMachineInstance", "virtualmachineinstances"),
    ("backup.kubevirt.io", "VirtualMachineBackupTracker", "virtualmachinebackuptrackers"),
];

fn resource_of(object: &Value) -> Result<ResourceName, String> {
    let api_version = text(object, "/apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = text(object, "/kind");
    let known = RESOURCES.iter().find(|(known_group, known_kind, _)| (*known_group, *known_kind) == (group, kind));
    let (_, _, resource) = known.ok_or_else(|| format!("resource: is needed for the kind {api_version} {kind}"))?;
    Ok(ResourceName { group: group.to_owned(), version: version.to_owned(), resource: (*resource).to_owned() })
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
