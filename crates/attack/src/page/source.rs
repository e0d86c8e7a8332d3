//! Who described an attack: links, where there is something to link to.

use maud::{Markup, html};

use super::text::Plain;

/// The sources of a recipe.
pub(super) fn list(sources: &[String]) -> Markup {
    html! {
        @if !sources.is_empty() {
            ul.sources aria-label="Sources" { @for source in sources { li { (link(source)) } } }
        }
    }
}

fn link(source: &str) -> Markup {
    match target(source) {
        Some((address, text)) => html! { a.source href=(Plain(&address)) rel="noopener noreferrer" { (Plain(text)) } },
        None => html! { (Plain(source)) },
    }
}

/// Where a source is, and how to call it.
fn target(source: &str) -> Option<(String, &str)> {
    let stripped = source.strip_prefix("https://").or_else(|| source.strip_prefix("http://"));
    match stripped {
        Some(rest) => Some((source.to_owned(), rest.trim_end_matches('/'))),
        None if is_identifier(source, "CVE-") => Some((format!("https://www.cve.org/CVERecord?id={source}"), source)),
        None if is_identifier(source, "GHSA-") => Some((format!("https://github.com/advisories/{source}"), source)),
        None => None,
    }
}

fn is_identifier(source: &str, prefix: &str) -> bool {
    let letter = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
    source.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_identifiers_become_links() {
        let table = [
            ("CVE-2023-26484", Some("https://www.cve.org/CVERecord?id=CVE-2023-26484")),
            ("GHSA-7xgm-5prm-v5gc", Some("https://github.com/advisories/GHSA-7xgm-5prm-v5gc")),
            ("https://example.com/a?b=c&d=%22", Some("https://example.com/a?b=c&amp;d=%22")),
            ("http://example.com/\"onclick=", Some("http://example.com/&quot;onclick=")),
            ("javascript:alert(1)//https://", None),
            ("CVE-\"><script>", None),
            ("GHSA-", None),
            ("a talk", None),
        ];
        for (source, expected) in table {
            let expected = expected.map(|address| format!("href=\"{address}\""));
            let shown = link(source).into_string();
            assert_eq!(expected.as_ref().is_some_and(|href| shown.contains(href)), expected.is_some(), "{shown}");
            assert_eq!(shown.contains("href"), expected.is_some(), "{shown}");
        }
    }
}
