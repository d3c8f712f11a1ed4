//! What a text that is not right is told, and that no text makes the loader panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::{HEADER, device, launch, load, try_load};
use soft_gpu::{Arg, Device, DeviceConfig, LaunchConfig, LoadErrorKind, Status};

/// Loads `text` after the header and checks the error; lines count from the first line of `text`.
#[track_caller]
fn refused(text: &str, kind: LoadErrorKind, line: u32, token: &str, hint: &str) {
    let Err(error) = try_load(&device(), text) else { panic!("accepted:\n{text}") };
    let found = (error.kind(), error.line() - 3, error.token());
    assert_eq!(found, (kind, line, token), "{error}\n{text}");
    assert!(error.message().contains(hint), "`{error}` does not mention `{hint}`");
    assert!(error.to_string().contains(&error.line().to_string()));
}

/// Puts one line of body, the fourth line of the text, into an entry with registers of every type.
#[track_caller]
fn body_refused(body: &str, kind: LoadErrorKind, token: &str, hint: &str) {
    let text = format!(
        ".visible .entry k(.param .u64 out) {{
        .reg .b64 %rd<4>; .reg .b32 %r<4>; .reg .pred %p<4>; .reg .f32 %f<4>; .reg .f64 %d<4>; .reg .b16 %h<4>;
        .reg .u32 %u<4>; .reg .s32 %s<4>;
        {body}
        ret;
    }}"
    );
    refused(&text, kind, 4, token, hint);
}

#[test]
fn unknown_instructions_are_named() {
    use LoadErrorKind::Unsupported;
    body_refused("frobnicate.u32 %r1;", Unsupported, "frobnicate.u32", "instruction not known");
    body_refused("wmma.load.a.sync.row %r1;", Unsupported, "wmma.load.a.sync.row", "instruction not known");
    body_refused("tex.2d.v4 %r1;", Unsupported, "tex.2d.v4", "instruction not known");
}

#[test]
fn unknown_modifiers_and_types_are_named() {
    use LoadErrorKind::Unsupported;
    body_refused("add.u128 %r1, %r1, %r1;", Unsupported, ".u128", "`add`");
    body_refused("add.rz.f16 %h1, %h1, %h1;", Unsupported, ".rz", "`add`");
    body_refused("add.sat.bf16x2 %r1, %r1, %r1;", Unsupported, ".sat", "bf16");
    body_refused("div.f16 %h1, %h1, %h1;", Unsupported, ".f16", "`div`");
    body_refused("add.rn.rz.f32 %f1, %f1, %f1;", Unsupported, ".rz", "more than one");
    body_refused("fma.rn.oob.f16 %h1, %h1, %h1, %h1;", Unsupported, ".oob", "`fma`");
    body_refused("div.approx.f64 %d1, %d1, %d1;", Unsupported, ".approx", "`.f32`");
    body_refused("min.NaN.f64 %d1, %d1, %d1;", Unsupported, ".NaN", "`.f32`");
    body_refused("ld.global.f16 %h1, [%rd1];", Unsupported, ".f16", "`ld`");
    body_refused("add.nosuch.u32 %r1, %r1, %r1;", Unsupported, ".nosuch", "`add`");
    body_refused("add.b32 %r1, %r1, %r1;", Unsupported, ".b32", "`add`");
    body_refused("and.u32 %r1, %r1, %r1;", Unsupported, ".u32", "`and`");
    body_refused("shl.u32 %r1, %r1, 1;", Unsupported, ".u32", "`shl`");
    body_refused("neg.u32 %r1, %r1;", Unsupported, ".u32", "`neg`");
    body_refused("add.ftz.f64 %d1, %d1, %d1;", Unsupported, ".ftz", "`.f32`");
    body_refused("ld.global.v3.u32 {%r1, %r2, %r3}, [%rd1];", Unsupported, ".v3", "`ld`");
    body_refused("atom.add.b32 %r1, [%rd1], 1;", Unsupported, ".b32", "`atom`");
    body_refused("atom.global.mul.u32 %r1, [%rd1], 1;", Unsupported, ".mul", "no such operation");
    body_refused("red.acquire.gpu.add.u32 [%rd1], 1;", Unsupported, ".acquire", "cannot acquire");
    body_refused("setp.lo.s32 %p1, %s1, %s2;", Unsupported, ".s32", "comparison");
    body_refused("setp.lt.b32 %p1, %r1, %r2;", Unsupported, ".b32", "comparison");
    body_refused("barrier.cluster.arrive;", Unsupported, ".cluster", "clusters");
    body_refused("prmt.b32.f5e %r1, %r1, %r1, %r1;", Unsupported, ".f5e", "`prmt`");
    body_refused("cvt.rn.relu.f64.f32 %d1, %f1;", Unsupported, ".relu", "halves");
    body_refused("cvt.rn.satfinite.e2m1x2.f32 %h1, %f1, %f1;", Unsupported, ".e2m1x2", "`cvt`");
    body_refused("cvt.b32.b64 %r1, %rd1;", Unsupported, ".b32", "`cvt`");
    body_refused("sin.approx.f64 %d1, %d1;", Unsupported, ".f64", "`sin`");
}

