//! Words with an icon and a colour, in this order of importance.

use maud::{Markup, PreEscaped, html};

use crate::outcome::Outcome;
use crate::report::{Conclusion, Status, Trial, worst};

/// How something is meant: a colour and an icon beside the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Odd,
    Faint,
}

impl Tone {
    const ALL: [Self; 4] = [Self::Good, Self::Bad, Self::Odd, Self::Faint];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Odd => "odd",
            Self::Faint => "faint",
        }
    }

    /// The icon, drawn in a square of 16.
    pub(super) fn drawing(self) -> &'static str {
        match self {
            Self::Good => "M3 8.5l3.3 3.3L13 5",
            Self::Bad => "M4 4l8 8M12 4l-8 8",
            Self::Odd => "M8 3v6M8 12v.5",
            Self::Faint => "M4 8h8",
        }
    }

    pub(super) fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stopped | Outcome::Admitted => Self::Good,
            Outcome::Breach | Outcome::Blocked | Outcome::Defect => Self::Bad,
            Outcome::Residual | Outcome::Permitted | Outcome::Unproven => Self::Odd,
            Outcome::Harmless | Outcome::Skipped => Self::Faint,
        }
    }

    pub(super) fn of_status(status: Status) -> Self {
        match status {
            Status::Good => Self::Good,
            Status::Bad => Self::Bad,
            Status::Unknown => Self::Odd,
            Status::Noted => Self::Faint,
        }
    }

    pub(super) fn of_conclusion(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Holds => Self::Good,
            Conclusion::Broken => Self::Bad,
            Conclusion::Unproven => Self::Odd,
        }
    }
}

/// The icons, once for the whole page.
pub(super) fn drawings() -> Markup {
    html! {
        svg.drawings aria-hidden="true" width="0" height="0" {
            @for tone in Tone::ALL {
                symbol id={ "icon-" (tone.as_str()) } viewBox="0 0 16 16" { path d=(tone.drawing()) {} }
            }
        }
    }
}

pub(super) fn icon(tone: Tone) -> Markup {
    // References to symbols are all alike: a template of its own is not worth a type check.
    PreEscaped(format!("<svg class=\"icon\" aria-hidden=\"true\"><use href=\"#icon-{}\"/></svg>", tone.as_str()))
}

pub(super) fn badge(tone: Tone, text: &str) -> Markup {
    html! { span.badge.(tone.as_str()) { (icon(tone)) (text) } }
}

pub(super) fn outcome(outcome: Outcome) -> Markup {
    badge(Tone::of_outcome(outcome), outcome.as_str())
}

/// What came of several trials: the worst, and of how many.
pub(super) fn share(trials: &[&Trial]) -> Markup {
    let Some(outcome) = worst(trials.iter().map(|trial| trial.outcome)) else { return html! {} };
    let of = trials.iter().filter(|trial| trial.outcome == outcome).count();
    let tried = trials.iter().filter(|trial| trial.outcome != Outcome::Skipped).count();
    html! {
        span.share {
            (self::outcome(outcome))
            @if outcome != Outcome::Skipped { " " span.number { (of) " of " (tried) } }
        }
    }
}

/// What an outcome means, for people who see it for the first time.
pub(super) fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped => "An attack was refused by a layer that is there to refuse it.",
        Outcome::Admitted => "A write that the agent has to make was let through.",
        Outcome::Residual => "It got through, as it does under any protection, and the note says why.",
        Outcome::Permitted => "It got through because the profile allows it.",
        Outcome::Harmless => "It got through and changed nothing that matters.",
        Outcome::Breach => "An attack got through: the protection has a hole.",
        Outcome::Blocked => "A write that the agent has to make was refused: the agent would not work.",
        Outcome::Defect => "It was refused because something failed, or by another rule than the one for it.",
        Outcome::Unproven => "The answer decides nothing, or there was none.",
        Outcome::Skipped => "It was not tried, and the note says why.",
    }
}

/// What a check's answer is called.
pub(super) fn status(status: Status) -> Markup {
    let text = match status {
        Status::Good => "good",
        Status::Bad => "bad",
        Status::Unknown => "unknown",
        Status::Noted => "noted",
    };
    badge(Tone::of_status(status), text)
}
