//! What is written on a Node, and what is not, and why: one function, liveness included, so that no two loops fight over
//! one label.
//!
//! Where a publication cannot be had, or is no good as a whole, what stands on the Node stays.

use ownership::Profile;
use ownership::matcher::Owned;
use ownership::publication::{Attributed, Claimed, Guarded, Keys, NodePatch, Permitted, Publication, Refusal, diff};
use ownership::request::{Object, Texts};
use std::collections::BTreeMap;
use std::fmt;

use crate::liveness::Verdict;

/// Everything on which the decision depends.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Who the agent is and what it owns.
    pub profile: &'a Profile,
    /// The Node: name, UID, and of its labels and annotations at least those that the agent owns or we wrote.
    pub node: Object<'a>,
    /// What we wrote there.
    pub written: &'a Written,
    /// What the agent published.
    pub published: Published<'a>,
    /// Whether the guard has been seen to bind publications to their nodes.
    pub guarded: Option<&'a Guarded>,
    /// Whether the node is alive.
    pub verdict: Verdict,
    /// Whether somebody else has taken the mark of this silence back.
    pub taken_back: bool,
}

/// What we wrote on a Node, by the way in which we did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// By server-side apply: what is left out of the next one, the server removes.
    pub applied: Keys,
    /// In another way, or by somebody whose work we took over: it has to be removed by name.
    pub otherwise: Keys,
}

/// What an agent published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published<'a> {
    /// Nothing, by design: the agent writes its Node itself.
    Itself,
    /// Nothing yet.
    Nothing,
    /// So much that it is not even kept.
    TooMuch(Size),
    /// This.
    This(&'a Publication),
}

/// How large something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size {
    /// Keys.
    pub keys: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

/// Why what stands on a Node stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Held {
    /// There is no publication.
    NothingPublished,
    /// The guard has not been seen to refuse.
    NotGuarded,
    /// The publication is larger than any agent's.
    TooMuch(Size),
    /// More owned keys would vanish than may.
    TooManyRemoved(usize),
    /// There would be more owned metadata than there may be.
    TooLarge(Size),
}

impl Held {
    /// One word of a bounded set, for metrics and Events.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NothingPublished => "nothing-published",
            Self::NotGuarded => "not-guarded",
            Self::TooMuch(_) => "too-much",
            Self::TooManyRemoved(_) | Self::TooLarge(_) => "limits",
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingPublished => f.write_str("the agent has published nothing yet"),
            Self::NotGuarded => f.write_str("the guard has not been seen to refuse what comes from other nodes"),
            Self::TooMuch(Size { keys, bytes }) => {
                write!(f, "the publication of {keys} keys and {bytes} bytes is larger than any agent's")
            }
            Self::TooManyRemoved(keys) => write!(f, "{keys} owned keys would vanish, more than the profile allows"),
            Self::TooLarge(Size { keys, bytes }) => {
                write!(f, "{keys} owned keys with {bytes} bytes are more than the profile allows")
            }
        }
    }
}

/// How a patch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As a server-side apply of everything that is ours.
    Apply,
    /// As a merge patch of what differs: a key is to go that we did not apply.
    Merge,
}

/// What is to be done with a Node.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// What is to be written, if anything.
    pub patch: Option<(NodePatch, Way)>,
    /// Keys that were left out of the publication.
    pub left_out: Vec<Refusal>,
    /// Why the publication was not taken.
    pub held: Option<Held>,
    /// Whether the Node is to have the mark of a silent one.
    pub marked: bool,
}

/// What is to be done with a Node.
#[must_use]
pub fn desired(given: &Given<'_>) -> Desired {
    let written = given.written.all();
    let (wanted, left_out, held) = match wanted(given, &written) {
        Ok((wanted, left_out)) => (wanted, left_out, None),
        Err(held) => (standing(given, &written), Vec::new(), held),
    };
    let marked = is_marked(given, &written);
    let wanted = if marked { wanted.marked(given.profile) } else { wanted };
    let patch = diff(given.profile, &wanted, given.node, &written);
    let patch = patch.map(|patch| {
        let way = way(&patch, &given.written.otherwise);
        (patch, way)
    });
    Desired { patch, left_out, held, marked }
}

