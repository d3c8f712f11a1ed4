//! Declaring what a text declares, laying out its variables, and compiling it as a whole.
//!
//! This is one of the few files with `unsafe`: it owns the compiled code and hands out its entry points.

use std::collections::{HashMap, HashSet};
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};

use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature as ClifSignature, Type, UserFuncName, types};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{ArenaMemoryProvider, JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module as _};

use super::func::Lower;
use super::large;
use crate::block::Lane;
use crate::check::{STACK_RESERVE, Sites};
use crate::device::{DeviceInner, MAX_SHARED_PER_BLOCK};
use crate::error::{LoadError, LoadErrorKind};
use crate::memory::{Allocation, Origin};
use crate::mode::Flavour;
use crate::module::{Entry, EntryParam};
use crate::ptx::ast::{Function, Init, Name, Program, Signature, Space, Ty, Variable};

/// Bytes of stack that a call takes beside the frame: return address, frame pointer, and arguments on the stack of its caller.
const CALL_FRAME: u32 = 64;

/// A compiled entry: it takes the context of the lane that it is to run.
pub(crate) type EntryCode = unsafe extern "C" fn(*const Lane);

/// Machine code that lives as long as this does.
pub(crate) struct Code(ManuallyDrop<Mutex<JITModule>>);

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the field is taken once, here, and never used again.
        let module = unsafe { ManuallyDrop::take(&mut self.0) };
        let module = module.into_inner().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: entry points are reached only through a `Function`, which keeps this value alive, and a launch
        // keeps its function until its last thread has ended.
        unsafe { module.free_memory() }
    }
}

/// A module variable in device memory.
pub(crate) struct Global {
    pub(crate) name: String,
    pub(crate) memory: Allocation,
    pub(crate) constant: bool,
}

/// What compiling a text yields.
pub(crate) struct Compiled {
    pub(crate) code: Code,
    pub(crate) entries: Vec<Entry>,
    pub(crate) globals: Vec<Global>,
    pub(crate) functions: usize,
    pub(crate) code_bytes: usize,
    pub(crate) sites: Sites,
}

/// What a function or entry looks like to those who call it.
pub(super) struct Callee<'p, 'a> {
    pub(super) id: FuncId,
    pub(super) signature: &'p Signature<'a>,
    pub(super) entry: bool,
}

/// A variable outside any register.
#[derive(Clone, Copy)]
pub(super) enum Symbol {
    /// At this address.
    Global(u64),
    /// At this offset of the block's shared memory.
    Shared(u32),
    /// At the beginning of the launch's dynamic shared memory.
    DynamicShared,
}

