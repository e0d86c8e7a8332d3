//! The clauses of a `format` text: how they are written, and which kinds of values they take.
//!
//! Both the evaluation and the check of constant format texts read them.

use super::localized::DEFAULT_PRECISION;
use super::quoting::quote;
use crate::cel::types::Type;

/// A clause behind a percent sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clause {
    /// `%s`.
    Text,
    /// `%d`.
    Decimal,
    /// `%f` with its precision.
    Fixed(u64),
    /// `%e` with its precision.
    Scientific(u64),
    /// `%b`.
    Binary,
    /// `%x`.
    Hexadecimal,
    /// `%X`.
    UpperHexadecimal,
    /// `%o`.
    Octal,
}

/// The clauses of a constant text as far as they can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clauses {
    /// The clauses in order.
    pub clauses: Vec<Clause>,
    /// Why the text cannot be read further. Findings about earlier clauses come first.
    pub problem: Option<String>,
}

impl Clauses {
    /// Reads a text that is given so many items.
    pub fn read(text: &str, items: usize) -> Self {
        let mut clauses = Vec::new();
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('%') {
            if let Some(after) = after.strip_prefix('%') {
                rest = after;
                continue;
            }
            match next_clause(after, clauses.len(), items) {
                Ok((clause, after)) => {
                    clauses.push(clause);
                    rest = after;
                }
                Err(problem) => return Self { clauses, problem: Some(problem) },
            }
        }
        Self { clauses, problem: None }
    }

    /// The finding if there are more items than clauses.
    pub fn surplus(&self, items: usize) -> Option<String> {
        let expected = self.clauses.len();
        (items > expected)
            .then(|| format!("too many arguments supplied to string.format (expected {expected}, got {items})"))
    }
}

fn next_clause(text: &str, index: usize, items: usize) -> Result<(Clause, &str), String> {
    if text.is_empty() {
        return Err(String::from("unexpected end of string"));
    }
    if index >= items {
        return Err(format!("index {index} out of range"));
    }
    Clause::parse(text)
}

impl Clause {
    /// Reads what follows a percent sign; gives the clause and what follows it.
    pub(super) fn parse(text: &str) -> Result<(Self, &str), String> {
        if text.is_empty() {
            return Err(String::from("unexpected end of string"));
        }
        let unparsable = |reason: String| format!("could not parse formatting clause: {reason}");
        let (precision, rest) =
            parse_precision(text).map_err(|reason| unparsable(format!("error while parsing precision: {reason}")))?;
        let mut symbols = rest.chars();
        let letter = symbols.next();
        let clause = letter.and_then(|letter| Self::of_letter(letter, precision.unwrap_or(DEFAULT_PRECISION)));
        // The server looks at one octet only and prints it as a character of its own.
        let octet = rest.bytes().next().map_or(char::REPLACEMENT_CHARACTER, char::from);
        let clause = clause.ok_or_else(|| unparsable(format!("unrecognized formatting clause \"{octet}\"")))?;
        Ok((clause, symbols.as_str()))
    }

    fn of_letter(letter: char, precision: u64) -> Option<Self> {
        Some(match letter {
            's' => Self::Text,
            'd' => Self::Decimal,
            'f' => Self::Fixed(precision),
            'e' => Self::Scientific(precision),
            'b' => Self::Binary,
            'x' => Self::Hexadecimal,
            'X' => Self::UpperHexadecimal,
            'o' => Self::Octal,
            _ => return None,
        })
    }

