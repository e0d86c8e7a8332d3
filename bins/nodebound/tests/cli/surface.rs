//! Help, versions, completions, manual pages, and wrong command lines.

use crate::nodebound;

#[test]
fn help_goes_out_and_names_the_commands_and_exit_codes() {
    let help = nodebound(["--help"]);
    assert_eq!(help.code, 0);
    for text in ["render", "check", "test", "Exit codes:"] {
        assert!(help.out.contains(text), "{text}");
    }
    assert!(!help.out.contains("completions"), "hidden");
    assert_eq!(help.err, "");
    assert_eq!(nodebound(["--version"]).out, format!("nodebound {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let table: [(&[&str], &str); 9] = [
        (&["frob"], "unrecognized subcommand"),
        (&["check", "f"], "--profile <PROFILE>|--policy <FILE>"),
        (&["check", "--profile", "kubevirt"], "<FILE>..."),
        (&["check", "--profile", "kubevirt", "-o", "xml", "f"], "invalid value 'xml'"),
        (&["check", "--profile", "kubevirt", "--service-account", "x", "f"], "write namespace/name"),
        (&["check", "--policy", "p", "--service-account", "a/b", "f"], "--profile <PROFILE>"),
        (&["render"], "--profile <PROFILE>"),
        (&["test"], "<SUITE>..."),
        (&["check", "--profile", "kubevirt", "-", "-"], "standard input can be read only once"),
    ];
    for (arguments, message) in table {
        let outcome = nodebound(arguments);
        assert_eq!(outcome.code, 2, "{arguments:?}");
        assert!(outcome.err.contains(message), "{arguments:?}: {}", outcome.err);
        assert_eq!(outcome.out, "", "{arguments:?}");
    }
}

#[test]
fn completions_and_manual_pages_are_printed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = nodebound(["completions", shell]);
        assert!(script.code == 0 && script.out.contains("nodebound") && script.out.contains("render"), "{shell}");
    }
    let page = nodebound(["man"]);
    assert!(page.out.starts_with(".ie") || page.out.contains(".TH nodebound"), "{}", page.out);
    assert!(nodebound(["man", "check"]).out.contains("service\\-account"));
    assert_eq!(nodebound(["man", "frob"]).code, 2);
}
