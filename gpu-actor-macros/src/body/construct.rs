//! Values with parts: tuples, struct literals, and the constructors of tuple structs and variants.

use super::Parser;
use super::model::{Value, ValueKind};
use super::pattern::variant;
use syn::spanned::Spanned;
use syn::{ExprCall, ExprStruct, ExprTuple, Index, Member, Path};

/// A struct or a variant that is being made.
#[derive(Debug)]
pub(crate) struct New {
    /// As the user wrote it.
    pub(crate) path: Path,
    /// The variant, if it is one.
    pub(crate) variant: Option<super::pattern::Variant>,
    /// In the order in which they are evaluated.
    pub(crate) fields: Vec<(Member, Value)>,
    /// Whether the fields have names.
    pub(crate) named: bool,
    /// `..base`: evaluated last, gives the other fields.
    pub(crate) base: Option<Box<Value>>,
}

impl Parser<'_> {
    /// `Path { field: value, ..base }`
    pub(super) fn struct_literal(&mut self, literal: &ExprStruct) -> Value {
        let mut fields = Vec::new();
        for field in &literal.fields {
            self.attributes(&field.attrs);
            fields.push((field.member.clone(), self.value(&field.expr)));
        }
        let base = literal.rest.as_ref().map(|base| Box::new(self.value(base)));
        Self::new_value(literal.span(), &literal.path, fields, true, base)
    }

    /// `Path(value, ..)`
    pub(super) fn constructor_call(&mut self, call: &ExprCall, path: &Path) -> Value {
        let args = self.operands(&call.args);
        let fields = args
            .into_iter()
            .enumerate()
            .map(|(index, value)| (Member::Unnamed(Index { index: index as u32, span: value.span }), value));
        let fields = fields.collect();
        Self::new_value(call.span(), path, fields, false, None)
    }

    fn new_value(
        span: proc_macro2::Span,
        path: &Path,
        fields: Vec<(Member, Value)>,
        named: bool,
        base: Option<Box<Value>>,
    ) -> Value {
        let variant = variant(path);
        Value::new(span, ValueKind::New(New { path: path.clone(), variant, fields, named, base }))
    }

    /// `(a, b)`
    pub(super) fn tuple(&mut self, tuple: &ExprTuple) -> Value {
        if tuple.elems.len() > 8 {
            self.errors.at(
                tuple,
                "a tuple has at most 8 parts on the device: use a struct with #[repr(C)] and #[derive(GpuData)]",
            );
            return Value::error(tuple.span());
        }
        Value::new(tuple.span(), ValueKind::Tuple(self.operands(&tuple.elems)))
    }
}