    /// Whether a value of this static type may be printed. Elements of list and map literals printed by
    /// [`Clause::Text`] must be acceptable too.
    pub fn accepts(self, of: &Type) -> bool {
        match (self, of) {
            (_, Type::Dyn | Type::Error) => true,
            (Self::Text, Type::List(_) | Type::Map(..) | Type::Type(_) | Type::Null | Type::Bool | Type::String)
            | (Self::Text, Type::Bytes | Type::Double | Type::Duration | Type::Timestamp)
            | (Self::Fixed(_) | Self::Scientific(_), Type::Double | Type::String)
            | (Self::Binary, Type::Bool)
            | (Self::Hexadecimal | Self::UpperHexadecimal, Type::String | Type::Bytes) => true,
            (Self::Fixed(_) | Self::Scientific(_), _) => false,
            (_, of) => matches!(of, Type::Int | Type::Uint),
        }
    }

    /// The message about a value of another type, named as at run time.
    pub fn refusal(self, type_name: &str) -> String {
        let rule = match self {
            Self::Text => {
                "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"
            }
            Self::Decimal => "decimal clause can only be used on integers",
            Self::Fixed(_) => "fixed-point clause can only be used on doubles",
            Self::Scientific(_) => "scientific clause can only be used on doubles",
            Self::Binary => "only integers and bools can be formatted as binary",
            Self::Hexadecimal | Self::UpperHexadecimal => {
                "only integers, byte buffers, and strings can be formatted as hex"
            }
            Self::Octal => "octal clause can only be used on integers",
        };
        format!("error during formatting: {rule}, was given {type_name}")
    }
}

fn parse_precision(text: &str) -> Result<(Option<u64>, &str), String> {
    let Some(after) = text.strip_prefix('.') else { return Ok((None, text)) };
    let end =
        after.find(|character: char| !character.is_ascii_digit()).ok_or("could not find end of precision specifier")?;
    let (digits, rest) = after.split_at(end);
    let number: Result<i64, _> = digits.parse();
    let reason = if digits.is_empty() { "invalid syntax" } else { "value out of range" };
    let number = number.map_err(|_| {
        format!("error while converting precision to integer: strconv.Atoi: parsing {}: {reason}", quote(digits))
    })?;
    Ok((Some(number.unsigned_abs()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_read_until_a_problem() {
        let read = Clauses::read("%s %% %.2f%X%q", 9);
        assert_eq!(read.clauses, [Clause::Text, Clause::Fixed(2), Clause::UpperHexadecimal]);
        let expected = "could not parse formatting clause: unrecognized formatting clause \"q\"";
        assert_eq!(read.problem.as_deref(), Some(expected));
    }

    #[test]
    fn items_must_match_clauses_in_number() {
        assert_eq!(Clauses::read("%s %s", 1).problem.as_deref(), Some("index 1 out of range"));
        assert_eq!(Clauses::read("%", 0).problem.as_deref(), Some("unexpected end of string"));
        let expected = "too many arguments supplied to string.format (expected 1, got 2)";
        assert_eq!(Clauses::read("%s", 2).surplus(2).as_deref(), Some(expected));
        assert_eq!(Clauses::read("%s", 1).surplus(1), None);
    }

    #[test]
    fn each_clause_takes_its_kinds() {
        let list = Type::list(Type::Dyn);
        let kinds =
            [&Type::Int, &Type::Uint, &Type::Double, &Type::Bool, &Type::String, &Type::Bytes, &list, &Type::Null];
        let cases = [
            (Clause::Text, [true, true, true, true, true, true, true, true]),
            (Clause::Decimal, [true, true, false, false, false, false, false, false]),
            (Clause::Fixed(6), [false, false, true, false, true, false, false, false]),
            (Clause::Scientific(6), [false, false, true, false, true, false, false, false]),
            (Clause::Binary, [true, true, false, true, false, false, false, false]),
            (Clause::Hexadecimal, [true, true, false, false, true, true, false, false]),
            (Clause::Octal, [true, true, false, false, false, false, false, false]),
        ];
        for (clause, expected) in cases {
            assert_eq!(kinds.map(|kind| clause.accepts(kind)), expected, "{clause:?}");
            assert!(clause.accepts(&Type::Dyn) && !clause.accepts(&Type::opaque("kubernetes.Quantity")));
        }
    }
}
