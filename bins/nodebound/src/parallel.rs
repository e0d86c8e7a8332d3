//! Work on all cores whose results come in order.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};

/// Does `work` on every job and gives the results to `done` in the order of the jobs. At most two jobs a core are in
/// memory. Stops taking jobs as soon as `done` fails.
pub(crate) fn in_order<J: Send, R: Send, E>(
    jobs: impl Iterator<Item = J>,
    work: impl Fn(J) -> R + Sync,
    mut done: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let workers = available_parallelism().map_or(1, usize::from);
    let (give, take) = channel::<(usize, J)>();
    let (answer, answers) = channel();
    let take = Mutex::new(take);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (take, answer, work) = (&take, answer.clone(), &work);
            scope.spawn(move || worker(take, &answer, work));
        }
        drop(answer);
        let mut waiting = Waiting { answers, early: BTreeMap::new(), next: 0 };
        for (index, job) in jobs.enumerate() {
            if give.send((index, job)).is_err() {
                break;
            }
            if index + 1 - waiting.next >= 2 * workers {
                waiting.next_in_order().map_or(Ok(()), &mut done)?;
            }
        }
        drop(give);
        while let Some(result) = waiting.next_in_order() {
            done(result)?;
        }
        Ok(())
    })
}

fn worker<J, R>(take: &Mutex<Receiver<(usize, J)>>, answer: &Sender<(usize, R)>, work: &impl Fn(J) -> R) {
    loop {
        let job = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((index, job)) = job else { return };
        if answer.send((index, work(job))).is_err() {
            return;
        }
    }
}

/// Results that came before their turn.
struct Waiting<R> {
    answers: Receiver<(usize, R)>,
    early: BTreeMap<usize, R>,
    next: usize,
}

impl<R> Waiting<R> {
    fn next_in_order(&mut self) -> Option<R> {
        while !self.early.contains_key(&self.next) {
            let (index, result) = self.answers.recv().ok()?;
            self.early.insert(index, result);
        }
        let result = self.early.remove(&self.next);
        self.next += 1;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        let mut seen = Vec::new();
        let work = |job: usize| {
            // Uneven work, so that later jobs overtake earlier ones.
            let rounds = if job.is_multiple_of(7) { 100_000 } else { 1 };
            (0..rounds).fold(job, |sum, n| std::hint::black_box(sum ^ n ^ n))
        };
        in_order(0..1000, work, |result| {
            seen.push(result);
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_failure_ends_it() {
        let mut count = 0;
        let outcome = in_order(
            0..,
            |job: usize| job,
            |result| {
                count += 1;
                if result == 10 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((outcome, count), (Err("enough"), 11));
    }
}