#[test]
fn undeclared_names_are_named() {
    use LoadErrorKind::Name;
    body_refused("add.u32 %r1, %r9, %r1;", Name, "%r9", "not declared");
    body_refused("add.u32 %r01, %r1, %r1;", Name, "%r01", "not declared");
    body_refused("add.u32 %x, %r1, %r1;", Name, "%x", "not declared");
    body_refused("@%q bra here; here:", Name, "%q", "not declared");
    body_refused("bra nowhere;", Name, "nowhere", "no such label");
    body_refused("ld.global.u32 %r1, [%rd9];", Name, "%rd9", "not declared");
    body_refused("call nothing;", Name, "nothing", "no such function");
    body_refused("mov.u32 %r1, %nosuchreg;", Name, "%nosuchreg", "not declared");
    body_refused("brx.idx %r1, list;", Name, "list", "branchtargets");
    refused(".visible .entry k() { ret; }\n.func f();", Name, 2, "f", "never defined");
    refused(".visible .entry k() { ret; }\n.visible .entry k() { ret; }", Name, 2, "k", "declared twice");
    refused(".global .u32 a;\n.global .u32 a;", Name, 2, "a", "declared twice");
    refused(".func f(.param .b32 a,\n.param .b32 a) { ret; }", Name, 1, "a", "parameter declared twice");
    refused(".visible .entry k() {\n.reg .b32 a;\n.reg .b64 a;\n}", Name, 3, "a", "declared twice");
    refused(".visible .entry k() {\nhere:\nhere:\n}", Name, 3, "here", "label declared twice");
    refused(".global .u64 p = q;", Name, 1, "q", "not a variable");
    // A label in an inner scope is not seen from outside.
    body_refused("bra inner; { inner: }", Name, "inner", "no such label");
}

