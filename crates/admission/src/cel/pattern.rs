//! Regular expressions as the server reads them (RE2), translated for our engine.

use regex::Regex;

/// The greatest repetition count that the server accepts.
const MAX_REPEAT: u32 = 1000;

/// Compiles a pattern, or says in the server's words what is wrong with it.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = Translator::new(pattern).translate()?;
    Regex::new(&translated).map_err(|error| explain(pattern, &error.to_string()))
}

fn explain(pattern: &str, reason: &str) -> String {
    let reasons = [
        ("unclosed group", "missing closing )"),
        ("unopened group", "unexpected )"),
        ("unclosed character class", "missing closing ]"),
        ("repetition operator missing expression", "missing argument to repetition operator"),
        ("invalid character class range", "invalid character class range"),
        ("unrecognized escape sequence", "invalid escape sequence"),
        ("look-around", "invalid or unsupported Perl syntax"),
    ];
    let text = reasons.iter().find(|(ours, _)| reason.contains(ours)).map_or("invalid pattern", |(_, text)| text);
    format!("error parsing regexp: {text}: `{pattern}`")
}

struct Translator<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    out: String,
}

impl<'p> Translator<'p> {
    fn new(pattern: &'p str) -> Self {
        Self { rest: pattern.chars().peekable(), out: String::with_capacity(pattern.len()) }
    }

    fn translate(mut self) -> Result<String, String> {
        while let Some(symbol) = self.rest.next() {
            match symbol {
                '\\' => self.escape(false),
                '[' => self.class(),
                '{' => self.repetition()?,
                other => self.out.push(other),
            }
        }
        Ok(self.out)
    }

    /// Perl classes are about ASCII only, and quoting is not known to our engine.
    fn escape(&mut self, in_class: bool) {
        match self.rest.next() {
            Some('d') => self.perl("0-9", in_class),
            Some('w') => self.perl("0-9A-Za-z_", in_class),
            Some('s') => self.perl(r"\t\n\f\r ", in_class),
            Some('D') => self.out.push_str("[^0-9]"),
            Some('W') => self.out.push_str("[^0-9A-Za-z_]"),
            Some('S') => self.out.push_str(r"[^\t\n\f\r ]"),
            Some('b') if !in_class => self.out.push_str(r"(?-u:\b)"),
            Some('Q') => self.quoted(),
            Some(other) => self.out.extend(['\\', other]),
            None => self.out.push('\\'),
        }
    }

    fn perl(&mut self, members: &str, in_class: bool) {
        if in_class {
            self.out.push_str(members);
        } else {
            self.out.push('[');
            self.out.push_str(members);
            self.out.push(']');
        }
    }

    fn quoted(&mut self) {
        let rest: String = self.rest.clone().collect();
        let (text, used) = match rest.split_once("\\E") {
            Some((text, _)) => (text, text.chars().count() + 2),
            None => (rest.as_str(), rest.chars().count()),
        };
        self.out.push_str(&regex::escape(text));
        self.rest.by_ref().take(used).for_each(drop);
    }

    /// In a class our engine gives meaning to `[`, `&&`, `--` and `~~`, which here are themselves.
    fn class(&mut self) {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        if self.rest.next_if_eq(&']').is_some() {
            self.out.push_str("\\]");
        }
        while let Some(symbol) = self.rest.next() {
            match symbol {
                ']' => return self.out.push(']'),
                '\\' => self.escape(true),
                '[' if self.rest.peek() == Some(&':') => self.named_class(),
                '[' | '&' | '~' => self.out.extend(['\\', symbol]),
                other => self.out.push(other),
            }
        }
    }

    fn named_class(&mut self) {
        self.out.push('[');
        for symbol in self.rest.by_ref() {
            self.out.push(symbol);
            if symbol == ']' {
                return;
            }
        }
    }

    /// A brace that does not begin a repetition is itself.
    fn repetition(&mut self) -> Result<(), String> {
        let rest: String = self.rest.clone().take_while(|symbol| *symbol != '}').collect();
        let closed = self.rest.clone().nth(rest.chars().count()) == Some('}');
        match repetition_counts(&rest).filter(|_| closed) {
            Some(counts) if counts.iter().any(|count| *count > MAX_REPEAT) => {
                Err(format!("error parsing regexp: invalid repeat count: `{{{rest}}}`"))
            }
            Some(_) => {
                self.out.push('{');
                Ok(())
            }
            None => {
                self.out.push_str("\\{");
                Ok(())
            }
        }
    }
}

/// The counts between the braces of a repetition, if it is one.
fn repetition_counts(text: &str) -> Option<Vec<u32>> {
    let (least, most) = text.split_once(',').unwrap_or((text, ""));
    let count = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().unwrap_or(u32::MAX));
    if least.is_empty() {
        return None;
    }
    let mut counts = vec![count(least)?];
    if !most.is_empty() {
        counts.push(count(most)?);
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perl_classes_are_ascii() {
        let cases = [(r"^\d$", "٣", false), (r"^\w$", "é", false), (r"^[\d_]$", "5", true), (r"^\D$", "٣", true)];
        for (pattern, text, expected) in cases {
            assert_eq!(compile(pattern).unwrap().is_match(text), expected, "{pattern}");
        }
    }

    #[test]
    fn braces_and_brackets_that_mean_nothing_are_literal() {
        let cases =
            [("^a{$", "a{"), ("^a{,2}$", "a{,2}"), ("^[[a&&b]$", "["), (r"^\Qa.b\E+$", "a.bb"), ("^[]a]$", "]")];
        for (pattern, text) in cases {
            assert!(compile(pattern).unwrap().is_match(text), "{pattern}");
        }
    }

    #[test]
    fn wrong_patterns_are_explained_in_the_servers_words() {
        assert_eq!(compile("(").unwrap_err(), "error parsing regexp: missing closing ): `(`");
        assert!(compile("a{1001}").unwrap_err().contains("invalid repeat count"));
    }
}
