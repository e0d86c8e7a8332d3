//! The ReplicaSets of Deployments (`pkg/controller/deployment`): one per template, and pods move from the old ones to
//! the new one.
//!
//! Simpler than the real controller: no proportional scaling in the midst of a rollout, no progress deadline, and the
//! times of conditions are those of the Deployment's creation.

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus, ReplicaSet, ReplicaSetSpec,
};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::ResourceExt;
use std::sync::Arc;

use crate::cluster::World;
use crate::replicaset::wanted;
use crate::step::Step;
use crate::template::{self, Owned, Rounded, ends, hash, is_over, share};

/// The label that tells which template a ReplicaSet is of (`DefaultDeploymentUniqueLabelKey`).
pub const HASH: &str = "pod-template-hash";
/// The number of a ReplicaSet in the history of its Deployment (`RevisionAnnotation`).
pub const REVISION: &str = "deployment.kubernetes.io/revision";

pub(crate) fn plan(world: &World) -> Vec<Step> {
    let (sets, pods) = (template::owned(world.replica_sets.iter()), template::owned(world.pods.iter()));
    world.deployments.iter().flat_map(|deployment| Rollout::new(deployment, &sets, &pods).steps()).collect()
}

/// A Deployment and what it has.
struct Rollout<'a> {
    deployment: &'a Deployment,
    spec: DeploymentSpec,
    replicas: i32,
    hash: String,
    new: Option<&'a Arc<ReplicaSet>>,
    /// The oldest first.
    old: Vec<&'a Arc<ReplicaSet>>,
    /// Whether pods of the old sets still run.
    lingers: bool,
}

impl<'a> Rollout<'a> {
    fn new(deployment: &'a Deployment, sets: &Owned<'a, ReplicaSet>, pods: &Owned<'a, Pod>) -> Self {
        let spec = deployment.spec.clone().unwrap_or_default();
        let hash = hash(&spec.template);
        let is_new = |set: &&&Arc<ReplicaSet>| set.labels().get(HASH) == Some(&hash);
        let all = template::of(sets, deployment);
        let new = all.iter().find(is_new).copied();
        let mut old: Vec<_> = all.iter().filter(|set| !is_new(set)).copied().collect();
        old.sort_by_key(|set| revision(set));
        let lingers = old.iter().flat_map(|set| template::of(pods, set.as_ref())).any(|pod| !is_over(pod));
        Self { deployment, replicas: spec.replicas.unwrap_or(1), spec, hash, new, old, lingers }
    }

    fn steps(&self) -> Vec<Step> {
        let idle = ends(&self.deployment.metadata) || self.spec.paused == Some(true);
        let mut steps = if idle { Vec::new() } else { self.changes() };
        let status = self.status();
        if self.deployment.status.as_ref() != Some(&status) {
            steps
                .push(Step::ReportDeployment(Box::new(Deployment { status: Some(status), ..self.deployment.clone() })));
        }
        steps
    }

    /// The sets are changed one way at a time, because the next change depends on what comes of it.
    fn changes(&self) -> Vec<Step> {
        let Some(new) = self.new else { return self.first() };
        let numbered = self.numbered(new);
        if !numbered.is_empty() {
            return numbered;
        }
        let target = self.target(wanted(new));
        if target != wanted(new) {
            return vec![scaled(new, target)];
        }
        let reduced = self.reduced(new);
        if reduced.is_empty() { self.forgotten() } else { reduced }
    }

    fn recreates(&self) -> bool {
        self.spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
    }

    /// Creates the set of the template.
    fn first(&self) -> Vec<Step> {
        if self.recreates() && self.lingers {
            return self.old.iter().filter(|set| wanted(set) > 0).map(|set| scaled(set, 0)).collect();
        }
        vec![Step::CreateReplicaSet(Box::new(self.set(self.target(0))))]
    }

