//! The words of a label selector.

/// A word and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    End,
    Open,
    Close,
    Comma,
    Not,
    Equals,
    NotEquals,
    Greater,
    Less,
    In,
    NotIn,
    Identifier,
}

/// The words up to the end.
pub(super) fn words(text: &str) -> Vec<(Token, String)> {
    let mut rest = text;
    let mut words = Vec::new();
    loop {
        let word = next(&mut rest);
        let ends = word.0 == Token::End;
        words.push(word);
        if ends {
            return words;
        }
    }
}

fn next(rest: &mut &str) -> (Token, String) {
    *rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
    match rest.chars().next() {
        None | Some('\0') => (Token::End, String::new()),
        Some(c) => {
            let word = symbol(c, rest).unwrap_or_else(|| identifier(rest));
            // A zero byte ends a word and is gone.
            *rest = rest.strip_prefix('\0').unwrap_or(rest);
            word
        }
    }
}

/// The longest symbol at the beginning.
fn symbol(first: char, rest: &mut &str) -> Option<(Token, String)> {
    let doubled = rest.get(1..).is_some_and(|rest| rest.starts_with('='));
    let (token, text) = match first {
        '=' if doubled => (Token::Equals, "=="),
        '!' if doubled => (Token::NotEquals, "!="),
        '=' => (Token::Equals, "="),
        '!' => (Token::Not, "!"),
        '(' => (Token::Open, "("),
        ')' => (Token::Close, ")"),
        ',' => (Token::Comma, ","),
        '>' => (Token::Greater, ">"),
        '<' => (Token::Less, "<"),
        _ => return None,
    };
    *rest = rest.get(text.len()..).unwrap_or_default();
    Some((token, text.to_owned()))
}

fn identifier(rest: &mut &str) -> (Token, String) {
    let ends = rest.find(['=', '!', '(', ')', ',', '>', '<', ' ', '\t', '\r', '\n', '\0']);
    let (word, after) = rest.split_at(ends.unwrap_or(rest.len()));
    *rest = after;
    let token = match word {
        "in" => Token::In,
        "notin" => Token::NotIn,
        _ => Token::Identifier,
    };
    (token, word.to_owned())
}