#[test]
fn operands_must_fit() {
    use LoadErrorKind::Type;
    body_refused("add.u32 %r1, %rd1, %r1;", Type, "%rd1", ".b64");
    body_refused("add.u32 %rd1, %r1, %r1;", Type, "%rd1", ".b64");
    body_refused("add.u32 %r1, %f1, %r1;", Type, "%f1", ".f32");
    body_refused("add.f32 %f1, %u1, %f1;", Type, "%u1", ".u32");
    body_refused("add.f32 %f1, %f1, 1;", Type, "add", "constant");
    body_refused("add.u32 %r1, %r1, 1.5;", Type, "add", "constant");
    body_refused("add.u32 %r1, %r1;", Type, "add", "3 operands");
    body_refused("add.u32 %r1, %r1, %r1, %r1;", Type, "add", "3 operands");
    body_refused("add.u32 5, %r1, %r1;", Type, "add", "destination");
    body_refused("add.u32 %r1, %r1, out;", Type, "out", "register");
    body_refused("add %r1, %r1, %r1;", Type, "add", "type");
    body_refused("mul.u32 %r1, %r1, %r1;", Type, "mul", ".wide");
    body_refused("setp.eq.u32 %r1, %r1, %r1;", Type, "%r1", ".pred");
    body_refused("selp.u32 %r1, %r1, %r1, %r1;", Type, "%r1", ".pred");
    body_refused("ld.global.u32 %r1, [%r1];", Type, "%r1", "64 bits");
    body_refused("ld.global.u32 %r1, %rd1;", Type, "ld", "brackets");
    body_refused("ld.global.u64 %r1, [%rd1];", Type, "%r1", ".b32");
    body_refused("ld.param.u64 %rd1, [out+4];", Type, "out", "leaves the parameter");
    body_refused("st.param.u64 [out], %rd1;", Type, "st", "read-only");
    body_refused("ld.global.u64 %rd1, [out];", Type, "out", ".param");
    body_refused("ld.relaxed.u32 %r1, [%rd1];", Type, "ld", "scope");
    body_refused("ld.gpu.u32 %r1, [%rd1];", Type, ".gpu", "order");
    body_refused("ld.relaxed.volatile.gpu.u32 %r1, [%rd1];", Type, "ld", "more than one order");
    body_refused("st.const.u32 [%rd1], %r1;", Type, "st", "read-only");
    body_refused("ld.v2.u32 {%r1}, [%rd1];", Type, "ld", "vector of 2");
    body_refused("ld.v2.u32 %r1, [%rd1];", Type, "ld", "vector");
    body_refused("ld.u32 {%r1, %r2}, [%rd1];", Type, "ld", ".v2");
    body_refused("mov.b64 %rd1, {%r1, %r1, %r1};", Type, "mov", "3 parts");
    body_refused("cvt.f32.u32 %f1, %u1;", Type, "cvt", "rounding");
    body_refused("cvt.u32.f32 %u1, %f1;", Type, "cvt", "rounding");
    body_refused("cvt.f32.f64 %f1, %d1;", Type, "cvt", "rounding");
    body_refused("lop3.b32 %r1, %r1, %r1, %r1, 256;", Type, "lop3", "0 to 255");
    body_refused("pmevent 16;", Type, "pmevent", "0 to 15");
    body_refused("fence.sc;", Type, "fence", "scope");
    body_refused("bra %r1+1;", LoadErrorKind::Syntax, "+", "expected");
    body_refused("call k;", Type, "k", "entry");
    refused(
        ".func f(.param .b32 a) { ret; }\n.visible .entry k() {\n.param .b64 p;\ncall f, (p);\n}",
        Type,
        4,
        "p",
        ".b32",
    );
    refused(".func f(.param .b32 a) { ret; }\n.visible .entry k() {\ncall f;\n}", Type, 3, "call", "takes 1");
    refused(".func f(.param .b32 a);\n.func f(.param .b64 a) { ret; }", Type, 2, "f", "other parameters");
    refused(".visible .entry (.param .b32 r) k() { ret; }", LoadErrorKind::Syntax, 1, "(", "expected a name");
    refused(".shared .u32 a = 1;", Type, 1, "a", "no initial value");
    refused(".global .u32 a[2] = {1, 2, 3};", Type, 1, "a", "more elements");
    refused(".global .pred p;", Type, 1, "p", ".reg");
    refused(".global .f16 h = 1;", Type, 1, "h", "do not fit");
    refused(".global .b128 q = 1.5;", Type, 1, "q", "do not fit");
    try_load(&device(), ".global .b128 q[2] = {1, 2};\n.visible .entry k() { ret; }").unwrap();
}

#[test]
fn limits_are_errors() {
    use LoadErrorKind::Unsupported;
    refused(".shared .b8 a[98305];", Unsupported, 1, "a", "98304");
    refused(".global .b8 a[0x7fffffffffffffff];", Unsupported, 1, "a", "at most");
    refused(".global .b8 a[0x7fffffffffffffff][0x7fffffffffffffff];", Unsupported, 1, "a", "at most");
    refused(".visible .entry k() {\n.local .b8 a[99999999];\n}", Unsupported, 2, "a", ".local");
    refused(".extern .global .u32 a;", Unsupported, 1, "a", "linker");
    refused(".extern .func f();\n.visible .entry k() {\ncall f;\n}", Unsupported, 3, "f", "linker");
    // Declaring it is no harm.
    try_load(&device(), ".extern .func f();\n.visible .entry k() { ret; }").unwrap();
    refused(".func (.param .b32 a, .param .b32 b) f() { ret; }", Unsupported, 1, "f", "more than one");
    let deep = format!(".visible .entry k() {{ {} }}", "{".repeat(100_000));
    refused(&deep, LoadErrorKind::Syntax, 1, "{", "nested");
    let deep = format!(".global .u32 a = {}1;", "(".repeat(100_000));
    refused(&deep, LoadErrorKind::Syntax, 1, "(", "nested");
    let deep = format!(".global .u32 a = {}1;", "-".repeat(100_000));
    refused(&deep, LoadErrorKind::Syntax, 1, "-", "nested");
}

