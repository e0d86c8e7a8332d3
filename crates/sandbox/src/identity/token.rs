//! Service-account tokens: asked for by `TokenRequest`
//! (`k8s.io/kubernetes/pkg/registry/core/serviceaccount/storage/token.go`), minted, and recognized
//! (`k8s.io/kubernetes/pkg/serviceaccount/jwt.go`).

use admission::{FieldError, FieldPath, KubeVersion, UserInfo};
use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::authenticated;
use super::claims::{Bound, Claims, NODE_BINDING_SINCE, NODE_INFO_SINCE, Reference};
use super::service_account;
use super::signing::{KeyError, SigningKey};
use super::value::{quoted, quoted_list, text, texts, timestamp};
use crate::failure::Failure;
use crate::objects::Objects;
use crate::resource::GroupResource;

const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";
const DEFAULT_SECONDS: i64 = 60 * 60;
const MIN_SECONDS: i64 = 10 * 60;
const MAX_SECONDS: i64 = 1 << 32;
/// What kubelets ask for on behalf of Pods that never named a duration.
const INJECTED_SECONDS: i64 = 60 * 60 + 7;
/// How long such a token lasts.
const EXTENDED_SECONDS: i64 = 365 * 24 * 60 * 60;
/// From when on a wrong uid in the request is refused (`TokenRequestServiceAccountUIDValidation`).
const UID_CHECKED_SINCE: KubeVersion = KubeVersion::minor(34);
/// From when on the server knew of tokens bound to Nodes at all.
const NODE_BINDING_KNOWN_SINCE: KubeVersion = KubeVersion::minor(29);

/// Issues and recognizes tokens.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    issuer: String,
    audiences: Vec<String>,
    max_seconds: Option<i64>,
    version: KubeVersion,
}

/// A request for a token that has been found valid in itself; bound objects are looked at when it is minted.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    object: Value,
    account: Arc<Value>,
    warnings: Vec<String>,
}

/// A minted token.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The `TokenRequest` with its status.
    pub object: Value,
    /// Warnings to send along.
    pub warnings: Vec<String>,
    /// What the audit annotation `authentication.kubernetes.io/issued-credential-id` says.
    pub credential_id: Option<String>,
}

/// Who a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The user.
    pub user: UserInfo,
    /// The audiences that were asked for and are granted.
    pub audiences: Vec<String>,
}

impl TokenRequest {
    /// Checks and completes the body of a request for a token of an account.
    ///
    /// # Errors
    /// As the server refuses it: 400, 404, 409, 422.
    pub fn prepare(
        signer: &Signer,
        (namespace, name): (&str, &str),
        body: &Value,
        objects: &dyn Objects,
        now: i64,
    ) -> Result<Self, Failure> {
        check_names(namespace, name, body)?;
        let account = found(objects, "serviceaccounts", namespace, name)?;
        let mut warnings = Vec::new();
        if let Some(problem) = other_uid(body, &account) {
            if signer.version >= UID_CHECKED_SINCE {
                return Err(Failure::conflict(&GroupResource::new(GROUP, KIND), name, &problem));
            }
            warnings.extend((signer.version == UID_CHECKED_SINCE.previous()).then_some(problem));
        }
        let object = completed(body, &account, &signer.audiences, now);
        check_seconds(seconds(&object))?;
        Ok(Self { object, account, warnings })
    }

    /// The request as admission sees it.
    #[must_use]
    pub fn object(&self) -> &Value {
        &self.object
    }

    fn name(&self) -> &str {
        text(&self.account, "/metadata/name")
    }

    fn namespace(&self) -> &str {
        text(&self.account, "/metadata/namespace")
    }
}

