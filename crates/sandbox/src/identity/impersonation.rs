//! Requests in the name of somebody else (`k8s.io/apiserver/pkg/endpoints/filters/impersonation`).

use admission::{KubeVersion, UserInfo};
use http::HeaderMap;
use percent_decoding::decoded;
use std::collections::BTreeMap;

use super::service_account;
use super::value::quoted;
use super::{ANONYMOUS, AUTHENTICATED, MASTERS, NODE_NAME, NODE_PREFIX, NODES, UNAUTHENTICATED};
use crate::failure::Failure;
use crate::rbac::{Attributes, Authorize, denied};

mod percent_decoding;

const USER: &str = "impersonate-user";
const UID: &str = "impersonate-uid";
const GROUP: &str = "impersonate-group";
const EXTRA: &str = "impersonate-extra-";
const AUTHENTICATION: &str = "authentication.k8s.io";
/// From when on there are the modes that also look at what is done (`ConstrainedImpersonation`, KEP 5284).
const MODES_SINCE: KubeVersion = KubeVersion::minor(36);
/// From how many groups or extra values on the modes first ask for all at once.
const MANY: usize = 4;

/// The user that a request is to be done as; `None` if it does not impersonate. `request` is what is asked for, by the
/// user who asks.
///
/// # Errors
/// 400 if no user is named, 403 if the user may not do so.
pub fn impersonated(
    headers: &HeaderMap,
    request: &Attributes<'_>,
    authorize: &Authorize<'_>,
    version: KubeVersion,
) -> Result<Option<UserInfo>, Failure> {
    let wanted = wanted(headers);
    let nothing_else = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
    match (wanted.username.is_empty(), nothing_else) {
        (true, true) => Ok(None),
        (true, false) => Err(Failure::bad_request(nobody(&wanted, version))),
        (false, _) => Impersonation { request, authorize, wanted: &wanted }.user(version).map(Some),
    }
}

/// Whether a header is one of those that say who is impersonated: they are not passed on.
#[must_use]
pub fn is_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [USER, UID, GROUP].contains(&name.as_str()) || name.starts_with(EXTRA)
}

fn wanted(headers: &HeaderMap) -> UserInfo {
    let values = |name: &str| {
        let values = headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect::<Vec<_>>()
    };
    let first = |name: &str| values(name).into_iter().next().unwrap_or_default();
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in headers.keys() {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            extra.entry(decoded(key)).or_default().extend(values(name.as_str()));
        }
    }
    UserInfo { username: first(USER), uid: first(UID), groups: values(GROUP), extra }
}

/// The text about a request without a user, as Go prints the structures that its releases keep it in.
fn nobody(wanted: &UserInfo, version: KubeVersion) -> String {
    if version < MODES_SINCE {
        return format!("requested [{}] without impersonating a user", references(wanted).join(" "));
    }
    let strings = |texts: &[String]| {
        let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
        format!("[]string{{{}}}", texts.join(", "))
    };
    let groups = if wanted.groups.is_empty() { "[]string(nil)".to_owned() } else { strings(&wanted.groups) };
    let extra = match wanted.extra.is_empty() {
        true => "map[string][]string(nil)".to_owned(),
        false => {
            let entry = |(key, values): (&String, &Vec<String>)| format!("{}:{}", quoted(key), strings(values));
            format!("map[string][]string{{{}}}", wanted.extra.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    };
    let uid = quoted(&wanted.uid);
    let user = format!("&user.DefaultInfo{{Name:\"\", UID:{uid}, Groups:{groups}, Extra:{extra}}}");
    format!("requested {user} without impersonating a user name")
}

/// Kind, namespace, name, uid, API version, resource version and field, each after a space.
fn references(wanted: &UserInfo) -> Vec<String> {
    let groups = wanted.groups.iter().map(|group| format!("{{Group  {group}    }}"));
    let values = wanted.extra.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
    let extra = values.map(|(key, value)| format!("{{UserExtra  {value}  {AUTHENTICATION}/v1  {key}}}"));
    let uid = Some(&wanted.uid).filter(|uid| !uid.is_empty());
    let uid = uid.map(|uid| format!("{{UID  {uid}  {AUTHENTICATION}/v1  }}"));
    groups.chain(extra).chain(uid).collect()
}

/// How somebody is impersonated: which users, and what the verbs are called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    AssociatedNode,
    ArbitraryNode,
    ServiceAccount,
    UserInfo,
    Legacy,
}

const MODES: [(Mode, &str); 4] = [
    (Mode::AssociatedNode, "associated-node"),
    (Mode::ArbitraryNode, "arbitrary-node"),
    (Mode::ServiceAccount, "serviceaccount"),
    (Mode::UserInfo, "user-info"),
];

struct Impersonation<'a> {
    request: &'a Attributes<'a>,
    authorize: &'a Authorize<'a>,
    wanted: &'a UserInfo,
}

