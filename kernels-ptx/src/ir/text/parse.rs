//! Reading.

use super::{
    Address, AtomicOp, BinaryOp, CODES, CheckedOp, CompareOp, Const, Function, Kind, Label, ORDERS, Op,
    Operand, Order, Reg, ScalarType, Scope, SiteId, SlotId, Special, Stmt, UnaryOp, WarpOp,
    lex::{self, Token},
    strings,
};
use crate::ir::{Base, FaultSite, FrameSlot};

/// How deep blocks may nest: what walks them recurses. No builder nests deeper.
const MAX_DEPTH: u32 = 160;
/// The most registers that a text may name.
const MAX_REGS: u32 = 1 << 20;

/// A text that is no function of the IR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}, found `{token}`")]
pub struct ParseError {
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
    /// The token at which reading stopped.
    pub token: String,
    /// What was expected, or what is wrong with the token.
    pub message: String,
}

type Result<T = ()> = std::result::Result<T, ParseError>;

/// Reads the functions of a text, see [`text`](crate::ir::text). They are not verified.
///
/// ```
/// let functions = kernels_ptx::ir::text::parse("func @one() -> u32 {\n    return 1u32\n}\n")?;
/// assert_eq!(functions[0].symbol(), "one");
/// assert_eq!(functions[0].to_string(), "func @one() -> u32 {\n    return 1u32\n}\n");
/// # Ok::<(), kernels_ptx::ir::text::ParseError>(())
/// ```
pub fn parse(text: &str) -> Result<Vec<Function>> {
    let tokens = lex::tokens(text)?;
    let mut functions = Vec::new();
    let mut at = 0;
    while tokens[at].kind != lex::Kind::End {
        let mut parser = Parser { tokens: &tokens, at, depth: 0, regs: vec![] };
        functions.push(parser.function()?);
        at = parser.at;
    }
    Ok(functions)
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    depth: u32,
    /// Types of the registers, as far as an assignment has told them.
    regs: Vec<Option<ScalarType>>,
}

impl<'a> Parser<'a> {
    /// The next token; the last one is the end, which is never passed.
    fn peek(&self) -> &'a Token<'a> {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> &'a Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn is(&self, text: &str) -> bool {
        // A string may well contain a sign.
        !matches!(self.peek().kind, lex::Kind::Text(_)) && self.peek().text == text
    }

    fn eat(&mut self, text: &str) -> bool {
        let there = self.is(text);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, text: &str) -> Result {
        if self.eat(text) { Ok(()) } else { self.peek().fail(format!("expected `{text}`")) }
    }

    /// What `read` makes of the next word.
    fn word<T>(&mut self, what: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<T> {
        let token = self.peek();
        let value = if token.kind == lex::Kind::Word { read(token.text) } else { None };
        match value {
            Some(value) => {
                self.at += 1;
                Ok(value)
            }
            None => token.fail(format!("expected {what}")),
        }
    }

    fn number(&mut self) -> Result<u64> {
        self.word("a number", |word| word.parse().ok())
    }

    fn small(&mut self) -> Result<u32> {
        self.word("a number of 32 bits", |word| word.parse().ok())
    }

    /// A name made of a letter and a number.
    fn numbered(&mut self, letter: &str, what: &str) -> Result<u32> {
        self.word(what, |word| word.strip_prefix(letter)?.parse().ok())
    }

    fn reg(&mut self) -> Result<Reg> {
        let number = self.word("a register", register)?;
        Ok(Reg(number))
    }

    fn ty(&mut self) -> Result<ScalarType> {
        self.word("a type", ScalarType::named)
    }

    fn site(&mut self) -> Result<SiteId> {
        self.numbered("f", "a fault site").map(SiteId)
    }

    fn label(&mut self) -> Result<Label> {
        self.numbered("L", "a label").map(Label)
    }

    fn string(&mut self) -> Result<&'static str> {
        match &self.peek().kind {
            lex::Kind::Text(text) => {
                self.at += 1;
                Ok(strings::keep(text))
            }
            _ => self.peek().fail("expected a string"),
        }
    }

    fn symbol(&mut self) -> Result<String> {
        self.expect("@")?;
        match &self.peek().kind {
            lex::Kind::Text(text) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => self.word("a symbol", |word| Some(word.to_owned())),
        }
    }

