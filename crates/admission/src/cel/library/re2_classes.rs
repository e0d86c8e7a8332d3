//! Character classes and escapes of regular expressions, as Go's `regexp` reads them.

use regex::Regex;

use super::re2::{PatternError, before};

/// Members of a class in our engine's notation, and the rest of the pattern.
type Members<'p> = Option<(String, &'p str)>;

const PERL_CLASSES: &[(&str, &str)] = &[
    (r"\d", "[0-9]"),
    (r"\D", "[^0-9]"),
    (r"\s", r"[\t\n\x{C}\r\x{20}]"),
    (r"\S", r"[^\t\n\x{C}\r\x{20}]"),
    (r"\w", "[0-9A-Za-z_]"),
    (r"\W", "[^0-9A-Za-z_]"),
];

const NAMED_CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// A class such as `\d`, about ASCII only.
pub(super) fn perl_class(text: &str) -> Option<(&'static str, &str)> {
    PERL_CLASSES.iter().find_map(|(name, members)| text.strip_prefix(name).map(|rest| (*members, rest)))
}

/// A class such as `\pL` or `\P{Greek}`.
pub(super) fn unicode_class(text: &str) -> Result<Members<'_>, PatternError> {
    let (Some(after), is_negative) =
        (text.strip_prefix(r"\p").or_else(|| text.strip_prefix(r"\P")), text.starts_with(r"\P"))
    else {
        return Ok(None);
    };
    let refused = |part: &str| PatternError::new("invalid character class range", part);
    let first = after.chars().next().ok_or_else(|| refused(text))?;
    let (name, rest) = match after.strip_prefix('{') {
        Some(braced) => braced.split_once('}').ok_or_else(|| refused(text))?,
        None => after.split_at_checked(first.len_utf8()).unwrap_or((after, "")),
    };
    let (name, is_negative) = name.strip_prefix('^').map_or((name, is_negative), |name| (name, !is_negative));
    let property = property(name).ok_or_else(|| refused(before(text, rest)))?;
    let letter = if is_negative { 'P' } else { 'p' };
    Ok(Some((format!("\\{letter}{{{property}}}"), rest)))
}

/// A general category or a script. Other properties, which our engine knows, Go does not.
fn property(name: &str) -> Option<String> {
    let is_name =
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_- ".contains(letter));
    let candidates = ["gc", "sc"].map(|kind| format!("{kind}={name}"));
    candidates.into_iter().filter(|_| is_name).find(|property| Regex::new(&format!("\\p{{{property}}}")).is_ok())
}

/// A class in brackets.
pub(super) fn class(text: &str) -> Result<(String, &str), PatternError> {
    let mut rest = text.strip_prefix('[').unwrap_or(text);
    let mut members = String::from("[");
    if let Some(after) = rest.strip_prefix('^') {
        members.push('^');
        rest = after;
    }
    let mut is_first = true;
    while is_first || !rest.starts_with(']') {
        is_first = false;
        rest = match group(rest)? {
            Some((group, after)) => {
                members.push_str(&group);
                after
            }
            None => {
                let (low, high, after) = range(rest, text)?;
                push_range(&mut members, low, high);
                after
            }
        };
    }
    members.push(']');
    // An empty class is written so that our engine reads it: nothing, or everything but nothing.
    let members = match members.as_str() {
        "[]" => String::from(r"[^\x{0}-\x{10FFFF}]"),
        "[^]" => String::from(r"[\x{0}-\x{10FFFF}]"),
        _ => members,
    };
    Ok((members, rest.strip_prefix(']').unwrap_or(rest)))
}

/// A class within a class.
fn group(text: &str) -> Result<Members<'_>, PatternError> {
    if let Some(found) = named_class(text)? {
        return Ok(Some(found));
    }
    if let Some(found) = unicode_class(text)? {
        return Ok(Some(found));
    }
    Ok(perl_class(text).map(|(members, rest)| (String::from(members), rest)))
}

fn named_class(text: &str) -> Result<Members<'_>, PatternError> {
    let Some((name, rest)) = text.strip_prefix("[:").and_then(|after| after.split_once(":]")) else { return Ok(None) };
    let is_known = NAMED_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name));
    let written = before(text, rest);
    if is_known {
        Ok(Some((String::from(written), rest)))
    } else {
        Err(PatternError::new("invalid character class range", written))
    }
}