#[test]
fn broken_syntax_is_located() {
    use LoadErrorKind::{Syntax, Unsupported};
    refused(".visible .entry k() {\n ret\n}", Syntax, 3, "}", "expected");
    refused(".visible .entry k() {\n ret;\n", Syntax, 3, "", "never closed");
    refused(".visible .entry k() {\n @ ret;\n}", Syntax, 2, ";", "instruction");
    refused(".visible .entry k() {\n add.u32 %r1,, 2;\n}", Syntax, 2, ",", "operand");
    refused(".visible .entry k() {\n .reg .b32 %r<x>;\n}", Syntax, 2, "x", "integer");
    refused("/* open\n\n", Syntax, 1, "/*", "never closed");
    refused(".file 1 \"a", Syntax, 1, "\"a", "never closed");
    refused(".global .u32 a = 09;", Syntax, 1, "09", "integer");
    refused(".global .u32 a = 12ab;", Syntax, 1, "12ab", "number");
    refused(".global .u64 a = 99999999999999999999;", Syntax, 1, "99999999999999999999", "64 bits");
    refused(".global .f32 a = 0f123;", Syntax, 1, "0f123", "8 hexadecimal");
    refused(".global .u32 a = 1/0;", Syntax, 1, ";", "zero");
    refused(".global .u32 a = \u{e9};", Syntax, 1, "\u{e9}", "no such character");
    refused("hello", Syntax, 1, "hello", "directive");
    refused(".texref t;", Unsupported, 1, ".texref", "top level");
    refused(".visible .entry k() .nosuch { ret; }", Unsupported, 1, ".nosuch", "function");
    refused(".visible .entry k() {\n .nosuch;\n}", Unsupported, 2, ".nosuch", "body");
    refused(".visible .entry k() {\n .reg .bf16 %h;\n}", Unsupported, 2, ".bf16", "`.b16`");
    refused(".visible .entry k() {\n .reg .tf32 %h;\n}", Unsupported, 2, ".tf32", "type");
    refused(".visible .entry k() {\n .reg .v4 .f32 %v;\n}", Unsupported, 2, ".v4", "vectors");
    let device = device();
    for (text, line) in [("", 1), ("\n\nmov", 3), (".target sm_70", 1)] {
        let error = device.load_ptx(text).unwrap_err();
        assert_eq!((error.kind(), error.line()), (Syntax, line), "{error}");
    }
    assert_eq!(device.load_ptx(".version 99.0").unwrap_err().token(), "99.0");
    let error = device.load_ptx(".version 7.0\n.target sm_70\n.address_size 32\n").unwrap_err();
    assert_eq!((error.kind(), error.line(), error.token()), (Unsupported, 3, "32"));
}

