//! The operator with its own account and rights: from nothing to a proven guard, from channel to channel and from version
//! to version, and back to nothing. After every step the catalogue of attacks is run with real tokens of each of our
//! accounts. Every trial runs on the sandbox, and on a real API server where `KUBEBUILDER_ASSETS` names one.
#![expect(clippy::panic, clippy::print_stderr, reason = "a test fails by panicking, and says why it is ignored")]

mod cluster;
mod hold;
mod kubectl;
mod limits;
mod lives;
mod product;
mod stories;

use libtest_mimic::{Arguments, Trial};
use std::future::Future;
use std::process::{Command, ExitCode};
use tests::server::{Place, assets};

/// What the trials with kubectl are named after.
const KUBECTL: &str = "kubectl";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let assets = assets();
    if assets.is_none() {
        eprintln!("KUBEBUILDER_ASSETS is not set: the tests on a real API server are ignored");
    }
    let (without, no_kubectl) = (assets.is_none(), !has_kubectl());
    let real = trials(&Place::Real(assets.unwrap_or_default()));
    let real = real.into_iter().map(|trial| (trial, without));
    let sandbox = trials(&Place::Sandbox).into_iter().map(|trial| (trial, false));
    let lives =
        trial("agents live on while channel and version change under them", &Place::Sandbox, lives::transitions);
    let all = sandbox.chain([(lives, false)]).chain(real).map(|(trial, without)| {
        let without = without || (no_kubectl && trial.name().contains(KUBECTL));
        trial.with_ignored_flag(without)
    });
    libtest_mimic::run(&arguments, all.collect()).exit_code()
}

fn has_kubectl() -> bool {
    let output = Command::new("kubectl").args(["version", "--client"]).output();
    let is_there = output.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("there is no kubectl on the PATH: its tests are ignored");
    }
    is_there
}

fn trials(place: &Place) -> Vec<Trial> {
    vec![
        trial("an agent of ours, installed step by step, upgraded, rolled back, removed", place, stories::direct),
        trial("the same by ShadowNodes, to the other channel and back", place, stories::channels),
        trial("an agent of somebody else is guarded, and nothing of it is touched", place, stories::theirs),
        trial("another version of the product is held back", place, hold::back),
        trial("whoever has the operator's token is held", place, limits::kept),
        trial("kubectl waits for the condition, and finds nothing to change", place, kubectl::session),
        trial("the definition says of a profile what the file's checks say", place, kubectl::definition),
    ]
}

/// In the sandbox nobody waits, its time is the runtime's; but not where another process looks at it.
fn trial<F: Future<Output = ()> + 'static>(name: &str, place: &Place, test: fn(Place) -> F) -> Trial {
    let inside = *place == Place::Sandbox;
    let (place, paused) = (place.clone(), inside && !name.starts_with(KUBECTL));
    let name = format!("{}: {name}", if inside { "sandbox" } else { "real" });
    Trial::test(name, move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(paused).build().expect("a runtime can be made").block_on(test(place));
        Ok(())
    })
}
