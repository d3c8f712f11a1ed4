//! Whether code could write to a place: then what reads the place over time needs a copy of it.
//!
//! Rule kept here: a doubt is a yes. Places are compared by their names, and the language has no references, so that code
//! writes to a place only by a name that leads to it or through it.

use super::methods;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Macro, Member, Token};

/// A local or `self`, and the fields that lead on from it, up to the first index.
#[derive(Debug, PartialEq, Eq)]
struct Path {
    root: String,
    fields: Vec<String>,
}

/// The path of a place; nothing for an expression that is none.
fn path(expr: &Expr) -> Option<Path> {
    match expr {
        Expr::Paren(inner) => path(&inner.expr),
        Expr::Group(inner) => path(&inner.expr),
        Expr::Unary(inner) => path(&inner.expr),
        Expr::Path(name) => Some(Path { root: name.path.get_ident()?.to_string(), fields: Vec::new() }),
        Expr::Field(field) => {
            let mut base = path(&field.base)?;
            if !indexed(&field.base) {
                base.fields.push(match &field.member {
                    Member::Named(name) => name.to_string(),
                    Member::Unnamed(index) => index.index.to_string(),
                });
            }
            Some(base)
        }
        Expr::Index(index) => path(&index.expr),
        _ => None,
    }
}

/// Whether an index stands somewhere in the path.
fn indexed(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => indexed(&inner.expr),
        Expr::Group(inner) => indexed(&inner.expr),
        Expr::Field(field) => indexed(&field.base),
        Expr::Index(_) => true,
        _ => false,
    }
}

impl Path {
    /// Whether one lies within the other.
    fn overlaps(&self, other: &Self) -> bool {
        self.root == other.root && self.fields.iter().zip(&other.fields).all(|(a, b)| a == b)
    }
}

/// Whether `body` could write to `place`, or to something that holds it.
pub(super) fn may_write(body: &Block, place: &Expr) -> bool {
    let Some(place) = path(place) else { return true };
    let mut writes = Writes { place, found: false };
    writes.visit_block(body);
    writes.found
}

struct Writes {
    place: Path,
    found: bool,
}

impl Writes {
    fn to(&mut self, target: &Expr) {
        self.found |= match target {
            Expr::Infer(_) => false,
            target => path(target).is_none_or(|path| path.overlaps(&self.place)),
        };
    }
}

impl<'ast> Visit<'ast> for Writes {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Assign(assign) => self.to(&assign.left),
            Expr::Binary(binary) if super::flow::is_compound(&binary.op) => self.to(&binary.left),
            // The methods of numbers take their receiver by value; those of the user's types may take it as `&mut self`, and
            // an actor's helpers may have the names of either.
            Expr::MethodCall(call) => {
                let own = matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self"));
                let by_value =
                    !own && (methods::find(&call.method.to_string()).is_some() || call.method == "len");
                self.found |=
                    !by_value && path(&call.receiver).is_some_and(|path| path.overlaps(&self.place));
            }
            Expr::Reference(_) | Expr::RawAddr(_) => self.found = true,
            _ => {}
        }
        visit::visit_expr(self, expr);
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        match Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone()) {
            Ok(arguments) => {
                let mut inner = Writes {
                    place: Path { root: self.place.root.clone(), fields: self.place.fields.clone() },
                    found: false,
                };
                for argument in &arguments {
                    inner.visit_expr(argument);
                }
                self.found |= inner.found;
            }
            Err(_) => self.found = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote as q;

    #[test]
    fn writes_beside_a_place_are_none_to_it() {
        let writes = |body: Block, place: Expr| may_write(&body, &place);
        assert!(!writes(
            q!({
                self.sum += x;
            }),
            q!(self.items)
        ));
        assert!(!writes(
            q!({
                other.items[0] = x;
            }),
            q!(self.items)
        ));
        assert!(!writes(
            q!({
                self.items.len();
                self.items[0].wrapping_add(1);
            }),
            q!(self.items)
        ));
        assert!(!writes(
            q!({
                self.rows[0].sum = 1;
            }),
            q!(self.items[0].rows)
        ));
    }

    #[test]
    fn what_leads_to_a_place_or_through_it_may_write_to_it() {
        let writes = |body: Block, place: Expr| may_write(&body, &place);
        assert!(writes(
            q!({
                self.items[3].x = 1;
            }),
            q!(self.items)
        ));
        assert!(writes(
            q!({
                *self = other;
            }),
            q!(self.items)
        ));
        assert!(writes(
            q!({
                self.reset();
            }),
            q!(self.items)
        ));
        assert!(writes(
            q!({
                if c {
                    self.items[0] += 1;
                }
            }),
            q!(self.items[1].rows)
        ));
        assert!(writes(
            q!({
                assert!({
                    self.items[0] = 1;
                    true
                });
            }),
            q!(self.items)
        ));
        assert!(writes(
            q!({
                (a, self.items) = b;
            }),
            q!(self.items)
        ));
        assert!(writes(q!({}), q!(f(x))));
    }
}
