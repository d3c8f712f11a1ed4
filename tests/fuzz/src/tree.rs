//! Programs as trees: what the generator makes, the printer prints, and the shrinker cuts.
//!
//! Rule kept here: statements, expressions and places are nodes of one kind, with their parts in the order of the source.
//! So whatever walks a program (counting, cutting, mutating, checking names) is written once. Every node knows its type;
//! cutting never has to infer one.

use std::collections::HashSet;
use std::fmt;

/// A type of the handler language.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// `()`, and the type of statements.
    Unit,
    /// What never comes to an end: a jump, or a block that ends with one.
    Never,
    /// `bool`
    Bool,
    /// An integer, by its name.
    Int(Int),
    /// `f32` or `f64`.
    Float(u32),
    /// `[T; N]`
    Array(Box<Ty>, usize),
    /// A struct of the module, by index.
    Struct(usize),
    /// An enum of the module, by index.
    Enum(usize),
    /// `Option<T>`
    Option(Box<Ty>),
    /// `Result<T, E>`
    Result(Box<Ty>, Box<Ty>),
    /// `(A, B)`
    Tuple(Vec<Ty>),
    /// `ActorId<A>`, by the actor's index.
    Id(usize),
}

/// An integer type: `usize` and `isize` have `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Int {
    /// Whether it has a sign.
    pub signed: bool,
    /// Its width.
    pub bits: u32,
    /// Whether it is `usize` or `isize`.
    pub size: bool,
}

impl Int {
    /// `usize`
    pub const USIZE: Self = Self { signed: false, bits: 64, size: true };
    /// `u32`
    pub const U32: Self = Self { signed: false, bits: 32, size: false };
    /// `u64`
    pub const U64: Self = Self { signed: false, bits: 64, size: false };

    /// The type's name.
    pub fn name(self) -> String {
        let letter = if self.signed { 'i' } else { 'u' };
        if self.size { format!("{letter}size") } else { format!("{letter}{}", self.bits) }
    }
}

impl Ty {
    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Float(_))
    }

    /// Whether it is a number or `bool`.
    pub fn is_scalar(&self) -> bool {
        self.is_number() || *self == Self::Bool
    }
}

/// A piece of a function body.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// The type of its value; [`Ty::Unit`] for statements, [`Ty::Never`] for jumps.
    pub ty: Ty,
    /// Its parts.
    pub kids: Vec<Node>,
}

