//! Patterns: from what the user wrote to tests of places and names for them.
//!
//! Rule kept here: no name is guessed. A path in a pattern is a constant and compared with; a name that starts with a small
//! letter is bound, by a `let` that rustc refuses if the name is a constant after all. Bindings copy: every type of the
//! language is `Copy`.

use super::Parser;
use super::expr::is_number;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use std::collections::BTreeSet;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, Index, Member, Pat, PatIdent, PatSlice, PatTuple, Path, RangeLimits, UnOp};

/// A pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) span: Span,
    pub(crate) kind: PatternKind,
}

/// The kinds of [`Pattern`].
#[derive(Clone, Debug)]
pub(crate) enum PatternKind {
    /// `_`, and what was reported as an error.
    Any,
    /// `name`, `mut name`, `name @ pattern`.
    Bind { name: Ident, mutable: bool, inner: Option<Box<Pattern>> },
    /// A literal, a constant, a variant without data.
    Constant(TokenStream),
    /// A range of constants; without one end it goes on for ever.
    Range { from: Option<TokenStream>, to: Option<TokenStream>, inclusive: bool },
    /// The fields of a struct, a variant or a tuple.
    Fields { of: Of, fields: Vec<(Member, Pattern)> },
    /// The elements of an array from the front, and those from the end.
    Elements { front: Vec<Pattern>, back: Vec<Pattern> },
    /// One of several.
    Or(Vec<Pattern>),
}

/// Whose fields a pattern has.
#[derive(Clone, Debug)]
pub(crate) enum Of {
    /// A tuple's; or what rustc has seen to already.
    Tuple,
    /// A struct's, by its path. It may turn out to be a variant that was imported: then it must not be taken for one that
    /// always matches.
    Struct(Path),
    /// A variant's, which has to be tested for.
    Variant(Variant),
}

/// A variant of an enum with data: the enum as a path, and the variant's name.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) owner: TokenStream,
    pub(crate) name: Ident,
}

