//! How long to wait before another try: a time drawn evenly from nothing up to a bound that doubles with each failure
//! ("full jitter"), so that agents that failed together do not come back together.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::Duration;

/// The bound after the first failure.
const BASE: Duration = Duration::from_secs(1);
/// The bound after many failures.
const CAP: Duration = Duration::from_secs(60);

/// Waiting times, and how often it has failed since the last success.
#[derive(Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
    random: StdRng,
}

impl Backoff {
    /// Up to one second at first, up to a minute in the end, drawn from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::between(BASE, CAP, seed)
    }

    /// Up to `base` at first, up to `cap` in the end, drawn from `seed`.
    #[must_use]
    pub fn between(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { base, cap, failures: 0, random: StdRng::seed_from_u64(seed) }
    }

    /// After a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// After a failure: how long to wait, on top of what the server asked for.
    #[must_use]
    pub fn next(&mut self, asked: Duration) -> Duration {
        let bound = 2_u32.checked_pow(self.failures).and_then(|factor| self.base.checked_mul(factor));
        let bound = bound.map_or(self.cap, |bound| bound.min(self.cap));
        self.failures = self.failures.saturating_add(1);
        asked.saturating_add(bound.mul_f64(self.random.random::<f64>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seed: u64, count: usize) -> Vec<Duration> {
        let mut backoff = Backoff::seeded(seed);
        std::iter::repeat_with(|| backoff.next(Duration::ZERO)).take(count).collect()
    }

    #[test]
    fn each_wait_is_below_a_bound_that_doubles_up_to_the_cap() {
        let bounds = [1, 2, 4, 8, 16, 32, 60, 60, 60].map(Duration::from_secs);
        for seed in 0..200 {
            for (wait, bound) in waits(seed, bounds.len()).into_iter().zip(bounds) {
                assert!(wait < bound, "{seed}: {wait:?} of {bound:?}");
            }
        }
    }

    #[test]
    fn waits_are_spread_over_the_whole_bound() {
        let firsts: Vec<Duration> = (0..200).map(|seed| waits(seed, 1)[0]).collect();
        assert!(firsts.iter().any(|wait| *wait < BASE / 10));
        assert!(firsts.iter().any(|wait| *wait > BASE * 9 / 10));
    }

    #[test]
    fn a_seed_repeats_itself() {
        assert_eq!(waits(7, 20), waits(7, 20));
        assert_ne!(waits(7, 20), waits(8, 20));
    }

    #[test]
    fn a_success_begins_anew_and_many_failures_do_not_overflow() {
        let mut backoff = Backoff::seeded(1);
        for _ in 0..100 {
            assert!(backoff.next(Duration::ZERO) < CAP);
        }
        backoff.reset();
        assert!(backoff.next(Duration::ZERO) < BASE);
    }

    #[test]
    fn what_the_server_asks_for_comes_first() {
        let asked = Duration::from_secs(120);
        let wait = Backoff::seeded(1).next(asked);
        assert!(asked <= wait && wait < asked + BASE);
        assert_eq!(Backoff::seeded(1).next(Duration::MAX), Duration::MAX);
    }
}
