//! PTX text to tokens.

use crate::error::{LoadError, LoadErrorKind};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// An identifier, possibly beginning with `%`, `_` or `$`.
    Ident,
    /// A dot with what follows it: a directive, type, modifier or `.x`. The token's text includes the dot.
    Dotted,
    /// An integer literal.
    Int(u64),
    /// A literal of the form `0f3F800000`, as bits.
    F32(u32),
    /// A literal of the form `0d3FF0000000000000` or a decimal one, as bits.
    F64(u64),
    /// A string, quotes included.
    Str,
    /// Any other single character.
    Punct(u8),
    /// The end of the text.
    End,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) line: u32,
}

impl Token<'_> {
    pub(super) fn is(&self, punct: u8) -> bool {
        self.kind == Kind::Punct(punct)
    }
}

fn ident_start(c: u8) -> bool {
    c.is_ascii_alphabetic() || matches!(c, b'_' | b'$' | b'%')
}

fn ident_part(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$')
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, LoadError> {
    let mut lexer = Lexer { text, at: 0, line: 1 };
    let mut out = Vec::with_capacity(text.len() / 4 + 1);
    loop {
        let token = lexer.next()?;
        out.push(token);
        if token.kind == Kind::End {
            return Ok(out);
        }
    }
}

impl<'a> Lexer<'a> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_while(&mut self, keep: impl Fn(u8) -> bool) {
        while self.at < self.text.len() && keep(self.peek(0)) {
            self.at += 1;
        }
    }

    fn error(&self, from: usize, message: &str) -> LoadError {
        // `from` is where a token began, and tokens begin at character boundaries; the end may lie inside one.
        let token = self.text.get(from..self.at).or_else(|| self.text.get(from..)).unwrap_or("");
        LoadError::new(LoadErrorKind::Syntax, self.line, token, message)
    }

    fn skip_blank(&mut self) -> Result<(), LoadError> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (b'\n', _) => {
                    self.line = self.line.saturating_add(1);
                    self.at += 1;
                }
                (b' ' | b'\t' | b'\r' | 0x0c, _) => self.at += 1,
                (b'/', b'/') => self.skip_while(|c| c != b'\n'),
                (b'/', b'*') => {
                    let (start, line) = (self.at, self.line);
                    self.at += 2;
                    while (self.peek(0), self.peek(1)) != (b'*', b'/') {
                        if self.at >= self.text.len() {
                            self.at = start + 2;
                            self.line = line;
                            return Err(self.error(start, "the comment is never closed"));
                        }
                        if self.peek(0) == b'\n' {
                            self.line = self.line.saturating_add(1);
                        }
                        self.at += 1;
                    }
                    self.at += 2;
                }
                _ => return Ok(()),
            }
        }
    }

    fn next(&mut self) -> Result<Token<'a>, LoadError> {
        self.skip_blank()?;
        let from = self.at;
        let c = self.peek(0);
        let kind = if from >= self.text.len() {
            Kind::End
        } else if ident_start(c) {
            self.at += 1;
            self.skip_while(ident_part);
            Kind::Ident
        } else if c == b'.' && ident_part(self.peek(1)) {
            self.at += 1;
            self.skip_while(ident_part);
            // Sub-qualifiers such as `.shared::cta` belong to the token.
            while (self.peek(0), self.peek(1)) == (b':', b':') && ident_part(self.peek(2)) {
                self.at += 2;
                self.skip_while(ident_part);
            }
            Kind::Dotted
        } else if c.is_ascii_digit() {
            self.number()?
        } else if c == b'"' {
            self.at += 1;
            self.skip_while(|c| c != b'"' && c != b'\n');
            if self.peek(0) != b'"' {
                return Err(self.error(from, "the string is never closed"));
            }
            self.at += 1;
            Kind::Str
        } else if c.is_ascii_graphic() {
            self.at += 1;
            Kind::Punct(c)
        } else {
            self.at += self.text.get(from..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
            return Err(self.error(from, "PTX text has no such character"));
        };
        // Tokens are ASCII, so both ends are character boundaries.
        let text = self.text.get(from..self.at).unwrap_or("");
        Ok(Token { kind, text, line: self.line })
    }

    fn number(&mut self) -> Result<Kind, LoadError> {
        let from = self.at;
        let radix = match (self.peek(0), self.peek(1)) {
            (b'0', b'x' | b'X') => 16,
            (b'0', b'b' | b'B') => 2,
            (b'0', b'f' | b'F') if self.peek(2).is_ascii_hexdigit() => return self.hex_float(8),
            (b'0', b'd' | b'D') if self.peek(2).is_ascii_hexdigit() => return self.hex_float(16),
            _ => 10,
        };
        if radix == 10 {
            self.skip_while(|c| c.is_ascii_digit());
            let fraction = self.peek(0) == b'.' && self.peek(1).is_ascii_digit();
            let exponent = |l: &Self| {
                let signed = matches!(l.peek(1), b'+' | b'-') && l.peek(2).is_ascii_digit();
                matches!(l.peek(0), b'e' | b'E') && (l.peek(1).is_ascii_digit() || signed)
            };
            if fraction || exponent(self) {
                if fraction {
                    self.at += 1;
                    self.skip_while(|c| c.is_ascii_digit());
                }
                if exponent(self) {
                    self.at += 2;
                    self.skip_while(|c| c.is_ascii_digit());
                }
                let value: f64 = self
                    .text
                    .get(from..self.at)
                    .and_then(|t| t.parse().ok())
                    .ok_or_else(|| self.error(from, "not a number"))?;
                return self.end_number(from, Kind::F64(value.to_bits()));
            }
        } else {
            self.at += 2;
            self.skip_while(|c| c.is_ascii_hexdigit());
        }
        let digits = self.text.get(from..self.at).unwrap_or("");
        let (digits, radix) = match radix {
            10 if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
            10 => (digits, 10),
            _ => (&digits[2..], radix),
        };
        let value = u64::from_str_radix(digits, radix)
            .map_err(|_| self.error(from, "not an integer of at most 64 bits"))?;
        if self.peek(0) == b'U' {
            self.at += 1;
        }
        self.end_number(from, Kind::Int(value))
    }

    fn hex_float(&mut self, digits: usize) -> Result<Kind, LoadError> {
        let from = self.at;
        self.at += 2;
        let start = self.at;
        self.skip_while(|c| c.is_ascii_hexdigit());
        let text = self.text.get(start..self.at).unwrap_or("");
        let bits = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == digits);
        let Some(bits) = bits else {
            return Err(self.error(from, &format!("a float in this form has {digits} hexadecimal digits")));
        };
        let kind = if digits == 8 { Kind::F32(bits as u32) } else { Kind::F64(bits) };
        self.end_number(from, kind)
    }

    fn end_number(&mut self, from: usize, kind: Kind) -> Result<Kind, LoadError> {
        if ident_part(self.peek(0)) {
            self.skip_while(ident_part);
            return Err(self.error(from, "not a number"));
        }
        Ok(kind)
    }
}
