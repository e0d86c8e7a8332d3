//! From words to requirements.

use std::collections::BTreeSet;

use super::lexer::{Token, words};
use super::{Operator, Requirement, unusable_key};

const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

/// The requirements of a selector, by key.
pub(super) fn parse(selector: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser { words: words(selector), at: 0 };
    let mut requirements = parser.requirements()?;
    requirements.sort_by(|left, right| left.key.cmp(&right.key));
    Ok(requirements)
}

struct Parser {
    words: Vec<(Token, String)>,
    at: usize,
}

impl Parser {
    /// The next word. Where a value may stand, `in` and `notin` are values.
    fn peek(&self) -> (Token, &str) {
        match self.words.get(self.at) {
            Some((Token::In | Token::NotIn, text)) => (Token::Identifier, text),
            Some((token, text)) => (*token, text),
            None => (Token::End, ""),
        }
    }

    fn take(&mut self) -> (Token, String) {
        let (token, text) = self.peek();
        let taken = (token, text.to_owned());
        self.at += 1;
        taken
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Token::Identifier | Token::Not, _) => {
                    let requirement = self.requirement();
                    requirements.push(requirement.map_err(|error| format!("unable to parse requirement: {error}"))?);
                    if !self.goes_on()? {
                        return Ok(requirements);
                    }
                }
                (Token::End, _) => return Ok(requirements),
                (_, text) => return Err(format!("found '{text}', expected: !, identifier, or 'end of string'")),
            }
        }
    }

    fn goes_on(&mut self) -> Result<bool, String> {
        match self.take() {
            (Token::End, _) => Ok(false),
            (Token::Comma, _) => match self.peek() {
                (Token::Identifier | Token::Not, _) => Ok(true),
                (_, text) => Err(format!("found '{text}', expected: identifier after ','")),
            },
            (_, text) => Err(format!("found '{text}', expected: ',' or 'end of string'")),
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let negated = self.peek().0 == Token::Not;
        if negated {
            self.take();
        }
        let (token, key) = self.take();
        if token != Token::Identifier {
            return Err(format!("found '{key}', expected: identifier"));
        }
        if let Some(problem) = unusable_key(&key) {
            return Err(problem);
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if let Token::End | Token::Comma = self.peek().0 {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let (operator, listed) = self.operator()?;
        let values = if listed { self.list()? } else { self.single()? };
        Requirement::new(key, operator, values)
    }

    /// The operator, and whether a list follows.
    fn operator(&mut self) -> Result<(Operator, bool), String> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        match word.unwrap_or((Token::End, String::new())) {
            (Token::In, _) => Ok((Operator::In, true)),
            (Token::NotIn, _) => Ok((Operator::NotIn, true)),
            (Token::Equals, _) => Ok((Operator::In, false)),
            (Token::NotEquals, _) => Ok((Operator::NotIn, false)),
            (Token::Greater, _) => Ok((Operator::Greater, false)),
            (Token::Less, _) => Ok((Operator::Less, false)),
            (_, text) => Err(format!("found '{text}', expected: {OPERATORS}")),
        }
    }

    fn single(&mut self) -> Result<Vec<String>, String> {
        if let Token::End | Token::Comma = self.peek().0 {
            return Ok(vec![String::new()]);
        }
        match self.take() {
            (Token::Identifier, value) => Ok(vec![value]),
            (_, text) => Err(format!("found '{text}', expected: identifier")),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        let (token, text) = self.take();
        if token != Token::Open {
            return Err(format!("found '{text}' expected: '('"));
        }
        let values = match self.peek() {
            (Token::Identifier | Token::Comma, _) => self.values()?,
            (Token::Close, _) => BTreeSet::from([String::new()]),
            (_, text) => return Err(format!("found '{text}', expected: ',', ')' or identifier")),
        };
        self.take();
        Ok(values.into_iter().collect())
    }

    /// The values up to the closing parenthesis. Between two commas stands an empty one.
    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        let mut values = BTreeSet::new();
        loop {
            match self.take() {
                (Token::Identifier, value) => {
                    values.insert(value);
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::Close, _) => return Ok(values),
                        (_, text) => return Err(format!("found '{text}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    let next = self.peek().0;
                    if values.is_empty() || next == Token::Comma || next == Token::Close {
                        values.insert(String::new());
                    }
                    if next == Token::Close {
                        return Ok(values);
                    }
                }
                (_, text) => return Err(format!("found '{text}', expected: ',', or identifier")),
            }
        }
    }
}
