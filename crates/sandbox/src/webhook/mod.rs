//! Validating webhooks: which are to be asked about a request, and what they say
//! (`staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook`).

mod ask;
mod exchange;

use admission::{AdmissionRequest, Binding, KubeVersion, NoCluster, Policy, Verdict, evaluate};
use k8s_openapi::api::admissionregistration::v1 as api;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use ask::ask;

/// Where services of the cluster are really reached: `namespace/name` to `host:port`.
pub type Services = BTreeMap<String, String>;

/// A webhook that is to be asked.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its name, which messages mention.
    name: String,
    address: Address,
    patience: Duration,
    /// What if it does not answer.
    lenient: bool,
    /// Whether it may be asked about dry runs.
    harmless: bool,
}

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    /// What messages call it.
    url: String,
    /// Where to connect to.
    host: String,
    /// What its certificate is for.
    server_name: String,
    path: String,
    /// Who vouches for it, as PEM; nobody does if it is empty.
    authorities: Vec<u8>,
}

/// The webhooks of these configurations that match a request, in their order.
#[must_use]
pub fn due(
    configurations: &[Arc<Value>],
    request: &AdmissionRequest,
    namespace: &Value,
    services: &Services,
) -> Vec<Due> {
    let read = configurations
        .iter()
        .filter_map(|object| serde_json::from_value::<api::ValidatingWebhookConfiguration>(Value::clone(object)).ok());
    let hooks = read.flat_map(|configuration| configuration.webhooks.unwrap_or_default());
    hooks.filter(|hook| wants(hook, request, namespace)).map(|hook| to_due(hook, services)).collect()
}

fn to_due(hook: api::ValidatingWebhook, services: &Services) -> Due {
    let patience = hook.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(10);
    Due {
        address: Address::of(&hook.client_config, services, patience),
        patience: Duration::from_secs(patience),
        lenient: hook.failure_policy.as_deref() == Some("Ignore"),
        harmless: matches!(hook.side_effects.as_str(), "None" | "NoneOnDryRun"),
        name: hook.name,
    }
}

