//! Whether the kubelet's CPU manager pins guests to CPUs: what its state file says.

use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

use crate::fault::{self, Problem};

/// Where virt-handler looks for the state file; the first that exists counts.
pub const FILES: [&str; 2] =
    ["/var/lib/kubelet/cpu_manager_state", "/proc/1/root/var/lib/origin/openshift.local.volumes/cpu_manager_state"];

/// Longest state file. It has an entry for each pinned container.
const LONGEST: usize = 4 << 20;

#[derive(Deserialize)]
struct State {
    #[serde(default, rename = "policyName")]
    policy: Value,
}

/// Whether the state file names the policy `static`.
///
/// # Errors
/// The text is no JSON object.
pub fn is_static(text: &[u8]) -> Result<bool, Problem> {
    // A list would be read as the fields of the structure in their order.
    let object = text.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice::<State>(text) {
        Ok(state) if object => Ok(state.policy == "static"),
        Ok(_) => Err(Problem::Malformed("is no JSON object".to_owned())),
        Err(error) => Err(Problem::malformed("is no JSON object", &error.to_string())),
    }
}

/// Reads the first of the files that exists.
///
/// # Errors
/// None exists, or it does not say.
pub fn read(files: &[PathBuf]) -> Result<bool, Problem> {
    let texts = files.iter().map(|file| fault::read(file, LONGEST));
    let first = texts.into_iter().find(|text| *text != Err(Problem::Missing));
    is_static(&first.unwrap_or(Err(Problem::Missing))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_the_policy_static_counts() {
        let table = [
            (r#"{"policyName":"static","defaultCpuSet":"0-5","checksum":1946793818}"#, true),
            (r#" {"entries":{"pod":{"c":"2-3"}},"policyName":"static"}"#, true),
            (r#"{"policyName":"none","defaultCpuSet":"","checksum":1353318690}"#, false),
            (r#"{"policyName":["static"]}"#, false),
            (r#"{"policyName":null}"#, false),
            (r#"{"PolicyName":"static"}"#, false),
            ("{}", false),
        ];
        for (text, expected) in table {
            assert_eq!(is_static(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_state_is_named() {
        let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
        for text in ["", "static", "[\"static\"]", "null", "{\"policyName\":\"static\"", "\u{0}", &deep] {
            assert!(is_static(text.as_bytes()).is_err(), "{}", fault::quoted(text));
        }
    }

    #[test]
    fn the_first_file_that_exists_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("static"), r#"{"policyName":"static"}"#).unwrap();
        fs::write(file("none"), r#"{"policyName":"none"}"#).unwrap();
        fs::create_dir(file("folder")).unwrap();
        let table: [(&[&str], Result<bool, Problem>); 5] = [
            (&["absent", "static"], Ok(true)),
            (&["none", "static"], Ok(false)),
            (&["folder", "static"], Err(Problem::NotAFile)),
            (&["absent"], Err(Problem::Missing)),
            (&[], Err(Problem::Missing)),
        ];
        for (names, expected) in table {
            let files: Vec<PathBuf> = names.iter().map(|name| file(name)).collect();
            assert_eq!(read(&files), expected, "{names:?}");
        }
    }
}
