//! Keys and values to attack with, made from a profile's own matchers.

use ownership::matcher::{Matcher, Owned, Pattern, Values};
use ownership::spec::Format;
use std::collections::BTreeSet;

/// An owned key with a value that it may have, one for each matcher.
#[must_use]
pub fn owned(owned: &Owned) -> Vec<(String, String)> {
    owned.matchers().iter().filter_map(|matcher| Some((matcher.pattern.example(), value(matcher)?))).collect()
}

/// A value that the matcher allows; `None` if it allows none.
fn value(matcher: &Matcher) -> Option<String> {
    match &matcher.values {
        Values::Any => Some("true".to_owned()),
        Values::OneOf(values) => values.first().cloned(),
        Values::Formatted(Format::Boolean) => Some("false".to_owned()),
        Values::Formatted(Format::Decimal) => Some("1".to_owned()),
        Values::Formatted(Format::Timestamp) => Some("2026-01-02T03:04:05Z".to_owned()),
    }
}

/// Owned keys with a value that they may not have.
#[must_use]
pub fn forbidden_values(owned: &Owned) -> Vec<(String, String)> {
    let restricted = owned.matchers().iter().filter(|matcher| matcher.values != Values::Any);
    let lies = restricted.map(|matcher| (matcher.pattern.example(), "nodebound-probe".to_owned()));
    lies.filter(|(key, value)| !owned.allows(key, value)).collect()
}

/// Keys that look like owned ones to whoever compares carelessly (by substring, by an unanchored end or beginning, by
/// the wrong side of the slash), and are not owned.
#[must_use]
pub fn look_alikes(owned: &Owned) -> Vec<String> {
    let made: BTreeSet<String> = owned.matchers().iter().flat_map(|matcher| disguises(&matcher.pattern)).collect();
    let usable = |key: &String| !owned.owns(key) && ownership::key::label_key(key).is_ok();
    made.into_iter().filter(usable).collect()
}

fn disguises(pattern: &Pattern) -> Vec<String> {
    match pattern {
        Pattern::Domain(domain) => of_domain(domain),
        Pattern::Prefix(prefix) => of_prefix(prefix.trim_end_matches('/')),
        Pattern::Key(key) => of_key(key),
    }
}

fn of_domain(domain: &str) -> Vec<String> {
    vec![
        format!("not{domain}/nodebound-probe"),
        format!("not-{domain}/nodebound-probe"),
        format!("{domain}.example.org/nodebound-probe"),
        format!("{domain}x/nodebound-probe"),
        format!("node-role.kubernetes.io/{domain}"),
        format!("example.org/{domain}"),
        format!("example.org/x.{domain}"),
        domain.to_owned(),
    ]
}

fn of_prefix(prefix: &str) -> Vec<String> {
    let (_, parent) = prefix.split_once('.').unwrap_or(("", prefix));
    vec![
        format!("x{prefix}/nodebound-probe"),
        format!("x.{prefix}/nodebound-probe"),
        format!("{prefix}.example.org/nodebound-probe"),
        format!("{parent}/nodebound-probe"),
        format!("example.org/{prefix}"),
        prefix.to_owned(),
    ]
}

fn of_key(key: &str) -> Vec<String> {
    let shorter: String = key.chars().take(key.chars().count().saturating_sub(1)).collect();
    let mut keys = vec![format!("{key}2"), format!("x{key}"), format!("{key}.x"), shorter];
    match key.split_once('/') {
        Some((prefix, name)) => {
            keys.extend([name.to_owned(), format!("x.{prefix}/{name}"), format!("{prefix}.example.org/{name}")])
        }
        None => keys.extend([format!("example.org/{key}"), format!("node-role.kubernetes.io/{key}")]),
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use ownership::builtin;

    #[test]
    fn nothing_that_is_owned_is_a_look_alike() {
        for (name, _) in builtin::PROFILES {
            let profile = builtin::profile(name).unwrap().unwrap();
            for owned in [profile.labels(), profile.annotations()] {
                let keys = look_alikes(owned);
                assert!(keys.iter().all(|key| !owned.owns(key)) && !keys.is_empty(), "{keys:?}");
                assert!(super::owned(owned).iter().all(|(key, value)| owned.owns(key) && owned.allows(key, value)));
                assert!(
                    forbidden_values(owned).iter().all(|(key, value)| owned.owns(key) && !owned.allows(key, value))
                );
            }
        }
    }

    #[test]
    fn look_alikes_deceive_each_careless_comparison() {
        let profile = builtin::profile("kubevirt").unwrap().unwrap();
        let keys = look_alikes(profile.labels());
        let deceived = |careless: fn(&str) -> bool| keys.iter().any(|key| careless(key));
        assert!(deceived(|key| key.contains("kubevirt.io")));
        assert!(deceived(|key| key.starts_with("kubevirt.io")));
        assert!(deceived(|key| key.ends_with("kubevirt.io")));
        assert!(deceived(|key| key.split('/').next().is_some_and(|prefix| prefix.ends_with("kubevirt.io"))));
        assert!(deceived(|key| key.split('/').next_back().is_some_and(|name| name == "kubevirt.io")));
        assert!(deceived(|key| key.starts_with("cpumanager")));
        assert!(deceived(|key| key.split('/').next_back() == Some("cpumanager")));
    }
}
