//! How deep an expression nests, estimated from its text before anything recurses over it.

/// An upper bound of the depth of the tree that a text parses to, give or take a constant factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Depth {
    /// Nesting of expressions: in brackets and in the branches of choices.
    pub nesting: usize,
    /// Nesting of expressions, operators and selections together.
    pub total: usize,
}

#[derive(Default)]
struct Level {
    chain: usize,
    branches: usize,
    pending: Pending,
}

/// Operators whose right operand is being read. The server's parser is one rule deeper there: sums and products
/// share a rule, comparisons have another.
#[derive(Clone, Copy, Default)]
struct Pending {
    sum: bool,
    product: bool,
    comparison: bool,
}

impl Pending {
    fn arithmetic(self) -> usize {
        usize::from(self.sum) + usize::from(self.product)
    }
}

impl Level {
    fn depth(&self) -> usize {
        self.chain + self.branches + 1
    }
}

/// Estimates the depth of an expression's tree.
pub(super) fn estimate(text: &str) -> Depth {
    let mut scanner = Scanner::default();
    let mut rest = text;
    while let Some(symbol) = rest.chars().next() {
        let length = token_length(rest, symbol);
        scanner.token(rest, symbol);
        rest = rest.get(length..).unwrap_or_default();
    }
    scanner.deepest
}

#[derive(Default)]
struct Scanner {
    below: Depth,
    /// Pending operators around the open brackets: arithmetic and comparisons.
    pending: [usize; 2],
    outer: Vec<Level>,
    level: Level,
    deepest: Depth,
    previous: Option<char>,
}

impl Scanner {
    fn token(&mut self, rest: &str, symbol: char) {
        match symbol {
            '(' | '[' | '{' => self.open(),
            ')' | ']' | '}' => self.close(),
            ',' => self.level = Level::default(),
            ':' => self.level.chain = 0,
            '?' if !matches!(self.previous, Some('.' | '[' | '{' | ',')) => self.branch(),
            '&' | '|' => self.level.chain = 0,
            '.' | '+' | '-' | '*' | '/' | '%' | '<' | '>' | '=' | '!' => self.level.chain += 1,
            'i' if rest.starts_with("in") => self.level.chain += 1,
            _ => {}
        }
        self.note_pending(rest, symbol);
        if !symbol.is_whitespace() {
            self.previous = Some(if is_membership(rest) { '<' } else { symbol });
        }
        let [arithmetic, comparisons] = self.pending;
        let arithmetic = arithmetic + self.level.pending.arithmetic();
        let comparisons = comparisons + usize::from(self.level.pending.comparison);
        let nesting = self.below.nesting + self.level.branches + arithmetic.max(comparisons);
        self.deepest.nesting = self.deepest.nesting.max(nesting);
        self.deepest.total = self.deepest.total.max(self.below.total + self.level.depth());
    }

    fn note_pending(&mut self, rest: &str, symbol: char) {
        let pending = self.level.pending;
        self.level.pending = match symbol {
            '+' | '-' if self.follows_operand() => Pending { sum: true, product: false, ..pending },
            '*' | '/' | '%' if !rest.starts_with("//") => Pending { product: true, ..pending },
            '<' | '>' | '=' => Pending { comparison: true, ..Pending::default() },
            'i' if is_membership(rest) => Pending { comparison: true, ..Pending::default() },
            '?' if matches!(self.previous, Some('.' | '[' | '{' | ',')) => pending,
            '&' | '|' | '?' | ':' => Pending::default(),
            _ => pending,
        };
    }

    /// Whether a sign here is an operator between two operands.
    fn follows_operand(&self) -> bool {
        self.previous.is_some_and(|previous| {
            previous.is_alphanumeric() || matches!(previous, '_' | '"' | '\'' | '`' | ')' | ']' | '}')
        })
    }

    fn branch(&mut self) {
        self.level.branches += 1;
        self.level.chain = 0;
    }

    fn open(&mut self) {
        self.level.chain += 1;
        self.below.total += self.level.depth();
        self.below.nesting += self.level.branches + 1;
        self.pending[0] += self.level.pending.arithmetic();
        self.pending[1] += usize::from(self.level.pending.comparison);
        self.outer.push(std::mem::take(&mut self.level));
    }