/// A character or a range of characters.
fn range<'p>(text: &'p str, whole: &str) -> Result<(u32, u32, &'p str), PatternError> {
    let (low, rest) = member(text, whole)?;
    let Some(after) = rest.strip_prefix('-').filter(|after| !after.is_empty() && !after.starts_with(']')) else {
        return Ok((low, low, rest));
    };
    let (high, rest) = member(after, whole)?;
    if high < low {
        return Err(PatternError::new("invalid character class range", before(text, rest)));
    }
    Ok((low, high, rest))
}

fn member<'p>(text: &'p str, whole: &str) -> Result<(u32, &'p str), PatternError> {
    match text.chars().next() {
        None => Err(PatternError::new("missing closing ]", whole)),
        Some('\\') => escape(text),
        Some(character) => Ok((u32::from(character), text.get(character.len_utf8()..).unwrap_or_default())),
    }
}

/// Surrogates are no characters for our engine, and match nothing anyway.
fn push_range(members: &mut String, low: u32, high: u32) {
    let low = if (0xD800..0xE000).contains(&low) { 0xE000 } else { low };
    let high = if (0xD800..0xE000).contains(&high) { 0xD7FF } else { high };
    if low <= high {
        members.push_str(&format!("\\x{{{low:X}}}-\\x{{{high:X}}}"));
    }
}

/// The code point of an escape.
pub(super) fn escape(text: &str) -> Result<(u32, &str), PatternError> {
    let after = text.strip_prefix('\\').unwrap_or(text);
    let Some(symbol) = after.chars().next() else {
        return Err(PatternError::new("trailing backslash at end of expression", ""));
    };
    let rest = after.get(symbol.len_utf8()..).unwrap_or_default();
    let code = match symbol {
        'a' => 0x7,
        'f' => 0xC,
        'n' => 0xA,
        'r' => 0xD,
        't' => 0x9,
        'v' => 0xB,
        '0' => return Ok(octal(after)),
        '1'..='7' if rest.starts_with(|digit| ('0'..='7').contains(&digit)) => return Ok(octal(after)),
        'x' => return hexadecimal(text, rest),
        _ if symbol.is_ascii() && !symbol.is_ascii_alphanumeric() => u32::from(symbol),
        _ => return Err(invalid(text, rest)),
    };
    Ok((code, rest))
}

fn invalid(text: &str, rest: &str) -> PatternError {
    PatternError::new("invalid escape sequence", before(text, rest))
}

fn octal(text: &str) -> (u32, &str) {
    let digits = text.bytes().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
    let (digits, rest) = text.split_at_checked(digits).unwrap_or((text, ""));
    (u32::from_str_radix(digits, 8).unwrap_or(0), rest)
}

/// Two digits, or any number of them in braces.
fn hexadecimal<'p>(text: &'p str, after: &'p str) -> Result<(u32, &'p str), PatternError> {
    let mut symbols = after.chars();
    match symbols.next() {
        None => Err(invalid(text, "")),
        Some('{') => braced(text, symbols.as_str()),
        Some(high) => {
            let low = symbols.next().and_then(|low| low.to_digit(16));
            match (high.to_digit(16), low) {
                (Some(high), Some(low)) => Ok((high * 16 + low, symbols.as_str())),
                _ => Err(invalid(text, symbols.as_str())),
            }
        }
    }
}

fn braced<'p>(text: &'p str, digits: &'p str) -> Result<(u32, &'p str), PatternError> {
    let mut symbols = digits.chars();
    let (mut code, mut count) = (0_u32, 0);
    while let Some(symbol) = symbols.next() {
        let rest = symbols.as_str();
        if symbol == '}' {
            return if count == 0 { Err(invalid(text, rest)) } else { Ok((code, rest)) };
        }
        let digit = symbol.to_digit(16).ok_or_else(|| invalid(text, rest))?;
        code = code * 16 + digit;
        count += 1;
        if code > u32::from(char::MAX) {
            return Err(invalid(text, rest));
        }
    }
    Err(invalid(text, ""))
}