impl Impersonation<'_> {
    /// The first mode that allows it counts; if none does, the refusal of the first that was tried.
    fn user(&self, version: KubeVersion) -> Result<UserInfo, Failure> {
        let mut refusal = None;
        if version >= MODES_SINCE {
            for (mode, name) in MODES.iter().filter(|(mode, _)| self.is_for(*mode)) {
                match self.constrained(*mode, name) {
                    Ok(user) => return Ok(user),
                    Err(failure) => refusal = refusal.or(Some(failure)),
                }
            }
        }
        let legacy = self.checked(Mode::Legacy, "impersonate", self.request.user);
        legacy.map_err(|failure| refusal.unwrap_or(failure))
    }

    fn is_for(&self, mode: Mode) -> bool {
        let UserInfo { username, uid, groups, extra } = self.wanted;
        let name_only = uid.is_empty() && groups.is_empty() && extra.is_empty();
        let (node, account) = (node_name(username), service_account::split(username));
        match mode {
            Mode::AssociatedNode => name_only && node.is_some_and(|node| self.is_on(node)),
            Mode::ArbitraryNode => name_only && node.is_some(),
            Mode::ServiceAccount => name_only && account.is_some(),
            Mode::UserInfo => node.is_none() && account.is_none(),
            Mode::Legacy => true,
        }
    }

    /// Whether the user who asks is a service account of a Pod on this Node, or bound to it.
    fn is_on(&self, node: &str) -> bool {
        let user = self.request.user;
        let known = user.extra.get(NODE_NAME).map(Vec::as_slice);
        service_account::split(&user.username).is_some() && matches!(known, Some([only]) if only == node)
    }

    fn constrained(&self, mode: Mode, name: &str) -> Result<UserInfo, Failure> {
        let on = format!("impersonate-on:{name}:{}", self.request.verb);
        let stripped = (mode == Mode::AssociatedNode).then(|| without_extra(self.request.user));
        let requestor = stripped.as_ref().unwrap_or(self.request.user);
        self.allow(&Attributes { user: requestor, verb: &on, ..*self.request })?;
        self.checked(mode, &format!("impersonate:{name}"), requestor)
    }

    fn allow(&self, attributes: &Attributes<'_>) -> Result<(), Failure> {
        let decision = (self.authorize)(attributes);
        if decision.allowed { Ok(()) } else { Err(denied(attributes, &decision.reason)) }
    }

    fn checked(&self, mode: Mode, verb: &str, requestor: &UserInfo) -> Result<UserInfo, Failure> {
        let core = if mode == Mode::Legacy { "" } else { AUTHENTICATION };
        let attributes = Attributes::resource(requestor, verb, core, "users");
        let mut user = self.named(mode, attributes)?;
        let of_authentication = Attributes { group: AUTHENTICATION, ..attributes };
        if !user.uid.is_empty() {
            self.allow(&Attributes { resource: "uids", name: &user.uid, ..of_authentication })?;
        }
        self.check_groups(mode, Attributes { resource: "groups", ..attributes })?;
        self.check_extra(mode, Attributes { resource: "userextras", ..of_authentication })?;
        let needed = if user.username == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        if !user.groups.iter().any(|group| group == needed || group == UNAUTHENTICATED) {
            user.groups.push(needed.to_owned());
        }
        Ok(user)
    }

    /// Whoever is named, with the groups that follow from the name.
    fn named(&self, mode: Mode, attributes: Attributes<'_>) -> Result<UserInfo, Failure> {
        let mut user = self.wanted.clone();
        let node = node_name(&self.wanted.username).filter(|_| mode != Mode::Legacy);
        if let Some(node) = node {
            user.groups = vec![NODES.to_owned()];
            // A permission for the Node that one is on is one for whichever that is.
            let name = if mode == Mode::AssociatedNode { "*" } else { node };
            self.allow(&Attributes { resource: "nodes", name, ..attributes })?;
        } else if let Some((namespace, name)) = service_account::split(&self.wanted.username) {
            if user.groups.is_empty() {
                user.groups = service_account::groups(namespace);
            }
            self.allow(&Attributes { resource: "serviceaccounts", namespace, name, ..attributes })?;
        } else {
            self.allow(&Attributes { name: &self.wanted.username, ..attributes })?;
        }
        Ok(user)
    }

    fn check_groups(&self, mode: Mode, attributes: Attributes<'_>) -> Result<(), Failure> {
        let groups = &self.wanted.groups;
        if mode != Mode::Legacy {
            if groups.iter().any(String::is_empty) {
                return Err(denied(&attributes, "impersonating the empty string group is not allowed"));
            }
            if groups.iter().any(|group| group == MASTERS) {
                let attributes = Attributes { name: MASTERS, ..attributes };
                return Err(denied(&attributes, "impersonating the system:masters group is not allowed"));
            }
            if groups.len() >= MANY && self.allow(&Attributes { name: "*", ..attributes }).is_ok() {
                return Ok(());
            }
        }
        groups.iter().try_for_each(|group| self.allow(&Attributes { name: group, ..attributes }))
    }

    fn check_extra(&self, mode: Mode, attributes: Attributes<'_>) -> Result<(), Failure> {
        let extra = &self.wanted.extra;
        if mode != Mode::Legacy {
            if let Some(problem) = extra_problem(extra) {
                return Err(denied(&attributes, &problem));
            }
            let many = extra.len() >= MANY || extra.values().map(Vec::len).sum::<usize>() >= MANY;
            let all = Attributes { subresource: "*", name: "*", ..attributes };
            if many && self.allow(&all).is_ok() {
                return Ok(());
            }
        }
        let mut values = extra.iter().flat_map(|(key, values)| values.iter().map(move |value| (key, value)));
        values.try_for_each(|(key, value)| self.allow(&Attributes { subresource: key, name: value, ..attributes }))
    }
}

