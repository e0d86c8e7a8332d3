//! Which nodes are silent: a state for each node, on the observer's clock.
//!
//! A sign of life is a *change* that was seen, never a time that somebody wrote: a clock that is fast or slow changes
//! nothing, a frozen heartbeat is none, and neither is one that does not parse. A node that is due is a suspect, and is
//! looked at afresh before it counts as silent. What could not be seen is nobody's silence: a short gap in the
//! observation does not count, and after a long one, or a start, every node has its whole time again.
//!
//! Time is a duration since some beginning. Nothing here waits.

use k8s_openapi::jiff::Timestamp;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

/// The time over which marks are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// The name of a Node, shared.
pub type Name = Arc<str>;

/// How nodes are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long an agent may be silent.
    pub timeout: Duration,
    /// The longest gap in the observation after which time just goes on.
    pub gap: Duration,
    /// At most so many nodes become silent in a minute.
    pub marks: usize,
}

impl Settings {
    /// With this timeout, gaps of up to a minute, and ten nodes a minute.
    #[must_use]
    pub fn with_timeout(timeout: Duration) -> Self {
        Self { timeout, gap: Duration::from_secs(60), marks: 10 }
    }
}

/// What there is to be seen of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign<'a> {
    /// Nothing.
    None,
    /// Nothing, on a node on which there once was an agent.
    Missing,
    /// A heartbeat, as it is written.
    Beat(&'a str),
    /// The agent's pod is ready.
    Ready,
    /// The agent's pod is not ready.
    Unready,
    /// The agent's pod is about to end.
    Leaving,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing yet: no sign of life has been seen, or no silence that lasted.
    #[default]
    Unknown,
    /// There was a sign of life, and no silence since.
    Alive,
    /// It has been silent for too long.
    Silent,
}

/// What becomes of a suspect at which one has looked afresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It is silent.
    Silent,
    /// Too many nodes became silent in the last minute: it has to wait.
    Limited,
    /// It is no suspect any more.
    No,
}

#[derive(Debug)]
struct Life {
    last: Last,
    verdict: Verdict,
    /// Since when there has been no sign of life.
    quiet: Duration,
    due: Option<Duration>,
    suspect: bool,
}

/// The last sign that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// There never was one.
    Never,
    Beat(u64),
    /// There was one, and now there is none that parses.
    Lost,
    Ready,
    Unready,
    Leaving,
}

/// The states of all nodes.
#[derive(Debug)]
pub struct Liveness {
    settings: Settings,
    lives: HashMap<Name, Life>,
    due: BTreeSet<(Duration, Name)>,
    blind: Option<Duration>,
    marks: VecDeque<Duration>,
    /// Who is looked at.
    suspected: HashSet<Name>,
    limited: bool,
}

