//! Items: structs, constants, signatures; then the bodies.

use super::{Body, Var};
use crate::random::Random;
use crate::tree::{Actor, Const, Enum, Function, Int, Kind, Module, Node, Param, Struct, Ty};

/// Names of fields: some that places and generated code have, too.
const FIELDS: [&str; 16] = [
    "at", "x", "y", "read", "len", "value", "index", "offset", "state", "b", "write", "addr", "total",
    "flags", "raw", "r#type",
];
/// Bytes of a message or reply that are used; the language allows 224.
const PAYLOAD: usize = 200;

pub(super) fn module(random: &mut Random, handlers: usize) -> Module {
    let mut module = Module::default();
    for index in 0..random.below(3) {
        let plain = random.percent(50);
        let variants = (0..2 + random.below(4))
            .map(|at| {
                let fields = if at == 0 || plain { 0 } else { random.below(3) };
                (format!("V{at}"), (0..fields).map(|_| scalar(random, false)).collect())
            })
            .collect();
        module.enums.push(Enum { name: format!("Kind{index}"), variants });
    }
    for index in 0..random.below(4) {
        let fields = fields(random, &module, 1, false);
        module.structs.push(Struct { name: format!("Data{index}"), fields });
    }
    // States come last among the structs, so that no state is part of another.
    let actors = 1 + usize::from(random.percent(40));
    let data = module.structs.len();
    for index in 0..actors {
        module.structs.push(Struct { name: format!("Actor{index}"), fields: Vec::new() });
        module.actors.push(Actor { state: data + index, handlers: Vec::new() });
    }
    for index in 0..actors {
        module.structs[data + index].fields = fields(random, &module, 2, true);
    }
    for index in 0..module.structs.len() {
        let ty = Ty::Struct(index);
        // An id has no constant.
        if !module.holds_id(&ty) {
            let value = constant(random, &module, &ty);
            module.consts.push(Const { name: format!("C{index}"), ty, value });
        }
    }
    for index in 0..random.below(4) {
        let ty = ty(random, &module, 1, false);
        let value = constant(random, &module, &ty);
        module.consts.push(Const { name: format!("K{index}"), ty, value });
    }
    for index in 0..random.below(5) {
        let mut function = signature(random, &module, format!("f{index}"), false);
        // There is always an integer to compute with.
        let ty = Ty::Int(integer(random, true));
        function.params.push(Param { name: "n".into(), mutable: random.percent(30), ty });
        function.body = body(random, &module, &function, None);
        module.functions.push(function);
    }
    for index in 0..handlers {
        let mut handler = signature(random, &module, format!("h{index}"), true);
        if !handler.params.iter().any(|param| matches!(param.ty, Ty::Int(_))) {
            let ty = Ty::Int(integer(random, false));
            handler.params.push(Param { name: "n".into(), mutable: random.percent(30), ty });
        }
        module.actors[index % actors].handlers.push(handler);
    }
    for actor in 0..actors {
        for index in 0..module.actors[actor].handlers.len() {
            let handler = module.actors[actor].handlers[index].clone();
            let body = body(random, &module, &handler, Some(module.actors[actor].state));
            module.actors[actor].handlers[index].body = body;
        }
    }
    module
}

fn body(random: &mut Random, module: &Module, function: &Function, state: Option<usize>) -> Node {
    let scope = function
        .params
        .iter()
        .map(|param| Var {
            name: param.name.clone(),
            ty: param.ty.clone(),
            mutable: param.mutable,
            below: None,
        })
        .collect();
    let handler = state.is_some();
    // Many small ones: rustc's time goes into nodes, and what is wrong shows in few of them.
    let fuel = match random.below(10) {
        _ if !handler => 8 + random.below(40),
        0..=5 => 12 + random.below(40),
        6..=8 => 40 + random.below(80),
        _ => 120 + random.below(180),
    };
    Body {
        random,
        module,
        functions: module.functions.len(),
        scope,
        around: Vec::new(),
        labels: Vec::new(),
        ret: function.ret.clone(),
        state: state.map(|state| (state, function.writes)),
        context: function.context,
        calm: false,
        fuel: fuel as isize,
        trips: 1,
        most_trips: if handler { 200 } else { 8 },
        names: 0,
    }
    .body()
}

fn signature(random: &mut Random, module: &Module, name: String, handler: bool) -> Function {
    let mut params: Vec<Param> = Vec::new();
    for index in 0..random.below(4) {
        let ty = if handler && random.percent(15) && !module.actors.is_empty() {
            Ty::Id(random.below(module.actors.len()))
        } else {
            signature_ty(random, module, !handler)
        };
        let name = if random.percent(20) { random.of(["b", "state", "at", "to"]) } else { "" };
        let taken = name.is_empty() || params.iter().any(|param| param.name == name);
        let name = if taken { format!("p{index}") } else { name.to_owned() };
        let fits = module.layout_of(params.iter().map(|param| &param.ty).chain([&ty])).0 <= PAYLOAD - 16;
        if fits {
            params.push(Param { name, mutable: random.percent(30), ty });
        }
    }
    let ret = match random.below(10) {
        0 if handler => Ty::Unit,
        1 | 2 => signature_ty(random, module, !handler),
        _ => scalar(random, !handler),
    };
    let ret = if module.layout(&ret).0 <= PAYLOAD { ret } else { Ty::Bool };
    let (writes, context) = (handler && random.percent(90), handler && random.percent(60));
    let atomic = writes && random.percent(25);
    Function { name, writes, atomic, context, params, ret, body: Node::block(Vec::new()) }
}

