//! Bad input: a clear message, exit code 2, no panic, and the other inputs are judged nevertheless.

use std::fmt::Write;

use crate::{SAMPLE, SHIPPED, files, nodebound, root};

/// Judges a recording together with the sample; it must be complained about, and the sample judged.
fn complains(content: &[u8], expected: &str) {
    let folder = files(&[("bad", content)]);
    let path = folder.path().join("bad");
    let path = path.to_str().unwrap();
    let outcome = nodebound(["check", "--profile", "kubevirt", path, SAMPLE]);
    assert_eq!(outcome.code, 2, "{expected}\n{}", outcome.err);
    let message = format!("nodebound: {path}: {expected}");
    assert!(outcome.err.contains(&message), "{message}\n{:.2000}", outcome.err);
    assert!(outcome.out.contains("deny         UPDATE nodes/node-2"), "the sample is judged: {}", outcome.out);
}

fn line(number: usize) -> String {
    let sample = std::fs::read_to_string(root().join(SAMPLE)).unwrap();
    format!("{}\n", sample.lines().nth(number).unwrap())
}

#[test]
fn a_recording_that_cannot_be_read() {
    for (path, message) in
        [("nowhere.jsonl", "nowhere.jsonl: cannot be read: No such file"), ("suites", "suites: is a folder")]
    {
        let outcome = nodebound(["check", "--profile", "kubevirt", path, SAMPLE]);
        assert_eq!(outcome.code, 2);
        assert!(outcome.err.contains(message), "{}", outcome.err);
        assert!(outcome.out.contains("12 requests"));
    }
}

#[test]
fn a_recording_that_is_none() {
    let review = line(0);
    complains(b"", "line 1: no AdmissionReview in the input");
    complains(b" \n\n", "line 1: no AdmissionReview in the input");
    complains(b"{\n  \"kind\": \"AdmissionReview\",\n  \"request\": }\n", "line 3: broken JSON");
    complains(b"{\"kind\": \"Pod\", \"apiVersion\": \"v1\"}\n", "line 1: not an AdmissionReview");
    complains(b"hello\n", "line 1: not an AdmissionReview");
    complains(b"a: [\n", "line ");
    complains(b"\x00\x01\x02\xff\xfe", "line 1: ");
    complains(
        b"{\"kind\": \"AdmissionReview\", \"apiVersion\": \"admission.k8s.io/v1\", \"response\": {}}",
        "line 1: the AdmissionReview has no request",
    );
    complains(
        review.replace("admission.k8s.io/v1\"", "admission.k8s.io/v1beta1\"").as_bytes(),
        "line 1: AdmissionReview of version \"admission.k8s.io/v1beta1\"",
    );
    complains(review.replace("\"oldObject\"", "\"olderObject\"").as_bytes(), "line 1: request.oldObject is missing");
}

#[test]
fn a_broken_line_does_not_hide_the_others() {
    let text = format!("{}{{\"review\": \n{}oops\n{}", line(0), line(4), line(3));
    let folder = files(&[("bad.jsonl", text.as_bytes())]);
    let outcome = nodebound(["check", "--profile", "kubevirt", folder.path().join("bad.jsonl").to_str().unwrap()]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("bad.jsonl: line 2: "), "{}", outcome.err);
    for judged in ["heartbeat", "cordon its own node", "cordon another node"] {
        assert!(outcome.out.contains(judged), "{judged}\n{}\n{}", outcome.out, outcome.err);
    }
}

#[test]
fn a_recording_of_100_mb_in_one_line() {
    complains(&vec![b'a'; 100 << 20], "line 1: is longer than 64 MiB, which no AdmissionReview is");
}

#[test]
fn a_recording_of_100_mb_in_many_lines_is_judged() {
    let mut text = String::new();
    let review = line(0);
    let filler = "x".repeat(1 << 20);
    for _ in 0..100 {
        let heavy = review.replacen("\"node-1\"", &format!("\"node-1\",\"filler\":\"{filler}\""), 1);
        text.push_str(&heavy);
    }
    assert!(text.len() > 100 << 20);
    let folder = files(&[("large.jsonl", text.as_bytes())]);
    let outcome = nodebound(["check", "--profile", "kubevirt", folder.path().join("large.jsonl").to_str().unwrap()]);
    assert!(outcome.out.contains("100 requests:"), "{:.300}\n{:.300}", outcome.out, outcome.err);
}

#[test]
fn a_deeply_nested_recording() {
    let lists = "[".repeat(1_000_000);
    complains(lists.as_bytes(), "line 1: nested more than");
    let mut maps = String::new();
    (0..200_000).for_each(|_| maps.push_str("{\"a\":"));
    complains(maps.as_bytes(), "line 1: ");
    complains(format!("a: {lists}").as_bytes(), "line ");
    complains("- ".repeat(100_000).as_bytes(), "line ");
    let nested = format!("{}{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let review = line(0).replacen("\"spec\":{", &format!("\"spec\":{{\"deep\":{nested},"), 1);
    complains(review.as_bytes(), "line 1: nested more than");
}

