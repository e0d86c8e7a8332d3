//! Whose turn it is: each key at most once in a pace, first come, first served, so that one that always wants something
//! delays no other.
//!
//! Time is a duration since some beginning. Nothing here waits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// Keys that wait for their turn.
#[derive(Debug)]
pub struct Fair<K> {
    pace: Duration,
    ready: VecDeque<K>,
    waiting: BTreeSet<(Duration, K)>,
    states: HashMap<K, State>,
    /// With so many states it is time to forget some.
    many: usize,
}

/// So many states are never too many.
const FEW: usize = 1024;

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the row.
    Ready,
    /// Not before this time. In the set of those who wait, if it wants something.
    NotBefore { time: Duration, wants: bool },
    /// Having its turn. Whether it has asked for another one meanwhile.
    Busy { began: Duration, again: bool },
}

impl<K: Clone + Eq + Hash + Ord> Fair<K> {
    /// Each key has its turn at most once in `pace`.
    #[must_use]
    pub fn new(pace: Duration) -> Self {
        Self { pace, ready: VecDeque::new(), waiting: BTreeSet::new(), states: HashMap::new(), many: FEW }
    }

    /// A key wants its turn.
    pub fn add(&mut self, now: Duration, key: &K) {
        match self.states.get_mut(key) {
            Some(State::Ready | State::NotBefore { wants: true, .. }) => {}
            Some(State::Busy { again, .. }) => *again = true,
            Some(State::NotBefore { time, .. }) if *time > now => {
                let time = *time;
                self.wait(key, time);
            }
            Some(State::NotBefore { .. }) | None => self.enter(key.clone()),
        }
    }

    /// The next key, which is busy from now on.
    pub fn take(&mut self, now: Duration) -> Option<K> {
        while let Some((time, _)) = self.waiting.first() {
            if *time > now {
                break;
            }
            let Some((_, key)) = self.waiting.pop_first() else { break };
            self.enter(key);
        }
        let key = self.ready.pop_front()?;
        self.states.insert(key.clone(), State::Busy { began: now, again: false });
        Some(key)
    }

    /// A key had its turn. Unless it wants another, it may be forgotten once its pace is over.
    pub fn done(&mut self, now: Duration, key: &K) {
        self.finish(key, now, None);
    }

    /// A key had its turn, and wants another one after this time, whatever happens.
    pub fn retry(&mut self, now: Duration, key: &K, after: Duration) {
        self.finish(key, now, Some(now.saturating_add(after)));
    }

    /// There was nothing to do in a key's turn: it has another one as soon as it wants it.
    pub fn pass(&mut self, key: &K) {
        match self.states.remove(key) {
            Some(State::Busy { again: true, .. }) => self.enter(key.clone()),
            Some(State::Busy { .. }) | None => {}
            Some(other) => drop(self.states.insert(key.clone(), other)),
        }
    }

    fn finish(&mut self, key: &K, now: Duration, retry: Option<Duration>) {
        let Some(State::Busy { began, again }) = self.states.get(key).copied() else { return };
        let earliest = began.saturating_add(self.pace);
        match retry {
            Some(time) => self.wait(key, time.max(earliest)),
            None if again => self.wait(key, earliest),
            None if earliest <= now => drop(self.states.remove(key)),
            None => {
                self.states.insert(key.clone(), State::NotBefore { time: earliest, wants: false });
                self.tidy(now);
            }
        }
    }

    /// Nobody is busy any more: those who were want their turn again.
    pub fn interrupt(&mut self) {
        let busy = self.states.iter().filter(|(_, state)| matches!(state, State::Busy { .. }));
        let busy: Vec<K> = busy.map(|(key, _)| key.clone()).collect();
        busy.into_iter().for_each(|key| self.enter(key));
    }

    /// Forgets a key. If it is busy, nothing follows.
    pub fn forget(&mut self, key: &K) {
        match self.states.remove(key) {
            Some(State::Ready) => self.ready.retain(|ready| ready != key),
            Some(State::NotBefore { time, wants: true }) => drop(self.waiting.remove(&(time, key.clone()))),
            _ => {}
        }
    }

