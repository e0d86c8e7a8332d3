//! The controllers on the sandbox, on a clock that stands still.
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod body;

use kube::Client;
use sandbox::server::Plugin;
use sandbox::{Sandbox, Settings};

fn client() -> Client {
    // Nobody takes the taint away that the plugin gives to new Nodes.
    let disabled = [Plugin::TaintNodesByCondition].into();
    let sandbox = Sandbox::start(Settings { disabled, ..Settings::default() }).expect("a sandbox starts");
    Client::new(sandbox.admin(), "default")
}

#[tokio::test(start_paused = true)]
async fn workloads_come_and_go() {
    assert_eq!(body::run(client()).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_repeated() {
    assert_eq!(body::run(client()).await, body::run(client()).await);
}