impl Address {
    fn of(config: &api::WebhookClientConfig, services: &Services, patience: u64) -> Self {
        let authorities = config.ca_bundle.as_ref().map(|bytes| bytes.0.clone()).unwrap_or_default();
        if let Some(service) = &config.service {
            let port = service.port.unwrap_or(443);
            let server_name = format!("{}.{}.svc", service.name, service.namespace);
            let real = services.get(&format!("{}/{}", service.namespace, service.name)).cloned();
            let path = service.path.clone().unwrap_or_else(|| "/".to_owned());
            let url = format!("https://{server_name}:{port}{path}?timeout={patience}s");
            let host = real.unwrap_or_else(|| format!("{server_name}:{port}"));
            return Self { url, host, server_name, path, authorities };
        }
        let url = config.url.clone().unwrap_or_default();
        let rest = url.strip_prefix("https://").unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (server_name, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
        Self {
            url: format!("{url}?timeout={patience}s"),
            host: format!("{server_name}:{port}"),
            server_name: server_name.trim_matches(['[', ']']).to_owned(),
            path: format!("/{path}"),
            authorities,
        }
    }
}

/// Whether a webhook matches. Its rules, selectors and conditions mean what those of a policy mean, so a policy that
/// refuses everything that it matches tells.
fn wants(hook: &api::ValidatingWebhook, request: &AdmissionRequest, namespace: &Value) -> bool {
    let selected = hook.namespace_selector.as_ref().is_none_or(|selector| {
        let own = admission::selector::Selector::new(selector);
        request.namespace.is_empty() || own.is_ok_and(|selector| selector.matches(namespace))
    });
    if !selected {
        return false;
    }
    let policy = Policy::stored(&as_policy(hook), KubeVersion::minor(36));
    let report = evaluate(&policy, &[Binding::denying(&hook.name)], request, &NoCluster);
    match report.verdict {
        Verdict::NotMatched(_) => false,
        // Conditions that fail refuse, or are passed over, as the webhook itself would.
        Verdict::Error(_) => hook.failure_policy.as_deref() != Some("Ignore"),
        _ => true,
    }
}

fn as_policy(hook: &api::ValidatingWebhook) -> api::ValidatingAdmissionPolicy {
    let rules = hook.rules.clone().unwrap_or_default().into_iter().map(|rule| api::NamedRuleWithOperations {
        api_groups: rule.api_groups,
        api_versions: rule.api_versions,
        operations: rule.operations,
        resources: rule.resources,
        scope: rule.scope,
        resource_names: None,
    });
    let constraints = api::MatchResources {
        resource_rules: Some(rules.collect()),
        object_selector: hook.object_selector.clone(),
        match_policy: hook.match_policy.clone(),
        ..api::MatchResources::default()
    };
    let refuse = api::Validation { expression: "false".to_owned(), ..api::Validation::default() };
    let spec = api::ValidatingAdmissionPolicySpec {
        match_constraints: Some(constraints),
        match_conditions: hook.match_conditions.clone(),
        validations: Some(vec![refuse]),
        failure_policy: Some("Fail".to_owned()),
        ..api::ValidatingAdmissionPolicySpec::default()
    };
    let metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        name: Some(hook.name.clone()),
        ..Default::default()
    };
    api::ValidatingAdmissionPolicy { metadata, spec: Some(spec), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn request() -> AdmissionRequest {
        from_value(json!({"uid": "u", "operation": "UPDATE", "name": "n1", "namespace": "a",
            "userInfo": {"username": "me"},
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "object": {"metadata": {"name": "n1", "labels": {"own": "yes"}}},
            "oldObject": {"metadata": {"name": "n1"}}}))
        .expect("is a request")
    }

    fn matches(change: impl Fn(&mut Value)) -> bool {
        let mut hook = json!({"name": "a.b.c", "clientConfig": {"url": "https://h/p"}, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "rules": [{"apiGroups": [""], "apiVersions": ["v1"],
            "operations": ["UPDATE"], "resources": ["pods"]}]});
        change(&mut hook);
        let configuration = json!({"metadata": {"name": "c"}, "webhooks": [hook]});
        !due(&[Arc::new(configuration)], &request(), &json!({"env": "x"}), &Services::new()).is_empty()
    }

    #[test]
    fn rules_selectors_and_conditions_narrow() {
        assert!(matches(|_| {}));
        assert!(!matches(|hook| hook["rules"][0]["operations"] = json!(["CREATE"])));
        assert!(!matches(|hook| hook["rules"][0]["resources"] = json!(["pods/status"])));
        assert!(matches(|hook| hook["objectSelector"] = json!({"matchLabels": {"own": "yes"}})));
        assert!(!matches(|hook| hook["objectSelector"] = json!({"matchLabels": {"own": "no"}})));
        assert!(matches(|hook| hook["namespaceSelector"] = json!({"matchLabels": {"env": "x"}})));
        assert!(!matches(|hook| hook["namespaceSelector"] = json!({"matchLabels": {"env": "y"}})));
        let conditions = |expression: &'static str| {
            move |hook: &mut Value| hook["matchConditions"] = json!([{"name": "c", "expression": expression}])
        };
        assert!(matches(conditions("request.name == 'n1'")));
        assert!(!matches(conditions("request.name == 'n2'")));
        assert!(matches(conditions("object.nope == 1")), "what cannot be decided is asked");
    }

    #[test]
    fn addresses_are_taken_apart() {
        let services = Services::from([("a/b".to_owned(), "127.0.0.1:9".to_owned())]);
        let url = |url: &str| from_value(json!({"url": url})).expect("is a client config");
        let address = Address::of(&url("https://example.com/x/y"), &services, 5);
        assert_eq!((&*address.host, &*address.path), ("example.com:443", "/x/y"));
        assert_eq!(address.url, "https://example.com/x/y?timeout=5s");
        let service = from_value(json!({"service": {"namespace": "a", "name": "b", "path": "/v"}})).expect("is one");
        let address = Address::of(&service, &services, 5);
        assert_eq!((&*address.host, &*address.server_name), ("127.0.0.1:9", "b.a.svc"));
    }
}
