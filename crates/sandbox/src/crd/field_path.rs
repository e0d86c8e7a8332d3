//! Paths to fields, as rules and selectable fields give them
//! (`ValidFieldPath` in `apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go`).

use admission::FieldPath;

use super::structural::Schema;

/// Where a path leads.
#[derive(Debug)]
pub struct Target<'s> {
    /// The path as errors show it.
    pub path: FieldPath,
    /// The first step.
    pub first: String,
    /// The schema of what is there.
    pub schema: &'s Schema,
}

/// Follows a path such as `.spec['a'].b` through a schema.
pub fn resolve<'s>(path: &str, schema: &'s Schema, brackets: bool) -> Result<Target<'s>, String> {
    let mut target = Target { path: FieldPath::default(), first: String::new(), schema };
    let mut tokens = Tokens { rest: path };
    while let Some(token) = tokens.next() {
        let name = match token {
            "." => tokens.expect_any()?.to_owned(),
            "[" if !brackets => return Err(String::from("array notation is not allowed")),
            "[" => bracketed(&mut tokens)?,
            other => return Err(format!("expected [ or . but got: {other}")),
        };
        target = target.step(&name)?;
        if token == "[" {
            match tokens.expect_any()? {
                "]" => {}
                other => return Err(format!("expected ] but got {other}")),
            }
        }
    }
    Ok(target)
}

impl Target<'_> {
    fn step(self, name: &str) -> Result<Self, String> {
        let unknown = || String::from("does not refer to a valid field");
        let is_field = !self.schema.properties.is_empty();
        let below = if is_field { self.schema.properties.get(name) } else { self.schema.additional.schema() };
        let schema = below.ok_or_else(unknown)?;
        let path = if is_field { self.path.child(name) } else { self.path.key(name) };
        let first = if self.first.is_empty() { name.to_owned() } else { self.first };
        Ok(Self { path, first, schema })
    }
}

fn bracketed(tokens: &mut Tokens<'_>) -> Result<String, String> {
    let token = tokens.expect_any()?;
    let quoted = token.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    unescaped(quoted.ok_or_else(|| format!("expected single quoted string but got {token}"))?)
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut symbols = text.chars();
    while let Some(symbol) = symbols.next() {
        let escaped = if symbol == '\\' { symbols.next() } else { None };
        out.push(match (symbol, escaped) {
            ('\\', Some('a')) => '\u{7}',
            ('\\', Some('b')) => '\u{8}',
            ('\\', Some('f')) => '\u{c}',
            ('\\', Some('n')) => '\n',
            ('\\', Some('r')) => '\r',
            ('\\', Some('t')) => '\t',
            ('\\', Some('v')) => '\u{b}',
            ('\\', Some(same @ ('\'' | '\\'))) => same,
            ('\\', Some(other)) => {
                return Err(format!("invalid string literal: invalid escape char \\{other}"));
            }
            (symbol, _) => symbol,
        });
    }
    Ok(out)
}

/// Delimiters, quoted texts, and what is between.
struct Tokens<'p> {
    rest: &'p str,
}

impl<'p> Tokens<'p> {
    fn next(&mut self) -> Option<&'p str> {
        let length = if self.rest.starts_with('\'') { self.quoted_length() } else { self.plain_length() };
        let (token, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    fn expect_any(&mut self) -> Result<&'p str, String> {
        self.next().ok_or_else(|| String::from("unexpected end of JSON path"))
    }

    fn quoted_length(&self) -> usize {
        let bytes = self.rest.as_bytes();
        let closes = |place: &usize| bytes.get(*place) == Some(&b'\'') && bytes.get(place - 1) != Some(&b'\\');
        (1..bytes.len()).find(closes).map_or(bytes.len(), |place| place + 1)
    }

    fn plain_length(&self) -> usize {
        match self.rest.find(['.', '[', ']']) {
            Some(0) => 1,
            Some(place) => place,
            None => self.rest.len(),
        }
    }
}
