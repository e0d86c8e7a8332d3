//! What is seen becomes known, and whoever it concerns is judged anew.

use channels::Observation;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::core::{DynamicObject, PartialObjectMeta};
use std::collections::BTreeSet;
use std::time::Duration;

use super::State;
use crate::intake::{Intake, Touched, heartbeat};
use crate::liveness::{Name, Sign, Verdict};
use crate::pods::AgentPod;
use crate::report::{Kind, Report};
use crate::run::{Sight, kinds};
use crate::stranded;
use crate::view::Heartbeat;

impl State {
    /// Something was seen.
    pub fn see(&mut self, now: Duration, sight: Sight) {
        match sight {
            Sight::Node(seen) => self.node(now, seen),
            Sight::Shadow(seen) => self.shadow(now, seen),
            Sight::Lease(seen) => self.lease(now, seen),
            Sight::Pod(seen) => self.pod(now, *seen),
            Sight::DaemonSet(seen) => self.daemon_set(now, seen),
            Sight::VirtualMachine(seen) => self.virtual_machine(now, seen),
        }
        if !self.synced && kinds(&self.profile, &self.settings).into_iter().all(|kind| self.is_complete(kind)) {
            self.synced = true;
            (self.report)(Report::Synced);
            let names: Vec<Name> = self.nodes.names().cloned().collect();
            names.iter().for_each(|name| self.judge(now, name));
            self.strand(now);
        }
    }

    fn is_complete(&self, kind: Kind) -> bool {
        match kind {
            Kind::Nodes => self.nodes.is_complete(),
            Kind::ShadowNodes => self.shadows.is_complete(),
            Kind::Leases => self.leases.is_complete(),
            Kind::Pods => self.pods.is_complete(),
            Kind::DaemonSets => self.daemon_sets.is_complete(),
            Kind::VirtualMachines => self.machines.is_complete(),
        }
    }

    pub(super) fn node<K: Resource>(&mut self, now: Duration, seen: Observation<K>) {
        let before = Kind::Nodes.named(&seen).and_then(|name| self.uid(&name).map(|uid| (name, uid)));
        let (recorder, intake) = (&mut self.recorder, intake(&mut self.report, &mut self.blind, Kind::Nodes));
        let touched = intake.take_in(&mut self.nodes, seen, |object: &K| Some(recorder.node(object.meta())));
        if let Some((name, _)) = before.filter(|(name, uid)| self.uid(name).as_ref() != Some(uid)) {
            self.liveness.forget(&name);
            self.told.forget(&name);
            self.latch.forget(&name);
            self.refused.remove(&name);
            self.failures.remove(&name);
        }
        touched.names.iter().for_each(|name| self.latch(name));
        self.touched(now, Kind::Nodes, touched);
    }

    fn uid(&self, node: &str) -> Option<Box<str>> {
        self.nodes.get(node).map(|node| node.uid.clone())
    }

    /// Looks whether somebody has taken the mark of a silent node back.
    fn latch(&mut self, node: &Name) {
        let mark = self.profile.spec().liveness.as_ref().map(|liveness| &liveness.mark);
        let (Some(mark), Some(record)) = (mark, self.nodes.get(node)) else { return };
        let is_marked = record.label(&mark.label) == Some(&*mark.value);
        let silent = self.liveness.verdict(node) == Verdict::Silent;
        if self.latch.see(node, silent, is_marked) {
            (self.report)(Report::Overruled(node.clone()));
        }
    }

    pub(super) fn shadow<K: Resource>(&mut self, now: Duration, seen: Observation<K>) {
        let (recorder, intake) = (&mut self.recorder, intake(&mut self.report, &mut self.blind, Kind::ShadowNodes));
        let touched = intake.take_in(&mut self.shadows, seen, |object: &K| Some(recorder.shadow(object.meta())));
        for name in &touched.names {
            self.waits.entry(name.clone()).or_insert(now);
            self.refused.remove(name);
            self.unvouched.insert(name.clone());
        }
        self.touched(now, Kind::ShadowNodes, touched);
    }

    pub(super) fn lease(&mut self, now: Duration, seen: Observation<DynamicObject>) {
        let intake = intake(&mut self.report, &mut self.blind, Kind::Leases);
        let touched = intake.take_in(&mut self.leases, seen, |lease| Some(heartbeat(lease)));
        self.touched(now, Kind::Leases, touched);
    }

    fn daemon_set(&mut self, now: Duration, seen: Observation<PartialObjectMeta<DaemonSet>>) {
        let intake = intake(&mut self.report, &mut self.blind, Kind::DaemonSets);
        let uid = |set: &PartialObjectMeta<DaemonSet>| {
            set.metadata.deletion_timestamp.is_none().then(|| set.metadata.uid.as_deref().unwrap_or_default().into())
        };
        let touched = intake.take_in(&mut self.daemon_sets, seen, uid);
        let names: Vec<Name> = match touched.names.is_empty() {
            true => Vec::new(),
            false => self.by_node.nodes().cloned().collect(),
        };
        self.touched(now, Kind::DaemonSets, Touched { names, ..touched });
    }

    fn virtual_machine(&mut self, now: Duration, seen: Observation<PartialObjectMeta<DynamicObject>>) {
        let intake = intake(&mut self.report, &mut self.blind, Kind::VirtualMachines);
        let touched = intake.take_in(&mut self.machines, seen, |machine| stranded::node_of(&machine.metadata));
        for name in touched.names {
            let node = self.machines.get(&name).cloned();
            if let Some(node) = self.strays.place(&name, node).filter(|node| self.is_unresponsive(node)) {
                self.strays.add(now, &node);
            }
        }
    }

