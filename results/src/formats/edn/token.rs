//! The words of EDN: numbers, texts, characters, keywords and symbols.

use std::io::Read;

use super::{Flaw, Node, Position, Reader};

impl<R: Read> Reader<R> {
    /// A number, keyword, symbol, `nil`, `true` or `false`.
    pub(super) fn atom(&mut self) -> Result<Node, Flaw> {
        let at = self.position();
        let word = self.word(at, String::new())?;
        parse(&word).map_err(|reason| self.cut_or(at, reason))
    }

    /// Letters up to the next blank, bracket or quote, behind those that are there.
    fn word(&mut self, at: Position, before: String) -> Result<String, Flaw> {
        let mut bytes = before.into_bytes();
        while let Some(byte) = self.peek()? {
            if byte.is_ascii_whitespace() || byte.is_ascii_control() || b",()[]{}\";\\@^`~".contains(&byte) {
                break;
            }
            bytes.push(byte);
            self.bump()?;
        }
        if bytes.is_empty() {
            let found = self.peek()?.map_or("the end".to_owned(), |byte| format!("{:?}", char::from(byte)));
            return Err(self.cut_or(at, format!("a form should be here, not {found}")));
        }
        String::from_utf8(bytes).map_err(|_| self.cut_or(at, "this is no text in UTF-8"))
    }

    /// A text in quotes.
    pub(super) fn text(&mut self) -> Result<String, Flaw> {
        let at = self.position();
        self.bump()?;
        let mut bytes = Vec::new();
        loop {
            let Some(byte) = self.peek()? else { return Err(self.cut(at, "this text is never closed")) };
            match byte {
                b'"' => {
                    self.bump()?;
                    return String::from_utf8(bytes).map_err(|_| Flaw::new(at, "this text is not UTF-8"));
                }
                b'\\' => {
                    let letter = self.escape()?;
                    bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => {
                    bytes.push(byte);
                    self.bump()?;
                }
            }
        }
    }

    /// What a backslash in a text stands for.
    fn escape(&mut self) -> Result<char, Flaw> {
        let at = self.position();
        self.bump()?;
        let Some(byte) = self.peek()? else { return Err(self.cut(at, "this text is never closed")) };
        let letter = match byte {
            b't' => '\t',
            b'n' => '\n',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' => char::from(byte),
            b'u' => return self.unicode(at),
            b'0'..=b'7' => {
                let code = self.digits(8, 3)?;
                return char::from_u32(code).filter(|_| code < 0o400).ok_or_else(|| bad_escape(at));
            }
            _ => return Err(bad_escape(at)),
        };
        self.bump()?;
        Ok(letter)
    }

    /// `\u` and four digits, or two of them that make one letter. The backslash has been taken.
    fn unicode(&mut self, at: Position) -> Result<char, Flaw> {
        let first = self.four_digits(at)?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| bad_escape(at));
        }
        if self.peek()? == Some(b'\\') {
            self.bump()?;
            if self.peek()? == Some(b'u') {
                let second = self.four_digits(at)?;
                if (0xdc00..0xe000).contains(&second) {
                    let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    return char::from_u32(code).ok_or_else(|| bad_escape(at));
                }
            }
        }
        Err(self.cut_or(at, "`\\u` gives half of a letter: the other half should follow"))
    }

    /// The `u`, and four hexadecimal digits.
    fn four_digits(&mut self, at: Position) -> Result<u32, Flaw> {
        self.bump()?;
        let began = self.position().column;
        let code = self.digits(16, 4)?;
        if self.position().column - began != 4 {
            return Err(self.cut_or(at, "four hexadecimal digits should follow `\\u`"));
        }
        Ok(code)
    }

    fn digits(&mut self, radix: u32, most: usize) -> Result<u32, Flaw> {
        let mut code = 0;
        for _ in 0..most {
            let Some(digit) = self.peek()?.and_then(|byte| char::from(byte).to_digit(radix)) else { break };
            code = code * radix + digit;
            self.bump()?;
        }
        Ok(code)
    }

    /// A character: `\a`, `\newline`, `\u00e9`.
    pub(super) fn character(&mut self) -> Result<char, Flaw> {
        let at = self.position();
        self.bump()?;
        // The first one is taken whatever it is: `\(` and `\"` are characters.
        let mut first = Vec::new();
        while let Some(byte) = self.peek()? {
            if !first.is_empty() && byte & 0xc0 != 0x80 {
                break;
            }
            first.push(byte);
            self.bump()?;
        }
        let Ok(first) = String::from_utf8(first) else {
            return Err(self.cut_or(at, "this is no text in UTF-8"));
        };
        if first.is_empty() || first.starts_with(|c: char| c.is_ascii_whitespace()) {
            return Err(self.cut_or(at, "a character should follow the backslash"));
        }
        let alone = !first.starts_with(|c: char| c.is_alphanumeric());
        let name = if alone { first } else { self.word(at, first)? };
        let mut letters = name.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return Ok(letter);
        }
        let code = |digits: &str, radix| {
            let digits = Some(digits).filter(|digits| digits.chars().all(|c| c.is_digit(radix)));
            digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()).and_then(char::from_u32)
        };
        let named = match name.as_str() {
            "newline" => Some('\n'),
            "space" => Some(' '),
            "tab" => Some('\t'),
            "return" => Some('\r'),
            "backspace" => Some('\u{8}'),
            "formfeed" => Some('\u{c}'),
            _ => {
                let unicode = name.strip_prefix('u').and_then(|digits| code(digits, 16));
                unicode.or_else(|| name.strip_prefix('o').and_then(|digits| code(digits, 8)))
            }
        };
        named.ok_or_else(|| self.cut_or(at, format!("`\\{name}` is no character")))
    }
}

