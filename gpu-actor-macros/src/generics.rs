//! What device functions are generic over: number types, plain data, and lengths of arrays.
//!
//! Rule kept here: a bound is one that both twins understand. The traits of `gpu_actor_rt::num` have the operators of the
//! standard library and those of the device; of the standard library's traits only the latter know nothing.

use crate::errors::Errors;
use syn::{GenericParam, Generics, Path, Type, TypeParamBound, WherePredicate};

/// The traits that say what the device can do with a type.
const KNOWN: [&str; 5] = ["Number", "Integer", "SignedNumber", "Float", "GpuData"];
/// The traits of the standard library that ask for nothing which all of these types do not have.
const HARMLESS: [&str; 3] = ["Copy", "Clone", "Sized"];

const BOUNDS: &str = "`Number`, `Integer`, `SignedNumber` and `Float` of `gpu_actor_rt::num`, and `GpuData`";

/// Checks what a function is generic over; `what` says which kind of function it is.
pub(crate) fn check(generics: &Generics, what: &str, errors: &mut Errors) {
    if what == "a handler" {
        if !generics.params.is_empty() {
            errors.at(
                generics,
                "a handler cannot be generic: its message has one size; write one handler for each type, and call a generic \
                 #[gpu_fn] from them",
            );
        }
        if let Some(clause) = &generics.where_clause {
            errors.at(clause, "a handler cannot have bounds; leave them out");
        }
        return;
    }
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => {
                errors.at(
                    lifetime,
                    "there are no references on the device, so there are no lifetimes; leave it out",
                );
            }
            GenericParam::Const(constant) if !is_usize(&constant.ty) => {
                errors.at(&constant.ty, "a device function is generic over lengths only: write `usize`");
            }
            GenericParam::Const(_) => {}
            GenericParam::Type(parameter) => {
                let mut known = bounds(parameter.bounds.iter(), errors);
                for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
                    if let WherePredicate::Type(bound) = predicate
                        && matches!(&bound.bounded_ty, Type::Path(path) if path.path.is_ident(&parameter.ident))
                    {
                        known |= bounds(bound.bounds.iter(), errors);
                    }
                }
                if !known {
                    let name = &parameter.ident;
                    errors.at(
                        name,
                        format!("the device has to know what it can do with `{name}`: give it a bound, `{name}: Number`; there are {BOUNDS}"),
                    );
                }
            }
        }
    }
    for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        let on_parameter = match predicate {
            WherePredicate::Type(bound) => generics
                .type_params()
                .any(|parameter| matches!(&bound.bounded_ty, Type::Path(path) if path.path.is_ident(&parameter.ident))),
            _ => false,
        };
        if !on_parameter {
            errors.at(predicate, "a bound on the device is one of a type parameter: write `where T: Number`");
        }
    }
}

/// Whether one of the bounds says what the device can do.
fn bounds<'a>(bounds: impl Iterator<Item = &'a TypeParamBound>, errors: &mut Errors) -> bool {
    let mut known = false;
    for bound in bounds {
        match bound {
            TypeParamBound::Trait(bound) if is_one_of(&bound.path, &KNOWN) => known = true,
            TypeParamBound::Trait(bound) if is_one_of(&bound.path, &HARMLESS) => {}
            other => {
                // One message is enough.
                known = true;
                errors.at(other, format!("the device does not know this bound; there are {BOUNDS}"));
            }
        }
    }
    known
}

fn is_one_of(path: &Path, names: &[&str]) -> bool {
    path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

fn is_usize(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("usize"))
}
