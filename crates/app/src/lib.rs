//! What every long-running program of nodebound has around it.
//!
//! | module | holds |
//! |---|---|
//! | [`program`] | from a command line to an exit code |
//! | [`log`] | one line for each thing on standard error, as text or as JSON |
//! | [`endpoints`] | `/metrics`, `/healthz` and `/readyz` on a port |
//! | [`election`] | which of several programs leads |
//! | [`signals`] | SIGTERM and SIGINT, as they come |

pub mod election;
pub mod endpoints;
pub mod log;
pub mod program;
pub mod signals;

use clap::Args;
use std::net::SocketAddr;

/// The flags that every program has.
#[derive(Clone, Debug, Args)]
pub struct Flags {
    /// What to log
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = log::Level::Info)]
    pub log_level: log::Level,
    /// How to log it
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = log::Format::Text)]
    pub log_format: log::Format,
    /// Serve /metrics, /healthz and /readyz here
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
}