    /// Notes the type of a register where it is assigned.
    fn declare(&mut self, reg: Reg, ty: ScalarType) -> Result {
        let index = reg.0 as usize;
        if index >= self.regs.len() {
            self.regs.resize(index + 1, None);
        }
        match self.regs[index].replace(ty) {
            Some(before) if before != ty => {
                self.at -= 1;
                self.peek().fail(format!("{reg} has been `{before}` before"))
            }
            _ => Ok(()),
        }
    }

    /// `v3: u32`.
    fn typed(&mut self) -> Result<(Reg, ScalarType)> {
        let reg = self.reg()?;
        self.expect(":")?;
        let ty = self.ty()?;
        self.declare(reg, ty)?;
        Ok((reg, ty))
    }

    fn function(&mut self) -> Result<Function> {
        let kind = self.word("`entry`, `func` or `handler`", Kind::named)?;
        let symbol = self.symbol()?;
        self.expect("(")?;
        let mut params = Vec::new();
        while !self.eat(")") {
            if !params.is_empty() {
                self.expect(",")?;
            }
            if !self.is(&format!("v{}", params.len())) {
                return self
                    .peek()
                    .fail(format!("expected v{}: parameters are the first registers", params.len()));
            }
            params.push(self.typed()?.1);
        }
        let result = if self.eat("->") { Some(self.ty()?) } else { None };
        self.expect("{")?;
        let (mut slots, mut sites) = (Vec::new(), Vec::new());
        while self.eat("slot") {
            self.in_order("s", slots.len())?;
            self.expect("size")?;
            let size = self.small()?;
            self.expect("align")?;
            slots.push(FrameSlot { size, align: self.word("a power of two", alignment)? });
            self.line_ends()?;
        }
        while self.eat("site") {
            self.in_order("f", sites.len())?;
            sites.push(self.fault_site()?);
            self.line_ends()?;
        }
        let body = self.list()?;
        // What no assignment names has no type; nothing can read it either.
        let regs = self.regs.iter().map(|ty| ty.unwrap_or(ScalarType::Bool)).collect();
        Ok(Function { symbol, kind, params, result, regs, slots, sites, body })
    }

    fn in_order(&mut self, letter: &str, number: usize) -> Result {
        self.expect(&format!("{letter}{number}"))
    }

    fn fault_site(&mut self) -> Result<FaultSite> {
        let code = if self.eat("code") {
            self.small()?
        } else {
            let named = |word: &str| CODES.iter().find(|(name, _)| *name == word).map(|(_, code)| *code);
            self.word("a fault's name or `code`", named)?
        };
        self.expect("line")?;
        let line = self.small()?;
        let function = if self.eat("in") { self.string()? } else { "" };
        let message = if self.eat("says") { Some(self.string()?) } else { None };
        Ok(FaultSite { code, line, message, function })
    }

    /// Each statement has a line of its own.
    fn line_ends(&mut self) -> Result {
        let before = self.tokens[self.at - 1].line;
        let next = self.peek();
        if next.line == before && next.kind != lex::Kind::End && !self.is("}") {
            return next.fail("expected the end of the line");
        }
        Ok(())
    }

