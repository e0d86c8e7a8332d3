//! What is deleted with its owners (`pkg/controller/garbagecollector`).
//!
//! Simpler than the real collector: owners that own each other in a circle are not deleted in the foreground.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::api::PropagationPolicy;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::everything::{Families, Family, Metadata};
use crate::sweep::{Absent, Found, Sweep};
use crate::template::ends;

/// The finalizer of an owner that goes after its dependents (`FinalizerDeleteDependents`).
const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an owner whose dependents are let go (`FinalizerOrphanDependents`).
const ORPHAN: &str = "orphan";

type Member<'a> = (&'a Family, &'a Arc<Metadata>);

/// Who owns whom.
struct Graph<'a> {
    families: &'a Families,
    members: Vec<Member<'a>>,
    by_uid: BTreeMap<&'a str, Member<'a>>,
    dependents: BTreeMap<&'a str, Vec<Member<'a>>>,
}

pub(crate) fn plan(families: &Families) -> Vec<Sweep> {
    let graph = Graph::new(families);
    let mut sweeps = Vec::new();
    for member in &graph.members {
        sweeps.extend(graph.as_owner(member));
        sweeps.extend(graph.as_dependent(member));
    }
    sweeps
}

impl<'a> Graph<'a> {
    /// Events are nobody's (`DefaultIgnoredResources`).
    fn new(families: &'a Families) -> Self {
        let owning = families.all.values().filter(|family| family.resource.plural != "events");
        let members: Vec<Member<'a>> =
            owning.flat_map(|family| family.objects.iter().map(move |object| (family, object))).collect();
        let by_uid = members.iter().map(|member| (uid(member), *member)).collect();
        let mut dependents = BTreeMap::new();
        for member in &members {
            for reference in references(member) {
                dependents.entry(reference.uid.as_str()).or_insert_with(Vec::new).push(*member);
            }
        }
        Self { families, members, by_uid, dependents }
    }

    fn dependents(&self, owner: &Member<'a>) -> &[Member<'a>] {
        self.dependents.get(uid(owner)).map(Vec::as_slice).unwrap_or_default()
    }

    /// An owner that ends, and has asked for something to be done with its dependents before.
    fn as_owner(&self, owner: &Member<'a>) -> Vec<Sweep> {
        if !ends(&owner.1.metadata) {
            return Vec::new();
        }
        let release = |finalizer| vec![Sweep::Release { found: found(owner), finalizer }];
        if has(owner, ORPHAN) {
            let dependents = self.dependents(owner);
            let forget = |member: &Member<'a>| Sweep::Forget {
                found: found(member),
                absent: Vec::new(),
                uids: vec![uid(owner).to_owned()],
            };
            return if dependents.is_empty() { release(ORPHAN) } else { dependents.iter().map(forget).collect() };
        }
        let blocks = |member: &Member<'a>| {
            references(member).any(|one| one.uid == uid(owner) && one.block_owner_deletion == Some(true))
        };
        let waits = self.dependents(owner).iter().any(blocks);
        if has(owner, FOREGROUND) && !waits { release(FOREGROUND) } else { Vec::new() }
    }

    /// A dependent, by what became of its owners (`attemptToDeleteItem`).
    fn as_dependent(&self, member: &Member<'a>) -> Option<Sweep> {
        if ends(&member.1.metadata) {
            return None;
        }
        let (mut solid, mut absent, mut waiting) = (0, Vec::new(), Vec::new());
        for reference in references(member) {
            match self.owner(member, reference) {
                Owner::Solid => solid += 1,
                Owner::Waiting => waiting.push(reference.uid.clone()),
                Owner::Absent(owner) => absent.push(*owner),
            }
        }
        if absent.is_empty() && waiting.is_empty() {
            return None;
        }
        let found = found(member);
        if solid > 0 {
            let uids = absent.iter().map(|owner| owner.reference.uid.clone()).chain(waiting).collect();
            return Some(Sweep::Forget { found, absent, uids });
        }
        let in_foreground = !waiting.is_empty() && !self.dependents(member).is_empty();
        let policy = if in_foreground { PropagationPolicy::Foreground } else { policy(member) };
        Some(Sweep::Delete { found, absent, policy })
    }

    fn owner(&self, member: &Member<'a>, reference: &OwnerReference) -> Owner {
        let group = reference.api_version.rsplit_once('/').map(|(group, _)| group).unwrap_or_default();
        let is_kind = |family: &&Family| family.resource.group == group && family.resource.kind == reference.kind;
        let Some(family) = self.families.all.values().find(is_kind) else { return Owner::Solid };
        let namespace = match (family.namespaced, member.1.namespace()) {
            (false, _) => String::new(),
            (true, Some(namespace)) => namespace,
            // An object of the cluster cannot belong to one of a namespace; it is left alone.
            (true, None) => return Owner::Solid,
        };
        let is_meant = |owner: &&Member<'a>| {
            owner.0.id() == family.id()
                && owner.1.name_any() == reference.name
                && owner.1.namespace().unwrap_or_default() == namespace
        };
        match self.by_uid.get(reference.uid.as_str()).filter(is_meant) {
            Some(owner) if ends(&owner.1.metadata) && has(owner, FOREGROUND) => Owner::Waiting,
            Some(_) => Owner::Solid,
            None => {
                let (resource, reference) = (family.resource.clone(), reference.clone());
                Owner::Absent(Box::new(Absent { resource, namespace, reference }))
            }
        }
    }
}

