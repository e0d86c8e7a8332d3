//! Whether a policy or binding concerns a request: resource rules, selectors, scope
//! (`admission/plugin/policy/matching` and `webhook/predicates` of the API server).
//!
//! **Equivalent resources.** A server knows every group and version in which a resource is served. Here the request
//! tells of two at most: the one that the client asked for (`requestResource`) and the one that the object is given
//! in (`resource`). `matchPolicy: Equivalent` matches either, the former first.

use k8s_openapi::api::admissionregistration::v1::{MatchResources, NamedRuleWithOperations};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value as Json;

use crate::cluster::Cluster;
use crate::request::{AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation};
use crate::selector::Selector;

/// The step at which a policy or binding turned out not to concern a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `namespaceSelector` does not select the request's namespace.
    NamespaceSelector,
    /// `objectSelector` selects neither the old nor the new object.
    ObjectSelector,
    /// One of `excludeResourceRules` matches.
    ExcludeResourceRules,
    /// None of `resourceRules` matches.
    ResourceRules,
}

/// The resource and kind under which a request was matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched<'r> {
    /// What expressions see as `request.resource`.
    pub resource: &'r GroupVersionResource,
    /// What expressions see as `request.kind`, and the form in which they see the objects.
    pub kind: &'r GroupVersionKind,
}

/// `matchConstraints` of a policy or `matchResources` of a binding, with the server's defaults filled in.
#[derive(Clone, Debug)]
pub struct Matcher {
    rules: Vec<Rule>,
    excluded: Vec<Rule>,
    equivalent: bool,
    namespaces: Result<Selector, String>,
    objects: Result<Selector, String>,
}

#[derive(Clone, Debug)]
struct Rule {
    groups: Vec<String>,
    versions: Vec<String>,
    resources: Vec<String>,
    operations: Vec<String>,
    names: Vec<String>,
    scope: String,
}

impl Matcher {
    /// Takes over the rules. Selectors that cannot be used are reported by requests that would get to them.
    pub fn new(resources: &MatchResources) -> Self {
        let rules = |rules: &Option<Vec<_>>| rules.iter().flatten().map(Rule::new).collect();
        Self {
            rules: rules(&resources.resource_rules),
            excluded: rules(&resources.exclude_resource_rules),
            equivalent: resources.match_policy.as_deref().is_none_or(|policy| policy == "Equivalent"),
            namespaces: selector(resources.namespace_selector.as_ref()),
            objects: selector(resources.object_selector.as_ref()),
        }
    }

    /// Whether the request is concerned, and under which resource; or the step that says no.
    ///
    /// # Errors
    /// The server's text where it could not tell: an unusable selector, an unknown namespace.
    pub fn matches<'r>(
        &self,
        request: &'r AdmissionRequest,
        cluster: &dyn Cluster,
    ) -> Result<Result<Matched<'r>, Step>, String> {
        let namespace = self.selects_namespace(request, cluster);
        if namespace == Ok(false) {
            return Ok(Err(Step::NamespaceSelector));
        }
        let object = self.selects_object(request);
        if object == Ok(false) {
            return Ok(Err(Step::ObjectSelector));
        }
        if self.first_match(&self.excluded, request).is_some() {
            return Ok(Err(Step::ExcludeResourceRules));
        }
        let Some(matched) = self.match_rules(request) else {
            return Ok(Err(Step::ResourceRules));
        };
        // An error of a selector counts only for a request that the rules concern.
        namespace.and(object).map(|_| Ok(matched))
    }

    fn match_rules<'r>(&self, request: &'r AdmissionRequest) -> Option<Matched<'r>> {
        if self.rules.is_empty() {
            return Some(requested(request));
        }
        self.first_match(&self.rules, request)
    }

    fn first_match<'r>(&self, rules: &[Rule], request: &'r AdmissionRequest) -> Option<Matched<'r>> {
        let given = Matched { resource: &request.resource, kind: &request.kind };
        let equivalent = Some(given).filter(|given| self.equivalent && given.resource != request.requested_resource());
        let mut candidates = [Some(requested(request)), equivalent].into_iter().flatten();
        candidates.find(|candidate| rules.iter().any(|rule| rule.matches(request, candidate.resource)))
    }

    fn selects_namespace(&self, request: &AdmissionRequest, cluster: &dyn Cluster) -> Result<bool, String> {
        if request.namespace.is_empty() && request.requested_resource().resource != "namespaces" {
            return Ok(true);
        }
        let selector = self.namespaces.as_ref().map_err(|error| internal(error))?;
        if selector.is_empty() {
            return Ok(true);
        }
        if is_namespace_write(request) {
            return Ok(selector.matches(labels(request.object.as_deref())));
        }
        let namespace = cluster.namespace(&request.namespace).ok_or_else(|| unknown_namespace(request))?;
        Ok(selector.matches(labels(Some(&namespace))))
    }

    fn selects_object(&self, request: &AdmissionRequest) -> Result<bool, String> {
        let selector = self.objects.as_ref().map_err(|error| internal(error))?;
        let selects = |object: Option<&Json>| {
            object.is_some_and(|object| has_metadata(request, object) && selector.matches(labels(Some(object))))
        };
        Ok(selector.is_empty() || selects(request.object.as_deref()) || selects(request.old_object.as_deref()))
    }
}

