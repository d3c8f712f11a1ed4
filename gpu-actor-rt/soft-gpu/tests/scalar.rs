//! The rarer scalar instructions: parts of words, pairs in a register, 128 bits, copies, windows, and warp instructions without
//! `.sync`, against models of the manual's pseudocode.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::exact::{BF16, F16, F32, Format, Mode};
use common::ops::{Compare, Op, check, int_inputs};
use common::{device, launch, load, words};
use soft_gpu::{Arg, LaunchConfig, Status};

#[test]
fn finds_the_nth_set_bit() {
    let inputs: Vec<[u64; 3]> = int_inputs()
        .into_iter()
        .step_by(7)
        .flat_map(|[mask, ..]| {
            (0..32)
                .step_by(5)
                .flat_map(move |base| [-40_i32, -3, -1, 0, 1, 2, 9].map(|n| [mask, base, n as u64]))
        })
        .collect();
    check(&device(), "fns.b32 d, a, b, c;", "b32", &inputs, |mask, base, offset| {
        let (mask, offset) = (mask as u32, offset as i32);
        let mut d = u32::MAX;
        if offset == 0 {
            if mask >> base & 1 == 1 {
                d = base as u32;
            }
        } else {
            let (mut pos, mut count) = (base as i32, offset.abs() - 1);
            while (0..32).contains(&pos) {
                if mask >> pos & 1 == 1 {
                    if count == 0 {
                        d = pos as u32;
                        break;
                    }
                    count -= 1;
                }
                pos += offset.signum();
            }
        }
        u64::from(d)
    });
}

fn widths() -> Vec<[u64; 3]> {
    let counts = [0, 1, 5, 16, 31, 32, 33, 40, 63, 64, 0xffff_ffff];
    int_inputs()
        .into_iter()
        .step_by(9)
        .flat_map(|[a, ..]| counts.map(|n| [a, n, 0]))
        .chain(counts.into_iter().flat_map(|a| counts.map(|b| [a, b, 0])))
        .collect()
}

#[test]
fn extends_low_bits() {
    for clamp in [true, false] {
        for signed in [true, false] {
            let body = format!(
                "szext.{}.{} d, a, b;",
                if clamp { "clamp" } else { "wrap" },
                if signed { "s32" } else { "u32" }
            );
            check(&device(), &body, "b32", &widths(), |a, b, _| {
                let (a, b) = (a as u32, b as u32);
                let b1 = b & 31;
                let too_large = b >= 32 && clamp;
                let mask = if too_large { 0 } else { u32::MAX << b1 };
                let negative = b1 != 0 && !too_large && signed && a >> (b1 - 1) & 1 == 1;
                u64::from(a & !mask | if negative { mask } else { 0 })
            });
        }
    }
}

#[test]
fn makes_masks() {
    for clamp in [true, false] {
        let body = format!("bmsk.{}.b32 d, a, b;", if clamp { "clamp" } else { "wrap" });
        check(&device(), &body, "b32", &widths(), |a, b, _| {
            let (a, b) = (a as u32, b as u32);
            let (a1, b1) = (a & 31, b & 31);
            let mut mask0 = u32::MAX << a1;
            let (mut position, mut width) = (false, false);
            if clamp {
                if a >= 32 {
                    position = true;
                    mask0 = 0;
                }
                width = b >= 32;
            }
            let mask1 = if a1 + b1 >= 32 || position || width {
                0
            } else if b1 == 0 {
                u32::MAX
            } else {
                u32::MAX << (a1 + b1)
            };
            u64::from(mask0 & !mask1)
        });
    }
}

/// Part `at` of a word, extended.
fn part(word: u64, at: u32, width: u32, signed: bool) -> i64 {
    let part = (word >> (width * at) & ((1 << width) - 1)) as i64;
    if signed && part >> (width - 1) == 1 { part - (1 << width) } else { part }
}