/// What became of an owner.
enum Owner {
    /// It is there, or cannot be judged.
    Solid,
    /// It waits for its dependents to go.
    Waiting,
    /// It is not there.
    Absent(Box<Absent>),
}

/// What an object's own finalizers say of how it is deleted.
fn policy(member: &Member<'_>) -> PropagationPolicy {
    match () {
        () if has(member, ORPHAN) => PropagationPolicy::Orphan,
        () if has(member, FOREGROUND) => PropagationPolicy::Foreground,
        () => PropagationPolicy::Background,
    }
}

fn found(member: &Member<'_>) -> Found {
    Found::new(member.0, member.1)
}

fn uid<'a>(member: &Member<'a>) -> &'a str {
    member.1.metadata.uid.as_deref().unwrap_or_default()
}

fn references<'a>(member: &Member<'a>) -> impl Iterator<Item = &'a OwnerReference> + use<'a> {
    member.1.metadata.owner_references.iter().flatten()
}

fn has(member: &Member<'_>, finalizer: &str) -> bool {
    member.1.finalizers().iter().any(|one| one == finalizer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::api::ApiResource;
    use serde_json::{Value, json};

    fn families(objects: &[Value]) -> Families {
        let mut families = Families { found: true, ..Families::default() };
        for (kind, plural, namespaced) in [("ConfigMap", "configmaps", true), ("Node", "nodes", false)] {
            let resource = ApiResource {
                group: String::new(),
                version: "v1".to_owned(),
                api_version: "v1".to_owned(),
                kind: kind.to_owned(),
                plural: plural.to_owned(),
            };
            let mut family = Family::new(resource, namespaced);
            for object in objects.iter().filter(|object| object["kind"] == kind) {
                family.objects.put(serde_json::from_value(object.clone()).expect("is an object"));
            }
            families.all.insert(family.id(), family);
        }
        families
    }

    fn map(name: &str, owners: &[(&str, &str)], rest: Value) -> Value {
        let owners: Vec<Value> = owners
            .iter()
            .map(|(kind, name)| json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": name, "blockOwnerDeletion": true}))
            .collect();
        let mut metadata = json!({"name": name, "namespace": "ns", "uid": name, "ownerReferences": owners});
        for (key, value) in rest.as_object().into_iter().flatten() {
            metadata[key] = value.clone();
        }
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata})
    }

    fn shown(objects: &[Value]) -> Vec<String> {
        let text = |sweep: &Sweep| match sweep {
            Sweep::Delete { found, absent, policy } => {
                format!("delete {} {policy:?} {}", found.object.name_any(), absent.len())
            }
            Sweep::Forget { found, uids, .. } => format!("forget {} {uids:?}", found.object.name_any()),
            Sweep::Release { found, finalizer } => format!("release {} {finalizer}", found.object.name_any()),
            Sweep::Finish { namespace, .. } => format!("finish {namespace}"),
        };
        plan(&families(objects)).iter().map(text).collect()
    }

    #[test]
    fn what_becomes_of_dependents() {
        let ending = |finalizer: &str| json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [finalizer]});
        let cm = "ConfigMap";
        let owner = |rest: Value| map("a", &[], rest);
        let cases: Vec<(&str, Vec<Value>, Vec<&str>)> = vec![
            ("an owner that is there", vec![owner(json!({})), map("b", &[(cm, "a")], json!({}))], vec![]),
            ("one that is not", vec![map("b", &[(cm, "a")], json!({}))], vec!["delete b Background 1"]),
            (
                "one of two",
                vec![owner(json!({})), map("b", &[(cm, "a"), (cm, "x")], json!({}))],
                vec!["forget b [\"x\"]"],
            ),
            ("an unknown kind", vec![map("b", &[("Unknown", "a")], json!({}))], vec![]),
            ("one of the cluster", vec![map("b", &[("Node", "n")], json!({}))], vec!["delete b Background 1"]),
            (
                "in the foreground",
                vec![owner(ending(FOREGROUND)), map("b", &[(cm, "a")], json!({})), map("c", &[(cm, "b")], json!({}))],
                vec!["delete b Foreground 0"],
            ),
            ("nothing left", vec![owner(ending(FOREGROUND))], vec!["release a foregroundDeletion"]),
            ("let go", vec![owner(ending(ORPHAN)), map("b", &[(cm, "a")], json!({}))], vec!["forget b [\"a\"]"]),
            ("all let go", vec![owner(ending(ORPHAN))], vec!["release a orphan"]),
            ("another's finalizer", vec![owner(ending("x.io/y")), map("b", &[(cm, "a")], json!({}))], vec![]),
            ("ends itself", vec![map("b", &[(cm, "a")], ending("x.io/y"))], vec![]),
        ];
        for (case, objects, expected) in cases {
            assert_eq!(shown(&objects), expected, "{case}");
        }
    }

    #[test]
    fn an_owner_in_another_namespace_is_none() {
        let mut elsewhere = map("a", &[], json!({}));
        elsewhere["metadata"]["namespace"] = json!("other");
        assert_eq!(shown(&[elsewhere, map("b", &[("ConfigMap", "a")], json!({}))]), ["delete b Background 1"]);
    }
}