fn fields(random: &mut Random, module: &Module, depth: usize, state: bool) -> Vec<(String, Ty)> {
    let count = if state { 2 + random.below(5) } else { 1 + random.below(4) };
    let mut fields: Vec<(String, Ty)> = Vec::new();
    for index in 0..count {
        let ty = if state && random.percent(10) {
            Ty::Id(random.below(module.actors.len()))
        } else {
            ty(random, module, depth, false)
        };
        let name = random.of(FIELDS);
        let taken = random.percent(50) || fields.iter().any(|(other, _)| other == name);
        let name = if taken { format!("a{index}") } else { name.to_owned() };
        fields.push((name, ty));
    }
    fields
}

/// An integer type; `local` allows `usize` and `isize`.
pub(super) fn integer(random: &mut Random, local: bool) -> Int {
    let bits = random.of([8, 8, 16, 32, 32, 32, 64, 64]);
    let size = local && random.percent(10);
    Int { signed: random.percent(45), bits: if size { 64 } else { bits }, size }
}

/// A scalar type.
pub(super) fn scalar(random: &mut Random, local: bool) -> Ty {
    match random.below(10) {
        0 => Ty::Bool,
        1 => Ty::Float(32),
        2 => Ty::Float(64),
        _ => Ty::Int(integer(random, local)),
    }
}

/// Any type of data; `depth` arrays and structs within each other, besides what structs hold.
pub(super) fn ty(random: &mut Random, module: &Module, depth: usize, local: bool) -> Ty {
    let data = module.structs.len() - module.actors.len();
    match random.below(20) {
        0..=3 if depth > 0 => {
            let of = ty(random, module, depth - 1, local);
            let len = 1 + random.below(6);
            if module.layout(&of).0 * len <= 96 { Ty::Array(Box::new(of), len) } else { of }
        }
        8 | 9 if !module.enums.is_empty() => Ty::Enum(random.below(module.enums.len())),
        10 => Ty::Option(Box::new(scalar(random, local))),
        4..=7 if data > 0 => {
            let index = random.below(data);
            if module.layout(&Ty::Struct(index)).0 <= 96 { Ty::Struct(index) } else { Ty::Bool }
        }
        _ => scalar(random, local),
    }
}

/// A type of parameters and results: results are there, too, and tuples where `local` allows them.
pub(super) fn signature_ty(random: &mut Random, module: &Module, local: bool) -> Ty {
    match random.below(12) {
        0 => {
            let of = ty(random, module, 1, local);
            Ty::Result(Box::new(of), Box::new(scalar(random, local)))
        }
        1 | 2 if local => {
            let parts = (0..2 + random.below(3)).map(|_| ty(random, module, 1, local)).collect();
            Ty::Tuple(parts)
        }
        _ => ty(random, module, 1, local),
    }
}

/// A constant's value, as source.
fn constant(random: &mut Random, module: &Module, ty: &Ty) -> String {
    match ty {
        Ty::Unit | Ty::Never | Ty::Id(_) => "()".into(),
        Ty::Bool => random.percent(50).to_string(),
        Ty::Int(int) => super::numbers::integer(random, *int),
        Ty::Float(_) => super::numbers::float(random),
        Ty::Enum(index) => {
            let item = &module.enums[*index];
            let (name, fields) = &item.variants[random.below(item.variants.len())];
            let fields: Vec<_> = fields.iter().map(|ty| constant(random, module, ty)).collect();
            let fields = if fields.is_empty() { String::new() } else { format!("({})", fields.join(", ")) };
            format!("{}::{name}{fields}", item.name)
        }
        Ty::Result(of, _) if random.percent(50) => format!("Ok({})", constant(random, module, of)),
        Ty::Result(_, error) => format!("Err({})", constant(random, module, error)),
        Ty::Tuple(parts) => {
            let parts: Vec<_> = parts.iter().map(|ty| constant(random, module, ty)).collect();
            format!("({})", parts.join(", "))
        }
        Ty::Option(_) if random.percent(40) => "None".into(),
        Ty::Option(of) => format!("Some({})", constant(random, module, of)),
        Ty::Array(of, len) => {
            let elements: Vec<_> = (0..*len).map(|_| constant(random, module, of)).collect();
            format!("[{}]", elements.join(", "))
        }
        Ty::Struct(index) => {
            let item = &module.structs[*index];
            let fields: Vec<_> = item
                .fields
                .iter()
                .map(|(name, ty)| format!("{name}: {}", constant(random, module, ty)))
                .collect();
            format!("{} {{ {} }}", item.name, fields.join(", "))
        }
    }
}

impl Body<'_> {
    /// A constant of the module with this type.
    pub(super) fn module_constant(&mut self, ty: &Ty) -> Option<Node> {
        let module = self.module;
        let fitting: Vec<_> = module.consts.iter().filter(|item| item.ty == *ty).collect();
        let item = self.random.pick(&fitting)?;
        Some(Node::new(Kind::Const(item.name.clone()), ty.clone(), Vec::new()))
    }
}
