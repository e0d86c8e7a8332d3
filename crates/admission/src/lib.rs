//! Evaluates any v1 `ValidatingAdmissionPolicy` with its bindings against an admission request, as kube-apiserver does.

pub mod cel;
pub mod cluster;
pub mod field_error;
pub mod matching;
mod names;
pub mod policy;
mod quote;
pub mod request;
pub mod review;
pub mod selector;
pub mod status;
pub mod verdict;
mod warning;

pub use cel::KubeVersion;
pub use cluster::{Cluster, KnownObjects, NoCluster};
pub use field_error::{FieldError, FieldErrorKind};
pub use policy::{Binding, FailurePolicy, Policy, evaluate, evaluate_all};
pub use request::{AdmissionRequest, Operation, UserInfo};
pub use review::{Review, ReviewError, ReviewProblem, reviews};
pub use status::status;
pub use verdict::{Action, Denial, ErrorKind, Mismatch, PolicyError, PolicyReport, Reason, Report, Verdict};