/// A function of very many blocks is loaded in bearable time, by plainer means, and still does what it says: `n` loops of
/// different lengths, a switch among `n` places, and `n` guarded instructions.
#[test]
fn large_functions_load_and_run() {
    let n = 1500;
    let each = |piece: &dyn Fn(u32) -> String| (0..n).map(piece).collect::<Vec<_>>().concat();
    let text = format!(
        ".func (.param .b32 r) twice(.param .b32 a) {{ .reg .b32 %x; ld.param.b32 %x, [a]; add.u32 %x, %x, %x; st.param.b32 [r], %x; ret; }}
        .visible .entry k(.param .u64 out) {{
            .reg .b64 %rd; .reg .b32 %r<6>; .reg .pred %p; .param .b32 a0; .param .b32 r0;
            ld.param.u64 %rd, [out]; mov.u32 %r0, 0; mov.u32 %r2, 0; mov.u32 %r3, 0; mov.u32 %r4, %ntid.x;
            {}
            list: .branchtargets {};
            mov.u32 %r5, 7; brx.idx %r5, list;
            {}
            end: setp.eq.u32 %p, %r4, 1;
            {}
            st.param.b32 [a0], %r3; call (r0), twice, (a0); ld.param.b32 %r3, [r0];
            st.global.u32 [%rd], %r0; st.global.u32 [%rd+4], %r2; st.global.u32 [%rd+8], %r3;
            ret; }}",
        each(&|i| format!("mov.u32 %r1, 0; l{i}: add.u32 %r0, %r0, 1; add.u32 %r1, %r1, 1; setp.lt.u32 %p, %r1, {}; @%p bra l{i};\n", i % 3)),
        (0..n).map(|i| format!("t{i}")).collect::<Vec<_>>().join(", "),
        each(&|i| format!("t{i}: add.u32 %r2, %r2, {i}; bra end;\n")),
        each(&|i| format!("@%p add.u32 %r3, %r3, {};\n", i % 5)),
    );
    let device = device();
    let module = load(&device, &text);
    let out = device.alloc(12).unwrap();
    let launch = launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(out.address())]);
    assert_eq!(launch.wait(None), Status::Finished);
    let loops: u32 = (0..n).map(|i| (i % 3).max(1)).sum();
    let guarded: u32 = (0..n).map(|i| i % 5).sum();
    assert_eq!(common::words(&device, out.address(), 3), [loops, 7, guarded * 2]);
}

/// Long tokens are cut in messages.
#[test]
fn messages_stay_short() {
    let error = try_load(&device(), &"x".repeat(100_000)).unwrap_err();
    assert!(error.to_string().len() < 200);
}

/// A text in which most of what this device knows occurs.
const EVERYTHING: &str = ".global .align 8 .u32 table[4] = {1, -2, 0x3, (4+5)*2};
.const .f64 half = 0d3FE0000000000000;
.shared .align 16 .b8 pad[32];
.extern .shared .b8 dynamic[];
.func (.param .b32 r) f(.param .b32 a, .param .align 4 .b8 b[8]);
.visible .entry k(.param .u64 out, .param .u32 n) .maxntid 64, 1, 1
{
    .reg .b64 %rd<8>; .reg .b32 %r<16>; .reg .pred %p<4>; .reg .f32 %f<4>; .reg .f64 %d<4>; .reg .b16 %h<4>;
    .local .align 8 .b8 depot[16];
    ld.param.u64 %rd0, [out];
    ld.param.u32 %r0, [n];
    mov.u64 %rd1, depot;
    cvta.local.u64 %rd2, %rd1;
    cvta.to.global.u64 %rd0, %rd0;
    mov.u32 %r1, %tid.x;
    mad.lo.u32 %r2, %r1, 4, 7;
    mul.wide.u32 %rd3, %r2, 8;
    setp.lt.and.u32 %p0|%p1, %r1, %r0, !%p2;
    @!%p0 bra skip;
    st.global.v2.u32 [%rd0+8], {%r1, %r2};
    ld.volatile.global.v4.f32 {%f0, %f1, %f2, _}, [%rd0];
    fma.rn.ftz.f32 %f0, %f1, %f2, 0f3F800000;
    cvt.rzi.s32.f32 %r3, %f0;
    cvt.rn.f64.u32 %d0, %r3;
    min.f64 %d1, %d0, 1.5e3;
    atom.acq_rel.gpu.global.cas.b32 %r4, [%rd0], %r1, %r2;
    red.relaxed.sys.add.u64 [%rd0], %rd3;
    bfe.u32 %r5, %r4, 3, %r1;
    prmt.b32 %r6, %r5, %r4, 0x5410;
    lop3.b32 %r7, %r6, %r5, %r4, 0xca;
    shf.l.wrap.b32 %r7, %r6, %r5, 3;
    mov.b64 {%r8, %r9}, %rd3;
    mov.b32 %r9, {%h0, %h1};
skip:
    {
        .param .b32 p0;
        .param .align 4 .b8 p1[8];
        .param .b32 q;
        st.param.b32 [p0], %r1;
        st.param.b32 [p1+4], 5;
        call.uni (q), f, (p0, p1);
        ld.param.b32 %r10, [q];
    }
    vote.sync.ballot.b32 %r11, %p1, 0xffffffff;
    shfl.sync.bfly.b32 %r12|%p3, %r11, 1, 31, -1;
    match.any.sync.b64 %r13, %rd3, -1;
    bar.sync 0;
    fence.acq_rel.sys;
    nanosleep.u32 100;
    pmevent 1;
    targets: .branchtargets skip, end;
    brx.idx %r0, targets;
end:
    st.shared.u32 [pad+4], %r12;
    add.cc.u32 %r1, %r2, %r3;
    addc.u32 %r2, %r3, 0;
    @%p3 exit;
    ret;
}
.func (.param .b32 r) f(.param .b32 a, .param .align 4 .b8 b[8])
{
    .reg .b32 %r<3>;
    ld.param.b32 %r0, [a];
    ld.param.b32 %r1, [b+4];
    add.s32 %r2, %r0, %r1;
    st.param.b32 [r], %r2;
    ret;
}
";

