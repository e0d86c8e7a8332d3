//! The rule in Rust and the rendered policies agree on every generated request.
//!
//! `NODEBOUND_CASES` sets the number of requests; `just soak` runs a million.

use ownership::guard::Guard;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::collections::BTreeMap;
use tests::agreement::{Answer, Guards, by_decision};
use tests::choices::{Choices, pseudo_random};
use tests::generate;

/// Requests for each profile: rendering and compiling its guards takes longer than judging a request.
const REQUESTS: usize = 50;

fn profiles() -> u32 {
    let cases = std::env::var("NODEBOUND_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000_u32);
    cases.div_ceil(REQUESTS as u32)
}

#[test]
fn both_rules_give_the_same_answer() {
    let config = Config { cases: profiles(), max_shrink_iters: 2000, failure_persistence: None, ..Config::default() };
    let requests = vec(vec(any::<u8>(), 100..300), REQUESTS);
    let result = TestRunner::new(config).run(&(vec(any::<u8>(), 0..120), requests), |(bytes, requests)| {
        let profile = generate::profile(&mut Choices::new(&bytes));
        let guards = Guards::of(&profile);
        requests.iter().try_for_each(|bytes| agree(&profile, &guards, bytes))
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn agree(profile: &ownership::Profile, guards: &Guards, bytes: &[u8]) -> Result<(), TestCaseError> {
    let request = generate::request(&mut Choices::new(bytes), profile);
    let expected = by_decision(profile, &request).expect("generated objects are well formed");
    let actual = guards.answer(&request);
    prop_assert_eq!(&actual, &expected, "{:#?}\n{:#?}", profile.spec(), request);
    Ok(())
}

/// The generator is worth its name only if it reaches every answer.
#[test]
fn every_rule_is_reached() {
    let mut seen = BTreeMap::new();
    for seed in 0..400 {
        let profile = generate::profile(&mut Choices::new(&pseudo_random(seed, 120)));
        for request in 0..REQUESTS as u64 {
            let request = generate::request(&mut Choices::new(&pseudo_random(seed << 32 | request, 300)), &profile);
            let name = match by_decision(&profile, &request).expect("generated objects are well formed") {
                Answer::Deny { policy, rule, .. } => format!("{policy} {rule}"),
                other => format!("{other:?}"),
            };
            *seen.entry(name).or_insert(0_u32) += 1;
        }
    }
    let guards = [Guard::Nodes, Guard::Resources, Guard::ShadowNodes, Guard::Leases, Guard::NodeFeatures];
    let denials =
        guards.iter().flat_map(|guard| guard.rules().iter().map(|rule| format!("{} {rule}", guard.policy_name("p"))));
    let missing: Vec<String> =
        denials.chain(["NotMatched".to_owned(), "Allow".to_owned()]).filter(|name| !seen.contains_key(name)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?} of {seen:#?}");
}