fn node_name(username: &str) -> Option<&str> {
    username.strip_prefix(NODE_PREFIX).filter(|name| service_account::is_subdomain(name))
}

/// The user without the values of its extra keys, so that one permission holds on every Node.
fn without_extra(user: &UserInfo) -> UserInfo {
    let keys = user.extra.keys().cloned().collect();
    let extra = BTreeMap::from([("authentication.kubernetes.io/associated-node-keys".to_owned(), keys)]);
    UserInfo { extra, ..user.clone() }
}

/// What the modes do not let pass in extra keys and values.
fn extra_problem(extra: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let problem = |(key, values): (&String, &Vec<String>)| match key_problem(key) {
        Some(problem) => Some(problem),
        None if values.is_empty() => Some("empty values in extra is not allowed".to_owned()),
        None => {
            values.iter().any(String::is_empty).then(|| "the empty string value in extra is not allowed".to_owned())
        }
    };
    extra.iter().find_map(problem).map(|problem| format!("impersonating {problem}"))
}

/// A key is a lower-case domain, a slash, and a path in lower case (`k8s.io/apimachinery/pkg/util/validation`,
/// `IsDomainPrefixedPath`).
fn key_problem(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some("the empty string key in extra is not allowed".to_owned());
    }
    let invalid = |part: &str, rule: &str| {
        let part = quoted(part);
        Some(format!("an invalid key in extra is not allowed: extra.key: Invalid value: {part}: {rule}"))
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
    match key.split_once('/') {
        Some((domain, path)) if service_account::is_subdomain(domain) && !path.is_empty() => {
            if !path.chars().all(allowed) {
                return invalid(path, r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')");
            }
            let lower = key == key.to_lowercase();
            (!lower).then(|| format!("a non-lowercase key in extra is not allowed: {}", quoted(key)))
        }
        _ => invalid(key, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
}

#[cfg(test)]
mod tests;
