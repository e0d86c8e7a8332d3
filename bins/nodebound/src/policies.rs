//! Policies and bindings from files.

use admission::{Binding, FieldError, KubeVersion, Policy};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::path::Path;

/// No file of policies is longer: an API server stores none above 1.5 MiB.
const MAX_BYTES: u64 = 64 << 20;
const API_VERSION: &str = "admissionregistration.k8s.io/v1";

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct PolicyFile {
    pub(crate) policies: Vec<Policy>,
    pub(crate) bindings: Vec<Binding>,
}

/// A problem in a file, with its line.
type Problem = String;

/// Reads the policies and bindings of a file.
///
/// # Errors
/// Everything that is wrong with it, one line each, each with the file's name and the line.
pub(crate) fn load(path: &Path) -> Result<PolicyFile, Vec<Problem>> {
    let named = |problem: Problem| format!("{}: {problem}", path.display());
    let text = crate::recording::text(path, MAX_BYTES).map_err(|error| vec![format!("{error:#}")])?;
    parse(&text).map_err(|problems| problems.into_iter().map(named).collect())
}

fn parse(text: &str) -> Result<PolicyFile, Vec<Problem>> {
    let documents = documents(text).map_err(|problem| vec![problem])?;
    let mut file = PolicyFile::default();
    let mut problems = Vec::new();
    for (line, document) in documents.into_iter().flat_map(|(line, document)| items(line, document)) {
        if let Err(found) = file.add(document) {
            problems.extend(found.into_iter().map(|problem| format!("line {line}: {problem}")));
        }
    }
    if problems.is_empty() && file.policies.is_empty() && file.bindings.is_empty() {
        problems.push("line 1: no ValidatingAdmissionPolicy in the file".to_owned());
    }
    if problems.is_empty() { Ok(file) } else { Err(problems) }
}

/// The documents of a file, each with the line in which it begins.
fn documents(text: &str) -> Result<Vec<(u64, Value)>, Problem> {
    if text.trim_start().starts_with(['{', '[']) {
        return json_documents(text);
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_depth: 64 },
    };
    let documents: Vec<Spanned<Value>> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| yaml_problem(&error))?;
    Ok(documents.into_iter().map(|document| (document.referenced.line(), document.value)).collect())
}

fn json_documents(text: &str) -> Result<Vec<(u64, Value)>, Problem> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut documents = Vec::new();
    loop {
        let rest = text.get(stream.byte_offset()..).unwrap_or_default();
        let start = text.len() - rest.trim_start().len();
        let line = 1 + text.get(..start).unwrap_or_default().matches('\n').count() as u64;
        match stream.next() {
            None => return Ok(documents),
            Some(Ok(document)) => documents.push((line, document)),
            Some(Err(error)) => return Err(format!("line {}: broken JSON: {error}", error.line())),
        }
    }
}

fn yaml_problem(error: &serde_saphyr::Error) -> Problem {
    let line = error.location().map_or(0, |location| location.line());
    let message = error.without_snippet().to_string();
    format!("line {line}: broken YAML: {}", message.lines().next().unwrap_or_default())
}

/// The items of a list, or the document itself; empty documents are left out.
fn items(line: u64, document: Value) -> Vec<(u64, Value)> {
    let list = match document {
        Value::Null => return Vec::new(),
        Value::Array(items) => items,
        Value::Object(mut map) if is_list(map.get("kind")) => match map.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        other => return vec![(line, other)],
    };
    list.into_iter().map(|item| (line, item)).collect()
}

fn is_list(kind: Option<&Value>) -> bool {
    kind.and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"))
}

impl PolicyFile {
    fn add(&mut self, document: Value) -> Result<(), Vec<Problem>> {
        let field = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        match (field("apiVersion"), field("kind")) {
            (API_VERSION, "ValidatingAdmissionPolicy") => {
                let policy: ValidatingAdmissionPolicy = typed(&document)?;
                let compiled = Policy::compile(&policy, KubeVersion::NEWEST);
                self.policies
                    .push(compiled.map_err(|errors| refused("ValidatingAdmissionPolicy", &document, &errors))?);
            }
            (API_VERSION, "ValidatingAdmissionPolicyBinding") => {
                let binding: ValidatingAdmissionPolicyBinding = typed(&document)?;
                let checked = Binding::check(&binding);
                let kind = "ValidatingAdmissionPolicyBinding";
                self.bindings.push(checked.map_err(|errors| refused(kind, &document, &errors))?);
            }
            (version, kind) => return Err(vec![unknown(version, kind)]),
        }
        Ok(())
    }
}

