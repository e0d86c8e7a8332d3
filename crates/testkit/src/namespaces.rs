//! Namespaces that end: their content goes, then they (`pkg/controller/namespace`).

use kube::ResourceExt;
use kube::api::PropagationPolicy;

use crate::everything::{Families, Family};
use crate::sweep::{Found, Sweep};
use crate::template::ends;

pub(crate) fn plan(families: &Families) -> Vec<Sweep> {
    let Some(namespaces) = families.all.get(&(String::new(), "namespaces".to_owned())) else { return Vec::new() };
    let ending = namespaces.objects.iter().filter(|namespace| ends(&namespace.metadata));
    ending.flat_map(|namespace| emptied(families, &namespace.name_any())).collect()
}

fn emptied(families: &Families, namespace: &str) -> Vec<Sweep> {
    let inside: Vec<&Family> = families.all.values().filter(|family| family.namespaced).collect();
    let content = inside.iter().flat_map(|family| family.objects.iter().map(move |object| Found::new(family, object)));
    let content: Vec<Found> =
        content.filter(|found| found.object.metadata.namespace.as_deref() == Some(namespace)).collect();
    if content.is_empty() {
        let kinds = inside.iter().map(|family| family.resource.clone()).collect();
        return vec![Sweep::Finish { namespace: namespace.to_owned(), kinds }];
    }
    let left = content.into_iter().filter(|found| !ends(&found.object.metadata));
    let delete = |found| Sweep::Delete { found, absent: Vec::new(), policy: PropagationPolicy::Background };
    left.map(delete).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::api::ApiResource;
    use serde_json::{Value, json};

    fn family(plural: &str, namespaced: bool, objects: &[Value]) -> Family {
        let [version, kind] = ["v1", "Any"].map(str::to_owned);
        let api_version = version.clone();
        let mut family = Family::new(
            ApiResource { group: String::new(), version, api_version, kind, plural: plural.to_owned() },
            namespaced,
        );
        for object in objects {
            family.objects.put(serde_json::from_value(json!({"metadata": object})).expect("is an object"));
        }
        family
    }

    fn planned(content: &[Value]) -> Vec<String> {
        let time = "2026-01-01T00:00:00Z";
        let namespaces = [json!({"name": "a"}), json!({"name": "b", "deletionTimestamp": time})];
        let all = [family("namespaces", false, &namespaces), family("pods", true, content)];
        let all = all.map(|family| (family.id(), family)).into();
        let text = |sweep: Sweep| match sweep {
            Sweep::Delete { found, .. } => format!("delete {}", found.object.name_any()),
            Sweep::Finish { namespace, kinds } => format!("finish {namespace} {}", kinds.len()),
            other => format!("{other:?}"),
        };
        plan(&Families { all, found: true }).into_iter().map(text).collect()
    }

    #[test]
    fn content_goes_first() {
        let time = "2026-01-01T00:00:00Z";
        let living = json!({"name": "p", "namespace": "b"});
        let ending = json!({"name": "q", "namespace": "b", "deletionTimestamp": time});
        let elsewhere = json!({"name": "r", "namespace": "a"});
        let cases: [(&[Value], &[&str]); 4] = [
            (&[living.clone(), ending.clone(), elsewhere.clone()], &["delete p"]),
            (&[ending, elsewhere.clone()], &[]),
            (&[elsewhere], &["finish b 1"]),
            (&[], &["finish b 1"]),
        ];
        for (content, expected) in cases {
            assert_eq!(planned(content), expected, "{content:?}");
        }
    }
}