const PROFILE: &str = "apiVersion: nodebound.io/v1alpha1\nkind: AgentProfile\nmetadata: {name: p}\nspec:\n  \
    serviceAccount: {namespace: a, name: b}\n";

#[test]
fn a_profile_that_is_none() {
    let nested = format!("{PROFILE}  labels: {}", "[".repeat(100_000));
    let table = [
        (String::new(), "bad.yaml: "),
        ("a: [".to_owned(), "bad.yaml: no valid YAML or JSON"),
        (format!("{PROFILE}  label: []\n"), "bad.yaml: line 6: spec.label: unknown field"),
        (
            format!("{PROFILE}  labels:\n  - {{key: a b}}\n"),
            "bad.yaml: line 7: spec.labels[0].key: no API server accepts the key `a b`",
        ),
        (
            format!("{PROFILE}  labels:\n  - {{prefix: a.b}}\n"),
            "bad.yaml: line 7: spec.labels[0].prefix: must end in '/'",
        ),
        (PROFILE.replace("v1alpha1", "v2"), "bad.yaml: line 1: apiVersion: is `nodebound.io/v2`"),
        (PROFILE.replace("AgentProfile", "Node"), "bad.yaml: line 2: kind: is `Node`"),
        (nested, "bad.yaml: no valid YAML or JSON"),
    ];
    for (text, expected) in table {
        let folder = files(&[("bad.yaml", text.as_bytes())]);
        let path = folder.path().join("bad.yaml");
        for command in [vec!["render", "--profile"], vec!["check", SAMPLE, "--profile"]] {
            let outcome = nodebound(command.iter().copied().chain([path.to_str().unwrap()]));
            assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{text:.300}");
            assert!(outcome.err.contains(expected), "{expected}\n{:.1000}", outcome.err);
        }
    }
    let outcome = nodebound(["render", "--profile", "kubevrit"]);
    assert_eq!(outcome.code, 2);
    let expected = "`kubevrit` is neither a built-in profile (kubevirt, kubevirt-least) nor a file";
    assert!(outcome.err.contains(expected), "{}", outcome.err);
}

#[test]
fn every_mistake_in_a_profile_is_told_at_once() {
    let mut text = format!("{PROFILE}  labels:\n");
    for index in 0..3 {
        writeln!(text, "  - {{key: a b{index}}}").unwrap();
    }
    let folder = files(&[("bad.yaml", text.as_bytes())]);
    let outcome = nodebound(["render", "--profile", folder.path().join("bad.yaml").to_str().unwrap()]);
    for line in 7..10 {
        assert!(outcome.err.contains(&format!("bad.yaml: line {line}: spec.labels[{}]", line - 7)), "{}", outcome.err);
    }
}

#[test]
fn policies_that_are_none() {
    let shipped = std::fs::read_to_string(root().join(SHIPPED)).unwrap();
    let spec = "object.spec == oldObject.spec";
    let table = [
        (
            shipped.replace(spec, "object.spec == "),
            ": ValidatingAdmissionPolicy `kubevirt-node-restriction-policy`: spec.validations[1].expression",
        ),
        (shipped.replace(spec, "frob(object.spec)"), "ERROR: <input>:1:5: undeclared reference to 'frob'"),
        (
            shipped.replace(spec, "object.spec"),
            "spec.validations[1].expression: Invalid value: \"object.spec\": must evaluate to bool",
        ),
        (
            shipped.replacen("k8s.io/v1\n", "k8s.io/v1beta1\n", 1),
            "ValidatingAdmissionPolicy of admissionregistration.k8s.io/v1beta1: this version reads admissionregistration.k8s.io/v1",
        ),
        (
            shipped.replacen("kind: ValidatingAdmissionPolicy\n", "kind: MutatingAdmissionPolicy\n", 1),
            "MutatingAdmissionPolicy of admissionregistration.k8s.io/v1: this version reads ValidatingAdmissionPolicies",
        ),
        (shipped.replace("failurePolicy:", "failPolicy:"), "spec.failPolicy: unknown field"),
        (
            shipped.replace("[Deny]", "[Deny, Warn]"),
            "ValidatingAdmissionPolicyBinding `kubevirt-node-restriction-binding`: spec.validationActions",
        ),
        (String::new(), "line 1: no ValidatingAdmissionPolicy in the file"),
        ("a: [".to_owned(), "line "),
        (format!("a: {}", "[".repeat(100_000)), "line "),
    ];
    for (text, expected) in table {
        let folder = files(&[("bad.yaml", text.as_bytes())]);
        let outcome = nodebound(["check", "--policy", folder.path().join("bad.yaml").to_str().unwrap(), SAMPLE]);
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{expected}");
        assert!(
            outcome.err.contains("bad.yaml: line ") && outcome.err.contains(expected),
            "{expected}\n{:.2000}",
            outcome.err
        );
    }
    let outcome = nodebound(["check", "--policy", SHIPPED, "--policy", SHIPPED, SAMPLE]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("two policies named kubevirt-node-restriction-policy"), "{}", outcome.err);
}
