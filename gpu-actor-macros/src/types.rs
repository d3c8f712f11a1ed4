//! Types as the user writes them: which are refused by name, with the alternative.
//!
//! Rule kept here: only what can be told from the tokens is refused here. Everything else is left to rustc, which knows
//! the types and says what trait is missing.

use crate::errors::Errors;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, GenericArgument, Path, PathArguments, QSelf, Token, Type, TypePath, parse_quote_spanned};

/// Where a type stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// In memory that host and device share: state, messages, replies.
    Stored,
    /// In a local or a device function's signature.
    Local,
}

/// Reports what the handler language does not have in `ty`.
pub(crate) fn check(ty: &Type, place: Use, errors: &mut Errors) {
    match ty {
        Type::Path(path) => check_path(path, place, errors),
        Type::Array(array) => check(&array.elem, place, errors),
        Type::Paren(inner) => check(&inner.elem, place, errors),
        Type::Group(inner) => check(&inner.elem, place, errors),
        Type::Tuple(tuple) if tuple.elems.is_empty() => {}
        Type::Tuple(tuple) if place == Use::Local && tuple.elems.len() <= 8 => {
            for part in &tuple.elems {
                check(part, place, errors);
            }
        }
        Type::Tuple(_) if place == Use::Local => {
            errors.at(ty, "a tuple has at most 8 parts on the device: use a struct with #[repr(C)] and #[derive(GpuData)]");
        }
        Type::Infer(_) if place == Use::Local => {}
        Type::Reference(reference) if reference.mutability.is_some() && place == Use::Stored => {
            errors.at(
                ty,
                "references cannot reach the device: pass the value itself (GPU types are `Copy`); \
                 the context is `cx: &mut Cx`",
            );
        }
        Type::Reference(_) => {
            errors.at(ty, "references cannot reach the device: pass the value itself (GPU types are `Copy`)");
        }
        Type::Ptr(_) => {
            errors.at(ty, "pointers have no meaning across host and device: use an index or an `ActorId`");
        }
        Type::Slice(_) => {
            errors.at(ty, "slices are not supported on the device: use an array of fixed length, `[T; N]`");
        }
        Type::Tuple(_) => {
            errors.at(ty, "tuples have no fixed layout: use a struct with #[repr(C)] and #[derive(GpuData)]");
        }
        Type::BareFn(_) => {
            errors.at(ty, "function pointers are not supported on the device: call a #[gpu_fn] by name");
        }
        Type::TraitObject(_) | Type::ImplTrait(_) => {
            errors.at(ty, "`dyn` and `impl` types are not supported on the device: name a concrete type");
        }
        Type::Never(_) => {
            errors.at(ty, "the type `!` is not supported on the device: leave the return type out");
        }
        Type::Macro(_) => {
            errors.at(ty, "macros in types are not supported on the device: write the type out");
        }
        _ => errors.at(
            ty,
            "this type is not supported on the device: use numbers, arrays and types with #[derive(GpuData)]",
        ),
    }
}

fn check_path(ty: &TypePath, place: Use, errors: &mut Errors) {
    let Some(last) = ty.path.segments.last() else { return };
    let name = last.ident.to_string();
    // Types with parameters cannot be the user's own GPU data, so their names tell them.
    let parametric = matches!(last.arguments, PathArguments::AngleBracketed(_));
    let hint = match name.as_str() {
        "Vec" | "VecDeque" | "Box" | "Rc" | "Arc" if parametric => {
            "lives on the host's heap: use an array of fixed length, `[T; N]`"
        }
        "HashMap" | "BTreeMap" | "HashSet" | "BTreeSet" if parametric => {
            "lives on the host's heap: use an array of fixed length, or one actor per key"
        }
        "Cell" | "RefCell" | "Mutex" | "RwLock" if parametric => {
            "is not needed: an actor handles one message at a time, so use the plain type"
        }
        "String" | "str" => "is text on the host's heap: use a fixed array of bytes, `[u8; N]`",
        "char" => "is not a GPU type: use `u32`, or `u8` for ASCII",
        "u128" | "i128" => "is wider than a device register: use two `u64`",
        "usize" if place == Use::Stored => {
            "has a size that is not the device's business: use `u32` or `u64` here, and `as usize` to index"
        }
        "isize" if place == Use::Stored => {
            "has a size that is not the device's business: use `i32` or `i64` here"
        }
        _ => {
            // The actor in `ActorId<Account>` is a name, not data.
            if let PathArguments::AngleBracketed(arguments) = &last.arguments
                && name != "ActorId"
            {
                for argument in &arguments.args {
                    if let GenericArgument::Type(inner) = argument {
                        check(inner, place, errors);
                    }
                }
            }
            return;
        }
    };
    errors.at(ty, format!("`{name}` {hint}"));
}