fn small_device() -> Device {
    Device::open(DeviceConfig { memory: 1 << 20, multiprocessors: 1, ..DeviceConfig::default() }).unwrap()
}

/// Loads a text that may be anything. Whatever is wrong with it is the text's fault, never this crate's.
fn survives(device: &Device, text: &str) {
    if let Err(error) = device.load_ptx(text) {
        assert!(error.kind() != LoadErrorKind::Internal, "{error}\n{text}");
        let lines = text.lines().count() as u32 + 1;
        assert!((1..=lines).contains(&error.line()), "line {} of {lines}: {error}", error.line());
    }
}

#[test]
fn every_truncation_is_refused() {
    let device = small_device();
    let text = format!("{HEADER}{EVERYTHING}");
    device.load_ptx(&text).unwrap();
    for end in 0..text.len() {
        survives(&device, &text[..end]);
    }
    // Cut inside a body, a text can only be refused.
    let body = text.find("ld.param").unwrap()..text.rfind('}').unwrap();
    for end in body.step_by(7) {
        assert!(device.load_ptx(&text[..end]).is_err());
    }
}

/// A small generator, so that the mutations are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

/// Splits a text into words, punctuation and blanks, so that mutations keep some of the structure.
fn pieces(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let class = |c: char| {
        if c.is_alphanumeric() || "%_$".contains(c) {
            1
        } else if c.is_whitespace() {
            2
        } else {
            0
        }
    };
    for c in text.chars() {
        match out.last_mut() {
            Some(last) if class(c) != 0 && last.chars().next().is_some_and(|l| class(l) == class(c)) => {
                last.push(c);
            }
            _ => out.push(c.to_string()),
        }
    }
    out
}

#[test]
fn no_mutation_makes_the_loader_panic() {
    let device = small_device();
    let original = pieces(&format!("{HEADER}{EVERYTHING}"));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let junk = [
        "",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ";",
        ",",
        ".",
        "@",
        "!",
        "|",
        "-",
        "0",
        "-1",
        "99999999999",
        "0f",
        "\"",
        "\u{1f980}",
        ".b8",
        ".pred",
        ".f64",
        ".v4",
        ".param",
        "%r1",
        "%rd1",
        "%p1",
        "%f1",
        "%d1",
        "k",
        "f",
        "table",
        "/*",
        "<9>",
        "=",
        "+",
    ];
    for _ in 0..1500 {
        let mut text = original.clone();
        for _ in 0..=random.next(3) {
            let at = random.next(text.len());
            match random.next(6) {
                0 => {
                    text.remove(at);
                }
                1 => text[at] = junk[random.next(junk.len())].to_owned(),
                2 => text.insert(at, junk[random.next(junk.len())].to_owned()),
                3 => {
                    let other = random.next(text.len());
                    text.swap(at, other);
                }
                4 => {
                    let other = text[random.next(text.len())].clone();
                    text[at] = other;
                }
                _ => {
                    let end = (at + random.next(20)).min(text.len());
                    let copy = text[at..end].to_vec();
                    text.splice(at..at, copy);
                }
            }
        }
        survives(&device, &text.concat());
    }
}
