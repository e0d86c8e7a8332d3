//! One verdict of the rendered policy, at 170, 1,000 and 3,000 labels: with and without reading the request, and beside
//! the rule in Rust.

use admission::{AdmissionRequest, Binding, KubeVersion, NoCluster, Policy, evaluate};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ownership::builtin;
use ownership::guard::Guard;
use std::hint::black_box;
use tests::agreement::by_decision;
use tests::nodes::{node, relabelled, update};

fn verdicts(c: &mut Criterion) {
    for name in ["kubevirt", "kubevirt-least"] {
        let profile = builtin::profile(name).expect("is built in").expect("is valid");
        let guarding = manifests::render(&profile, Guard::Nodes);
        let policy = Policy::compile(&guarding.policy, KubeVersion::minor(30)).expect("compiles");
        let bindings = [Binding::check(&guarding.binding).expect("is valid")];
        let mut group = c.benchmark_group(name);
        for count in [170, 1000, 3000] {
            let old = node(count);
            let request = update(&profile, old.clone(), relabelled(&old));
            let text = serde_json::to_vec(&request).expect("is JSON");
            group.bench_function(BenchmarkId::new("policy", count), |b| {
                b.iter(|| evaluate(&policy, &bindings, black_box(&request), &NoCluster));
            });
            group.bench_function(BenchmarkId::new("policy, request read from JSON", count), |b| {
                b.iter(|| {
                    let request: AdmissionRequest = serde_json::from_slice(black_box(&text)).expect("is a request");
                    evaluate(&policy, &bindings, &request, &NoCluster)
                });
            });
            group.bench_function(BenchmarkId::new("decide", count), |b| {
                b.iter(|| by_decision(&profile, black_box(&request)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
