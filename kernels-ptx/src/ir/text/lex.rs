//! Text to tokens, each with its line and column.

use super::ParseError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Names and numbers: letters, digits, `_`, `$`, `.`, and a sign where a number has one.
    Word,
    /// A string with its escapes resolved.
    Text(String),
    /// Everything else is one sign, or `->`.
    Sign,
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Counted from 1.
    pub(super) line: u32,
    /// Counted from 1, in characters.
    pub(super) column: u32,
}

impl Token<'_> {
    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T, ParseError> {
        let token = if self.kind == Kind::End { "the end of the text".into() } else { self.text.to_owned() };
        Err(ParseError { line: self.line, column: self.column, token, message: message.into() })
    }
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut tokens = Vec::new();
    let mut line = 1;
    for (number, content) in text.lines().enumerate() {
        line = number as u32 + 1;
        line_tokens(content, line, &mut tokens)?;
    }
    tokens.push(Token { kind: Kind::End, text: "", line, column: 1 });
    Ok(tokens)
}

fn line_tokens<'a>(content: &'a str, line: u32, tokens: &mut Vec<Token<'a>>) -> Result<(), ParseError> {
    let mut rest = content;
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        if first == ';' {
            break;
        }
        let length = length(rest, first);
        let (text, later) = rest.split_at(length);
        let mut token = Token { kind: Kind::Sign, text, line, column };
        if is_word(first) || (length > 1 && first == '-' && text != "->") {
            token.kind = Kind::Word;
        } else if first == '"' {
            token.kind = match unescape(text) {
                Some(resolved) => Kind::Text(resolved),
                None => return token.fail("a string ends with its line and knows the escapes of Rust"),
            };
        } else if !first.is_whitespace() && !"(){}[],:=+@".contains(first) && text != "->" {
            return token.fail("not a token of the IR");
        }
        if !first.is_whitespace() {
            tokens.push(token);
        }
        column += text.chars().count() as u32;
        rest = later;
    }
    Ok(())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_$.".contains(c)
}

/// Bytes of the token that the text begins with.
fn length(text: &str, first: char) -> usize {
    let number = first.is_ascii_digit() || first == '-';
    if text.starts_with("->") {
        return 2;
    }
    if first == '"' {
        let mut escaped = false;
        for (at, c) in text.char_indices().skip(1) {
            match c {
                '"' if !escaped => return at + 1,
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        return text.len();
    }
    if !number && !is_word(first) {
        return first.len_utf8();
    }
    let mut before = first;
    for (at, c) in text.char_indices().skip(1) {
        let exponent = number && c == '-' && before == 'e';
        if !is_word(c) && !exponent {
            return at;
        }
        before = c;
    }
    text.len()
}

fn unescape(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if text.len() < 2 {
        return None;
    }
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                same @ ('\\' | '"' | '\'') => same,
                'u' => {
                    let digits: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let digits = digits.strip_prefix('{')?;
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                _ => return None,
            },
            '"' => return None,
            other => other,
        });
    }
    Some(out)
}
