//! Things that go wrong, by rules and by a seed: the same seed, the same rules and the same requests make the same
//! trouble.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::resource::GroupResource;

/// What a rule can know of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'r> {
    /// The verb: `get`, `list`, `watch`, `create` and so on.
    pub verb: &'r str,
    /// The resource with its group and subresource: `nodes`, `nodes/status`, `leases.coordination.k8s.io`; empty for a
    /// path that is no resource.
    pub resource: &'r str,
    /// The namespace; empty for none.
    pub namespace: &'r str,
    /// The object's name; empty for none.
    pub name: &'r str,
    /// Who asks.
    pub user: &'r str,
    /// The path.
    pub path: &'r str,
}

/// Which requests a rule is about. Of each list one entry has to fit; an empty list fits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Matches {
    /// Verbs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<String>,
    /// Resources, as [`Facts::resource`] has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Names of objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Names of users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// What the path begins with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path_prefixes: Vec<String>,
}

impl Matches {
    fn fits(&self, facts: &Facts<'_>) -> bool {
        let pairs = [
            (&self.verbs, facts.verb),
            (&self.resources, facts.resource),
            (&self.namespaces, facts.namespace),
            (&self.names, facts.name),
            (&self.users, facts.user),
        ];
        let one_of = |(wanted, is): (&Vec<String>, &str)| wanted.is_empty() || wanted.iter().any(|want| want == is);
        let prefixes = &self.path_prefixes;
        let below = prefixes.is_empty() || prefixes.iter().any(|prefix| facts.path.starts_with(prefix));
        below && pairs.into_iter().all(one_of)
    }
}

/// At which of the requests that fit something happens. They are counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// At each.
    #[default]
    Always,
    /// At some, by chance: never at 0, always at 1.
    Probability(f64),
    /// At one.
    Nth(u64),
    /// At every so manyth.
    Every(u64),
    /// At the first so many.
    First(u64),
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// The request is answered with this code and nothing is done.
    Refuse(u16),
    /// The request waits so many milliseconds.
    Delay(u64),
    /// Watches break off.
    DropWatch,
    /// The history is forgotten.
    Compact,
    /// The request is answered as if someone else had been faster.
    Conflict,
    /// The request is answered with 429.
    TooMany {
        /// Seconds after which the client may try again.
        retry_after: u32,
    },
    /// The user's token is not good any more.
    ExpireToken,
    /// The server starts anew.
    Restart {
        /// Whether it still has its objects then.
        keep_store: bool,
    },
}

impl Effect {
    /// What the client is answered, if this is an answer.
    #[must_use]
    pub fn failure(self, resource: &GroupResource, name: &str) -> Option<Failure> {
        match self {
            Self::Refuse(code) => Some(refused(code)),
            Self::Conflict => Some(Failure::modified(resource, name)),
            Self::TooMany { retry_after } => {
                let failure = Failure::new(429, "TooManyRequests", "Too many requests, please try again later.");
                Some(Failure { retry_after: Some(retry_after), ..failure })
            }
            Self::ExpireToken => Some(Failure::unauthorized()),
            Self::Delay(_) | Self::DropWatch | Self::Compact | Self::Restart { .. } => None,
        }
    }
}

/// Reasons and words by code (`NewGenericServerResponse` in `staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go`).
fn refused(code: u16) -> Failure {
    let unknown = "the server responded with the status code but did not return more information";
    let (reason, message) = match code {
        400 => ("BadRequest", "the server rejected our request for an unknown reason"),
        401 => ("Unauthorized", "the server has asked for the client to provide credentials"),
        403 => ("Forbidden", "the server does not allow access to the requested resource"),
        404 => ("NotFound", "the server could not find the requested resource"),
        409 => ("Conflict", "the server reported a conflict"),
        410 => ("Expired", "the resource version is too old"),
        422 => ("Invalid", "the server rejected our request due to an error in our request"),
        429 => ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
        500 => ("InternalError", "an error on the server has prevented the request from succeeding"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => (
            "Timeout",
            "the server was unable to return a response in the time allotted, but may still be processing the request",
        ),
        _ => ("", unknown),
    };
    Failure::new(code, reason, message)
}

/// When what happens to whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    #[serde(default)]
    pub matches: Matches,
    /// At which of them.
    #[serde(default)]
    pub when: When,
    /// What happens.
    pub effect: Effect,
}

/// Rules at work.
#[derive(Clone, Debug)]
pub struct Adversity {
    seed: u64,
    rules: Vec<(Rule, u64)>,
}

impl Adversity {
    /// Rules that have seen no request yet.
    #[must_use]
    pub fn new(seed: u64, rules: Vec<Rule>) -> Self {
        Self { seed, rules: rules.into_iter().map(|rule| (rule, 0)).collect() }
    }

    /// What happens at this request, in the order of the rules. What a rule does depends on the seed, on its place and
    /// on how many requests fitted it before, so requests that do not fit, and rules after it, change nothing.
    pub fn next(&mut self, facts: &Facts<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (place, (rule, seen)) in (0_u64..).zip(&mut self.rules) {
            if !rule.matches.fits(facts) {
                continue;
            }
            *seen = seen.saturating_add(1);
            if happens(rule.when, *seen, || chance(self.seed, place, *seen)) {
                effects.push(rule.effect);
            }
        }
        effects
    }
}

fn happens(when: When, count: u64, chance: impl FnOnce() -> f64) -> bool {
    match when {
        When::Always => true,
        When::Probability(probability) => chance() < probability,
        When::Nth(nth) => count == nth,
        When::Every(every) => every != 0 && count.is_multiple_of(every),
        When::First(first) => count <= first,
    }
}

