//! The cuts: what can be taken away from a module, and how.

use crate::tree::{Function, Kind, Module, Node, Ty};

/// One cut.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cut {
    /// All items that nothing uses.
    Unused,
    /// In a body (as [`Module::bodies`] counts), at a node (as [`Node::walk`] counts).
    Node(usize, usize, Change),
}

/// What a node becomes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// Nothing; of statements.
    Nothing,
    /// A literal: zero or one.
    Literal(bool),
    /// A part of itself, by the way to it.
    Part(Vec<usize>),
    /// An `if` without its second block.
    Shorter,
    /// Without this part: an arm of a `match`.
    Without(usize),
}

/// The module with only what one handler needs, if that is known.
pub(super) fn isolate(module: &Module, actor: Option<usize>, handler: Option<usize>) -> Module {
    let mut module = module.clone();
    let Some(actor) = actor else { return module };
    for (index, item) in module.actors.iter_mut().enumerate() {
        for (at, function) in item.handlers.iter_mut().enumerate() {
            let keep = index == actor && handler.is_none_or(|handler| handler == at);
            if !keep {
                empty(function);
            }
        }
    }
    unused(&mut module);
    module
}

/// Leaves a function without a body that does anything.
fn empty(function: &mut Function) {
    function.body = Node::block(vec![Node::new(Kind::Panic(None), Ty::Never, Vec::new())]);
}

/// All cuts of a module.
pub(super) fn all(module: &Module) -> Vec<Cut> {
    let mut cuts = vec![Cut::Unused];
    for (body, root) in module.bodies().enumerate() {
        let mut at = 0;
        below(root, true, &mut at, &mut |node, at, stmt| {
            let mut add = |change| cuts.push(Cut::Node(body, at, change));
            if at == 0 {
                return;
            }
            if stmt {
                if !(node.kind == Kind::Block(false) && node.kids.is_empty()) {
                    add(Change::Nothing);
                }
                for (index, kid) in node.kids.iter().enumerate() {
                    if matches!(kid.kind, Kind::Block(false)) {
                        add(Change::Part(vec![index]));
                    }
                }
            } else if node.ty.is_scalar() && !matches!(node.kind, Kind::Lit(..)) {
                add(Change::Literal(false));
                add(Change::Literal(true));
            } else if let Kind::Lit(text, _) = &node.kind
                && text != "0"
                && text != "0.0"
                && text != "false"
            {
                add(Change::Literal(false));
            }
            if !stmt {
                parts(node, &node.ty, &mut Vec::new(), &mut |way| add(Change::Part(way)));
            }
            if node.kind == Kind::Match {
                (1..node.kids.len()).for_each(|arm| add(Change::Without(arm)));
                // An arm is not a part that could stand alone, but its block is.
                for (index, arm) in node.kids.iter().enumerate().skip(1) {
                    if arm.ty == node.ty {
                        add(Change::Part(vec![index, arm.kids.len() - 1]));
                    }
                }
            }
            if matches!(node.kind, Kind::If | Kind::IfLet(_)) && node.ty == Ty::Unit && node.kids.len() == 3 {
                add(Change::Shorter);
            }
        });
    }
    cuts
}

/// Visits nodes with their number, and whether they are statements.
fn below(node: &Node, stmt: bool, at: &mut usize, visit: &mut impl FnMut(&Node, usize, bool)) {
    visit(node, *at, stmt);
    *at += 1;
    for (index, kid) in node.kids.iter().enumerate() {
        let stmt = match node.kind {
            Kind::Block(value) => !(value && index + 1 == node.kids.len()),
            // Their blocks are no statements that could go, nor are they values.
            _ => false,
        };
        below(kid, stmt, at, visit);
    }
}

/// The ways to parts of the same type, not too deep.
fn parts(node: &Node, ty: &Ty, way: &mut Vec<usize>, found: &mut impl FnMut(Vec<usize>)) {
    if way.len() == 3 || matches!(ty, Ty::Unit | Ty::Never) {
        return;
    }
    for (index, kid) in node.kids.iter().enumerate() {
        // What a block declares stays in it.
        let leaves_scope = matches!(node.kind, Kind::Block(true)) && node.kids.len() > 1;
        way.push(index);
        if kid.ty == *ty && !leaves_scope && !matches!(kid.kind, Kind::Let(..) | Kind::Arm(..)) {
            found(way.clone());
        }
        if !leaves_scope {
            parts(kid, ty, way, found);
        }
        way.pop();
    }
}

