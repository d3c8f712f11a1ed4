//! A module: functions that are verified, written and loaded together.

use crate::{
    error::VerifyError,
    ir::{FaultSite, Function, Kind},
    opt, ptx,
    verify::{self, Stage},
};

/// Functions on their way to a device. See the [crate's example](crate).
#[derive(Clone, Debug)]
pub struct Module {
    name: String,
    functions: Vec<Function>,
    optimise: bool,
    block: Option<u32>,
}

impl Module {
    /// An empty module. The name is for messages; it is not in the PTX.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), functions: vec![], optimise: true, block: None }
    }

    /// Adds a function. The order of functions is the order in the PTX.
    pub fn add(&mut self, function: Function) -> &mut Self {
        self.functions.push(function);
        self
    }

    /// Whether [`verify`](Self::verify) also optimises; it does unless told otherwise. What a module does is the same
    /// either way, so this is for tests that compare the two and for reports.
    pub fn optimise(&mut self, yes: bool) -> &mut Self {
        self.optimise = yes;
        self
    }

    /// The threads of a block, in one row, that all entries are for (`.reqntid`). A launch of any other shape is refused, and
    /// a device's compiler may count on it: what lanes do together is nothing at all where there is one. Not said by
    /// default.
    ///
    /// ```
    /// use kernels_ptx::{builder::Builder, module::Module};
    ///
    /// let mut module = Module::new("alone");
    /// module.add(Builder::kernel("alone", &[]).finish()?).block(1);
    /// assert!(module.verify()?.ptx().contains(".reqntid 1, 1, 1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn block(&mut self, threads: u32) -> &mut Self {
        self.block = Some(threads);
        self
    }

    /// The functions as they will be written: every rule of the [IR](crate::ir) checked, and [optimised](crate::opt)
    /// unless that was [turned off](Self::optimise).
    ///
    /// ```
    /// use kernels_ptx::{ir::text, module::Module};
    ///
    /// let mut module = Module::new("example");
    /// for function in text::parse("func @one() -> u32 {\n    return 1u32\n}\n")? {
    ///     module.add(function);
    /// }
    /// assert!(module.functions()?[0].to_string().contains("return 1u32"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn functions(self) -> Result<Vec<Function>, VerifyError> {
        let mut functions = self.functions;
        verify::verify(&functions, Stage::Built)?;
        if self.optimise {
            functions.iter_mut().for_each(opt::optimise);
            verify::verify(&functions, Stage::Optimised)?;
        }
        Ok(functions)
    }

    /// Checks every rule of the [IR](crate::ir), optimises, checks again and writes the PTX.
    pub fn verify(self) -> Result<VerifiedModule, VerifyError> {
        let (name, block) = (self.name.clone(), self.block);
        let functions = self.functions()?;
        let mut text = String::from(ptx::HEADER);
        text.push('\n');
        // A function may call one that stands behind it.
        let callable: Vec<_> = functions.iter().filter(|f| f.kind != Kind::Entry).collect();
        for function in &callable {
            text.push_str(&ptx::signature(function));
            text.push_str(";\n");
        }
        for (i, function) in functions.iter().enumerate() {
            if i > 0 || !callable.is_empty() {
                text.push('\n');
            }
            text.push_str(&ptx::function(function, block));
        }
        let functions = functions.into_iter().map(|f| (f.symbol, f.kind, f.sites)).collect();
        Ok(VerifiedModule { name, text, functions })
    }
}

/// PTX that has passed the verifier: the only thing that a device loads.
///
/// ```
/// use kernels_ptx::{builder::Builder, module::Module};
///
/// let mut module = Module::new("nothing");
/// module.add(Builder::kernel("nothing", &[]).finish()?);
/// let module = module.verify()?;
/// assert_eq!(module.entries().collect::<Vec<_>>(), ["nothing"]);
/// assert!(module.ptx().starts_with(".version"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedModule {
    name: String,
    text: String,
    functions: Vec<(String, Kind, Vec<FaultSite>)>,
}

impl VerifiedModule {
    /// The module's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The PTX.
    pub fn ptx(&self) -> &str {
        &self.text
    }

    /// The symbols that can be launched.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().filter(|(_, kind, _)| *kind == Kind::Entry).map(|(symbol, ..)| &**symbol)
    }

    /// The fault sites of a function: a fault record carries an index into them. Empty for unknown symbols.
    pub fn sites(&self, symbol: &str) -> &[FaultSite] {
        self.functions.iter().find(|(name, ..)| name == symbol).map_or(&[], |(.., sites)| sites)
    }
}
