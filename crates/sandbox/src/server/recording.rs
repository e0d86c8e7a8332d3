//! Where the audit log is written to.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// A writer of audit events; copies write to the same place.
#[derive(Clone)]
pub struct Recording(Arc<Mutex<Box<dyn Write + Send>>>);

impl std::fmt::Debug for Recording {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Recording")
    }
}

impl Recording {
    /// Writes to a file, or whatever else takes bytes.
    #[must_use]
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(writer))))
    }

    /// Writes one line. A log that cannot be written stops nothing.
    pub(super) fn write(&self, line: &str) {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writer.write_all(line.as_bytes()).and_then(|()| writer.write_all(b"\n"));
    }
}
