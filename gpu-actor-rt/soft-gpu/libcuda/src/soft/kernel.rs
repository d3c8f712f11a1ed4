//! Modules, functions, and launches.
//!
//! Rules kept here:
//! - What is wrong with a launch is said by the call; what goes wrong in the kernel is said by every later call.
//! - Limits are those that the device's attributes tell, also where the software GPU could do more.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use soft_gpu::{Arg, LaunchConfig, LoadError, LoadErrorKind, Status};

use super::gpu::code_of;
use super::work::say;
use super::{Answer, Driver, Gpu, lock};
use crate::code::Code;

/// Bytes of shared memory that a block may have without asking for more, as on hardware.
pub(crate) const SHARED_UNASKED: u32 = 48 << 10;
/// Most lanes of a multiprocessor.
pub(crate) const LANES_PER_MULTIPROCESSOR: u32 = 2048;

pub(crate) struct Module {
    pub(crate) handle: usize,
    pub(crate) context: usize,
    pub(crate) code: soft_gpu::Module,
    /// The handles of the functions that were asked for.
    functions: Mutex<HashMap<String, usize>>,
}

pub(crate) struct Function {
    pub(crate) module: usize,
    pub(crate) context: usize,
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) code: soft_gpu::Function,
    /// Most bytes of dynamic shared memory, if somebody has set it.
    pub(crate) most_dynamic: Mutex<Option<u32>>,
}

/// What loading a module says beside its answer.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) info: String,
    pub(crate) error: String,
}

fn code_of_load(error: &LoadError) -> Code {
    match error.kind() {
        LoadErrorKind::DriverTooOld { .. } => Code::UNSUPPORTED_PTX_VERSION,
        LoadErrorKind::WrongTarget { .. } => Code::NO_BINARY_FOR_GPU,
        _ => Code::INVALID_PTX,
    }
}

impl Function {
    /// Bytes of dynamic shared memory that a launch may ask for.
    pub(crate) fn most_dynamic(&self) -> u32 {
        let set = *lock(&self.most_dynamic);
        set.unwrap_or(SHARED_UNASKED.saturating_sub(self.code.static_shared_bytes()))
    }

    /// Blocks of so many lanes and bytes of dynamic shared memory that a multiprocessor has at once.
    pub(crate) fn resident(&self, lanes: u32, dynamic_shared: usize) -> u32 {
        let limits = self.gpu.device.properties();
        if lanes == 0 || lanes > self.code.max_threads_per_block() {
            return 0;
        }
        let warps = lanes.div_ceil(limits.warp_size) * limits.warp_size;
        let shared = u64::from(self.code.static_shared_bytes()).saturating_add(dynamic_shared as u64);
        if shared > u64::from(limits.max_shared_per_block) {
            return 0;
        }
        blocks_per_multiprocessor(&self.gpu).min(LANES_PER_MULTIPROCESSOR / warps)
    }
}

/// Most blocks of a multiprocessor, however small. Each has memory of its own here, so shared memory sets no limit.
pub(crate) fn blocks_per_multiprocessor(gpu: &Gpu) -> u32 {
    let limits = gpu.device.properties();
    limits.max_cooperative_blocks / limits.multiprocessors
}

impl Driver {
    /// Compiles a text for the current context.
    pub(crate) fn load(&self, image: &[u8], call: &str, log: &mut Log) -> Result<usize, Code> {
        let context = self.current()?;
        // The manual allows it to wait for all work in the context, and lazy loading does.
        context.wait_all(call);
        context.gpu.alive()?;
        // The first bytes of an ELF file (a cubin), and of a fat binary as fatbinary_section.h has them, little-endian.
        if image.starts_with(b"\x7fELF") || image.starts_with(&[0x50, 0xED, 0x55, 0xBA]) {
            log.error.push_str("the software GPU takes PTX text; this is machine code of a GPU");
            return Err(Code::NO_BINARY_FOR_GPU);
        }
        let Ok(text) = std::str::from_utf8(image) else {
            log.error.push_str("the image is neither PTX text nor anything else that is known");
            return Err(Code::INVALID_IMAGE);
        };
        let code = match context.gpu.device.load_ptx(text) {
            Ok(code) => code,
            Err(error) => {
                log.error = format!("soft-gpu: {error}");
                // It is the device that is broken, not the text.
                context.gpu.alive()?;
                return Err(code_of_load(&error));
            }
        };
        let stats = code.stats();
        let _ = write!(
            log.info,
            "soft-gpu: compiled {} functions to {} bytes for the CPU; read in {:?}, compiled in {:?}",
            stats.functions, stats.code_bytes, stats.parse, stats.compile
        );
        let module = self.modules.add(|handle| Module {
            handle,
            context: context.handle,
            code,
            functions: Mutex::default(),
        });
        Ok(module.handle)
    }

