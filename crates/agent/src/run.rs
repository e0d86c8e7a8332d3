//! The running agent: [`Life`](crate::life::Life) decides, this waits and does.

use channels::Publish;
use ownership::Profile;
use std::pin::pin;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::configuration::Watched;
use crate::host::Host;
use crate::kubevirt::KubeVirt;
use crate::life::{Act, Event, Life, Pace};
use crate::report::Report;
use crate::work::Work;

/// Told what happens.
pub type Reporter = Box<dyn FnMut(Report) + Send>;
/// The wall clock, of which only heartbeats are read.
pub type Clock = Box<dyn Fn() -> SystemTime + Send>;

/// What an agent is made of.
pub struct Agent<C> {
    /// The way to the Node.
    pub channel: C,
    /// Who the agent is and what it owns.
    pub profile: Profile,
    /// Where everything is on the host.
    pub host: Host,
    /// The KubeVirt object, where there may be one.
    pub kubevirt: Option<KubeVirt>,
    /// The configuration file.
    pub file: Watched,
    /// Whether it takes this Node over from virt-handler, whose labeller is told to leave it alone.
    pub handover: bool,
    /// How fast it lives.
    pub pace: Pace,
    /// How often it looks at files.
    pub look: Duration,
    /// Spreads agents over time.
    pub seed: u64,
    /// The wall clock.
    pub clock: Clock,
    /// Told what happens.
    pub report: Reporter,
}

/// How an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The Node says that no guest may be scheduled there.
    Marked,
    /// There was no time to say so.
    Unmarked,
}

impl<C> Agent<C> {
    /// The same agent with another way to its Node.
    #[must_use]
    pub fn over<D>(self, channel: D) -> Agent<D> {
        let Self { channel: _, profile, host, kubevirt, file, handover, pace, look, seed, clock, report } = self;
        Agent { channel, profile, host, kubevirt, file, handover, pace, look, seed, clock, report }
    }
}

impl<C: Publish> Agent<C> {
    /// Runs until it is told to stop: once, and it marks its Node first; twice, and it ends at once.
    pub async fn run(self, mut stops: mpsc::Receiver<()>) -> Ended {
        let mut looks = interval(self.look);
        let (mut work, mut life) = Work::of(self);
        let start = Instant::now();
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut act = None;
        loop {
            act = match act {
                Some(Act::Exit { marked }) => return if marked { Ended::Marked } else { Ended::Unmarked },
                Some(act) => perform(&mut work, act, &mut life, start, &mut stops).await,
                None => {
                    let woken = life.due().and_then(|due| start.checked_add(due)).unwrap_or_else(far);
                    tokio::select! {
                        biased;
                        Some(()) = stops.recv() => life.on(start.elapsed(), Event::Stop),
                        _ = looks.tick() => tell(&mut life, start, work.look()),
                        () = sleep_until(woken) => life.on(start.elapsed(), Event::Woken),
                    }
                }
            };
        }
    }
}

/// Does it to its end, unless there is a second stop: what is half done at the server would not be known.
async fn perform<C: Publish>(
    work: &mut Work<C>,
    act: Act,
    life: &mut Life,
    start: Instant,
    stops: &mut mpsc::Receiver<()>,
) -> Option<Act> {
    let mut performed = pin!(work.perform(act));
    loop {
        tokio::select! {
            biased;
            event = &mut performed => return life.on(start.elapsed(), event),
            Some(()) = stops.recv() => {
                if let Some(end) = life.on(start.elapsed(), Event::Stop) {
                    return Some(end);
                }
            }
        }
    }
}

fn tell(life: &mut Life, start: Instant, events: Vec<Event>) -> Option<Act> {
    let now = start.elapsed();
    let acts: Vec<Act> = events.into_iter().filter_map(|event| life.on(now, event)).collect();
    // While the first is done there is no second, but an end.
    acts.into_iter().next_back()
}

/// A time that does not come.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}