impl Liveness {
    /// Nothing has been seen yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            lives: HashMap::new(),
            due: BTreeSet::new(),
            blind: None,
            marks: VecDeque::new(),
            suspected: HashSet::new(),
            limited: false,
        }
    }

    /// What is known of a node.
    #[must_use]
    pub fn verdict(&self, node: &str) -> Verdict {
        self.lives.get(node).map_or(Verdict::Unknown, |life| life.verdict)
    }

    /// How many nodes are silent.
    #[must_use]
    pub fn silent(&self) -> usize {
        self.lives.values().filter(|life| life.verdict == Verdict::Silent).count()
    }

    /// A sign was seen, or is missing. Says whether the verdict is another one now.
    pub fn see(&mut self, now: Duration, node: &Name, sign: Sign<'_>) -> bool {
        let life = self.lives.entry(node.clone()).or_insert_with(|| Life::new(now));
        let (before, due) = (life.verdict, life.due);
        life.see(now, sign, self.settings.timeout);
        let (changed, after, suspect) = (life.verdict != before, life.due, life.suspect);
        if !suspect {
            self.suspected.remove(node);
        }
        self.reschedule(node, due, after);
        changed
    }

    /// A node is gone.
    pub fn forget(&mut self, node: &str) {
        self.suspected.remove(node);
        if let Some((name, Life { due: Some(due), .. })) = self.lives.remove_entry(node) {
            self.due.remove(&(due, name));
        }
    }

    /// From now on nothing is seen.
    pub fn blind(&mut self, now: Duration) {
        self.blind.get_or_insert(now);
    }

    /// Everything is seen again.
    pub fn sighted(&mut self, now: Duration) {
        let Some(since) = self.blind.take() else { return };
        let lost = now.saturating_sub(since);
        let long = lost > self.settings.gap;
        self.due.clear();
        self.suspected.clear();
        for (name, life) in &mut self.lives {
            if life.due.is_none() && !life.suspect {
                continue;
            }
            life.suspect = false;
            life.quiet = if long { now } else { life.quiet.saturating_add(lost).min(now) };
            let due = life.quiet.saturating_add(life.patience(self.settings.timeout));
            life.due = Some(due);
            self.due.insert((due, name.clone()));
        }
    }

    /// When there will be suspects.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let due = self.due.first().filter(|_| self.blind.is_none()).map(|(due, _)| *due)?;
        match (self.room(), self.suspected.is_empty()) {
            (0, false) => None,
            // Not before there is room for another mark.
            (0, true) => self.marks.front().map(|mark| due.max(mark.saturating_add(WINDOW))),
            _ => Some(due),
        }
    }

    /// How many more may be looked at, so that each of them could be marked.
    fn room(&self) -> usize {
        self.settings.marks.saturating_sub(self.marks.len()).saturating_sub(self.suspected.len())
    }

    /// Whether more nodes are due than may be marked now.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    fn forget_marks(&mut self, now: Duration) {
        while self.marks.front().is_some_and(|mark| mark.saturating_add(WINDOW) <= now) {
            self.marks.pop_front();
        }
    }

    /// The nodes that are to be looked at afresh now, no more than may be marked. Each is named once, until it is [confirmed](Self::confirm) or
    /// [put off](Self::put_off).
    pub fn suspects(&mut self, now: Duration) -> Vec<Name> {
        self.forget_marks(now);
        let mut suspects = Vec::new();
        while self.room() > 0 && self.next().is_some_and(|due| due <= now) {
            let Some((_, name)) = self.due.pop_first() else { break };
            if let Some(life) = self.lives.get_mut(&name) {
                (life.due, life.suspect) = (None, true);
                self.suspected.insert(name.clone());
                suspects.push(name);
            }
        }
        self.limited = self.room() == 0 && self.due.first().is_some_and(|(due, _)| *due <= now);
        suspects
    }

    /// A fresh look showed no sign of life that had not been seen.
    pub fn confirm(&mut self, now: Duration, node: &Name) -> Confirmed {
        self.forget_marks(now);
        self.suspected.remove(node);
        let Some(life) = self.lives.get_mut(node).filter(|life| life.suspect) else { return Confirmed::No };
        if self.blind.is_some() {
            return Confirmed::No;
        }
        if self.marks.len() >= self.settings.marks {
            let free = self.marks.front().map_or(now, |mark| mark.saturating_add(WINDOW));
            self.put_off(free, node, Duration::ZERO);
            return Confirmed::Limited;
        }
        (life.suspect, life.verdict) = (false, Verdict::Silent);
        self.marks.push_back(now);
        Confirmed::Silent
    }

    /// One could not look at a suspect: later.
    pub fn put_off(&mut self, now: Duration, node: &Name, after: Duration) {
        self.suspected.remove(node);
        let Some(life) = self.lives.get_mut(node).filter(|life| life.suspect) else { return };
        let due = now.saturating_add(after);
        (life.suspect, life.due) = (false, Some(due));
        self.due.insert((due, node.clone()));
    }

    fn reschedule(&mut self, node: &Name, before: Option<Duration>, after: Option<Duration>) {
        if before == after {
            return;
        }
        if let Some(due) = before {
            self.due.remove(&(due, node.clone()));
        }
        self.due.extend(after.map(|due| (due, node.clone())));
    }
}

impl Life {
    fn new(now: Duration) -> Self {
        Self { last: Last::Never, verdict: Verdict::Unknown, quiet: now, due: None, suspect: false }
    }

    fn see(&mut self, now: Duration, sign: Sign<'_>, timeout: Duration) {
        let last = match (sign, self.last) {
            (Sign::Beat(text), last) => beat(text).unwrap_or_else(|| last.lost()),
            (Sign::None, last) => last.lost(),
            (Sign::Missing, Last::Never) => Last::Lost,
            (Sign::Missing, last) => last.lost(),
            (Sign::Ready, _) => Last::Ready,
            (Sign::Unready, _) => Last::Unready,
            (Sign::Leaving, _) => Last::Leaving,
        };
        let before = std::mem::replace(&mut self.last, last);
        if last == before {
            return;
        }
        match (before, last) {
            (_, Last::Ready) => self.live(now, None),
            (Last::Beat(_) | Last::Lost, Last::Beat(_)) => self.live(now, Some(now.saturating_add(timeout))),
            // The first one that is seen may be as old as you like.
            (_, Last::Beat(_)) | (Last::Never, Last::Lost) => self.begin(now, timeout),
            (Last::Ready | Last::Never | Last::Unready, Last::Unready | Last::Leaving) => self.begin(now, timeout),
            _ => {}
        }
    }

    fn live(&mut self, now: Duration, due: Option<Duration>) {
        *self = Self { last: self.last, verdict: Verdict::Alive, quiet: now, due, suspect: false };
    }

    fn begin(&mut self, now: Duration, timeout: Duration) {
        if self.verdict != Verdict::Silent {
            self.quiet = now;
            self.suspect = false;
            self.due = Some(now.saturating_add(self.patience(timeout)));
        }
    }

    /// An agent that is told to end says so itself; nobody has to wait for its silence.
    fn patience(&self, timeout: Duration) -> Duration {
        if self.last == Last::Leaving { Duration::ZERO } else { timeout }
    }
}

impl Last {
    fn lost(self) -> Self {
        match self {
            Self::Never => Self::Never,
            Self::Beat(_) | Self::Lost => Self::Lost,
            Self::Ready | Self::Unready | Self::Leaving => Self::Leaving,
        }
    }
}

fn beat(text: &str) -> Option<Last> {
    text.parse::<Timestamp>().ok()?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Some(Last::Beat(hasher.finish()))
}

#[cfg(test)]
#[path = "liveness_tests.rs"]
mod tests;
