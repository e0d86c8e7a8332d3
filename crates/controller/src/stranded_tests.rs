use super::*;

fn machine(namespace: &str, uid: &str, phase: &str) -> DynamicObject {
    let metadata = json!({"namespace": namespace, "name": uid, "uid": uid});
    serde_json::from_value(json!({"metadata": metadata, "status": {"phase": phase}})).unwrap()
}

fn pod(namespace: &str, machine: &str, status: Value) -> Pod {
    let owner = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "name": machine,
        "uid": machine, "controller": true});
    let metadata = json!({"namespace": namespace, "name": "p", "ownerReferences": [owner]});
    serde_json::from_value(json!({"metadata": metadata, "spec": {"containers": []}, "status": status})).unwrap()
}

fn containers(terminated: &[bool]) -> Value {
    let container = |(number, ended): (usize, &bool)| {
        let state = if *ended { json!({"terminated": {"exitCode": 0}}) } else { json!({"running": {}}) };
        json!({"name": format!("c{number}"), "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": state})
    };
    let statuses: Vec<Value> = terminated.iter().enumerate().map(container).collect();
    json!({"phase": "Running", "containerStatuses": statuses})
}

/// Scenarios 117, 120, 121, 124 and 128 to 130 of KubeVirt's node controller.
#[test]
fn a_machine_without_a_living_pod_of_its_own_is_stranded() {
    let running = json!({"phase": "Running"});
    let table = [
        ("no pod", "Running", None, true),
        ("no pod, scheduled", "Scheduled", None, true),
        ("no pod, not started", "Pending", None, false),
        ("no pod, ended", "Succeeded", None, false),
        ("its pod", "Running", Some(pod("a", "m", running.clone())), false),
        ("its pod, scheduled", "Scheduled", Some(pod("a", "m", running.clone())), false),
        ("a pod of that name in another namespace", "Running", Some(pod("b", "m", running.clone())), true),
        ("the pod of another machine", "Running", Some(pod("a", "other", running)), true),
        ("a pod that failed", "Running", Some(pod("a", "m", json!({"phase": "Failed"}))), true),
        ("a pod that succeeded", "Running", Some(pod("a", "m", json!({"phase": "Succeeded"}))), true),
        ("every container ended", "Running", Some(pod("a", "m", containers(&[true, true]))), true),
        ("one container runs", "Running", Some(pod("a", "m", containers(&[true, false]))), false),
        ("no container yet", "Running", Some(pod("a", "m", containers(&[]))), false),
    ];
    for (name, phase, pod, expected) in table {
        let (machines, pods): (_, Vec<Pod>) = ([machine("a", "m", phase)], pod.into_iter().collect());
        assert_eq!(stranded(&machines, &pods).len() == 1, expected, "{name}");
    }
}

/// Scenarios 131 to 134.
#[test]
fn machines_are_orphans_where_no_agent_is_to_come() {
    let account = ServiceAccount { namespace: "kubevirt".into(), name: "agent".into() };
    let set = |account: &str, [desired, current, ready]: [i32; 3]| -> DaemonSet {
        let template = json!({"spec": {"serviceAccountName": account, "containers": []}});
        let status = json!({"desiredNumberScheduled": desired, "currentNumberScheduled": current, "numberReady": ready,
            "numberMisscheduled": 0});
        let spec = json!({"selector": {}, "template": template});
        serde_json::from_value(json!({"metadata": {}, "spec": spec, "status": status})).unwrap()
    };
    let agent = |namespace: &str| -> Pod {
        let spec = json!({"serviceAccountName": "agent", "containers": []});
        serde_json::from_value(json!({"metadata": {"namespace": namespace}, "spec": spec})).unwrap()
    };
    let stable = set("agent", [2, 2, 1]);
    let table = [
        ("no agent is there", vec![], vec![stable.clone()], true),
        ("one is, in whatever state", vec![agent("kubevirt")], vec![stable.clone()], false),
        ("one of that name elsewhere is none", vec![agent("other")], vec![stable.clone()], true),
        ("all that are wanted are ready", vec![], vec![set("agent", [2, 1, 2])], true),
        ("some are still to come", vec![], vec![set("agent", [2, 1, 1])], false),
        ("nobody runs agents", vec![], vec![set("other", [2, 2, 2])], false),
        ("two do", vec![], vec![stable.clone(), stable], false),
    ];
    for (name, pods, sets, expected) in table {
        assert_eq!(is_orphaned(&account, &pods, &sets), expected, "{name}");
    }
}

#[test]
fn a_machine_is_failed_only_as_it_was_seen() {
    let patch = failure(&machine("a", "m", "Running"));
    let operations: Vec<[&str; 2]> = patch
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| ["op", "path"].map(|field| operation[field].as_str().unwrap()))
        .collect();
    let expected =
        [["test", "/metadata/uid"], ["test", "/status/phase"], ["replace", "/status/phase"], ["add", "/status/reason"]];
    assert_eq!(operations, expected);
    assert_eq!(patch[1]["value"], "Running");
}

#[test]
fn nodes_with_machines_are_looked_at_again_and_again() {
    let at = Duration::from_secs;
    let (mut strays, [a, b, m]) = (Strays::default(), ["a", "b", "m"].map(Name::from));
    strays.add(at(0), &a);
    assert_eq!(strays.next(), None, "it has no machine");
    assert_eq!(strays.place(&m, Some(a.clone())), Some(a.clone()));
    strays.add(at(5), &a);
    strays.add(at(9), &a);
    assert_eq!((strays.next(), strays.take(at(4))), (Some(at(5)), None));
    assert_eq!((strays.take(at(5)), strays.next()), (Some(a.clone()), Some(at(65))));
    strays.add(at(6), &a);
    assert_eq!(strays.next(), Some(at(6)), "something happened");
    strays.leave_alone(&a);
    assert_eq!(strays.next(), None);
    assert_eq!(strays.place(&m, Some(b.clone())), Some(b.clone()), "it has migrated");
    assert_eq!(strays.nodes().collect::<Vec<_>>(), [&b]);
    assert_eq!((strays.place(&m, None), strays.nodes().count()), (None, 0));
}