/// What functions share while they are compiled.
pub(super) struct Env<'p, 'a> {
    pub(super) module: JITModule,
    pub(super) callees: HashMap<&'a str, Callee<'p, 'a>>,
    pub(super) symbols: HashMap<&'a str, Symbol>,
    /// Functions whose bodies are in other modules.
    pub(super) externals: Vec<&'a str>,
    pub(super) shared_bytes: u32,
    /// Bytes of the frames of all functions.
    stack_bytes: u64,
    pub(super) flavour: Flavour,
    /// Every block has one lane, so what lanes do together is known here. In the fast mode only: the others want to be asked.
    pub(super) alone: bool,
    /// The host multiplies and adds with one rounding, in vectors, too.
    pub(super) fuses: bool,
    /// The whole text.
    pub(super) text: &'a str,
    pub(super) sites: Sites,
    /// The signatures of functions and of indirect calls, each once.
    pub(super) signatures: Vec<ClifSignature>,
    /// Address and size of each `.const` variable.
    pub(super) constants: Vec<(u64, u64)>,
    device: Arc<DeviceInner>,
    globals: Vec<Global>,
    /// Places to be filled with a function's address once there is one.
    function_addresses: Vec<(u64, &'a str)>,
    /// What back-edges call; defined last, if anything calls it.
    poller: Option<FuncId>,
}

/// The Cranelift type of a register or value.
pub(super) fn clif(ty: Ty) -> Type {
    match ty {
        Ty::F32 => types::F32,
        Ty::F64 => types::F64,
        Ty::Pred => types::I8,
        _ => match ty.size() {
            1 => types::I8,
            2 => types::I16,
            4 => types::I32,
            8 => types::I64,
            _ => types::I128,
        },
    }
}

/// Whether every entry demands blocks of one lane. A launch of another shape is refused, and functions are reached from
/// entries only.
fn is_for_one_lane(program: &Program<'_>) -> bool {
    let mut entries = program.functions.iter().filter(|f| f.entry).peekable();
    entries.peek().is_some() && entries.all(|f| f.required_block == Some([1, 1, 1]))
}

fn internal(name: Name<'_>, message: &dyn std::fmt::Display) -> LoadError {
    LoadError::new(LoadErrorKind::Internal, name.line, name.text, message.to_string())
}

/// Room for the code of a text of `text_bytes`, generously: what is not used costs address space only.
///
/// All functions lie in one stretch, since they call each other with 32-bit distances, and memory taken piece by piece
/// may end up on both sides of gigabytes of device memory.
fn code_memory(text_bytes: usize, functions: usize, flavour: Flavour) -> usize {
    let per_byte = if flavour.any() { 256 } else { 64 };
    text_bytes
        .saturating_mul(per_byte)
        .saturating_add(functions.saturating_mul(16 << 10))
        .clamp(1 << 20, 1 << 30)
}

/// Compiles a whole text, of which `program` is the tree.
pub(crate) fn compile<'a>(
    device: &Arc<DeviceInner>,
    program: &Program<'a>,
    text: &'a str,
) -> Result<Compiled, LoadError> {
    let nobody = Name { text: "", line: 1 };
    let flavour = device.properties.mode.flavour();
    let isa = large::isa().map_err(|e| internal(nobody, &e))?;
    let frontend = isa.frontend_config();
    let fuses = cfg!(target_arch = "aarch64")
        || isa.isa_flags().iter().any(|flag| flag.name == "has_fma" && flag.as_bool() == Some(true));
    let arena = ArenaMemoryProvider::new_with_size(code_memory(text.len(), program.functions.len(), flavour))
        .map_err(|e| internal(nobody, &e))?;
    let mut builder = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
    builder.memory_provider(Box::new(arena));
    let module = JITModule::new(builder);
    let mut env = Env {
        module,
        callees: HashMap::new(),
        symbols: HashMap::new(),
        externals: Vec::new(),
        shared_bytes: 0,
        stack_bytes: 0,
        flavour,
        alone: !flavour.any() && is_for_one_lane(program),
        fuses,
        text,
        sites: Sites::default(),
        signatures: Vec::new(),
        constants: Vec::new(),
        device: Arc::clone(device),
        globals: Vec::new(),
        function_addresses: Vec::new(),
        poller: None,
    };
    let compiled = env.compile(program, frontend);
    let code = Code(ManuallyDrop::new(Mutex::new(env.module)));
    let (entries, functions, code_bytes) = compiled?;
    Ok(Compiled { code, entries, globals: env.globals, functions, code_bytes, sites: env.sites })
}

