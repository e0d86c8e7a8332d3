//! Reading fields that may not be there.

use serde_json::Value;

/// Read access by JSON pointers (RFC 6901); what is not there is its type's zero value.
pub(super) trait Read {
    fn text(&self, pointer: &str) -> &str;
    fn whole(&self, pointer: &str) -> i64;
    fn truth(&self, pointer: &str) -> bool;
    fn items(&self, pointer: &str) -> &[Value];
    fn size(&self, pointer: &str) -> usize;
    /// The text, or what stands for none.
    fn text_or<'v>(&'v self, pointer: &str, none: &'v str) -> &'v str;
}

impl Read for Value {
    fn text(&self, pointer: &str) -> &str {
        self.pointer(pointer).and_then(Self::as_str).unwrap_or_default()
    }

    fn whole(&self, pointer: &str) -> i64 {
        self.pointer(pointer).and_then(Self::as_i64).unwrap_or_default()
    }

    fn truth(&self, pointer: &str) -> bool {
        self.pointer(pointer).and_then(Self::as_bool).unwrap_or_default()
    }

    fn items(&self, pointer: &str) -> &[Value] {
        self.pointer(pointer).and_then(Self::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn size(&self, pointer: &str) -> usize {
        match self.pointer(pointer) {
            Some(Self::Array(items)) => items.len(),
            Some(Self::Object(fields)) => fields.len(),
            _ => 0,
        }
    }

    fn text_or<'v>(&'v self, pointer: &str, none: &'v str) -> &'v str {
        match self.text(pointer) {
            "" => none,
            text => text,
        }
    }
}
