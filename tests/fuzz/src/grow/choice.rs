//! Values of structs, enums and options, and the patterns that take them apart.

use super::{Body, items};
use crate::tree::{Int, Kind, Node, Pat, Ty};

impl Body<'_> {
    /// A value of an enum: a variant.
    pub(super) fn variant(&mut self, index: usize, depth: usize) -> Node {
        let item = &self.module.enums[index];
        let (name, fields) = &item.variants[self.random.below(item.variants.len())];
        let kids = fields.iter().map(|ty| self.expr(ty, depth)).collect();
        Node::new(Kind::Variant(format!("{}::{name}", item.name)), Ty::Enum(index), kids)
    }

    /// A value of an option. `None` alone does not say of what: it gets a local whose type is written.
    pub(super) fn option(&mut self, of: &Ty, depth: usize) -> Node {
        let ty = Ty::Option(Box::new(of.clone()));
        if self.random.percent(40)
            && let Some(checked) = self.checked(of, depth)
        {
            return checked;
        }
        if self.random.percent(65) {
            let value = self.expr(of, depth);
            return Node::new(Kind::Variant("Some".into()), ty, vec![value]);
        }
        let name = self.fresh();
        let none = Node::new(Kind::Variant("None".into()), ty.clone(), Vec::new());
        let declared = Node::new(Kind::Let(name.clone(), false, true), ty.clone(), vec![none]);
        Node::block_of(vec![declared], Node::local(&name, ty))
    }

    /// A struct's literal.
    pub(super) fn structure(&mut self, index: usize, depth: usize) -> Node {
        let fields = &self.module.structs[index].fields;
        let mut order: Vec<usize> = (0..fields.len()).collect();
        // Fields are evaluated in the order written, which need not be that of the struct.
        if self.random.percent(50) {
            order.reverse();
        }
        let names = order.iter().map(|at| fields[*at].0.clone()).collect();
        let kids = order.iter().map(|at| self.expr(&fields[*at].1, depth)).collect();
        Node::new(Kind::Make(names), Ty::Struct(index), kids)
    }

    /// What is worth matching: a small integer, an enum, an option.
    fn subject(&mut self, depth: usize) -> Node {
        let choices = self
            .place(false, &|ty| matches!(ty, Ty::Enum(_) | Ty::Option(_) | Ty::Result(..) | Ty::Tuple(_)));
        if let Some(place) = choices
            && self.random.percent(60)
        {
            return place;
        }
        match self.random.below(9) {
            6 => {
                let parts = (0..2).map(|_| items::scalar(self.random, true)).collect();
                self.expr(&Ty::Tuple(parts), depth)
            }
            7 => {
                let int = items::integer(self.random, true);
                let of = Ty::Int(int);
                self.checked(&of, depth).unwrap_or_else(|| self.option(&of, depth))
            }
            8 => {
                let int = Ty::Int(items::integer(self.random, true));
                self.expr(&Ty::Result(Box::new(int), Box::new(Ty::Bool)), depth)
            }
            0 if !self.module.enums.is_empty() => {
                let index = self.random.below(self.module.enums.len());
                self.expr(&Ty::Enum(index), depth)
            }
            1 => {
                let of = items::scalar(self.random, true);
                self.option(&of, depth)
            }
            2 => self.not_constant(&Ty::Bool, depth),
            3 => {
                let int = items::integer(self.random, true);
                self.not_constant(&Ty::Int(int), depth)
            }
            _ => {
                let int = items::integer(self.random, true);
                let value = self.not_constant(&Ty::Int(int), depth);
                Node::method("rem_euclid", vec![value, Node::lit(2 + self.random.below(8), Ty::Int(int))])
            }
        }
    }

    /// A pattern for a type; without `test` one that always holds.
    fn pattern(&mut self, ty: &Ty, test: bool, names: bool) -> Pat {
        if !test || self.random.percent(20) {
            return if names && self.random.percent(70) {
                Pat::Bind(self.fresh(), ty.clone())
            } else {
                Pat::Wild
            };
        }
        match ty {
            Ty::Bool => Pat::Value(self.random.percent(50).to_string()),
            Ty::Int(int) => self.number_pattern(*int, names),
            Ty::Enum(index) => {
                let item = &self.module.enums[*index];
                let (name, fields) = item.variants[self.random.below(item.variants.len())].clone();
                let path = format!("{}::{name}", item.name);
                let plain = item.is_plain() && self.random.percent(30);
                let first = Pat::Variant(path, fields.iter().map(|ty| self.inner(ty, names)).collect());
                if plain {
                    let (name, _) = &item.variants[self.random.below(item.variants.len())];
                    return Pat::Or(vec![first, Pat::Variant(format!("{}::{name}", item.name), Vec::new())]);
                }
                first
            }
            Ty::Option(of) => match self.random.below(3) {
                0 => Pat::Variant("None".into(), Vec::new()),
                _ => Pat::Variant("Some".into(), vec![self.inner(of, names)]),
            },
            Ty::Result(of, error) => match self.random.below(2) {
                0 => Pat::Variant("Ok".into(), vec![self.inner(of, names)]),
                _ => Pat::Variant("Err".into(), vec![self.inner(error, names)]),
            },
            // Without a path it is a tuple.
            Ty::Tuple(parts) => {
                Pat::Variant(String::new(), parts.iter().map(|ty| self.inner(ty, names)).collect())
            }
            _ => Pat::Wild,
        }
    }

    /// A pattern within another.
    fn inner(&mut self, ty: &Ty, names: bool) -> Pat {
        let test = self.random.percent(30);
        self.pattern(ty, test, names)
    }

    fn number_pattern(&mut self, int: Int, names: bool) -> Pat {
        let low = self.random.below(6);
        let value = Pat::Value(low.to_string());
        let range = match self.random.below(4) {
            0 => Pat::Value(format!("{low}..={}", low + self.random.below(6))),
            1 => Pat::Value(format!("{low}..")),
            2 if int.signed => Pat::Value(format!("..{low}")),
            _ => Pat::Value(format!("{low}..{}", low + 1 + self.random.below(6))),
        };
        match self.random.below(8) {
            0..=2 => value,
            3 | 4 => range,
            5 => Pat::Or(vec![value, range]),
            6 if names => Pat::At(self.fresh(), Ty::Int(int), Box::new(range)),
            6 => Pat::Value(format!("{}::MAX", int.name())),
            _ => Pat::Or(vec![value, Pat::Value((low + 7).to_string()), range]),
        }
    }

    /// A tuple's pattern that always holds.
    pub(super) fn always(&mut self, parts: &[Ty]) -> Pat {
        Pat::Variant(String::new(), parts.iter().map(|ty| self.pattern(ty, false, true)).collect())
    }

    pub(super) fn bind_all(&mut self, pattern: &Pat) {
        for (name, ty) in pattern.names() {
            self.bind(&name, &ty, false);
        }
    }

    /// The arms of a `match`; `body` grows what they are worth.
    fn arms(&mut self, subject: &Node, ty: &Ty, mut body: impl FnMut(&mut Self) -> Node) -> Vec<Node> {
        let count = 1 + self.random.below(3);
        let mut arms = Vec::new();
        for last in (0..=count).map(|index| index == count) {
            let arm = self.scoped(|grower| {
                let pattern = grower.pattern(&subject.ty, !last, true);
                grower.bind_all(&pattern);
                let guard = (!last && grower.random.percent(25)).then(|| {
                    // A guard is asked once for each alternative, and may not write.
                    let calm = std::mem::replace(&mut grower.calm, true);
                    let guard = grower.condition(1);
                    grower.calm = calm;
                    guard
                });
                let block = body(grower);
                let block_ty = block.ty.clone();
                let guarded = guard.is_some();
                let kids = guard.into_iter().chain([block]).collect();
                let arm_ty = if block_ty == Ty::Never { Ty::Never } else { ty.clone() };
                Node::new(Kind::Arm(pattern, guarded), arm_ty, kids)
            });
            arms.push(arm);
        }
        arms
    }

    /// `match` with a value.
    pub(super) fn match_value(&mut self, ty: &Ty, depth: usize) -> Node {
        let subject = self.subject(depth);
        let arms = self.arms(&subject, ty, |body| body.block_value(ty, depth));
        Node::new(Kind::Match, ty.clone(), [subject].into_iter().chain(arms).collect())
    }

    /// `match` as a statement.
    pub(super) fn match_stmt(&mut self, depth: usize, out: &mut Vec<Node>) {
        let subject = self.subject(2);
        let arms = self.arms(&subject, &Ty::Unit, |body| {
            let count = 1 + body.random.below(2);
            body.block(count, depth)
        });
        let never = arms.iter().all(|arm| arm.ty == Ty::Never);
        let ty = if never { Ty::Never } else { Ty::Unit };
        out.push(Node::new(Kind::Match, ty, [subject].into_iter().chain(arms).collect()));
    }

    /// `if let` as a statement.
    pub(super) fn if_let(&mut self, depth: usize, out: &mut Vec<Node>) {
        let subject = self.subject(2);
        let mut kids = Vec::new();
        let pattern = self.scoped(|body| {
            let pattern = body.pattern(&subject.ty, true, true);
            body.bind_all(&pattern);
            kids.push(body.block(2, depth));
            pattern
        });
        if self.random.percent(50) {
            kids.push(self.block(1, depth));
        }
        let never = kids.len() == 2 && kids.iter().all(|block| block.ty == Ty::Never);
        let ty = if never { Ty::Never } else { Ty::Unit };
        out.push(Node::new(Kind::IfLet(pattern), ty, [subject].into_iter().chain(kids).collect()));
    }

    /// `let .. else`
    pub(super) fn let_else(&mut self, out: &mut Vec<Node>) {
        let subject = self.subject(2);
        let pattern = self.pattern(&subject.ty, true, true);
        let leave = self.leaving(1);
        out.push(Node::stmt(Kind::LetElse(pattern.clone()), vec![subject, leave]));
        self.bind_all(&pattern);
    }

    /// `matches!`
    pub(super) fn matches(&mut self, depth: usize) -> Node {
        let subject = self.subject(depth);
        let pattern = self.pattern(&subject.ty, true, false);
        Node::new(Kind::Matches(pattern), Ty::Bool, vec![subject])
    }
}
