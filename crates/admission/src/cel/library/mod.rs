//! Function libraries of Kubernetes and of the expression language's extensions.

use super::overload::Overload;

/// All overloads of all libraries, each with the versions that have it.
pub fn overloads() -> Vec<Overload> {
    Vec::new()
}
