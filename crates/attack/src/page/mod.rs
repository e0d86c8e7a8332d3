//! A report as a page for a browser: one file that needs nothing else and asks nobody.
//!
//! The page shows text of strangers (answers, names, keys). All of it is escaped, none of it reaches a script or a style,
//! and a policy in the page allows exactly the one script and the one style that belong to it.

mod badge;
mod check;
mod comparison;
mod filter;
mod options;
mod overview;
mod recipe;
mod source;
mod text;
mod trial;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

use crate::matrix::Matrix;
use crate::report::{Conclusion, Report};
use badge::Tone;
use recipe::{Group, groups};
use text::Plain;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What a page tells.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    /// The heading.
    pub title: &'a str,
    /// When the attack was made, as text; may be empty.
    pub made: &'a str,
    /// The same attack before something was done about it.
    pub before: Option<&'a Report>,
    /// The attack.
    pub report: &'a Report,
    /// Ways to protect Nodes side by side.
    pub matrix: Option<&'a Matrix>,
}

/// The page of a story: a whole HTML document.
#[must_use]
pub fn html(story: &Story<'_>) -> String {
    let groups = groups(story.report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(story))
            body {
                a.skip href="#content" { "Skip to the content" }
                (badge::drawings())
                (overview::banner(story))
                main #content tabindex="-1" { (sections(story, &groups)) }
                footer { p { "Made by nodebound. This file is complete: it loads nothing and sends nothing." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn head(story: &Story<'_>) -> Markup {
    let conclusion = story.report.conclusion();
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy());
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { (Plain(story.title)) ": " (verdict(conclusion)) }
            link rel="icon" href=(favicon(Tone::of_conclusion(conclusion)));
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn sections(story: &Story<'_>, groups: &[Group<'_>]) -> Markup {
    html! {
        (overview::section(story, groups))
        @if let Some(before) = story.before { (comparison::section(before, groups)) }
        @if let Some(matrix) = story.matrix { (options::section(matrix, groups)) }
        (check::section(&story.report.checks))
        (recipe::section(story.report, groups))
    }
}

/// A conclusion in one word or two.
fn verdict(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Holds => "the protection holds",
        Conclusion::Broken => "the protection is broken",
        Conclusion::Unproven => "not proven",
    }
}

/// Nothing is loaded, and nothing runs but what is part of the page.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

fn favicon(tone: Tone) -> String {
    let colour = match tone {
        Tone::Good => "%23157f3c",
        Tone::Bad => "%23c0271f",
        Tone::Odd | Tone::Faint => "%238a5a00",
    };
    format!(
        "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>\
         <rect width='16' height='16' rx='4' fill='{colour}'/>\
         <path d='{}' fill='none' stroke='white' stroke-width='2' stroke-linecap='round'/></svg>",
        tone.drawing()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Means;

    const HOSTILE: &str = "</script><script>alert(1)</script>\"'<img src=x onerror=alert(1)>&\u{2028}\u{202e}\0";

    fn report() -> Report {
        let text = HOSTILE.to_owned();
        Report {
            profile: text.clone(),
            account: text.clone(),
            version: text.clone(),
            node: text.clone(),
            pod: text.clone(),
            means: Means { token: true, unproven: text.clone() },
            servers: vec![text],
            checks: Vec::new(),
            trials: Vec::new(),
        }
    }

    #[test]
    fn the_policy_in_the_page_names_its_script_and_style() {
        let page = html(&Story { title: "t", made: "", before: None, report: &report(), matrix: None });
        for (element, attribute) in [("script", "script-src"), ("style", "style-src")] {
            let (_, rest) = page.split_once(&format!("<{element}>")).expect("the page has it");
            let (content, _) = rest.split_once(&format!("</{element}>")).expect("it ends");
            assert!(page.contains(&format!("{attribute} '{}'", hash(content))), "{element}");
        }
    }

    #[test]
    fn no_text_of_a_report_becomes_an_element() {
        let report = report();
        let page = html(&Story { title: HOSTILE, made: HOSTILE, before: Some(&report), report: &report, matrix: None });
        assert_eq!(page.matches("<script").count(), 1);
        assert!(!page.contains("<img") && !page.contains(['\0', '\u{2028}', '\u{202e}']));
        assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
    }

    #[test]
    fn the_static_parts_end_where_they_should() {
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
        assert!(!STYLE.contains("</") && !STYLE.contains("url("));
    }
}