    fn set(&self, replicas: i32) -> ReplicaSet {
        let labelled = |labels: Option<std::collections::BTreeMap<String, String>>| {
            let mut labels = labels.unwrap_or_default();
            labels.insert(HASH.to_owned(), self.hash.clone());
            Some(labels)
        };
        let given = self.spec.template.metadata.clone().unwrap_or_default();
        let labels = labelled(given.labels.clone());
        let template = PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: labels.clone(), ..given }),
            ..self.spec.template.clone()
        };
        let selector = LabelSelector {
            match_labels: labelled(self.spec.selector.match_labels.clone()),
            ..self.spec.selector.clone()
        };
        let metadata = ObjectMeta {
            name: Some(format!("{}-{}", self.deployment.name_any(), self.hash)),
            namespace: self.deployment.namespace(),
            labels,
            annotations: Some([(REVISION.to_owned(), self.next_revision().to_string())].into()),
            owner_references: Some(vec![template::reference(self.deployment)]),
            ..ObjectMeta::default()
        };
        let min_ready_seconds = self.spec.min_ready_seconds;
        let spec = ReplicaSetSpec { replicas: Some(replicas), selector, template: Some(template), min_ready_seconds };
        ReplicaSet { metadata, spec: Some(spec), status: None }
    }

    fn next_revision(&self) -> i64 {
        self.old.iter().map(|set| revision(set)).max().unwrap_or_default().saturating_add(1)
    }

    /// Sees to it that the new set has the highest number, and the Deployment the same.
    fn numbered(&self, new: &ReplicaSet) -> Vec<Step> {
        if revision(new) < self.next_revision() {
            let mut new = new.clone();
            new.annotations_mut().insert(REVISION.to_owned(), self.next_revision().to_string());
            return vec![Step::ReplaceReplicaSet(Box::new(new))];
        }
        let number = revision(new).to_string();
        if self.deployment.annotations().get(REVISION) == Some(&number) {
            return Vec::new();
        }
        let mut deployment = self.deployment.clone();
        deployment.annotations_mut().insert(REVISION.to_owned(), number);
        vec![Step::ReplaceDeployment(Box::new(deployment))]
    }

    /// How many pods the new set shall have (`NewRSNewReplicas`).
    fn target(&self, current: i32) -> i32 {
        if self.recreates() {
            return if self.lingers { current.min(self.replicas) } else { self.replicas };
        }
        let all = current.saturating_add(self.old.iter().map(|set| wanted(set)).sum());
        let room = self.replicas.saturating_add(self.surge()).saturating_sub(all).max(0);
        current.saturating_add(room).min(self.replicas)
    }

    fn surge(&self) -> i32 {
        let rolling = self.spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
        rolling.and_then(|rolling| share(rolling.max_surge.as_ref(), self.replicas, Rounded::Up)).unwrap_or_default()
    }

    /// How many pods may be missing. Where nothing may, and none more be there either, one may (`ResolveFenceposts`).
    fn missing(&self) -> i32 {
        let rolling = self.spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
        let given = rolling.and_then(|rolling| share(rolling.max_unavailable.as_ref(), self.replicas, Rounded::Down));
        let given = given.unwrap_or_default().min(self.replicas);
        if given == 0 && self.surge() == 0 && !self.recreates() { 1 } else { given }
    }

    /// Takes pods away from the old sets (`reconcileOldReplicaSets`): first those that are of no use.
    fn reduced(&self, new: &ReplicaSet) -> Vec<Step> {
        if self.recreates() {
            return self.old.iter().filter(|set| wanted(set) > 0).map(|set| scaled(set, 0)).collect();
        }
        let least = self.replicas.saturating_sub(self.missing());
        let all: i32 = self.old.iter().map(|set| wanted(set)).sum::<i32>().saturating_add(wanted(new));
        let mut budget = all - least - (wanted(new) - available(new)).max(0);
        let mut spare = self.old.iter().map(|set| available(set)).sum::<i32>().saturating_add(available(new)) - least;
        let mut steps = Vec::new();
        for set in &self.old {
            let useless = (wanted(set) - available(set)).clamp(0, budget.max(0));
            let useful = (wanted(set) - useless).min(available(set)).min(spare).min(budget - useless).max(0);
            budget -= useless + useful;
            spare -= useful;
            if useless + useful > 0 {
                steps.push(scaled(set, wanted(set) - useless - useful));
            }
        }
        steps
    }

    /// Deletes old sets that the history has no room for (`cleanupDeployment`).
    fn forgotten(&self) -> Vec<Step> {
        let room = usize::try_from(self.spec.revision_history_limit.unwrap_or(10)).unwrap_or_default();
        let empty = |set: &&&&Arc<ReplicaSet>| {
            let gone = set
                .status
                .as_ref()
                .is_some_and(|status| status.replicas == 0 && status.observed_generation >= set.metadata.generation);
            wanted(set) == 0 && gone && !ends(&set.metadata)
        };
        let surplus = self.old.iter().take(self.old.len().saturating_sub(room));
        let mut surplus = surplus.collect::<Vec<_>>();
        surplus.retain(|set| empty(&set));
        surplus.into_iter().map(|set| Step::DeleteReplicaSet(Arc::clone(set))).collect()
    }

    fn status(&self) -> DeploymentStatus {
        let all = || self.new.iter().chain(&self.old);
        let sum = |part: fn(&ReplicaSet) -> i32| all().map(|set| part(set)).sum::<i32>();
        let some = |number: i32| (number != 0).then_some(number);
        let (total, available) = (sum(existing), sum(available));
        let status = DeploymentStatus {
            replicas: some(total),
            updated_replicas: some(self.new.map(|set| existing(set)).unwrap_or_default()),
            ready_replicas: some(sum(ready)),
            available_replicas: some(available),
            unavailable_replicas: some((sum(wanted) - available).max(0)),
            observed_generation: self.deployment.metadata.generation,
            ..self.deployment.status.clone().unwrap_or_default()
        };
        DeploymentStatus { conditions: Some(self.conditions(&status)), ..status }
    }

    fn conditions(&self, status: &DeploymentStatus) -> Vec<DeploymentCondition> {
        let available = status.available_replicas.unwrap_or_default();
        let enough = available >= self.replicas.saturating_sub(self.missing());
        let all = [status.replicas, status.updated_replicas, status.available_replicas];
        let complete = all.into_iter().all(|number| number.unwrap_or_default() == self.replicas);
        let texts = match enough {
            true => ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
            false => ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
        };
        let set = format!("{}-{}", self.deployment.name_any(), self.hash);
        let (reason, what) = match complete {
            true => ("NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed.")),
            false => ("ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing.")),
        };
        vec![
            self.condition("Available", texts.0, texts.1, texts.2.to_owned()),
            self.condition("Progressing", "True", reason, what),
        ]
    }

    fn condition(&self, kind: &str, status: &str, reason: &str, message: String) -> DeploymentCondition {
        DeploymentCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: self.deployment.creation_timestamp(),
            last_update_time: self.deployment.creation_timestamp(),
        }
    }
}

