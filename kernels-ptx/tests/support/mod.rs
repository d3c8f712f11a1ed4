//! Functions that exercise the language, built by hand, for the golden tests.

#![allow(dead_code, reason = "each test binary uses its part")]

use kernels_ptx::{
    builder::Builder,
    ir::{Function, ScalarType, Type},
    lang::{Addr, Float, GpuData, GpuType, Int, Num, Place, Scalar, SignedInt, Val},
    module::{Module, VerifiedModule},
};

/// What the derive makes of `struct Point { tag: u8, at: [f32; 3], id: u64 }`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Point {
    pub(crate) tag: u8,
    pub(crate) at: [f32; 3],
    pub(crate) id: u64,
}

#[derive(Clone, Copy)]
pub(crate) struct PointFields {
    pub(crate) tag: Place<u8>,
    pub(crate) at: Place<[f32; 3]>,
    pub(crate) id: Place<u64>,
}

impl GpuType for Point {
    const TYPE: Type = Type::bytes_of::<Point>();
    type Fields = PointFields;

    fn fields(at: Addr) -> PointFields {
        PointFields {
            tag: Place::at(at.offset(std::mem::offset_of!(Point, tag))),
            at: Place::at(at.offset(std::mem::offset_of!(Point, at))),
            id: Place::at(at.offset(std::mem::offset_of!(Point, id))),
        }
    }

    fn lower_const(self, b: &Builder) -> Val<Self> {
        b.lit_data(self)
    }
}

impl GpuData for Point {
    fn encode(&self, out: &mut [u8]) {
        out.fill(0);
        self.tag.encode(&mut out[0..1]);
        self.at.encode(&mut out[4..16]);
        self.id.encode(&mut out[16..24]);
    }

    fn decode(bytes: &[u8]) -> Self {
        Self {
            tag: u8::decode(&bytes[0..1]),
            at: <[f32; 3]>::decode(&bytes[4..16]),
            id: u64::decode(&bytes[16..24]),
        }
    }
}

/// A module of these functions.
pub(crate) fn module(functions: impl IntoIterator<Item = Function>) -> VerifiedModule {
    module_with(functions, true)
}

/// A module of these functions, optimised or as built.
pub(crate) fn module_with(functions: impl IntoIterator<Item = Function>, optimise: bool) -> VerifiedModule {
    let mut module = Module::new("test");
    module.optimise(optimise);
    for function in functions {
        module.add(function);
    }
    module.verify().unwrap_or_else(|error| panic!("{error}"))
}

/// A handler.
pub(crate) fn handler(symbol: &str, body: impl FnOnce(&Builder)) -> Function {
    let b = Builder::handler(symbol);
    body(&b);
    b.finish().unwrap_or_else(|error| panic!("{error}"))
}

/// The operands: the first two elements of the state.
fn operands<T: GpuData>(b: &Builder) -> (Place<[T; 8]>, Val<T>, Val<T>) {
    let state = b.state::<[T; 8]>();
    let x = b.read(b.index(state, b.lit(0), 1));
    let y = b.read(b.index(state, b.lit(1), 1));
    (state, x, y)
}

/// A handler that replies with the result of an operation on the state's first two elements.
fn binary<T: GpuData, R: GpuData>(
    name: &str,
    op: impl FnOnce(&Builder, Val<T>, Val<T>) -> Val<R>,
) -> Function {
    handler(name, |b| {
        let (_, x, y) = operands::<T>(b);
        b.reply(op(b, x, y));
    })
}

/// What all numbers have.
fn numbers<T: Num + GpuData>() -> Vec<Function> {
    vec![
        binary::<T, T>("h_add", |b, x, y| b.add(x, y, 1)),
        binary::<T, T>("h_sub", |b, x, y| b.sub(x, y, 2)),
        binary::<T, T>("h_mul", |b, x, y| b.mul(x, y, 3)),
        binary::<T, T>("h_div", |b, x, y| b.div(x, y, 4)),
        binary::<T, T>("h_min", Builder::min),
        binary::<T, T>("h_max", Builder::max),
        binary::<T, T>("h_clamp", |b, x, y| b.clamp(x, y, x, 5)),
        binary::<T, bool>("h_lt", Builder::lt),
        binary::<T, bool>("h_le", Builder::le),
        binary::<T, bool>("h_gt", Builder::gt),
        binary::<T, bool>("h_ge", Builder::ge),
        binary::<T, bool>("h_eq", Builder::eq),
        binary::<T, bool>("h_ne", Builder::ne),
    ]
}

