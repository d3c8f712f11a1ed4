//! Statements.

use super::{Around, Body, Var, items};
use crate::tree::{Int, Kind, Node, Ty};

impl Body<'_> {
    /// Statements; the last may jump.
    pub(super) fn stmts(&mut self, count: usize, depth: usize) -> Vec<Node> {
        let mut stmts = Vec::new();
        let declared = self.scope.len();
        for _ in 0..count {
            if self.fuel < 0 {
                break;
            }
            let before = stmts.len();
            self.stmt(depth, &mut stmts);
            if stmts[before..].iter().any(|stmt| stmt.ty == Ty::Never) {
                return stmts;
            }
        }
        self.sink(declared, &mut stmts);
        stmts
    }

    /// Mixes what was declared into something that outlives it: what nobody reads proves nothing.
    fn sink(&mut self, declared: usize, out: &mut Vec<Node>) {
        let locals: Vec<Var> = self.scope[declared..].to_vec();
        for local in locals {
            if !self.visible(&local.name, &local.ty) || self.random.percent(25) {
                continue;
            }
            let name = local.name.clone();
            let part = self.place(false, &Ty::is_number).filter(|place| root(place) == Some(&name));
            let whole = Node::local(&name, local.ty.clone());
            let value = match part {
                Some(part) => part,
                None if local.ty.is_scalar() => whole,
                None => continue,
            };
            let outer = self.place(true, &|ty| matches!(ty, Ty::Int(_)) || *ty == value.ty);
            let Some(place) = outer.filter(|place| root(place) != Some(&name)) else { continue };
            let ty = place.ty.clone();
            let mixed = match (&ty, &value.ty) {
                (Ty::Int(_), from) => {
                    let value = if *from == ty { value } else { value.cast(ty) };
                    if self.random.percent(50) {
                        Node::method("wrapping_add", vec![place.clone(), value])
                    } else {
                        Node::binary("^", place.clone(), value)
                    }
                }
                (Ty::Float(_), _) => Node::binary("+", place.clone(), value),
                _ => Node::binary("^", place.clone(), value),
            };
            out.push(Node::stmt(Kind::Assign, vec![place, mixed]));
        }
    }

    /// Statements whose end is reached.
    pub(super) fn stmts_that_end(&mut self, count: usize, depth: usize) -> Vec<Node> {
        let mut stmts = self.stmts(count, depth);
        stmts.retain(|stmt| stmt.ty != Ty::Never);
        stmts
    }

    /// A block of statements in a scope of its own.
    pub(super) fn block(&mut self, count: usize, depth: usize) -> Node {
        self.scoped(|body| Node::block(body.stmts(count, depth)))
    }

    fn stmt(&mut self, depth: usize, out: &mut Vec<Node>) {
        self.fuel -= 1;
        let nested = depth > 0;
        match self.random.below(100) {
            0..=2 => self.taken_apart(out),
            3..=19 => self.bind_value(out),
            20 | 21 => self.assign_many(out),
            22..=29 => self.assign(out),
            30..=47 => self.compound(out),
            48..=53 if nested => {
                let cond = self.condition(2);
                let count = 1 + self.random.below(3);
                let mut kids = vec![cond, self.block(count, depth - 1)];
                if self.random.percent(50) {
                    let count = 1 + self.random.below(2);
                    kids.push(self.block(count, depth - 1));
                }
                let never = kids.len() == 3 && kids[1..].iter().all(|block| block.ty == Ty::Never);
                let ty = if never { Ty::Never } else { Ty::Unit };
                out.push(Node::new(Kind::If, ty, kids));
            }
            60..=67 if nested => self.for_loop(depth - 1, out),
            68..=71 if nested => self.while_loop(depth - 1, out),
            72..=74 if nested => self.endless(depth - 1, out),
            75..=78 if nested => self.over_array(depth - 1, out),
            54..=57 if nested => self.match_stmt(depth - 1, out),
            58 | 59 if nested => self.if_let(depth - 1, out),
            98 => self.let_else(out),
            79 | 80 => self.assertion(out),
            81 | 82 => {
                // A way out, seldom taken.
                let cond = self.condition(1);
                let leave = self.leaving(1);
                out.push(Node::stmt(Kind::If, vec![cond, leave]));
            }
            83..=85 if !self.around.is_empty() => {
                let cond = self.condition(1);
                let jump = self.jump();
                out.push(Node::stmt(Kind::If, vec![cond, Node::block(vec![jump])]));
            }
            86..=91 if self.context => self.tell(out),
            92 | 93 => self.deferred(out),
            94 | 99 if nested && self.random.percent(70) => self.labelled_block(depth - 1, out),
            94 if nested => {
                let block = self.block(2, depth - 1);
                out.push(block);
            }
            95 | 96 => {
                let ty = items::scalar(self.random, true);
                let value = self.expr(&ty, 2);
                out.push(Node::stmt(Kind::Drop(true), vec![value]));
            }
            97 if depth < 3 => {
                let leave = self.leaving(1);
                out.extend(leave.kids);
            }
            _ => self.assign(out),
        }
    }

    pub(super) fn bind_value(&mut self, out: &mut Vec<Node>) {
        let ty = match self.random.below(10) {
            0 => items::ty(self.random, self.module, 2, true),
            1 => items::signature_ty(self.random, self.module, true),
            2 if self.state.is_some() => self.state.map_or(Ty::Bool, |(state, _)| Ty::Struct(state)),
            3 | 4 => self.place(false, &|ty| !matches!(ty, Ty::Unit)).map_or(Ty::Bool, |place| place.ty),
            _ => items::scalar(self.random, true),
        };
        let typed = self.random.percent(40);
        let value = if typed && ty.is_scalar() && self.random.percent(20) {
            self.literal(&ty, true)
        } else {
            self.expr(&ty, 3)
        };
        let (name, mutable) = (self.name(), self.random.percent(60));
        out.push(Node::new(Kind::Let(name.clone(), mutable, typed), ty.clone(), vec![value]));
        self.bind(&name, &ty, mutable);
    }

    /// `let x;` and an `if` that sets it on both sides.
    fn deferred(&mut self, out: &mut Vec<Node>) {
        let ty = items::scalar(self.random, true);
        // A name of its own: until it is set, nothing may read what it hides.
        let name = self.fresh();
        let typed = self.random.percent(70);
        let cond = self.condition(2);
        let branch = |body: &mut Self| {
            body.scoped(|body| {
                let mut stmts = body.stmts_that_end(1, 1);
                let value = body.expr(&ty, 2);
                stmts.push(Node::stmt(Kind::Assign, vec![Node::local(&name, ty.clone()), value]));
                Node::block(stmts)
            })
        };
        let branches = vec![cond, branch(self), branch(self)];
        out.push(Node::new(Kind::Let(name.clone(), false, typed), ty.clone(), Vec::new()));
        out.push(Node::stmt(Kind::If, branches));
        self.bind(&name, &ty, false);
    }

    pub(super) fn assign(&mut self, out: &mut Vec<Node>) {
        let scalars = self.random.percent(70);
        let Some(place) = self.place(true, &|ty| if scalars { ty.is_scalar() } else { true }) else {
            return self.bind_value(out);
        };
        let value = self.expr(&place.ty.clone(), 3);
        out.push(Node::stmt(Kind::Assign, vec![place, value]));
    }

    fn compound(&mut self, out: &mut Vec<Node>) {
        let Some(place) = self.place(true, &Ty::is_scalar) else { return self.bind_value(out) };
        let ty = place.ty.clone();
        let (op, value) = match &ty {
            Ty::Int(int) => {
                let small = self.small(*int, 2);
                match self.random.below(20) {
                    0..=2 => (self.random.of(["+", "-", "*"]), small),
                    3..=6 => {
                        // Kept in range, so that adding to it goes well.
                        let value = self.expr(&ty, 2);
                        let kept = Node::binary("&", place.clone(), Node::lit(63, ty.clone()));
                        out.push(Node::stmt(Kind::Assign, vec![place.clone(), kept]));
                        let op = self.random.of(["+", "*", if int.signed { "-" } else { "+" }]);
                        let value = if int.bits == 8 || self.random.percent(90) { small } else { value };
                        (op, value)
                    }
                    7 => (self.random.of(["/", "%"]), small),
                    8 | 9 => (self.random.of(["/", "%"]), Node::lit(1 + self.random.below(9), ty.clone())),
                    10 | 11 => {
                        let by = items::integer(self.random, true);
                        let by = Node::lit(self.random.below(int.bits as usize), Ty::Int(by));
                        (self.random.of(["<<", ">>"]), by)
                    }
                    _ => (self.random.of(["&", "|", "^", "^"]), self.expr(&ty, 3)),
                }
            }
            Ty::Float(_) => (self.random.of(["+", "-", "*", "/"]), self.expr(&ty, 2)),
            _ => (self.random.of(["&", "|", "^"]), self.expr(&ty, 2)),
        };
        out.push(Node::stmt(Kind::Compound(op), vec![place, value]));
    }

    /// A loop's body: its statements run `trips` times as often as what is around.
    fn body_of_loop(&mut self, trips: usize, depth: usize) -> Vec<Node> {
        self.trips *= trips;
        self.around.push(Around::Loop);
        let count = 1 + self.random.below(3);
        let stmts = self.stmts(count, depth);
        self.around.pop();
        self.trips /= trips;
        stmts
    }

    fn fits(&self, trips: usize) -> bool {
        self.trips * trips <= self.most_trips
    }

    fn for_loop(&mut self, depth: usize, out: &mut Vec<Node>) {
        let most = 2 + self.random.below(9);
        if !self.fits(most) {
            return self.compound(out);
        }
        let int = items::integer(self.random, true);
        let ty = Ty::Int(int);
        let inclusive = self.random.percent(35);
        let (from, to, below) = match self.random.below(8) {
            // Up to the very last value.
            0 if int.bits <= 32 && !int.size => {
                let last = (1u64 << (int.bits - u32::from(int.signed))) - 1;
                (Node::lit(last - most as u64 + 2, ty.clone()), Node::lit(last, ty.clone()), None)
            }
            1 if int.signed => (Node::lit(-2, ty.clone()), Node::lit(most - 2, ty.clone()), None),
            2..=4 => {
                let from = self.random.below(2);
                let mask = most.next_power_of_two() / 2 - 1;
                let value = self.not_constant(&ty, 1);
                let to = Node::binary("&", value, Node::lit(mask, ty.clone()));
                (Node::lit(from, ty.clone()), to, Some(mask + usize::from(inclusive)))
            }
            _ => {
                let from = self.random.below(3).min(most);
                let below = most - 1 + usize::from(inclusive);
                (Node::lit(from, ty.clone()), Node::lit(most - 1, ty.clone()), Some(below))
            }
        };
        let name = if self.random.percent(10) { "_".to_owned() } else { self.fresh() };
        let label = self.label();
        let block = self.scoped(|body| {
            if name != "_" {
                body.scope.push(Var { name: name.clone(), ty: ty.clone(), mutable: false, below });
            }
            Node::block(body.body_of_loop(most, depth))
        });
        let kind = match self.random.below(6) {
            0 => Kind::Turns(name, inclusive, ".rev()".into()),
            1 => Kind::Turns(name, inclusive, format!(".step_by({})", 1 + self.random.below(3))),
            2 => Kind::Turns(name, inclusive, format!(".rev().step_by({})", 1 + self.random.below(3))),
            _ => Kind::For(name, inclusive),
        };
        out.push(self.labelled(label, Node::stmt(kind, vec![from, to, block])));
    }

    /// Now and then a label for the loop that is about to begin.
    fn label(&mut self) -> Option<String> {
        self.random.percent(30).then(|| {
            let name = self.fresh();
            self.labels.push((name.clone(), true));
            name
        })
    }

    fn labelled(&mut self, label: Option<String>, turns: Node) -> Node {
        let Some(label) = label else { return turns };
        self.labels.pop();
        Node::stmt(Kind::Label(label), vec![turns])
    }

    /// A loop over an array's elements.
    fn over_elements(&mut self, depth: usize, out: &mut Vec<Node>) {
        let Some(array) = self.place(false, &|ty| matches!(ty, Ty::Array(..))) else {
            return self.bind_value(out);
        };
        let Ty::Array(of, len) = array.ty.clone() else { return };
        if !self.fits(len) {
            return self.compound(out);
        }
        let name = self.fresh();
        let label = self.label();
        let block = self.scoped(|body| {
            body.bind(&name, &of, false);
            let declared = body.scope.len() - 1;
            let mut stmts = body.body_of_loop(len, depth);
            if stmts.last().is_none_or(|stmt| stmt.ty != Ty::Never) {
                body.sink(declared, &mut stmts);
            }
            Node::block(stmts)
        });
        out.push(self.labelled(label, Node::stmt(Kind::Over(name), vec![array, block])));
    }

    /// A loop over the indices of an array, which writes or reads all elements.
    fn over_array(&mut self, depth: usize, out: &mut Vec<Node>) {
        if self.random.percent(40) {
            return self.over_elements(depth, out);
        }
        let write = self.random.percent(60);
        let Some(array) = self.place(write, &|ty| matches!(ty, Ty::Array(..))) else {
            return self.bind_value(out);
        };
        let Ty::Array(of, len) = array.ty.clone() else { return };
        if !self.fits(len) {
            return self.compound(out);
        }
        let usize = Ty::Int(Int::USIZE);
        let name = self.fresh();
        let to = if self.random.percent(50) {
            Node::new(Kind::Len, usize.clone(), vec![array.clone()])
        } else {
            Node::lit(len, usize.clone())
        };
        let block = self.scoped(|body| {
            let below = Some(len);
            body.scope.push(Var { name: name.clone(), ty: usize.clone(), mutable: false, below });
            let index = Node::local(&name, usize.clone());
            let element = Node::new(Kind::Index, (*of).clone(), vec![array, index]);
            let mut stmts = Vec::new();
            if write {
                // The value belongs to the body: a jump in it means this loop.
                body.trips *= len;
                body.around.push(Around::Loop);
                let value = body.expr(&of, 2);
                body.around.pop();
                body.trips /= len;
                stmts.push(Node::stmt(Kind::Assign, vec![element, value]));
            } else {
                let local = body.fresh();
                stmts.push(Node::new(Kind::Let(local.clone(), true, false), (*of).clone(), vec![element]));
                body.bind(&local, &of, true);
            }
            stmts.extend(body.body_of_loop(len, depth));
            Node::block(stmts)
        });
        out.push(Node::stmt(Kind::For(name, false), vec![Node::lit(0, usize), to, block]));
    }

    /// A loop's counter, and its declaration.
    pub(super) fn counter(&mut self, most: usize) -> (Node, Node) {
        let ty = Ty::Int(items::integer(self.random, true));
        let name = self.fresh();
        let declared =
            Node::new(Kind::Let(name.clone(), true, true), ty.clone(), vec![Node::lit(0, ty.clone())]);
        self.scope.push(Var { name: name.clone(), ty: ty.clone(), mutable: false, below: Some(most + 1) });
        (Node::local(&name, ty), declared)
    }

    /// `counter += 1`
    pub(super) fn count_up(counter: &Node) -> Node {
        let one = Node::lit(1, counter.ty.clone());
        Node::stmt(Kind::Compound("+"), vec![counter.clone(), one])
    }

    fn while_loop(&mut self, depth: usize, out: &mut Vec<Node>) {
        let most = 1 + self.random.below(9);
        if !self.fits(most + 1) {
            return self.compound(out);
        }
        let block = self.scoped(|body| {
            let (counter, declared) = body.counter(most);
            body.around.push(Around::Nothing);
            let mut cond = Node::binary("<", counter.clone(), Node::lit(most, counter.ty.clone()));
            if body.random.percent(50) {
                let more = body.condition(1);
                cond = Node::binary("&&", cond, more);
            }
            body.around.pop();
            let mut stmts = vec![Self::count_up(&counter)];
            stmts.extend(body.body_of_loop(most + 1, depth));
            Node::block(vec![declared, Node::stmt(Kind::While, vec![cond, Node::block(stmts)])])
        });
        out.push(block);
    }

    fn endless(&mut self, depth: usize, out: &mut Vec<Node>) {
        let most = 1 + self.random.below(9);
        if !self.fits(most + 1) {
            return self.compound(out);
        }
        let block = self.scoped(|body| {
            let (counter, declared) = body.counter(most);
            let full = Node::binary(">=", counter.clone(), Node::lit(most, counter.ty.clone()));
            let leave = Node::block(vec![Node::new(Kind::Break, Ty::Never, Vec::new())]);
            let mut stmts = vec![Self::count_up(&counter), Node::stmt(Kind::If, vec![full, leave])];
            stmts.extend(body.body_of_loop(most + 1, depth));
            Node::block(vec![declared, Node::stmt(Kind::Loop, vec![Node::block(stmts)])])
        });
        out.push(block);
    }

    fn assertion(&mut self, out: &mut Vec<Node>) {
        let cond = if self.random.percent(70) {
            let int = items::integer(self.random, true);
            let value = self.not_constant(&Ty::Int(int), 2);
            let modulus = 20 + self.random.below(80);
            let value = Node::method("rem_euclid", vec![value, Node::lit(modulus, Ty::Int(int))]);
            Node::binary("!=", value, Node::lit(self.random.below(12), Ty::Int(int)))
        } else {
            self.condition(2)
        };
        let text = self.random.percent(60).then(|| self.text());
        out.push(Node::stmt(Kind::Assert(text), vec![cond]));
    }

    fn text(&mut self) -> String {
        self.random
            .of(["too large", "no", "\"quoted\" \\ text", "grüß", "min > max", "attempt to fail"])
            .to_owned()
    }

    /// A block that is left by a jump, a `return` or a panic.
    pub(super) fn leaving(&mut self, depth: usize) -> Node {
        self.scoped(|body| {
            let mut stmts = if body.fuel > 10 { body.stmts_that_end(1, depth) } else { Vec::new() };
            let way = body.random.below(10);
            stmts.push(if way < 3 {
                let text = body.random.percent(80).then(|| body.text());
                Node::new(Kind::Panic(text), Ty::Never, Vec::new())
            } else if way < 6 && !body.around.is_empty() {
                body.jump()
            } else {
                let ret = body.ret.clone();
                let value = if ret == Ty::Unit { Vec::new() } else { vec![body.expr(&ret, 2)] };
                Node::new(Kind::Return, Ty::Never, value)
            });
            Node::block(stmts)
        })
    }

    /// `break` or `continue` of the loop around, or `return` where there is none.
    fn jump(&mut self) -> Node {
        match self.around.last().cloned() {
            Some(Around::Value(ty)) => {
                let value = self.expr(&ty, 1);
                Node::new(Kind::Break, Ty::Never, vec![value])
            }
            Some(around @ (Around::Loop | Around::Block))
                if !self.labels.is_empty() && (around == Around::Block || self.random.percent(60)) =>
            {
                let (label, turns) = self.labels[self.random.below(self.labels.len())].clone();
                let way = if turns { self.random.of(["break", "continue"]) } else { "break" };
                Node::new(Kind::JumpTo(way, label), Ty::Never, Vec::new())
            }
            Some(Around::Loop) => {
                let kind = if self.random.percent(50) { Kind::Break } else { Kind::Continue };
                Node::new(kind, Ty::Never, Vec::new())
            }
            Some(Around::Nothing | Around::Block) | None => {
                let ret = self.ret.clone();
                let value = if ret == Ty::Unit { Vec::new() } else { vec![self.expr(&ret, 1)] };
                Node::new(Kind::Return, Ty::Never, value)
            }
        }
    }

    fn tell(&mut self, out: &mut Vec<Node>) {
        // The outbox has 16 entries.
        if self.trips > 8 && self.random.percent(80) {
            return self.assign(out);
        }
        let Some(target) = self.place(false, &|ty| matches!(ty, Ty::Id(_))) else {
            return self.compound(out);
        };
        let Ty::Id(actor) = target.ty else { return };
        let module = self.module;
        let Some(handler) = self.random.pick(&module.actors[actor].handlers) else { return };
        if !handler.params.iter().all(|param| self.makeable(&param.ty)) {
            return self.compound(out);
        }
        let mut kids = vec![target];
        // The arguments are evaluated while the context and the receiver's id are borrowed.
        let context = std::mem::take(&mut self.context);
        let calm = std::mem::replace(&mut self.calm, true);
        for param in &handler.params {
            kids.push(self.expr(&param.ty, 2));
        }
        (self.context, self.calm) = (context, calm);
        out.push(Node::stmt(Kind::Tell(handler.name.clone()), kids));
    }
}

/// The local that a place belongs to; `None` for the state.
fn root(place: &Node) -> Option<&str> {
    match &place.kind {
        Kind::Local(name) => Some(name),
        Kind::State => None,
        _ => place.kids.first().and_then(root),
    }
}