    /// Statements up to the closing brace, which is passed.
    fn list(&mut self) -> Result<Vec<Stmt>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.peek().fail(format!("blocks nest deeper than {MAX_DEPTH}"));
        }
        let mut list = Vec::new();
        while !self.eat("}") {
            list.push(self.stmt()?);
            self.line_ends()?;
        }
        self.depth -= 1;
        Ok(list)
    }

    fn braces(&mut self) -> Result<Vec<Stmt>> {
        self.expect("{")?;
        self.list()
    }

    fn stmt(&mut self) -> Result<Stmt> {
        let token = self.peek();
        if token.kind != lex::Kind::Word {
            return token.fail("expected a statement");
        }
        if register(token.text).is_some() {
            return self.assignment();
        }
        self.at += 1;
        let (name, order) = ordered(token.text);
        Ok(match name {
            "fault" => {
                let site = self.site()?;
                if self.eat("if") {
                    Stmt::FaultIf { cond: self.operand()?, when: true, site }
                } else if self.eat("unless") {
                    Stmt::FaultIf { cond: self.operand()?, when: false, site }
                } else {
                    Stmt::Fault { site }
                }
            }
            "store" => {
                let ty = self.ty()?;
                let address = self.address()?;
                self.expect(",")?;
                Stmt::Store { ty, address, value: self.operand()?, order }
            }
            "copy_bytes" => {
                let dst = self.address()?;
                self.expect(",")?;
                let src = self.address()?;
                self.expect("size")?;
                let size = self.number()?;
                self.expect("align")?;
                Stmt::Copy { dst, src, size, align: self.number()? }
            }
            "nanosleep" => Stmt::Nanosleep(self.operand()?),
            "pmevent" => Stmt::PmEvent(self.small()?),
            "pay" => Stmt::Pay(self.small()?),
            "sync_warp" => self.warp(None, WarpOp::Sync)?,
            "call" => self.call(None)?,
            "block" => Stmt::Block { label: self.label()?, body: self.braces()? },
            "loop" => {
                let label = self.label()?;
                let budget = if self.eat("budget") { Some(self.site()?) } else { None };
                let body = self.braces()?;
                let continuing = if self.eat("continuing") { self.braces()? } else { vec![] };
                Stmt::Loop { label, body, continuing, budget }
            }
            "if" => {
                let cond = self.operand()?;
                let yes = self.braces()?;
                let no = if self.eat("else") { self.braces()? } else { vec![] };
                Stmt::If { cond, yes, no }
            }
            "break" => Stmt::Break(self.label()?),
            "continue" => Stmt::Continue(self.label()?),
            "return" => {
                let value = self.peek().line == token.line && !self.is("}");
                Stmt::Return(if value { Some(self.operand()?) } else { None })
            }
            _ => match name.strip_prefix("fence.").and_then(Scope::named) {
                Some(scope) => Stmt::FenceSc(scope),
                None => return token.fail("expected a statement"),
            },
        })
    }

    fn assignment(&mut self) -> Result<Stmt> {
        let (dst, _) = self.typed()?;
        if self.eat(",") {
            let (overflow, _) = self.typed()?;
            self.expect("=")?;
            let op = self.word("`overflowing_add`, `_sub` or `_mul`", CheckedOp::named)?;
            let (left, right) = self.pair()?;
            return Ok(Stmt::Overflowing { op, value: dst, overflow, left, right });
        }
        self.expect("=")?;
        let token = self.next();
        let (name, order) = ordered(token.text);
        let op = match name {
            "copy" => Op::Copy(self.operand()?),
            "select" => {
                let (cond, yes, no) = self.triple()?;
                Op::Select { cond, yes, no }
            }
            "mul_add" => {
                let (a, b, c) = self.triple()?;
                Op::MulAdd(a, b, c)
            }
            "cast" => Op::Cast(self.operand()?),
            "bitcast" => Op::Bitcast(self.operand()?),
            "special" => Op::Special(self.word("a special register", Special::named)?),
            "divide" | "remainder" => {
                let (left, right) = self.pair()?;
                let zero = if self.eat("zero") { Some(self.site()?) } else { None };
                let overflow = if self.eat("overflow") { Some(self.site()?) } else { None };
                return Ok(Stmt::Divide { remainder: name == "remainder", dst, left, right, zero, overflow });
            }
            "index" => {
                let base = self.address()?;
                self.expect(",")?;
                let index = self.operand()?;
                self.expect("length")?;
                let length = self.number()?;
                self.expect("stride")?;
                let stride = self.number()?;
                let site = if self.eat("else") { Some(self.site()?) } else { None };
                return Ok(Stmt::Index { dst, base, index, length, stride, site });
            }
            "load" => return Ok(Stmt::Load { dst, address: self.address()?, order }),
            "atomic_add" => {
                let address = self.address()?;
                self.expect(",")?;
                return Ok(Stmt::Atomic { dst, op: AtomicOp::Add(self.operand()?), address });
            }
            "atomic_cas" => {
                let address = self.address()?;
                self.expect(",")?;
                let (expected, new) = self.pair()?;
                return Ok(Stmt::Atomic { dst, op: AtomicOp::Cas { expected, new }, address });
            }
            "ballot" => {
                let predicate = self.operand()?;
                return self.warp(Some(dst), WarpOp::Ballot { predicate });
            }
            "shuffle" => {
                let (value, source) = self.pair()?;
                return self.warp(Some(dst), WarpOp::Shuffle { value, source });
            }
            "match_any" => {
                let value = self.operand()?;
                return self.warp(Some(dst), WarpOp::MatchAny { value });
            }
            "call" => return self.call(Some(dst)),
            _ => {
                if let Some(op) = UnaryOp::named(name) {
                    Op::Unary(op, self.operand()?)
                } else if let Some(op) = BinaryOp::named(name) {
                    let (left, right) = self.pair()?;
                    Op::Binary(op, left, right)
                } else if let Some(op) = CompareOp::named(name) {
                    let (left, right) = self.pair()?;
                    Op::Compare(op, left, right)
                } else {
                    return token.fail("expected an operation");
                }
            }
        };
        Ok(Stmt::Let { dst, op })
    }

    fn warp(&mut self, dst: Option<Reg>, op: WarpOp) -> Result<Stmt> {
        self.expect("mask")?;
        Ok(Stmt::Warp { dst, op, mask: self.operand()? })
    }

    fn call(&mut self, dst: Option<Reg>) -> Result<Stmt> {
        let symbol = self.symbol()?;
        self.expect("(")?;
        let mut args = Vec::new();
        while !self.eat(")") {
            if !args.is_empty() {
                self.expect(",")?;
            }
            args.push(self.operand()?);
        }
        Ok(Stmt::Call { dst, symbol, args })
    }

    fn pair(&mut self) -> Result<(Operand, Operand)> {
        let left = self.operand()?;
        self.expect(",")?;
        Ok((left, self.operand()?))
    }

    fn triple(&mut self) -> Result<(Operand, Operand, Operand)> {
        let (a, b) = self.pair()?;
        self.expect(",")?;
        Ok((a, b, self.operand()?))
    }

    fn address(&mut self) -> Result<Address> {
        self.expect("[")?;
        let slot = |word: &str| word.strip_prefix('s')?.parse().ok().map(|slot| Base::Slot(SlotId(slot)));
        let base = |word: &str| register(word).map(|reg| Base::Reg(Reg(reg))).or_else(|| slot(word));
        let base = self.word("a register or a slot", base)?;
        let offset = if self.eat("+") { self.number()? } else { 0 };
        self.expect("]")?;
        Ok(Address { base, offset })
    }

    fn operand(&mut self) -> Result<Operand> {
        let token = self.peek();
        if token.kind == lex::Kind::Word
            && let Some(reg) = register(token.text)
        {
            self.at += 1;
            return Ok(Operand::Reg(Reg(reg)));
        }
        // `u8(0x1ff)`: bits, whatever they are.
        if let Some(ty) = ScalarType::named(token.text) {
            self.at += 1;
            self.expect("(")?;
            let bits = self
                .word("bits in hexadecimal", |word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())?;
            self.expect(")")?;
            return Ok(Operand::Const(Const { ty, bits }));
        }
        self.word("a register or a constant", constant).map(Operand::Const)
    }
}

