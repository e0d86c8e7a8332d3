//! What a definition checks of an AgentProfile, in the words of the profile's own checks.

use schemars::Schema;
use serde_json::{Value, json};

/// The longest key: a prefix of 253 bytes, a slash and a name of 63.
const KEY: u32 = 317;
/// More claims than any profile has; without a bound the API server has to expect too much of the rules.
const CLAIMS: u32 = 1000;

/// A rule on the objects that have this field: expression, message, and the field that it is about.
const OF_CLAIMS: [(&str, &str, Option<&str>); 4] = [
    (
        "[has(self.key), has(self.prefix), has(self.domain)].filter(given, given).size() == 1",
        "needs exactly one of key, prefix and domain",
        None,
    ),
    ("!has(self.prefix) || self.prefix.endsWith('/')", "must end in '/'", Some(".prefix")),
    ("!(has(self.values) && has(self.format))", "has both values and format; keep one", None),
    (
        "!has(self.values) || self.values.size() > 0",
        "needs at least one value, or leave it out to allow any",
        Some(".values"),
    ),
];
const OF_ACTIONS: [(&str, &str, Option<&str>); 2] = [
    ("self.size() > 0", "needs at least one of Deny, Warn and Audit", None),
    ("!('Deny' in self && 'Warn' in self)", "cannot have both Deny and Warn: a refusal needs no warning", None),
];
const OF_PAUSES: [(&str, &str, Option<&str>); 1] = [("self.reason.trim() != ''", "must say why", Some(".reason"))];

/// Its guard would hold another account at once, and the former one not any more, whatever that one may do.
const OF_ACCOUNTS: [(&str, &str, Option<&str>); 1] =
    [("self == oldSelf", "cannot be changed: uninstall this AgentProfile, and install another one", None)];

/// Adds the rules to the schema of the type that they are about.
pub(crate) fn add(schema: &mut Schema) {
    let has = |schema: &Schema, field: &str| schema.pointer(&format!("/properties/{field}")).is_some();
    if has(schema, "prefix") && has(schema, "domain") {
        schema.insert("x-kubernetes-validations".to_owned(), rules(&OF_CLAIMS));
        for field in ["key", "prefix", "domain"] {
            bound(schema, &format!("/properties/{field}"), "maxLength", KEY);
        }
        bound(schema, "/properties/values", "maxItems", CLAIMS);
    }
    if has(schema, "until") && has(schema, "reason") {
        schema.insert("x-kubernetes-validations".to_owned(), rules(&OF_PAUSES));
        bound(schema, "/properties/until", "maxLength", 64);
        bound(schema, "/properties/reason", "maxLength", 1024);
    }
    if has(schema, "serviceAccount") {
        if let Some(Value::Object(account)) = schema.pointer_mut("/properties/serviceAccount") {
            account.insert("x-kubernetes-validations".to_owned(), rules(&OF_ACCOUNTS));
        }
        for field in ["labels", "annotations"] {
            bound(schema, &format!("/properties/{field}"), "maxItems", CLAIMS);
        }
        bound(schema, "/properties/actions", "maxItems", 3);
        if let Some(Value::Object(actions)) = schema.pointer_mut("/properties/actions") {
            actions.insert("x-kubernetes-validations".to_owned(), rules(&OF_ACTIONS));
        }
    }
}

fn bound(schema: &mut Schema, pointer: &str, word: &str, most: u32) {
    if let Some(Value::Object(field)) = schema.pointer_mut(pointer) {
        field.insert(word.to_owned(), json!(most));
    }
}

fn rules(of: &[(&str, &str, Option<&str>)]) -> Value {
    let rule = |(expression, message, field): &(&str, &str, Option<&str>)| {
        let mut rule = json!({"rule": expression, "message": message});
        if let Some(field) = field {
            rule["fieldPath"] = json!(field);
        }
        rule
    };
    of.iter().map(rule).collect()
}
