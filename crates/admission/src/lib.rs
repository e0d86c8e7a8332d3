//! Evaluates any v1 `ValidatingAdmissionPolicy` with its bindings against an admission request, as kube-apiserver does:
//! what matches, what expressions see, what they may cost, which failure is reported with which text and code.
//!
//! Pure: no I/O, no clock; what a policy needs to know of the cluster is asked of a [`Cluster`].
//!
//! ```
//! use admission::{Binding, KubeVersion, NoCluster, Policy, Verdict, evaluate, reviews, status};
//! use serde_json::{from_value, json};
//!
//! let policy = from_value(json!({
//!     "metadata": {"name": "no-cordon"},
//!     "spec": {
//!         "matchConstraints": {"resourceRules": [
//!             {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]},
//!         ]},
//!         "validations": [{"expression": "object.spec == oldObject.spec", "message": "spec may not change", "reason": "Forbidden"}],
//!     },
//! }))?;
//! let policy = Policy::compile(&policy, KubeVersion::minor(36)).map_err(|errors| errors[0].to_string())?;
//!
//! let input = br#"{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
//!     "uid": "1", "operation": "UPDATE", "name": "n1", "userInfo": {"username": "me"},
//!     "kind": {"group": "", "version": "v1", "kind": "Node"},
//!     "resource": {"group": "", "version": "v1", "resource": "nodes"},
//!     "object": {"metadata": {"name": "n1"}, "spec": {"unschedulable": true}},
//!     "oldObject": {"metadata": {"name": "n1"}, "spec": {}}}}"#;
//! for review in reviews(input) {
//!     let request = review?.request;
//!     let report = evaluate(&policy, &[Binding::denying("no-cordon")], &request, &NoCluster);
//!     let Verdict::Deny(denial) = &report.verdict else { return Err("not denied".into()) };
//!     assert_eq!((denial.message.as_str(), denial.code()), ("spec may not change", 403));
//!     assert_eq!(status(&report.verdict, &request).unwrap_or_default()["reason"], "Forbidden");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | question | answer |
//! |---|---|
//! | would a server accept the policy, the binding? | [`Policy::compile`], [`Binding::check`]: its objections as [`FieldError`]s |
//! | what does one policy say, what do all? | [`evaluate`], [`evaluate_all`] |
//! | what would the client be told? | [`status()`] |
//! | what was asked in a recording? | [`reviews`] |
//!
//! Where this differs from a server, it errs towards an error, never towards a pass: authorization checks
//! (`authorizer`) are [`ErrorKind::Unsupported`], objects are seen only in the version that the request brings, and
//! what the [`Cluster`] does not know is a [`ErrorKind::Configuration`] error where it is needed.

pub mod cel;
pub mod cluster;
pub mod field_error;
pub mod matching;
pub mod names;
pub mod policy;
pub mod quote;
pub mod request;
pub mod review;
pub mod selector;
pub mod status;
pub mod verdict;
mod warning;

pub use cel::KubeVersion;
pub use cluster::{Cluster, KnownObjects, NoCluster};
pub use field_error::{FieldError, FieldErrorKind, FieldPath};
pub use policy::{Binding, FailurePolicy, Policy, evaluate, evaluate_all};
pub use request::{AdmissionRequest, Operation, UserInfo};
pub use review::{Review, ReviewError, ReviewProblem, reviews};
pub use status::status;
pub use verdict::{
    Action, Cost, Denial, ErrorKind, ExpressionCost, Finding, Mismatch, PolicyError, PolicyReport, Reason, Report,
    Verdict,
};