#[test]
fn dot_products() {
    let inputs = int_inputs();
    for (left, x) in [("u32", false), ("s32", true)] {
        for (right, y) in [("u32", false), ("s32", true)] {
            let body = format!("dp4a.{left}.{right} d, a, b, c;");
            check(&device(), &body, "b32", &inputs, |a, b, c| {
                (0..4).fold(c as i64, |sum, at| sum.wrapping_add(part(a, at, 8, x) * part(b, at, 8, y)))
                    as u64
            });
            for (half, first) in [("lo", 0), ("hi", 2)] {
                let body = format!("dp2a.{half}.{left}.{right} d, a, b, c;");
                check(&device(), &body, "b32", &inputs, |a, b, c| {
                    (0..2).fold(c as i64, |sum, at| {
                        sum.wrapping_add(part(a, at, 16, x) * part(b, first + at, 8, y))
                    }) as u64
                });
            }
        }
    }
}

#[test]
fn permutes_bytes_by_mode() {
    let inputs: Vec<[u64; 3]> =
        int_inputs().into_iter().step_by(5).flat_map(|[a, b, _]| (0..6).map(move |c| [a, b, c])).collect();
    // The manual's table, from the high byte to the low one, for each value of the selector.
    let modes: [(&str, [[u32; 4]; 4]); 6] = [
        ("f4e", [[3, 2, 1, 0], [4, 3, 2, 1], [5, 4, 3, 2], [6, 5, 4, 3]]),
        ("b4e", [[5, 6, 7, 0], [6, 7, 0, 1], [7, 0, 1, 2], [0, 1, 2, 3]]),
        ("rc8", [[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]]),
        ("ecl", [[3, 2, 1, 0], [3, 2, 1, 1], [3, 2, 2, 2], [3, 3, 3, 3]]),
        ("ecr", [[0, 0, 0, 0], [1, 1, 1, 0], [2, 2, 1, 0], [3, 2, 1, 0]]),
        ("rc16", [[1, 0, 1, 0], [3, 2, 3, 2], [1, 0, 1, 0], [3, 2, 3, 2]]),
    ];
    for (mode, table) in modes {
        check(&device(), &format!("prmt.b32.{mode} d, a, b, c;"), "b32", &inputs, |a, b, c| {
            let both = (b & 0xffff_ffff) << 32 | a & 0xffff_ffff;
            table[(c & 3) as usize].iter().fold(0, |word, byte| word << 8 | both >> (8 * byte) & 255)
        });
    }
}

#[test]
fn three_input_logic_with_a_predicate() {
    let inputs = int_inputs();
    for (op, and) in [("and", true), ("or", false)] {
        let body = format!(
            "setp.gt.s32 %p1, c, 0; lop3.{op}.b32 d|%p0, a, b, c, 0x80, %p1; selp.b32 %t0, 0x10000, 0, %p0; \
             and.b32 d, d, 0xffff; or.b32 d, d, %t0;"
        );
        check(&device(), &body, "b32", &inputs, |a, b, c| {
            let value = (a & b & c) as u32;
            let q = c as i32 > 0;
            let p = if and { value != 0 && q } else { value != 0 || q };
            u64::from(value & 0xffff) | u64::from(p) << 16
        });
    }
}

#[test]
fn pairs_of_integers() {
    let inputs = int_inputs();
    type Operation = fn(i64, i64) -> i64;
    let operations: [(&str, Operation); 3] =
        [("add", |a, b| a + b), ("min", |a, b| a.min(b)), ("max", |a, b| a.max(b))];
    for (name, f) in operations {
        for signed in [false, true] {
            for relu in [false, true] {
                if relu && (!signed || name == "add") {
                    continue;
                }
                let body = format!(
                    "{name}{}.{}16x2 d, a, b;",
                    if relu { ".relu" } else { "" },
                    if signed { "s" } else { "u" }
                );
                check(&device(), &body, "b32", &inputs, |a, b, _| {
                    (0..2).fold(0, |word, at| {
                        let value = f(part(a, at, 16, signed), part(b, at, 16, signed));
                        let value = if relu { value.max(0) } else { value };
                        word | (value as u64 & 0xffff) << (16 * at)
                    })
                });
            }
        }
    }
    check(&device(), "min.relu.s32 d, a, b;", "s32", &inputs, |a, b, _| {
        (a as i32).min(b as i32).max(0) as u64
    });
    check(&device(), "mad24.hi.sat.s32 d, a, b, c;", "s32", &inputs, |a, b, c| {
        let low = |x: u64| i64::from((x as i32) << 8 >> 8);
        let product = (low(a) * low(b)) >> 16;
        (i64::from(product as i32) + i64::from(c as i32)).clamp(i32::MIN.into(), i32::MAX.into()) as u64
    });
}

