//! Marks that somebody has taken back, so that two do not write one label in turns.
//!
//! Where agents write their Nodes themselves, one whose pod is not ready may go on saying that its node is fine. It is
//! marked once for each silence; after that the last word is the agent's.

use std::collections::HashMap;

use crate::liveness::Name;

/// What became of the marks of silent nodes.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    marks: HashMap<Name, Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Stands,
    TakenBack,
}

impl Latch {
    /// A Node was seen, silent or not, with or without the mark. Says whether its mark has just been taken back.
    pub fn see(&mut self, node: &Name, silent: bool, is_marked: bool) -> bool {
        match (silent, is_marked, self.marks.get(node)) {
            (false, _, _) => {
                self.marks.remove(node);
                false
            }
            (true, true, None) => {
                self.marks.insert(node.clone(), Mark::Stands);
                false
            }
            (true, false, Some(Mark::Stands)) => {
                self.marks.insert(node.clone(), Mark::TakenBack);
                true
            }
            _ => false,
        }
    }

    /// Whether somebody else had the last word on the mark of this node.
    pub fn is_taken_back(&self, node: &str) -> bool {
        self.marks.get(node) == Some(&Mark::TakenBack)
    }

    /// The silence has ended, or the Node is another one.
    pub fn forget(&mut self, node: &str) {
        self.marks.remove(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_taken_back_once_for_each_silence() {
        let (mut latch, node) = (Latch::default(), Name::from("n"));
        assert!(!latch.see(&node, true, false), "it is not there yet");
        assert!(!latch.see(&node, true, true) && !latch.is_taken_back("n"));
        assert!(latch.see(&node, true, false) && latch.is_taken_back("n"));
        assert!(!latch.see(&node, true, false), "told once");
        assert!(!latch.see(&node, true, true) && latch.is_taken_back("n"), "whoever marks it now, it is not us");
        assert!(!latch.see(&node, false, false) && !latch.is_taken_back("n"), "the silence is over");
        assert!(latch.marks.is_empty());
    }
}
