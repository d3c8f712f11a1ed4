//! The tree of a PTX text. Names and opcodes borrow from the text.

use std::fmt;

/// A scalar type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ty {
    B8,
    B16,
    B32,
    B64,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    F16,
    Bf16,
    /// Two halves in 32 bits.
    F16x2,
    Bf16x2,
    /// 128 bits, which are moved and exchanged but never computed with.
    B128,
    Pred,
}

impl Ty {
    /// The type that a modifier such as `.u32` names.
    pub(crate) fn from_modifier(text: &str) -> Option<Ty> {
        Some(match text {
            ".b8" => Ty::B8,
            ".b16" => Ty::B16,
            ".b32" => Ty::B32,
            ".b64" => Ty::B64,
            ".u8" => Ty::U8,
            ".u16" => Ty::U16,
            ".u32" => Ty::U32,
            ".u64" => Ty::U64,
            ".s8" => Ty::S8,
            ".s16" => Ty::S16,
            ".s32" => Ty::S32,
            ".s64" => Ty::S64,
            ".f32" => Ty::F32,
            ".f64" => Ty::F64,
            ".pred" => Ty::Pred,
            ".f16" => Ty::F16,
            ".bf16" => Ty::Bf16,
            ".f16x2" => Ty::F16x2,
            ".bf16x2" => Ty::Bf16x2,
            ".b128" => Ty::B128,
            _ => return None,
        })
    }

    /// Size in bytes.
    pub(crate) fn size(self) -> u32 {
        match self {
            Ty::B8 | Ty::U8 | Ty::S8 | Ty::Pred => 1,
            Ty::B16 | Ty::U16 | Ty::S16 | Ty::F16 | Ty::Bf16 => 2,
            Ty::B32 | Ty::U32 | Ty::S32 | Ty::F32 | Ty::F16x2 | Ty::Bf16x2 => 4,
            Ty::B64 | Ty::U64 | Ty::S64 | Ty::F64 => 8,
            Ty::B128 => 16,
        }
    }

    pub(crate) fn bits(self) -> u32 {
        self.size() * 8
    }

    /// A float that the host computes with.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Ty::F32 | Ty::F64)
    }

    /// A half, or two.
    pub(crate) fn is_half(self) -> bool {
        matches!(self, Ty::F16 | Ty::Bf16 | Ty::F16x2 | Ty::Bf16x2)
    }

    /// Two halves.
    pub(crate) fn is_pair(self) -> bool {
        matches!(self, Ty::F16x2 | Ty::Bf16x2)
    }

    pub(crate) fn is_signed(self) -> bool {
        matches!(self, Ty::S8 | Ty::S16 | Ty::S32 | Ty::S64)
    }

    pub(crate) fn is_untyped(self) -> bool {
        matches!(self, Ty::B8 | Ty::B16 | Ty::B32 | Ty::B64)
    }

    /// An integer or untyped.
    pub(crate) fn is_int(self) -> bool {
        !self.is_float() && !self.is_half() && !matches!(self, Ty::Pred | Ty::B128)
    }

    /// The untyped type of `size` bytes.
    pub(crate) fn untyped(size: u32) -> Option<Ty> {
        Some(match size {
            1 => Ty::B8,
            2 => Ty::B16,
            4 => Ty::B32,
            8 => Ty::B64,
            _ => return None,
        })
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ty::B8 => ".b8",
            Ty::B16 => ".b16",
            Ty::B32 => ".b32",
            Ty::B64 => ".b64",
            Ty::U8 => ".u8",
            Ty::U16 => ".u16",
            Ty::U32 => ".u32",
            Ty::U64 => ".u64",
            Ty::S8 => ".s8",
            Ty::S16 => ".s16",
            Ty::S32 => ".s32",
            Ty::S64 => ".s64",
            Ty::F32 => ".f32",
            Ty::F64 => ".f64",
            Ty::Pred => ".pred",
            Ty::F16 => ".f16",
            Ty::Bf16 => ".bf16",
            Ty::F16x2 => ".f16x2",
            Ty::Bf16x2 => ".bf16x2",
            Ty::B128 => ".b128",
        })
    }
}

/// A state space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Reg,
    Param,
    Global,
    Const,
    Shared,
    Local,
}

