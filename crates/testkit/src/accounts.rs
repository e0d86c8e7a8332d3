//! The service account `default` of every namespace (`pkg/controller/serviceaccount`).

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use std::sync::Arc;

use crate::cluster::World;
use crate::step::Step;
use crate::template::ends;

const NAME: &str = "default";

pub(crate) fn plan(world: &World) -> Vec<Step> {
    let lacks = |namespace: &&Arc<Namespace>| {
        !ends(&namespace.metadata) && world.accounts.get(&namespace.name_any(), NAME).is_none()
    };
    world.namespaces.iter().filter(lacks).map(|namespace| Step::CreateAccount(account(namespace.name_any()))).collect()
}

fn account(namespace: String) -> Box<ServiceAccount> {
    let metadata = ObjectMeta { name: Some(NAME.to_owned()), namespace: Some(namespace), ..ObjectMeta::default() };
    Box::new(ServiceAccount { metadata, ..ServiceAccount::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn namespaces_that_live_have_one() {
        let mut world = World::default();
        for (name, deleted) in [("a", None), ("b", Some("2026-01-01T00:00:00Z")), ("c", None)] {
            let namespace = json!({"metadata": {"name": name, "deletionTimestamp": deleted}});
            world.namespaces.put(serde_json::from_value(namespace).expect("is a namespace"));
        }
        world.accounts.put(*account("c".to_owned()));
        let steps = plan(&world);
        assert!(matches!(steps.as_slice(), [Step::CreateAccount(one)] if one.namespace().as_deref() == Some("a")));
    }
}
