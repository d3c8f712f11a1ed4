//! Whether a cut program could compile: names are declared, jumps have a loop, constants cannot fault. It need not be sure:
//! rustc is, but asking it costs more.

use crate::tree::{Function, Kind, Module, Node, Ty};

/// Whether nothing obvious is wrong with a module.
pub(super) fn is_sound(module: &Module) -> bool {
    let functions = module.functions.iter().map(|function| (function, false));
    let handlers = module.actors.iter().flat_map(|actor| &actor.handlers).map(|handler| (handler, true));
    functions.chain(handlers).all(|(function, handler)| {
        let mut checker = Checker {
            module,
            scope: function.params.iter().map(|param| (param.name.clone(), param.ty.clone())).collect(),
            loops: 0,
            labels: Vec::new(),
        };
        checker.sound(&function.body) && ends(function) && (handler || !uses_state(&function.body))
    })
}

/// Whether the body gives what the signature says.
fn ends(function: &Function) -> bool {
    function.ret == Ty::Unit || function.body.ty == Ty::Never || function.body.ty == function.ret
}

fn uses_state(body: &Node) -> bool {
    let mut uses = false;
    body.walk(&mut |node| uses |= node.kind == Kind::State);
    uses
}

struct Checker<'a> {
    module: &'a Module,
    scope: Vec<(String, Ty)>,
    loops: usize,
    labels: Vec<String>,
}

impl Checker<'_> {
    fn all(&mut self, nodes: &[Node]) -> bool {
        nodes.iter().all(|node| self.sound(node))
    }

    /// What stands where names are bound.
    fn bound(&mut self, names: &[(String, Ty)], nodes: &[Node]) -> bool {
        let depth = self.scope.len();
        self.scope.extend(names.iter().cloned());
        let sound = self.all(nodes);
        self.scope.truncate(depth);
        sound
    }

    /// The body of a loop.
    fn turn(&mut self, names: &[(String, Ty)], body: &Node) -> bool {
        self.loops += 1;
        let sound = self.bound(names, std::slice::from_ref(body));
        self.loops -= 1;
        sound
    }

    fn sound(&mut self, node: &Node) -> bool {
        let kids = &node.kids;
        match &node.kind {
            Kind::Local(name) => {
                let found = self.scope.iter().rev().find(|(known, _)| known == name);
                found.is_some_and(|(_, ty)| *ty == node.ty)
            }
            Kind::Const(name) => {
                name.contains("::") || self.module.consts.iter().any(|item| item.name == *name)
            }
            // A function of `math`.
            Kind::Call(name) if name.contains("::") => self.all(kids),
            Kind::Call(name) => {
                self.module.functions.iter().any(|function| {
                    function.name == *name && function.params.len() == kids.len() && function.ret == node.ty
                }) && self.all(kids)
            }
            Kind::Unary("-") if kids[0].is_constant() => false,
            Kind::Binary("+" | "-" | "*" | "/" | "%" | "<<" | ">>") if node.is_constant() => false,
            Kind::Break | Kind::Continue => self.loops > 0 && self.all(kids),
            Kind::Block(_) => {
                let depth = self.scope.len();
                let sound = self.all(kids);
                self.scope.truncate(depth);
                sound
            }
            Kind::Let(name, ..) => {
                let sound = self.all(kids);
                self.scope.push((name.clone(), node.ty.clone()));
                sound
            }
            Kind::For(name, _) => {
                let depth = self.scope.len();
                let bounds = self.all(&kids[..2]);
                self.scope.push((name.clone(), kids[0].ty.clone()));
                self.loops += 1;
                let sound = bounds && self.sound(&kids[2]);
                self.loops -= 1;
                self.scope.truncate(depth);
                sound
            }
            Kind::Turns(name, ..) => {
                let bounds = self.all(&kids[..2]);
                bounds && self.turn(&[(name.clone(), kids[0].ty.clone())], &kids[2])
            }
            Kind::Over(name) => {
                let Ty::Array(of, _) = &kids[0].ty else { return false };
                self.sound(&kids[0]) && self.turn(&[(name.clone(), (**of).clone())], &kids[1])
            }
            Kind::Label(name) => {
                self.labels.push(name.clone());
                let labelled = matches!(
                    kids[0].kind,
                    Kind::While
                        | Kind::Loop
                        | Kind::For(..)
                        | Kind::Turns(..)
                        | Kind::Over(_)
                        | Kind::Block(false)
                );
                let sound = labelled && self.all(kids);
                self.labels.pop();
                sound
            }
            Kind::JumpTo(_, name) => self.labels.contains(name),
            Kind::Match => {
                // The last arm has to take what is left.
                let whole = kids.last().is_some_and(|arm| matches!(arm.kind, Kind::Arm(_, false)));
                whole && self.all(kids)
            }
            Kind::Arm(pattern, _) => self.bound(&pattern.names(), kids),
            Kind::IfLet(pattern) => {
                self.sound(&kids[0]) && self.bound(&pattern.names(), &kids[1..2]) && self.all(&kids[2..])
            }
            Kind::LetPat(pattern) => {
                let sound = self.all(kids);
                self.scope.extend(pattern.names());
                sound
            }
            Kind::LetElse(pattern) => {
                let sound = self.all(kids) && kids[1].ty == Ty::Never;
                self.scope.extend(pattern.names());
                sound
            }
            Kind::While | Kind::Loop => {
                self.loops += 1;
                let sound = self.all(kids);
                self.loops -= 1;
                sound
            }
            _ => self.all(kids),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{grow, print, random::Random};

    #[test]
    fn what_is_grown_is_sound() {
        for seed in 0..200 {
            let module = grow::module(&mut Random::new(seed, 1), 4);
            for function in
                module.functions.iter().chain(module.actors.iter().flat_map(|actor| &actor.handlers))
            {
                let params = function.params.iter().map(|param| (param.name.clone(), param.ty.clone()));
                let mut checker =
                    Checker { module: &module, scope: params.collect(), loops: 0, labels: Vec::new() };
                assert!(
                    checker.sound(&function.body),
                    "{seed} {} {}",
                    function.name,
                    print::print(&module, "m").text
                );
                assert!(
                    ends(function),
                    "{seed} {} {} {:?}",
                    function.name,
                    print::print(&module, "m").text,
                    function.body.ty
                );
            }
        }
    }
}