/// What a node is; the comments say what its kids are.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A literal: its text without suffix, and whether the suffix is written.
    Lit(String, bool),
    /// A constant of the module, or of the language.
    Const(String),
    /// A local, a parameter.
    Local(String),
    /// The actor's state.
    State,
    /// A field (of a place or value).
    Field(String),
    /// An element (of a place or value, index).
    Index,
    /// `-` or `!` (operand).
    Unary(&'static str),
    /// An operator (left, right).
    Binary(&'static str),
    /// A method of a number (receiver, arguments).
    Method(&'static str),
    /// `as` the node's type (value).
    Cast,
    /// A call of a device function (arguments).
    Call(String),
    /// `[a, b]` (elements).
    List,
    /// `(a, b)` (elements); left of `=` these are places.
    Tuple,
    /// `[a; N]` (value).
    Repeat,
    /// `.len()` (place).
    Len,
    /// `cx.now()`, `cx.worker()`, `cx.lane()`.
    Context(&'static str),
    /// `if` (condition, block, block or nothing).
    If,
    /// Statements; with `true` the last kid is its value.
    Block(bool),
    /// `let`: name, `mut`, whether the type is written (value or nothing).
    Let(String, bool, bool),
    /// `=` (place, value).
    Assign,
    /// `op=` (place, value).
    Compound(&'static str),
    /// `while` (condition, block).
    While,
    /// `for name in a..b`: name, inclusive (from, to, block).
    For(String, bool),
    /// `loop` (block); its value, if it has one, comes from breaks.
    Loop,
    /// `break` (value or nothing).
    Break,
    /// `continue`
    Continue,
    /// `return` (value or nothing).
    Return,
    /// `assert!` with a text, or without (condition).
    Assert(Option<String>),
    /// `panic!`
    Panic(Option<String>),
    /// `cx.tell(..)`: the handler's name (target, arguments).
    Tell(String),
    /// An expression whose value is dropped: `let _ =`, or just a semicolon (value).
    Drop(bool),
    /// A struct's literal: names of its fields (their values).
    Make(Vec<String>),
    /// A variant, as it is written (its fields).
    Variant(String),
    /// `match` (what is matched, arms).
    Match,
    /// An arm, and whether it has a guard (guard, block).
    Arm(Pat, bool),
    /// `if let` (value, block, block or nothing).
    IfLet(Pat),
    /// `let .. else` (value, block).
    LetElse(Pat),
    /// `let` with a pattern that always holds (value).
    LetPat(Pat),
    /// `matches!` (value).
    Matches(Pat),
    /// A label in front of a loop or a block (loop or block).
    Label(String),
    /// `break` or `continue` with a label.
    JumpTo(&'static str, String),
    /// `for` over a range with something behind it: name, inclusive, `rev()` and the like (from, to, block).
    Turns(String, bool, String),
    /// `for` over an array (array, block).
    Over(String),
}

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Pat {
    /// `_`
    Wild,
    /// A name.
    Bind(String, Ty),
    /// A literal, a range or a constant, as it is written.
    Value(String),
    /// `name @ ..`
    At(String, Ty, Box<Pat>),
    /// `a | b`
    Or(Vec<Pat>),
    /// A variant.
    Variant(String, Vec<Pat>),
}

impl Pat {
    /// The names that it binds.
    pub fn names(&self) -> Vec<(String, Ty)> {
        match self {
            Self::Wild | Self::Value(_) => Vec::new(),
            Self::Bind(name, ty) => vec![(name.clone(), ty.clone())],
            Self::At(name, ty, inner) => {
                let mut names = inner.names();
                names.push((name.clone(), ty.clone()));
                names
            }
            // All alternatives bind the same.
            Self::Or(patterns) => patterns.first().map(Self::names).unwrap_or_default(),
            Self::Variant(_, patterns) => patterns.iter().flat_map(Self::names).collect(),
        }
    }

    /// As source.
    pub fn text(&self) -> String {
        match self {
            Self::Wild => "_".into(),
            Self::Bind(name, _) => name.clone(),
            Self::Value(text) => text.clone(),
            Self::At(name, _, inner) => match **inner {
                Self::Or(_) => format!("{name} @ ({})", inner.text()),
                _ => format!("{name} @ {}", inner.text()),
            },
            Self::Or(patterns) => patterns.iter().map(Self::text).collect::<Vec<_>>().join(" | "),
            Self::Variant(path, patterns) if patterns.is_empty() => path.clone(),
            Self::Variant(path, patterns) => {
                format!("{path}({})", patterns.iter().map(Self::text).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl Node {
    /// A node.
    pub fn new(kind: Kind, ty: Ty, kids: Vec<Node>) -> Self {
        Self { kind, ty, kids }
    }

    /// A literal with its suffix.
    pub fn lit(text: impl fmt::Display, ty: Ty) -> Self {
        Self::new(Kind::Lit(format!("{text}"), true), ty, Vec::new())
    }

    /// A local.
    pub fn local(name: &str, ty: Ty) -> Self {
        Self::new(Kind::Local(name.to_owned()), ty, Vec::new())
    }

    /// An operation on two values.
    pub fn binary(op: &'static str, left: Node, right: Node) -> Self {
        let ty = match op {
            "==" | "!=" | "<" | "<=" | ">" | ">=" | "&&" | "||" => Ty::Bool,
            _ => left.ty.clone(),
        };
        Self::new(Kind::Binary(op), ty, vec![left, right])
    }

    /// A method whose value has the receiver's type.
    pub fn method(name: &'static str, kids: Vec<Node>) -> Self {
        let ty = kids[0].ty.clone();
        Self::new(Kind::Method(name), ty, kids)
    }

    /// `as`
    #[must_use]
    pub fn cast(self, ty: Ty) -> Self {
        Self::new(Kind::Cast, ty, vec![self])
    }

    /// A statement.
    pub fn stmt(kind: Kind, kids: Vec<Node>) -> Self {
        Self::new(kind, Ty::Unit, kids)
    }

    /// A block of statements.
    pub fn block(stmts: Vec<Node>) -> Self {
        let ty = if stmts.iter().any(|stmt| stmt.ty == Ty::Never) { Ty::Never } else { Ty::Unit };
        Self::new(Kind::Block(false), ty, stmts)
    }

    /// A block with a value.
    pub fn block_of(mut stmts: Vec<Node>, value: Node) -> Self {
        let ty = value.ty.clone();
        stmts.push(value);
        Self::new(Kind::Block(true), ty, stmts)
    }

    /// Whether the macros take it for a constant, which rustc evaluates: then it must not fault.
    pub fn is_constant(&self) -> bool {
        match &self.kind {
            Kind::Lit(..) | Kind::Const(_) => true,
            Kind::Unary(_) | Kind::Binary(_) | Kind::Cast | Kind::List | Kind::Repeat => {
                self.kids.iter().all(Node::is_constant)
            }
            _ => false,
        }
    }

    /// Whether it is a place in the source's sense: it can stand left of `=` if its root is mutable.
    pub fn is_place(&self) -> bool {
        match &self.kind {
            Kind::Local(_) | Kind::State => true,
            Kind::Field(_) | Kind::Index => self.kids[0].is_place(),
            _ => false,
        }
    }

    /// Visits the node and all below, in the order of the source.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        for kid in &self.kids {
            kid.walk(visit);
        }
    }

    /// The same, mutably: parts first.
    pub fn walk_mut(&mut self, visit: &mut impl FnMut(&mut Node)) {
        for kid in &mut self.kids {
            kid.walk_mut(visit);
        }
        visit(self);
    }

    /// How many nodes it has.
    pub fn size(&self) -> usize {
        let mut count = 0;
        self.walk(&mut |_| count += 1);
        count
    }
}

/// A module of its own: types, constants, functions, actors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// Structs; those of actors' states are among them.
    pub structs: Vec<Struct>,
    /// Enums.
    pub enums: Vec<Enum>,
    /// Constants.
    pub consts: Vec<Const>,
    /// Device functions: each calls only those before it.
    pub functions: Vec<Function>,
    /// Actors.
    pub actors: Vec<Actor>,
}

/// A struct.
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    /// Name.
    pub name: String,
    /// Fields.
    pub fields: Vec<(String, Ty)>,
}

/// An enum.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// Name.
    pub name: String,
    /// Variants: names and fields. The first has none and is the default.
    pub variants: Vec<(String, Vec<Ty>)>,
}

impl Enum {
    /// Whether it is a number on the device.
    pub fn is_plain(&self) -> bool {
        self.variants.iter().all(|(_, fields)| fields.is_empty())
    }
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Const {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: Ty,
    /// Value, as source.
    pub value: String,
}

/// A device function or a handler.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Name.
    pub name: String,
    /// Whether it takes `&mut self`; handlers take a `self`.
    pub writes: bool,
    /// Whether a fault undoes what it wrote; of handlers.
    pub atomic: bool,
    /// Whether it takes the context.
    pub context: bool,
    /// Parameters.
    pub params: Vec<Param>,
    /// Result.
    pub ret: Ty,
    /// Body: a block.
    pub body: Node,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Name.
    pub name: String,
    /// Whether it is `mut`.
    pub mutable: bool,
    /// Type.
    pub ty: Ty,
}

/// An actor type.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// Its struct.
    pub state: usize,
    /// Its handlers.
    pub handlers: Vec<Function>,
}

impl Module {
    /// The name of an actor.
    pub fn actor_name(&self, actor: usize) -> &str {
        &self.structs[self.actors[actor].state].name
    }

    /// Whether the type is an actor's id, or holds one.
    pub fn holds_id(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Id(_) => true,
            Ty::Array(of, _) | Ty::Option(of) => self.holds_id(of),
            Ty::Result(of, error) => self.holds_id(of) || self.holds_id(error),
            Ty::Tuple(parts) => parts.iter().any(|ty| self.holds_id(ty)),
            Ty::Struct(index) => self.structs[*index].fields.iter().any(|(_, ty)| self.holds_id(ty)),
            _ => false,
        }
    }

    /// Size and alignment of a type.
    pub fn layout(&self, ty: &Ty) -> (usize, usize) {
        match ty {
            Ty::Unit | Ty::Never => (0, 1),
            Ty::Bool => (1, 1),
            Ty::Int(int) => (int.bits as usize / 8, int.bits as usize / 8),
            Ty::Float(bits) => (*bits as usize / 8, *bits as usize / 8),
            Ty::Id(_) => (8, 8),
            Ty::Array(of, len) => {
                let (size, align) = self.layout(of);
                (size * len, align)
            }
            Ty::Enum(index) => {
                let tag = Ty::Int(Int { signed: false, bits: 8, size: false });
                let variants = self.enums[*index].variants.iter();
                let layouts = variants.map(|(_, fields)| self.layout_of([&tag].into_iter().chain(fields)));
                let (size, align) =
                    layouts.fold((1usize, 1), |most, one| (most.0.max(one.0), most.1.max(one.1)));
                (size.next_multiple_of(align), align)
            }
            Ty::Tuple(parts) => self.layout_of(parts.iter()),
            Ty::Result(of, error) => {
                // An upper bound.
                let tag = Ty::Int(Int { signed: false, bits: 8, size: false });
                self.layout_of([&tag, of, error].into_iter())
            }
            Ty::Option(of) => {
                let tag = Ty::Int(Int { signed: false, bits: 8, size: false });
                self.layout_of([&tag, of].into_iter())
            }
            Ty::Struct(index) => self.layout_of(self.structs[*index].fields.iter().map(|(_, ty)| ty)),
        }
    }

    /// Size and alignment of fields in order.
    pub fn layout_of<'a>(&self, types: impl Iterator<Item = &'a Ty>) -> (usize, usize) {
        let (size, align) = types.fold((0usize, 1usize), |(at, most), ty| {
            let (size, align) = self.layout(ty);
            (at.next_multiple_of(align) + size, most.max(align))
        });
        (size.next_multiple_of(align), align)
    }

    /// The structs and enums that something mentions.
    pub fn used_types(&self) -> HashSet<Ty> {
        let mut used: HashSet<Ty> = self.actors.iter().map(|actor| Ty::Struct(actor.state)).collect();
        let handlers = self.actors.iter().flat_map(|actor| &actor.handlers);
        for function in self.functions.iter().chain(handlers) {
            named_types(&function.ret, &mut used);
            function.params.iter().for_each(|param| named_types(&param.ty, &mut used));
            function.body.walk(&mut |node| named_types(&node.ty, &mut used));
        }
        self.consts.iter().for_each(|item| named_types(&item.ty, &mut used));
        loop {
            let before = used.len();
            for ty in used.clone() {
                if let Ty::Struct(index) = ty {
                    self.structs[index].fields.iter().for_each(|(_, ty)| named_types(ty, &mut used));
                }
            }
            if used.len() == before {
                return used;
            }
        }
    }

    /// All bodies.
    pub fn bodies(&self) -> impl Iterator<Item = &Node> {
        let handlers = self.actors.iter().flat_map(|actor| &actor.handlers);
        self.functions.iter().chain(handlers).map(|function| &function.body)
    }

    /// All bodies, mutably, in the same order.
    pub fn bodies_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        let handlers = self.actors.iter_mut().flat_map(|actor| &mut actor.handlers);
        self.functions.iter_mut().chain(handlers).map(|function| &mut function.body)
    }
}

fn named_types(ty: &Ty, used: &mut HashSet<Ty>) {
    match ty {
        Ty::Array(of, _) | Ty::Option(of) => named_types(of, used),
        Ty::Result(of, error) => [of, error].into_iter().for_each(|ty| named_types(ty, used)),
        Ty::Tuple(parts) => parts.iter().for_each(|ty| named_types(ty, used)),
        Ty::Struct(_) | Ty::Enum(_) => {
            used.insert(ty.clone());
        }
        _ => {}
    }
}
