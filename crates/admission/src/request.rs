//! The admission request (`admission.k8s.io/v1`) and what expressions see of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

/// A request that the API server asks admission about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionRequest {
    /// Identifies this call; expressions do not see it.
    #[serde(default)]
    pub uid: String,
    /// The kind that `object` is given in.
    pub kind: GroupVersionKind,
    /// The resource that `object` is given in.
    pub resource: GroupVersionResource,
    /// `status`, `scale` and so on; empty for the object itself.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub sub_resource: String,
    /// The kind of the original request, if it differs from `kind`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_kind: Option<GroupVersionKind>,
    /// The resource of the original request, if it differs from `resource`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_resource: Option<GroupVersionResource>,
    /// The subresource of the original request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_sub_resource: Option<String>,
    /// The object's name; empty for collections and for creation with a name yet to be generated.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub name: String,
    /// The object's namespace (of a Namespace: its own name); empty if the resource has none.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub namespace: String,
    /// What is done.
    pub operation: Operation,
    /// Who does it.
    #[serde(default)]
    pub user_info: UserInfo,
    /// The object as it would be stored.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub object: Option<Arc<Json>>,
    /// The object as it is stored.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub old_object: Option<Arc<Json>>,
    /// Whether nothing will be stored.
    #[serde(default, deserialize_with = "null_as_default")]
    pub dry_run: bool,
    /// The options of the operation, such as `UpdateOptions`.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub options: Option<Arc<Json>>,
}

/// A kind of object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupVersionKind {
    /// Empty for the core group.
    #[serde(default)]
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
}

/// A kind of resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupVersionResource {
    /// Empty for the core group.
    #[serde(default)]
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural name.
    pub resource: String,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// Stores a new object.
    Create,
    /// Changes a stored object (PUT and every kind of PATCH).
    Update,
    /// Removes a stored object.
    Delete,
    /// Opens a connection, as `pods/exec` does.
    Connect,
}

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserInfo {
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub username: String,
    /// Distinguishes users of one name over time.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_as_default")]
    pub uid: String,
    /// The groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub groups: Vec<String>,
    /// What the authenticator says beyond that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Operation {
    /// The name as it is in requests and rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl AdmissionRequest {
    /// The resource that the client asked for. Rules are matched against it.
    pub fn requested_resource(&self) -> &GroupVersionResource {
        self.request_resource.as_ref().unwrap_or(&self.resource)
    }

    /// The kind that the client asked for.
    pub fn requested_kind(&self) -> &GroupVersionKind {
        self.request_kind.as_ref().unwrap_or(&self.kind)
    }

    /// What expressions see as `request` when a policy matched this resource and kind. Empty strings, lists and maps
    /// are absent, as the server leaves them out. `uid`, `object` and `oldObject` are there but blank, where only
    /// `dyn(request)` gets at them: the declared type of `request` does not have them.
    pub fn expression_view(&self, resource: &GroupVersionResource, kind: &GroupVersionKind) -> Json {
        let mut view = Map::new();
        view.insert("kind".to_owned(), kind.view());
        view.insert("resource".to_owned(), resource.view());
        view.insert("requestKind".to_owned(), self.requested_kind().view());
        view.insert("requestResource".to_owned(), self.requested_resource().view());
        view.insert("operation".to_owned(), self.operation.as_str().into());
        view.insert("userInfo".to_owned(), json!(self.user_info));
        view.insert("dryRun".to_owned(), self.dry_run.into());
        view.insert("options".to_owned(), self.options.as_deref().cloned().unwrap_or_default());
        view.insert("uid".to_owned(), "".into());
        view.insert("object".to_owned(), Json::Null);
        view.insert("oldObject".to_owned(), Json::Null);
        insert_non_empty(&mut view, "subResource", &self.sub_resource);
        insert_non_empty(&mut view, "requestSubResource", &self.sub_resource);
        insert_non_empty(&mut view, "name", &self.name);
        insert_non_empty(&mut view, "namespace", &self.namespace);
        Json::Object(view)
    }
}

