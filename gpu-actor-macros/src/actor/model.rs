//! An actor type as its impl block describes it.

use crate::body::Line;
use crate::body::model::Block;
use crate::method::Method;
use crate::signature::Parameter;
use proc_macro2::{Ident, Span};
use syn::{Attribute, Type, Visibility};

/// The impl block.
pub(crate) struct Actor {
    /// The state's type.
    pub(crate) ty: Type,
    /// Its name without a path.
    pub(crate) name: Ident,
    pub(crate) line: Line,
    pub(crate) handlers: Vec<Handler>,
    /// What is marked `#[gpu_fn]`.
    pub(crate) helpers: Vec<Method>,
}

/// One handler.
pub(crate) struct Handler {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) docs: Vec<Attribute>,
    /// Whether it takes `&mut self`.
    pub(crate) mutable: bool,
    /// Where it says that a fault takes back what it wrote.
    pub(crate) atomic: Option<Span>,
    /// Whether the context is its first parameter.
    pub(crate) takes_context: bool,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) result: Type,
    /// Where errors of the result's type are shown.
    pub(crate) result_span: Span,
    pub(crate) line: Line,
    /// What it does; nothing if that has errors.
    pub(crate) body: Option<Block>,
}

impl Handler {
    /// Whether it works on a copy of the state.
    pub(crate) fn rolls_back(&self) -> bool {
        self.mutable && self.atomic.is_some()
    }
}