/// What all integers have.
pub(crate) fn integers<T: Int + GpuData>() -> Vec<Function>
where
    T::Unsigned: GpuData,
{
    let amount = |b: &Builder, y: Val<T>| b.cast::<T, u32>(y);
    let mut functions = numbers::<T>();
    functions.extend([
        binary::<T, T>("h_rem", |b, x, y| b.rem(x, y, 6)),
        binary::<T, T>("h_and", Builder::bitand),
        binary::<T, T>("h_or", Builder::bitor),
        binary::<T, T>("h_xor", Builder::bitxor),
        binary::<T, T>("h_not", |b, x, _| b.not(x)),
        binary::<T, T>("h_shl", |b, x, y| b.shl(x, y, 7)),
        binary::<T, T>("h_shr", |b, x, y| b.shr(x, y, 8)),
        binary::<T, T>("h_wrapping_add", Builder::wrapping_add),
        binary::<T, T>("h_wrapping_sub", Builder::wrapping_sub),
        binary::<T, T>("h_wrapping_mul", Builder::wrapping_mul),
        binary::<T, T>("h_wrapping_neg", |b, x, _| b.wrapping_neg(x)),
        binary::<T, T>("h_wrapping_shl", |b, x, y| b.wrapping_shl(x, amount(b, y))),
        binary::<T, T>("h_wrapping_shr", |b, x, y| b.wrapping_shr(x, amount(b, y))),
        binary::<T, T>("h_saturating_add", Builder::saturating_add),
        binary::<T, T>("h_saturating_sub", Builder::saturating_sub),
        binary::<T, T>("h_saturating_mul", Builder::saturating_mul),
        binary::<T, bool>("h_overflowing_add", |b, x, y| b.read(b.temp(b.overflowing_add(x, y)).1)),
        binary::<T, bool>("h_overflowing_sub", |b, x, y| b.read(b.temp(b.overflowing_sub(x, y)).1)),
        binary::<T, T>("h_overflowing_mul", |b, x, y| b.read(b.temp(b.overflowing_mul(x, y)).0)),
        binary::<T, T>("h_shl_i64", |b, x, y| b.shl(x, b.cast::<T, i64>(y), 12)),
        binary::<T, T>("h_shr_i8", |b, x, y| b.shr(x, b.cast::<T, i8>(y), 13)),
        binary::<T, T>("h_wrapping_pow", |b, x, y| b.wrapping_pow(x, amount(b, y), 14)),
        binary::<T, u32>("h_count_zeros", |b, x, _| b.count_zeros(x)),
        binary::<T, u32>("h_leading_ones", |b, x, _| b.leading_ones(x)),
        binary::<T, u32>("h_trailing_ones", |b, x, _| b.trailing_ones(x)),
        binary::<T, bool>("h_is_power_of_two", |b, x, _| b.is_power_of_two(x)),
        binary::<T, T>("h_rem_euclid", |b, x, y| b.rem_euclid(x, y, 9)),
        binary::<T, T>("h_div_euclid", |b, x, y| b.div_euclid(x, y, 10)),
        binary::<T, T>("h_pow", |b, x, y| b.pow(x, amount(b, y), 11)),
        binary::<T, T::Unsigned>("h_abs_diff", Builder::abs_diff),
        binary::<T, u32>("h_count_ones", |b, x, _| b.count_ones(x)),
        binary::<T, u32>("h_leading_zeros", |b, x, _| b.leading_zeros(x)),
        binary::<T, u32>("h_trailing_zeros", |b, x, _| b.trailing_zeros(x)),
        binary::<T, T>("h_rotate_left", |b, x, y| b.rotate_left(x, amount(b, y))),
        binary::<T, T>("h_rotate_right", |b, x, y| b.rotate_right(x, amount(b, y))),
        binary::<T, T>("h_reverse_bits", |b, x, _| b.reverse_bits(x)),
        binary::<T, T>("h_swap_bytes", |b, x, _| b.swap_bytes(x)),
    ]);
    functions
}

