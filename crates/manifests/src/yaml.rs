//! Objects as YAML documents, as `kubectl apply -f` and GitOps tools read them.

use serde_json::Value;
use thiserror::Error;

/// An object that cannot be written as YAML.
#[derive(Debug, Error)]
#[error("the object cannot be written as YAML: {0}")]
pub struct NotYaml(String);

/// Writes objects as YAML documents, each after a line of three dashes, fields by name.
///
/// # Errors
/// [`NotYaml`] for what YAML cannot express; no object of the Kubernetes API is such.
pub fn documents<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Result<String, NotYaml> {
    let mut text = String::new();
    for object in objects {
        text.push_str("---\n");
        text.push_str(&document(object)?);
    }
    Ok(text)
}

fn document(object: &Value) -> Result<String, NotYaml> {
    serde_saphyr::to_string(object).map_err(|error| NotYaml(error.to_string()))
}
