//! The CustomResourceDefinitions of AgentProfiles and ShadowNodes.

use k8s_openapi::Resource;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceSubresourceStatus,
    CustomResourceSubresources, CustomResourceValidation, JSONSchemaProps,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::schema::{OptionalEnum, StructuralSchemaRewriter};
use ownership::spec::AgentProfileSpec;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::agent_profile::AgentProfileStatus;
use crate::{AgentProfile, ShadowNode, rules};

/// The CustomResourceDefinition of AgentProfiles, with the structural schema of their spec.
#[must_use]
pub fn agent_profile_definition() -> CustomResourceDefinition {
    let columns = vec![
        column("Account", ".spec.serviceAccount.name"),
        column("Namespace", ".spec.serviceAccount.namespace"),
        column("Node", ".spec.node"),
        column("Channel", ".spec.channel"),
        column("Enforced", ".status.conditions[?(@.type==\"Enforced\")].status"),
        column("Reason", ".status.conditions[?(@.type==\"Enforced\")].reason"),
        date("Age", ".metadata.creationTimestamp"),
    ];
    let description = "Who an agent is, and which metadata of its Node it owns.";
    let properties = BTreeMap::from([
        ("spec".to_owned(), schema_of::<AgentProfileSpec>()),
        ("status".to_owned(), schema_of::<AgentProfileStatus>()),
    ]);
    let mut definition = definition::<AgentProfile>(columns, object_schema(description, properties, &["spec"]));
    for version in &mut definition.spec.versions {
        version.subresources = Some(CustomResourceSubresources {
            status: Some(CustomResourceSubresourceStatus(json!({}))),
            ..CustomResourceSubresources::default()
        });
    }
    definition
}

/// The CustomResourceDefinition of ShadowNodes. Whatever a later version puts into spec or status is kept.
#[must_use]
pub fn shadow_node_definition() -> CustomResourceDefinition {
    let columns = vec![
        date("Age", ".metadata.creationTimestamp"),
        CustomResourceColumnDefinition { priority: Some(1), ..column("Node UID", ".metadata.ownerReferences[0].uid") },
    ];
    let description =
        "What the agent of the Node of the same name wants on it: the labels and annotations of this object.";
    let fields = ["spec", "status"].map(|field| (field.to_owned(), extensible()));
    definition::<ShadowNode>(columns, object_schema(description, BTreeMap::from(fields), &[]))
}

fn extensible() -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some("object".to_owned()),
        description: Some("Empty so far.".to_owned()),
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..JSONSchemaProps::default()
    }
}

fn definition<K: Resource>(
    columns: Vec<CustomResourceColumnDefinition>,
    schema: JSONSchemaProps,
) -> CustomResourceDefinition {
    let spec = CustomResourceDefinitionSpec {
        group: K::GROUP.to_owned(),
        names: CustomResourceDefinitionNames {
            kind: K::KIND.to_owned(),
            list_kind: Some(format!("{}List", K::KIND)),
            plural: K::URL_PATH_SEGMENT.to_owned(),
            singular: Some(K::KIND.to_lowercase()),
            ..CustomResourceDefinitionNames::default()
        },
        scope: "Cluster".to_owned(),
        versions: vec![CustomResourceDefinitionVersion {
            name: K::VERSION.to_owned(),
            served: true,
            storage: true,
            schema: Some(CustomResourceValidation { open_api_v3_schema: Some(schema) }),
            additional_printer_columns: Some(columns),
            ..CustomResourceDefinitionVersion::default()
        }],
        ..CustomResourceDefinitionSpec::default()
    };
    let labels = [("app.kubernetes.io/name", "nodebound"), ("app.kubernetes.io/part-of", "nodebound")];
    let metadata = ObjectMeta {
        name: Some(format!("{}.{}", K::URL_PATH_SEGMENT, K::GROUP)),
        labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        ..ObjectMeta::default()
    };
    CustomResourceDefinition { metadata, spec, status: None }
}

fn column(name: &str, path: &str) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        json_path: path.to_owned(),
        type_: "string".to_owned(),
        ..CustomResourceColumnDefinition::default()
    }
}

