//! Sequences of requests and what an API server answers, to the letter: `conformance/*.yaml`, recorded from kube-apiserver.
//! Each file is a trial on the sandbox, and on a real API server where there is one.
//!
//! `KUBEBUILDER_ASSETS` names the folder with `etcd` and `kube-apiserver`. Without it the trials on them are ignored. Each
//! file has a server of its own, because versions count everything that is written.
#![expect(clippy::panic, clippy::print_stderr, reason = "a test fails by panicking, and says why it is ignored")]

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tests::server::{Place, Server, assets, conformance};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let assets = assets();
    let without = assets.is_none();
    if without {
        eprintln!("KUBEBUILDER_ASSETS is not set: the tests on a real API server are ignored");
    }
    let places = [("sandbox", Place::Sandbox, false), ("real", Place::Real(assets.unwrap_or_default()), without)];
    let trials = places.into_iter().flat_map(|(name, place, ignored)| {
        files().into_iter().map(move |file| of_file(name, place.clone(), file).with_ignored_flag(ignored))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn of_file(kind: &str, place: Place, file: PathBuf) -> Trial {
    let name = format!("{kind}: {}", file.file_stem().unwrap_or_default().display());
    Trial::test(name, move || {
        let runtime = Runtime::new().map_err(Failed::from)?;
        let run = async { conformance::run(&Server::start(&place).await, &file).await };
        runtime.block_on(run).map_err(Failed::from)
    })
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}