fn bad_escape(at: Position) -> Flaw {
    Flaw::new(at, "this backslash begins no escape of EDN; write `\\\\` for a backslash")
}

/// What a word is.
fn parse(word: &str) -> Result<Node, String> {
    match word {
        "nil" => return Ok(Node::Nil),
        "true" => return Ok(Node::Bool(true)),
        "false" => return Ok(Node::Bool(false)),
        _ => {}
    }
    if let Some(name) = word.strip_prefix(':') {
        let sound = !name.is_empty() && !name.starts_with([':', '/']) && !name.ends_with([':', '/']);
        return if sound {
            Ok(Node::Keyword(name.to_owned()))
        } else {
            Err(format!("`{word}` is no keyword"))
        };
    }
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        return number(word, digits).ok_or_else(|| format!("`{word}` is no number"));
    }
    if word.starts_with('\'') || word.starts_with('%') && word.len() > 1 {
        return Err(format!("`{word}` is no form of EDN"));
    }
    Ok(Node::Symbol(word.to_owned()))
}

/// A number: `word` with its sign, `digits` without.
fn number(word: &str, digits: &str) -> Option<Node> {
    let negative = word.starts_with('-');
    if let Some((above, below)) = digits.split_once('/') {
        return ratio(negative, above, below);
    }
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return integer(negative, hex.strip_suffix('N').unwrap_or(hex), 16);
    }
    if let Some((radix, digits)) = digits.split_once(['r', 'R']) {
        let radix = radix.parse().ok().filter(|radix| (2..=36).contains(radix))?;
        return integer(negative, digits, radix);
    }
    let whole = digits.strip_suffix('N').unwrap_or(digits);
    if whole.bytes().all(|byte| byte.is_ascii_digit()) {
        let octal = whole.len() > 1 && whole.starts_with('0');
        return integer(negative, whole, if octal { 8 } else { 10 });
    }
    let fraction = digits.strip_suffix('M').unwrap_or(digits);
    if !fraction.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
        return None;
    }
    let value: f64 = fraction.parse().ok()?;
    if digits.ends_with('M') || !value.is_finite() {
        return Some(Node::Number(word.strip_prefix('+').unwrap_or(word).to_owned()));
    }
    Some(Node::Float(if negative { -value } else { value }))
}

fn integer(negative: bool, digits: &str, radix: u32) -> Option<Node> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    if let Ok(n) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(Node::Int(n));
    }
    let text = match i128::from_str_radix(digits, radix) {
        Ok(n) => n.to_string(),
        Err(_) if radix == 10 => digits.to_owned(),
        Err(_) => format!("{radix}r{}", digits.to_ascii_lowercase()),
    };
    Some(Node::Number(format!("{sign}{text}")))
}

/// A ratio, in lowest terms as Clojure reads it.
fn ratio(negative: bool, above: &str, below: &str) -> Option<Node> {
    if ![above, below].iter().all(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    let (Ok(above), Ok(below)) = (above.parse::<i64>(), below.parse::<i64>()) else {
        return Some(Node::Number(format!("{sign}{above}/{below}")));
    };
    if below == 0 {
        return None;
    }
    let (mut a, mut b) = (above, below);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    match (above / a, below / a) {
        (n, 1) => Some(Node::Int(if negative { -n } else { n })),
        (n, d) => Some(Node::Number(format!("{sign}{n}/{d}"))),
    }
}
