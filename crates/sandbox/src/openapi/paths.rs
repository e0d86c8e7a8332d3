//! `paths`: what can be done with a resource (`k8s.io/apiserver/pkg/endpoints/installer.go`).

use serde_json::{Map, Value, json};

use super::custom;
use super::parameters::{self, DELETE, DELETE_COLLECTION, LIST, NONE, PATCH, WRITE};
use super::schemas::{Schemas, group_version_kind, meta};
use crate::catalog;
use crate::resource::{Resource, Subresource};

const ENCODINGS: [&str; 3] = ["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"];
const PATCHES: [&str; 3] =
    ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// What stands in a request's body, and in the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Nothing,
    Object,
    List,
    Patch,
    DeleteOptions,
    Status,
}

/// How a verb is spoken on a path.
struct Verb {
    verb: &'static str,
    method: &'static str,
    action: &'static str,
    word: &'static str,
    parameters: &'static [&'static [(&'static str, &'static str, &'static str)]],
    body: Content,
    answer: Content,
    codes: &'static [&'static str],
}

const READ: &[&str] = &["200"];
const CREATED: &[&str] = &["200", "201", "202"];
const CHANGED: &[&str] = &["200", "201"];
const DELETED: &[&str] = &["200", "202"];

const fn verb(verb: &'static str, method: &'static str, word: &'static str) -> Verb {
    Verb {
        verb,
        method,
        action: method,
        word,
        parameters: &[NONE],
        body: Content::Nothing,
        answer: Content::Object,
        codes: READ,
    }
}

const CREATE: Verb =
    Verb { parameters: &[WRITE], body: Content::Object, codes: CREATED, ..verb("create", "post", "create") };
const LIST_ALL: Verb =
    Verb { action: "list", parameters: &[LIST], answer: Content::List, ..verb("list", "get", "list") };

static ON_COLLECTION: &[Verb] = &[
    LIST_ALL,
    CREATE,
    Verb {
        action: "deletecollection",
        parameters: &[DELETE_COLLECTION],
        body: Content::DeleteOptions,
        answer: Content::Status,
        ..verb("deletecollection", "delete", "delete")
    },
];

static ON_OBJECT: &[Verb] = &[
    verb("get", "get", "read"),
    Verb { parameters: &[WRITE], body: Content::Object, codes: CHANGED, ..verb("update", "put", "replace") },
    Verb { parameters: &[WRITE, PATCH], body: Content::Patch, codes: CHANGED, ..verb("patch", "patch", "patch") },
    Verb {
        parameters: &[DELETE],
        body: Content::DeleteOptions,
        answer: Content::Status,
        codes: DELETED,
        ..verb("delete", "delete", "delete")
    },
    CREATE,
];

static ON_ALL_NAMESPACES: &[Verb] = &[LIST_ALL];

/// What an operation is about.
struct Subject<'r> {
    resource: &'r Resource,
    verbs: &'r [String],
    /// The names of the types of an object and of a list.
    object: String,
    list: String,
    kind: Value,
    /// What follows the kind in the operation's name.
    suffix: String,
    namespaced: bool,
    connects: bool,
}

/// Adds the paths of a resource.
pub(super) fn add(resource: &Resource, schemas: &mut Schemas<'_>, paths: &mut Map<String, Value>) {
    let root = root(resource);
    let own = Subject::of(resource);
    let collection = if resource.namespaced { format!("{root}/namespaces/{{namespace}}") } else { root.clone() };
    let collection = format!("{collection}/{}", resource.plural);
    let object = format!("{collection}/{{name}}");
    own.add(&collection, ON_COLLECTION, schemas, paths);
    if resource.verbs.iter().any(|verb| verb == "get") {
        own.add(&object, without_create(ON_OBJECT), schemas, paths);
    }
    for sub in &resource.subresources {
        Subject::of_sub(resource, sub).add(&format!("{object}/{}", sub.name), ON_OBJECT, schemas, paths);
    }
    if resource.namespaced {
        let everywhere = Subject { suffix: "ForAllNamespaces".to_owned(), namespaced: false, ..own };
        everywhere.add(&format!("{root}/{}", resource.plural), ON_ALL_NAMESPACES, schemas, paths);
    }
}