impl GroupVersionKind {
    fn view(&self) -> Json {
        json!({"group": self.group, "version": self.version, "kind": self.kind})
    }
}

impl GroupVersionResource {
    fn view(&self) -> Json {
        json!({"group": self.group, "version": self.version, "resource": self.resource})
    }
}

impl fmt::Display for GroupVersionKind {
    /// As the server writes it in messages: `apps/v1, Kind=Deployment`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

fn insert_non_empty(view: &mut Map<String, Json>, key: &str, value: &str) {
    if !value.is_empty() {
        view.insert(key.to_owned(), value.into());
    }
}

fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(input: D) -> Result<T, D::Error> {
    Option::deserialize(input).map(Option::unwrap_or_default)
}

/// Objects behind a shared pointer; null counts as absent.
mod shared {
    use super::{Arc, Deserialize, Deserializer, Json, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde's derive calls")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Arc<Json>>, output: S) -> Result<S::Ok, S::Error> {
        value.as_deref().serialize(output)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Arc<Json>>, D::Error> {
        Option::<Json>::deserialize(input).map(|value| value.map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(more: Json) -> AdmissionRequest {
        let mut value = json!({
            "uid": "u", "operation": "UPDATE",
            "kind": {"group": "", "version": "v1", "kind": "Node"},
            "resource": {"group": "", "version": "v1", "resource": "nodes"},
        });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn view(request: &AdmissionRequest) -> Json {
        request.expression_view(&request.resource, &request.kind)
    }

    /// Section 2.2: empty values are absent.
    #[test]
    fn empty_values_are_absent() {
        let view = view(&request(json!({
            "object": {}, "oldObject": {}, "subResource": "", "namespace": "", "name": null,
            "userInfo": {"username": "me", "groups": [], "extra": null},
        })));
        for absent in ["subResource", "requestSubResource", "namespace", "name"] {
            assert_eq!(view.get(absent), None, "{absent}");
        }
        assert_eq!((&view["uid"], &view["object"], &view["oldObject"]), (&json!(""), &Json::Null, &Json::Null));
        assert_eq!(view["userInfo"], json!({"username": "me"}));
        assert_eq!(view["dryRun"], json!(false));
        assert_eq!(view["options"], Json::Null);
        assert_eq!(view["requestKind"], json!({"group": "", "version": "v1", "kind": "Node"}));
    }

    #[test]
    fn given_values_are_there() {
        let view = view(&request(json!({
            "subResource": "status", "namespace": "ns", "name": "n", "dryRun": true,
            "userInfo": {"username": "me", "uid": "1", "groups": ["g"], "extra": {"k": ["v"]}},
            "options": {"kind": "UpdateOptions"},
        })));
        assert_eq!(view["subResource"], "status");
        assert_eq!(view["requestSubResource"], "status");
        assert_eq!(view["namespace"], "ns");
        assert_eq!(view["name"], "n");
        assert_eq!(view["dryRun"], true);
        assert_eq!(view["options"]["kind"], "UpdateOptions");
        assert_eq!(view["userInfo"], json!({"username": "me", "uid": "1", "groups": ["g"], "extra": {"k": ["v"]}}));
    }

    #[test]
    fn the_matched_resource_shows_beside_the_requested_one() {
        let request = request(json!({"requestKind": {"group": "g", "version": "v2", "kind": "Node"}}));
        let kind = GroupVersionKind { group: "h".to_owned(), version: "v3".to_owned(), kind: "Node".to_owned() };
        let view = request.expression_view(&request.resource, &kind);
        assert_eq!((&view["kind"]["version"], &view["requestKind"]["version"]), (&json!("v3"), &json!("v2")));
    }

    #[test]
    fn survives_a_round_trip() {
        let request = request(json!({"object": {"a": 1}, "options": null, "userInfo": {"groups": ["g"]}}));
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<AdmissionRequest>(&text).unwrap(), request);
    }
}