fn revision(set: &ReplicaSet) -> i64 {
    set.annotations().get(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn existing(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map(|status| status.replicas).unwrap_or_default()
}

fn ready(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default()
}

fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or_default()
}

fn scaled(set: &ReplicaSet, replicas: i32) -> Step {
    let mut set = set.clone();
    set.spec.get_or_insert_default().replicas = Some(replicas);
    Step::ReplaceReplicaSet(Box::new(set))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(image: &str, kind: &str) -> Deployment {
        serde_json::from_value(json!({"metadata": {"name": "d", "namespace": "ns", "uid": "u", "generation": 1,
            "annotations": {REVISION: "2"}},
            "spec": {"replicas": 4, "selector": {"matchLabels": {"a": "b"}},
                "strategy": {"type": kind, "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": image}]}}}}))
        .expect("is a Deployment")
    }

    fn set(deployment: &Deployment, revision: i64, replicas: i32, available: i32) -> Arc<ReplicaSet> {
        let none = Owned::new();
        let mut set = Rollout::new(deployment, &none, &Owned::new()).set(replicas);
        set.annotations_mut().insert(REVISION.to_owned(), revision.to_string());
        let status = json!({"replicas": replicas, "availableReplicas": available, "readyReplicas": available});
        set.status = serde_json::from_value(status).ok();
        Arc::new(set)
    }

    /// What sets are scaled to, or created with, by their templates' hashes.
    fn shown(deployment: &Deployment, sets: &[Arc<ReplicaSet>]) -> Vec<(String, i32)> {
        let steps = Rollout::new(deployment, &template::owned(sets.iter()), &Owned::new()).changes();
        let scaled = steps.into_iter().filter_map(|step| match step {
            Step::ReplaceReplicaSet(set) | Step::CreateReplicaSet(set) => {
                Some((set.labels().get(HASH).cloned().unwrap_or_default(), wanted(&set)))
            }
            _ => None,
        });
        scaled.collect()
    }

    #[test]
    fn pods_move_to_the_new_set() {
        let (old, new) = (deployment("1", "RollingUpdate"), deployment("2", "RollingUpdate"));
        let hash = |of: &Deployment| hash(&of.spec.as_ref().expect("has a specification").template);
        let (o, n) = (hash(&old), hash(&new));
        let cases = [
            (vec![], vec![(&n, 4)]),
            (vec![set(&old, 1, 4, 4)], vec![(&n, 1)]),
            (vec![set(&old, 1, 4, 4), set(&new, 2, 1, 0)], vec![(&o, 3)]),
            (vec![set(&old, 1, 3, 3), set(&new, 2, 1, 0)], vec![(&n, 2)]),
            (vec![set(&old, 1, 3, 3), set(&new, 2, 2, 0)], vec![]),
            (vec![set(&old, 1, 3, 3), set(&new, 2, 2, 2)], vec![(&o, 1)]),
            (vec![set(&old, 1, 1, 1), set(&new, 2, 4, 4)], vec![(&o, 0)]),
            (vec![set(&old, 1, 3, 0), set(&new, 2, 2, 0)], vec![]),
            (vec![set(&old, 1, 4, 2), set(&new, 2, 1, 1)], vec![(&o, 2)]),
            (vec![set(&old, 1, 0, 0), set(&new, 2, 4, 4)], vec![]),
            (vec![set(&new, 2, 6, 6)], vec![(&n, 4)]),
        ];
        for (sets, expected) in cases {
            let expected: Vec<(String, i32)> =
                expected.into_iter().map(|(hash, number)| (hash.clone(), number)).collect();
            assert_eq!(shown(&new, &sets), expected, "{sets:?}");
        }
    }

    #[test]
    fn recreation_is_one_after_the_other() {
        let (old, new) = (deployment("1", "Recreate"), deployment("2", "Recreate"));
        let sets = [set(&old, 1, 4, 4)];
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "status": {"phase": "Running"}}))
            .expect("is a pod");
        let pod = Arc::new(pod);
        let uid = String::new();
        let pods = Owned::from([(uid.as_str(), vec![&pod])]);
        let steps = Rollout::new(&new, &template::owned(sets.iter()), &pods).changes();
        assert!(matches!(steps.as_slice(), [Step::ReplaceReplicaSet(set)] if wanted(set) == 0));
        let steps = Rollout::new(&new, &template::owned(sets.iter()), &Owned::new()).changes();
        assert!(matches!(steps.as_slice(), [Step::CreateReplicaSet(set)] if wanted(set) == 4));
    }

    #[test]
    fn the_status_sums_up() {
        let new = deployment("2", "RollingUpdate");
        let sets = [set(&deployment("1", "RollingUpdate"), 1, 1, 1), set(&new, 2, 4, 2)];
        let status = Rollout::new(&new, &template::owned(sets.iter()), &Owned::new()).status();
        let numbers =
            [status.replicas, status.updated_replicas, status.available_replicas, status.unavailable_replicas];
        assert_eq!(numbers, [Some(5), Some(4), Some(3), Some(2)]);
        let conditions: Vec<_> = status.conditions.iter().flatten().filter_map(|one| one.reason.as_deref()).collect();
        assert_eq!(conditions, ["MinimumReplicasAvailable", "ReplicaSetUpdated"]);
    }
}