/// What signed integers have besides.
pub(crate) fn signed<T: SignedInt + GpuData>() -> Vec<Function>
where
    T::Unsigned: GpuData,
{
    let mut functions = integers::<T>();
    functions.extend([
        binary::<T, T>("h_neg", |b, x, _| b.neg(x, 20)),
        binary::<T, T>("h_abs", |b, x, _| b.abs(x, 21)),
        binary::<T, T::Unsigned>("h_unsigned_abs", |b, x, _| b.unsigned_abs(x)),
        binary::<T, T>("h_signum", |b, x, _| b.signum(x)),
        binary::<T, bool>("h_is_negative", |b, x, _| b.is_negative(x)),
        binary::<T, bool>("h_is_positive", |b, x, _| b.is_positive(x)),
        binary::<T, T>("h_wrapping_abs", |b, x, _| b.wrapping_abs(x)),
    ]);
    functions
}

/// What floats have.
pub(crate) fn floats<T: Float + GpuData>() -> Vec<Function>
where
    T::Word: GpuData,
{
    let mut functions = numbers::<T>();
    functions.extend([
        binary::<T, T>("h_neg", |b, x, _| b.neg(x, 20)),
        binary::<T, T>("h_abs", |b, x, _| b.abs(x, 21)),
        binary::<T, T>("h_signum", |b, x, _| b.signum(x)),
        binary::<T, T>("h_sqrt", |b, x, _| b.sqrt(x)),
        binary::<T, T>("h_mul_add", |b, x, y| b.mul_add(x, y, x)),
        binary::<T, T>("h_mul_then_add", |b, x, y| b.add(b.mul(x, y, 1), x, 1)),
        binary::<T, T>("h_floor", |b, x, _| b.floor(x)),
        binary::<T, T>("h_ceil", |b, x, _| b.ceil(x)),
        binary::<T, T>("h_trunc", |b, x, _| b.trunc(x)),
        binary::<T, T>("h_round", |b, x, _| b.round(x)),
        binary::<T, T>("h_round_ties_even", |b, x, _| b.round_ties_even(x)),
        binary::<T, T>("h_fract", |b, x, _| b.fract(x)),
        binary::<T, T>("h_recip", |b, x, _| b.recip(x)),
        binary::<T, T>("h_copysign", Builder::copysign),
        binary::<T, bool>("h_is_nan", |b, x, _| b.is_nan(x)),
        binary::<T, bool>("h_is_finite", |b, x, _| b.is_finite(x)),
        binary::<T, bool>("h_is_infinite", |b, x, _| b.is_infinite(x)),
        binary::<T, bool>("h_is_sign_negative", |b, x, _| b.is_sign_negative(x)),
        binary::<T, bool>("h_is_sign_positive", |b, x, _| b.is_sign_positive(x)),
        binary::<T, T::Word>("h_to_bits", |b, x, _| b.to_bits(x)),
        binary::<T, T>("h_from_bits", |b, x, _| b.from_bits(b.to_bits(x))),
    ]);
    functions
}

/// Every `as` from one type.
pub(crate) fn casts<T: Scalar + GpuData>(from: &str, to_float: bool) -> Vec<Function> {
    fn one<T: Scalar + GpuData, U: Scalar + GpuData>(from: &str, to: &str) -> Function {
        binary::<T, U>(&format!("h_{from}_as_{to}"), |b, x, _| b.cast(x))
    }
    let mut functions = vec![
        one::<T, i8>(from, "i8"),
        one::<T, i16>(from, "i16"),
        one::<T, i32>(from, "i32"),
        one::<T, i64>(from, "i64"),
        one::<T, u8>(from, "u8"),
        one::<T, u16>(from, "u16"),
        one::<T, u32>(from, "u32"),
        one::<T, u64>(from, "u64"),
    ];
    if to_float {
        functions.extend([one::<T, f32>(from, "f32"), one::<T, f64>(from, "f64")]);
    }
    functions
}

