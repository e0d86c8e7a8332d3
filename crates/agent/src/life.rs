//! When the agent does what: unschedulable at its start, schedulable once it is ready, a sign of life now and then,
//! everything collected anew on a timer and when something changes, and one mark at its end.
//!
//! Pure: events with their times go in, what is to be done comes out, one thing at a time. Times are those of a clock
//! that does not jump, since any beginning.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::ops::Range;
use std::time::Duration;

/// How fast the agent lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From one heartbeat to the next (virt-handler: a minute, and up to 1.2 of it).
    pub heartbeat: Range<Duration>,
    /// From one collection to the next (virt-handler: three minutes, and up to 1.2 of it).
    pub collection: Range<Duration>,
    /// A change of configuration, which reaches all agents at once, is acted upon after a time up to this.
    pub spread: Duration,
    /// A file that has changed may be changing still.
    pub settle: Duration,
    /// Readiness is published at most this often.
    pub flap: Duration,
    /// How long the mark at the end is tried.
    pub stop: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            heartbeat: seconds(60)..seconds(132),
            collection: seconds(180)..seconds(396),
            spread: seconds(60),
            settle: seconds(2),
            flap: seconds(10),
            stop: seconds(20),
        }
    }
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The time that [`Life::due`] named has come, or any other.
    Woken,
    /// Whether every readiness input says so.
    Ready(bool),
    /// The configuration is another one.
    Configured,
    /// A file that is collected from has changed.
    Touched,
    /// What was to be done is done.
    Done,
    /// It failed, and is worth another try after this time.
    Failed(Duration),
    /// The agent shall stop; told twice, at once.
    Stop,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Say that no guest may be scheduled here, and change nothing else.
    Mark {
        /// Whether this is the end.
        last: bool,
    },
    /// Publish everything.
    Publish {
        /// Whether guests may be scheduled here.
        schedulable: bool,
        /// Whether to collect everything anew before.
        collect: bool,
        /// Whether with a new heartbeat. Without one, and if nothing has changed, there is nothing to write.
        beat: bool,
    },
    /// End.
    Exit {
        /// Whether the Node was marked.
        marked: bool,
    },
}

/// The state of the agent.
#[derive(Debug)]
pub struct Life {
    pace: Pace,
    random: StdRng,
    phase: Phase,
    ready: bool,
    /// What the Node was last told.
    told: bool,
    /// When that was last another thing than before.
    changed: Option<Duration>,
    heartbeat: Duration,
    collection: Duration,
    /// Nothing is tried before.
    hold: Duration,
    doing: Option<Act>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The Node may say anything.
    Unmarked,
    Running,
    Stopping {
        deadline: Duration,
    },
    Ended {
        marked: bool,
    },
}

impl Life {
    /// An agent that starts; `seed` spreads agents over time.
    #[must_use]
    pub fn new(pace: Pace, seed: u64) -> Self {
        Self {
            pace,
            random: StdRng::seed_from_u64(seed),
            phase: Phase::Unmarked,
            ready: false,
            told: false,
            changed: None,
            heartbeat: Duration::ZERO,
            collection: Duration::ZERO,
            hold: Duration::ZERO,
            doing: None,
        }
    }

