//! The thin path through everything: text in, numbers out.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop where they cannot go on")]

mod common;

use common::{device, launch, load, words};
use soft_gpu::{Arg, LaunchConfig, Status};

#[test]
fn adds_vectors_with_a_function_call() {
    let device = device();
    let module = load(
        &device,
        "
        .func (.param .b32 r) add(.param .b32 a, .param .b32 b);
        .visible .entry k(.param .u64 xs, .param .u64 out, .param .u32 n) {
            .reg .b64 %rd<10>;
            .reg .b32 %r<10>;
            .reg .pred %p<2>;
            ld.param.u64 %rd1, [xs];
            ld.param.u64 %rd2, [out];
            ld.param.u32 %r1, [n];
            cvta.to.global.u64 %rd1, %rd1;
            mov.u32 %r2, %tid.x;
            mov.u32 %r3, %ctaid.x;
            mov.u32 %r4, %ntid.x;
            mad.lo.u32 %r2, %r3, %r4, %r2;
        loop:
            setp.ge.u32 %p1, %r2, %r1;
            @%p1 bra done;
            mul.wide.u32 %rd3, %r2, 4;
            add.u64 %rd4, %rd1, %rd3;
            ld.global.u32 %r5, [%rd4];
            {
                .param .b32 p0;
                .param .b32 p1;
                .param .b32 r0;
                st.param.b32 [p0], %r5;
                st.param.b32 [p1], 1000;
                call.uni (r0), add, (p0, p1);
                ld.param.b32 %r6, [r0];
            }
            add.u64 %rd5, %rd2, %rd3;
            st.global.u32 [%rd5], %r6;
            mov.u32 %r7, %nctaid.x;
            mul.lo.u32 %r7, %r7, %r4;
            add.u32 %r2, %r2, %r7;
            bra loop;
        done:
            ret;
        }
        .func (.param .b32 r) add(.param .b32 a, .param .b32 b) {
            .reg .b32 %r<4>;
            ld.param.b32 %r0, [a];
            ld.param.b32 %r1, [b];
            add.s32 %r2, %r0, %r1;
            st.param.b32 [r], %r2;
            ret;
        }",
    );
    let n = 1000_u32;
    let xs = device.alloc(n as usize * 4).unwrap();
    let out = device.alloc(n as usize * 4).unwrap();
    let bytes: Vec<u8> = (0..n).flat_map(u32::to_le_bytes).collect();
    device.copy_to_device(xs.address(), &bytes).unwrap();
    for (blocks, lanes) in [(1, 1), (3, 1), (2, 32), (5, 7)] {
        let args = [Arg::U64(xs.address()), Arg::U64(out.address()), Arg::U32(n)];
        let running = launch(&device, &module, LaunchConfig::new(blocks, lanes), &args);
        assert_eq!(running.wait(None), Status::Finished);
        assert_eq!(words(&device, out.address(), n as usize), (1000..1000 + n).collect::<Vec<_>>());
        device.copy_to_device(out.address(), &vec![0; n as usize * 4]).unwrap();
    }
}
