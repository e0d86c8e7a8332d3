//! What was looked up rather than tried.

use maud::{Markup, html};

use super::badge;
use super::text::{Plain, anchor, capital, prose};
use crate::report::Check;

pub(super) fn section(checks: &[Check]) -> Markup {
    html! {
        @if !checks.is_empty() {
            section #checks aria-labelledby="checks-title" {
                h2 #checks-title { "Checks" }
                p.lead { "What was looked up rather than tried." }
                ul.checks { @for check in checks { (entry(check)) } }
            }
        }
    }
}

fn entry(check: &Check) -> Markup {
    html! {
        li id={ "check-" (anchor(&check.id)) } {
            (badge::status(check.status))
            div {
                p { strong { (prose(&capital(&check.title))) } " " code { (Plain(&check.id)) } }
                @if !check.text.is_empty() { p.text { (prose(&capital(&check.text))) } }
            }
        }
    }
}
