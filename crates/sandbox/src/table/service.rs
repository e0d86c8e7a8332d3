//! The cells of a Service (`printService` in `pkg/printers/internalversion/printers.go`).

use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::read::Read;
use super::rows::{age, name};
use super::selector::labels;

pub(super) fn cells(service: &Value, now: i64) -> Vec<Value> {
    vec![
        name(service),
        json!(service.text("/spec/type")),
        json!(service.text_or("/spec/clusterIPs/0", "<none>")),
        json!(external_address(service)),
        json!(ports(service)),
        age(service, now),
        json!(labels(service.pointer("/spec/selector"))),
    ]
}

fn external_address(service: &Value) -> String {
    let own: Vec<String> =
        service.items("/spec/externalIPs").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let or = |addresses: Vec<String>, none: &str| {
        if addresses.is_empty() { none.to_owned() } else { addresses.join(",") }
    };
    match service.text("/spec/type") {
        "ClusterIP" | "NodePort" => or(own, "<none>"),
        "LoadBalancer" => or(balanced(service).into_iter().chain(own).collect(), "<pending>"),
        "ExternalName" => service.text("/spec/externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

fn balanced(service: &Value) -> BTreeSet<String> {
    let ingress = service.items("/status/loadBalancer/ingress").iter();
    let addresses = ingress.map(|point| point.text_or("/ip", point.text("/hostname")).to_owned());
    addresses.filter(|address| !address.is_empty()).collect()
}

fn ports(service: &Value) -> String {
    let ports: Vec<String> = service.items("/spec/ports").iter().map(port).collect();
    if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }
}

fn port(port: &Value) -> String {
    let (number, node, protocol) = (port.whole("/port"), port.whole("/nodePort"), port.text("/protocol"));
    if node > 0 { format!("{number}:{node}/{protocol}") } else { format!("{number}/{protocol}") }
}
