//! A Kubernetes API server in one process: in memory, as a tower service and over HTTPS.
//!
//! Its measure is agreement with kube-apiserver: the same code, reason, message and resulting object for the same
//! request. What differs is told in the project's `docs/sandbox.md`, by direction.

pub mod adversity;
pub mod audit;
pub mod catalog;
pub mod crd;
pub mod discovery;
pub mod failure;
pub mod identity;
pub mod listing;
pub mod managed;
pub mod node_restriction;
pub mod objects;
pub mod openapi;
pub mod patch;
pub mod rbac;
pub mod resource;
pub mod schema;
pub mod selector;
pub mod server;
pub mod store;
pub mod strategy;
pub mod table;
pub mod validation;
pub mod webhook;

pub use failure::Failure;
pub use server::{Connection, Sandbox, Settings, StartError};
