//! Evaluates any v1 `ValidatingAdmissionPolicy` with its binding against an admission request, as kube-apiserver does.

pub mod cel;
