//! Literals, and integers that are small.

use super::Body;
use crate::random::Random;
use crate::tree::{Int, Kind, Node, Ty};

/// An integer literal's text, biased towards the limits.
pub(super) fn integer(random: &mut Random, int: Int) -> String {
    let all = u64::MAX >> (64 - int.bits);
    let bits = all
        & match random.below(9) {
            0 => 0,
            1 | 2 => random.bits() % 10,
            3 => random.bits() % 100,
            4 => all >> 1,
            5 => (all >> 1) + 1,
            6 => all - random.bits() % 3,
            7 => 1 << random.below(int.bits as usize),
            _ => random.bits(),
        };
    if int.signed {
        let shift = 64 - int.bits;
        ((bits << shift).cast_signed() >> shift).to_string()
    } else {
        bits.to_string()
    }
}

/// A float literal's text, without suffix.
pub(super) fn float(random: &mut Random) -> String {
    random
        .of([
            "0.0",
            "-0.0",
            "1.0",
            "-1.0",
            "0.5",
            "2.0",
            "3.25",
            "-7.75",
            "100.0",
            "1e10",
            "-1e10",
            "1e-10",
            "16777217.0",
            "0.1",
            "255.5",
            "-128.5",
            "2147483648.0",
            "1e38",
        ])
        .to_owned()
}

impl Body<'_> {
    /// A literal of a scalar type; `bare` allows it to be without suffix.
    pub(super) fn literal(&mut self, ty: &Ty, bare: bool) -> Node {
        if let Some(named) = self.language_constant(ty) {
            return named;
        }
        let text = match ty {
            Ty::Int(int) => integer(self.random, *int),
            Ty::Float(_) => float(self.random),
            _ => self.random.percent(50).to_string(),
        };
        let suffix = !(bare && self.random.percent(60));
        Node::new(Kind::Lit(text, suffix), ty.clone(), Vec::new())
    }

    /// Now and then `u8::MAX` and the like.
    fn language_constant(&mut self, ty: &Ty) -> Option<Node> {
        if !self.random.percent(6) {
            return None;
        }
        let text = match ty {
            Ty::Int(int) => format!("{}::{}", int.name(), self.random.of(["MAX", "MIN"])),
            Ty::Float(bits) => format!("f{bits}::{}", self.random.of(["MAX", "NAN", "INFINITY", "EPSILON"])),
            _ => return None,
        };
        Some(Node::new(Kind::Const(text), ty.clone(), Vec::new()))
    }

    /// An integer that is seldom far from zero, mostly not negative.
    pub(super) fn small(&mut self, int: Int, depth: usize) -> Node {
        let ty = Ty::Int(int);
        let most = if int.bits == 8 { 10 } else { 60 };
        if depth == 0 || self.fuel < 0 || self.random.percent(20) {
            return Node::lit(self.random.below(most), ty);
        }
        let mask = self.random.of([1, 3, 7, if int.bits == 8 { 7 } else { 31 }]);
        match self.random.below(12) {
            0..=2 => {
                let value = self.expr(&ty, depth - 1);
                Node::binary("&", value, Node::lit(mask, ty))
            }
            3 | 4 => {
                let value = self.not_constant(&ty, depth - 1);
                Node::binary("%", value, Node::lit(1 + self.random.below(most), ty))
            }
            5 => {
                let value = self.expr(&ty, depth - 1);
                Node::method("rem_euclid", vec![value, Node::lit(1 + self.random.below(most), ty)])
            }
            6 if !int.signed => {
                let value = self.expr(&ty, depth - 1);
                Node::method("min", vec![value, Node::lit(self.random.below(most), ty)])
            }
            7 => {
                let value = self.expr(&ty, depth - 1);
                let low = self.random.below(4);
                Node::method("clamp", vec![value, Node::lit(low, ty.clone()), Node::lit(low + mask, ty)])
            }
            8 => self.expr(&Ty::Bool, depth - 1).cast(ty),
            9 => {
                let of = Ty::Int(super::items::integer(self.random, true));
                let bits = self.expr(&of, depth - 1);
                let name = self.random.of(["count_ones", "leading_zeros", "trailing_zeros", "count_zeros"]);
                Node::new(Kind::Method(name), Ty::Int(Int::U32), vec![bits]).cast(ty)
            }
            _ => {
                let counters: Vec<_> = self.scope.iter().filter(|var| var.below.is_some()).cloned().collect();
                match self.random.pick(&counters) {
                    Some(counter) if self.visible(&counter.name, &counter.ty) => {
                        let value = Node::local(&counter.name, counter.ty.clone());
                        if counter.ty == ty { value } else { value.cast(ty) }
                    }
                    _ => Node::lit(self.random.below(most), ty),
                }
            }
        }
    }
}
