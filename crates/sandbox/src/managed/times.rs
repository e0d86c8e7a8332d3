//! Writes that change nothing but times (`apiserver/pkg/endpoints/handlers/fieldmanager/equality.go`).

use serde_json::Value;

/// Takes the times of the live managed fields over if nothing else differs between two objects, so that the write is
/// seen as one that changes nothing. To be called when the new object is complete, just before it is stored.
pub fn settle_times(live: &Value, new: &mut Value) {
    if differ_in_times_only(live, new) {
        new.clone_from(live);
    }
}

fn differ_in_times_only(live: &Value, new: &Value) -> bool {
    let entries = |object: &Value| object.pointer("/metadata/managedFields").and_then(Value::as_array).cloned();
    let (Some(before), Some(after)) = (entries(live), entries(new)) else { return false };
    let same_entry = |(before, after): (&Value, &Value)| same_but(before, after, &["time"], &|_, _| true);
    before.len() == after.len()
        && before.iter().zip(&after).all(same_entry)
        && same_but(live, new, &["metadata"], &|before, after| {
            same_but(before, after, &["managedFields"], &|_, _| true)
        })
}

/// Whether two maps are the same but for some entries, which are compared in another way.
fn same_but(left: &Value, right: &Value, names: &[&str], other: &dyn Fn(&Value, &Value) -> bool) -> bool {
    let (Value::Object(left), Value::Object(right)) = (left, right) else { return left == right };
    let named = |name: &str| names.contains(&name);
    let rest = |map: &serde_json::Map<String, Value>| map.keys().filter(|name| !named(name)).count();
    rest(left) == rest(right)
        && left.iter().all(|(name, value)| match right.get(name) {
            Some(found) if named(name) => other(value, found),
            found => named(name) || found == Some(value),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(time: &str, label: &str, field: &str) -> Value {
        json!({"metadata": {"labels": {"a": label}, "managedFields": [{"manager": "m", "time": time, "fieldsV1": {field: {}}}]}})
    }

    #[test]
    fn times_stay_where_nothing_else_changes() {
        let live = object("1", "x", "f:a");
        let cases = [
            (object("2", "x", "f:a"), true),
            (object("2", "y", "f:a"), false),
            (object("2", "x", "f:b"), false),
            (json!({"metadata": {"labels": {"a": "x"}}}), false),
        ];
        for (new, settled) in cases {
            let mut written = new.clone();
            settle_times(&live, &mut written);
            assert_eq!(written, if settled { live.clone() } else { new });
        }
        let mut bare =
            json!({"metadata": {"managedFields": [{"manager": "m", "fieldsV1": {"f:a": {}}}], "labels": {"a": "x"}}});
        settle_times(&live, &mut bare);
        assert_eq!(bare, live);
    }
}