/// The module with cuts made; those that do not fit any more are left out.
pub(super) fn apply(module: &Module, cuts: &[Cut]) -> Module {
    apply_sound(module, cuts, |_| true)
}

/// The same; a cut after which the module is not sound is left out.
pub(super) fn apply_sound(module: &Module, cuts: &[Cut], sound: impl Fn(&Module) -> bool) -> Module {
    let mut module = module.clone();
    // From behind, so that the numbers of what comes before stay what they are; items at the very end.
    let mut cuts: Vec<&Cut> = cuts.iter().collect();
    cuts.sort_by_key(|cut| match cut {
        Cut::Unused => (0, 0),
        Cut::Node(body, at, _) => (body + 1, *at),
    });
    let mut last = None;
    for cut in cuts.into_iter().rev() {
        let mut smaller = module.clone();
        match cut {
            Cut::Unused => {
                tidy(&mut smaller);
                unused(&mut smaller);
            }
            Cut::Node(body, at, change) => {
                // One change for each node.
                if last == Some((*body, *at)) {
                    continue;
                }
                let Some(root) = smaller.bodies_mut().nth(*body) else { continue };
                change_at(root, &mut { *at }, change);
            }
        }
        if sound(&smaller) {
            module = smaller;
            if let Cut::Node(body, at, _) = cut {
                last = Some((*body, *at));
            }
        }
    }
    tidy(&mut module);
    module
}

/// Changes the node that is `left` nodes ahead.
fn change_at(node: &mut Node, left: &mut usize, change: &Change) -> bool {
    if *left == 0 {
        change_node(node, change);
        return true;
    }
    *left -= 1;
    node.kids.iter_mut().any(|kid| change_at(kid, left, change))
}

fn change_node(node: &mut Node, change: &Change) {
    match change {
        Change::Nothing => *node = Node::block(Vec::new()),
        Change::Literal(one) => {
            let text = match (&node.ty, one) {
                (Ty::Bool, one) => one.to_string(),
                (Ty::Float(_), false) => "0.0".into(),
                (Ty::Float(_), true) => "1.0".into(),
                (_, one) => u8::from(*one).to_string(),
            };
            *node = Node::lit(text, node.ty.clone());
        }
        Change::Part(way) => {
            let mut part = &*node;
            for step in way {
                let Some(kid) = part.kids.get(*step) else { return };
                part = kid;
            }
            let statement = matches!(part.kind, Kind::Block(false));
            if statement || part.ty == node.ty {
                *node = part.clone();
                if let Kind::Lit(_, suffix) = &mut node.kind {
                    *suffix = true;
                }
            }
        }
        Change::Shorter => {
            node.kids.pop();
        }
        Change::Without(part) => {
            if *part < node.kids.len() {
                node.kids.remove(*part);
            }
        }
    }
}

/// Takes away blocks that hold nothing or one value, and blocks of statements that are statements themselves.
fn tidy(module: &mut Module) {
    for body in module.bodies_mut() {
        body.walk_mut(&mut |node| {
            if let Kind::Block(value) = node.kind {
                let count = node.kids.len() - usize::from(value);
                let mut index = 0;
                node.kids.retain(|kid| {
                    index += 1;
                    index > count || !(kid.kind == Kind::Block(false) && kid.kids.is_empty())
                });
            }
        });
    }
}

/// Takes away all that nothing uses.
fn unused(module: &mut Module) {
    loop {
        let before = size(module);
        unused_once(module);
        if size(module) == before {
            return;
        }
    }
}

fn size(module: &Module) -> usize {
    let functions = module.functions.iter().chain(module.actors.iter().flat_map(|actor| &actor.handlers));
    let params: usize = functions.map(|function| 1 + function.params.len()).sum();
    let fields: usize = module.structs.iter().map(|item| 1 + item.fields.len()).sum();
    params + fields + module.consts.len()
}