fn requested(request: &AdmissionRequest) -> Matched<'_> {
    Matched { resource: request.requested_resource(), kind: request.requested_kind() }
}

fn selector(selector: Option<&LabelSelector>) -> Result<Selector, String> {
    selector.map_or_else(|| Ok(Selector::default()), Selector::new)
}

fn internal(error: &str) -> String {
    format!("Internal error occurred: {error}")
}

fn unknown_namespace(request: &AdmissionRequest) -> String {
    format!("namespaces \"{}\" not found", request.namespace)
}

/// The labels of a Namespace that is being written are those of the new object; the stored ones are out of date.
fn is_namespace_write(request: &AdmissionRequest) -> bool {
    request.requested_resource().resource == "namespaces"
        && request.sub_resource.is_empty()
        && matches!(request.operation, Operation::Create | Operation::Update)
}

/// The objects of CONNECT are options without metadata; a selector never selects those.
fn has_metadata(request: &AdmissionRequest, object: &Json) -> bool {
    request.operation != Operation::Connect || object.get("metadata").is_some_and(Json::is_object)
}

fn labels(object: Option<&Json>) -> &Json {
    object.and_then(|object| object.get("metadata")?.get("labels")).unwrap_or(&Json::Null)
}

impl Rule {
    fn new(rule: &NamedRuleWithOperations) -> Self {
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        Self {
            groups: list(&rule.api_groups),
            versions: list(&rule.api_versions),
            resources: list(&rule.resources),
            operations: list(&rule.operations),
            names: list(&rule.resource_names),
            scope: rule.scope.clone().unwrap_or_else(|| "*".to_owned()),
        }
    }

    fn matches(&self, request: &AdmissionRequest, resource: &GroupVersionResource) -> bool {
        self.matches_scope(request, resource)
            && lists(&self.operations, request.operation.as_str())
            && lists(&self.groups, &resource.group)
            && lists(&self.versions, &resource.version)
            && self.resources.iter().any(|pattern| covers(pattern, &resource.resource, &request.sub_resource))
            && (self.names.is_empty() || self.names.contains(&request.name))
    }

    /// Namespaces are cluster-scoped although their requests carry a namespace.
    fn matches_scope(&self, request: &AdmissionRequest, resource: &GroupVersionResource) -> bool {
        let is_namespace = (&*resource.group, &*resource.version, &*resource.resource) == ("", "v1", "namespaces");
        let namespaced = !is_namespace && !request.namespace.is_empty();
        match self.scope.as_str() {
            "*" => true,
            "Namespaced" => namespaced,
            "Cluster" => !namespaced,
            _ => false,
        }
    }
}

fn lists(items: &[String], requested: &str) -> bool {
    items.iter().any(|item| item == "*" || item == requested)
}

/// `nodes` and `*` mean the main resource only; a subresource needs its own part in the pattern.
fn covers(pattern: &str, resource: &str, subresource: &str) -> bool {
    let (main, sub) = pattern.split_once('/').unwrap_or((pattern, ""));
    (main == "*" || main == resource) && (sub == "*" || sub == subresource)
}

/// Resources that no policy concerns: policies themselves, and the reviews of authentication and authorization
/// (`pkg/kubeapiserver/admission/exclusion`).
pub(crate) fn is_exempt(resource: &GroupVersionResource) -> bool {
    let resources: &[&str] = match resource.group.as_str() {
        "admissionregistration.k8s.io" => &[
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
        ],
        "authentication.k8s.io" => &["selfsubjectreviews", "tokenreviews"],
        "authorization.k8s.io" => &[
            "localsubjectaccessreviews",
            "selfsubjectaccessreviews",
            "selfsubjectrulesreviews",
            "subjectaccessreviews",
        ],
        _ => &[],
    };
    resources.contains(&resource.resource.as_str())
}