fn wanted(given: &Given<'_>, written: &Keys) -> Result<(Permitted, Vec<Refusal>), Option<Held>> {
    let publication = match given.published {
        Published::Itself => return Err(None),
        Published::Nothing => return Err(Some(Held::NothingPublished)),
        Published::TooMuch(size) => return Err(Some(Held::TooMuch(size))),
        Published::This(publication) => publication.clone(),
    };
    let attributed = Claimed::new(given.node.name(), publication).vouched(given.profile, given.guarded);
    let (wanted, left_out) = attributed.map_err(|_| Some(Held::NotGuarded))?.permit(given.profile);
    match over_limits(given, &wanted, written) {
        Some(held) => Err(Some(held)),
        None => Ok((wanted, left_out)),
    }
}

/// What stands on the Node, but for a mark of ours whose time is over.
fn standing(given: &Given<'_>, written: &Keys) -> Permitted {
    let mut kept = written.clone();
    let mark = given.profile.spec().liveness.as_ref().map(|liveness| &liveness.mark);
    let over = mark.filter(|_| given.verdict == Verdict::Alive);
    let over = over.filter(|mark| given.node.labels().get(&mark.label) == Some(&*mark.value));
    if let Some(mark) = over {
        kept.labels.remove(&mark.label);
    }
    Attributed::standing(given.node, &kept).permit(given.profile).0
}

/// A silent node is marked. While nothing is known of it, a mark of ours stays.
fn is_marked(given: &Given<'_>, written: &Keys) -> bool {
    let Some(liveness) = &given.profile.spec().liveness else { return false };
    let mark = &liveness.mark;
    match given.verdict {
        Verdict::Silent => !given.taken_back,
        Verdict::Alive => false,
        Verdict::Unknown => {
            written.labels.contains(&mark.label) && given.node.labels().get(&mark.label) == Some(&*mark.value)
        }
    }
}

fn over_limits(given: &Given<'_>, wanted: &Permitted, written: &Keys) -> Option<Held> {
    let limits = given.profile.limits();
    let Publication { labels, annotations } = wanted.publication();
    let halves = [
        Half::of(given.profile.labels(), given.node.labels(), labels, |key| written.labels.contains(key)),
        Half::of(given.profile.annotations(), given.node.annotations(), annotations, |key| {
            written.annotations.contains(key)
        }),
    ];
    let [before, after] = [halves[0].before.and(halves[1].before), halves[0].after.and(halves[1].after)];
    let removed = halves[0].removed + halves[1].removed;
    let above = |limit: Option<u32>, after: usize, before: usize| {
        limit.is_some_and(|limit| after > usize::try_from(limit).unwrap_or(usize::MAX) && after > before)
    };
    if above(limits.removed_keys, removed, 0) {
        Some(Held::TooManyRemoved(removed))
    } else if above(limits.owned_keys, after.keys, before.keys) || above(limits.owned_bytes, after.bytes, before.bytes)
    {
        Some(Held::TooLarge(after))
    } else {
        None
    }
}

/// Owned labels, or owned annotations.
struct Half {
    before: Size,
    after: Size,
    removed: usize,
}

impl Half {
    fn of(owned: &Owned, present: Texts<'_>, wanted: &BTreeMap<String, String>, ours: impl Fn(&str) -> bool) -> Self {
        let mut half = Self { before: Size::default(), after: Size::default(), removed: 0 };
        for (key, value) in present.iter().filter(|(key, _)| owned.owns(key)) {
            half.before.add(key, value);
            match wanted.contains_key(key) {
                true => {}
                false if ours(key) => half.removed += 1,
                false => half.after.add(key, value),
            }
        }
        wanted.iter().for_each(|(key, value)| half.after.add(key, value));
        half
    }
}

impl Size {
    /// One more key.
    pub fn add(&mut self, key: &str, value: &str) {
        self.keys = self.keys.saturating_add(1);
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(value.len());
    }

    fn and(self, other: Self) -> Self {
        Self { keys: self.keys.saturating_add(other.keys), bytes: self.bytes.saturating_add(other.bytes) }
    }
}

impl Written {
    /// All of it.
    #[must_use]
    pub fn all(&self) -> Keys {
        let Self { applied, otherwise } = self;
        Keys {
            labels: applied.labels.union(&otherwise.labels).cloned().collect(),
            annotations: applied.annotations.union(&otherwise.annotations).cloned().collect(),
        }
    }
}

fn way(patch: &NodePatch, otherwise: &Keys) -> Way {
    let label = patch.labels().iter().any(|(key, value)| value.is_none() && otherwise.labels.contains(key));
    let annotation =
        patch.annotations().iter().any(|(key, value)| value.is_none() && otherwise.annotations.contains(key));
    if label || annotation { Way::Merge } else { Way::Apply }
}

#[cfg(test)]
#[path = "desired_tests.rs"]
mod tests;
