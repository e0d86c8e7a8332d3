//! Regular expressions in the syntax of Go's `regexp`, which is RE2's, translated for our engine.
//!
//! The translation spells everything out: our engine reads more syntax than Go does (`\<`, `\u0061`, `(?x)`,
//! `[a&&b]`, `a**`) and gives some of it another meaning (`\d` beyond ASCII). A pattern that Go refuses is
//! refused, with Go's message.

use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::re2_classes::{class, escape, perl_class, unicode_class};

/// The greatest count of a repetition, and of repetitions within each other multiplied.
const MAX_REPEAT: u32 = 1_000;
/// Groups within each other.
const MAX_DEPTH: usize = 1_000;
/// Memory for a compiled pattern; Go allows about as much.
const MAX_SIZE: usize = 128 << 20;

/// Why a pattern is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("error parsing regexp: {reason}: `{part}`")]
pub(super) struct PatternError {
    reason: &'static str,
    part: String,
}

impl PatternError {
    /// A refusal of a part of a pattern.
    pub(super) fn new(reason: &'static str, part: &str) -> Self {
        Self { reason, part: String::from(part) }
    }
}

/// Compiles a pattern, or says in the server's words what is wrong with it.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = Translation::of(pattern).map_err(|error| error.to_string())?;
    let nesting = u32::try_from(3 * MAX_DEPTH).unwrap_or(u32::MAX);
    let built = RegexBuilder::new(&translated).size_limit(MAX_SIZE).nest_limit(nesting).build();
    built.map_err(|_| PatternError::new("expression too large", pattern).to_string())
}

/// The part of a text before its rest.
pub(super) fn before<'p>(text: &'p str, rest: &str) -> &'p str {
    text.get(..text.len().saturating_sub(rest.len())).unwrap_or(text)
}

/// The last thing that a repetition can apply to: where it stands in the translation.
#[derive(Clone, Copy, Debug)]
struct Item {
    start: usize,
    end: usize,
    is_repeated: bool,
    /// How often its parts repeat within each other at most.
    weight: u32,
}

/// What is open: the pattern itself or a group.
#[derive(Debug)]
struct Frame {
    start: usize,
    item: Option<Item>,
    weight: u32,
}

/// A repetition as it is written.
struct Repetition<'p> {
    symbols: String,
    /// The count for each turn of what is repeated, if it is counted.
    count: Option<u32>,
    rest: &'p str,
}

struct Translation<'p> {
    pattern: &'p str,
    out: String,
    frames: Vec<Frame>,
}

impl<'p> Translation<'p> {
    fn of(pattern: &'p str) -> Result<String, PatternError> {
        let outermost = Frame { start: 0, item: None, weight: 1 };
        let mut translation = Self { pattern, out: String::new(), frames: vec![outermost] };
        let mut rest = pattern;
        let mut last_repetition = None;
        while let Some(symbol) = rest.chars().next() {
            let current = rest;
            let repetition = repetition(rest)?;
            rest = match repetition {
                Some(repetition) => translation.repeat(current, repetition, last_repetition.take())?,
                None => translation.step(symbol, rest)?,
            };
            last_repetition = is_repetition(current).then_some(current);
        }
        if translation.frames.len() > 1 {
            return Err(PatternError::new("missing closing )", pattern));
        }
        Ok(translation.out)
    }