/// A name with the line it stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: u32,
}

/// Declared registers: one, or `count` of them as `%r<10>`.
#[derive(Debug)]
pub(crate) struct Registers<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) ty: Ty,
    pub(crate) count: Option<u32>,
}

/// One element of an initialiser.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Init<'a> {
    Int(u64),
    F32(u32),
    F64(u64),
    /// The address of a variable or function, plus an offset.
    Address(Name<'a>, i64),
}

/// A variable in memory, or a parameter.
#[derive(Debug)]
pub(crate) struct Variable<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) space: Space,
    pub(crate) ty: Ty,
    /// `.v2` or `.v4`: elements per element.
    pub(crate) vector: u32,
    /// Number of elements of an array; `None` for a scalar, `Some(0)` for `[]`.
    pub(crate) elements: Option<u64>,
    pub(crate) align: u32,
    pub(crate) external: bool,
    pub(crate) init: Vec<Init<'a>>,
}

impl Variable<'_> {
    pub(crate) fn is_scalar(&self) -> bool {
        self.elements.is_none() && self.vector == 1 && self.ty != Ty::B128
    }

    /// Size in bytes; the parser has checked that it fits.
    pub(crate) fn size(&self) -> u64 {
        u64::from(self.ty.size()) * u64::from(self.vector) * self.elements.unwrap_or(1)
    }
}

/// What an address in brackets begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Base<'a> {
    Name(&'a str),
    Absolute,
}

/// An operand of an instruction.
#[derive(Debug)]
pub(crate) enum Operand<'a> {
    /// A register, variable, label, function or special register (`%tid.x`).
    Name(&'a str),
    /// `!%p`
    Not(&'a str),
    /// `%p|%q`
    Pair(&'a str, &'a str),
    /// Two's complement, sign-extended where the text has a minus.
    Int(u64),
    F32(u32),
    F64(u64),
    /// `[base+offset]`
    Memory {
        base: Base<'a>,
        offset: i64,
    },
    /// `[texture, coordinates]`, which no instruction takes that is known here.
    Coordinates,
    /// `{a, b}`
    Vector(Vec<Operand<'a>>),
    /// `(a, b)`
    List(Vec<Operand<'a>>),
}

/// A guard: `@p` or `@!p`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard<'a> {
    pub(crate) register: &'a str,
    pub(crate) negated: bool,
}

/// An instruction.
#[derive(Debug)]
pub(crate) struct Instruction<'a> {
    pub(crate) line: u32,
    pub(crate) guard: Option<Guard<'a>>,
    pub(crate) opcode: &'a str,
    /// With their dots, in the order of the text.
    pub(crate) modifiers: Vec<&'a str>,
    pub(crate) operands: Vec<Operand<'a>>,
}

/// A parameter list with return values.
#[derive(Debug)]
pub(crate) struct Signature<'a> {
    pub(crate) returns: Vec<Variable<'a>>,
    pub(crate) params: Vec<Variable<'a>>,
}

/// A statement of a body.
#[derive(Debug)]
pub(crate) enum Statement<'a> {
    Registers(Registers<'a>),
    Variable(Variable<'a>),
    Label(Name<'a>),
    Instruction(Instruction<'a>),
    Scope(Vec<Statement<'a>>),
    /// `name: .branchtargets a, b;`
    BranchTargets(Name<'a>, Vec<Name<'a>>),
    /// `name: .callprototype (..) _ (..);`
    Prototype(Name<'a>, Signature<'a>),
}

/// A function or entry.
#[derive(Debug)]
pub(crate) struct Function<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) entry: bool,
    /// Declared `.extern`: its body is in another module.
    pub(crate) external: bool,
    pub(crate) signature: Signature<'a>,
    /// `None` for a forward declaration.
    pub(crate) body: Option<Vec<Statement<'a>>>,
    pub(crate) max_block: Option<[u32; 3]>,
    pub(crate) required_block: Option<[u32; 3]>,
}

/// A whole text.
#[derive(Debug, Default)]
pub(crate) struct Program<'a> {
    pub(crate) variables: Vec<Variable<'a>>,
    pub(crate) functions: Vec<Function<'a>>,
}