fn unused_once(module: &mut Module) {
    let uses = |module: &Module, test: &dyn Fn(&Node) -> bool| {
        let mut used = false;
        module.bodies().for_each(|body| body.walk(&mut |node| used |= test(node)));
        used
    };
    let mut index = 0;
    while index < module.functions.len() {
        let name = module.functions[index].name.clone();
        if uses(module, &|node| node.kind == Kind::Call(name.clone())) {
            index += 1;
        } else {
            module.functions.remove(index);
        }
    }
    let told = |module: &Module, name: &str| uses(module, &|node| node.kind == Kind::Tell(name.to_owned()));
    for actor in 0..module.actors.len() {
        let mut index = 0;
        while index < module.actors[actor].handlers.len() {
            let function = &module.actors[actor].handlers[index];
            let emptied = function.body.size() <= 2 && function.body.ty == Ty::Never;
            let name = function.name.clone();
            let only = module.actors.iter().map(|actor| actor.handlers.len()).sum::<usize>() == 1;
            if emptied && !only && !told(module, &name) {
                module.actors[actor].handlers.remove(index);
            } else {
                index += 1;
            }
        }
    }
    let consts: Vec<_> = module
        .consts
        .iter()
        .filter(|item| uses(module, &|node| node.kind == Kind::Const(item.name.clone())))
        .cloned()
        .collect();
    module.consts = consts;
    unused_params(module);
    unused_fields(module);
}

fn mentions(body: &Node, name: &str) -> bool {
    let mut found = false;
    body.walk(&mut |node| found |= matches!(&node.kind, Kind::Local(local) if local == name));
    found
}

fn unused_params(module: &mut Module) {
    let told: Vec<String> = {
        let mut told = Vec::new();
        module.bodies().for_each(|body| {
            body.walk(&mut |node| {
                if let Kind::Tell(name) = &node.kind {
                    told.push(name.clone());
                }
            });
        });
        told
    };
    for handler in module.actors.iter_mut().flat_map(|actor| &mut actor.handlers) {
        if !told.contains(&handler.name) {
            let body = &handler.body;
            handler.params.retain(|param| mentions(body, &param.name));
        }
    }
    for index in 0..module.functions.len() {
        let function = &mut module.functions[index];
        let gone: Vec<usize> = (0..function.params.len())
            .filter(|param| !mentions(&function.body, &function.params[*param].name))
            .collect();
        for param in gone.iter().rev() {
            function.params.remove(*param);
        }
        let call = Kind::Call(function.name.clone());
        for body in module.bodies_mut() {
            body.walk_mut(&mut |node| {
                if node.kind == call {
                    for param in gone.iter().rev() {
                        node.kids.remove(*param);
                    }
                }
            });
        }
    }
}

fn unused_fields(module: &mut Module) {
    for index in 0..module.structs.len() {
        // A constant is written with all its fields.
        if module.consts.iter().any(|item| mentions_type(&item.ty, index)) {
            continue;
        }
        let whole = Ty::Struct(index);
        let mut used = std::collections::BTreeSet::new();
        module.bodies().for_each(|body| {
            body.walk(&mut |node| {
                if let Kind::Field(name) = &node.kind
                    && node.kids[0].ty == whole
                {
                    used.insert(name.clone());
                }
                if let Kind::Make(names) = &node.kind
                    && node.ty == whole
                {
                    used.extend(names.iter().cloned());
                }
            });
        });
        module.structs[index].fields.retain(|(name, _)| used.contains(name));
        if module.structs[index].fields.is_empty() && !module.actors.iter().any(|actor| actor.state == index)
        {
            // Something may hold it still: then it is no use without a field.
            module.structs[index].fields.push(("unused".into(), Ty::Bool));
        }
    }
}

fn mentions_type(ty: &Ty, index: usize) -> bool {
    match ty {
        Ty::Array(of, _) | Ty::Option(of) => mentions_type(of, index),
        Ty::Result(of, error) => mentions_type(of, index) || mentions_type(error, index),
        Ty::Tuple(parts) => parts.iter().any(|ty| mentions_type(ty, index)),
        Ty::Struct(other) => *other == index,
        _ => false,
    }
}
