//! Tuples, results, what methods make of options, comparisons of data, and statements that write several things.

use super::{Around, Body, items};
use crate::tree::{Int, Kind, Node, Ty};

const MATH: [&str; 7] = ["exp", "exp2", "ln", "log2", "sin", "cos", "tanh"];

impl Body<'_> {
    /// A tuple.
    pub(super) fn tuple(&mut self, ty: &Ty, depth: usize) -> Node {
        let Ty::Tuple(parts) = ty else { return self.leaf(ty) };
        if let [Ty::Int(int), Ty::Bool] = parts[..]
            && self.random.percent(70)
        {
            return self.overflowing(int, depth);
        }
        let kids = parts.iter().map(|ty| self.expr(ty, depth)).collect();
        Node::new(Kind::Tuple, ty.clone(), kids)
    }

    /// A method that gives a number and whether it ran over.
    fn overflowing(&mut self, int: Int, depth: usize) -> Node {
        let of = Ty::Int(int);
        let ty = Ty::Tuple(vec![of.clone(), Ty::Bool]);
        let name = self.random.of([
            "overflowing_add",
            "overflowing_sub",
            "overflowing_mul",
            "overflowing_neg",
            "overflowing_pow",
        ]);
        let mut kids = vec![self.expr(&of, depth)];
        match name {
            "overflowing_neg" => {}
            "overflowing_pow" => kids.push(self.power(depth)),
            _ => kids.push(self.expr(&of, depth)),
        }
        Node::new(Kind::Method(name), ty, kids)
    }

    /// An exponent.
    fn power(&mut self, depth: usize) -> Node {
        let ty = Ty::Int(Int::U32);
        let power = self.expr(&ty, depth);
        Node::binary("&", power, Node::lit(15, ty))
    }

    /// A method that gives an option of an integer.
    pub(super) fn checked(&mut self, of: &Ty, depth: usize) -> Option<Node> {
        let Ty::Int(int) = *of else { return None };
        let name = self.random.of([
            "checked_add",
            "checked_sub",
            "checked_mul",
            "checked_div",
            "checked_rem",
            "checked_neg",
            "checked_abs",
            "checked_pow",
            "checked_shl",
            "checked_shr",
            "checked_next_power_of_two",
            "checked_ilog2",
            "checked_ilog10",
        ]);
        let receiver = match name {
            "checked_abs" if !int.signed => return None,
            "checked_next_power_of_two" if int.signed => return None,
            "checked_ilog2" | "checked_ilog10" if int != Int::U32 => return None,
            "checked_ilog2" | "checked_ilog10" => Ty::Int(items::integer(self.random, true)),
            _ => of.clone(),
        };
        let mut kids = vec![self.expr(&receiver, depth)];
        match name {
            "checked_add" | "checked_sub" | "checked_mul" | "checked_div" | "checked_rem" => {
                let small = self.random.percent(50);
                kids.push(if small { self.small(int, depth) } else { self.expr(of, depth) });
            }
            "checked_pow" => kids.push(self.power(depth)),
            "checked_shl" | "checked_shr" => {
                let by = Ty::Int(Int::U32);
                let value = self.expr(&by, depth);
                kids.push(Node::binary("&", value, Node::lit(2 * int.bits - 1, by)));
            }
            _ => {}
        }
        Some(Node::new(Kind::Method(name), Ty::Option(Box::new(of.clone())), kids))
    }

    /// `Ok` or `Err`. Alone they do not say what the other one would be: they get a local whose type is written.
    pub(super) fn result(&mut self, ty: &Ty, depth: usize) -> Node {
        let Ty::Result(of, error) = ty else { return self.leaf(ty) };
        let (path, inner) = if self.random.percent(65) { ("Ok", of) } else { ("Err", error) };
        let value = self.expr(inner, depth);
        let made = Node::new(Kind::Variant(path.into()), ty.clone(), vec![value]);
        let name = self.fresh();
        let declared = Node::new(Kind::Let(name.clone(), false, true), ty.clone(), vec![made]);
        Node::block_of(vec![declared], Node::local(&name, ty.clone()))
    }

    /// What is in an option or a result.
    pub(super) fn unwrapped(&mut self, ty: &Ty, depth: usize) -> Option<Node> {
        if !ty.is_scalar() {
            return None;
        }
        let holder = |found: &Ty| match found {
            Ty::Option(of) | Ty::Result(of, _) => **of == *ty,
            _ => false,
        };
        let value = match self.place(false, &holder) {
            Some(place) => place,
            None => self.option(ty, depth),
        };
        let (name, kids) = match self.random.below(10) {
            0 => ("unwrap", vec![value]),
            1 => {
                let text = Node::new(Kind::Lit("\"nothing\"".into(), false), Ty::Unit, Vec::new());
                ("expect", vec![value, text])
            }
            _ => {
                let other = self.expr(ty, depth);
                ("unwrap_or", vec![value, other])
            }
        };
        Some(Node::new(Kind::Method(name), ty.clone(), kids))
    }

    /// A comparison of data, or a question about an option or a result; `None` without data.
    pub(super) fn same(&mut self, depth: usize) -> Option<Node> {
        let module = self.module;
        let state = module.structs.len() - module.actors.len();
        let of_actor = |ty: &Ty| matches!(ty, Ty::Struct(index) if *index >= state);
        let left = self.place(false, &|ty| !ty.is_scalar() && !of_actor(ty) && !module.holds_id(ty))?;
        let question = match left.ty {
            Ty::Option(_) => Some(self.random.of(["is_some", "is_none"])),
            Ty::Result(..) => Some(self.random.of(["is_ok", "is_err"])),
            _ => None,
        };
        if let Some(name) = question
            && self.random.percent(50)
        {
            return Some(Node::new(Kind::Method(name), Ty::Bool, vec![left]));
        }
        // Both sides are borrowed for the comparison: the right one may not write to the left one.
        let calm = std::mem::replace(&mut self.calm, true);
        let right = self.expr(&left.ty.clone(), depth);
        self.calm = calm;
        Some(Node::binary(self.random.of(["==", "!="]), left, right))
    }

    /// A function of `math`.
    pub(super) fn math(&mut self, ty: &Ty, depth: usize) -> Node {
        let Ty::Float(bits) = *ty else { return self.leaf(ty) };
        let mut kids = vec![self.expr(ty, depth)];
        let name = if self.random.percent(15) {
            kids.push(self.expr(ty, depth));
            "powf"
        } else {
            self.random.of(MATH)
        };
        Node::new(Kind::Call(format!("gpu_actor_rt::math::f{bits}::{name}")), ty.clone(), kids)
    }

    /// `(a, b).0`
    pub(super) fn part_of_tuple(&mut self, ty: &Ty, depth: usize) -> Node {
        let other = items::scalar(self.random, true);
        let at = self.random.below(2);
        let mut parts = vec![other];
        parts.insert(at, ty.clone());
        let whole = self.expr(&Ty::Tuple(parts), depth);
        Node::new(Kind::Field(at.to_string()), ty.clone(), vec![whole])
    }

    /// `let (a, b) = ..;`
    pub(super) fn taken_apart(&mut self, out: &mut Vec<Node>) {
        let parts: Vec<Ty> =
            (0..2 + self.random.below(2)).map(|_| items::ty(self.random, self.module, 1, true)).collect();
        let ty = Ty::Tuple(parts.clone());
        let place = self.place(false, &|ty| matches!(ty, Ty::Tuple(_)));
        let value = match place {
            Some(place) if self.random.percent(50) => place,
            _ => self.expr(&ty, 2),
        };
        let Ty::Tuple(parts) = value.ty.clone() else { return };
        let pattern = self.always(&parts);
        out.push(Node::stmt(Kind::LetPat(pattern.clone()), vec![value]));
        self.bind_all(&pattern);
    }

    /// `(a, b) = (x, y);`
    pub(super) fn assign_many(&mut self, out: &mut Vec<Node>) {
        let mut places = Vec::new();
        for _ in 0..2 + self.random.below(2) {
            let scalars = self.random.percent(70);
            if let Some(place) = self.place(true, &|ty| !scalars || ty.is_scalar()) {
                places.push(place);
            }
        }
        if places.len() < 2 {
            return self.assign(out);
        }
        let ty = Ty::Tuple(places.iter().map(|place| place.ty.clone()).collect());
        // Mostly written out: then the values may read what is written.
        let value = if self.random.percent(60) {
            let kids = places.iter().map(|place| self.expr(&place.ty.clone(), 2)).collect();
            Node::new(Kind::Tuple, ty.clone(), kids)
        } else {
            self.expr(&ty, 2)
        };
        out.push(Node::stmt(Kind::Assign, vec![Node::new(Kind::Tuple, ty, places), value]));
    }

    /// Now and then a block that writes to a local before its value is taken: of an index, whose array it leaves alone.
    pub(super) fn after_a_write(&mut self, value: Node) -> Node {
        if self.calm || value.is_constant() || !self.random.percent(12) {
            return value;
        }
        let locals: Vec<_> =
            self.scope.iter().filter(|var| var.mutable && var.ty.is_scalar()).cloned().collect();
        let Some(local) = self.random.pick(&locals).cloned() else { return value };
        if !self.visible(&local.name, &local.ty) {
            return value;
        }
        let calm = std::mem::replace(&mut self.calm, true);
        let written = self.expr(&local.ty, 1);
        self.calm = calm;
        let place = Node::local(&local.name, local.ty);
        Node::block_of(vec![Node::stmt(Kind::Assign, vec![place, written])], value)
    }

    /// `'name: { .. break 'name; .. }`
    pub(super) fn labelled_block(&mut self, depth: usize, out: &mut Vec<Node>) {
        let name = self.fresh();
        self.labels.push((name.clone(), false));
        self.around.push(Around::Block);
        let block = self.scoped(|body| {
            let mut stmts = body.stmts_that_end(2, depth);
            let cond = body.condition(1);
            let leave = Node::new(Kind::JumpTo("break", name.clone()), Ty::Never, Vec::new());
            stmts.push(Node::stmt(Kind::If, vec![cond, Node::block(vec![leave])]));
            stmts.extend(body.stmts_that_end(2, depth));
            Node::block(stmts)
        });
        self.around.pop();
        self.labels.pop();
        out.push(Node::stmt(Kind::Label(name), vec![block]));
    }
}