    /// When there is somebody to take: at once, if it is in the past.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        if self.ready.is_empty() { self.waiting.first().map(|(time, _)| *time) } else { Some(Duration::ZERO) }
    }

    /// How many want their turn.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ready.len() + self.waiting.len()
    }

    /// Whether nobody wants a turn.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets those who want nothing and whose pace is over, once there are many.
    fn tidy(&mut self, now: Duration) {
        if self.states.len() > self.many {
            self.states.retain(|_, state| !matches!(state, State::NotBefore { time, wants: false } if *time <= now));
            self.many = FEW.max(self.states.len().saturating_mul(2));
        }
    }

    fn enter(&mut self, key: K) {
        self.states.insert(key.clone(), State::Ready);
        self.ready.push_back(key);
    }

    fn wait(&mut self, key: &K, time: Duration) {
        self.states.insert(key.clone(), State::NotBefore { time, wants: true });
        self.waiting.insert((time, key.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn fair() -> Fair<&'static str> {
        Fair::new(at(1000))
    }

    #[test]
    fn a_turn_without_work_delays_nothing() {
        let mut fair = fair();
        fair.add(at(0), &"a");
        assert_eq!(fair.take(at(0)), Some("a"));
        fair.pass(&"a");
        assert!(fair.is_empty());
        fair.add(at(1), &"a");
        fair.pass(&"a");
        assert_eq!(fair.take(at(1)), Some("a"), "whose turn has not come loses nothing");
        fair.add(at(1), &"a");
        fair.pass(&"a");
        assert_eq!(fair.take(at(1)), Some("a"), "it asked for another one");
    }

    #[test]
    fn a_key_has_one_turn_for_all_it_asked_for() {
        let mut fair = fair();
        for key in ["a", "b", "a", "a"] {
            fair.add(at(0), &key);
        }
        assert_eq!([fair.take(at(0)), fair.take(at(0)), fair.take(at(0))], [Some("a"), Some("b"), None]);
        assert_eq!(fair.due(), None);
    }

    #[test]
    fn what_is_asked_for_during_a_turn_is_done_after_the_pace() {
        let mut fair = fair();
        fair.add(at(0), &"a");
        assert_eq!(fair.take(at(0)), Some("a"));
        fair.add(at(10), &"a");
        assert_eq!(fair.take(at(10)), None, "never two at a time");
        fair.done(at(20), &"a");
        assert_eq!((fair.take(at(999)), fair.due()), (None, Some(at(1000))));
        assert_eq!(fair.take(at(1000)), Some("a"));
        fair.done(at(3000), &"a");
        assert_eq!(fair.due(), None);
        fair.add(at(3000), &"a");
        assert_eq!(fair.take(at(3000)), Some("a"), "at once, where the pace is over");
    }

    #[test]
    fn a_retry_waits_and_is_not_hastened() {
        let mut fair = fair();
        fair.add(at(0), &"a");
        fair.take(at(0));
        fair.retry(at(10), &"a", at(5000));
        fair.add(at(20), &"a");
        assert_eq!((fair.take(at(5009)), fair.take(at(5010))), (None, Some("a")));
    }

    #[test]
    fn what_is_forgotten_does_not_come_back() {
        let mut fair = fair();
        fair.add(at(0), &"a");
        fair.forget(&"a");
        assert_eq!((fair.take(at(9000)), fair.len()), (None, 0));
        fair.add(at(0), &"a");
        fair.take(at(0));
        fair.forget(&"a");
        fair.retry(at(1), &"a", at(1));
        assert!(fair.is_empty());
    }

    #[test]
    fn those_who_want_nothing_are_forgotten() {
        let mut fair = Fair::new(at(1000));
        for key in 0..20_000_u64 {
            fair.add(at(key), &key);
            fair.take(at(key));
            fair.done(at(key), &key);
        }
        assert!(fair.states.len() <= 2 * FEW, "{}", fair.states.len());
    }

    #[test]
    fn an_interruption_loses_nothing() {
        let mut fair = fair();
        fair.add(at(0), &"a");
        fair.take(at(0));
        fair.interrupt();
        assert_eq!(fair.take(at(1)), Some("a"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// One key asks a hundred times a second; the others, now and then. Ten turns can be had in a second.
        #[test]
        fn a_noisy_key_delays_no_other(asks in prop::collection::vec((0_u64..60_000, 0_usize..5), 1..40)) {
            let others = ["b", "c", "d", "e", "f"];
            let mut asks: Vec<(u64, &str)> = asks.into_iter().map(|(time, key)| (time, others[key])).collect();
            asks.extend((0..6000).map(|tick| (tick * 10, "a")));
            asks.sort_unstable();
            let (mut fair, mut asked, mut noisy) = (fair(), HashMap::new(), Vec::new());
            let mut asks = asks.into_iter().peekable();
            for tick in 0..700_u64 {
                let now = tick * 100;
                while let Some((time, key)) = asks.next_if(|(time, _)| *time <= now) {
                    fair.add(at(time), &key);
                    asked.entry(key).or_insert(time);
                }
                let Some(key) = fair.take(at(now)) else { continue };
                let since = asked.remove(key).unwrap();
                if key == "a" {
                    noisy.push(now);
                } else {
                    prop_assert!(now - since <= 1700, "{} waited {} ms", key, now - since);
                }
                fair.done(at(now), &key);
            }
            prop_assert!(noisy.windows(2).all(|pair| pair[1] - pair[0] >= 1000), "{:?}", noisy);
            prop_assert!(asked.is_empty() && fair.is_empty(), "everybody had a turn: {:?}", asked);
        }
    }
}
