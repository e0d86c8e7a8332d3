//! The pieces of which the expressions are made.
//!
//! Each is total: on any object that passed the API server's own validation it yields a value, never an error, because
//! an error would refuse the request of an honest agent. None is quadratic in the number of keys.

use ownership::Profile;
use ownership::identity::{NODE_NAME, NODE_UID, POD_NAME, POD_UID};
use ownership::matcher::{Matcher, Owned, Pattern, Values};
use ownership::path::{FieldPath, Segment};
use ownership::spec::OwnNode;

use crate::policy::Draft;

/// Metadata that the server changes on the agent's behalf.
pub(crate) const SERVER_MANAGED: [&str; 3] = ["managedFields", "resourceVersion", "generation"];

/// A string literal.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// A list literal of strings.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(quote).collect();
    format!("[{}]", quoted.join(", "))
}

/// Declares what the token says about its node: `claimed` (there is a claim) and `claim` (the node's name, if the token
/// is bound to one pod on one node, else empty text).
pub(crate) fn declare_claim(draft: &mut Draft, profile: &Profile) {
    if profile.node() == OwnNode::Any {
        return;
    }
    let single = |key: &str| format!("{0} in variables.extra && size(variables.extra[{0}]) == 1", quote(key));
    let bound = [NODE_NAME, POD_NAME, POD_UID].map(single).join(" && ");
    draft.variable("extra", "has(request.userInfo.extra) ? request.userInfo.extra : {}");
    draft.variable("claimed", format!("{} in variables.extra", quote(NODE_NAME)));
    draft.variable("claim", format!("{bound} ? variables.extra[{}][0] : ''", quote(NODE_NAME)));
}

/// The rule `own-node`, given the expression by which a claim that is not empty is held against the object; `None` where
/// the profile does not check it.
pub(crate) fn own_node(profile: &Profile, held: &str) -> Option<String> {
    match profile.node() {
        OwnNode::Any => None,
        OwnNode::Own => Some(format!("variables.claim != '' && {held}")),
        OwnNode::OwnIfClaimed => Some(format!("!variables.claimed || (variables.claim != '' && {held})")),
    }
}

/// Whether the claim names `object`: by name and, if the profile asks for it, by UID.
pub(crate) fn claim_names(profile: &Profile, object: &str) -> String {
    let name = format!("has({object}.metadata.name) && {object}.metadata.name == variables.claim");
    if !profile.checks_node_uid() {
        return name;
    }
    let key = quote(NODE_UID);
    format!(
        "{name} && {key} in variables.extra && size(variables.extra[{key}]) == 1 && \
         has({object}.metadata.uid) && {object}.metadata.uid != '' && variables.extra[{key}][0] == {object}.metadata.uid"
    )
}

/// Whether two map expressions have the same keys and values but for some keys.
pub(crate) fn same_but(keys: &[&str], new: &str, old: &str) -> String {
    let but = list(keys.iter().copied());
    format!(
        "{new}.all(k, k in {but} || (k in {old} && {new}[k] == {old}[k])) && {old}.all(k, k in {but} || k in {new})"
    )
}

/// Whether the profile owns the key `k`. A pattern within a wider one adds nothing.
pub(crate) fn owns(owned: &Owned) -> String {
    let all = || owned.matchers().iter().map(|matcher| &matcher.pattern);
    let needed: Vec<&Pattern> = all().filter(|pattern| !all().any(|wider| is_within(pattern, wider))).collect();
    matches_any(&needed)
}

/// Whether every key of one pattern is a key of another, wider one.
fn is_within(pattern: &Pattern, wider: &Pattern) -> bool {
    let sample = match pattern {
        Pattern::Key(key) => key.clone(),
        Pattern::Prefix(prefix) => format!("{prefix}x"),
        Pattern::Domain(domain) => format!("{domain}/x"),
    };
    // A domain is wider than any one prefix.
    let comparable = !matches!((pattern, wider), (Pattern::Domain(_), Pattern::Prefix(_)));
    pattern != wider && comparable && wider.matches(&sample)
}

