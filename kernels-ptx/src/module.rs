//! A module: functions that are verified, written and loaded together.

use crate::{
    error::VerifyError,
    ir::{FaultSite, Function, Kind},
    ptx, verify,
};

/// Functions on their way to a device. See the [crate's example](crate).
#[derive(Clone, Debug)]
pub struct Module {
    name: String,
    functions: Vec<Function>,
}

impl Module {
    /// An empty module. The name is for messages; it is not in the PTX.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), functions: vec![] }
    }

    /// Adds a function. The order of functions is the order in the PTX.
    pub fn add(&mut self, function: Function) -> &mut Self {
        self.functions.push(function);
        self
    }

    /// Checks every rule of the [IR](crate::ir) and writes the PTX.
    pub fn verify(self) -> Result<VerifiedModule, VerifyError> {
        verify::verify(&self.functions)?;
        let mut text = String::from(ptx::HEADER);
        text.push('\n');
        // A function may call one that stands behind it.
        let callable: Vec<_> = self.functions.iter().filter(|f| f.kind != Kind::Entry).collect();
        for function in &callable {
            text.push_str(&ptx::signature(function));
            text.push_str(";\n");
        }
        for (i, function) in self.functions.iter().enumerate() {
            if i > 0 || !callable.is_empty() {
                text.push('\n');
            }
            text.push_str(&ptx::function(function));
        }
        let functions = self.functions.into_iter().map(|f| (f.symbol, f.kind, f.sites)).collect();
        Ok(VerifiedModule { name: self.name, text, functions })
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