    pub(crate) fn unload(&self, module: usize) -> Answer {
        let context = self.current()?;
        if self.modules.get(module).is_none_or(|m| m.context != context.handle) {
            return Err(Code::INVALID_HANDLE);
        }
        context.wait_all("cuModuleUnload");
        self.modules.remove(module);
        self.functions.remove_all(|f| f.module == module);
        context.gpu.alive()
    }

    pub(crate) fn module(&self, handle: usize) -> Result<Arc<Module>, Code> {
        self.modules.get(handle).ok_or(Code::INVALID_HANDLE)
    }

    pub(crate) fn function(&self, handle: usize) -> Result<Arc<Function>, Code> {
        self.functions.get(handle).ok_or(Code::INVALID_HANDLE)
    }

    /// The handle of a module's entry: the same one each time.
    pub(crate) fn entry(&self, module: usize, name: &str) -> Result<usize, Code> {
        let module = self.module(module)?;
        let context = self.context(module.context)?;
        context.gpu.alive()?;
        if let Some(handle) = lock(&module.functions).get(name) {
            return Ok(*handle);
        }
        // Code that is loaded lazily is loaded by the first question for it, which may wait as loading a module does.
        context.wait_all("cuModuleGetFunction");
        context.gpu.alive()?;
        let mut functions = lock(&module.functions);
        if let Some(handle) = functions.get(name) {
            return Ok(*handle);
        }
        let code = module.code.function(name).map_err(|e| code_of(&e))?;
        let mut given = 0;
        self.functions.add(|handle| {
            given = handle;
            Function {
                module: module.handle,
                context: context.handle,
                gpu: Arc::clone(&context.gpu),
                code,
                most_dynamic: Mutex::new(None),
            }
        });
        functions.insert(name.to_owned(), given);
        Ok(given)
    }

    /// Launches a kernel in a stream.
    ///
    /// # Safety
    ///
    /// As for [`Device::launch`](soft_gpu::Device::launch).
    pub(crate) unsafe fn launch(
        &self,
        function: &Arc<Function>,
        config: LaunchConfig,
        stream: usize,
        args: &[Arg],
    ) -> Answer {
        let (context, stream) = self.stream(stream)?;
        if function.context != context.handle {
            return Err(Code::INVALID_HANDLE);
        }
        let device = &context.gpu.device;
        if config.shared_bytes > function.most_dynamic() {
            return Err(Code::INVALID_VALUE);
        }
        if config.cooperative {
            let lanes = config.block.iter().fold(1, |n: u32, axis| n.saturating_mul(*axis));
            let blocks = config.grid.iter().fold(1, |n: u64, axis| n.saturating_mul(u64::from(*axis)));
            let resident = function.resident(lanes, config.shared_bytes as usize);
            // A block that no multiprocessor takes breaks another rule, which is checked below.
            if resident > 0 && blocks > u64::from(resident) * u64::from(device.properties().multiprocessors) {
                return Err(Code::COOPERATIVE_LAUNCH_TOO_LARGE);
            }
        }
        let prepared = device.prepare(&function.code, &config, args).map_err(|e| code_of(&e))?;
        let function = Arc::clone(function);
        let name = || format!("the kernel `{}`", function.code.name());
        let accepted = context.gpu.accept();
        context.submit(&stream, name, Vec::new(), move |context| {
            let _until_here = accepted;
            let gpu = &context.gpu;
            // SAFETY: the caller's promise.
            let launch = unsafe { prepared.start() };
            let failed = match launch {
                Ok(launch) => {
                    let launch = Arc::new(launch);
                    gpu.runs(&launch);
                    match launch.wait(None) {
                        Status::Finished => return Ok(()),
                        Status::Failed(error) => {
                            say(format_args!("{error}"));
                            code_of(&error)
                        }
                        // Only the failure of another kernel stops one here, and that came first.
                        Status::Running | Status::Aborted => Code::LAUNCH_FAILED,
                    }
                }
                Err(error) => {
                    say(format_args!("{error}"));
                    code_of(&error)
                }
            };
            gpu.fail(failed);
            Err(failed)
        })?;
        Ok(())
    }
}
