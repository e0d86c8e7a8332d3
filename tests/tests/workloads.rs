//! The controllers of `testkit`, on the sandbox and on a real API server where `KUBEBUILDER_ASSETS` names one.
#![expect(clippy::panic, clippy::print_stderr, reason = "a test fails by panicking, and says why it is ignored")]

#[path = "../../crates/testkit/tests/body/mod.rs"]
mod body;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;
use tests::server::{Place, Server, assets};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let assets = assets();
    if assets.is_none() {
        eprintln!("KUBEBUILDER_ASSETS is not set: the tests on a real API server are ignored");
    }
    let without = assets.is_none();
    let real = Place::Real(assets.unwrap_or_default());
    let trials = vec![trial("sandbox", Place::Sandbox), trial("real", real).with_ignored_flag(without)];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, place: Place) -> Trial {
    Trial::test(format!("{name}: workloads come and go"), move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        let names = runtime.block_on(async {
            let server = Server::start(&place).await;
            body::run(server.client()).await
        });
        assert_eq!(names.len(), 2);
        Ok(())
    })
}