    /// When to wake it, if nothing else happens before.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        if self.doing.is_some() {
            return None;
        }
        match self.phase {
            Phase::Unmarked | Phase::Ended { .. } => Some(self.hold),
            Phase::Stopping { deadline } => Some(self.hold.min(deadline)),
            Phase::Running => {
                let readiness = self.readiness_due().unwrap_or(Duration::MAX);
                Some(self.heartbeat.min(self.collection).min(readiness).max(self.hold))
            }
        }
    }

    /// Takes an event in, and says what is to be done now, if nothing is being done.
    pub fn on(&mut self, now: Duration, event: Event) -> Option<Act> {
        match event {
            Event::Woken => {}
            Event::Ready(ready) => self.ready = ready,
            Event::Configured => {
                let spread = self.within(Duration::ZERO..self.pace.spread);
                self.collect_by(now + spread);
            }
            Event::Touched => self.collect_by(now + self.pace.settle),
            Event::Done => self.done(now),
            Event::Failed(after) => self.failed(now, after),
            Event::Stop => self.stop(now),
        }
        self.next(now)
    }

    fn next(&mut self, now: Duration) -> Option<Act> {
        if let Phase::Ended { marked } = self.phase {
            return Some(Act::Exit { marked });
        }
        if self.doing.is_some() {
            return None;
        }
        self.doing = match self.phase {
            Phase::Stopping { deadline } if now >= deadline => {
                self.phase = Phase::Ended { marked: false };
                return Some(Act::Exit { marked: false });
            }
            _ if now < self.hold => None,
            Phase::Unmarked => Some(Act::Mark { last: false }),
            Phase::Stopping { .. } => Some(Act::Mark { last: true }),
            Phase::Running | Phase::Ended { .. } => self.publication(now),
        };
        self.doing
    }

    fn publication(&mut self, now: Duration) -> Option<Act> {
        let collect = now >= self.collection;
        let tell = self.readiness_due().is_some_and(|due| now >= due);
        let beat = tell || now >= self.heartbeat;
        if !collect && !beat {
            return None;
        }
        // What changes from here on is not in this collection.
        if collect {
            self.collection = now + self.within(self.pace.collection.clone());
        }
        Some(Act::Publish { schedulable: if tell { self.ready } else { self.told }, collect, beat })
    }

    fn readiness_due(&self) -> Option<Duration> {
        (self.told != self.ready).then(|| self.changed.map_or(Duration::ZERO, |at| at + self.pace.flap))
    }

    fn done(&mut self, now: Duration) {
        self.hold = now;
        if matches!(self.phase, Phase::Ended { .. }) {
            return;
        }
        match self.doing.take() {
            Some(Act::Mark { last: true }) => self.phase = Phase::Ended { marked: true },
            Some(Act::Mark { last: false }) if self.phase == Phase::Unmarked => self.phase = Phase::Running,
            Some(Act::Publish { schedulable, beat, .. }) => {
                if self.told != schedulable {
                    (self.told, self.changed) = (schedulable, Some(now));
                }
                if beat {
                    self.heartbeat = now + self.within(self.pace.heartbeat.clone());
                }
            }
            Some(Act::Mark { .. } | Act::Exit { .. }) | None => {}
        }
    }

    fn failed(&mut self, now: Duration, after: Duration) {
        // A heartbeat and readiness are due until they are told.
        if let Some(Act::Publish { collect: true, .. }) = self.doing.take() {
            self.collect_by(now);
        }
        self.hold = now + self.patience(after);
    }

    /// At the end there is no time for long waits.
    fn patience(&self, after: Duration) -> Duration {
        if matches!(self.phase, Phase::Stopping { .. }) { after.min(self.pace.stop / 8) } else { after }
    }

    fn stop(&mut self, now: Duration) {
        self.phase = match self.phase {
            Phase::Unmarked | Phase::Running => Phase::Stopping { deadline: now + self.pace.stop },
            Phase::Stopping { .. } => Phase::Ended { marked: false },
            ended @ Phase::Ended { .. } => ended,
        };
        self.hold = now;
    }

    fn collect_by(&mut self, time: Duration) {
        self.collection = self.collection.min(time);
    }

    fn within(&mut self, range: Range<Duration>) -> Duration {
        range.start + range.end.saturating_sub(range.start).mul_f64(self.random.random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A collection between two heartbeats.
    const COLLECT: Act = Act::Publish { schedulable: false, collect: true, beat: false };

    fn beat(schedulable: bool, collect: bool) -> Act {
        Act::Publish { schedulable, collect, beat: true }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// An agent that has marked its Node and published once, at the time 0.
    fn running(seed: u64) -> Life {
        let mut life = Life::new(Pace::default(), seed);
        assert_eq!(life.on(at(0), Event::Woken), Some(Act::Mark { last: false }));
        assert_eq!(life.on(at(0), Event::Done), Some(beat(false, true)));
        assert_eq!(life.on(at(0), Event::Done), None);
        life
    }

    /// Lives without events for so long, and notes what is done when.
    fn alone(life: &mut Life, until: Duration) -> Vec<(Duration, Act)> {
        let mut done = Vec::new();
        while let Some(due) = life.due().filter(|due| *due <= until) {
            if let Some(act) = life.on(due, Event::Woken) {
                done.push((due, act));
                assert_eq!(life.on(due, Event::Done), None);
            }
        }
        done
    }

    #[test]
    fn nothing_is_published_before_the_node_is_marked() {
        let mut life = Life::new(Pace::default(), 1);
        assert_eq!(life.on(at(0), Event::Ready(true)), Some(Act::Mark { last: false }));
        assert_eq!(life.on(at(0), Event::Failed(at(5))), None);
        assert_eq!(life.on(at(4), Event::Configured), None);
        assert_eq!(life.due(), Some(at(5)));
        assert_eq!(life.on(at(5), Event::Woken), Some(Act::Mark { last: false }));
        assert_eq!(life.on(at(5), Event::Done), Some(beat(true, true)));
    }

    #[test]
    fn heartbeats_and_collections_keep_their_pace() {
        for seed in 0..20 {
            let acts = alone(&mut running(seed), at(86_400));
            let gaps = |wanted: fn(&Act) -> bool| {
                let times = acts.iter().filter(|(_, act)| wanted(act)).map(|(time, _)| *time);
                let times: Vec<Duration> = std::iter::once(at(0)).chain(times).collect();
                times.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
            };
            let beats = gaps(|act| matches!(act, Act::Publish { beat: true, .. }));
            assert!(beats.iter().all(|gap| (at(60)..at(132)).contains(gap)), "{seed}: {beats:?}");
            let collections = gaps(|act| matches!(act, Act::Publish { collect: true, .. }));
            assert!(collections.iter().all(|gap| (at(180)..at(396)).contains(gap)), "{seed}: {collections:?}");
        }
    }

    #[test]
    fn readiness_is_told_at_once_but_does_not_flap() {
        let mut life = running(1);
        assert_eq!(life.on(at(1), Event::Ready(true)), Some(beat(true, false)));
        life.on(at(1), Event::Done);
        for second in 2..11 {
            assert_eq!(life.on(at(second), Event::Ready(second % 2 == 0)), None, "{second}");
        }
        assert_eq!(life.on(at(11), Event::Ready(false)), Some(beat(false, false)));
        life.on(at(11), Event::Done);
        assert_eq!(life.on(at(40), Event::Ready(false)), None, "is told already");
    }

    #[test]
    fn a_change_of_configuration_is_spread_over_the_agents() {
        let times: Vec<Duration> = (0..200)
            .map(|seed| {
                let mut life = running(seed);
                assert_eq!(life.on(at(1), Event::Configured), None);
                life.collection
            })
            .collect();
        assert!(times.iter().all(|time| (at(1)..at(61)).contains(time)));
        let early = times.iter().filter(|time| **time < at(31)).count();
        assert!((70..130).contains(&early), "{early} of 200 in the first half");
    }

    #[test]
    fn a_changed_file_is_collected_soon_also_if_it_changes_meanwhile() {
        let mut life = running(1);
        assert_eq!(life.on(at(5), Event::Touched), None);
        assert_eq!(life.due(), Some(at(7)));
        assert_eq!(life.on(at(7), Event::Woken), Some(COLLECT));
        assert_eq!(life.on(at(8), Event::Touched), None, "the collection may have missed it");
        assert_eq!(life.on(at(9), Event::Done), None);
        assert_eq!(life.due(), Some(at(10)));
        assert_eq!(life.on(at(10), Event::Woken), Some(COLLECT));
    }

    #[test]
    fn a_failure_is_tried_again_after_its_time_and_not_before() {
        let mut life = running(1);
        life.on(at(5), Event::Touched);
        assert_eq!(life.on(at(7), Event::Woken), Some(COLLECT));
        assert_eq!(life.on(at(7), Event::Failed(at(300))), None);
        for (second, event) in
            [(8, Event::Woken), (100, Event::Ready(true)), (200, Event::Touched), (306, Event::Woken)]
        {
            assert_eq!(life.on(at(second), event), None, "{second}");
        }
        assert_eq!(life.due(), Some(at(307)));
        assert_eq!(life.on(at(307), Event::Woken), Some(beat(true, true)));
    }

    #[test]
    fn the_mark_at_the_end_is_retried_until_its_deadline() {
        let mut life = running(1);
        let mut now = at(30);
        let mut tries = 0;
        let mut act = life.on(now, Event::Stop);
        while act != Some(Act::Exit { marked: false }) {
            assert!(now <= at(50), "{now:?}");
            if act == Some(Act::Mark { last: true }) {
                tries += 1;
                act = life.on(now, Event::Failed(at(60)));
            } else {
                now = life.due().unwrap();
                act = life.on(now, Event::Woken);
            }
        }
        assert_eq!((now, tries), (at(50), 8));
    }

    #[test]
    fn a_stop_waits_for_what_is_being_done_and_then_marks() {
        let mut life = running(1);
        life.on(at(5), Event::Touched);
        assert_eq!(life.on(at(7), Event::Woken), Some(COLLECT));
        assert_eq!(life.on(at(8), Event::Stop), None);
        assert_eq!(life.on(at(9), Event::Done), Some(Act::Mark { last: true }));
        assert_eq!(life.on(at(9), Event::Done), Some(Act::Exit { marked: true }));
        let mut early = Life::new(Pace::default(), 1);
        assert_eq!(early.on(at(0), Event::Woken), Some(Act::Mark { last: false }));
        assert_eq!(early.on(at(0), Event::Stop), None);
        assert_eq!(early.on(at(0), Event::Done), Some(Act::Mark { last: true }), "with a heartbeat, in any case");
    }

    #[test]
    fn a_second_stop_ends_at_once() {
        let mut life = running(1);
        assert_eq!(life.on(at(8), Event::Stop), Some(Act::Mark { last: true }));
        assert_eq!(life.on(at(8), Event::Stop), Some(Act::Exit { marked: false }));
        assert_eq!(life.on(at(9), Event::Done), Some(Act::Exit { marked: false }), "whatever happens then");
    }
}
