//! The server's time: the wall clock at its start, moved on by tokio's clock, so that a paused test pauses it too.

use chrono::{DateTime, SecondsFormat, Utc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// A clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Since the Unix epoch.
    began: Duration,
    at: Instant,
}

impl Clock {
    /// A clock that shows the system's time now.
    #[must_use]
    pub fn system() -> Self {
        Self::starting_at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// A clock that shows this time since the Unix epoch now.
    #[must_use]
    pub fn starting_at(began: Duration) -> Self {
        Self { began, at: Instant::now() }
    }

    fn now(&self) -> Duration {
        self.began.saturating_add(self.at.elapsed())
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        i64::try_from(self.now().as_secs()).unwrap_or(i64::MAX)
    }

    /// The time as `creationTimestamp` has it: RFC 3339, whole seconds.
    #[must_use]
    pub fn timestamp(&self) -> String {
        self.moment().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// The time as audit events have it: RFC 3339 with microseconds.
    #[must_use]
    pub fn precise(&self) -> String {
        self.moment().to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    fn moment(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.seconds(), self.now().subsec_nanos()).unwrap_or_default()
    }
}
