//! Runs one instruction over many inputs and compares with what Rust computes.

use soft_gpu::{Arg, Device, LaunchConfig, Status};

use super::exact::{BF16, F16, Format};
use super::{launch, load};

/// How results are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// Bit for bit.
    Bits,
    /// As `.f32`: any NaN is as good as another.
    F32,
    /// As `.f64`: any NaN is as good as another.
    F64,
    /// As `.f16`, one or two: any NaN is as good as another.
    F16,
    /// As `.bf16`, one or two: any NaN is as good as another.
    Bf16,
}

/// One instruction under test: `d`, `a`, `b` and `c` are its registers, `%p<8>` and `%t<8>` (.b32) are free to use.
pub(crate) struct Op<'a> {
    pub(crate) body: &'a str,
    /// Types of `d`, `a`, `b`, `c`.
    pub(crate) types: [&'a str; 4],
    pub(crate) compare: Compare,
}

fn same(compare: Compare, left: u64, right: u64) -> bool {
    let halves = |format: Format| {
        [0, 16, 32, 48].into_iter().all(|at| {
            let (l, r) = (left >> at & 0xffff, right >> at & 0xffff);
            l == r || format.is_nan(l) && format.is_nan(r)
        })
    };
    match compare {
        Compare::F16 => halves(F16),
        Compare::Bf16 => halves(BF16),
        Compare::Bits => left == right,
        Compare::F32 => {
            let (l, r) = (f32::from_bits(left as u32), f32::from_bits(right as u32));
            left == right || l.is_nan() && r.is_nan()
        }
        Compare::F64 => {
            let (l, r) = (f64::from_bits(left), f64::from_bits(right));
            left == right || l.is_nan() && r.is_nan()
        }
    }
}

impl Op<'_> {
    /// Runs the instruction on every input and compares with `expected`, both as bits in the low end of 64.
    #[track_caller]
    pub(crate) fn check(
        &self,
        device: &Device,
        inputs: &[[u64; 3]],
        expected: impl Fn(u64, u64, u64) -> u64,
    ) {
        let [d, a, b, c] = self.types;
        let width = |ty: &str| match ty {
            "f16x2" => "32".to_owned(),
            _ => ty.trim_start_matches(['b', 'u', 's', 'f']).to_owned(),
        };
        let body = self.body;
        let text = format!(
            ".visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n) {{
                .reg .b64 %in, %out;
                .reg .b32 %i, %n, %t<8>;
                .reg .pred %p<8>, %more;
                .reg .{d} d;
                .reg .{a} a;
                .reg .{b} b;
                .reg .{c} c;
                ld.param.u64 %in, [in];
                ld.param.u64 %out, [out];
                ld.param.u32 %n, [n];
                mov.u32 %i, 0;
            next:
                ld.global.b{wa} a, [%in];
                ld.global.b{wb} b, [%in+8];
                ld.global.b{wc} c, [%in+16];
                {body}
                st.global.b{wd} [%out], d;
                add.u64 %in, %in, 24;
                add.u64 %out, %out, 8;
                add.u32 %i, %i, 1;
                setp.lt.u32 %more, %i, %n;
                @%more bra next;
                ret;
            }}",
            wa = width(a),
            wb = width(b),
            wc = width(c),
            wd = width(d),
        );
        let module = load(device, &text);
        let bytes: Vec<u8> = inputs.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
        let input = device.alloc(bytes.len()).unwrap();
        let output = device.alloc(inputs.len() * 8).unwrap();
        device.copy_to_device(input.address(), &bytes).unwrap();
        let args = [Arg::U64(input.address()), Arg::U64(output.address()), Arg::U32(inputs.len() as u32)];
        let status = launch(device, &module, LaunchConfig::new(1, 1), &args).wait(None);
        assert_eq!(status, Status::Finished, "{body}");
        let mut back = vec![0; inputs.len() * 8];
        device.copy_from_device(&mut back, output.address()).unwrap();
        let mask = match width(d).as_str() {
            "64" => u64::MAX,
            bits => (1 << bits.parse::<u32>().unwrap()) - 1,
        };
        for (input, got) in inputs.iter().zip(back.as_chunks::<8>().0) {
            let got = u64::from_le_bytes(*got);
            let want = expected(input[0], input[1], input[2]) & mask;
            assert!(
                same(self.compare, got, want),
                "`{body}` of {:#x}, {:#x}, {:#x}: got {got:#x}, expected {want:#x}",
                input[0],
                input[1],
                input[2]
            );
        }
    }
}