fn check_names(namespace: &str, name: &str, body: &Value) -> Result<(), Failure> {
    let named = text(body, "/metadata/name");
    let namespaced = text(body, "/metadata/namespace");
    if !namespaced.is_empty() && namespaced != namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failure::bad_request(message));
    }
    if named.is_empty() || named == name {
        return Ok(());
    }
    let path = FieldPath::root("metadata").child("name");
    let error = FieldError::invalid(&path, named, "must match the service account name if specified");
    Err(Failure::invalid(GROUP, KIND, name, &[error]))
}

fn other_uid(body: &Value, account: &Value) -> Option<String> {
    let (asked, stored) = (text(body, "/metadata/uid"), text(account, "/metadata/uid"));
    let text =
        format!("the UID in the token request ({asked}) does not match the UID of the service account ({stored})");
    (!asked.is_empty() && asked != stored).then_some(text)
}

fn completed(body: &Value, account: &Value, audiences: &[String], now: i64) -> Value {
    let part = |name: &str| body.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let (mut metadata, mut spec) = (part("metadata"), part("spec"));
    for key in ["name", "namespace", "uid"] {
        set_default(&mut metadata, key, text(account, &format!("/metadata/{key}")).into());
    }
    metadata.insert("creationTimestamp".to_owned(), timestamp(now).into());
    set_default(&mut spec, "audiences", json!(audiences));
    set_default(&mut spec, "expirationSeconds", DEFAULT_SECONDS.into());
    spec.entry("boundObjectRef").or_insert(Value::Null);
    json!({"kind": KIND, "apiVersion": format!("{GROUP}/v1"), "metadata": metadata, "spec": spec,
        "status": {"token": "", "expirationTimestamp": null}})
}

fn set_default(map: &mut Map<String, Value>, key: &str, value: Value) {
    let is_empty = |old: &Value| old.is_null() || old.as_str() == Some("") || old.as_array().is_some_and(Vec::is_empty);
    if map.get(key).is_none_or(is_empty) {
        map.insert(key.to_owned(), value);
    }
}

/// The duration asked for; what is no whole number counts as none.
fn seconds(request: &Value) -> i64 {
    request.pointer("/spec/expirationSeconds").and_then(Value::as_i64).unwrap_or_default()
}

