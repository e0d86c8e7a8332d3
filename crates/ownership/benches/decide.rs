//! One verdict by the rule in Rust, at 170, 1,000 and 3,000 labels.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ownership::identity::{NODE_NAME, POD_NAME, POD_UID, User};
use ownership::request::{Object, Operation, Request, Target};
use ownership::{builtin, decide};
use serde_json::{Value, json};
use std::hint::black_box;

fn node(count: usize) -> Value {
    let label = |i: usize| match i % 7 {
        0 => (format!("foreign.example.com/label-number-{i:010}"), json!("value")),
        _ => (format!("cpu-feature.node.kubevirt.io/f-{i:010}"), json!("true")),
    };
    let labels: serde_json::Map<String, Value> = (0..count).map(label).collect();
    json!({"metadata": {"name": "n1", "labels": labels}, "spec": {}, "status": {}})
}

fn verdicts(c: &mut Criterion) {
    let profile = builtin::profile("kubevirt").expect("is built in").expect("is valid");
    let claim = [(NODE_NAME, "n1"), (POD_NAME, "p"), (POD_UID, "u")];
    let extra = claim.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).into();
    let user = User { username: profile.username().to_owned(), extra };
    let target = Target { group: "", resource: "nodes", namespace: "" };
    let mut group = c.benchmark_group("decide");
    for count in [170, 1000, 3000] {
        let old = node(count);
        let mut new = old.clone();
        new["metadata"]["labels"]["kubevirt.io/schedulable"] = json!("false");
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| {
                let old = Object::new(black_box(&old)).expect("is an object");
                let new = Object::new(black_box(&new)).expect("is an object");
                decide(&profile, &Request { user: &user, target, operation: Operation::Update { old, new } })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
