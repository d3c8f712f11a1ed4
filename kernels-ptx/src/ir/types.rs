//! Types, constants and the function that holds everything together.

use super::{Stmt, uses};

/// The type of a value that fits a register.
///
/// `usize` is [`U64`](ScalarType::U64) and `isize` is [`I64`](ScalarType::I64) on every device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScalarType {
    /// `bool`: one byte in memory, 0 or 1.
    Bool,
    /// `i8`.
    I8,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64` and `isize`.
    I64,
    /// `u8`.
    U8,
    /// `u16`.
    U16,
    /// `u32`.
    U32,
    /// `u64` and `usize`.
    U64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
}

impl ScalarType {
    /// Bytes in memory; also the alignment.
    ///
    /// ```
    /// # use kernels_ptx::ir::ScalarType;
    /// assert_eq!(ScalarType::I16.size(), 2);
    /// ```
    pub const fn size(self) -> u32 {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Bits of the type's range: 8 times the size, but 1 for `bool`.
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::Bool => 1,
            other => other.size() * 8,
        }
    }

    pub(crate) const fn is_int(self) -> bool {
        !matches!(self, Self::Bool | Self::F32 | Self::F64)
    }

    pub(crate) const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    pub(crate) const fn is_signed(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }

    /// The integer type of the same width and no sign.
    pub(crate) const fn unsigned(self) -> Self {
        match self {
            Self::I8 => Self::U8,
            Self::I16 => Self::U16,
            Self::I32 | Self::F32 => Self::U32,
            Self::I64 | Self::F64 => Self::U64,
            other => other,
        }
    }

    /// All bits that a value of the type has in memory.
    pub(crate) const fn mask(self) -> u64 {
        match self {
            Self::Bool => 1,
            other => u64::MAX >> (64 - other.size() * 8),
        }
    }

    /// The smallest value of an integer type, as bits of its width.
    pub(crate) const fn min_bits(self) -> u64 {
        if self.is_signed() { 1 << (self.bits() - 1) } else { 0 }
    }

    /// The largest value of an integer type, as bits of its width.
    pub(crate) const fn max_bits(self) -> u64 {
        if self.is_signed() { self.mask() >> 1 } else { self.mask() }
    }
}

/// The type of a value: a register's, or bytes behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Fits a register.
    Scalar(ScalarType),
    /// Lives behind an address: structs, arrays and `()`.
    Bytes {
        /// Bytes, padding included.
        size: u32,
        /// Alignment in bytes, a power of two.
        align: u32,
    },
}

impl Type {
    /// The bytes type with the layout that Rust gives `T`.
    ///
    /// ```
    /// # use kernels_ptx::ir::Type;
    /// assert_eq!(Type::bytes_of::<[u16; 3]>(), Type::Bytes { size: 6, align: 2 });
    /// ```
    pub const fn bytes_of<T>() -> Self {
        Self::Bytes { size: size_of::<T>() as u32, align: align_of::<T>() as u32 }
    }

    /// Bytes in memory.
    pub const fn size(self) -> u32 {
        match self {
            Self::Scalar(s) => s.size(),
            Self::Bytes { size, .. } => size,
        }
    }

    /// Alignment in bytes.
    pub const fn align(self) -> u32 {
        match self {
            Self::Scalar(s) => s.size(),
            Self::Bytes { align, .. } => align,
        }
    }
}

/// A virtual register: an index into the function's table of register types. It may be assigned more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reg(pub(crate) u32);

/// Target of `Break` and `Continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label(pub(crate) u32);

/// Index of a stack slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotId(pub(crate) u32);

/// Index of a fault site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SiteId(pub(crate) u32);

/// A typed constant; `bits` has no bit set above the type's width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Const {
    pub(crate) ty: ScalarType,
    pub(crate) bits: u64,
}

impl Const {
    /// The constant with the low bits of `bits` that the type has room for.
    pub(crate) const fn new(ty: ScalarType, bits: u64) -> Self {
        Self { ty, bits: bits & ty.mask() }
    }

    /// The value of an integer or bool, sign-extended where the type is signed.
    pub(crate) const fn as_i128(self) -> i128 {
        if self.ty.is_signed() {
            let shift = 64 - self.ty.bits();
            (((self.bits << shift) as i64) >> shift) as i128
        } else {
            self.bits as i128
        }
    }
}

/// A slot of the function's stack frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameSlot {
    pub(crate) size: u32,
    pub(crate) align: u32,
}

/// A place in a handler at which it can fault.
///
/// The device reports only the code and the site's index; the host finds line and message here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FaultSite {
    /// One of [`abi::fault::code`](crate::abi::fault::code).
    pub code: u32,
    /// Source line, counted from 1.
    pub line: u32,
    /// What the `assert!` or `panic!` says.
    pub message: Option<&'static str>,
    /// The function in which the line is: the handler or an inlined `#[gpu_fn]`, as its frame was named. Empty if the
    /// fault lies in none.
    pub function: &'static str,
}

/// What a function is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Launched by the host.
    Entry,
    /// Called by other functions of the module.
    Func,
    /// An actor's handler: may fault, pays a budget for its loops.
    Handler,
}

/// A function in the intermediate representation; made by a [`Builder`](crate::builder::Builder), loadable only through
/// [`Module::verify`](crate::module::Module::verify).
#[derive(Clone, Debug)]
pub struct Function {
    pub(crate) symbol: String,
    pub(crate) kind: Kind,
    /// Types of the parameters, which are the first registers.
    pub(crate) params: Vec<ScalarType>,
    pub(crate) result: Option<ScalarType>,
    pub(crate) regs: Vec<ScalarType>,
    pub(crate) slots: Vec<FrameSlot>,
    pub(crate) sites: Vec<FaultSite>,
    pub(crate) body: Vec<Stmt>,
}

impl Function {
    /// Bytes of stack that the slots in use take.
    pub(crate) fn stack(&self) -> u64 {
        let mut used = vec![false; self.slots.len()];
        uses::walk(&self.body, &mut |u| {
            if let uses::Use::Slot(slot) = u {
                used[slot.0 as usize] = true;
            }
        });
        self.slots.iter().zip(used).filter(|(_, used)| *used).map(|(slot, _)| u64::from(slot.size)).sum()
    }

    /// The symbol under which the function is called or launched.
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// What the function is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The places at which it can fault; a fault record carries an index into these.
    pub fn sites(&self) -> &[FaultSite] {
        &self.sites
    }
}
