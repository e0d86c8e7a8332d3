//! How many requests of the catalogue the sandbox answers in a second, each judged by the guard.

use attack::{Plan, Server, Wanted, stage, survey};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kube::Client;
use ownership::builtin;
use sandbox::{Sandbox, Settings};

fn catalogue(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let (server, found) = runtime.block_on(async {
        let profile = builtin::profile("kubevirt").expect("is built in").expect("is valid");
        let sandbox = Sandbox::start(Settings::default()).expect("a sandbox starts");
        let server = Server {
            address: String::new(),
            operator: Client::new(sandbox.admin(), "default"),
            nobody: Client::new(sandbox.connection(), "default"),
        };
        let mut objects = stage::objects().expect("is readable");
        objects.extend(stage::role(&stage::widest_rules()));
        objects.extend(manifests::guards(&profile).iter().flat_map(manifests::Guarding::objects));
        stage::build(&server, &objects).await.expect("the cluster can be built");
        let wanted = Wanted {
            node: Some(stage::NODES[0].to_owned()),
            scratch: Some(stage::BARE.to_owned()),
            ..Wanted::default()
        };
        let found = survey(&server, profile, &wanted).await.expect("there is an agent");
        (server, found)
    });
    let plan = Plan::new(&found.ground);
    let requests = plan.attempts().count() as u64;
    let mut group = criterion.benchmark_group("catalogue");
    group.throughput(Throughput::Elements(requests)).sample_size(20);
    group.bench_function(format!("{requests} requests against the sandbox"), |bencher| {
        bencher.iter(|| runtime.block_on(plan.run(&server, &found.ground, &found.keys, || ())));
    });
    group.finish();
}

criterion_group!(benches, catalogue);
criterion_main!(benches);
