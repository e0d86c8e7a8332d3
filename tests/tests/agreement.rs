//! The rule in Rust and the rendered policies agree on every generated request.
//!
//! `NODEBOUND_CASES` sets the number of requests; `just soak` runs a million.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::agreement::{Answer, Guards, by_decision};
use tests::choices::Choices;
use tests::generate;

fn cases() -> u32 {
    std::env::var("NODEBOUND_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

#[test]
fn both_rules_give_the_same_answer() {
    let mut runner = TestRunner::new(Config { cases: cases(), max_shrink_iters: 20_000, ..Config::default() });
    let result = runner.run(&vec(any::<u8>(), 0..400), |bytes| {
        let case = generate::case(&mut Choices::new(&bytes));
        let expected = by_decision(&case.profile, &case.request).expect("generated objects are well formed");
        let actual = Guards::of(&case.profile).answer(&case.request);
        prop_assert_eq!(&actual, &expected, "{:#?}", case);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// The generator is worth its name only if it reaches every answer.
#[test]
fn every_rule_is_reached() {
    let mut seen = std::collections::BTreeMap::new();
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..400)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as u8
            })
            .collect();
        let case = generate::case(&mut Choices::new(&bytes));
        let name = match by_decision(&case.profile, &case.request).expect("generated objects are well formed") {
            Answer::Deny { policy, rule, .. } => format!("{policy} {rule}"),
            other => format!("{other:?}"),
        };
        *seen.entry(name).or_insert(0_u32) += 1;
    }
    let guards = [
        ("nodebound-p", ownership::guard::Guard::Nodes),
        ("nodebound-p-resources", ownership::guard::Guard::Resources),
        ("nodebound-p-shadownodes", ownership::guard::Guard::ShadowNodes),
        ("nodebound-p-leases", ownership::guard::Guard::Leases),
        ("nodebound-p-nodefeatures", ownership::guard::Guard::NodeFeatures),
    ];
    let mut missing: Vec<String> = guards
        .iter()
        .flat_map(|(policy, guard)| guard.rules().iter().map(move |rule| format!("{policy} {rule}")))
        .chain(["NotMatched".to_owned(), "Allow".to_owned()])
        .filter(|name| !seen.contains_key(name))
        .collect();
    missing.sort();
    assert!(missing.is_empty(), "never reached: {missing:?} of {seen:#?}");
}
