//! Tells the tests whether the recorded requests, which are not part of the project, are beside it. A test that needs
//! them is counted as ignored where they are not.

use std::path::Path;

const RECORDED: &str = "../../../shared/data/admission-reviews/node-requests.jsonl";

fn main() {
    let mut out = std::io::stdout();
    let mut tell = |line: &str| std::io::Write::write_all(&mut out, format!("cargo::{line}\n").as_bytes());
    let told = tell("rustc-check-cfg=cfg(recorded)")
        .and_then(|()| tell("rerun-if-changed=build.rs"))
        .and_then(|()| tell(&format!("rerun-if-changed={RECORDED}")))
        .and_then(|()| if Path::new(RECORDED).exists() { tell("rustc-cfg=recorded") } else { Ok(()) });
    told.expect("cargo reads what a build script writes");
}