#[test]
fn pairs_of_floats() {
    let single = F32.inputs(200);
    let inputs: Vec<[u64; 3]> = single
        .iter()
        .zip(single.iter().cycle().skip(11))
        .map(|(low, high)| [0, 1, 2].map(|i| high[i] << 32 | low[i]))
        .collect();
    for (name, mode) in common::exact::MODES {
        for ftz in [false, true] {
            let run = |operation: &str, operands: &str, f: &dyn Fn(u64, u64, u64) -> u64| {
                let suffix = if ftz { ".ftz" } else { "" };
                // One half at a time, so that a NaN can be told from another.
                for high in [false, true] {
                    let pick = if high { "shr.u64 d, d, 32;" } else { "and.b64 d, d, 0xffffffff;" };
                    let body = format!("{operation}.{name}{suffix}.f32x2 d, {operands}; {pick}");
                    Op { body: &body, types: ["b64"; 4], compare: Compare::F32 }.check(
                        &device(),
                        &inputs,
                        |a, b, c| {
                            let half = |x: u64| {
                                let x = if high { x >> 32 } else { x & 0xffff_ffff };
                                if ftz { F32.flush(x) } else { x }
                            };
                            let value = f(half(a), half(b), half(c));
                            if ftz { F32.flush(value) } else { value }
                        },
                    );
                }
            };
            run("add", "a, b", &|a, b, _| F32.add(a, b, mode));
            run("sub", "a, b", &|a, b, _| F32.sub(a, b, mode));
            run("mul", "a, b", &|a, b, _| F32.mul(a, b, mode));
            run("fma", "a, b, c", &|a, b, c| F32.fma(a, b, c, mode));
        }
    }
}

