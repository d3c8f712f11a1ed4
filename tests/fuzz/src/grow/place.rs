//! Places: what there is of a type, and indices that are mostly in bounds.

use super::Body;
use crate::tree::{Int, Kind, Node, Ty};

/// The way to a place: a local or the state, then fields and elements.
#[derive(Clone, Debug)]
struct Path {
    root: Option<String>,
    root_ty: Ty,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Field(String, Ty),
    Element(usize, Ty),
}

/// Steps from a local to its parts that are looked at.
const DEPTH: usize = 4;

impl Body<'_> {
    /// Whether `name` means the local of this type, and not one that hides it.
    pub(super) fn visible(&self, name: &str, ty: &Ty) -> bool {
        self.scope.iter().rev().find(|var| var.name == name).is_some_and(|var| var.ty == *ty)
    }

    /// A place whose type passes, if there is one; `write` wants one that can be assigned to.
    pub(super) fn place(&mut self, write: bool, wanted: &dyn Fn(&Ty) -> bool) -> Option<Node> {
        let mut found = Vec::new();
        for (index, var) in self.scope.iter().enumerate() {
            let hidden = self.scope[index + 1..].iter().any(|later| later.name == var.name);
            if !hidden && (var.mutable || !write) {
                let root = Path { root: Some(var.name.clone()), root_ty: var.ty.clone(), steps: Vec::new() };
                self.paths(&root, &var.ty, wanted, &mut found);
            }
        }
        if let Some((state, writes)) = self.state
            && (writes || !write)
        {
            let ty = Ty::Struct(state);
            let root = Path { root: None, root_ty: ty.clone(), steps: Vec::new() };
            self.paths(&root, &ty, wanted, &mut found);
        }
        let path = self.random.pick(&found)?.clone();
        Some(self.instance(path))
    }

    /// A place of exactly this type.
    pub(super) fn place_of(&mut self, ty: &Ty) -> Option<Node> {
        self.place(false, &|found| found == ty)
    }

    fn paths(&self, path: &Path, ty: &Ty, wanted: &dyn Fn(&Ty) -> bool, found: &mut Vec<Path>) {
        if wanted(ty) {
            found.push(path.clone());
        }
        if path.steps.len() == DEPTH {
            return;
        }
        let step = |step| {
            let mut path = path.clone();
            path.steps.push(step);
            path
        };
        match ty {
            Ty::Array(of, len) => {
                self.paths(&step(Step::Element(*len, (**of).clone())), of, wanted, found);
            }
            Ty::Tuple(parts) => {
                for (index, ty) in parts.iter().enumerate() {
                    self.paths(&step(Step::Field(index.to_string(), ty.clone())), ty, wanted, found);
                }
            }
            Ty::Struct(index) => {
                for (name, ty) in &self.module.structs[*index].fields {
                    self.paths(&step(Step::Field(name.clone(), ty.clone())), ty, wanted, found);
                }
            }
            _ => {}
        }
    }

    fn instance(&mut self, path: Path) -> Node {
        let root = match path.root {
            Some(name) => Node::local(&name, path.root_ty),
            None => Node::new(Kind::State, path.root_ty, Vec::new()),
        };
        path.steps.into_iter().fold(root, |base, step| match step {
            Step::Field(name, ty) => Node::new(Kind::Field(name), ty, vec![base]),
            Step::Element(len, ty) => {
                let index = self.index(len);
                Node::new(Kind::Index, ty, vec![base, index])
            }
        })
    }

    /// An index of an array of this length.
    pub(super) fn index(&mut self, len: usize) -> Node {
        self.fuel -= 1;
        let usize = Ty::Int(Int::USIZE);
        let counters: Vec<_> = self
            .scope
            .iter()
            .filter(|var| var.ty == usize && var.below.is_some_and(|below| below <= len))
            .cloned()
            .collect();
        if let Some(counter) = self.random.pick(&counters)
            && self.visible(&counter.name, &usize)
            && self.random.percent(60)
        {
            return Node::local(&counter.name, usize);
        }
        if self.fuel < 0 || self.random.percent(35) {
            return Node::new(
                Kind::Lit(self.random.below(len).to_string(), self.random.percent(20)),
                usize,
                Vec::new(),
            );
        }
        let int = super::items::integer(self.random, true);
        let depth = self.random.below(2);
        let calm = std::mem::replace(&mut self.calm, true);
        let value = if self.random.percent(50) {
            self.small(int, depth + 1)
        } else {
            self.not_constant(&Ty::Int(int), depth)
        };
        self.calm = calm;
        let value = self.after_a_write(value);
        let value = if int == Int::USIZE { value } else { value.cast(usize.clone()) };
        match self.random.below(20) {
            0 if !value.is_constant() => Node::binary("%", value, Node::lit(len + 1, usize)),
            1 => Node::binary("&", value, Node::lit(len.next_power_of_two() - 1, usize)),
            2 => Node::method("min", vec![value, Node::lit(len - 1, usize)]),
            3 if int.bits == 8 && !value.is_constant() => value,
            _ if value.is_constant() => Node::lit(self.random.below(len), usize),
            _ => Node::binary("%", value, Node::lit(len, usize)),
        }
    }
}