fn check_seconds(seconds: i64) -> Result<(), Failure> {
    let detail = match seconds {
        MIN_SECONDS..=MAX_SECONDS => return Ok(()),
        ..MIN_SECONDS => "may not specify a duration less than 10 minutes",
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let path = FieldPath::root("spec").child("expirationSeconds");
    Err(Failure::invalid(GROUP, KIND, "", &[FieldError::invalid_json(&path, &seconds, detail)]))
}

fn found(objects: &dyn Objects, resource: &str, namespace: &str, name: &str) -> Result<Arc<Value>, Failure> {
    let missing = || Failure::not_found(&GroupResource::new("", resource), name);
    objects.get("", resource, namespace, name).ok_or_else(missing)
}

impl Signer {
    /// Issues tokens in the name of `issuer`, by default for the audience of that name.
    #[must_use]
    pub fn new(key: SigningKey, issuer: &str, version: KubeVersion) -> Self {
        Self { key, issuer: issuer.to_owned(), audiences: vec![issuer.to_owned()], max_seconds: None, version }
    }

    /// Limits how long tokens last (`--service-account-max-token-expiration`).
    #[must_use]
    pub fn with_max_seconds(self, seconds: i64) -> Self {
        Self { max_seconds: Some(seconds), ..self }
    }

    /// The audiences of the server itself.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The document at `/.well-known/openid-configuration`; `address` is host and port.
    #[must_use]
    pub fn openid_configuration(&self, address: &str) -> Value {
        json!({"issuer": self.issuer, "jwks_uri": format!("https://{address}/openid/v1/jwks"),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"]})
    }

    /// The document at `/openid/v1/jwks`.
    #[must_use]
    pub fn public_keys(&self) -> Value {
        self.key.public_keys()
    }

    /// Mints the token that was asked for. `random` gives the bits of its identifier.
    ///
    /// # Errors
    /// As the server refuses it: 400, 404, 409; 500 if the machine gives no randomness.
    pub fn mint(
        &self,
        mut request: TokenRequest,
        objects: &dyn Objects,
        now: i64,
        random: &mut dyn FnMut() -> u128,
    ) -> Result<Issued, Failure> {
        let mut bound = self.bound(&request, objects)?;
        self.cap(&mut request);
        let asked = seconds(&request.object);
        let lasting = if self.is_extended(&request, &bound) { EXTENDED_SECONDS } else { asked };
        bound.warnafter = (lasting != asked).then_some(now.saturating_add(asked));
        let jti = if self.version >= NODE_INFO_SINCE { identifier(random()) } else { String::new() };
        let claims = self.claims(&request, bound, (now, lasting), &jti);
        let token = self.signed(&claims)?;
        let ends = timestamp(now.saturating_add(asked));
        let TokenRequest { mut object, warnings, .. } = request;
        object["status"] = json!({"token": token, "expirationTimestamp": ends});
        Ok(Issued { object, warnings, credential_id: (!jti.is_empty()).then(|| format!("JTI={jti}")) })
    }

    fn cap(&self, request: &mut TokenRequest) {
        let asked = seconds(&request.object);
        if let Some(max) = self.max_seconds.filter(|max| asked > *max) {
            let warning = format!("requested expiration of {asked} seconds shortened to {max} seconds");
            request.warnings.push(warning);
            request.object["spec"]["expirationSeconds"] = max.into();
        }
    }

    /// Tokens that a kubelet asks for by default last longer, so that clients which never renew them go on working.
    fn is_extended(&self, request: &TokenRequest, bound: &Bound) -> bool {
        let own = |audience: &str| self.audiences.iter().any(|known| known == audience);
        bound.pod.is_some()
            && seconds(&request.object) == INJECTED_SECONDS
            && texts(&request.object, "/spec/audiences").all(own)
    }

    fn claims(&self, request: &TokenRequest, bound: Bound, (now, lasting): (i64, i64), jti: &str) -> Claims {
        Claims {
            iss: self.issuer.clone(),
            sub: service_account::username(request.namespace(), request.name()),
            aud: texts(&request.object, "/spec/audiences").map(str::to_owned).collect(),
            exp: now.saturating_add(lasting),
            iat: now,
            nbf: now,
            jti: jti.to_owned(),
            bound,
        }
    }

    fn signed(&self, claims: &Claims) -> Result<String, Failure> {
        let refused = |error: &dyn std::fmt::Display| {
            Failure::internal(format!("Internal error occurred: failed to generate token: {error}"))
        };
        let claims = serde_json::to_value(claims).map_err(|error| refused(&error))?;
        self.key.sign(&claims).map_err(|error: KeyError| refused(&error))
    }

    fn bound(&self, request: &TokenRequest, objects: &dyn Objects) -> Result<Bound, Failure> {
        let mut bound = Bound {
            namespace: request.namespace().to_owned(),
            serviceaccount: Reference::to(&request.account),
            ..Bound::default()
        };
        let Some(reference) = request.object.pointer("/spec/boundObjectRef").filter(|value| !value.is_null()) else {
            return Ok(bound);
        };
        let (api_version, kind) = (text(reference, "/apiVersion"), text(reference, "/kind"));
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let name = text(reference, "/name");
        let uid = match (group, kind) {
            ("", "Pod") => self.bind_pod(&mut bound, request, name, objects)?,
            ("", "Node") if self.version >= NODE_BINDING_KNOWN_SINCE => self.bind_node(&mut bound, name, objects)?,
            ("", "Secret") => bind(&mut bound.secret, &*found(objects, "secrets", request.namespace(), name)?),
            _ => return Err(unbindable(api_version, kind)),
        };
        check_uid(group, kind, name, text(reference, "/uid"), &uid)?;
        Ok(bound)
    }

    fn bind_pod(
        &self,
        bound: &mut Bound,
        request: &TokenRequest,
        name: &str,
        objects: &dyn Objects,
    ) -> Result<String, Failure> {
        let pod = found(objects, "pods", request.namespace(), name)?;
        if text(&pod, "/spec/serviceAccountName") != request.name() {
            let account = quoted(request.name());
            let message = format!(
                "cannot bind token for serviceaccount {account} to pod running with different serviceaccount name."
            );
            return Err(Failure::bad_request(message));
        }
        let node = text(&pod, "/spec/nodeName");
        if self.version >= NODE_INFO_SINCE && !node.is_empty() {
            let unknown = || Reference { name: node.to_owned(), uid: String::new() };
            let known = objects.get("", "nodes", "", node).map(|node| Reference::to(&node));
            bound.node = Some(known.unwrap_or_else(unknown));
        }
        Ok(bind(&mut bound.pod, &pod))
    }

    fn bind_node(&self, bound: &mut Bound, name: &str, objects: &dyn Objects) -> Result<String, Failure> {
        if self.version < NODE_BINDING_SINCE {
            let message =
                "cannot bind token to a Node object as the \"ServiceAccountTokenNodeBinding\" feature-gate is disabled";
            return Err(Failure::bad_request(message));
        }
        Ok(bind(&mut bound.node, &*found(objects, "nodes", "", name)?))
    }

    /// Who a token stands for: signature, issuer, audience, time, and everything that it is bound to.
    ///
    /// # Errors
    /// The server's text if it is not accepted, for `TokenReview`.
    pub fn examine(
        &self,
        token: &str,
        audiences: &[String],
        objects: &dyn Objects,
        now: i64,
    ) -> Result<Authenticated, String> {
        let claims = self.key.verify(token, &self.issuer).map_err(|error| error.to_string())?;
        let claims: Claims = serde_json::from_value(claims).map_err(|_| unreadable())?;
        let audiences = self.granted(&claims, audiences)?;
        claims.check(objects, self.version, now)?;
        Ok(Authenticated { user: authenticated(claims.user(self.version)), audiences })
    }

    /// The user that a token stands for; `None` (401) if it is not accepted.
    #[must_use]
    pub fn authenticate(&self, token: &str, audiences: &[String], objects: &dyn Objects, now: i64) -> Option<UserInfo> {
        self.examine(token, audiences, objects, now).ok().map(|authenticated| authenticated.user)
    }

    fn granted(&self, claims: &Claims, wanted: &[String]) -> Result<Vec<String>, String> {
        let wanted = if wanted.is_empty() { &self.audiences } else { wanted };
        let granted: Vec<String> = wanted.iter().filter(|audience| claims.aud.contains(audience)).cloned().collect();
        if granted.is_empty() {
            let (own, wanted) = (quoted_list(&claims.aud), quoted_list(wanted));
            return Err(format!("token audiences {own} is invalid for the target audiences {wanted}"));
        }
        Ok(granted)
    }
}

fn unreadable() -> String {
    "service account token claims could not be validated due to unexpected validation error".to_owned()
}

fn bind(place: &mut Option<Reference>, object: &Value) -> String {
    let reference = Reference::to(object);
    let uid = reference.uid.clone();
    *place = Some(reference);
    uid
}

fn unbindable(api_version: &str, kind: &str) -> Failure {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Failure::bad_request(format!("cannot bind token to object of type {group}/{version}, Kind={kind}"))
}

fn check_uid(group: &str, kind: &str, name: &str, asked: &str, stored: &str) -> Result<(), Failure> {
    if asked.is_empty() || asked == stored {
        return Ok(());
    }
    let why = format!(
        "the UID in the bound object reference ({asked}) does not match the UID in record. \
         The object might have been deleted and then recreated"
    );
    Err(Failure::conflict(&GroupResource::new(group, kind), name, &why))
}

/// A random UUID (RFC 9562, version 4).
fn identifier(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests;
