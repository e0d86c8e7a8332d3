//! Policies and bindings against requests: the behaviour of kube-apiserver 1.36, row by row.

mod creation;
mod evaluation;
mod fixture;
mod matching;
mod params;
mod robustness;
