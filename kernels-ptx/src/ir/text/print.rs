//! Printing.

use std::fmt::{self, Display, Formatter};

use super::{
    Address, AtomicOp, CODES, Const, Function, Label, Op, Operand, Reg, ScalarType, SiteId, SlotId, Stmt,
    WarpOp, order_suffix,
};
use crate::ir::{Base, FaultSite};

impl Display for ScalarType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Display for Reg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl Display for Label {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.0)
    }
}

impl Display for SlotId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl Display for SiteId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

impl Display for Const {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (ty, bits) = (self.ty, self.bits);
        let float = match ty {
            _ if bits & !ty.mask() != 0 => None,
            ScalarType::Bool => return write!(f, "{}", bits != 0),
            ScalarType::F32 => {
                let value = f32::from_bits(bits as u32);
                value.is_finite().then(|| format!("{value:?}"))
            }
            ScalarType::F64 => {
                let value = f64::from_bits(bits);
                value.is_finite().then(|| format!("{value:?}"))
            }
            _ => Some(self.as_i128().to_string()),
        };
        match float {
            Some(number) => write!(f, "{number}{ty}"),
            // Infinities, NaN, and what does not fit its type.
            None => write!(f, "{ty}({bits:#x})"),
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reg(reg) => reg.fmt(f),
            Self::Const(c) => c.fmt(f),
        }
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        match self.base {
            Base::Reg(reg) => reg.fmt(f)?,
            Base::Slot(slot) => slot.fmt(f)?,
        }
        if self.offset > 0 {
            write!(f, "+{}", self.offset)?;
        }
        f.write_str("]")
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copy(a) => write!(f, "copy {a}"),
            Self::Unary(op, a) => write!(f, "{} {a}", op.name()),
            Self::Binary(op, a, b) => write!(f, "{} {a}, {b}", op.name()),
            Self::Compare(op, a, b) => write!(f, "{} {a}, {b}", op.name()),
            Self::Select { cond, yes, no } => write!(f, "select {cond}, {yes}, {no}"),
            Self::MulAdd(a, b, c) => write!(f, "mul_add {a}, {b}, {c}"),
            Self::Cast(a) => write!(f, "cast {a}"),
            Self::Bitcast(a) => write!(f, "bitcast {a}"),
            Self::Special(special) => write!(f, "special {}", special.name()),
        }
    }
}

/// The function as text, see [`text`](crate::ir::text).
impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Printer { function: self, f }.function()
    }
}

impl Display for FaultSite {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match CODES.iter().find(|(_, code)| *code == self.code) {
            Some((name, _)) => write!(f, "{name}")?,
            None => write!(f, "code {}", self.code)?,
        }
        write!(f, " line {}", self.line)?;
        if !self.function.is_empty() {
            write!(f, " in {:?}", self.function)?;
        }
        match self.message {
            Some(message) => write!(f, " says {message:?}"),
            None => Ok(()),
        }
    }
}

struct Printer<'a, 'f, 'b> {
    function: &'a Function,
    f: &'f mut Formatter<'b>,
}

