//! The device twins against the native ones, bit for bit.

use kernels_ptx::{
    builder::Builder,
    device::{ld_weak, st_weak},
    ir::ScalarType,
    lang::Val,
    math,
    module::Module,
};
use soft_gpu::{Arg, Device, DeviceConfig, LaunchConfig, Status};

use crate::reference::{Random, hard};

/// A function of two numbers on words: the second is unused by most.
struct Case {
    name: &'static str,
    native: fn(u64, u64) -> u64,
    gpu: fn(&Builder, Val<u64>, Val<u64>) -> Val<u64>,
}

macro_rules! cases {
    ($module:ident, $word:ty, [$($name:ident),*]) => {
        vec![
            $(Case {
                name: concat!(stringify!($module), "_", stringify!($name)),
                native: |x, _| math::$module::$name($module::from_bits(x as $word)).to_bits().into(),
                gpu: |b, x, _| {
                    let x = b.from_bits::<$module>(b.cast(x));
                    b.cast(b.to_bits(math::$module::$name::__gpu(b, x)))
                },
            },)*
            Case {
                name: concat!(stringify!($module), "_powf"),
                native: |x, y| {
                    math::$module::powf($module::from_bits(x as $word), $module::from_bits(y as $word)).to_bits().into()
                },
                gpu: |b, x, y| {
                    let (x, y) = (b.from_bits::<$module>(b.cast(x)), b.from_bits::<$module>(b.cast(y)));
                    b.cast(b.to_bits(math::$module::powf::__gpu(b, x, y)))
                },
            },
        ]
    };
}

/// A kernel that replaces `count` pairs of words from `at` on by the function's result and 0.
fn kernel(case: &Case) -> kernels_ptx::ir::Function {
    let b = Builder::kernel(case.name, &[ScalarType::U64, ScalarType::U64]);
    let at = b.local(b.arg::<u64>(0));
    let count = b.arg::<u64>(1);
    let end = b.wrapping_add(b.read(at), b.wrapping_mul(count, b.lit(16)));
    let every = b.loop_begin(1);
    b.if_begin(b.ge(b.read(at), end));
    b.brk(every);
    b.if_end();
    let x = ld_weak::__gpu(&b, b.read(at));
    let y = ld_weak::__gpu(&b, b.wrapping_add(b.read(at), b.lit(8)));
    let value = (case.gpu)(&b, x, y);
    st_weak::__gpu(&b, b.read(at), value);
    b.loop_continuing();
    b.write(at, b.wrapping_add(b.read(at), b.lit(16)));
    b.loop_end();
    b.finish().unwrap_or_else(|error| panic!("{error}"))
}

fn check(cases: &[Case], inputs: &[(u64, u64)], is_nan: fn(u64) -> bool) {
    let mut module = Module::new("math");
    for case in cases {
        module.add(kernel(case));
    }
    let module = module.verify().unwrap_or_else(|error| panic!("{error}"));
    let device = Device::open(DeviceConfig::default()).unwrap();
    let loaded = device.load_ptx(module.ptx()).unwrap_or_else(|error| panic!("{error}"));
    let bytes: Vec<u8> =
        inputs.iter().flat_map(|(x, y)| [x.to_le_bytes(), y.to_le_bytes()].concat()).collect();
    let memory = device.alloc(bytes.len()).unwrap();
    for case in cases {
        device.copy_to_device(memory.address(), &bytes).unwrap();
        let args = [Arg::U64(memory.address()), Arg::U64(inputs.len() as u64)];
        let function = loaded.function(case.name).unwrap();
        // SAFETY: the memory holds a pair of words for each input, and outlives the launch.
        let launch = unsafe { device.launch(&function, &LaunchConfig::new(1, 1), &args) }.unwrap();
        assert!(matches!(launch.wait(None), Status::Finished));
        let mut results = vec![0; bytes.len()];
        device.copy_from_device(&mut results, memory.address()).unwrap();
        for (&(x, y), result) in inputs.iter().zip(results.chunks(16)) {
            let have = u64::from_le_bytes(result[..8].try_into().unwrap());
            let want = (case.native)(x, y);
            assert!(
                have == want || is_nan(have) && is_nan(want),
                "{}({x:#x}, {y:#x}): {have:#x} {want:#x}",
                case.name
            );
        }
    }
}

#[test]
fn the_device_gives_the_same_doubles() {
    let cases = cases!(f64, u64, [exp, exp2, ln, log2, sin, cos, tanh]);
    let mut random = Random(17);
    let hard = hard();
    let other = |i: usize| hard[i * 7919 % hard.len()].to_bits();
    let mut inputs: Vec<_> = hard.iter().enumerate().map(|(i, x)| (x.to_bits(), other(i))).collect();
    inputs.extend((0..20_000).map(|_| {
        let (x, y) = random.powers();
        (x.to_bits(), y.to_bits())
    }));
    inputs.extend((0..20_000).map(|_| (random.double(f64::MAX).to_bits(), random.double(100.0).to_bits())));
    check(&cases, &inputs, |bits| f64::from_bits(bits).is_nan());
}

#[test]
fn the_device_gives_the_same_singles() {
    let cases = cases!(f32, u32, [exp, exp2, ln, log2, sin, cos, tanh]);
    let mut random = Random(19);
    let word = |x: f64| u64::from((x as f32).to_bits());
    let hard = hard();
    let other = |i: usize| word(hard[i * 7919 % hard.len()]);
    let mut inputs: Vec<_> = hard.iter().enumerate().map(|(i, x)| (word(*x), other(i))).collect();
    inputs.extend((0..20_000).map(|_| {
        let (x, y) = random.powers();
        (word(x), word(y))
    }));
    inputs.extend((0..40_000).map(|_| (random.next() & 0xffff_ffff, word(random.double(100.0)))));
    check(&cases, &inputs, |bits| f32::from_bits(bits as u32).is_nan());
}
