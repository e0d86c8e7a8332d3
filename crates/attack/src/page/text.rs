//! Text of strangers: what an API server, a cluster or a catalogue says, made visible and harmless.

use maud::{Escaper, Markup, Render, html};
use std::fmt::Write;

/// A single text is shown up to so many bytes. The longest message of an API server that is not broken has about 5,000.
const LONGEST: usize = 8 << 10;

/// Text that is escaped for HTML, and whose invisible characters are spelled as JSON spells them: what turns, hides or
/// breaks a line must not make one text look like another.
pub(super) struct Plain<'a>(pub &'a str);

impl Render for Plain<'_> {
    fn render_to(&self, buffer: &mut String) {
        for character in self.0.chars() {
            if is_invisible(character) { spell(character, buffer) } else { escape(character, buffer) }
        }
    }
}

/// The same for the content of an element, never for an attribute: quotes stay, which JSON is full of.
pub(super) struct Code<'a>(pub &'a str);

impl Render for Code<'_> {
    fn render_to(&self, buffer: &mut String) {
        for (index, piece) in self.0.split('"').enumerate() {
            if index > 0 {
                buffer.push('"');
            }
            Plain(piece).render_to(buffer);
        }
    }
}

fn escape(character: char, buffer: &mut String) {
    // A String takes everything.
    let _ = Escaper::new(buffer).write_char(character);
}

fn spell(character: char, buffer: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let _ = write!(buffer, "\\u{unit:04x}");
    }
}

/// Controls other than line feed and tab, and what Unicode calls format characters and separators of lines.
fn is_invisible(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

/// Text that is cut where it becomes too long to read.
pub(super) fn prose(text: &str) -> Markup {
    let (start, rest) = cut(text, LONGEST);
    html! {
        (Plain(start))
        @if rest > 0 { " " span.cut { "… " (rest) " bytes more" } }
    }
}

/// The start of a text, and how many bytes are left out.
pub(super) fn cut(text: &str, longest: usize) -> (&str, usize) {
    let end = text.floor_char_boundary(longest);
    let start = text.get(..end).unwrap_or_default();
    (start, text.len().saturating_sub(end))
}

/// A name that may stand in an `id` and after a `#`.
pub(super) fn anchor(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    name.chars().map(letter).collect()
}

/// With a capital, unless it begins with a name.
pub(super) fn capital(text: &str) -> String {
    let first_word = text.split(' ').next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if first_word.chars().all(char::is_alphabetic) => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

/// A number with its noun.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A word for a shell.
pub(super) fn word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_is_harmless_and_visible() {
        let table = [
            ("<script>&\"", "&lt;script&gt;&amp;&quot;"),
            ("</script><!--", "&lt;/script&gt;&lt;!--"),
            ("a\nb\tc", "a\nb\tc"),
            ("\0\r\u{7f}\u{9b}", r"\u0000\u000d\u007f\u009b"),
            ("\u{2028}\u{2029}\u{202e}x\u{feff}", r"\u2028\u2029\u202ex\ufeff"),
            ("\u{e0041}", r"\udb40\udc41"),
            ("ü 漢 😀", "ü 漢 😀"),
        ];
        for (text, expected) in table {
            assert_eq!(Plain(text).render().into_string(), expected);
            assert_eq!(Code(text).render().into_string(), expected.replace("&quot;", "\""));
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("aü", 2), ("a", 2));
        assert_eq!(cut("aü", 3), ("aü", 0));
        let long = prose(&"ü".repeat(LONGEST)).into_string();
        assert!(long.len() < LONGEST + 100 && long.contains("8192 bytes more"), "{}", long.len());
    }

    #[test]
    fn sentences_begin_with_a_capital_and_names_stay() {
        let table = [("nothing got", "Nothing got"), ("kubevirt/handler is", "kubevirt/handler is"), ("", "")];
        for (text, expected) in table {
            assert_eq!(capital(text), expected);
        }
    }

    #[test]
    fn anchors_and_words_hold_nothing_that_acts() {
        assert_eq!(anchor("a b\"<ü"), "a-b---");
        let table = [("virt-handler-x.y", "virt-handler-x.y"), ("", "''"), ("a'b; c", r"'a'\''b; c'")];
        for (text, expected) in table {
            assert_eq!(word(text), expected);
        }
    }
}
