//! Which rights roles give, and which of them requests needed, by an audit log: what nobody needs can be taken away.

use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// An audit log that is kept. Copies are of the same.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = bytes.split(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

/// A verb on a resource, in a namespace or everywhere, on names or on all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The API group.
    pub group: String,
    /// The resource, with its subresource.
    pub resource: String,
    /// The verb.
    pub verb: String,
    /// Where; `None` is everywhere.
    pub namespace: Option<String>,
    /// On what; empty is everything.
    pub names: Vec<String>,
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Every right that these Roles and ClusterRoles give; other objects give none.
#[must_use]
pub fn rights(objects: &[Value]) -> Vec<Right> {
    let mut rights = Vec::new();
    for role in objects.iter().filter(|object| matches!(object["kind"].as_str(), Some("Role" | "ClusterRole"))) {
        let namespace = role["metadata"]["namespace"].as_str().map(str::to_owned);
        for rule in role["rules"].as_array().into_iter().flatten() {
            for (group, resource) in product(&texts(&rule["apiGroups"]), &texts(&rule["resources"])) {
                for verb in texts(&rule["verbs"]) {
                    let (namespace, group, resource) = (namespace.clone(), group.clone(), resource.clone());
                    rights.push(Right { group, resource, verb, namespace, names: texts(&rule["resourceNames"]) });
                }
            }
        }
    }
    rights
}

fn product<A: Clone, B: Clone>(left: &[A], right: &[B]) -> Vec<(A, B)> {
    left.iter().flat_map(|left| right.iter().map(move |right| (left.clone(), right.clone()))).collect()
}

impl Right {
    /// Whether a request needed it.
    #[must_use]
    pub fn is_used(&self, event: &Value) -> bool {
        if self.verb == "impersonate" {
            return self.impersonates(event);
        }
        let about = &event["objectRef"];
        let text = |field: &str| about[field].as_str().unwrap_or_default();
        let resource = match text("subresource") {
            "" => text("resource").to_owned(),
            below => format!("{}/{below}", text("resource")),
        };
        // Whoever applies what is not there creates it.
        let created = event["verb"] == "patch" && event["responseStatus"]["code"] == 201;
        event["impersonatedUser"].is_null()
            && (event["verb"] == self.verb.as_str() || (created && self.verb == "create"))
            && resource == self.resource
            && text("apiGroup") == self.group
            && self.namespace.as_deref().is_none_or(|namespace| namespace == text("namespace"))
            && self.is_on(text("name"))
    }

    fn impersonates(&self, event: &Value) -> bool {
        let user = &event["impersonatedUser"];
        let name = self.names.first().map_or("", String::as_str);
        match self.resource.strip_prefix("userextras/") {
            Some(key) => texts(&user["extra"][key]).iter().any(|value| value == name),
            None if self.resource == "groups" => texts(&user["groups"]).iter().any(|group| group == name),
            None => user["username"].as_str().is_some_and(|user| user.ends_with(&format!(":{name}"))),
        }
    }

    /// Whether it is a right to the object of that name.
    fn is_on(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|known| known == name)
    }

    /// Whether it is the same verb on the same resource.
    #[must_use]
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        (&self.group, &self.resource, &self.verb) == (&other.group, &other.resource, &other.verb)
    }

    /// Whether whoever has this one has the other one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let within = self.namespace.is_none() || self.namespace == other.namespace;
        let all = self.names.is_empty() || (!other.names.is_empty() && other.names.iter().all(|name| self.is_on(name)));
        self.is_about_the_same(other) && within && all
    }
}
