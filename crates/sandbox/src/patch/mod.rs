//! Patches: JSON patch, merge patch and strategic merge patch, with the API server's results and words.

mod go_text;
pub mod json;
pub mod limits;
pub mod merge;
#[cfg(test)]
mod properties;
pub mod strategic;
mod written;

use serde_json::Value;

use crate::failure::Failure;
use crate::schema::go_names::kind;
use written::Written;

pub use go_text::shown;

/// The body of a merge patch or of a strategic merge patch.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// What it says; of a field that stands twice, the last.
    pub patch: Value,
    /// The paths of fields that stand twice, such as `metadata.labels.a`.
    pub duplicates: Vec<String>,
}

impl Body {
    /// Reads a body.
    ///
    /// # Errors
    /// The parser's own words (`encoding/json`).
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let written = Written::parse(body)?;
        if let Some(number) = written.unrepresentable() {
            return Err(format!("json: cannot unmarshal number {number} into Go value of type float64"));
        }
        let duplicates = written.duplicates();
        Ok(Self { patch: written.into_value(), duplicates })
    }
}

/// Reads the body of a strategic merge patch. (A merge patch has other words for what it cannot read: [`merge::read`].)
///
/// # Errors
/// 400 with the parser's own words.
pub fn read(body: &[u8]) -> Result<Value, Failure> {
    Body::parse(body).map(|body| body.patch).map_err(Failure::bad_request)
}

/// The parser's words for a patch that is no object.
fn no_object(patch: &Value) -> String {
    let kind = kind(patch);
    format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
}

/// What the API server says of a patch that it does not apply, whatever the cause (`NewGenericServerResponse`).
fn rejected() -> Failure {
    Failure::new(422, "Invalid", "the server rejected our request due to an error in our request")
}

/// The API server breaks off some malformed requests; this is what it would say if it came to say anything.
fn crashed() -> Failure {
    Failure::internal("This request caused apiserver to panic. Look in the logs for details.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_bodies() {
        let body = Body::parse(br#"{"a":{"b":1,"b":2},"c":[{"d":1,"d":2}],"a":-0}"#).unwrap();
        assert_eq!(body.patch, json!({"a": 0, "c": [{"d": 2}]}));
        assert_eq!(body.duplicates, ["a.b", "c[0].d", "a"]);
        let failure = read(b"[1e999]").unwrap_err();
        assert_eq!(failure.code, 400);
        assert_eq!(failure.message, "json: cannot unmarshal number 1e999 into Go value of type float64");
    }
}
