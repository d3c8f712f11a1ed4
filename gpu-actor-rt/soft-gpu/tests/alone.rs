//! Where every entry demands blocks of one lane, what lanes do together is compiled away. Its results are those of the host.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::{device, launch, load, words};
use soft_gpu::{Arg, Error, LaunchConfig, Status};

/// Instructions and special registers with what one lane gets, each as a word.
const BODY: &str = "
    .reg .pred %p, %q;
    .reg .b32 %r<4>;
    .reg .b64 %out;
    ld.param.u64 %out, [out];
    ld.param.u32 %r3, [mask];
    setp.ne.u32 %p, %r3, 0;";

/// Writes the word in `%r1`, then that of the predicate `%q`, at the place `at`.
fn store(at: usize) -> String {
    let at = at * 8;
    format!("st.global.u32 [%out+{at}], %r1; selp.u32 %r2, 1, 0, %q; st.global.u32 [%out+{}], %r2;\n", at + 4)
}

/// Each instruction gives a word or a predicate or both; what it does not give is 7 or true.
fn instructions() -> Vec<String> {
    let mut all: Vec<String> = [
        "vote.sync.all.pred %q, %p, %r3;",
        "vote.sync.any.pred %q, !%p, %r3;",
        "vote.sync.uni.pred %q, !%p, %r3;",
        "vote.sync.ballot.b32 %r1, %p, %r3;",
        "vote.sync.ballot.b32 %r1, !%p, %r3;",
        "match.any.sync.b32 %r1, %r3, %r3;",
        "match.all.sync.b32 %r1|%q, %r3, %r3;",
        "elect.sync %r1|%q, %r3;",
        "redux.sync.add.u32 %r1, %r3, %r3;",
        "redux.sync.min.s32 %r1, -5, %r3;",
        "redux.sync.xor.b32 %r1, 77, %r3;",
        "activemask.b32 %r1;",
        "bar.warp.sync %r3;",
        "bar.sync 0;",
        "bar.red.popc.u32 %r1, 3, %p;",
        "bar.red.and.pred %q, 3, !%p;",
    ]
    .map(str::to_owned)
    .to_vec();
    for special in ["%tid.x", "%ntid.y", "%laneid", "%warpid", "%nwarpid", "%ctaid.x", "%nctaid.x"] {
        all.push(format!("mov.u32 %r1, {special};"));
    }
    for mask in ["eq", "lt", "le", "gt", "ge"] {
        all.push(format!("mov.u32 %r1, %lanemask_{mask};"));
    }
    for mode in ["up", "down", "bfly", "idx"] {
        for source in [0, 1, 3, 32, 33] {
            for clamp in [0, 1, 31, 0x1f00, 0x1e01, 0x1801] {
                all.push(format!("shfl.sync.{mode}.b32 %r1|%q, 123, {source}, {clamp}, %r3;"));
            }
        }
    }
    all
}

/// A launch of the text on one lane that gives `mask` as its members; the text may say that it is for one lane.
fn run(said: bool, mask: u32) -> (Status, Vec<u32>) {
    let instructions = instructions();
    let head = if said { ".reqntid 1, 1, 1" } else { "" };
    let mut text = format!(".visible .entry k(.param .u64 out, .param .u32 mask) {head} {{ {BODY}");
    for (at, instruction) in instructions.iter().enumerate() {
        text.push_str("mov.u32 %r1, 7; setp.eq.u32 %q, 7, 7;\n");
        text.push_str(instruction);
        text.push_str(&store(at));
    }
    text.push_str("ret; }");
    let device = device();
    let module = load(&device, &text);
    let out = device.alloc(8 * instructions.len()).unwrap();
    let status =
        launch(&device, &module, LaunchConfig::new(1, 1), &[Arg::U64(out.address()), Arg::U32(mask)])
            .wait(None);
    (status, words(&device, out.address(), 2 * instructions.len()))
}

#[test]
fn one_lane_gets_what_the_host_would_say() {
    let ((ended, folded), (asked, plain)) = (run(true, 1), run(false, 1));
    assert_eq!((ended, asked), (Status::Finished, Status::Finished));
    for (at, instruction) in instructions().iter().enumerate() {
        assert_eq!(folded[2 * at..][..2], plain[2 * at..][..2], "{instruction}");
    }
    // Not all of it is 7 and true.
    assert!(plain.chunks(2).filter(|pair| pair[0] != 7).count() > 60);
    assert!(plain.chunks(2).filter(|pair| pair[1] == 0).count() > 20);
}

#[test]
fn a_lane_outside_its_mask_is_told_so() {
    let (folded, plain) = (run(true, 2).0, run(false, 2).0);
    assert!(
        matches!(&plain, Status::Failed(Error::Synchronization { reason, .. }) if reason.contains("0x2"))
    );
    assert_eq!(folded, plain);
}

#[test]
fn a_text_for_one_lane_is_launched_so_or_not_at_all() {
    let device = device();
    let module = load(&device, ".visible .entry k() .reqntid 1 { ret; }");
    let function = module.function("k").unwrap();
    // SAFETY: the kernel touches no memory.
    let launched = unsafe { device.launch(&function, &LaunchConfig::new(1, 2), &[]) };
    assert!(launched.is_err());
}
