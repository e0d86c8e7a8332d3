//! One request: what was sent, what came back, who refused, and how to repeat it.

use maud::{Markup, html};
use serde_json::Value;

use super::badge;
use super::text::{Code, Plain, cut, prose};
use crate::exchange::Sent;
use crate::layer::Refusal;
use crate::report::{Told, Trial};

/// A body is shown up to so many bytes; the command that repeats the request has all of it.
const BODY: usize = 3 << 10;
/// A command is shown up to so many bytes: a Node with all that a cluster writes into it has less.
const COMMAND: usize = 64 << 10;
/// A text of so many bytes gets a frame of its own to scroll in, and is not repeated.
const TALL: usize = 2 << 10;

/// Where a trial stands on the page.
pub(super) struct Place<'a> {
    /// Its anchor.
    pub anchor: String,
    /// An earlier trial with the same request, and its anchor.
    pub twin: Option<(&'a Trial, String)>,
    /// Whether the page is about more than one API server.
    pub several_servers: bool,
}

impl<'a> Place<'a> {
    /// The place of a trial among those of its recipe.
    pub(super) fn of(index: usize, trials: &[&'a Trial], recipe: &str, several_servers: bool) -> Option<Self> {
        let anchor = |index: usize| format!("{recipe}-{}", index + 1);
        let trial = trials.get(index)?;
        let is_twin = |other: &&Trial| other.curl.len() > TALL && other.curl == trial.curl;
        let twin = trials.iter().take(index).position(is_twin);
        let twin = twin.and_then(|first| Some((*trials.get(first)?, anchor(first))));
        Some(Self { anchor: anchor(index), twin, several_servers })
    }
}

/// A trial, folded.
pub(super) fn entry(trial: &Trial, place: &Place<'_>) -> Markup {
    let layer = trial.refusal.as_ref().map_or("nobody", |refusal| refusal.layer.as_str());
    html! {
        li.trial id=(place.anchor) data-kind=(if trial.attack { "attack" } else { "legitimate" })
            data-outcome=(trial.outcome.as_str()) data-layer=(layer) {
            details {
                summary {
                    (badge::outcome(trial.outcome))
                    span.name { (prose(&trial.name)) }
                    @if let Some(refusal) = &trial.refusal { span.by { (Plain(&refusal.brief())) } }
                    @if place.several_servers { span.by { (Plain(&trial.server)) } }
                }
                (particulars(trial, place))
            }
        }
    }
}

fn particulars(trial: &Trial, place: &Place<'_>) -> Markup {
    html! {
        div.particulars {
            dl {
                div { dt { "Made as" } dd { (prose(&trial.speaker)) } }
                @if let Some(refusal) = &trial.refusal { (refused(refusal)) }
                @if !trial.note.is_empty() { div { dt { "Note" } dd { (prose(&trial.note)) } } }
            }
            @if let Some(sent) = &trial.request { (request(sent, place.twin.is_some())) }
            @if let Some(told) = &trial.answer { (answer(told)) }
            @if !trial.curl.is_empty() { (reproduction(trial, place)) }
        }
    }
}

fn reproduction(trial: &Trial, place: &Place<'_>) -> Markup {
    html! {
        h5 { "How to reproduce" }
        @match &place.twin {
            Some((twin, anchor)) => p {
                "The body and the command are those of "
                a href={ "#" (anchor) } { (prose(&twin.name)) @if !twin.server.is_empty() { " on " (prose(&twin.server)) } } "."
            },
            None => (command(&trial.curl, "Command")),
        }
    }
}

fn refused(refusal: &Refusal) -> Markup {
    let names = [("Policy", &refusal.policy), ("Binding", &refusal.binding)];
    html! {
        div { dt { "Refused by" } dd { (refusal.layer.as_str()) } }
        @for (term, name) in names {
            @if let Some(name) = name { div { dt { (term) } dd { code { (prose(name)) } } } }
        }
        @if let Some(rule) = refusal.rule { div { dt { "Rule" } dd { code { (rule.as_str()) } } } }
        @if !refusal.keys.is_empty() {
            div { dt { "Keys" } dd { ul.keys { @for key in &refusal.keys { li { code { (prose(key)) } } } } } }
        }
    }
}

fn request(sent: &Sent, is_repeated: bool) -> Markup {
    html! {
        h5 { "Request" }
        p.line { code { strong { (Plain(&sent.method)) } " " (prose(&sent.path)) } }
        @if let Some(body) = &sent.body {
            p.line { code { "Content-Type: " (Plain(&sent.media_type)) } }
            @if !is_repeated { (frame(&pretty(body), BODY, "Body")) }
        }
    }
}

fn answer(told: &Told) -> Markup {
    html! {
        h5 { "Answer" }
        p.line { code { strong { (told.code) } " " (prose(&told.reason)) } }
        @if !told.message.is_empty() { p.message { (prose(&told.message)) } }
    }
}

/// A command with a button to copy it, which the script adds.
pub(super) fn command(text: &str, label: &str) -> Markup {
    html! { div.command { (frame(text, COMMAND, label)) } }
}

fn frame(text: &str, longest: usize, label: &str) -> Markup {
    let (start, rest) = cut(text, longest);
    html! {
        @if start.len() > TALL {
            pre.tall tabindex="0" role="region" aria-label=(label) { (Code(start)) }
        } @else {
            pre { (Code(start)) }
        }
        @if rest > 0 { p.cut { "… " (rest) " bytes more" } }
    }
}

fn pretty(body: &Value) -> String {
    serde_json::to_string_pretty(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Layer;
    use crate::outcome::Outcome;
    use serde_json::json;
    use std::collections::BTreeSet;

    const HOSTILE: &str = "</pre></script><script>alert('x')</script>\"\u{2028}\u{1}";

    fn trial() -> Trial {
        let text = HOSTILE.to_owned();
        let refusal = Refusal {
            layer: Layer::Policy,
            policy: Some(text.clone()),
            binding: Some(text.clone()),
            rule: None,
            keys: BTreeSet::from([text.clone()]),
            message: text.clone(),
        };
        let request = Sent {
            method: text.clone(),
            path: text.clone(),
            media_type: text.clone(),
            body: Some(json!({HOSTILE: HOSTILE})),
        };
        Trial {
            recipe: text.clone(),
            title: text.clone(),
            gain: text.clone(),
            sources: vec![text.clone()],
            attack: true,
            name: text.clone(),
            speaker: text.clone(),
            server: text.clone(),
            outcome: Outcome::Stopped,
            refusal: Some(refusal),
            note: text.clone(),
            request: Some(request),
            answer: Some(Told { code: 403, reason: text.clone(), message: text.clone() }),
            curl: text,
        }
    }

    fn alone(trial: &Trial) -> String {
        let place = Place { anchor: "a".to_owned(), twin: None, several_servers: true };
        entry(trial, &place).into_string()
    }

    #[test]
    fn no_field_of_a_trial_becomes_an_element() {
        let shown = alone(&trial());
        assert!(!shown.contains("<script") && !shown.contains("</script"), "{shown}");
        assert_eq!(shown.matches("</pre>").count(), 2);
        assert!(!shown.contains(['\u{2028}', '\u{1}']));
        assert_eq!(shown.matches("alert('x')").count(), 16, "{shown}");
    }

    #[test]
    fn large_bodies_are_cut_and_their_command_is_not() {
        let body = json!({"metadata": {"labels": {"a": "x".repeat(BODY)}}});
        let curl = format!("curl --data '{body}'");
        let request = trial().request.map(|sent| Sent { body: Some(body), ..sent });
        let shown = alone(&Trial { request, curl, ..trial() });
        assert!(shown.contains("bytes more"));
        assert_eq!(shown.matches("}}}'").count(), 1);
    }

    #[test]
    fn a_large_request_is_shown_once() {
        let large = Trial { curl: "x".repeat(TALL + 1), ..trial() };
        let trials = [&trial(), &large, &trial(), &large];
        let twins = (0..5).map(|index| Place::of(index, &trials, "r", true)?.twin.map(|(_, anchor)| anchor));
        assert_eq!(twins.collect::<Vec<_>>(), [None, None, None, Some("r-2".to_owned()), None]);
        let place = Place::of(3, &trials, "r", true).expect("there are four");
        let shown = entry(&large, &place).into_string();
        assert!(shown.contains("href=\"#r-2\"") && !shown.contains("<pre"), "{shown}");
    }
}