/// The variant that a path names, if it does not name a struct: a variant has a type for its last segment but one.
pub(super) fn variant(path: &Path) -> Option<Variant> {
    let last = path.segments.last()?;
    let name = last.ident.clone();
    let owner = path.segments.iter().rev().nth(1);
    let known = match last.ident.to_string().as_str() {
        "Some" => Some(("Option", "OptionTwin")),
        "Ok" | "Err" => Some(("Result", "ResultTwin")),
        _ => None,
    };
    if let Some((ty, twin)) = known
        && owner.is_none_or(|owner| owner.ident == ty)
    {
        let twin = Ident::new(twin, super::here(name.span()));
        return Some(Variant { owner: quote!(::gpu_actor_rt::__private::data::#twin), name });
    }
    if owner.is_some_and(|owner| is_upper(&owner.ident)) {
        let mut path = path.clone();
        path.segments.pop();
        path.segments.pop_punct();
        return Some(Variant { owner: path.to_token_stream(), name });
    }
    None
}

/// Whose fields stand behind a path.
fn of(path: &Path) -> Of {
    variant(path).map_or_else(|| Of::Struct(path.clone()), Of::Variant)
}

/// Whether a name is a type's or a constant's.
fn is_upper(name: &Ident) -> bool {
    name.unraw().to_string().starts_with(char::is_uppercase)
}

impl Pattern {
    fn any(span: Span) -> Self {
        Self { span, kind: PatternKind::Any }
    }

    /// The names that it binds, in alphabetical order.
    pub(crate) fn names(&self) -> BTreeSet<Ident> {
        let mut names = BTreeSet::new();
        self.each_name(&mut |name| {
            names.insert(name.clone());
        });
        names
    }

    fn each_name(&self, see: &mut impl FnMut(&Ident)) {
        match &self.kind {
            PatternKind::Any | PatternKind::Constant(_) | PatternKind::Range { .. } => {}
            PatternKind::Bind { name, inner, .. } => {
                see(name);
                if let Some(inner) = inner {
                    inner.each_name(see);
                }
            }
            PatternKind::Fields { fields, .. } => fields.iter().for_each(|(_, field)| field.each_name(see)),
            PatternKind::Elements { front, back } => {
                front.iter().chain(back).for_each(|element| element.each_name(see));
            }
            PatternKind::Or(alternatives) => {
                for alternative in alternatives {
                    alternative.each_name(see);
                }
            }
        }
    }

    /// The same pattern without `|` in it: its alternatives in the order in which Rust tries them. Nothing if there are
    /// more than `limit`.
    pub(crate) fn alternatives(&self, limit: usize) -> Option<Vec<Self>> {
        let with = |kind| Self { span: self.span, kind };
        let many = match &self.kind {
            PatternKind::Any
            | PatternKind::Constant(_)
            | PatternKind::Range { .. }
            | PatternKind::Bind { inner: None, .. } => vec![self.clone()],
            PatternKind::Bind { name, mutable, inner: Some(inner) } => inner
                .alternatives(limit)?
                .into_iter()
                .map(|inner| {
                    let (name, mutable) = (name.clone(), *mutable);
                    with(PatternKind::Bind { name, mutable, inner: Some(Box::new(inner)) })
                })
                .collect(),
            PatternKind::Fields { of, fields } => product(fields.iter().map(|(_, field)| field), limit)?
                .into_iter()
                .map(|parts| {
                    let members = fields.iter().map(|(member, _)| member.clone());
                    let fields = members.zip(parts).collect();
                    with(PatternKind::Fields { of: of.clone(), fields })
                })
                .collect(),
            PatternKind::Elements { front, back } => product(front.iter().chain(back), limit)?
                .into_iter()
                .map(|mut parts| {
                    let back = parts.split_off(front.len());
                    with(PatternKind::Elements { front: parts, back })
                })
                .collect(),
            PatternKind::Or(alternatives) => {
                let mut all = Vec::new();
                for alternative in alternatives {
                    all.extend(alternative.alternatives(limit)?);
                }
                all
            }
        };
        (many.len() <= limit).then_some(many)
    }
}

/// All ways to choose one alternative of each part; the last part changes fastest.
fn product<'p>(parts: impl Iterator<Item = &'p Pattern>, limit: usize) -> Option<Vec<Vec<Pattern>>> {
    let mut all = vec![Vec::new()];
    for part in parts {
        let choices = part.alternatives(limit)?;
        if all.len() * choices.len() > limit {
            return None;
        }
        all = all
            .into_iter()
            .flat_map(|chosen: Vec<_>| {
                choices.iter().map(move |choice| {
                    let mut chosen = chosen.clone();
                    chosen.push(choice.clone());
                    chosen
                })
            })
            .collect();
    }
    Some(all)
}

impl Parser<'_> {
    /// Reads a pattern; its names are not bound yet.
    pub(super) fn read_pattern(&mut self, pattern: &Pat) -> Pattern {
        let span = pattern.span();
        let kind = match pattern {
            Pat::Wild(_) => PatternKind::Any,
            Pat::Paren(inner) => return self.read_pattern(&inner.pat),
            Pat::Ident(name) => return self.name_pattern(name),
            Pat::Lit(literal) if is_number(&literal.lit) => PatternKind::Constant(literal.to_token_stream()),
            Pat::Path(path) => PatternKind::Constant(path.to_token_stream()),
            Pat::Const(block) => PatternKind::Constant(block.to_token_stream()),
            Pat::Range(range) => {
                let mut bound = |bound: &Option<Box<Expr>>| match bound {
                    Some(bound) => self.range_bound(bound),
                    None => None,
                };
                let (from, to) = (bound(&range.start), bound(&range.end));
                PatternKind::Range { from, to, inclusive: matches!(range.limits, RangeLimits::Closed(_)) }
            }
            Pat::Or(or) => PatternKind::Or(or.cases.iter().map(|case| self.read_pattern(case)).collect()),
            Pat::Tuple(tuple) => PatternKind::Fields { of: Of::Tuple, fields: self.in_order(&tuple.elems) },
            Pat::TupleStruct(data) => {
                let fields = self.in_order(&data.elems);
                PatternKind::Fields { of: of(&data.path), fields }
            }
            Pat::Struct(data) => {
                let fields = data
                    .fields
                    .iter()
                    .map(|field| (field.member.clone(), self.read_pattern(&field.pat)))
                    .collect();
                PatternKind::Fields { of: of(&data.path), fields }
            }
            Pat::Slice(slice) => return self.elements(slice),
            other => {
                self.errors.at(other, refusal(other));
                PatternKind::Any
            }
        };
        Pattern { span, kind }
    }

    /// Makes the names of a pattern locals of the innermost scope.
    pub(super) fn bind_names(&mut self, pattern: &Pattern) {
        for name in pattern.names() {
            self.bind(&name);
        }
    }

    fn name_pattern(&mut self, pattern: &PatIdent) -> Pattern {
        let span = pattern.span();
        if let Some(by_ref) = &pattern.by_ref {
            self.errors
                .at(by_ref, "references cannot be kept in device functions; bind the value without `ref`");
            return Pattern::any(span);
        }
        let inner = pattern.subpat.as_ref().map(|(_, inner)| Box::new(self.read_pattern(inner)));
        let name = pattern.ident.clone();
        let mutable = pattern.mutability.is_some();
        if inner.is_none() && !mutable && is_upper(&name) {
            return Pattern { span, kind: PatternKind::Constant(name.to_token_stream()) };
        }
        Pattern { span, kind: PatternKind::Bind { name, mutable, inner } }
    }

    /// The parts of a tuple, by number; `..` at the end leaves out the rest.
    fn in_order<'p>(&mut self, parts: impl IntoIterator<Item = &'p Pat>) -> Vec<(Member, Pattern)> {
        let parts: Vec<_> = parts.into_iter().collect();
        let mut fields = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if let Pat::Rest(rest) = part {
                if index + 1 < parts.len() {
                    self.errors.at(
                        rest,
                        "`..` stands at the end of a tuple's pattern on the device: write `_` for each part before",
                    );
                }
                break;
            }
            let pattern = self.read_pattern(part);
            if let PatternKind::Any = pattern.kind {
                continue;
            }
            fields.push((Member::Unnamed(Index { index: index as u32, span: part.span() }), pattern));
        }
        fields
    }

    /// `[a, .., z]`
    fn elements(&mut self, slice: &PatSlice) -> Pattern {
        let (mut front, mut back, mut rest) = (Vec::new(), Vec::new(), false);
        for element in &slice.elems {
            match element {
                Pat::Rest(_) => rest = true,
                Pat::Ident(name) if matches!(&name.subpat, Some((_, inner)) if matches!(**inner, Pat::Rest(_))) =>
                {
                    rest = true;
                    self.errors.at(
                        name,
                        "the rest of an array cannot be bound on the device: write `..` and use its elements by index",
                    );
                }
                other if rest => back.push(self.read_pattern(other)),
                other => front.push(self.read_pattern(other)),
            }
        }
        Pattern { span: slice.span(), kind: PatternKind::Elements { front, back } }
    }

    /// A bound is a literal or a path.
    fn range_bound(&mut self, bound: &Expr) -> Option<TokenStream> {
        let plain = match bound {
            Expr::Lit(literal) => is_number(&literal.lit),
            Expr::Unary(unary) => matches!((&unary.op, &*unary.expr), (UnOp::Neg(_), Expr::Lit(_))),
            Expr::Path(_) | Expr::Const(_) => true,
            _ => false,
        };
        if !plain {
            self.errors.at(bound, "the bounds of a range are numbers or constants on the device");
            return None;
        }
        Some(bound.to_token_stream())
    }

    /// Whether the pattern takes a tuple apart and does nothing else with it.
    pub(super) fn splits(pattern: &Pat, parts: usize) -> bool {
        match pattern {
            Pat::Wild(_) => true,
            Pat::Paren(inner) => Self::splits(&inner.pat, parts),
            Pat::Or(or) => or.cases.iter().all(|case| Self::splits(case, parts)),
            Pat::Tuple(PatTuple { elems, .. }) => elems.len() <= parts,
            _ => false,
        }
    }
}

