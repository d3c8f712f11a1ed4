//! Values.

use super::{Around, Body, items};
use crate::tree::{Int, Kind, Node, Ty};

const WRAPPING: [&str; 3] = ["wrapping_add", "wrapping_sub", "wrapping_mul"];
const BITS: [&str; 3] = ["&", "|", "^"];
const COMPARE: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
const COUNTS: [&str; 6] =
    ["count_ones", "count_zeros", "leading_zeros", "trailing_zeros", "leading_ones", "trailing_ones"];

impl Body<'_> {
    /// A value of type `ty`, about so deep.
    pub(super) fn expr(&mut self, ty: &Ty, depth: usize) -> Node {
        self.fuel -= 1;
        if depth == 0 || self.fuel < 0 {
            return self.leaf(ty);
        }
        match self.random.below(40) {
            0..=7 => return self.leaf(ty),
            8 | 9 => return self.if_value(ty, depth - 1),
            16 | 17 if !self.calm || self.random.percent(50) => return self.match_value(ty, depth - 1),
            10 => return self.block_value(ty, depth - 1),
            11..=13 => {
                if let Some(call) = self.call(ty, depth - 1) {
                    return call;
                }
            }
            38 if !self.calm => {
                if let Some(value) = self.unwrapped(ty, depth - 1) {
                    return value;
                }
            }
            14 => {
                if let Some(part) = self.part(ty, depth - 1) {
                    return part;
                }
            }
            15 if self.fuel > 20 && !self.calm => {
                if let Some(value) = self.loop_value(ty, depth - 1) {
                    return value;
                }
            }
            _ => {}
        }
        match ty {
            Ty::Bool => self.truth(depth - 1),
            Ty::Int(int) => self.integer(*int, depth - 1),
            Ty::Float(_) => self.float(ty, depth - 1),
            Ty::Array(of, len) if self.makeable(of) => self.array(of, *len, depth - 1),
            Ty::Enum(index) => self.variant(*index, depth - 1),
            Ty::Option(of) => self.option(of, depth - 1),
            Ty::Result(..) => self.result(ty, depth - 1),
            Ty::Tuple(_) if self.makeable(ty) => self.tuple(ty, depth - 1),
            Ty::Struct(index) if !self.module.holds_id(ty) => self.structure(*index, depth - 1),
            _ => self.leaf(ty),
        }
    }

    /// Whether a value of the type can be made from nothing.
    pub(super) fn makeable(&mut self, ty: &Ty) -> bool {
        // Of everything else there are literals and constants.
        !self.module.holds_id(ty) || self.place_of(ty).is_some()
    }

    /// A value without parts: a place, a constant, a literal.
    pub(super) fn leaf(&mut self, ty: &Ty) -> Node {
        if (!ty.is_scalar() || self.random.percent(75))
            && let Some(place) = self.place_of(ty)
        {
            return place;
        }
        if (!ty.is_scalar() || self.random.percent(20))
            && let Some(constant) = self.module_constant(ty)
        {
            return constant;
        }
        match ty {
            Ty::Array(of, len) => self.array(of, *len, 0),
            Ty::Enum(index) => self.variant(*index, 0),
            Ty::Option(of) => self.option(of, 0),
            Ty::Result(..) => self.result(ty, 0),
            Ty::Tuple(_) => self.tuple(ty, 0),
            Ty::Unit | Ty::Never => Node::block(Vec::new()),
            Ty::Int(int) if self.random.percent(40) => self.small(*int, 0),
            _ => self.literal(ty, false),
        }
    }

    /// A value that the macros do not take for a constant.
    pub(super) fn not_constant(&mut self, ty: &Ty, depth: usize) -> Node {
        let value = self.expr(ty, depth);
        if !value.is_constant() {
            return value;
        }
        if let Some(place) = self.place_of(ty) {
            return place;
        }
        // There is a parameter that is an integer.
        match self.place(false, &Ty::is_scalar) {
            Some(Node { ty: Ty::Bool, kind, kids }) if matches!(ty, Ty::Float(_)) => {
                Node { ty: Ty::Bool, kind, kids }.cast(Ty::Int(Int::U32)).cast(ty.clone())
            }
            Some(place) if *ty != Ty::Bool => place.cast(ty.clone()),
            Some(place) if place.ty == Ty::Bool => place,
            Some(place) => {
                let other = self.literal(&place.ty.clone(), false);
                Node::binary("<", place, other)
            }
            None => value,
        }
    }

    /// An operand on the right: a literal may do without its suffix there.
    fn right(&mut self, ty: &Ty, depth: usize, left: &Node) -> Node {
        if left.is_constant() {
            return self.not_constant(ty, depth);
        }
        if ty.is_scalar() && self.random.percent(25) { self.literal(ty, true) } else { self.expr(ty, depth) }
    }

    fn array(&mut self, of: &Ty, len: usize, depth: usize) -> Node {
        let ty = Ty::Array(Box::new(of.clone()), len);
        if self.random.percent(if self.fuel < 0 { 95 } else { 30 }) {
            let value = self.expr(of, depth);
            return Node::new(Kind::Repeat, ty, vec![value]);
        }
        let elements = (0..len).map(|_| self.expr(of, depth)).collect();
        Node::new(Kind::List, ty, elements)
    }

    fn call(&mut self, ty: &Ty, depth: usize) -> Option<Node> {
        // A function has loops: within loops a call is too much for small budgets.
        if self.trips > 16 {
            return None;
        }
        let module = self.module;
        let fitting: Vec<_> =
            module.functions[..self.functions].iter().filter(|function| function.ret == *ty).collect();
        let function = *self.random.pick(&fitting)?;
        let args = function.params.iter().map(|param| self.expr(&param.ty, depth)).collect();
        Some(Node::new(Kind::Call(function.name.clone()), ty.clone(), args))
    }

    /// A part of a value that has no place: of a constant, a call, an array.
    fn part(&mut self, ty: &Ty, depth: usize) -> Option<Node> {
        let module = self.module;
        if self.random.percent(25) {
            return Some(self.part_of_tuple(ty, depth));
        }
        if self.random.percent(50) {
            let len = 1 + self.random.below(4);
            if !self.makeable(ty) {
                return None;
            }
            let array = self.expr(&Ty::Array(Box::new(ty.clone()), len), depth);
            let index = self.index(len);
            return Some(Node::new(Kind::Index, ty.clone(), vec![array, index]));
        }
        let owners: Vec<_> = (0..module.structs.len())
            .flat_map(|index| module.structs[index].fields.iter().map(move |field| (index, field)))
            .filter(|(_, (_, field))| field == ty)
            .collect();
        let (owner, (name, _)) = *self.random.pick(&owners)?;
        if !self.makeable(&Ty::Struct(owner)) {
            return None;
        }
        let value = self.expr(&Ty::Struct(owner), depth);
        Some(Node::new(Kind::Field(name.clone()), ty.clone(), vec![value]))
    }

    fn if_value(&mut self, ty: &Ty, depth: usize) -> Node {
        let cond = self.condition(depth);
        let diverges = self.random.percent(6) && !self.calm;
        let then = if diverges { self.leaving(depth) } else { self.block_value(ty, depth) };
        let other = if self.random.percent(20) {
            Node::block_of(Vec::new(), self.if_value(ty, depth.saturating_sub(1)))
        } else {
            self.block_value(ty, depth)
        };
        let branches = if self.random.percent(50) { [then, other] } else { [other, then] };
        let [then, other] = branches;
        Node::new(Kind::If, ty.clone(), vec![cond, then, other])
    }

    /// A block with a value, and sometimes with statements before it.
    pub(super) fn block_value(&mut self, ty: &Ty, depth: usize) -> Node {
        self.scoped(|body| {
            let count = if body.fuel > 15 && !body.calm { body.random.of([0, 0, 1, 2]) } else { 0 };
            let stmts = body.stmts_that_end(count, 1);
            let value = body.expr(ty, depth);
            Node::block_of(stmts, value)
        })
    }

    /// `loop` with a value.
    fn loop_value(&mut self, ty: &Ty, depth: usize) -> Option<Node> {
        let most = 1 + self.random.below(6);
        if self.trips * (most + 1) > self.most_trips {
            return None;
        }
        Some(self.scoped(|body| {
            let (counter, declared) = body.counter(most);
            body.trips *= most + 1;
            let around = std::mem::replace(&mut body.around, vec![Around::Value(ty.clone())]);
            let labels = std::mem::take(&mut body.labels);
            let mut stmts = vec![Self::count_up(&counter)];
            stmts.extend(body.stmts_that_end(1, 1));
            let value = body.expr(ty, depth);
            let leave = Node::new(Kind::Break, Ty::Never, vec![value]);
            let full = Node::binary(">=", counter.clone(), Node::lit(most, counter.ty.clone()));
            stmts.push(Node::stmt(Kind::If, vec![full, Node::block(vec![leave])]));
            stmts.extend(body.stmts_that_end(1, 1));
            body.around = around;
            body.labels = labels;
            body.trips /= most + 1;
            let turns = Node::new(Kind::Loop, ty.clone(), vec![Node::block(stmts)]);
            Node::block_of(vec![declared], turns)
        }))
    }

    /// A condition that is true and false often enough.
    pub(super) fn condition(&mut self, depth: usize) -> Node {
        if self.random.percent(50) {
            let int = items::integer(self.random, true);
            let value = self.small(int, depth.max(1));
            if !value.is_constant() {
                let limit = Node::lit(self.random.below(8), Ty::Int(int));
                return Node::binary(self.random.of(COMPARE), value, limit);
            }
        }
        self.expr(&Ty::Bool, depth.max(1))
    }

    fn truth(&mut self, depth: usize) -> Node {
        match self.random.below(24) {
            20..=23 => match self.same(depth) {
                Some(same) => same,
                None => self.condition(depth),
            },
            0..=8 => {
                let ty = items::scalar(self.random, true);
                let plain = self.place(false, &|ty| matches!(ty, Ty::Enum(_)));
                if let Some(Node { ty: Ty::Enum(index), kind, kids }) = plain
                    && self.module.enums[index].is_plain()
                    && self.random.percent(20)
                {
                    let left = Node { ty: Ty::Enum(index), kind, kids };
                    let right = self.variant(index, 0);
                    return Node::binary(self.random.of(COMPARE), left, right);
                }
                let left = self.not_constant(&ty, depth);
                let right = self.right(&ty, depth, &left);
                Node::binary(self.random.of(COMPARE), left, right)
            }
            9..=13 => {
                let op = self.random.of(["&&", "||"]);
                let left = self.condition(depth);
                let right = self.condition(depth);
                Node::binary(op, left, right)
            }
            18 => self.matches(depth),
            14 => Node::new(Kind::Unary("!"), Ty::Bool, vec![self.expr(&Ty::Bool, depth)]),
            15 | 16 => {
                let left = self.expr(&Ty::Bool, depth);
                let right = self.expr(&Ty::Bool, depth);
                Node::binary(self.random.of(BITS), left, right)
            }
            17 => {
                let ty = Ty::Float(self.random.of([32, 64]));
                let value = self.not_constant(&ty, depth);
                let name = self.random.of([
                    "is_nan",
                    "is_infinite",
                    "is_finite",
                    "is_sign_negative",
                    "is_sign_positive",
                ]);
                let value = if name.starts_with("is_sign") { self.no_nan(value) } else { value };
                Node::new(Kind::Method(name), Ty::Bool, vec![value])
            }
            _ => {
                let int = items::integer(self.random, true);
                let name = if int.signed {
                    self.random.of(["is_negative", "is_positive"])
                } else {
                    "is_power_of_two"
                };
                let value = self.not_constant(&Ty::Int(int), depth);
                Node::new(Kind::Method(name), Ty::Bool, vec![value])
            }
        }
    }

    /// The sign and the bits of a NaN are nobody's promise: the larger of the value and one is none.
    fn no_nan(&mut self, value: Node) -> Node {
        let one = Node::lit("1.0", value.ty.clone());
        let name = self.random.of(["min", "max"]);
        Node::method(name, vec![value, one])
    }

    fn integer(&mut self, int: Int, depth: usize) -> Node {
        let ty = Ty::Int(int);
        let width = int.bits as usize;
        match self.random.below(60) {
            0..=8 => {
                let left = self.expr(&ty, depth);
                let right = self.right(&ty, depth, &left);
                Node::method(self.random.of(WRAPPING), vec![left, right])
            }
            9..=14 => {
                let left = self.expr(&ty, depth);
                let right = self.right(&ty, depth, &left);
                Node::binary(self.random.of(BITS), left, right)
            }
            15..=23 => {
                let left = self.small(int, depth);
                let right = self.small(int, depth);
                let op = self.random.of(["+", "+", "*", if int.signed { "-" } else { "+" }]);
                self.fold(op, left, right)
            }
            24 | 25 => {
                let left = self.not_constant(&ty, depth);
                let right = if self.random.percent(50) {
                    Node::lit(self.random.below(3), ty)
                } else {
                    self.right(&ty, depth, &left)
                };
                Node::binary(self.random.of(["+", "-", "*"]), left, right)
            }
            26..=30 => {
                let left = self.not_constant(&ty, depth);
                let right = match self.random.below(10) {
                    0 => self.right(&ty, depth, &left),
                    1 | 2 => {
                        let value = self.small(int, depth);
                        self.fold("|", value, Node::lit(1, ty))
                    }
                    _ => Node::lit(1 + self.random.below(12), ty),
                };
                Node::binary(self.random.of(["/", "%"]), left, right)
            }
            31..=34 => {
                let left = self.not_constant(&ty, depth);
                let by = items::integer(self.random, true);
                let right = match self.random.below(12) {
                    0 => self.expr(&Ty::Int(by), depth),
                    1..=5 => Node::lit(self.random.below(width), Ty::Int(by)),
                    _ => {
                        let value = self.not_constant(&Ty::Int(by), depth);
                        Node::binary("&", value, Node::lit(width - 1, Ty::Int(by)))
                    }
                };
                Node::binary(self.random.of(["<<", ">>"]), left, right)
            }
            35..=37 => self.unary(int, depth),
            38..=42 => {
                let name =
                    self.random.of(["min", "max", "saturating_add", "saturating_sub", "saturating_mul"]);
                let left = self.expr(&ty, depth);
                let right = self.right(&ty, depth, &left);
                Node::method(name, vec![left, right])
            }
            43 | 44 => {
                let by = Ty::Int(Int::U32);
                let value = self.expr(&ty, depth);
                let by = self.right(&by, depth, &value);
                let name = self.random.of(["rotate_left", "rotate_right", "wrapping_shl", "wrapping_shr"]);
                Node::method(name, vec![value, by])
            }
            45..=47 => self.powers(int, depth),
            48 | 49 if int == Int::U32 => {
                let of = items::integer(self.random, true);
                let value = self.expr(&Ty::Int(of), depth);
                Node::new(Kind::Method(self.random.of(COUNTS)), ty, vec![value])
            }
            48 | 49 if !int.signed => {
                let signed = Ty::Int(Int { signed: true, ..int });
                let (of, name) = if self.random.percent(50) {
                    (signed, self.random.of(["abs_diff", "unsigned_abs"]))
                } else {
                    (ty.clone(), "abs_diff")
                };
                let mut kids = vec![self.expr(&of, depth)];
                if name == "abs_diff" {
                    kids.push(self.right(&of, depth, &kids[0].clone()));
                }
                Node::new(Kind::Method(name), ty, kids)
            }
            50 if matches!(int.bits, 32 | 64) && !int.signed && !int.size => {
                let value = self.not_constant(&Ty::Float(int.bits), depth);
                let value = self.no_nan(value);
                Node::new(Kind::Method("to_bits"), ty, vec![value])
            }
            51 if self.context && !int.signed && !int.size && int.bits >= 32 => {
                let what = if int.bits == 64 { "now" } else { self.random.of(["worker", "lane"]) };
                Node::new(Kind::Context(what), ty, Vec::new())
            }
            51 if int == Int::USIZE => match self.place(false, &|ty| matches!(ty, Ty::Array(..))) {
                Some(array) => Node::new(Kind::Len, ty, vec![array]),
                None => self.leaf(&ty),
            },
            52 => {
                let plain = self.place(false, &|ty| matches!(ty, Ty::Enum(_)));
                match plain {
                    Some(place) if matches!(place.ty, Ty::Enum(at) if self.module.enums[at].is_plain()) => {
                        place.cast(ty)
                    }
                    _ => self.leaf(&ty),
                }
            }
            _ => {
                let of = items::scalar(self.random, true);
                let value = self.not_constant(&of, depth);
                if of == ty { value } else { value.cast(ty) }
            }
        }
    }

    /// An operator that can fault: rustc must not evaluate it, or it could refuse to compile.
    fn fold(&mut self, op: &'static str, left: Node, right: Node) -> Node {
        if left.is_constant() && right.is_constant() {
            let ty = left.ty.clone();
            let left = self.not_constant(&ty, 0);
            let mask = Node::lit(3, ty);
            return Node::binary(op, Node::binary("&", left, mask), right);
        }
        Node::binary(op, left, right)
    }

    fn unary(&mut self, int: Int, depth: usize) -> Node {
        let ty = Ty::Int(int);
        match self.random.below(6) {
            0 if int.signed => {
                let value = self.not_constant(&ty, depth);
                Node::new(Kind::Unary("-"), ty, vec![value])
            }
            1 if int.signed => {
                let value = self.small(int, depth.max(1));
                if value.is_constant() {
                    return value;
                }
                Node::new(Kind::Unary("-"), ty, vec![value])
            }
            2 if int.signed => {
                let value = self.not_constant(&ty, depth);
                Node::method(self.random.of(["signum", "abs", "wrapping_abs", "wrapping_neg"]), vec![value])
            }
            3 => {
                let value = self.expr(&ty, depth);
                Node::method(self.random.of(["swap_bytes", "reverse_bits", "wrapping_neg"]), vec![value])
            }
            _ => {
                let value = self.expr(&ty, depth);
                Node::new(Kind::Unary("!"), ty, vec![value])
            }
        }
    }

    fn powers(&mut self, int: Int, depth: usize) -> Node {
        let ty = Ty::Int(int);
        let value = self.not_constant(&ty, depth);
        let u32 = Ty::Int(Int::U32);
        match self.random.below(6) {
            0 => {
                let base = Node::binary("&", value, Node::lit(3, ty));
                let power = Node::lit(self.random.below(if int.bits == 8 { 5 } else { 8 }), u32);
                Node::method("pow", vec![base, power])
            }
            1 => {
                let power = self.expr(&u32, depth);
                let power = Node::binary("&", power, Node::lit(15, u32));
                Node::method("wrapping_pow", vec![value, power])
            }
            2 => {
                let low = self.literal(&ty, false);
                let high = Node::method("max", vec![low.clone(), self.literal(&ty, false)]);
                Node::method("clamp", vec![value, low, high])
            }
            3 => {
                let (low, high) = (self.small(int, depth), self.small(int, depth));
                Node::method("clamp", vec![value, low, high])
            }
            _ => {
                let name = self.random.of(["div_euclid", "rem_euclid"]);
                let by = if self.random.percent(85) {
                    Node::lit(1 + self.random.below(12), ty)
                } else {
                    self.expr(&ty, depth)
                };
                Node::method(name, vec![value, by])
            }
        }
    }

    fn float(&mut self, ty: &Ty, depth: usize) -> Node {
        const ONE: [&str; 9] =
            ["abs", "sqrt", "floor", "ceil", "trunc", "round", "round_ties_even", "fract", "recip"];
        match self.random.below(21) {
            20 if self.trips <= 16 => self.math(ty, depth),
            0..=7 => {
                let left = self.expr(ty, depth);
                let right = self.right(ty, depth, &left);
                Node::binary(self.random.of(["+", "-", "*", "/"]), left, right)
            }
            8 | 9 => {
                let value = self.not_constant(ty, depth);
                Node::method(self.random.of(ONE), vec![value])
            }
            10 => {
                let value = self.not_constant(ty, depth);
                Node::method("signum", vec![value])
            }
            11 => {
                let value = self.not_constant(ty, depth);
                Node::new(Kind::Unary("-"), ty.clone(), vec![value])
            }
            12 => {
                let kids = vec![
                    self.not_constant(ty, depth),
                    self.expr(ty, depth),
                    self.expr(ty, depth.saturating_sub(1)),
                ];
                Node::method("mul_add", kids)
            }
            13 | 14 => {
                let left = self.not_constant(ty, depth);
                let right = self.right(ty, depth, &left);
                Node::method(self.random.of(["min", "max"]), vec![left, right])
            }
            15 => {
                let value = self.not_constant(ty, depth);
                let sign = self.expr(ty, depth);
                let sign = self.no_nan(sign);
                Node::method("copysign", vec![value, sign])
            }
            16 => {
                let value = self.not_constant(ty, depth);
                let (low, high) = if self.random.percent(85) {
                    let low = self.random.of(["-4.0", "0.0", "0.5"]);
                    (Node::lit(low, ty.clone()), Node::lit(self.random.of(["1.0", "99.5"]), ty.clone()))
                } else {
                    (self.expr(ty, depth), self.expr(ty, depth))
                };
                Node::method("clamp", vec![value, low, high])
            }
            _ => {
                let of = loop {
                    let of = items::scalar(self.random, true);
                    if of != Ty::Bool {
                        break of;
                    }
                };
                let value = self.not_constant(&of, depth);
                if of == *ty { value } else { value.cast(ty.clone()) }
            }
        }
    }
}