fn register(word: &str) -> Option<u32> {
    word.strip_prefix('v')?.parse().ok().filter(|&number| number < MAX_REGS)
}

fn alignment(word: &str) -> Option<u32> {
    word.parse().ok().filter(|align: &u32| align.is_power_of_two())
}

/// `5u32`, `-1i8`, `1.5f64`, `true`.
fn constant(word: &str) -> Option<Const> {
    match word {
        "true" => return Some(Const::new(ScalarType::Bool, 1)),
        "false" => return Some(Const::new(ScalarType::Bool, 0)),
        _ => {}
    }
    let (suffix, ty) = ScalarType::NAMED.iter().find(|(name, _)| word.ends_with(name))?;
    let number = word.strip_suffix(suffix)?;
    let bits = match ty {
        ScalarType::Bool => return None,
        ScalarType::F32 => number.parse::<f32>().ok()?.to_bits().into(),
        ScalarType::F64 => number.parse::<f64>().ok()?.to_bits(),
        _ => {
            let value: i128 = number.parse().ok()?;
            let c = Const::new(*ty, value as u64);
            return (c.as_i128() == value).then_some(c);
        }
    };
    Some(Const::new(*ty, bits))
}

/// A name without its order of memory accesses.
fn ordered(word: &str) -> (&str, Order) {
    for (suffix, order) in &ORDERS[1..] {
        if let Some(name @ ("load" | "store")) = word.strip_suffix(suffix) {
            return (name, *order);
        }
    }
    (word, Order::Weak)
}