/// Writes the actor's name for `Self`, for types that are repeated outside its impl.
pub(crate) fn without_self(ty: &Type, actor: &Type) -> Type {
    struct Rename<'a>(&'a Type);
    impl Rename<'_> {
        /// `Self::X` becomes `<Actor>::X`.
        fn qualify(&self, qself: &mut Option<QSelf>, path: &mut Path) {
            if qself.is_some() || path.leading_colon.is_some() || path.segments.len() < 2 {
                return;
            }
            let first = &path.segments[0].ident;
            if first != "Self" {
                return;
            }
            let span = first.span();
            *qself = Some(QSelf {
                lt_token: Token![<](span),
                ty: Box::new(self.0.clone()),
                position: 0,
                as_token: None,
                gt_token: Token![>](span),
            });
            path.leading_colon = Some(Token![::](span));
            path.segments = path.segments.iter().skip(1).cloned().collect();
        }
    }
    impl VisitMut for Rename<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::Path(path) = ty {
                if path.qself.is_none() && path.path.is_ident("Self") {
                    let actor = self.0;
                    *ty = parse_quote_spanned!(path.path.segments[0].ident.span()=> #actor);
                    return;
                }
                self.qualify(&mut path.qself, &mut path.path);
            }
            visit_mut::visit_type_mut(self, ty);
        }
        fn visit_expr_mut(&mut self, expr: &mut Expr) {
            if let Expr::Path(path) = expr {
                self.qualify(&mut path.qself, &mut path.path);
            }
            visit_mut::visit_expr_mut(self, expr);
        }
    }
    let mut renamed = ty.clone();
    Rename(actor).visit_type_mut(&mut renamed);
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;
    use syn::parse_quote as q;

    fn messages(ty: &Type, place: Use) -> Vec<String> {
        let mut errors = Errors::default();
        check(ty, place, &mut errors);
        errors.messages()
    }

    #[test]
    fn numbers_arrays_and_names_pass() {
        for ty in [q!(u32), q!([f32; 4]), q!(geo::Box), q!(Cell), q!(ActorId<Account>), q!(())] {
            assert_eq!(messages(&ty, Use::Stored), Vec::<String>::new());
        }
        for ty in [q!(usize), q!((u32, [bool; 2])), q!(Option<(u8, usize)>)] {
            assert_eq!(messages(&ty, Use::Local), Vec::<String>::new());
        }
    }

    #[test]
    fn refused_types_name_the_alternative() {
        assert!(messages(&q!(Vec<u8>), Use::Stored)[0].contains("[T; N]"));
        assert!(messages(&q!([usize; 2]), Use::Stored)[0].contains("use `u32` or `u64`"));
        assert!(messages(&q!(&u32), Use::Local)[0].contains("pass the value"));
        assert!(messages(&q!((u32, u32)), Use::Stored)[0].contains("GpuData"));
        assert!(messages(&q!(Option<usize>), Use::Stored)[0].contains("use `u32` or `u64`"));
    }

    #[test]
    fn self_is_replaced_everywhere() {
        let renamed = without_self(&q!([ActorId<Self>; Self::N]), &q!(Account));
        let expected: Type = q!([ActorId<Account>; <Account>::N]);
        assert_eq!(renamed.to_token_stream().to_string(), expected.to_token_stream().to_string());
    }
}