fn refusal(pattern: &Pat) -> &'static str {
    match pattern {
        Pat::Lit(_) => "only numbers and `bool` can be matched on the device; for text use an enum",
        Pat::Reference(_) => "there are no references in device functions: leave the `&` out",
        Pat::Rest(_) => "`..` has no place here",
        Pat::Macro(_) => "macros in patterns are not supported on the device: write the pattern out",
        Pat::Type(_) => "a type stands behind the whole pattern of a `let` only",
        _ => "this pattern is not supported on the device: bind a plain name and compare in a guard",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::Errors;
    use syn::parse::Parser as _;

    fn read(text: &str) -> (Pattern, Vec<String>) {
        let pattern = Pat::parse_multi_with_leading_vert.parse_str(text).unwrap();
        let mut errors = Errors::default();
        let read = Parser::new(&mut errors, crate::body::Receiver::None, None, std::iter::empty())
            .read_pattern(&pattern);
        (read, errors.messages())
    }

    #[test]
    fn names_are_bound_and_paths_compared() {
        let (pattern, errors) = read("Shape::Rect { w, h: 3..=MAX } | other @ LIMIT");
        assert_eq!(errors, Vec::<String>::new());
        let names: Vec<_> = pattern.names().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["other", "w"]);
    }

    #[test]
    fn alternatives_come_in_rusts_order() {
        let (pattern, _) = read("(1 | 2, 3 | 4) | (5, _)");
        let all = pattern.alternatives(8).unwrap();
        let constants = |pattern: &Pattern| {
            let PatternKind::Fields { fields, .. } = &pattern.kind else { panic!("{pattern:?}") };
            fields
                .iter()
                .map(|(_, field)| match &field.kind {
                    PatternKind::Constant(tokens) => tokens.to_string(),
                    other => format!("{other:?}"),
                })
                .collect::<Vec<_>>()
                .join(",")
        };
        assert_eq!(all.iter().map(constants).collect::<Vec<_>>(), ["1,3", "1,4", "2,3", "2,4", "5"]);
        assert!(pattern.alternatives(4).is_none());
    }

    #[test]
    fn what_is_refused_says_what_to_write() {
        for (text, hint) in [
            ("ref x", "without `ref`"),
            ("&x", "leave the `&` out"),
            ("\"text\"", "use an enum"),
            ("[first, rest @ ..]", "by index"),
            ("(.., last)", "`_` for each part"),
        ] {
            assert!(read(text).1[0].contains(hint), "{text}");
        }
    }
}