/// Arrays, structs, constants, indices.
pub(crate) fn memory() -> Vec<Function> {
    vec![
        handler("h_struct", |b| {
            let state = b.state::<Point>();
            let copy = b.local(b.read(state));
            let x = b.index(copy.at, b.cast(b.read(b.param::<u32>(0))), 1);
            b.write(x, b.add(b.read(x), b.lit(1.5), 2));
            b.write(copy.tag, b.add(b.read(copy.tag), b.lit(1), 3));
            b.write(state, b.read(copy));
            b.reply(b.read(state.id));
        }),
        handler("h_constant", |b| {
            b.write(b.state::<Point>(), b.lit(Point { tag: 7, at: [1.0, 2.0, -0.0], id: u64::MAX }));
            b.reply(b.lit([1u8, 2, 3]));
        }),
        handler("h_large_copy", |b| {
            let state = b.state::<[[u8; 200]; 4]>();
            let i = b.cast(b.read(b.param::<u32>(0)));
            b.write(b.index(state, b.lit(0), 1), b.read(b.index(state, i, 2)));
        }),
        handler("h_huge_copy", |b| {
            let state = b.state::<[[u16; 1001]; 2]>();
            b.write(b.index(state, b.lit(0), 1), b.read(b.index(state, b.lit(1), 2)));
        }),
        handler("h_nested_index", |b| {
            let state = b.state::<[[u16; 5]; 3]>();
            let i = b.cast(b.read(b.param::<u8>(0)));
            let j = b.cast(b.read(b.param::<u8>(1)));
            let table = b.local(b.read(state));
            b.reply(b.read(b.index(b.index(table, i, 1), j, 2)));
        }),
        handler("h_bool", |b| {
            let state = b.state::<[bool; 2]>();
            let (first, second) = (b.index(state, b.lit(0), 1), b.index(state, b.lit(1), 1));
            b.write(first, b.not(b.bitxor(b.read(first), b.read(second))));
        }),
        // The old value is what is written to the other place, whatever the order of the writes.
        handler("h_swap", |b| {
            let state = b.state::<[[u32; 3]; 2]>();
            let (p, q) = (b.index(state, b.lit(0), 1), b.index(state, b.lit(1), 1));
            let (first, second) = (b.read(p), b.read(q));
            b.write(p, second);
            b.write(q, first);
        }),
    ]
}

/// Loops, branches, inlined functions, asserts, panics.
pub(crate) fn control() -> Vec<Function> {
    vec![
        handler("h_while", |b| {
            let (sum, i) = (b.local(b.lit(0u64)), b.local(b.lit(0u32)));
            let label = b.loop_begin(1);
            b.if_begin(b.lt(b.read(i), b.read(b.param::<u32>(0))));
            b.if_else();
            b.brk(label);
            b.if_end();
            b.write(i, b.add(b.read(i), b.lit(1), 2));
            b.if_begin(b.eq(b.rem(b.read(i), b.lit(3), 3), b.lit(0)));
            b.cont(label);
            b.if_end();
            b.write(sum, b.add(b.read(sum), b.cast(b.read(i)), 4));
            b.loop_end();
            b.reply(b.read(sum));
        }),
        handler("h_for", |b| {
            let i = b.local(b.lit(0u32));
            let outer = b.loop_begin(1);
            b.if_begin(b.ge(b.read(i), b.lit(10)));
            b.brk(outer);
            b.if_end();
            let inner = b.loop_begin(2);
            b.if_begin(b.eq(b.read(i), b.read(b.param::<u32>(0))));
            b.cont(outer);
            b.if_end();
            b.if_begin(b.eq(b.read(i), b.read(b.param::<u32>(4))));
            b.brk(inner);
            b.if_end();
            b.write(b.state::<u32>(), b.read(i));
            b.brk(outer);
            b.loop_end();
            b.loop_continuing();
            b.write(i, b.wrapping_add(b.read(i), b.lit(1)));
            b.loop_end();
        }),
        handler("h_inlined", |b| {
            let frame = b.frame_begin::<u32>("test::clamped");
            let x = b.read(b.param::<u32>(0));
            b.if_begin(b.gt(x, b.lit(100)));
            b.ret(&frame, b.lit(100));
            b.if_end();
            b.ret(&frame, b.add(x, b.lit(1), 1));
            let value = b.frame_end(frame);
            let frame = b.frame_begin::<u32>("test::twice");
            b.ret(&frame, b.add(value, value, 2));
            b.reply(b.frame_end(frame));
        }),
        handler("h_if_value", |b| {
            let value = b.slot::<i16>();
            b.if_begin(b.read(b.param::<bool>(0)));
            b.write(value, b.lit(-1));
            b.if_else();
            b.write(value, b.lit(1));
            b.if_end();
            b.reply(b.read(value));
        }),
        handler("h_assert", |b| {
            b.assert(b.lt(b.read(b.param::<u32>(0)), b.lit(5)), 1, Some("less than five"));
            b.if_begin(b.eq(b.read(b.param::<u32>(0)), b.lit(4)));
            b.panic(2, None);
            b.if_end();
        }),
        handler("h_panic", |b| b.panic(1, Some("always"))),
    ]
}

