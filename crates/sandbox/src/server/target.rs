//! What a request is about, as its method and path say it
//! (`staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`).

use http::Method;

/// The query of a request: names and values in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Splits the text after the question mark.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a name.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The names and values.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value, "0" | "false" | "FALSE" | "False" | "F" | "f"))
    }
}

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The verb that is authorized: `get`, `list`, `watch`, `create` and so on; the method, in lower case, for paths
    /// that are no resources.
    pub verb: String,
    /// The path as it came, without the query.
    pub path: String,
    /// What the path names, if it names a resource.
    pub resource: Option<Place>,
}

/// Where in the API a path leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The namespace; empty for none. Of a Namespace it is its own name.
    pub namespace: String,
    /// The plural of the resource.
    pub resource: String,
    /// The subresource; empty for the object itself.
    pub subresource: String,
    /// The object's name; empty for the collection.
    pub name: String,
    /// Whether the path has parts that nothing serves.
    pub trailing: bool,
    /// The path that a connection asks for at the other end; with its slash, or empty.
    pub rest: String,
}

impl Target {
    /// Reads a method, a path and a query.
    #[must_use]
    pub fn read(method: &Method, path: &str, query: &Query) -> Self {
        let plain = Self { verb: method.as_str().to_ascii_lowercase(), path: path.to_owned(), resource: None };
        let parts: Option<Vec<String>> = path.trim_matches('/').split('/').map(decoded).collect();
        let Some(parts) = parts else { return plain };
        let Some((group, version, rest)) = group_and_version(&parts) else { return plain };
        let (legacy_watch, rest) = match rest {
            [first, rest @ ..] if first == "watch" && !rest.is_empty() => (true, rest),
            _ => (false, rest),
        };
        let Some(mut place) = place(rest) else { return plain };
        place.group = group.to_owned();
        place.version = version.to_owned();
        let verb = verb(method, &mut place, query, legacy_watch);
        Self { verb, resource: Some(place), ..plain }
    }
}

fn decoded(part: &str) -> Option<String> {
    percent_encoding::percent_decode_str(part).decode_utf8().ok().map(Into::into)
}

fn group_and_version(parts: &[String]) -> Option<(&str, &str, &[String])> {
    match parts {
        [root, version, rest @ ..] if root == "api" && !rest.is_empty() => Some(("", version, rest)),
        [root, group, version, rest @ ..] if root == "apis" && !rest.is_empty() => Some((group, version, rest)),
        _ => None,
    }
}

fn place(parts: &[String]) -> Option<Place> {
    let (namespace, parts) = match parts {
        [first, namespace, third, ..] if first == "namespaces" && third != "status" && third != "finalize" => {
            (namespace.clone(), parts.get(2..)?)
        }
        [first, name, ..] if first == "namespaces" => (name.clone(), parts),
        _ => (String::new(), parts),
    };
    let at = |index: usize| parts.get(index).cloned().unwrap_or_default();
    let (resource, name, subresource) = (at(0), at(1), at(2));
    let trailing = parts.len() > 3 && subresource != "proxy";
    let rest = parts.get(3..).map(|rest| rest.join("/")).filter(|rest| !rest.is_empty()).map(|rest| format!("/{rest}"));
    let rest = rest.unwrap_or_default();
    (!resource.is_empty()).then_some(Place {
        namespace,
        resource,
        name,
        subresource,
        trailing,
        rest,
        ..Place::default()
    })
}

fn verb(method: &Method, place: &mut Place, query: &Query, legacy_watch: bool) -> String {
    let single = !place.name.is_empty();
    let verb = match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if single => "delete",
        Method::DELETE => "deletecollection",
        Method::GET | Method::HEAD if legacy_watch => "watch",
        Method::GET | Method::HEAD if single => "get",
        Method::GET | Method::HEAD if query.is_set("watch") => "watch",
        Method::GET | Method::HEAD => "list",
        _ => "",
    };
    if !single && matches!(verb, "list" | "watch") {
        // Who may read one object by name may also list or watch the collection narrowed to that name.
        place.name = query.get("fieldSelector").and_then(selected_name).unwrap_or_default();
    }
    verb.to_owned()
}

/// The name that a field selector asks for, if it asks for one.
pub(super) fn selected_name(selector: &str) -> Option<String> {
    if selector.contains('\\') {
        return None;
    }
    let name = selector.split(',').find_map(|term| {
        let value = term.strip_prefix("metadata.name=")?;
        Some(value.strip_prefix('=').unwrap_or(value))
    })?;
    (!name.is_empty() && !name.contains(['/', '%', '\\'])).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &Method, path: &str) -> Target {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Target::read(method, path, &Query::parse(query))
    }

    #[test]
    fn paths_name_resources() {
        // method, path → verb, group, namespace, resource, name, subresource
        let table = [
            (Method::GET, "/api/v1/nodes", "list", "", "", "nodes", "", ""),
            (Method::GET, "/api/v1/nodes?watch=true", "watch", "", "", "nodes", "", ""),
            (Method::GET, "/api/v1/nodes?watch=0", "list", "", "", "nodes", "", ""),
            (Method::GET, "/api/v1/nodes/n1?watch=true", "get", "", "", "nodes", "n1", ""),
            (Method::GET, "/api/v1/watch/nodes/n1", "watch", "", "", "nodes", "n1", ""),
            (Method::PUT, "/api/v1/nodes/n1/status", "update", "", "", "nodes", "n1", "status"),
            (Method::DELETE, "/api/v1/nodes", "deletecollection", "", "", "nodes", "", ""),
            (Method::GET, "/api/v1/namespaces/a", "get", "", "a", "namespaces", "a", ""),
            (Method::PUT, "/api/v1/namespaces/a/finalize", "update", "", "a", "namespaces", "a", "finalize"),
            (Method::POST, "/api/v1/namespaces/a/pods", "create", "", "a", "pods", "", ""),
            (Method::PATCH, "/apis/g.io/v1/namespaces/a/things/x", "patch", "g.io", "a", "things", "x", ""),
            (Method::GET, "/api/v1/nodes?fieldSelector=metadata.name%3Dn1", "list", "", "", "nodes", "n1", ""),
        ];
        for (method, path, verb, group, namespace, resource, name, subresource) in table {
            let target = read(&method, path);
            let place = target.resource.unwrap_or_default();
            assert_eq!(target.verb, verb, "{method} {path}");
            let found = (&*place.group, &*place.namespace, &*place.resource, &*place.name, &*place.subresource);
            assert_eq!(found, (group, namespace, resource, name, subresource), "{method} {path}");
        }
    }

    #[test]
    fn other_paths_are_no_resources() {
        for path in ["/", "/api", "/api/v1", "/apis/apps/v1", "/version", "/healthz/etcd", "/apis//v1"] {
            assert_eq!(read(&Method::GET, path).resource, None, "{path}");
        }
    }
}
