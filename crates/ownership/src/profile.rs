//! The checked profile: the only form that decides.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::key;
use crate::matcher::{Matcher, Owned, Pattern, Values};
use crate::path::{FieldPath, Segment};
use crate::spec::{
    Action, AgentProfileSpec, Channel, Enforcement, Format, KeyClaim, Limits, Liveness, LivenessSource, OwnNode, Pause,
    ResourceClaim, ResourceOperation, ServiceAccount,
};

/// A field of a profile that cannot be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where, as a path from the object's root: `spec.labels[2].prefix`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// A profile that passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    name: String,
    username: String,
    spec: AgentProfileSpec,
    labels: Owned,
    annotations: Owned,
    resources: Vec<Resource>,
    timeout: Option<Duration>,
}

/// A checked [`ResourceClaim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The API group.
    pub group: String,
    /// The API version.
    pub version: String,
    /// The resource, in the plural.
    pub resource: String,
    /// The operations that are judged, in the order of the enum, each once.
    pub operations: Vec<ResourceOperation>,
    /// Fields of which one must name the agent's node. Empty only where `may_change` is not.
    pub node: Vec<FieldPath>,
    /// Further fields that name a node and prove nothing.
    pub node_references: Vec<FieldPath>,
    /// Fields that stay empty if they were empty.
    pub may_not_introduce: Vec<FieldPath>,
    /// The only fields that an update may change, each `field` or `field.field`; empty: all.
    pub may_change: Vec<FieldPath>,
}

impl Profile {
    /// Checks a profile.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn new(name: &str, spec: AgentProfileSpec) -> Result<Self, Vec<FieldError>> {
        let mut check = Check::default();
        check.name(name);
        check.account(&spec.service_account);
        let labels = check.claims("labels", &spec.labels, Map::Labels);
        let annotations = check.claims("annotations", &spec.annotations, Map::Annotations);
        let resources = check.resources(&spec.resources);
        check.actions(&spec.actions);
        check.pause(spec.pause.as_ref());
        let timeout = spec.liveness.as_ref().and_then(|liveness| check.liveness(liveness, &labels));
        if !check.errors.is_empty() {
            return Err(check.errors);
        }
        let username = spec.service_account.username();
        Ok(Self { name: name.to_owned(), username, spec, labels, annotations, resources, timeout })
    }

    /// The name of the profile.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user name of the agent's service account.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The profile as it was written.
    #[must_use]
    pub fn spec(&self) -> &AgentProfileSpec {
        &self.spec
    }

    /// The agent's service account.
    #[must_use]
    pub fn service_account(&self) -> &ServiceAccount {
        &self.spec.service_account
    }

    /// Whether a write must come from the node that it changes.
    #[must_use]
    pub fn node(&self) -> OwnNode {
        self.spec.node
    }

    /// Whether the token's node UID is compared too.
    #[must_use]
    pub fn checks_node_uid(&self) -> bool {
        self.spec.check_node_uid
    }

    /// The labels that the agent owns.
    #[must_use]
    pub fn labels(&self) -> &Owned {
        &self.labels
    }

    /// The annotations that the agent owns.
    #[must_use]
    pub fn annotations(&self) -> &Owned {
        &self.annotations
    }

    /// The bounds on one write.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.spec.limits.unwrap_or_default()
    }

    /// The other objects that the agent may write.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// How a publication reaches the Node.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.spec.channel
    }

    /// What happens where the guard cannot be had.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.spec.enforcement
    }

    /// What the guard does with a write that breaks a rule.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.spec.actions
    }

    /// Whether the sign of life is a Lease.
    #[must_use]
    pub fn beats_by_lease(&self) -> bool {
        self.spec.liveness.as_ref().is_some_and(|liveness| liveness.source == LivenessSource::Lease)
    }

    /// How long an agent may be silent, where that is judged.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The same profile for another service account.
    #[must_use]
    pub fn for_account(mut self, account: ServiceAccount) -> Self {
        self.username = account.username();
        self.spec.service_account = account;
        self
    }

    /// The same profile with another answer to whether a write must come from its own node.
    #[must_use]
    pub fn with_node(mut self, node: OwnNode) -> Self {
        self.spec.node = node;
        self
    }

    /// The same profile with guards that do this with a write that breaks a rule.
    #[must_use]
    pub fn with_actions(mut self, actions: &[Action]) -> Self {
        self.spec.actions = actions.to_vec();
        self
    }
}

#[derive(Clone, Copy)]
enum Map {
    Labels,
    Annotations,
}

impl Map {
    fn check_key(self, text: &str) -> Result<(), key::KeyError> {
        match self {
            Self::Labels => key::label_key(text),
            Self::Annotations => key::annotation_key(text),
        }
    }

    fn check_value(self, text: &str) -> Result<(), key::KeyError> {
        match self {
            Self::Labels => key::label_value(text),
            Self::Annotations => Ok(()),
        }
    }
}