impl Printer<'_, '_, '_> {
    fn function(&mut self) -> fmt::Result {
        let Function { symbol, kind, params, result, slots, sites, body, .. } = self.function;
        write!(self.f, "{} ", kind.name())?;
        self.symbol(symbol)?;
        let params: Vec<_> = params.iter().enumerate().map(|(i, ty)| format!("v{i}: {ty}")).collect();
        write!(self.f, "({})", params.join(", "))?;
        if let Some(result) = result {
            write!(self.f, " -> {result}")?;
        }
        self.f.write_str(" {\n")?;
        for (i, slot) in slots.iter().enumerate() {
            writeln!(self.f, "    slot s{i} size {} align {}", slot.size, slot.align)?;
        }
        for (i, site) in sites.iter().enumerate() {
            writeln!(self.f, "    site f{i} {site}")?;
        }
        self.list(body, 1)?;
        self.f.write_str("}\n")
    }

    /// A symbol that is no identifier cannot be loaded, but a test of that has to be written down.
    fn symbol(&mut self, symbol: &str) -> fmt::Result {
        let follows = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let plain = symbol.starts_with(|c| follows(c) && !c.is_ascii_digit()) && symbol.chars().all(follows);
        if plain { write!(self.f, "@{symbol}") } else { write!(self.f, "@{symbol:?}") }
    }

    fn list(&mut self, list: &[Stmt], depth: usize) -> fmt::Result {
        list.iter().try_for_each(|stmt| {
            write!(self.f, "{:1$}", "", depth * 4)?;
            self.stmt(stmt, depth)?;
            self.f.write_str("\n")
        })
    }

    fn inner(&mut self, list: &[Stmt], depth: usize) -> fmt::Result {
        self.f.write_str(" {\n")?;
        self.list(list, depth + 1)?;
        write!(self.f, "{:1$}}}", "", depth * 4)
    }

    /// `v3: u32 = `.
    fn assign(&mut self, reg: Reg) -> fmt::Result {
        self.typed(reg)?;
        self.f.write_str(" = ")
    }

    fn typed(&mut self, reg: Reg) -> fmt::Result {
        // A register that does not exist has no type to print; the verifier refuses it.
        let ty = self.function.regs.get(reg.0 as usize).map_or("bool", |ty| ty.name());
        write!(self.f, "{reg}: {ty}")
    }

    fn stmt(&mut self, stmt: &Stmt, depth: usize) -> fmt::Result {
        match stmt {
            Stmt::Let { dst, op } => {
                self.assign(*dst)?;
                write!(self.f, "{op}")
            }
            Stmt::Overflowing { op, value, overflow, left, right } => {
                self.typed(*value)?;
                self.f.write_str(", ")?;
                self.assign(*overflow)?;
                write!(self.f, "{} {left}, {right}", op.name())
            }
            Stmt::Divide { remainder, dst, left, right, zero, overflow } => {
                self.assign(*dst)?;
                let name = if *remainder { "remainder" } else { "divide" };
                write!(self.f, "{name} {left}, {right}")?;
                if let Some(site) = zero {
                    write!(self.f, " zero {site}")?;
                }
                overflow.map_or(Ok(()), |site| write!(self.f, " overflow {site}"))
            }
            Stmt::Index { dst, base, index, length, stride, site } => {
                self.assign(*dst)?;
                write!(self.f, "index {base}, {index} length {length} stride {stride}")?;
                site.map_or(Ok(()), |site| write!(self.f, " else {site}"))
            }
            Stmt::FaultIf { cond, when, site } => {
                write!(self.f, "fault {site} {} {cond}", if *when { "if" } else { "unless" })
            }
            Stmt::Fault { site } => write!(self.f, "fault {site}"),
            Stmt::Load { dst, address, order } => {
                self.assign(*dst)?;
                write!(self.f, "load{} {address}", order_suffix(*order))
            }
            Stmt::Store { ty, address, value, order } => {
                write!(self.f, "store{} {ty} {address}, {value}", order_suffix(*order))
            }
            Stmt::Copy { dst, src, size, align } => {
                write!(self.f, "copy_bytes {dst}, {src} size {size} align {align}")
            }
            Stmt::Atomic { dst, op, address } => {
                self.assign(*dst)?;
                match op {
                    AtomicOp::Add(value) => write!(self.f, "atomic_add {address}, {value}"),
                    AtomicOp::Cas { expected, new } => {
                        write!(self.f, "atomic_cas {address}, {expected}, {new}")
                    }
                }
            }
            Stmt::FenceSc(scope) => write!(self.f, "fence.{}", scope.name()),
            Stmt::Nanosleep(time) => write!(self.f, "nanosleep {time}"),
            Stmt::PmEvent(event) => write!(self.f, "pmevent {event}"),
            Stmt::Pay(turns) => write!(self.f, "pay {turns}"),
            Stmt::Warp { dst, op, mask } => self.warp(*dst, *op, *mask),
            Stmt::Call { dst, symbol, args } => {
                if let Some(dst) = dst {
                    self.assign(*dst)?;
                }
                self.f.write_str("call ")?;
                self.symbol(symbol)?;
                let args: Vec<_> = args.iter().map(ToString::to_string).collect();
                write!(self.f, "({})", args.join(", "))
            }
            Stmt::Block { label, body } => {
                write!(self.f, "block {label}")?;
                self.inner(body, depth)
            }
            Stmt::Loop { label, body, continuing, budget } => {
                write!(self.f, "loop {label}")?;
                if let Some(site) = budget {
                    write!(self.f, " budget {site}")?;
                }
                self.inner(body, depth)?;
                self.second(" continuing", continuing, depth)
            }
            Stmt::If { cond, yes, no } => {
                write!(self.f, "if {cond}")?;
                self.inner(yes, depth)?;
                self.second(" else", no, depth)
            }
            Stmt::Break(label) => write!(self.f, "break {label}"),
            Stmt::Continue(label) => write!(self.f, "continue {label}"),
            Stmt::Return(None) => self.f.write_str("return"),
            Stmt::Return(Some(value)) => write!(self.f, "return {value}"),
        }
    }

    fn second(&mut self, word: &str, list: &[Stmt], depth: usize) -> fmt::Result {
        if list.is_empty() {
            return Ok(());
        }
        self.f.write_str(word)?;
        self.inner(list, depth)
    }

    fn warp(&mut self, dst: Option<Reg>, op: WarpOp, mask: Operand) -> fmt::Result {
        if let Some(dst) = dst {
            self.assign(dst)?;
        }
        match op {
            WarpOp::Ballot { predicate } => write!(self.f, "ballot {predicate}")?,
            WarpOp::Shuffle { value, source } => write!(self.f, "shuffle {value}, {source}")?,
            WarpOp::MatchAny { value } => write!(self.f, "match_any {value}")?,
            WarpOp::Sync => self.f.write_str("sync_warp")?,
        }
        write!(self.f, " mask {mask}")
    }
}