    fn close(&mut self) {
        if let Some(outer) = self.outer.pop() {
            self.level = outer;
            self.below.total = self.below.total.saturating_sub(self.level.depth());
            self.below.nesting = self.below.nesting.saturating_sub(self.level.branches + 1);
            self.pending[0] = self.pending[0].saturating_sub(self.level.pending.arithmetic());
            self.pending[1] = self.pending[1].saturating_sub(usize::from(self.level.pending.comparison));
        }
    }
}

/// Whether the operator `in` is next.
fn is_membership(rest: &str) -> bool {
    rest.starts_with("in") && word_length(rest) == 2
}

/// The octets of the token at the front: literals, comments and words are one, everything else is one symbol.
fn token_length(rest: &str, symbol: char) -> usize {
    match symbol {
        '"' | '\'' => quoted_length(rest, symbol, false),
        '`' => quoted_length(rest, symbol, true),
        '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
        'a'..='z' | 'A'..='Z' | '_' => word_length(rest),
        _ => symbol.len_utf8(),
    }
}

fn word_length(rest: &str) -> usize {
    let end = rest.find(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_').unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default();
    let tail = rest.get(end..).unwrap_or_default();
    match tail.chars().next() {
        Some(quote @ ('"' | '\'')) if is_literal_prefix(word) => {
            end + quoted_length(tail, quote, word.contains(['r', 'R']))
        }
        _ => end,
    }
}

fn is_literal_prefix(word: &str) -> bool {
    word.len() <= 2 && word.chars().all(|symbol| matches!(symbol, 'r' | 'R' | 'b' | 'B'))
}

fn quoted_length(rest: &str, quote: char, raw: bool) -> usize {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let end = if rest.starts_with(&triple) { triple } else { quote.to_string() };
    let mut at = end.len();
    while let Some(tail) = rest.get(at..) {
        if tail.starts_with(&end) {
            return at + end.len();
        }
        let Some(symbol) = tail.chars().next() else { break };
        let escaped = if symbol == '\\' && !raw { tail.chars().nth(1).map_or(0, char::len_utf8) } else { 0 };
        at += symbol.len_utf8() + escaped;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_chains_add_up() {
        assert_eq!(estimate("a").total, 1);
        assert_eq!(estimate("((a))").nesting, 2);
        assert!(estimate(&"a.".repeat(100)).total > 100);
        assert!(estimate(&"1+".repeat(100)).total > 100);
        assert_eq!(estimate(&"a ? b : ".repeat(100)).nesting, 100);
        assert_eq!(estimate(&"a.?b[?c]".repeat(100)).nesting, 1);
    }

    /// The deepest repetitions that the server's parser accepts, with its limit of 250.
    #[test]
    fn pending_operators_nest() {
        let cases = [
            ("(", "1+1", ")", 248),
            ("(", "1==1", ")", 248),
            ("(", "1+2*3", ")", 247),
            ("1+2*(", "1", ")", 83),
            ("2*1+(", "1", ")", 124),
            ("true==(", "true", ")", 124),
            ("1+-(", "1", ")", 124),
            ("true == !(", "true", ")", 124),
            ("1 in [", "1", "]", 124),
            ("x in -(", "1", ")", 124),
            ("true&&1==1+(", "1", ")", 124),
            ("-(", "1", ")", 249),
            ("true&&(", "true", ")", 249),
        ];
        for (open, core, close, depth) in cases {
            let nesting =
                |depth| estimate(&[open.repeat(depth), core.to_owned(), close.repeat(depth)].concat()).nesting;
            assert!(nesting(depth) < 250 && nesting(depth + 1) >= 250, "{open}: {}", nesting(depth));
        }
    }

    #[test]
    fn literals_and_conjunctions_do_not_nest() {
        assert_eq!(estimate("'((((' == r'\\' + \"[\\\"[\" // ((((").nesting, 1);
        assert!(estimate(&"a.b == c && ".repeat(500)).total < 10);
        assert!(estimate(&"'''it's ((('''".repeat(50)).nesting == 0);
    }
}