    pub(super) fn pod(&mut self, now: Duration, seen: Observation<Pod>) {
        let account = self.profile.service_account().name.clone();
        let named = Kind::Pods.named(&seen);
        let node = |state: &Self| named.as_ref().and_then(|name| Some(state.pods.get(name)?.node.clone()));
        let mut nodes: BTreeSet<Name> = node(self).into_iter().collect();
        let listed: Vec<(Name, Name)> = self
            .pods
            .names()
            .filter_map(|name| Some((name.clone(), self.pods.get(name)?.node.clone())))
            .filter(|_| named.is_none())
            .collect();
        let intake = intake(&mut self.report, &mut self.blind, Kind::Pods);
        let touched = intake.take_in(&mut self.pods, seen, |pod| AgentPod::of(pod, &account));
        nodes.extend(node(self));
        let old = listed.into_iter().filter(|(pod, _)| touched.names.contains(pod));
        let before: Vec<(Name, Name)> =
            named.iter().flat_map(|pod| nodes.iter().map(|node| (pod.clone(), node.clone()))).chain(old).collect();
        for (pod, node) in &before {
            match self.pods.get(pod).filter(|agent| agent.node == *node) {
                Some(agent) => self.by_node.set(pod, agent),
                None => self.by_node.remove(pod, node),
            }
        }
        let names = before.into_iter().map(|(_, node)| node).collect();
        self.touched(now, Kind::Pods, Touched { names, ..touched });
    }

    /// Judges and queues the nodes that were touched.
    fn touched(&mut self, now: Duration, kind: Kind, Touched { names, sighted }: Touched) {
        let kinds = self.kinds_of_sign();
        if sighted.is_some() && kinds.contains(&kind) {
            match kinds.iter().any(|kind| self.blind.contains(kind)) {
                true => self.liveness.blind(now),
                false => self.liveness.sighted(now),
            }
        }
        for name in names {
            self.judge(now, &name);
            // A heartbeat alone changes nothing on the Node, but the end of a silence does.
            let gone = self.nodes.get(&name).is_none();
            if gone || kind != Kind::Leases || self.leases.get(&name).is_none_or(|lease| !self.belongs(&name, lease)) {
                self.queue.add(now, &name);
            }
            if gone && self.is_unresponsive(&name) {
                self.strays.add(now, &name);
            }
        }
    }

    /// What has to be seen for a sign of life to be seen.
    fn kinds_of_sign(&self) -> Vec<Kind> {
        match self.kind_of_sign() {
            Kind::Pods => vec![Kind::Pods, Kind::DaemonSets],
            kind => vec![kind],
        }
    }

    fn belongs(&self, name: &str, lease: &Heartbeat) -> bool {
        self.nodes.get(name).is_some_and(|node| lease.owner.as_ref() == Some(&node.uid))
    }

    fn judge(&mut self, now: Duration, name: &Name) {
        if self.profile.spec().liveness.is_none() {
            return;
        }
        let Some(sign) = self.sign(name) else { return self.liveness.forget(name) };
        let before = self.liveness.verdict(name);
        let changed = match sign {
            Seen::Beat(beat) => self.liveness.see(now, name, Sign::Beat(&beat)),
            Seen::Other(sign) => self.liveness.see(now, name, sign),
        };
        if changed {
            let recovered = before == Verdict::Silent;
            self.latch.forget(name);
            (self.report)(Report::Alive { node: name.clone(), recovered });
            self.queue.add(now, name);
        }
    }

    /// The sign of life of a node, if there is such a node.
    fn sign(&self, name: &str) -> Option<Seen> {
        let node = self.nodes.get(name)?;
        let of_this_node = |owner: &Option<Box<str>>| owner.as_ref() == Some(&node.uid);
        let beat = match self.kind_of_sign() {
            Kind::Leases => {
                let lease = self.leases.get(name).filter(|lease| of_this_node(&lease.owner));
                lease.and_then(|lease| lease.renewed.as_deref())
            }
            Kind::Nodes => node.annotation(&self.settings.heartbeat),
            Kind::ShadowNodes => {
                let shadow = self.shadows.get(name).filter(|shadow| of_this_node(&shadow.owner));
                shadow.and_then(|shadow| shadow.annotation(&self.settings.heartbeat))
            }
            _ => return Some(Seen::Other(self.by_node.sign(name, |set| self.stands(set)))),
        };
        Some(match beat {
            Some(beat) => Seen::Beat(beat.to_owned()),
            // Before everything is listed, nothing is missing.
            None if node.is_ours() && self.synced => Seen::Other(Sign::Missing),
            None => Seen::Other(Sign::None),
        })
    }

    /// Whether there is a DaemonSet of that UID which is to stay.
    fn stands(&self, uid: &str) -> bool {
        self.daemon_sets.names().any(|name| self.daemon_sets.get(name).is_some_and(|set| **set == *uid))
    }
}

/// A sign of life, apart from where it was seen.
enum Seen {
    Beat(String),
    Other(Sign<'static>),
}

fn intake<'a>(report: &'a mut crate::run::Reporter, blind: &'a mut BTreeSet<Kind>, kind: Kind) -> Intake<'a> {
    Intake { kind, blind, report }
}