#[derive(Default)]
struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    fn fail(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError { path: path.into(), message: message.into() });
    }

    fn must(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            self.fail(path, message);
        }
    }

    fn name(&mut self, name: &str) {
        // The name is a label value on the objects of the guard.
        let fits = name.len() <= 63 && key::subdomain(name).is_ok();
        self.must(fits, "metadata.name", "must be a lower-case DNS name of at most 63 bytes");
    }

    fn account(&mut self, account: &ServiceAccount) {
        let label = |text: &str| text.len() <= 63 && !text.contains('.') && key::subdomain(text).is_ok();
        self.must(
            label(&account.namespace),
            "spec.serviceAccount.namespace",
            "must be the name of a namespace (lower case letters, digits and '-', at most 63 bytes)",
        );
        self.must(
            key::subdomain(&account.name).is_ok(),
            "spec.serviceAccount.name",
            "must be the name of a service account (a lower-case DNS name)",
        );
    }

    fn claims(&mut self, field: &str, claims: &[KeyClaim], map: Map) -> Owned {
        let mut seen = BTreeSet::new();
        let mut matchers = Vec::new();
        for (index, claim) in claims.iter().enumerate() {
            let path = format!("spec.{field}[{index}]");
            let pattern = self.pattern(&path, claim, map);
            let values = self.values(&path, claim, map);
            if let Some(pattern) = pattern {
                self.must(seen.insert(pattern.clone()), &path, "is claimed twice; keep one of the two");
                matchers.push(Matcher { pattern, values });
            }
        }
        Owned::new(matchers)
    }

    fn pattern(&mut self, path: &str, claim: &KeyClaim, map: Map) -> Option<Pattern> {
        match (&claim.key, &claim.prefix, &claim.domain) {
            (Some(key), None, None) => self.key_pattern(path, key, map),
            (None, Some(prefix), None) => self.prefix_pattern(path, prefix, map),
            (None, None, Some(domain)) => self.domain_pattern(path, domain, map),
            _ => {
                self.fail(path, "needs exactly one of key, prefix and domain");
                None
            }
        }
    }

    fn key_pattern(&mut self, path: &str, text: &str, map: Map) -> Option<Pattern> {
        if let Err(error) = map.check_key(text) {
            self.fail(format!("{path}.key"), format!("no API server accepts the key `{text}`: {error}"));
            return None;
        }
        Some(Pattern::Key(text.to_owned()))
    }

    fn prefix_pattern(&mut self, path: &str, text: &str, map: Map) -> Option<Pattern> {
        let path = format!("{path}.prefix");
        if !text.ends_with('/') {
            self.fail(path, format!("must end in '/': write `{text}/`, or claim a domain"));
            return None;
        }
        if let Err(error) = map.check_key(&format!("{text}x")) {
            self.fail(path, format!("no API server accepts a key under `{text}`: {error}"));
            return None;
        }
        Some(Pattern::Prefix(text.to_owned()))
    }

    fn domain_pattern(&mut self, path: &str, text: &str, map: Map) -> Option<Pattern> {
        if let Err(error) = map.check_key(&format!("{text}/x")) {
            let message = format!("no API server accepts a key of the domain `{text}`: {error}");
            self.fail(format!("{path}.domain"), message);
            return None;
        }
        Some(Pattern::Domain(text.to_owned()))
    }

    fn values(&mut self, path: &str, claim: &KeyClaim, map: Map) -> Values {
        match (&claim.values, claim.format) {
            (None, None) => Values::Any,
            (None, Some(format)) => Values::Formatted(format),
            (Some(list), None) => self.value_list(path, list, map),
            (Some(_), Some(_)) => {
                self.fail(path, "has both values and format; keep one");
                Values::Any
            }
        }
    }

    fn value_list(&mut self, path: &str, list: &[String], map: Map) -> Values {
        self.must(
            !list.is_empty(),
            &format!("{path}.values"),
            "needs at least one value, or leave it out to allow any",
        );
        for (index, value) in list.iter().enumerate() {
            if let Err(error) = map.check_value(value) {
                self.fail(format!("{path}.values[{index}]"), format!("no API server accepts `{value}`: {error}"));
            }
        }
        Values::OneOf(list.iter().cloned().collect())
    }

    fn resources(&mut self, claims: &[ResourceClaim]) -> Vec<Resource> {
        let mut seen = BTreeSet::new();
        claims
            .iter()
            .enumerate()
            .map(|(index, claim)| {
                let path = format!("spec.resources[{index}]");
                let new = seen.insert((&claim.group, &claim.resource));
                self.must(new, &path, "is claimed twice; put all of it into one entry");
                self.resource(&path, claim)
            })
            .collect()
    }

    fn resource(&mut self, path: &str, claim: &ResourceClaim) -> Resource {
        self.group_version_resource(path, claim);
        let operations: BTreeSet<_> = claim.operations.iter().copied().collect();
        self.must(!operations.is_empty(), &format!("{path}.operations"), "needs at least one operation");
        let node = self.paths(path, "node", &claim.node);
        let may_change = self.paths(path, "mayChange", &claim.may_change);
        self.must(
            !claim.node.is_empty() || !claim.may_change.is_empty(),
            path,
            "needs node (fields that name the agent's node) or mayChange (the only fields it may change)",
        );
        self.must(
            !claim.node.is_empty() || operations.iter().all(|operation| *operation == ResourceOperation::Update),
            &format!("{path}.operations"),
            "needs node: without a field that names the agent's node, creation and deletion cannot be judged",
        );
        self.must(
            !claim.node.is_empty() || claim.node_references.is_empty(),
            &format!("{path}.nodeReferences"),
            "needs node: fields that prove the agent's node come first",
        );
        self.changeable(path, &may_change);
        Resource {
            group: claim.group.clone(),
            version: claim.version.clone(),
            resource: claim.resource.clone(),
            operations: operations.into_iter().collect(),
            node,
            node_references: self.paths(path, "nodeReferences", &claim.node_references),
            may_not_introduce: self.paths(path, "mayNotIntroduce", &claim.may_not_introduce),
            may_change,
        }
    }

    fn group_version_resource(&mut self, path: &str, claim: &ResourceClaim) {
        let lower = |text: &str| !text.contains('.') && key::subdomain(text).is_ok();
        let group = claim.group.is_empty() || key::subdomain(&claim.group).is_ok();
        self.must(
            group,
            &format!("{path}.group"),
            "must be an API group such as kubevirt.io, or empty for the core group",
        );
        self.must(lower(&claim.version), &format!("{path}.version"), "must be an API version such as v1");
        let resource = format!("{path}.resource");
        self.must(
            lower(&claim.resource),
            &resource,
            "must be a resource in the plural, without subresource (subresources are guarded with it)",
        );
        let node = claim.group.is_empty() && claim.resource == "nodes";
        self.must(!node, &resource, "nodes are guarded by labels and annotations, not here");
    }

    fn paths(&mut self, path: &str, field: &str, texts: &[String]) -> Vec<FieldPath> {
        let mut paths = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match FieldPath::parse(text) {
                Ok(parsed) => paths.push(parsed),
                Err(error) => {
                    self.fail(format!("{path}.{field}[{index}]"), format!("`{text}` is no field path: {error}"))
                }
            }
        }
        paths
    }

    fn changeable(&mut self, path: &str, paths: &[FieldPath]) {
        for (index, changeable) in paths.iter().enumerate() {
            let plain = match changeable.segments() {
                [Segment::Field(top)] | [Segment::Field(top), Segment::Field(_)] => {
                    !matches!(top.as_str(), "metadata" | "apiVersion" | "kind")
                }
                _ => false,
            };
            let at = format!("{path}.mayChange[{index}]");
            self.must(plain, &at, "must be field or field.field, outside metadata, for example status.phase");
        }
    }

    fn actions(&mut self, actions: &[Action]) {
        let unique: BTreeSet<_> = actions.iter().collect();
        let path = "spec.actions";
        self.must(!actions.is_empty(), path, "needs at least one of Deny, Warn and Audit");
        self.must(unique.len() == actions.len(), path, "names an action twice");
        let both = actions.contains(&Action::Deny) && actions.contains(&Action::Warn);
        self.must(!both, path, "cannot have both Deny and Warn: a refusal needs no warning");
    }

    fn pause(&mut self, pause: Option<&Pause>) {
        let Some(Pause { until, reason }) = pause else { return };
        let parses = Values::Formatted(Format::Timestamp).allow(until);
        self.must(parses, "spec.pause.until", "must be a time as in RFC 3339, such as 2030-01-31T12:00:00Z");
        self.must(!reason.trim().is_empty(), "spec.pause.reason", "must say why");
    }

    fn liveness(&mut self, liveness: &Liveness, labels: &Owned) -> Option<Duration> {
        let Liveness { source: _, mark, timeout } = liveness;
        let path = "spec.liveness.mark";
        self.must(labels.owns(&mark.label), &format!("{path}.label"), "must be a label that this profile owns");
        let value = key::label_value(&mark.value).is_ok() && labels.allows(&mark.label, &mark.value);
        self.must(value, &format!("{path}.value"), "must be a value that this profile allows for the label");
        let parsed = seconds(timeout).filter(|s| *s > 0).map(Duration::from_secs);
        self.must(parsed.is_some(), "spec.liveness.timeout", "must be a whole number with s, m or h, for example 5m");
        parsed
    }
}

fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| digits)?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn spans_of_time_have_one_unit() {
        let table = [("5s", Some(5)), ("5m", Some(300)), ("2h", Some(7200)), ("5", None), ("", None), ("+5s", None)];
        for (text, expected) in table {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(seconds("18446744073709551615h"), None);
    }
}
