//! Constants: initialisers and integer expressions.

use super::ast::Init;
use super::lexer::Kind;
use super::parser::{Parse, Parser};

impl<'a> Parser<'_, 'a> {
    pub(super) fn initializer(&mut self, out: &mut Vec<Init<'a>>) -> Parse<()> {
        if self.eat(b'{') {
            while !self.eat(b'}') {
                self.deeper(|p| p.initializer(out))?;
                if !self.eat(b',') && !self.peek().is(b'}') {
                    return self.error("expected `,` or `}`");
                }
            }
            return Ok(());
        }
        let token = self.peek();
        match token.kind {
            Kind::Ident => {
                let mut name = self.name()?;
                // `generic(x)` is the generic address of `x`; here every address is.
                if name.text == "generic" && self.eat(b'(') {
                    name = self.name()?;
                    self.expect(b')')?;
                }
                let offset = if self.eat(b'+') { self.constant()? as i64 } else { 0 };
                out.push(Init::Address(name, offset));
            }
            Kind::Punct(b'-') if matches!(self.peek_second().kind, Kind::F32(_) | Kind::F64(_)) => {
                self.next();
                out.push(match self.next().kind {
                    Kind::F32(bits) => Init::F32(bits ^ 1 << 31),
                    Kind::F64(bits) => Init::F64(bits ^ 1 << 63),
                    _ => Init::Int(0),
                });
            }
            Kind::F32(bits) => {
                self.next();
                out.push(Init::F32(bits));
            }
            Kind::F64(bits) => {
                self.next();
                out.push(Init::F64(bits));
            }
            _ => out.push(Init::Int(self.constant()?)),
        }
        Ok(())
    }

    /// A constant integer expression; arithmetic wraps at 64 bits.
    pub(super) fn constant(&mut self) -> Parse<u64> {
        self.deeper(|p| p.binary(0))
    }

    fn binary(&mut self, least: u8) -> Parse<u64> {
        let mut left = self.unary()?;
        loop {
            let (Kind::Punct(op), second) = (self.peek().kind, self.peek_second()) else { return Ok(left) };
            let (strength, double) = match op {
                b'*' | b'/' | b'%' => (6, false),
                b'+' | b'-' => (5, false),
                b'<' | b'>' if second.is(op) => (4, true),
                b'&' if !second.is(op) => (3, false),
                b'^' => (2, false),
                b'|' if !second.is(op) => (1, false),
                _ => return Ok(left),
            };
            if strength <= least {
                return Ok(left);
            }
            self.next();
            if double {
                self.next();
            }
            let right = self.deeper(|p| p.binary(strength))?;
            left = match op {
                b'*' => left.wrapping_mul(right),
                b'/' | b'%' if right == 0 => return self.error("division by zero in a constant"),
                b'/' => (left as i64).wrapping_div(right as i64) as u64,
                b'%' => (left as i64).wrapping_rem(right as i64) as u64,
                b'+' => left.wrapping_add(right),
                b'-' => left.wrapping_sub(right),
                b'<' => left.checked_shl(right.min(64) as u32).unwrap_or(0),
                b'>' => left.checked_shr(right.min(64) as u32).unwrap_or(0),
                b'&' => left & right,
                b'^' => left ^ right,
                _ => left | right,
            };
        }
    }

    fn unary(&mut self) -> Parse<u64> {
        match self.peek().kind {
            Kind::Int(n) => {
                self.next();
                Ok(n)
            }
            Kind::Punct(b'-') => {
                self.next();
                Ok(self.deeper(Self::unary)?.wrapping_neg())
            }
            Kind::Punct(b'+') => {
                self.next();
                self.deeper(Self::unary)
            }
            Kind::Punct(b'~') => {
                self.next();
                Ok(!self.deeper(Self::unary)?)
            }
            Kind::Punct(b'!') => {
                self.next();
                Ok(u64::from(self.deeper(Self::unary)? == 0))
            }
            Kind::Punct(b'(') => {
                self.next();
                // A cast names the type that the constant has anyway.
                if matches!(self.peek().text, ".u64" | ".s64") && self.peek_second().is(b')') {
                    self.next();
                    self.next();
                    return self.deeper(Self::unary);
                }
                let value = self.constant()?;
                self.expect(b')')?;
                Ok(value)
            }
            Kind::Ident if self.peek().text == "WARP_SZ" => {
                self.next();
                Ok(32)
            }
            _ => self.error("expected an integer"),
        }
    }
}