#[test]
fn packs_clamped_integers() {
    let inputs = int_inputs();
    for (ty, bits, signed) in [
        ("u16", 16_u32, false),
        ("s16", 16, true),
        ("u8", 8, false),
        ("s8", 8, true),
        ("u4", 4, false),
        ("s2", 2, true),
    ] {
        let third = bits != 16;
        let body = format!(
            "cvt.pack.sat.{ty}.s32{} d, a, b{};",
            if third { ".b32" } else { "" },
            if third { ", c" } else { "" }
        );
        check(&device(), &body, "b32", &inputs, |a, b, c| {
            let (low, high) =
                if signed { (-(1_i64 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
            let one = |x: u64| i64::from(x as i32).clamp(low, high) as u64 & ((1 << bits) - 1);
            let rest = if third { (c & 0xffff_ffff) << (2 * bits) } else { 0 };
            rest | one(a) << bits | one(b)
        });
    }
}

/// Runs a kernel over a buffer of words, with shared memory `s` and some registers, and returns what it leaves.
fn run(lanes: u32, body: &str, before: &[u32]) -> Vec<u32> {
    let device = device();
    let text = format!(
        ".const .align 16 .b8 c[16]; .shared .align 16 .b8 s[256];
         .visible .entry k(.param .u64 out) {{
            .reg .b128 q<4>; .reg .b64 d<8>; .reg .b32 r<16>; .reg .b16 h<8>; .reg .pred p<4>;
            .local .align 8 .b8 l[16];
            ld.param.u64 d0, [out];
            mov.u32 r0, %tid.x;
            {body}
            ret;
        }}"
    );
    let module = load(&device, &text);
    let memory = device.alloc(before.len() * 4).unwrap();
    let bytes: Vec<u8> = before.iter().flat_map(|w| w.to_le_bytes()).collect();
    device.copy_to_device(memory.address(), &bytes).unwrap();
    let status =
        launch(&device, &module, LaunchConfig::new(1, lanes), &[Arg::U64(memory.address())]).wait(None);
    assert_eq!(status, Status::Finished, "{body}");
    words(&device, memory.address(), before.len())
}

#[test]
fn moves_128_bits() {
    let before: Vec<u32> = (1..=12).collect();
    let after = run(
        1,
        "ld.global.b128 q0, [d0]; mov.b128 {d1, d2}, q0; mov.b128 q1, {d2, d1}; st.global.b128 [d0+16], q1;",
        &before,
    );
    assert_eq!(after, [1, 2, 3, 4, 3, 4, 1, 2, 9, 10, 11, 12]);
    let after = run(
        1,
        "ld.global.v8.b32 {r1, r2, r3, _, r5, r6, r7, r8}, [d0]; st.global.v8.u32 [d0], {r8, r7, r6, r5, r3, r2, r1, r1};
         ld.global.L2::cache_hint.v4.u32 {r1, r2, r3, r4}, [d0+32], d0;
         st.global.L2::cache_hint.v2.u32 [d0+32], {r4, r3}, d0;",
        &before,
    );
    assert_eq!(after, [8, 7, 6, 5, 3, 2, 1, 1, 12, 11, 11, 12]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn exchanges_128_bits() {
    let before: Vec<u32> = (1..=8).collect();
    let swap = "ld.global.b128 q1, [d0+16]; atom.exch.b128 q0, [d0], q1; st.global.b128 [d0+16], q0;";
    assert_eq!(run(1, swap, &before), [5, 6, 7, 8, 1, 2, 3, 4]);
    let cas = "ld.global.b128 q1, [d0]; ld.global.b128 q2, [d0+16];
        atom.global.acq_rel.gpu.cas.b128 q0, [d0], q1, q2; st.global.b128 [d0+16], q0;
        atom.cas.b128 q3, [d0], q1, q1;";
    assert_eq!(run(1, cas, &before), [5, 6, 7, 8, 1, 2, 3, 4]);
}

#[test]
fn copies_to_shared_memory() {
    let before: Vec<u32> = (0x1010_1011..0x1010_101b).collect();
    // 16 bytes, 8 of which 5 are there, 4 of which none is, and 4 that a predicate lets through.
    let body = "mov.b32 r1, -1; st.shared.v4.b32 [s+16], {r1, r1, r1, r1};
        cp.async.cg.shared.global [s], [d0], 16;
        mov.u32 r2, 5; cp.async.ca.shared.global [s+16], [d0+16], 8, r2;
        setp.eq.u32 p0, r0, 0; cp.async.ca.shared.global [s+24], [d0+24], 4, p0;
        cp.async.ca.shared.global [s+28], [d0+28], 4, !p0;
        cp.async.commit_group; cp.async.wait_group 0;
        ld.shared.v4.b32 {r1, r2, r3, r4}, [s]; st.global.v4.b32 [d0], {r4, r3, r2, r1};
        ld.shared.v4.b32 {r1, r2, r3, r4}, [s+16]; st.global.v4.b32 [d0+16], {r1, r2, r3, r4};";
    let after = run(1, body, &before);
    let (b, ninth) = (&before, before[8]);
    assert_eq!(after, [b[3], b[2], b[1], b[0], b[4], b[5] & 0xff, 0, b[7], ninth, before[9]]);
}

#[test]
fn windows() {
    let body = "
        mov.u64 d1, s; cvta.shared.u64 d1, d1; mov.u64 d2, l; cvta.local.u64 d2, d2;
        mov.u64 d3, out; cvta.param.u64 d3, d3; mov.u64 d4, c; cvta.const.u64 d4, d4;
        mov.u32 r1, 0;";
    let ask = |space: &str, register: &str, bit: u32| {
        format!("isspacep.{space} p0, {register}; selp.u32 r2, {}, 0, p0; or.b32 r1, r1, r2;\n", 1 << bit)
    };
    let spaces = ["global", "shared", "local", "param", "const"];
    let mut text = body.to_owned();
    for (i, register) in ["d0", "d1", "d2", "d3", "d4"].iter().enumerate() {
        for (j, space) in spaces.iter().enumerate() {
            text += &ask(space, register, (i * 5 + j) as u32);
        }
    }
    text += "mad.wide.u32 d0, r0, 4, d0; st.global.u32 [d0], r1;";
    // The parameters' window is part of the global one.
    let expected = [0b00001, 0b00010, 0b00100, 0b01001, 0b10000];
    let expected = expected.iter().enumerate().fold(0, |word, (i, bits)| word | bits << (5 * i));
    assert_eq!(run(3, &text, &[0; 3]), [expected; 3]);
}

#[test]
fn atomic_halves() {
    for (ty, format, compare) in [("f16", F16, Compare::F16), ("bf16", BF16, Compare::Bf16)] {
        let inputs = format.inputs(200);
        let sum = |format: Format, a, b| format.add(a, b, Mode::Nearest);
        let body = format!("atom.global.add.noftz.{ty} _, [%in], b; ld.b16 d, [%in];");
        Op { body: &body, types: ["b16"; 4], compare }.check(&device(), &inputs, |a, b, _| sum(format, a, b));
        let body = format!("atom.add.noftz.{ty} d, [%in], b;");
        Op { body: &body, types: ["b16"; 4], compare: Compare::Bits }.check(&device(), &inputs, |a, _, _| a);
        let pairs: Vec<[u64; 3]> = inputs.iter().map(|[a, b, c]| [b << 16 | a, c << 16 | b, 0]).collect();
        let body = format!("red.relaxed.gpu.global.add.noftz.{ty}x2 [%in], b; ld.b32 d, [%in];");
        Op { body: &body, types: ["b32"; 4], compare }.check(&device(), &pairs, |a, b, _| {
            sum(format, a >> 16, b >> 16) << 16 | sum(format, a & 0xffff, b & 0xffff)
        });
    }
}

#[test]
fn atomic_vectors() {
    let bits = |x: f32| x.to_bits();
    let before = [1.5, -2.0, 3.0, 4.0, 0.25, 0.5, 0.75, 1.0].map(bits);
    let body = "ld.global.v4.f32 {r1, r2, r3, r4}, [d0+16];
        atom.global.v4.f32.add {r5, r6, r7, r8}, [d0], {r1, r2, r3, r4}; st.global.v4.f32 [d0+16], {r5, r6, r7, r8};
        red.global.v2.f32.add [d0+16], {r1, r2};";
    let expected = [1.75, -1.5, 3.75, 5.0, 1.75, -1.5, 3.0, 4.0].map(bits);
    assert_eq!(run(1, body, &before), expected);
    // -1, 2 and 3, -4 as halves: the larger of each and 1, 1.
    let body = "mov.b32 r1, 0x3c003c00; atom.global.v2.f16x2.max.noftz {r2, r3}, [d0], {r1, r1};
        st.global.v2.b32 [d0+8], {r2, r3};";
    let before = [0x4000_bc00, 0xc400_4200, 0, 0];
    assert_eq!(run(1, body, &before), [0x4000_3c00, 0x3c00_4200, 0x4000_bc00, 0xc400_4200]);
}

#[test]
fn atomics_of_halves_lose_nothing() {
    let body = "mov.b16 h0, 0x3c00; mov.u32 r1, 0;
        again: atom.global.add.noftz.f16 h1, [d0], h0; red.global.add.noftz.f16x2 [d0+4], 0x3c003c00;
        add.u32 r1, r1, 1; setp.lt.u32 p0, r1, 10; @p0 bra again;";
    let body = body
        .replace("0x3c003c00;\n", "r2;\n")
        .replace("mov.u32 r1, 0;", "mov.u32 r1, 0; mov.b32 r2, 0x3c003c00;");
    let half = |x: f64| F16.round_from(common::exact::F64, x.to_bits(), Mode::Nearest) as u32;
    let all = half(640.0);
    assert_eq!(run(64, &body, &[0, 0]), [all, all << 16 | all]);
}

/// Without `.sync`: all lanes of the warp, as on the targets that have these forms.
#[test]
fn warp_instructions_without_sync() {
    let body = "mul.lo.u32 r1, r0, 3; setp.gt.u32 p0, r0, 20;
        shfl.bfly.b32 r2|p1, r1, 1, 31; vote.ballot.b32 r3, p0; vote.any.pred p2, p0; vote.all.pred p3, p0;
        selp.u32 r4, 1, 0, p2; selp.u32 r5, 2, 0, p3; or.b32 r4, r4, r5; add.u32 r2, r2, r4; xor.b32 r2, r2, r3;
        mad.wide.u32 d0, r0, 4, d0; st.global.u32 [d0], r2;";
    let expected: Vec<u32> = (0..32).map(|lane: u32| ((lane ^ 1) * 3 + 1) ^ 0xffe0_0000).collect();
    assert_eq!(run(32, body, &[0; 32]), expected);
}

/// Hints do nothing, and do it without disturbing anything.
#[test]
fn hints_do_nothing() {
    let body = "prefetch.global.L2 [d0]; prefetchu.L1 [d0]; createpolicy.fractional.L2::evict_last.b64 d1, 0.5;
        applypriority.global.L2::evict_normal [d0], 128; discard.L2 [d0], 128; griddepcontrol.wait;
        setmaxnreg.inc.sync.aligned.u32 64; pmevent.mask 0xfc; fence.proxy.async; fence.mbarrier_init.release.cluster;
        ld.global.u32 r1, [d0]; add.u32 r1, r1, 1; st.global.u32 [d0], r1;";
    assert_eq!(run(1, body, &[41]), [42]);
}

/// Two warps hand words to each other through barriers in shared memory, one phase after the other.
#[test]
fn barriers_in_shared_memory() {
    let body = "
        setp.eq.u32 p0, r0, 0;
        @p0 mbarrier.init.shared.b64 [s+128], 32;
        @p0 mbarrier.init.shared.b64 [s+136], 33;
        bar.sync 0;
        mul.wide.u32 d1, r0, 4; cvt.u32.u64 r1, d1; mov.u32 r2, s; add.u32 r3, r2, r1;
        setp.ge.u32 p1, r0, 32; @p1 bra takes;
        mad.lo.u32 r4, r0, 7, 1; st.shared.u32 [r3], r4;
        mbarrier.arrive.release.cta.shared.b64 d2, [s+128];
        mbarrier.arrive.shared.b64 d3, [s+136];
        @!p0 bra waits;
        mbarrier.arrive.expect_tx.shared.b64 _, [s+136], 64;
        mbarrier.complete_tx.relaxed.cta.shared.b64 [s+136], 64;
    waits:
        mbarrier.test_wait.shared.b64 p2, [s+136], d3; @!p2 bra waits;
        mbarrier.pending_count.b64 r5, d2; setp.le.u32 p3, r5, 32; selp.u32 r9, 1, 0, p3;
        bra done;
    takes:
        mbarrier.try_wait.parity.acquire.cta.shared.b64 p2, [s+128], 0; @!p2 bra takes;
        ld.shared.u32 r9, [r3+-128];
    done:
        // The phase before is over, the present one is not.
        mbarrier.test_wait.parity.shared.b64 p2, [s+128], 1; @p2 mov.u32 r9, 999;
        mad.wide.u32 d0, r0, 4, d0; st.global.u32 [d0], r9;";
    let expected: Vec<u32> = (0..64).map(|lane| if lane < 32 { 1 } else { (lane - 32) * 7 + 1 }).collect();
    assert_eq!(run(64, body, &[0; 64]), expected);
}

/// A 32-bit address and its offset are added in 32 bits: compilers write `[r+252]` with a negative `r`.
#[test]
fn narrow_addresses_wrap() {
    let body = "mov.u32 r1, s; mul.lo.u32 r2, r0, 4; add.u32 r3, r1, r2; add.u32 r4, r0, 5; st.shared.u32 [r3], r4; bar.sync 0;
        sub.u32 r5, r1, r2; ld.shared.u32 r6, [r5+124]; mad.wide.u32 d0, r0, 4, d0; st.global.u32 [d0], r6;";
    let expected: Vec<u32> = (0..32).map(|lane| 31 - lane + 5).collect();
    assert_eq!(run(32, body, &[0; 32]), expected);
}