/// Runs `body` with all of `d`, `a`, `b`, `c` of one type.
#[track_caller]
pub(crate) fn check(
    device: &Device,
    body: &str,
    ty: &str,
    inputs: &[[u64; 3]],
    expected: impl Fn(u64, u64, u64) -> u64,
) {
    Op { body, types: [ty; 4], compare: Compare::Bits }.check(device, inputs, expected);
}

/// Integers at which things happen, in every width.
pub(crate) fn interesting_ints() -> Vec<u64> {
    let mut out = vec![0, 1, 2, 3, 5, 7, 10, 31, 32, 33, 63, 64, 100, 255, 256, 0x1234_5678_9abc_def0];
    for bits in [8, 16, 32, 64] {
        let top = 1_u64 << (bits - 1);
        out.extend([top, top - 1, top + 1, top.wrapping_mul(2).wrapping_sub(1)]);
    }
    out.extend([u64::MAX - 1, u64::MAX - 6, 0xdead_beef_cafe_f00d, 0x5555_aaaa_3333_cccc]);
    out.sort_unstable();
    out.dedup();
    out
}

/// Every pair of interesting integers, and a third one that varies.
pub(crate) fn int_inputs() -> Vec<[u64; 3]> {
    let ints = interesting_ints();
    let mut out = Vec::new();
    for (i, a) in ints.iter().enumerate() {
        for (j, b) in ints.iter().enumerate() {
            out.push([*a, *b, ints[(i * 7 + j * 3) % ints.len()]]);
        }
    }
    out
}

/// Floats at which things happen, as bits of `.f64`.
pub(crate) fn interesting_floats() -> Vec<f64> {
    let mut out = vec![
        0.0,
        1.0,
        0.5,
        1.5,
        2.5,
        3.5,
        0.1,
        1.0 / 3.0,
        2.0,
        7.0,
        100.25,
        127.5,
        128.0,
        255.5,
        256.0,
        32767.5,
        65535.5,
        1e9,
        2_147_483_647.5,
        2_147_483_648.0,
        4_294_967_295.5,
        4_294_967_296.0,
        9.3e18,
        1.85e19,
        1e30,
        3e38,
        f64::from(f32::MIN_POSITIVE),
        f64::from(f32::MIN_POSITIVE) / 4.0,
        f64::from(f32::from_bits(1)),
        f64::from(f32::MAX),
        f64::INFINITY,
    ];
    out.extend(out.clone().into_iter().map(|x: f64| -x));
    out.push(f64::NAN);
    out
}

/// Every pair of interesting floats of a width, as bits.
pub(crate) fn float_inputs(bits: u32) -> Vec<[u64; 3]> {
    let mut floats: Vec<u64> = interesting_floats().iter().map(|x| encode(*x, bits)).collect();
    if bits == 64 {
        for x in [f64::MIN_POSITIVE, f64::from_bits(1), f64::MAX, 1e300, -1e-300] {
            floats.push(x.to_bits());
        }
    }
    let mut out = Vec::new();
    for (i, a) in floats.iter().enumerate() {
        for (j, b) in floats.iter().enumerate() {
            out.push([*a, *b, floats[(i * 5 + j * 11) % floats.len()]]);
        }
    }
    out
}

fn encode(x: f64, bits: u32) -> u64 {
    if bits == 32 { u64::from((x as f32).to_bits()) } else { x.to_bits() }
}