impl<'p, 'a> Env<'p, 'a> {
    fn compile(
        &mut self,
        program: &'p Program<'a>,
        frontend: TargetFrontendConfig,
    ) -> Result<(Vec<Entry>, usize, usize), LoadError> {
        // A program may declare functions of a library that it never calls, so only a call is an error.
        let bodies: HashSet<&str> =
            program.functions.iter().filter(|f| f.body.is_some()).map(|f| f.name.text).collect();
        for function in &program.functions {
            if function.external && !bodies.contains(function.name.text) {
                self.externals.push(function.name.text);
            } else {
                self.declare(function)?;
            }
        }
        for variable in &program.variables {
            let symbol = self.place(variable)?;
            if self.symbols.insert(variable.name.text, symbol).is_some() {
                return Err(twice(variable.name));
            }
        }
        let mut context = self.module.make_context();
        let mut builder_context = FunctionBuilderContext::new();
        let mut code_bytes = 0;
        let mut bodies = HashMap::new();
        for function in &program.functions {
            let Some(body) = &function.body else { continue };
            if bodies.insert(function.name.text, function).is_some() {
                return Err(twice(function.name));
            }
            // The loop above declared every function.
            let Some(callee) = self.callees.get(function.name.text) else { continue };
            let id = callee.id;
            context.func.signature = self.clif_signature(&function.signature, function.entry);
            context.func.name = UserFuncName::user(0, id.as_u32());
            let builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
            Lower::function(self, builder, function, id.as_u32(), body, frontend)?;
            let signature = context.func.signature.clone();
            large::define(&mut self.module, id, &mut context).map_err(|e| internal(function.name, &e))?;
            code_bytes += context.compiled_code().map_or(0, |c| c.code_buffer().len());
            let frame = context
                .compiled_code()
                .and_then(|c| c.buffer.frame_layout())
                .map_or(0, |layout| layout.frame_to_fp_offset.saturating_add(CALL_FRAME));
            self.stack_bytes += u64::from(frame);
            if self.flavour.any() {
                self.note_function(id.as_u32(), function.name.text, frame, &signature, function.entry);
            }
            self.module.clear_context(&mut context);
        }
        if let Some(id) = self.poller {
            self.define_poller(id, &mut context, &mut builder_context, frontend)?;
        }
        for function in &program.functions {
            if !bodies.contains_key(function.name.text) && !function.external {
                return Err(LoadError::new(
                    LoadErrorKind::Name,
                    function.name.line,
                    function.name.text,
                    "declared but never defined",
                ));
            }
        }
        let nobody = Name { text: "", line: 1 };
        self.module.finalize_definitions().map_err(|e| internal(nobody, &e))?;
        self.fill_function_addresses()?;
        for callee in self.callees.values() {
            if let Some(info) = self.sites.functions.get_mut(callee.id.as_u32() as usize) {
                info.address = self.module.get_finalized_function(callee.id) as u64;
            }
        }
        let mut entries = Vec::new();
        for function in program.functions.iter().filter(|f| f.entry && f.body.is_some()) {
            entries.push(self.entry(function)?);
        }
        Ok((entries, bodies.len(), code_bytes))
    }

    /// The function that a loop's back-edge calls when the lane is to ask the host: it preserves all registers.
    pub(super) fn poller(&mut self) -> Result<FuncId, LoadError> {
        if let Some(id) = self.poller {
            return Ok(id);
        }
        let id = self
            .module
            .declare_anonymous_function(&self.poller_signature())
            .map_err(|e| internal(Name { text: "", line: 1 }, &e))?;
        self.poller = Some(id);
        Ok(id)
    }

    fn poller_signature(&self) -> ClifSignature {
        let mut signature = self.module.make_signature();
        signature.call_conv = CallConv::PreserveAll;
        signature.params.push(AbiParam::new(types::I64));
        signature
    }

    fn define_poller(
        &mut self,
        id: FuncId,
        context: &mut cranelift_codegen::Context,
        builder_context: &mut FunctionBuilderContext,
        frontend: TargetFrontendConfig,
    ) -> Result<(), LoadError> {
        context.func.signature = self.poller_signature();
        context.func.name = UserFuncName::user(0, id.as_u32());
        let mut b = FunctionBuilder::new(&mut context.func, builder_context);
        let start = b.create_block();
        b.append_block_params_for_function_params(start);
        b.switch_to_block(start);
        b.seal_block(start);
        let lane = b.block_params(start)[0];
        let mut host = self.module.make_signature();
        host.params.push(AbiParam::new(types::I64));
        let host = b.import_signature(host);
        let address = b.ins().iconst(types::I64, crate::host::POLL.address());
        b.ins().call_indirect(host, address, &[lane]);
        b.ins().return_(&[]);
        b.finalize(frontend);
        let nobody = Name { text: "", line: 1 };
        large::define(&mut self.module, id, context).map_err(|e| internal(nobody, &e))?;
        let layout = context.compiled_code().and_then(|c| c.buffer.frame_layout());
        self.stack_bytes += u64::from(layout.map_or(0, |l| l.frame_to_fp_offset.saturating_add(CALL_FRAME)));
        self.module.clear_context(context);
        Ok(())
    }

