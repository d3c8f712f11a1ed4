//! Compiled programs and their entries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::Sites;
use crate::compile::{Code, EntryCode, Global, compile};
use crate::device::{DeviceInner, MAX_THREADS_PER_BLOCK};
use crate::error::{Error, LoadError};
use crate::memory::Range;
use crate::mode::Flavour;
use crate::ptx;

/// One parameter of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryParam {
    pub(crate) name: String,
    pub(crate) offset: usize,
    pub(crate) size: usize,
}

/// What a launch needs to know of an entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) code: EntryCode,
    /// Bytes of stack of each lane.
    pub(crate) stack: usize,
    pub(crate) params: Vec<EntryParam>,
    pub(crate) static_shared: u32,
    pub(crate) required_block: Option<[u32; 3]>,
    pub(crate) max_lanes: Option<u64>,
}

/// What compiling a program took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadStats {
    /// Functions and entries compiled.
    pub functions: usize,
    /// Machine code in bytes.
    pub code_bytes: usize,
    /// Time spent on reading the text.
    pub parse: Duration,
    /// Time spent on compiling.
    pub compile: Duration,
}

pub(crate) struct ModuleInner {
    entries: Vec<Entry>,
    globals: Vec<Global>,
    stats: LoadStats,
    flavour: Flavour,
    sites: Sites,
    /// What the entries point into.
    _code: Code,
}

/// A compiled program. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    inner: Arc<ModuleInner>,
}

impl Module {
    pub(crate) fn load(device: &Arc<DeviceInner>, text: &str) -> Result<Module, LoadError> {
        device.faults.check().map_err(|error| LoadError::device(&error))?;
        let start = Instant::now();
        let reader = ptx::Reader {
            driver: device.properties.driver_version,
            device: device.properties.compute_capability,
        };
        let program = ptx::parse(text, reader)?;
        let parse = start.elapsed();
        let start = Instant::now();
        let compiled = compile(device, &program, text)?;
        let stats = LoadStats {
            functions: compiled.functions,
            code_bytes: compiled.code_bytes,
            parse,
            compile: start.elapsed(),
        };
        let inner = ModuleInner {
            entries: compiled.entries,
            globals: compiled.globals,
            stats,
            flavour: device.properties.mode.flavour(),
            sites: compiled.sites,
            _code: compiled.code,
        };
        Ok(Module { inner: Arc::new(inner) })
    }

    /// The entry of that name, to be launched.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEntry`], which lists the entries there are.
    pub fn function(&self, name: &str) -> Result<Function, Error> {
        match self.inner.entries.iter().position(|e| e.name == name) {
            Some(index) => Ok(Function { module: Arc::clone(&self.inner), index }),
            None => Err(Error::NoSuchEntry {
                name: name.to_owned(),
                available: self.entries().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The names of the module's entries, in the order of the text.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.inner.entries.iter().map(|e| e.name.as_str())
    }

    /// The device address and length in bytes of a `.global` or `.const` variable.
    pub fn global(&self, name: &str) -> Option<(u64, usize)> {
        let global = self.inner.globals.iter().find(|g| g.name == name)?;
        Some((global.memory.address(), global.memory.len()))
    }

    /// What its code has in it.
    pub(crate) fn flavour(&self) -> Flavour {
        self.inner.flavour
    }

    /// What compiling it took.
    pub fn stats(&self) -> LoadStats {
        self.inner.stats
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("entries", &self.inner.entries)
            .field("stats", &self.inner.stats)
            .finish()
    }
}

/// An entry of a module. Keeps the code alive.
#[derive(Clone)]
pub struct Function {
    module: Arc<ModuleInner>,
    index: usize,
}

impl Function {
    pub(crate) fn entry(&self) -> &Entry {
        &self.module.entries[self.index]
    }

    pub(crate) fn flavour(&self) -> Flavour {
        self.module.flavour
    }

    pub(crate) fn sites(&self) -> &Sites {
        &self.module.sites
    }

    /// The module's variable at an address.
    pub(crate) fn variable_at(&self, address: u64) -> Option<Range> {
        let global = self.module.globals.iter().find(|g| {
            let memory = &g.memory;
            address.wrapping_sub(memory.address()) < memory.len() as u64
        })?;
        let start = global.memory.address();
        Some(Range { start, end: start + global.memory.len() as u64, constant: global.constant })
    }

    /// The entry's name.
    pub fn name(&self) -> &str {
        &self.entry().name
    }

    /// The sizes of its parameters in bytes.
    pub fn param_sizes(&self) -> impl Iterator<Item = usize> {
        self.entry().params.iter().map(|p| p.size)
    }

    /// Where its parameters begin in the parameter space, in bytes.
    pub fn param_offsets(&self) -> impl Iterator<Item = usize> {
        self.entry().params.iter().map(|p| p.offset)
    }

    /// Most lanes of a block that the entry allows: `.reqntid`, `.maxntid`, or what any device allows.
    pub fn max_threads_per_block(&self) -> u32 {
        let entry = self.entry();
        let required = entry.required_block.map(|b| b.iter().map(|n| u64::from(*n)).product());
        let most = required.or(entry.max_lanes).unwrap_or(u64::MAX);
        most.min(u64::from(MAX_THREADS_PER_BLOCK)) as u32
    }

    /// Bytes of shared memory that the program declares.
    pub fn static_shared_bytes(&self) -> u32 {
        self.entry().static_shared
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Function({})", self.name())
    }
}
