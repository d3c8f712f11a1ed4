//! The code generator's settings, and a plainer way to compile functions that are too large for the good one.
//!
//! Rule kept here: the time to compile a text is in bearable proportion to its length, whoever wrote it. The optimiser and the register
//! allocator take time that grows with the square of the number of blocks; beyond [`MOST_BLOCKS`], where that would be
//! seconds, a function is compiled without the one and with a simpler other, to code that does the same more slowly.

use std::sync::OnceLock;

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Module as _, ModuleError, ModuleReloc};

/// Blocks of a function that the optimiser looks at. The ring kernel and a program of hundreds of handlers stay far below.
const MOST_BLOCKS: usize = 8192;

/// The host's instruction set, found once.
pub(super) fn isa() -> Result<OwnedTargetIsa, String> {
    static ISA: OnceLock<Result<OwnedTargetIsa, String>> = OnceLock::new();
    ISA.get_or_init(|| with_settings("speed", "backtracking")).clone()
}

/// The same for functions that are too large.
fn plain_isa() -> Result<OwnedTargetIsa, String> {
    static ISA: OnceLock<Result<OwnedTargetIsa, String>> = OnceLock::new();
    ISA.get_or_init(|| with_settings("none", "single_pass")).clone()
}

fn with_settings(opt_level: &str, regalloc: &str) -> Result<OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    let mut set = |name: &str, value: &str| flags.set(name, value).map_err(|e| e.to_string());
    set("opt_level", opt_level)?;
    set("regalloc_algorithm", regalloc)?;
    set("is_pic", "false")?;
    set("use_colocated_libcalls", "false")?;
    set("enable_probestack", "true")?;
    set("probestack_strategy", "inline")?;
    set("unwind_info", "false")?;
    set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" })?;
    let builder = cranelift_native::builder().map_err(str::to_owned)?;
    builder.finish(settings::Flags::new(flags)).map_err(|e| e.to_string())
}

/// Compiles the function in `context` and makes it part of the module.
pub(super) fn define(module: &mut JITModule, id: FuncId, context: &mut Context) -> Result<(), String> {
    if context.func.dfg.num_blocks() <= MOST_BLOCKS {
        return module.define_function(id, context).map_err(|e| describe(&e));
    }
    let isa = plain_isa()?;
    let code = context.compile(&*isa, &mut ControlPlane::default()).map_err(|e| format!("{:?}", e.inner))?;
    let (alignment, bytes) = (u64::from(code.buffer.alignment), code.code_buffer().to_vec());
    let Some(code) = context.compiled_code() else { return Err("no code came of it".to_owned()) };
    let relocations: Vec<ModuleReloc> =
        code.buffer.relocs().iter().map(|r| ModuleReloc::from_mach_reloc(r, &context.func, id)).collect();
    let alignment = alignment.max(u64::from(isa.function_alignment().minimum)).max(isa.symbol_alignment());
    module.define_function_bytes(id, alignment, &bytes, &relocations).map_err(|e| describe(&e))
}

/// Cranelift's errors hide the verifier's findings in their debug form.
fn describe(error: &ModuleError) -> String {
    match error {
        ModuleError::Compilation(e) => format!("{e:?}"),
        other => other.to_string(),
    }
}
