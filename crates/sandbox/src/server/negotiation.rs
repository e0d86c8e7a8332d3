//! In which form an answer is wanted (`staging/src/k8s.io/apiserver/pkg/endpoints/handlers/negotiation`).

use serde_json::Value;

use super::reply::Reply;
use crate::failure::Failure;
use crate::resource::Resource;
use crate::table::{self, IncludeObject};

/// What is made of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum As {
    /// The object itself.
    #[default]
    Object,
    /// A `Table` for people.
    Table,
    /// Its metadata alone.
    Metadata,
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Json,
    Yaml,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub what: As,
    pub format: Format,
}

impl Form {
    /// The first form in `Accept` that can be served.
    pub fn read(accept: &str) -> Result<Self, Failure> {
        if accept.trim().is_empty() {
            return Ok(Self::default());
        }
        accept.split(',').find_map(one).ok_or_else(not_acceptable)
    }

    /// An answer in this form.
    pub fn reply(self, object: Value) -> Reply {
        let yaml = (self.format == Format::Yaml).then(|| serde_saphyr::to_string(&object));
        match yaml {
            Some(Ok(text)) => Reply::bytes(200, "application/yaml", text.into_bytes()),
            _ => Reply::json(200, object),
        }
    }

    /// An object or a list in this form.
    pub fn of(self, resource: &Resource, object: Value, now: i64, include: IncludeObject) -> Value {
        match self.what {
            As::Object => object,
            As::Table => table::render(resource, &object, now, include),
            As::Metadata if object.get("items").is_some_and(Value::is_array) => table::partial_list(&object),
            As::Metadata => table::partial(&object),
        }
    }
}

fn not_acceptable() -> Failure {
    let known = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    Failure::bare(406, "NotAcceptable", format!("only the following media types are accepted: {known}"))
}

fn one(range: &str) -> Option<Form> {
    let mut parts = range.split(';').map(str::trim);
    let format = match parts.next()? {
        "application/json" | "*/*" | "application/*" => Format::Json,
        "application/yaml" => Format::Yaml,
        _ => return None,
    };
    let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let get = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let what = match (get("as"), get("g"), get("v")) {
        (None, ..) => As::Object,
        (Some("Table"), Some("meta.k8s.io"), Some("v1")) => As::Table,
        (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), Some("v1")) => As::Metadata,
        _ => return None,
    };
    Some(Form { what, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_served_is_taken() {
        let table = [
            ("", Some((As::Object, Format::Json))),
            ("*/*", Some((As::Object, Format::Json))),
            ("application/vnd.kubernetes.protobuf,application/json", Some((As::Object, Format::Json))),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some((As::Table, Format::Json))),
            ("application/json;as=Table;v=v9;g=meta.k8s.io, application/yaml", Some((As::Object, Format::Yaml))),
            ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Some((As::Metadata, Format::Json))),
            ("text/html", None),
            ("application/vnd.kubernetes.protobuf", None),
        ];
        for (accept, expected) in table {
            let expected = expected.map(|(what, format)| Form { what, format });
            assert_eq!(Form::read(accept).ok(), expected, "{accept}");
        }
        assert_eq!(Form::read("text/html").map_err(|failure| failure.code), Err(406));
    }
}