/// Sends, replies and the context.
pub(crate) fn sends() -> Vec<Function> {
    vec![handler("h_send", |b| {
        let target = b.read(b.param::<u64>(0));
        b.at_line(5);
        let slot = b.send(target, 0xdead_beef);
        b.send_arg(&slot, 0, b.cx_now());
        b.send_arg(&slot, 8, b.lit([1u32, 2, 3]));
        let slot = b.send(b.cx_self_id(), 1);
        b.send_arg(&slot, 0, b.add(b.cx_worker(), b.cx_lane(), 6));
    })]
}

/// Every intrinsic, and calls.
pub(crate) fn intrinsics() -> Vec<Function> {
    use kernels_ptx::device as d;
    let b = Builder::kernel("k_intrinsics", &[ScalarType::U64, ScalarType::U32, ScalarType::F32]);
    let (at, mask) = (b.arg::<u64>(0), b.arg::<u32>(1));
    let mut sum = d::ld_weak::__gpu(&b, at);
    for load in [
        d::ld_relaxed_gpu::__gpu,
        d::ld_relaxed_sys::__gpu,
        d::ld_acquire_gpu::__gpu,
        d::ld_acquire_sys::__gpu,
    ] {
        sum = b.wrapping_add(sum, load(&b, at));
    }
    for store in [
        d::st_weak::__gpu,
        d::st_relaxed_gpu::__gpu,
        d::st_relaxed_sys::__gpu,
        d::st_release_gpu::__gpu,
        d::st_release_sys::__gpu,
    ] {
        store(&b, at, sum);
    }
    sum = b.wrapping_add(d::cas_gpu::__gpu(&b, at, sum, b.lit(7)), d::add_gpu::__gpu(&b, at, sum));
    d::fence_sc_gpu::__gpu(&b);
    d::fence_sc_sys::__gpu(&b);
    d::nanosleep::__gpu(&b, b.lit(100));
    sum = b.wrapping_add(sum, d::global_timer::__gpu(&b));
    for special in [d::lane::__gpu, d::lanes::__gpu, d::worker::__gpu, d::workers::__gpu] {
        sum = b.wrapping_add(sum, b.cast(special(&b)));
    }
    let votes = d::ballot::__gpu(&b, mask, b.lt(sum, b.lit(9)));
    sum = d::shfl::__gpu(&b, mask, sum, votes);
    let same = d::match_any::__gpu(&b, mask, sum);
    d::sync_warp::__gpu(&b, mask);
    d::signal_workers::__gpu(&b);
    d::signal_host::__gpu(&b);
    let status = d::dispatch::__gpu(&b, same, mask, at, at, at);
    d::st_weak::__gpu(&b, at, b.cast(status));
    vec![b.finish().unwrap_or_else(|error| panic!("{error}"))]
}
