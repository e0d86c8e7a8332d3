use admission::KubeVersion;
use std::sync::Arc;

use super::*;
use crate::catalog::builtin;

fn resource(group: &str, kind: &str) -> Resource {
    let found = builtin(KubeVersion::minor(36), &Arc::default());
    let found = found.into_iter().find(|resource| resource.group == group && resource.kind == kind);
    found.unwrap_or_else(|| panic!("{group} {kind}"))
}

fn custom(plural: &str, kind: &str, version: &str, definition: Value) -> Resource {
    let node = resource("", "Node");
    Resource {
        group: definition["spec"]["group"].as_str().unwrap().to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        definition: Some(Arc::new(definition)),
        ..node
    }
}

fn now(recorded: &Value) -> i64 {
    age::seconds(recorded["now"].as_str().unwrap()).unwrap()
}

/// Name, type, format and priority of the columns, in their order.
fn heads(definitions: &Value) -> Value {
    let head = |column: &Value| ["name", "type", "format", "priority"].map(|field| column[field].clone());
    definitions.as_array().unwrap().iter().map(|column| Value::Array(head(column).to_vec())).collect()
}

#[test]
fn tables_are_those_of_the_server() {
    let recorded: Vec<Value> = serde_json::from_str(include_str!("recorded.json")).unwrap();
    assert!(recorded.len() > 20);
    for table in &recorded {
        let kind = table["kind"].as_str().unwrap();
        let resource = match table.get("definition") {
            Some(definition) => custom("widgets", kind, table["version"].as_str().unwrap(), definition.clone()),
            None => resource(table["group"].as_str().unwrap(), kind),
        };
        let rendered = render(&resource, &table["objects"], now(table), IncludeObject::None);
        assert_eq!(heads(&rendered["columnDefinitions"]), table["columns"], "{kind}");
        let rows = rendered["rows"].as_array().unwrap();
        let expected = table["cells"].as_array().unwrap();
        assert_eq!(rows.len(), expected.len(), "{kind}");
        for (row, expected) in rows.iter().zip(expected) {
            assert_eq!(&row["cells"], expected, "{kind}");
        }
    }
}

#[test]
fn a_row_carries_what_was_asked_for() {
    let list = json!({"kind": "RoleList", "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"resourceVersion": "324", "continue": "abc", "remainingItemCount": 4},
        "items": [{"metadata": {"name": "r1", "creationTimestamp": "2026-11-22T17:46:21Z"}, "rules": []}]});
    let role = resource("rbac.authorization.k8s.io", "Role");
    let cases = [
        (IncludeObject::None, Value::Null),
        (
            IncludeObject::Metadata,
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": {"name": "r1", "creationTimestamp": "2026-11-22T17:46:21Z"}}),
        ),
        (
            IncludeObject::Object,
            json!({"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1",
                "metadata": {"name": "r1", "creationTimestamp": "2026-11-22T17:46:21Z"}, "rules": []}),
        ),
    ];
    for (include, object) in cases {
        let mut table = render(&role, &list, 0, include);
        assert_eq!(table["columnDefinitions"], columns(&role));
        table["columnDefinitions"] = Value::Null;
        let expected = json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": null,
            "metadata": {"resourceVersion": "324", "continue": "abc", "remainingItemCount": 4},
            "rows": [{"cells": ["r1", "2026-11-22T17:46:21Z"], "object": object}]});
        assert_eq!(table, expected);
    }
}

#[test]
fn an_empty_list_has_no_rows() {
    let list = json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []});
    assert_eq!(render(&resource("", "Node"), &list, 0, IncludeObject::Metadata)["rows"], json!([]));
    let expected = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "1"}, "items": []});
    assert_eq!(partial_list(&list), expected);
}

#[test]
fn a_scale_is_laid_out_as_a_scale() {
    let scale = json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": 2}, "status": {"replicas": 0},
        "metadata": {"name": "d1", "creationTimestamp": "2026-11-22T17:46:21Z"}});
    let table = render(&resource("apps", "Deployment"), &scale, 1_795_369_585, IncludeObject::None);
    let expected = json!([
        ["Name", "string", "", 0],
        ["Desired", "integer", "", 0],
        ["Available", "integer", "", 0],
        ["Age", "string", "", 0]
    ]);
    assert_eq!(heads(&table["columnDefinitions"]), expected);
    assert_eq!(table["rows"][0]["cells"], json!(["d1", 2, 0, "4s"]));
}

#[test]
fn pods_are_summed_up_in_a_word() {
    let pod = resource("", "Pod");
    let cases = [
        (json!({"status": {"phase": "Pending"}}), "0/0", "Pending"),
        (json!({"status": {"phase": "Failed", "reason": "Evicted"}}), "0/0", "Evicted"),
        (
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running"}}),
            "0/0",
            "Terminating",
        ),
        (
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Succeeded"}}),
            "0/0",
            "Succeeded",
        ),
        (
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running", "reason": "NodeLost"}}),
            "0/0",
            "Unknown",
        ),
        (
            json!({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}}),
            "0/0",
            "SchedulingGated",
        ),
        (
            json!({"spec": {"containers": [{}], "initContainers": [{"name": "a"}, {"name": "b"}]},
                "status": {"initContainerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 0}}},
                    {"name": "b", "state": {"waiting": {"reason": "PodInitializing"}}}]}}),
            "0/1",
            "Init:1/2",
        ),
        (
            json!({"status": {"initContainerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3}}}]}}),
            "0/0",
            "Init:ExitCode:3",
        ),
        (
            json!({"status": {"initContainerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3, "signal": 9}}}]}}),
            "0/0",
            "Init:Signal:9",
        ),
        (
            json!({"status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}}),
            "0/0",
            "Error",
        ),
        (
            json!({"spec": {"containers": [{}, {}]}, "status": {"conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"ready": true, "state": {"running": {}}}]}}),
            "1/2",
            "Running",
        ),
        (
            json!({"spec": {"containers": [{}, {}]}, "status": {
                "containerStatuses": [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"ready": true, "state": {"running": {}}}]}}),
            "1/2",
            "NotReady",
        ),
    ];
    for (object, ready, status) in cases {
        let table = render(&pod, &object, 0, IncludeObject::None);
        let cells = &table["rows"][0]["cells"];
        assert_eq!((&cells[1], &cells[2]), (&json!(ready), &json!(status)), "{object}");
    }
}

#[test]
fn a_pod_that_has_ended_says_so() {
    let pod = resource("", "Pod");
    let table = render(&pod, &json!({"status": {"phase": "Succeeded"}}), 0, IncludeObject::None);
    let expected = json!([{"type": "Completed", "status": "True", "reason": "Succeeded",
        "message": "The pod has completed successfully."}]);
    assert_eq!(table["rows"][0]["conditions"], expected);
}