    fn declare(&mut self, function: &'p Function<'a>) -> Result<(), LoadError> {
        if function.entry && !function.signature.returns.is_empty() {
            return Err(LoadError::new(
                LoadErrorKind::Type,
                function.name.line,
                function.name.text,
                "an entry returns nothing",
            ));
        }
        if function.signature.returns.len() > 1 {
            return Err(LoadError::new(
                LoadErrorKind::Unsupported,
                function.name.line,
                function.name.text,
                "more than one return parameter",
            ));
        }
        let mut names: Vec<&str> = function
            .signature
            .params
            .iter()
            .chain(&function.signature.returns)
            .map(|v| v.name.text)
            .collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|w| w[0] == w[1] && w[0] != "_") {
            return Err(LoadError::new(
                LoadErrorKind::Name,
                function.name.line,
                pair[0],
                "parameter declared twice",
            ));
        }
        let signature = self.clif_signature(&function.signature, function.entry);
        if let Some(known) = self.callees.get(function.name.text) {
            if known.entry != function.entry || self.clif_signature(known.signature, known.entry) != signature
            {
                return Err(LoadError::new(
                    LoadErrorKind::Type,
                    function.name.line,
                    function.name.text,
                    "declared before with other parameters",
                ));
            }
            return Ok(());
        }
        // The name is for diagnostics only; ids keep functions apart.
        let id = self
            .module
            .declare_function(function.name.text, Linkage::Local, &signature)
            .map_err(|e| internal(function.name, &e))?;
        let callee = Callee { id, signature: &function.signature, entry: function.entry };
        self.callees.insert(function.name.text, callee);
        Ok(())
    }

    /// How a function is called: context, address for a returned array, parameters.
    pub(super) fn clif_signature(&self, signature: &Signature<'a>, entry: bool) -> ClifSignature {
        let mut out = self.module.make_signature();
        out.params.push(AbiParam::new(types::I64));
        if entry {
            return out;
        }
        for returned in &signature.returns {
            if returned.is_scalar() {
                out.returns.push(AbiParam::new(clif(returned.ty)));
            } else {
                out.params.push(AbiParam::new(types::I64));
            }
        }
        for param in &signature.params {
            let ty = if param.is_scalar() { clif(param.ty) } else { types::I64 };
            out.params.push(AbiParam::new(ty));
        }
        out
    }

    /// Gives a variable of the module, or a static one of a function, its place.
    pub(super) fn place(&mut self, variable: &Variable<'a>) -> Result<Symbol, LoadError> {
        let error = |kind, message: String| {
            Err(LoadError::new(kind, variable.name.line, variable.name.text, message))
        };
        if variable.space == Space::Shared {
            if !variable.init.is_empty() {
                return error(LoadErrorKind::Type, "shared memory has no initial value".to_owned());
            }
            if variable.elements == Some(0) {
                return Ok(Symbol::DynamicShared);
            }
            let at = self.shared_bytes.next_multiple_of(variable.align.max(1));
            let end = u64::from(at) + variable.size();
            if end > u64::from(MAX_SHARED_PER_BLOCK) {
                let message = format!(
                    "the program needs {end} bytes of shared memory, the limit is {MAX_SHARED_PER_BLOCK}"
                );
                return error(LoadErrorKind::Unsupported, message);
            }
            self.shared_bytes = end as u32;
            return Ok(Symbol::Shared(at));
        }
        if variable.external {
            let message = "external variables need a linker, which this device has not".to_owned();
            return error(LoadErrorKind::Unsupported, message);
        }
        if variable.align > 256 {
            return error(LoadErrorKind::Unsupported, "alignment above 256".to_owned());
        }
        let size = usize::try_from(variable.size()).unwrap_or(usize::MAX);
        let constant = variable.space == Space::Const;
        let origin = Origin::Variable { name: variable.name.text.into(), constant };
        let memory = match self.device.memory.allocate(size, origin) {
            Ok(memory) => memory,
            Err(e) => return error(LoadErrorKind::Type, e.to_string()),
        };
        let address = memory.address();
        if variable.space == Space::Const {
            self.constants.push((address, variable.size()));
        }
        let mut bytes = Vec::new();
        for init in &variable.init {
            self.initial_bytes(variable, *init, address + bytes.len() as u64, &mut bytes)?;
        }
        if let Err(e) = self.device.memory.write(address, &bytes) {
            return error(LoadErrorKind::Type, e.to_string());
        }
        self.globals.push(Global { name: variable.name.text.to_owned(), memory, constant });
        Ok(Symbol::Global(address))
    }

    fn initial_bytes(
        &mut self,
        variable: &Variable<'a>,
        init: Init<'a>,
        at: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), LoadError> {
        let ty = variable.ty;
        let error = |name: Name<'_>, message: &str| {
            LoadError::new(LoadErrorKind::Type, name.line, name.text, message)
        };
        let bits = match (init, ty) {
            (Init::F32(bits), Ty::F32 | Ty::B32) => u64::from(bits),
            (Init::F32(bits), Ty::F64) => f64::from(f32::from_bits(bits)).to_bits(),
            (Init::F64(bits), Ty::F32) => u64::from((f64::from_bits(bits) as f32).to_bits()),
            (Init::F64(bits), Ty::F64 | Ty::B64) => bits,
            (Init::Int(n), Ty::F32) => u64::from((n as i64 as f32).to_bits()),
            (Init::Int(n), Ty::F64) => (n as i64 as f64).to_bits(),
            (Init::Int(n), _) if ty.is_int() => n,
            (Init::Int(n), Ty::B128) => {
                out.extend_from_slice(&u128::from(n).to_le_bytes());
                return Ok(());
            }
            (Init::Address(name, offset), _) if ty.size() == 8 => match self.symbols.get(name.text) {
                Some(Symbol::Global(address)) => address.wrapping_add(offset as u64),
                Some(Symbol::Shared(at)) => u64::from(*at).wrapping_add(offset as u64),
                Some(Symbol::DynamicShared) => {
                    return Err(error(name, "its address is known only at launch"));
                }
                None if self.callees.contains_key(name.text) && offset == 0 => {
                    self.function_addresses.push((at, name.text));
                    0
                }
                None => {
                    let message = "not a variable declared before, nor a function";
                    return Err(LoadError::new(LoadErrorKind::Name, name.line, name.text, message));
                }
            },
            (Init::Address(name, _), _) => return Err(error(name, "an address has 64 bits")),
            _ => return Err(error(variable.name, "initial value and type do not fit")),
        };
        out.extend_from_slice(&bits.to_le_bytes()[..ty.size() as usize]);
        Ok(())
    }

    fn fill_function_addresses(&mut self) -> Result<(), LoadError> {
        for (at, name) in &self.function_addresses {
            // Both were checked when the pair was made.
            let Some(callee) = self.callees.get(name) else { continue };
            let address = self.module.get_finalized_function(callee.id) as u64;
            let nobody = Name { text: name, line: 1 };
            self.device.memory.write(*at, &address.to_ne_bytes()).map_err(|e| internal(nobody, &e))?;
        }
        Ok(())
    }

    fn entry(&self, function: &Function<'a>) -> Result<Entry, LoadError> {
        let Some(callee) = self.callees.get(function.name.text) else {
            return Err(internal(function.name, &"entry without code"));
        };
        let code = self.module.get_finalized_function(callee.id);
        // SAFETY: the code was compiled with the signature of an entry, one pointer and no result, in the host's
        // default calling convention, which is that of `extern "C"`.
        let code = unsafe { std::mem::transmute::<*const u8, EntryCode>(code) };
        let (params, _) = layout_params(&function.signature.params);
        Ok(Entry {
            name: function.name.text.to_owned(),
            params,
            code,
            static_shared: self.shared_bytes,
            stack: stack_size(self.device.lane_stack, self.stack_bytes, self.flavour),
            required_block: function.required_block,
            max_lanes: function.max_block.map(|b| b.iter().map(|n| u64::from(*n)).product()),
        })
    }
}

/// Every function's frame at most once: without recursion no call chain needs more than all of them together.
fn stack_size(base: usize, frames: u64, flavour: Flavour) -> usize {
    let checks = if flavour.checked { STACK_RESERVE } else { 0 };
    (base as u64 + frames + checks as u64).next_multiple_of(4096) as usize
}

/// The offsets of an entry's parameters, and their total size.
pub(super) fn layout_params(params: &[Variable<'_>]) -> (Vec<EntryParam>, usize) {
    let mut at = 0_usize;
    let mut out = Vec::with_capacity(params.len());
    for param in params {
        at = at.next_multiple_of(param.align.max(1) as usize);
        let size = param.size() as usize;
        out.push(EntryParam { name: param.name.text.to_owned(), offset: at, size });
        at += size;
    }
    (out, at)
}

fn twice(name: Name<'_>) -> LoadError {
    LoadError::new(LoadErrorKind::Name, name.line, name.text, "declared twice")
}