/// An object is created at its collection.
fn without_create(verbs: &'static [Verb]) -> &'static [Verb] {
    verbs.split_last().map_or(verbs, |(_, rest)| rest)
}

fn root(resource: &Resource) -> String {
    let place = resource.api_version();
    if resource.group.is_empty() { format!("/api/{place}") } else { format!("/apis/{place}") }
}

impl<'r> Subject<'r> {
    fn of(resource: &'r Resource) -> Self {
        let [object, list] = [&resource.kind, &resource.list_kind].map(|kind| own_type(resource, kind));
        Self {
            resource,
            verbs: &resource.verbs,
            object,
            list,
            kind: group_version_kind(&resource.group, &resource.version, &resource.kind),
            suffix: String::new(),
            namespaced: resource.namespaced,
            connects: false,
        }
    }

    /// Operations on subresources of custom resources are marked with the resource's own kind.
    fn of_sub(resource: &'r Resource, sub: &'r Subresource) -> Self {
        let own = Self { verbs: &sub.verbs, suffix: capitalized(&sub.name), ..Self::of(resource) };
        let Some((group, version, kind)) = &sub.kind else { return own };
        let marked = if resource.is_custom() { own.kind } else { group_version_kind(group, version, kind) };
        let object = catalog::type_name(group, version, kind);
        Self { object, kind: marked, connects: kind.ends_with("Options"), ..own }
    }

    fn add(&self, path: &str, verbs: &[Verb], schemas: &mut Schemas<'_>, paths: &mut Map<String, Value>) {
        let allowed = verbs.iter().filter(|verb| self.verbs.iter().any(|allowed| allowed == verb.verb));
        let mut operations: Map<String, Value> =
            allowed.map(|verb| (verb.method.to_owned(), self.operation(verb, schemas))).collect();
        if operations.is_empty() {
            return;
        }
        let places = ["namespace", "name"].into_iter().filter(|place| path.contains(&format!("{{{place}}}")));
        let mut parameters: Vec<Value> = places.map(parameters::of_path).collect();
        parameters.push(parameters::pretty());
        operations.insert("parameters".to_owned(), Value::Array(parameters));
        paths.insert(path.to_owned(), Value::Object(operations));
    }

    fn operation(&self, verb: &Verb, schemas: &mut Schemas<'_>) -> Value {
        let action = if self.connects { "connect" } else { verb.action };
        let mut operation = json!({
            "tags": [self.tag()],
            "operationId": self.operation_id(verb),
            "responses": self.responses(verb, schemas),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": self.kind,
        });
        if self.connects {
            return operation;
        }
        let parameters: Vec<Value> = verb.parameters.iter().flat_map(|some| parameters::query(some)).collect();
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        if let Some(body) = self.body(verb.body, schemas) {
            operation["requestBody"] = body;
        }
        operation
    }

    fn body(&self, content: Content, schemas: &mut Schemas<'_>) -> Option<Value> {
        let schema = self.schema(content, schemas)?;
        let media: Vec<&str> = match content {
            Content::Patch if self.resource.is_custom() => PATCHES.to_vec(),
            Content::Patch => PATCHES.into_iter().chain([STRATEGIC]).collect(),
            _ => vec!["*/*"],
        };
        let mut body = json!({"content": content_of(&media, &schema)});
        if content != Content::DeleteOptions {
            body["required"] = json!(true);
        }
        Some(body)
    }

    fn responses(&self, verb: &Verb, schemas: &mut Schemas<'_>) -> Value {
        let schema = if self.connects { Some(json!({"type": "string"})) } else { self.schema(verb.answer, schemas) };
        let schema = schema.unwrap_or_default();
        let media: &[&str] = if self.connects { &["*/*"] } else { &ENCODINGS };
        let answer = |code: &str| json!({"description": meaning(code), "content": content_of(media, &schema)});
        let mut responses: Map<String, Value> =
            verb.codes.iter().map(|&code| (code.to_owned(), answer(code))).collect();
        responses.insert("401".to_owned(), json!({"description": meaning("401")}));
        Value::Object(responses)
    }

    fn schema(&self, content: Content, schemas: &mut Schemas<'_>) -> Option<Value> {
        let name = match content {
            Content::Nothing => return None,
            Content::Object => self.object.clone(),
            Content::List => self.list.clone(),
            Content::Patch => meta("Patch"),
            Content::DeleteOptions => meta("DeleteOptions"),
            Content::Status => meta("Status"),
        };
        Some(schemas.refer(&name))
    }

    fn tag(&self) -> String {
        let group = group_word(&self.resource.group);
        let mut letters = group.chars();
        let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
        format!("{first}{}_{}", letters.as_str(), self.resource.version)
    }

    /// `listCoreV1NamespacedPod`.
    fn operation_id(&self, verb: &Verb) -> String {
        let Resource { group, version, kind, .. } = self.resource;
        let (word, method) =
            if self.connects { ("connect", capitalized(verb.method)) } else { (verb.word, String::new()) };
        let collection = if verb.verb == "deletecollection" { "Collection" } else { "" };
        let namespaced = if self.namespaced { "Namespaced" } else { "" };
        let (group, version) = (group_word(group), capitalized(version));
        format!("{word}{group}{version}{method}{collection}{namespaced}{kind}{}", self.suffix)
    }
}

fn own_type(resource: &Resource, kind: &str) -> String {
    if resource.is_custom() {
        return custom::type_name(resource, kind);
    }
    catalog::type_name(&resource.group, &resource.version, kind)
}

fn content_of(media: &[&str], schema: &Value) -> Value {
    Value::Object(media.iter().map(|&media| (media.to_owned(), json!({"schema": schema}))).collect())
}

fn meaning(code: &str) -> &'static str {
    match code {
        "200" => "OK",
        "201" => "Created",
        "202" => "Accepted",
        _ => "Unauthorized",
    }
}

/// `Core`, `RbacAuthorization`, `ZExampleCom`.
fn group_word(group: &str) -> String {
    match group.strip_suffix(".k8s.io").unwrap_or(group) {
        "" => "Core".to_owned(),
        group => group.split(['.', '-']).map(capitalized).collect(),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
