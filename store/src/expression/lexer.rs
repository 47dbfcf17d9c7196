//! Expressions as tokens. White space only separates; what is no token of the grammar becomes one all
//! the same, so that the parser can name it in its message.

/// A piece of an expression and where it stands, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, function name or attribute name.
    Word,
    /// `#name`.
    Name,
    /// `:value`.
    Value,
    /// Digits.
    Digits,
    /// An operator or punctuation.
    Symbol,
    /// Anything else.
    Unknown,
    /// The end of the expression.
    End,
}

impl Token<'_> {
    /// Whether it is this keyword, in whatever case.
    pub(super) fn is_word(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this operator or punctuation.
    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The byte after it.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Splits an expression; the last token is always [`Kind::End`].
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(source.len() / 3 + 2);
    let mut start = 0;
    while let Some(first) = source[start..].chars().next() {
        if matches!(first, ' ' | '\t' | '\r' | '\n') {
            start += 1;
            continue;
        }
        let rest = &source[start..];
        let (kind, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => (Kind::Word, word_length(rest)),
            '0'..='9' => digits(rest),
            '#' | ':' => match word_length(&rest[1..]) {
                0 => (Kind::Unknown, 1),
                length => (if first == '#' { Kind::Name } else { Kind::Value }, 1 + length),
            },
            '<' if rest.starts_with("<>") || rest.starts_with("<=") => (Kind::Symbol, 2),
            '>' if rest.starts_with(">=") => (Kind::Symbol, 2),
            '<' | '>' | '=' | '+' | '-' | ',' | '.' | '(' | ')' | '[' | ']' => (Kind::Symbol, 1),
            other => (Kind::Unknown, other.len_utf8()),
        };
        tokens.push(Token { kind, text: &rest[..length], start });
        start += length;
    }
    tokens.push(Token { kind: Kind::End, text: "", start: source.len() });
    tokens
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// Digits alone are a list position; digits that run into letters are nothing.
fn digits(text: &str) -> (Kind, usize) {
    let length = word_length(text);
    let number = text[..length].bytes().all(|byte| byte.is_ascii_digit());
    (if number { Kind::Digits } else { Kind::Unknown }, length)
}
