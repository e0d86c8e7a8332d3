//! The warnings of one response, limited as the API server limits its `Warning` headers
//! (`apiserver/pkg/endpoints/filters/warning.go`).

use std::collections::HashSet;

/// Total length in characters beyond which warnings are cut.
const TOTAL: usize = 4096;
/// Length in characters that each warning is cut to then.
const ITEM: usize = 256;

/// Collects warnings: each text once, all of them whole if they are short enough, otherwise each one cut and later
/// ones dropped.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    seen: HashSet<String>,
    ordered: Vec<String>,
    written: Vec<String>,
    length: usize,
    cutting: bool,
}

impl Warnings {
    pub(crate) fn add(&mut self, text: &str) {
        let full = self.cutting && self.length >= TOTAL;
        if text.is_empty() || full || !self.seen.insert(text.to_owned()) {
            return;
        }
        // Texts with control characters cannot be put into a header, and are left out without a trace.
        if text.contains(char::is_control) {
            return;
        }
        self.ordered.push(text.to_owned());
        if self.cutting || self.length.saturating_add(text.chars().count()) <= TOTAL {
            self.write(text);
        } else {
            self.rewrite_cut();
        }
    }

    pub(crate) fn into_texts(self) -> Vec<String> {
        self.written
    }

    fn rewrite_cut(&mut self) {
        self.cutting = true;
        self.length = 0;
        self.written.clear();
        for text in std::mem::take(&mut self.ordered) {
            self.write(&text);
        }
    }

    fn write(&mut self, text: &str) {
        let limit = if self.cutting { ITEM } else { usize::MAX };
        let text: String = text.chars().take(limit).collect();
        self.length = self.length.saturating_add(text.chars().count());
        self.written.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(texts: &[String]) -> Vec<String> {
        let mut warnings = Warnings::default();
        texts.iter().for_each(|text| warnings.add(text));
        warnings.into_texts()
    }

    #[test]
    fn short_warnings_stay_whole_and_single() {
        let texts = ["a", "b", "a", "", "c\nd"].map(str::to_owned);
        assert_eq!(collect(&texts), ["a", "b"]);
        assert_eq!(collect(&["é".repeat(TOTAL)]), ["é".repeat(TOTAL)]);
    }

    #[test]
    fn long_warnings_are_cut_from_the_first_on() {
        let texts: Vec<_> = (0..40).map(|n| format!("{n:02}{}", "x".repeat(498))).collect();
        let cut = collect(&texts);
        assert_eq!(cut.len(), TOTAL / ITEM);
        assert!(cut.iter().all(|text| text.chars().count() == ITEM));
        assert!(cut[0].starts_with("00") && cut[15].starts_with("15"));
    }
}