/// Whether `k` matches one of the patterns.
fn matches_any(patterns: &[&Pattern]) -> String {
    let keys: Vec<&str> =
        patterns.iter().filter_map(|p| if let Pattern::Key(key) = p { Some(key.as_str()) } else { None }).collect();
    let exact = match keys.as_slice() {
        [] => None,
        [key] => Some(format!("k == {}", quote(key))),
        keys => Some(format!("k in {}", list(keys.iter().copied()))),
    };
    let wider = patterns.iter().filter_map(|pattern| match pattern {
        Pattern::Key(_) => None,
        Pattern::Prefix(prefix) => Some(format!("k.startsWith({})", quote(prefix))),
        Pattern::Domain(domain) => Some(format!("k.matches({})", quote(&domain_pattern(domain)))),
    });
    let terms: Vec<String> = exact.into_iter().chain(wider).collect();
    if terms.is_empty() { "false".to_owned() } else { terms.join(" || ") }
}

/// The regular expression of a domain: whole DNS parts before the first slash. A DNS name has no other character that
/// is special in an expression than the dot.
fn domain_pattern(domain: &str) -> String {
    format!("^([^/]*[.])?{}/", domain.replace('.', "[.]"))
}

/// Whether the value of the owned key `k` of `map` is allowed: the most specific matcher decides. `None` where any
/// value is.
pub(crate) fn allows(owned: &Owned, map: &str) -> Option<String> {
    if owned.matchers().iter().all(|matcher| matcher.values == Values::Any) {
        return None;
    }
    let mut expression = "true".to_owned();
    for group in groups(owned.matchers()).iter().rev() {
        let patterns: Vec<&Pattern> = group.iter().map(|matcher| &matcher.pattern).collect();
        let allowed = group.first().map_or_else(|| "true".to_owned(), |m| value_allowed(&m.values, map));
        expression = format!("({}) ? {allowed} : ({expression})", matches_any(&patterns));
    }
    Some(expression)
}

/// Neighbours with the same values, so that each set of values is written once. Order is kept: it is precedence.
fn groups(matchers: &[Matcher]) -> Vec<Vec<&Matcher>> {
    let kind = |matcher: &Matcher| std::mem::discriminant(&matcher.pattern);
    let mut groups: Vec<Vec<&Matcher>> = Vec::new();
    for matcher in matchers {
        // Exact keys exclude each other, and so do prefixes; domains nest, so only neighbours may join.
        let home = groups.iter_mut().rev().find(|group| {
            group.first().is_some_and(|first| first.values == matcher.values && kind(first) == kind(matcher))
        });
        match (home, &matcher.pattern) {
            (Some(group), Pattern::Key(_) | Pattern::Prefix(_)) => group.push(matcher),
            _ => groups.push(vec![matcher]),
        }
    }
    groups
}

fn value_allowed(values: &Values, map: &str) -> String {
    match values {
        Values::Any => "true".to_owned(),
        Values::OneOf(texts) => match texts.iter().collect::<Vec<_>>().as_slice() {
            [only] => format!("{map}[k] == {}", quote(only)),
            texts => format!("{map}[k] in {}", list(texts.iter().map(|text| text.as_str()))),
        },
        Values::Formatted(format) => format!("{map}[k].matches({})", quote(format.pattern())),
    }
}

/// What an object holds at a path: empty text where the field is missing. Where a list stands in the way, which a schema
/// rules out, the expression fails, and so refuses.
pub(crate) fn held(object: &str, path: &FieldPath) -> String {
    let mut at = object.to_owned();
    let mut present = Vec::new();
    for segment in path.segments() {
        match segment {
            Segment::Field(name) => {
                at = format!("{at}.{name}");
                present.push(format!("has({at})"));
            }
            Segment::Key(key) => {
                present.push(format!("type(dyn({at})) == map && {} in {at}", quote(key)));
                at = format!("{at}[{}]", quote(key));
            }
        }
    }
    format!("({} ? dyn({at}) : dyn(''))", present.join(" && "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_cannot_leave_its_quotes() {
        for (text, quoted) in
            [("a", "'a'"), ("a'b", r"'a\'b'"), (r"a\", r"'a\\'"), ("a\nb", r"'a\u000ab'"), ("é\"", "'é\"'")]
        {
            assert_eq!(quote(text), quoted);
        }
    }
}