fn unknown(version: &str, kind: &str) -> Problem {
    if kind.is_empty() {
        return "no object of Kubernetes: it has no kind".to_owned();
    }
    let other_version =
        kind.starts_with("ValidatingAdmissionPolicy") && version.starts_with("admissionregistration.k8s.io/");
    if other_version {
        return format!("{kind} of {version}: this version reads {API_VERSION}");
    }
    format!("{kind} of {version}: this version reads ValidatingAdmissionPolicies and their bindings of {API_VERSION}")
}

fn refused(kind: &str, document: &Value, errors: &[FieldError]) -> Vec<Problem> {
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    errors.iter().map(|error| one_line(&format!("{kind} `{name}`: {error}"))).collect()
}

/// The picture below a compiler's message belongs to it.
fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("\n    ")
}

/// Reads an object strictly: a field that the API does not have would otherwise be a rule that silently is not there.
fn typed<T: DeserializeOwned + Serialize>(document: &Value) -> Result<T, Vec<Problem>> {
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
    let object: T =
        serde_json::from_value(document.clone()).map_err(|error| vec![format!("{kind} `{name}`: {error}")])?;
    let known = serde_json::to_value(&object).map_err(|error| vec![error.to_string()])?;
    let mut unknown = Vec::new();
    unknown_fields(document, &known, "", &mut unknown);
    if unknown.is_empty() {
        Ok(object)
    } else {
        Err(unknown.iter().map(|path| format!("{kind} `{name}`: {path}: unknown field")).collect())
    }
}

/// The fields that did not survive. The depth is bounded by the parser.
fn unknown_fields(given: &Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match known.get(key) {
                    Some(known) => unknown_fields(value, known, &path, unknown),
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (index, (given, known)) in given.iter().zip(known).enumerate() {
                unknown_fields(given, known, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\n\
        metadata: {name: p}\nspec:\n  matchConstraints:\n    resourceRules:\n    \
        - {apiGroups: [''], apiVersions: [v1], operations: [UPDATE], resources: [nodes]}\n  validations:\n  \
        - expression: 'true'\n";
    const BINDING: &str = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\n\
        metadata: {name: b}\nspec: {policyName: p, validationActions: [Deny]}\n";

    #[test]
    fn documents_lists_and_json_are_read() {
        let json = |text: &str| serde_saphyr::from_str::<Value>(text).unwrap();
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [json(POLICY), json(BINDING)]});
        let texts = [
            format!("# comment\n---\n{POLICY}---\n{BINDING}---\n"),
            list.to_string(),
            serde_json::to_string_pretty(&list).unwrap(),
            format!("{}\n{}\n", json(POLICY), json(BINDING)),
        ];
        for text in texts {
            let file = parse(&text).unwrap();
            assert_eq!((file.policies.len(), file.bindings.len()), (1, 1), "{text}");
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let beta = POLICY.replace("/v1\n", "/v1beta1\n");
        let table = [
            (beta, "line 1: ValidatingAdmissionPolicy of admissionregistration.k8s.io/v1beta1: this version reads"),
            (format!("{POLICY}---\napiVersion: v1\nkind: ConfigMap\n"), "line 11: ConfigMap of v1: this version reads"),
            (
                POLICY.replace("'true'", "object.spec =="),
                "line 1: ValidatingAdmissionPolicy `p`: spec.validations[0].expression",
            ),
            (POLICY.replace("'true'", "frob(object)"), "undeclared reference to 'frob'"),
            (POLICY.replace("expression:", "expresion:"), "`p`: spec.validations[0].expresion: unknown field"),
            (POLICY.replace("validations:", "validation:"), "`p`: spec.validation: unknown field"),
            (
                BINDING.replace("[Deny]", "[Refuse]"),
                "line 1: ValidatingAdmissionPolicyBinding `b`: spec.validationActions[0]",
            ),
            ("a: [".to_owned(), "line "),
            ("{\n\"a\": }".to_owned(), "line 2: broken JSON"),
            ("hello".to_owned(), "line 1: no object of Kubernetes"),
            (String::new(), "line 1: no ValidatingAdmissionPolicy in the file"),
            ("[".repeat(100_000), "line "),
            (format!("a: {}", "[".repeat(100_000)), "line "),
        ];
        for (text, expected) in table {
            let problems = parse(&text).unwrap_err().join("\n");
            assert!(problems.contains(expected), "{text:.300}\n{problems}\n{expected}");
        }
    }
}