    fn step(&mut self, symbol: char, text: &'p str) -> Result<&'p str, PatternError> {
        let after = text.get(symbol.len_utf8()..).unwrap_or_default();
        match symbol {
            '(' if after.starts_with('?') => return self.open_special(text),
            '(' => self.open("(?:")?,
            '|' => self.alternative(),
            ')' => self.close()?,
            '^' | '$' | '.' => self.push_item(symbol.encode_utf8(&mut [0; 4])),
            '[' => {
                let (members, rest) = class(text)?;
                self.push_item(&members);
                return Ok(rest);
            }
            '\\' => return self.escaped(text),
            _ => self.push_item(&literal(symbol)),
        }
        Ok(after)
    }

    fn frame(&mut self) -> Option<&mut Frame> {
        self.frames.last_mut()
    }

    fn push_item(&mut self, text: &str) {
        let start = self.out.len();
        self.out.push_str(text);
        self.set_item(Item { start, end: self.out.len(), is_repeated: false, weight: 1 });
    }

    fn set_item(&mut self, item: Item) {
        if let Some(frame) = self.frame() {
            frame.weight = frame.weight.max(item.weight);
            frame.item = Some(item);
        }
    }

    fn open(&mut self, symbols: &str) -> Result<(), PatternError> {
        if self.frames.len() > MAX_DEPTH {
            return Err(PatternError::new("expression nests too deeply", self.pattern));
        }
        self.frames.push(Frame { start: self.out.len(), item: None, weight: 1 });
        self.out.push_str(symbols);
        Ok(())
    }

    fn alternative(&mut self) {
        self.out.push('|');
        if let Some(frame) = self.frame() {
            frame.item = None;
        }
    }

    fn close(&mut self) -> Result<(), PatternError> {
        let unexpected = PatternError::new("unexpected )", self.pattern);
        let closed = self.frames.pop().filter(|_| !self.frames.is_empty()).ok_or(unexpected)?;
        self.out.push(')');
        self.set_item(Item { start: closed.start, end: self.out.len(), is_repeated: false, weight: closed.weight });
        Ok(())
    }

    /// Named groups, groups with flags, and flags alone. Names mean nothing here.
    fn open_special(&mut self, text: &'p str) -> Result<&'p str, PatternError> {
        let is_named = (text.starts_with("(?P<") && text.len() > 4) || (text.starts_with("(?<") && text.len() > 3);
        if is_named {
            let rest = after_name(text)?;
            self.open("(?:")?;
            return Ok(rest);
        }
        let flags = Flags::read(text)?;
        match (flags.opens_group, flags.symbols.as_str()) {
            (true, symbols) => self.open(&format!("(?{symbols}:"))?,
            (false, "") => {}
            (false, symbols) => self.out.push_str(&format!("(?{symbols})")),
        }
        Ok(flags.rest)
    }

    fn escaped(&mut self, text: &'p str) -> Result<&'p str, PatternError> {
        let mut symbols = text.chars().skip(1);
        let rest = text.get(2..).unwrap_or_default();
        let assertion = match symbols.next() {
            Some('A') => r"\A",
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            Some('z') => r"\z",
            Some('C') => return Err(PatternError::new("invalid escape sequence", r"\C")),
            Some('Q') => return Ok(self.quoted(rest)),
            _ => return self.escaped_character(text),
        };
        self.push_item(assertion);
        Ok(rest)
    }

    fn quoted(&mut self, text: &'p str) -> &'p str {
        let (quoted, rest) = text.split_once(r"\E").unwrap_or((text, ""));
        quoted.chars().for_each(|character| self.push_item(&literal(character)));
        rest
    }

    fn escaped_character(&mut self, text: &'p str) -> Result<&'p str, PatternError> {
        if let Some((members, rest)) = unicode_class(text)? {
            self.push_item(&members);
            return Ok(rest);
        }
        if let Some((members, rest)) = perl_class(text) {
            self.push_item(members);
            return Ok(rest);
        }
        let (code, rest) = escape(text)?;
        // Surrogates are no characters; nothing matches them.
        let item = char::from_u32(code).map_or_else(|| String::from(r"[^\x{0}-\x{10FFFF}]"), literal);
        self.push_item(&item);
        Ok(rest)
    }

    fn repeat(
        &mut self,
        text: &'p str,
        repetition: Repetition<'p>,
        last: Option<&str>,
    ) -> Result<&'p str, PatternError> {
        let written = before(text, repetition.rest);
        if let Some(last) = last {
            return Err(PatternError::new("invalid nested repetition operator", before(last, repetition.rest)));
        }
        let item = self.frame().and_then(|frame| frame.item);
        let item = item.ok_or_else(|| PatternError::new("missing argument to repetition operator", written))?;
        let weight = match repetition.count {
            Some(0) => 1,
            Some(count) => item.weight.saturating_mul(count),
            None => item.weight,
        };
        if weight > MAX_REPEAT {
            return Err(PatternError::new("invalid repeat count", written));
        }
        self.insert(item, &repetition.symbols, weight);
        Ok(repetition.rest)
    }

    /// Puts the repetition behind its item, which flags may separate from the end.
    fn insert(&mut self, item: Item, symbols: &str, weight: u32) {
        let mut end = item.end;
        if item.is_repeated {
            self.out.insert(end, ')');
            self.out.insert_str(item.start, "(?:");
            end += 4;
        }
        self.out.insert_str(end, symbols);
        self.set_item(Item { end: end + symbols.len(), is_repeated: true, weight, ..item });
    }
}

fn literal(character: char) -> String {
    if character.is_ascii_alphanumeric() || !character.is_ascii() {
        return String::from(character);
    }
    format!("\\x{{{:X}}}", u32::from(character))
}

fn after_name(text: &str) -> Result<&str, PatternError> {
    let invalid = |part| PatternError::new("invalid named capture", part);
    let (head, rest) = text.split_once('>').ok_or_else(|| invalid(text))?;
    let (_, name) = head.split_once('<').unwrap_or_default();
    let is_valid = !name.is_empty() && name.chars().all(|letter| letter == '_' || letter.is_ascii_alphanumeric());
    if is_valid { Ok(rest) } else { Err(invalid(before(text, rest))) }
}

/// Flags at the start of a group or alone.
struct Flags<'p> {
    symbols: String,
    opens_group: bool,
    rest: &'p str,
}

impl<'p> Flags<'p> {
    fn read(text: &'p str) -> Result<Self, PatternError> {
        let mut rest = text.get(2..).unwrap_or_default();
        let (mut on, mut off) = (String::new(), String::new());
        let (mut is_negative, mut is_empty) = (false, true);
        while let Some(symbol) = rest.chars().next() {
            rest = rest.get(symbol.len_utf8()..).unwrap_or_default();
            match symbol {
                'i' | 'm' | 's' | 'U' => {
                    on.retain(|other| other != symbol);
                    off.retain(|other| other != symbol);
                    if is_negative { &mut off } else { &mut on }.push(symbol);
                    is_empty = false;
                }
                '-' if !is_negative => (is_negative, is_empty) = (true, true),
                ':' | ')' if !(is_negative && is_empty) => {
                    let symbols = if off.is_empty() { on } else { format!("{on}-{off}") };
                    return Ok(Self { symbols, opens_group: symbol == ':', rest });
                }
                _ => break,
            }
        }
        Err(PatternError::new("invalid or unsupported Perl syntax", before(text, rest)))
    }
}

fn is_repetition(text: &str) -> bool {
    matches!(repetition(text), Ok(Some(_)))
}

/// The repetition at the start of a text; a brace that begins none is itself.
fn repetition(text: &str) -> Result<Option<Repetition<'_>>, PatternError> {
    let (mut symbols, count, rest) = match text.split_at_checked(1) {
        Some((symbol @ ("*" | "+" | "?"), rest)) => (String::from(symbol), None, rest),
        Some(("{", _)) => match counts(text) {
            Some((least, most, rest)) => {
                check_counts(least, most, before(text, rest))?;
                let most_symbols = most.map_or_else(String::new, |most| most.to_string());
                (format!("{{{least},{most_symbols}}}"), Some(most.unwrap_or(least)), rest)
            }
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let lazy = rest.strip_prefix('?');
    symbols.push_str(if lazy.is_some() { "?" } else { "" });
    Ok(Some(Repetition { symbols, count, rest: lazy.unwrap_or(rest) }))
}

fn check_counts(least: u32, most: Option<u32>, written: &str) -> Result<(), PatternError> {
    let is_wrong = least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || least > most);
    if is_wrong { Err(PatternError::new("invalid repeat count", written)) } else { Ok(()) }
}

/// The counts in braces: the least, the most if there is one, and what follows.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (least, rest) = number(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((least, Some(least), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((least, None, rest));
    }
    let (most, rest) = number(rest)?;
    Some((least, Some(most), rest.strip_prefix('}')?))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0');
    (!digits.is_empty() && !has_leading_zero).then(|| (digits.parse().unwrap_or(u32::MAX), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_patterns_are_refused_or_compiled_without_a_panic() {
        let nested = format!("{}{}", "(".repeat(999), ")".repeat(999));
        let too_deep = format!("{}{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(compile(&nested).is_ok());
        assert_eq!(
            compile(&too_deep).map(drop),
            Err(format!("error parsing regexp: expression nests too deeply: `{too_deep}`"))
        );
        for pattern in ["\\p{Han}{1000}", "\\", "(?", "[", "[^", "[a-", "\\x{", "{", "(?P<", "\\Q", "[[:", "é{é"] {
            drop(compile(pattern));
        }
    }

    #[test]
    fn a_repetition_reaches_its_item_across_flags() {
        assert!(compile("^a(?i)*b$").unwrap().is_match("aaB"));
        assert!(compile("^a*(?i)?b$").unwrap().is_match("aaB"));
        assert!(compile(r"^a\Q\E{2}$").unwrap().is_match("aa"));
    }
}
