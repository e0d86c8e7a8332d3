use super::*;
use proptest::prelude::*;

const MINUTE: u64 = 60;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn name(number: usize) -> Name {
    format!("n{number}").into()
}

fn liveness() -> Liveness {
    Liveness::new(Settings::with_timeout(at(5 * MINUTE)))
}

fn time(number: u64) -> String {
    format!("2026-01-01T{:02}:{:02}:{:02}Z", number / 3600 % 24, number / 60 % 60, number % 60)
}

/// Looks at every suspect, and sees nothing new.
fn confirm_all(liveness: &mut Liveness, now: Duration) -> Vec<(Name, Confirmed)> {
    let suspects = liveness.suspects(now);
    suspects.into_iter().map(|node| (node.clone(), liveness.confirm(now, &node))).collect()
}

#[test]
fn only_a_change_of_a_value_that_parses_is_a_sign_of_life() {
    // The signs at 1, 2, 3 and 4 minutes, after a heartbeat at 0, and whether the node is silent after 5 and a half.
    let table: [([Sign<'_>; 4], bool); 8] = [
        ([Sign::Beat("2026-01-01T00:00:00Z"); 4], true),
        ([Sign::None; 4], true),
        ([Sign::Beat("garbage"); 4], true),
        ([Sign::Beat("a"), Sign::Beat("b"), Sign::Beat("c"), Sign::Beat("")], true),
        ([Sign::Beat("2026-01-01T00:00:01Z"); 4], false),
        ([Sign::None, Sign::None, Sign::None, Sign::Beat("2026-01-01T00:00:00Z")], false),
        // A clock that goes backwards, or that is years ahead.
        ([Sign::Beat("2020-01-01T00:00:00Z"); 4], false),
        ([Sign::Beat("2099-01-01T00:00:00Z"); 4], false),
    ];
    for (signs, silent) in table {
        let (mut liveness, node) = (liveness(), name(1));
        liveness.see(at(0), &node, Sign::Beat("2026-01-01T00:00:00Z"));
        for (minute, sign) in (1..).zip(signs) {
            liveness.see(at(minute * MINUTE), &node, sign);
        }
        confirm_all(&mut liveness, at(330));
        assert_eq!(liveness.verdict(&node) == Verdict::Silent, silent, "{signs:?}");
    }
}

#[test]
fn a_node_that_never_had_an_agent_is_never_silent() {
    for sign in [Sign::None, Sign::Beat("garbage")] {
        let mut liveness = liveness();
        liveness.see(at(0), &name(1), sign);
        assert_eq!(liveness.next(), None, "{sign:?}");
    }
}

#[test]
fn one_that_had_an_agent_before_anybody_looked_has_its_time_too() {
    let (mut liveness, node) = (liveness(), name(1));
    liveness.see(at(0), &node, Sign::Missing);
    assert_eq!(liveness.next(), Some(at(300)));
    liveness.see(at(200), &node, Sign::Missing);
    liveness.see(at(250), &node, Sign::Beat(&time(0)));
    assert_eq!((liveness.verdict(&node), liveness.next()), (Verdict::Alive, Some(at(550))), "there was none before");
}

#[test]
fn silence_begins_after_the_timeout_and_ends_with_the_next_change() {
    let (mut liveness, node) = (liveness(), name(1));
    liveness.see(at(0), &node, Sign::Beat(&time(0)));
    assert_eq!(liveness.verdict(&node), Verdict::Unknown, "an old value says nothing");
    assert!(liveness.see(at(10), &node, Sign::Beat(&time(10))));
    assert_eq!((liveness.verdict(&node), liveness.next()), (Verdict::Alive, Some(at(310))));
    assert!(liveness.suspects(at(309)).is_empty());
    assert_eq!(liveness.suspects(at(310)), std::slice::from_ref(&node));
    assert!(liveness.suspects(at(311)).is_empty(), "a suspect is named once");
    assert_eq!(liveness.confirm(at(311), &node), Confirmed::Silent);
    assert!(!liveness.see(at(400), &node, Sign::Beat(&time(10))));
    assert!(liveness.see(at(500), &node, Sign::Beat(&time(500))));
    assert_eq!((liveness.verdict(&node), liveness.next()), (Verdict::Alive, Some(at(800))));
}

#[test]
fn a_fresh_look_clears_a_suspect() {
    let (mut liveness, node) = (liveness(), name(1));
    liveness.see(at(0), &node, Sign::Beat(&time(0)));
    liveness.suspects(at(300));
    liveness.see(at(301), &node, Sign::Beat(&time(299)));
    assert_eq!(liveness.confirm(at(301), &node), Confirmed::No);
    assert_eq!((liveness.verdict(&node), liveness.next()), (Verdict::Alive, Some(at(601))));
}

#[test]
fn what_could_not_be_seen_is_nobodys_silence() {
    // How long nothing is seen from minute 4 on, and when the node is due that was last seen at 0.
    for (gap, due) in [(0, 300), (10, 310), (60, 360), (61, 240 + 61 + 300), (1800, 240 + 1800 + 300)] {
        let (mut liveness, node) = (liveness(), name(1));
        liveness.see(at(0), &node, Sign::Beat(&time(0)));
        liveness.blind(at(240));
        assert!(liveness.suspects(at(240 + gap)).is_empty());
        liveness.sighted(at(240 + gap));
        assert_eq!(liveness.next(), Some(at(due)), "{gap}");
    }
}

#[test]
fn a_silent_node_stays_so_over_a_gap() {
    let (mut liveness, node) = (liveness(), name(1));
    liveness.see(at(0), &node, Sign::Beat(&time(0)));
    confirm_all(&mut liveness, at(300));
    liveness.blind(at(400));
    liveness.sighted(at(4000));
    assert_eq!((liveness.verdict(&node), liveness.next()), (Verdict::Silent, None));
}

#[test]
fn no_more_become_silent_in_a_minute_than_may() {
    let mut liveness = liveness();
    for number in 0..25 {
        liveness.see(at(0), &name(number), Sign::Beat(&time(0)));
    }
    let silent = |liveness: &mut Liveness, now| {
        confirm_all(liveness, at(now));
        liveness.silent()
    };
    assert_eq!([300, 330, 360, 419, 420].map(|now| silent(&mut liveness, now)), [10, 10, 20, 20, 25]);
}

#[test]
fn a_pod_speaks_for_its_agent() {
    // Signs at 0, 10 and 20 seconds, and when the node is due.
    let table = [
        ([Sign::Ready, Sign::Ready, Sign::Ready], None),
        ([Sign::Ready, Sign::Unready, Sign::Unready], Some(310)),
        ([Sign::Ready, Sign::Unready, Sign::Ready], None),
        ([Sign::Ready, Sign::Leaving, Sign::Leaving], Some(10)),
        ([Sign::Ready, Sign::Unready, Sign::Leaving], Some(20)),
        ([Sign::Ready, Sign::Ready, Sign::None], Some(20)),
        ([Sign::None, Sign::None, Sign::None], None),
        ([Sign::Ready, Sign::Leaving, Sign::Ready], None),
    ];
    for (signs, due) in table {
        let (mut liveness, node) = (liveness(), name(1));
        for (tens, sign) in (0..).zip(signs) {
            liveness.see(at(10 * tens), &node, sign);
        }
        assert_eq!(liveness.next(), due.map(at), "{signs:?}");
    }
}

#[test]
fn what_is_forgotten_is_not_due() {
    let mut liveness = liveness();
    liveness.see(at(0), &name(1), Sign::Beat(&time(0)));
    liveness.forget("n1");
    assert_eq!((liveness.next(), liveness.verdict("n1")), (None, Verdict::Unknown));
}

/// What may happen in a second.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Beat(usize),
    Garbage(usize),
    Blind,
    Sighted,
}

fn happenings() -> impl Strategy<Value = Vec<(u64, Happens)>> {
    let one = prop_oneof![
        6 => (0_usize..4).prop_map(Happens::Beat),
        1 => (0_usize..4).prop_map(Happens::Garbage),
        1 => Just(Happens::Blind),
        1 => Just(Happens::Sighted),
    ];
    prop::collection::vec((1_u64..200, one), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Against the definition: silent means that it was seen for the whole timeout, and that nothing changed meanwhile.
    #[test]
    fn nobody_is_silent_who_was_not_seen_to_be(happenings in happenings()) {
        let settings = Settings { gap: Duration::ZERO, marks: 2, ..Settings::with_timeout(at(300)) };
        let (mut liveness, mut now, mut beats) = (Liveness::new(settings), 0, 0);
        let (mut last, mut sight, mut seeing, mut marks) = ([None; 4], 0, true, VecDeque::new());
        for (pause, happens) in happenings {
            for _ in 0..pause {
                now += 1;
                for (node, confirmed) in confirm_all(&mut liveness, at(now)) {
                    let number: usize = node[1..].parse().unwrap();
                    let quiet: u64 = last[number].unwrap();
                    prop_assert!(seeing && now - quiet.max(sight) >= 300, "{} at {}", node, now);
                    marks.extend((confirmed == Confirmed::Silent).then_some(now));
                }
                marks.retain(|mark| mark + 60 > now);
                prop_assert!(marks.len() <= 2);
            }
            beats += 1;
            match happens {
                Happens::Beat(number) => {
                    liveness.see(at(now), &name(number), Sign::Beat(&time(beats)));
                    last[number] = Some(now);
                    prop_assert_ne!(liveness.verdict(&name(number)), Verdict::Silent);
                }
                Happens::Garbage(number) => drop(liveness.see(at(now), &name(number), Sign::Beat("?"))),
                Happens::Blind => {
                    liveness.blind(at(now));
                    seeing = false;
                }
                Happens::Sighted => {
                    sight = if seeing { sight } else { now };
                    seeing = true;
                    liveness.sighted(at(now));
                }
            }
        }
    }
}