fn date(name: &str, path: &str) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition { type_: "date".to_owned(), ..column(name, path) }
}

fn object_schema(
    description: &str,
    properties: BTreeMap<String, JSONSchemaProps>,
    required: &[&str],
) -> JSONSchemaProps {
    let required: Vec<String> = required.iter().map(ToString::to_string).collect();
    JSONSchemaProps {
        type_: Some("object".to_owned()),
        description: Some(description.to_owned()),
        properties: Some(properties),
        required: (!required.is_empty()).then_some(required),
        ..JSONSchemaProps::default()
    }
}

fn schema_of<T: schemars::JsonSchema>() -> JSONSchemaProps {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let settings = settings.with_transform(StructuralSchemaRewriter).with_transform(OptionalEnum);
    let settings = settings.with_transform(RecursiveTransform(bound_unsigned));
    let settings = settings.with_transform(RecursiveTransform(rules::add));
    let schema = settings.into_generator().into_root_schema_for::<T>();
    serde_json::from_value(schema.to_value()).expect("the schema of a fixed type is a schema; a test makes it")
}

/// API servers warn of the format that stands for unsigned numbers; bounds say the same.
fn bound_unsigned(schema: &mut Schema) {
    if schema.get("format").and_then(Value::as_str) == Some("uint32") {
        schema.remove("format");
        schema.insert("maximum".to_owned(), u32::MAX.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Value {
        serde_json::to_value(agent_profile_definition()).unwrap()
    }

    fn spec() -> Value {
        definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
    }

    #[test]
    fn it_names_the_kind() {
        let definition = definition();
        assert_eq!(definition["metadata"]["name"], "agentprofiles.nodebound.io");
        assert_eq!(definition["spec"]["names"]["kind"], "AgentProfile");
        assert_eq!(definition["spec"]["scope"], "Cluster");
    }

    #[test]
    fn a_shadow_node_is_its_metadata_and_room_for_more() {
        let definition = serde_json::to_value(shadow_node_definition()).unwrap();
        assert_eq!(definition["metadata"]["name"], "shadownodes.nodebound.io");
        assert_eq!(definition["spec"]["scope"], "Cluster");
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for field in ["spec", "status"] {
            assert_eq!(schema["properties"][field]["x-kubernetes-preserve-unknown-fields"], true, "{field}");
        }
        assert_eq!(schema["required"], json!(null), "an agent creates none, but a controller an empty one");
    }

    #[test]
    fn the_schema_knows_fields_choices_and_defaults() {
        let spec = spec();
        assert_eq!(spec["required"], json!(["serviceAccount"]));
        assert_eq!(spec["properties"]["node"]["enum"], json!(["Own", "OwnIfClaimed", "Any"]));
        assert_eq!(spec["properties"]["node"]["default"], "Own");
        assert_eq!(spec["properties"]["actions"]["default"], json!(["Deny", "Audit"]));
        assert_eq!(spec["properties"]["checkNodeUID"]["type"], "boolean");
        let limit = &spec["properties"]["limits"]["properties"]["removedKeys"];
        assert_eq!(
            (&limit["format"], &limit["minimum"], &limit["maximum"]),
            (&json!(null), &json!(0.0), &json!(4294967295.0))
        );
        assert_eq!(spec["properties"]["labels"]["items"]["properties"]["domain"]["type"], "string");
        assert_eq!(spec["properties"]["resources"]["items"]["properties"]["mayChange"]["items"]["type"], "string");
    }

    /// What an API server refuses in a structural schema: references, alternatives that carry types, closed objects.
    #[test]
    fn the_schema_is_structural() {
        fn walk(path: &str, value: &Value, errors: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    for refused in ["$ref", "$defs", "definitions", "oneOf", "anyOf", "allOf", "additionalProperties"] {
                        errors.extend(map.contains_key(refused).then(|| format!("{path}.{refused}")));
                    }
                    map.iter().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, errors));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(path, item, errors)),
                _ => {}
            }
        }
        let mut errors = Vec::new();
        walk("spec", &spec(), &mut errors);
        assert_eq!(errors, Vec::<String>::new());
    }
}
