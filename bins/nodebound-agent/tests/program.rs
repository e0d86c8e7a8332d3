//! The program, as people start it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn agent(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodebound-agent"));
    command.args(arguments).env_remove("NODE_NAME").env_remove("KUBERNETES_SERVICE_HOST");
    command.env("KUBECONFIG", "/nowhere/kubeconfig").env("HOME", "/nowhere").output().unwrap()
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn once_prints_the_publication_of_any_linux_machine() {
    // Where libvirt is installed, asking it takes its time.
    let config = format!("{}/agent.yaml", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&config, "virsh: false").unwrap();
    let once = |output| texts(&agent(&["--once", "-o", output, "--config", &config]));
    let (code, json, log) = once("json");
    assert_eq!((code, log.as_str()), (Some(0), ""), "{json}");
    let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
    let of = |field: &str| shown[field].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let keys = [of("labels"), of("annotations")].concat();
    assert!(keys.contains(&"kubevirt.io/schedulable".to_owned()), "{json}");
    assert!(keys.iter().all(|key| shown["sources"][key].is_string()), "each key has its source: {json}");
    let (code, yaml, _) = once("yaml");
    assert_eq!(code, Some(0));
    assert!(yaml.contains("kubevirt.io/schedulable:"), "{yaml}");
}

#[test]
fn bad_input_is_named_and_ends_with_two() {
    let table: [(&[&str], &str); 6] = [
        (&["--nonsense"], "--nonsense"),
        (&["-o", "json"], "--once"),
        (&["--once", "--config", "/nowhere/agent.yaml"], "/nowhere/agent.yaml cannot be read"),
        (&["--once", "--profile", "/nowhere/p.yaml"], "no built-in profile"),
        (&[], "which Node?"),
        (&["--node", "n"], "no way to the API server"),
    ];
    for (arguments, named) in table {
        let (code, out, err) = texts(&agent(arguments));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
}