/// A number from 0 to 1, without 1, that is the same whenever it is asked for.
fn chance(seed: u64, place: u64, count: u64) -> f64 {
    let mixed = mix(mix(mix(seed).wrapping_add(place)).wrapping_add(count));
    let bits = u32::try_from(mixed >> 32).unwrap_or_default();
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// A step of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rules(written: Value) -> Vec<Rule> {
        serde_json::from_value(written).expect("rules")
    }

    fn asking(verb: &'static str, resource: &'static str) -> Facts<'static> {
        Facts { verb, resource, user: "u", path: "/api/v1/nodes/n", ..Facts::default() }
    }

    /// At which of the requests something happens.
    fn hits(seed: u64, when: Value, requests: usize) -> Vec<usize> {
        let mut adversity = Adversity::new(seed, rules(json!([{"when": when, "effect": "compact"}])));
        (1..=requests).filter(|_| !adversity.next(&asking("get", "nodes")).is_empty()).collect()
    }

    #[test]
    fn a_rule_strikes_when_it_says() {
        let table = [
            (json!("always"), vec![1, 2, 3, 4]),
            (json!({"nth": 3}), vec![3]),
            (json!({"nth": 0}), vec![]),
            (json!({"every": 2}), vec![2, 4]),
            (json!({"every": 0}), vec![]),
            (json!({"first": 2}), vec![1, 2]),
            (json!({"probability": 0.0}), vec![]),
            (json!({"probability": 1.0}), vec![1, 2, 3, 4]),
        ];
        for (when, expected) in table {
            assert_eq!(hits(7, when.clone(), 4), expected, "{when}");
        }
    }

    #[test]
    fn chance_is_the_seeds() {
        let when = || json!({"probability": 0.25});
        assert_eq!(hits(1, when(), 1000), hits(1, when(), 1000));
        assert_ne!(hits(1, when(), 1000), hits(2, when(), 1000));
        assert!((180..320).contains(&hits(1, when(), 1000).len()));
    }

    #[test]
    fn what_does_not_fit_and_what_comes_after_change_nothing() {
        let one = json!({"matches": {"verbs": ["get"]}, "when": {"probability": 0.5}, "effect": "dropWatch"});
        let other = json!({"when": {"probability": 0.5}, "effect": {"delay": 5}});
        let mut alone = Adversity::new(3, rules(json!([one.clone()])));
        let mut both = Adversity::new(3, rules(json!([one, other])));
        for _ in 0..200 {
            both.next(&asking("list", "nodes"));
            let (expected, told) = (alone.next(&asking("get", "nodes")), both.next(&asking("get", "nodes")));
            assert_eq!(told.strip_suffix(&[Effect::Delay(5)]).unwrap_or(&told), expected);
        }
    }

    #[test]
    fn effects_come_in_the_order_of_rules() {
        let written = json!([{"effect": {"delay": 5}}, {"effect": {"refuse": 503}}, {"effect": {"restart": {"keepStore": true}}},
            {"effect": {"tooMany": {"retryAfter": 2}}}, {"effect": "expireToken"}, {"effect": "conflict"}]);
        let expected = vec![
            Effect::Delay(5),
            Effect::Refuse(503),
            Effect::Restart { keep_store: true },
            Effect::TooMany { retry_after: 2 },
            Effect::ExpireToken,
            Effect::Conflict,
        ];
        assert_eq!(Adversity::new(0, rules(written)).next(&Facts::default()), expected);
    }

    #[test]
    fn all_that_is_named_has_to_fit() {
        let table = [
            (json!({}), true),
            (json!({"verbs": ["list", "get"], "resources": ["nodes"], "users": ["u"]}), true),
            (json!({"prefixes": []}), false),
            (json!({"pathPrefixes": ["/apis", "/api/v1/nodes"]}), true),
            (json!({"pathPrefixes": ["/apis"]}), false),
            (json!({"verbs": ["list"]}), false),
            (json!({"resources": ["nodes/status"]}), false),
            (json!({"verbs": ["get"], "users": ["v"]}), false),
            (json!({"namespaces": ["a"]}), false),
            (json!({"names": [""]}), true),
        ];
        for (matches, expected) in table {
            let rule: Result<Rule, _> = serde_json::from_value(json!({"matches": matches, "effect": "compact"}));
            let fits = rule.is_ok_and(|rule| rule.matches.fits(&asking("get", "nodes")));
            assert_eq!(fits, expected, "{matches}");
        }
    }

    #[test]
    fn answers_are_failures() {
        let nodes = GroupResource::new("", "nodes");
        let conflict = "Operation cannot be fulfilled on nodes \"n\": the object has been modified; please apply your changes to the latest version and try again";
        let table = [
            (Effect::Conflict, Some((409, "Conflict", conflict, None))),
            (
                Effect::TooMany { retry_after: 3 },
                Some((429, "TooManyRequests", "Too many requests, please try again later.", Some(3))),
            ),
            (Effect::ExpireToken, Some((401, "Unauthorized", "Unauthorized", None))),
            (
                Effect::Refuse(503),
                Some((503, "ServiceUnavailable", "the server is currently unable to handle the request", None)),
            ),
            (Effect::Delay(1), None),
        ];
        for (effect, expected) in table {
            let failure = effect.failure(&nodes, "n");
            let told = failure.as_ref().map(|f| (f.code, f.reason, f.message.as_str(), f.retry_after));
            assert_eq!(told, expected);
        }
    }
}
