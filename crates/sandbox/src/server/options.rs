//! What the query of a write asks for (`CreateOptions`, `UpdateOptions`, `PatchOptions`).

use admission::{FieldError, FieldErrorKind, FieldPath};
use serde_json::{Map, Value, json};

use super::target::Query;
use crate::failure::Failure;

/// What happens to fields that the server does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, with a warning.
    #[default]
    Warn,
    /// The request is refused.
    Strict,
}

/// What the query of a write asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who owns what is written; empty for the default.
    pub field_manager: String,
    /// What happens to unknown fields.
    pub field_validation: FieldValidation,
    /// Take over what others own; apply patches only.
    pub force: Option<bool>,
}

/// The kinds of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionsKind {
    /// Of a POST.
    Create,
    /// Of a PUT.
    Update,
    /// Of a PATCH; true for server-side apply.
    Patch {
        /// Whether it is server-side apply.
        apply: bool,
    },
}

impl OptionsKind {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch { .. } => "PatchOptions",
        }
    }

    fn is_apply(self) -> bool {
        self == Self::Patch { apply: true }
    }
}

impl WriteOptions {
    /// Reads a query.
    ///
    /// # Errors
    /// 422 with what kube-apiserver objects to
    /// (`staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go`).
    pub fn read(query: &Query, kind: OptionsKind) -> Result<Self, Failure> {
        let dry_run: Vec<&str> = query.all("dryRun").filter(|value| !value.is_empty()).collect();
        let validation = query.get("fieldValidation").unwrap_or_default();
        let options = Self {
            dry_run: !dry_run.is_empty(),
            field_manager: query.get("fieldManager").unwrap_or_default().to_owned(),
            field_validation: known_validation(validation).unwrap_or_default(),
            force: query.get("force").map(|value| matches!(value, "true" | "1" | "")),
        };
        let mut errors = options.objections(kind);
        if dry_run.iter().any(|value| *value != "All") {
            errors.push(unknown_dry_run(&dry_run));
        }
        if known_validation(validation).is_none() {
            let known = ["", "Ignore", "Strict", "Warn"];
            errors.push(FieldError::not_supported(&FieldPath::root("fieldValidation"), validation, &known));
        }
        if errors.is_empty() { Ok(options) } else { Err(Failure::invalid("meta.k8s.io", kind.name(), "", &errors)) }
    }

    fn objections(&self, kind: OptionsKind) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if matches!(kind, OptionsKind::Patch { apply: false }) && self.force.is_some() {
            errors.push(FieldError::forbidden(&FieldPath::root("force"), "may not be specified for non-apply patch"));
        }
        let manager = FieldPath::root("fieldManager");
        if kind.is_apply() && self.field_manager.is_empty() {
            errors.push(FieldError::required(&manager, "is required for apply patch"));
        }
        if self.field_manager.len() > 128 {
            errors.push(FieldError::too_long(&manager, 128));
        }
        if let Some((at, character)) = self.field_manager.char_indices().find(|(_, character)| character.is_control()) {
            let code = u32::from(character);
            let why = format!("invalid character U+{code:04X} (at position {at})");
            errors.push(FieldError::invalid(&manager, &self.field_manager, why));
        }
        errors
    }

    /// The options as admission is shown them; a PATCH is shown as an update.
    #[must_use]
    pub fn shown(&self, kind: OptionsKind) -> Value {
        let shown = if kind == OptionsKind::Create { "CreateOptions" } else { "UpdateOptions" };
        let mut options = Map::new();
        options.insert("kind".to_owned(), json!(shown));
        options.insert("apiVersion".to_owned(), json!("meta.k8s.io/v1"));
        if self.dry_run {
            options.insert("dryRun".to_owned(), json!(["All"]));
        }
        if !self.field_manager.is_empty() {
            options.insert("fieldManager".to_owned(), json!(self.field_manager));
        }
        let validation = match self.field_validation {
            FieldValidation::Ignore => "Ignore",
            FieldValidation::Warn => "",
            FieldValidation::Strict => "Strict",
        };
        if !validation.is_empty() {
            options.insert("fieldValidation".to_owned(), json!(validation));
        }
        Value::Object(options)
    }
}

/// What is said of a `dryRun` that is not `All`.
pub(super) fn unknown_dry_run(given: &[impl AsRef<str>]) -> FieldError {
    let given: Value = given.iter().map(AsRef::as_ref).collect();
    let kind = FieldErrorKind::NotSupported;
    FieldError::of(&FieldPath::root("dryRun"), kind, Some(&given), "supported values: \"All\"")
}

fn known_validation(text: &str) -> Option<FieldValidation> {
    match text {
        "" | "Warn" => Some(FieldValidation::Warn),
        "Ignore" => Some(FieldValidation::Ignore),
        "Strict" => Some(FieldValidation::Strict),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objections_are_the_servers() {
        let apply = OptionsKind::Patch { apply: true };
        let patch = OptionsKind::Patch { apply: false };
        let table = [
            (
                "",
                apply,
                r#"PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch"#,
            ),
            (
                "force=true",
                patch,
                r#"PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch"#,
            ),
            (
                "dryRun=No",
                OptionsKind::Create,
                r#"CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["No"]: supported values: "All""#,
            ),
            (
                "fieldValidation=Bogus",
                OptionsKind::Update,
                r#"UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Bogus": supported values: "", "Ignore", "Strict", "Warn""#,
            ),
        ];
        for (query, kind, expected) in table {
            let failure = WriteOptions::read(&Query::parse(query), kind).expect_err(query);
            assert_eq!((failure.code, failure.message.as_str()), (422, expected));
        }
    }

    #[test]
    fn a_dry_run_is_seen_wherever_it_stands() {
        for query in ["dryRun=All", "fieldManager=m&dryRun=All"] {
            assert!(WriteOptions::read(&Query::parse(query), OptionsKind::Create).is_ok_and(|options| options.dry_run));
        }
    }
}
