//! Properties of the PTX that hold for every function: what a reader of one golden file would not see at once.

mod support;

use kernels_ptx::builder::Builder;
use kernels_ptx::ir::Function;

/// The instructions of one module, without predicates, labels and directives.
fn instructions(functions: Vec<Function>) -> Vec<String> {
    let text = support::module(functions).ptx().to_owned();
    let body = text.lines().filter_map(|line| line.strip_prefix('\t'));
    let plain =
        body.map(|line| line.split_once("bra ").map_or(line.to_owned(), |(_, to)| format!("bra {to}")));
    plain.filter(|line| !line.starts_with(['.', '{', '}'])).collect()
}

fn everything() -> Vec<String> {
    let mut all = vec![];
    all.extend(instructions(support::signed::<i8>()));
    all.extend(instructions(support::signed::<i16>()));
    all.extend(instructions(support::signed::<i32>()));
    all.extend(instructions(support::signed::<i64>()));
    all.extend(instructions(support::integers::<u8>()));
    all.extend(instructions(support::integers::<u64>()));
    all.extend(instructions(support::floats::<f32>()));
    all.extend(instructions(support::floats::<f64>()));
    all.extend(instructions(support::memory()));
    all.extend(instructions(support::control()));
    all.extend(instructions(support::sends()));
    all
}

#[test]
fn floats_round_to_nearest_and_keep_subnormals() {
    let all = everything();
    assert!(all.iter().any(|line| line.starts_with("add.rn.f32")), "there are float operations");
    for line in &all {
        let opcode = line.split(' ').next().unwrap_or(line);
        assert!(!opcode.contains(".ftz") && !opcode.contains(".approx"), "{line}");
        let rounds =
            ["add.", "sub.", "mul.", "div.", "fma.", "sqrt."].iter().any(|op| opcode.starts_with(op));
        if rounds && (opcode.ends_with("f32") || opcode.ends_with("f64")) {
            assert!(opcode.contains(".rn."), "rounding is not spelled out: {line}");
        }
    }
}

/// `x * y + x` stays two roundings; only `mul_add` is one.
#[test]
fn multiply_and_add_never_fuse() {
    let text = support::module(support::floats::<f32>()).ptx().to_owned();
    let bodies = text.split("\n.func").filter(|body| body.contains('{'));
    let fused: Vec<_> = bodies.filter(|body| body.contains("fma.") || body.contains("mad.")).collect();
    assert_eq!(fused.len(), 1);
    assert!(fused[0].contains("h_mul_add("));
}

#[test]
fn nothing_traps_and_no_barrier_is_hidden() {
    for line in everything() {
        for never in ["trap", "exit", "bar.", "brkpt", "vote", "shfl"] {
            assert!(!line.starts_with(never), "{line}");
        }
    }
}

#[test]
fn atomics_spell_out_order_and_scope() {
    let mut functions = support::intrinsics();
    functions.push(kernels_ptx::dispatch::build(&[]).unwrap());
    // What it calls has atomics of its own; here it has none.
    use kernels_ptx::ir::ScalarType::{U32, U64};
    let forget = Builder::func(kernels_ptx::ring::buffers::FORGET, &[U64, U64], Some(U32));
    forget.result(forget.lit(0u32));
    functions.push(forget.finish().unwrap());
    let lines = instructions(functions);
    let atomics: Vec<_> = lines.iter().filter(|line| line.starts_with("atom")).collect();
    assert_eq!(atomics.len(), 2);
    assert!(atomics.iter().all(|line| line.starts_with("atom.acq_rel.gpu.global.")), "{atomics:?}");
    for order in [
        "ld.relaxed.gpu.global.u64",
        "ld.relaxed.sys.global.u64",
        "ld.acquire.gpu.global.u64",
        "ld.acquire.sys.global.u64",
    ] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(order)).count(), 1, "{order}");
    }
    for order in [
        "st.relaxed.gpu.global.u64",
        "st.relaxed.sys.global.u64",
        "st.release.gpu.global.u64",
        "st.release.sys.global.u64",
    ] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(order)).count(), 1, "{order}");
    }
}

/// Aggregates move in the widest words that their alignment allows.
#[test]
fn copies_are_not_byte_by_byte() {
    let large: Vec<_> = support::memory().into_iter().filter(|f| f.symbol() == "h_large_copy").collect();
    let lines = instructions(large);
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("st.u64") || line.starts_with("st.global.u64")).count(),
        25 + 1,
        "200 bytes and the fault word"
    );
    assert!(!lines.iter().any(|line| line.starts_with("st.u8") || line.starts_with("st.global.u8")));
}

/// The text depends on the functions alone.
#[test]
fn output_is_deterministic() {
    assert_eq!(support::module(support::control()).ptx(), support::module(support::control()).ptx());
    let moved = |line| {
        support::module([support::handler("h", |b| b.reply(b.add(b.cx_worker(), b.cx_lane(), line)))])
            .ptx()
            .to_owned()
    };
    assert_eq!(moved(1), moved(1000), "lines stay out of the PTX");
}
