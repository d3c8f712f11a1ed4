//! A function body as the handler language sees it: what the checks leave over for the emitter.
//!
//! Rules kept here: every node carries the span of the user's first token, for rustc's own errors; whatever can fault
//! carries its source line; a name is either a local (a place) or a constant (verbatim tokens), never a guess.

use super::Line;
use super::construct::New;
use super::matching::{Condition, Destructure, IfLet, Match, Scrutinee};
use super::pattern::Pattern;
use proc_macro2::{Span, TokenStream};
use syn::{AngleBracketedGenericArguments, ExprPath, Ident, Item, Member, Type};

/// Statements in order, and what the block is worth.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) stmts: Vec<Stmt>,
    pub(crate) tail: Tail,
}

/// The value of a block.
#[derive(Debug)]
pub(crate) enum Tail {
    /// The value of its last expression.
    Value(Box<Value>),
    /// It ends without one.
    Unit,
    /// Its end is not reached.
    Never,
}

/// Something done.
#[derive(Debug)]
pub(crate) enum Stmt {
    /// `let name: ty = init;`
    Let { name: Ident, ty: Option<Type>, init: Option<Value> },
    /// A constant or an import, passed on as it is.
    Item(Item),
    /// An expression whose value is dropped.
    Drop(Value),
    /// `place = value`: the value first.
    Assign { place: Place, value: Value },
    /// `place op= value`: the value first, as Rust has it for primitive types.
    Compound { method: &'static str, place: Place, value: Value, line: Option<Line>, span: Span },
    /// `if` whose value nobody uses.
    If { cond: Value, then: Block, otherwise: Option<Block> },
    /// A block whose value nobody uses.
    Block(Block),
    /// A `match` whose value nobody uses.
    Match(Match),
    /// `if let` whose value nobody uses.
    IfLet(IfLet),
    /// `let` with a pattern.
    Destructure(Destructure),
    /// A loop whose value nobody uses.
    Loop(Loop),
    /// A block with a label, whose value nobody uses.
    Labelled { id: usize, body: Block },
    /// `break`, with the value that a loop or block in value position waits for.
    Break { id: usize, value: Option<Value>, waits: bool, span: Span },
    /// `continue`.
    Continue { id: usize, span: Span },
    /// `return`.
    Return { value: Option<Value>, span: Span },
    /// `assert!`.
    Assert { cond: Value, message: Option<String>, line: Line, span: Span },
    /// `panic!`.
    Panic { message: Option<String>, line: Line, span: Span },
    /// `cx.tell(target.method(args))`.
    Tell { target: Place, method: Ident, args: Vec<Value>, line: Line },
}

/// A loop of any kind; `id` names its label.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) id: usize,
    pub(crate) line: Line,
    pub(crate) span: Span,
    pub(crate) head: Head,
    pub(crate) body: Block,
}

/// What decides whether a loop goes on.
#[derive(Debug)]
pub(crate) enum Head {
    /// `loop`
    Forever,
    /// `while`
    While(Box<Value>),
    /// `while let`, and with more conditions.
    Let(Vec<Condition>),
    /// `for`
    Each(Box<Each>),
}

/// What a `for` loop runs over, and what its turns are given.
#[derive(Debug)]
pub(crate) struct Each {
    pub(crate) over: Over,
    /// `rev` and `step_by`, in order.
    pub(crate) steps: Vec<Step>,
    /// The local of each turn's item; the body takes hidden ones apart.
    pub(crate) item: Option<Ident>,
    /// The local that counts the turns, of `enumerate`.
    pub(crate) count: Option<Ident>,
}

/// What a `for` loop runs over.
#[derive(Debug)]
pub(crate) enum Over {
    /// `from..to`, or `..=`.
    Range { from: Box<Value>, to: Box<Value>, inclusive: bool },
    /// The elements of an array; copied first, where the loop might write to it.
    Array { place: Place, copied: bool },
}

/// A change to the order of a `for` loop.
#[derive(Debug)]
pub(crate) enum Step {
    /// `.rev()`
    Rev,
    /// `.step_by(n)`
    By { n: Box<Value>, line: Line },
}

/// An expression that yields a value.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) span: Span,
    pub(crate) kind: ValueKind,
}

/// The kinds of [`Value`].
#[derive(Debug)]
pub(crate) enum ValueKind {
    /// Literals, paths that are no locals, and what is built from them only: evaluated by rustc.
    Const(TokenStream),
    /// `()`
    Unit,
    /// The content of a place.
    Read(Place),
    /// A builder operation of its operands: operators and the methods of numbers.
    Op { method: &'static str, operands: Vec<Value>, line: Option<Line> },
    /// `&&` or `||` with an operand on the right that must not always run.
    Logic { and: bool, left: Box<Value>, right: Box<Value> },
    /// `value as ty`
    Cast { value: Box<Value>, ty: Type },
    /// `u64::from(value)`
    From { value: Box<Value>, ty: Ident },
    /// The length of the array in a place.
    Len(Place),
    /// `slice.slice(from..to)`
    Part { place: Place, from: Option<Box<Value>>, to: Option<Box<Value>>, line: Line },
    /// A call of a function marked `#[gpu_fn]`.
    Call { path: ExprPath, args: Vec<Value> },
    /// A call of a function of a type, by its path.
    Associated { path: ExprPath, args: Vec<Value>, hint: String },
    /// A method of the user's own type.
    Method {
        receiver: Box<Place>,
        method: Ident,
        generics: Option<AngleBracketedGenericArguments>,
        args: Vec<Value>,
        hint: String,
    },
    /// `[a, b, c]`
    Array(Vec<Value>),
    /// `[value; len]`
    Repeat { value: Box<Value>, len: TokenStream },
    /// `if` with both branches.
    If { cond: Box<Value>, then: Block, otherwise: Block },
    /// A block.
    Block(Block),
    /// `match`
    Match(Box<Match>),
    /// `if let` with both branches.
    IfLet(Box<IfLet>),
    /// `matches!`
    Test { scrutinee: Scrutinee, pattern: Pattern },
    /// A struct or a variant with data.
    New(New),
    /// `(a, b)`
    Tuple(Vec<Value>),
    /// A question to an `Option` or `Result` in a place: a builder operation; with line and message if it can fault.
    Ask { method: &'static str, place: Place, operands: Vec<Value>, line: Option<(Line, Option<String>)> },
    /// `loop` that is left with values.
    Loop(Box<Loop>),
    /// A block with a label.
    Labelled { id: usize, body: Block },
    /// What the context knows: the builder's method.
    Context(&'static str),
    /// A statement, worth `()`.
    After(Box<Stmt>),
    /// A statement after which nothing follows, worth anything.
    Never(Box<Stmt>),
    /// Stands for what was reported as an error, here or by rustc.
    Error,
}

/// Something that can be read and written.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) span: Span,
    pub(crate) kind: PlaceKind,
}

/// The kinds of [`Place`].
#[derive(Debug)]
pub(crate) enum PlaceKind {
    /// A local or a parameter.
    Local(Ident),
    /// The actor's state.
    State,
    /// A field.
    Field { base: Box<Place>, member: Member },
    /// An element of an array.
    Index { base: Box<Place>, index: Box<Value>, line: Line },
    /// A value that has no place of its own.
    Temp(Box<Value>),
    /// Stands for what was reported as an error; never emitted.
    Error,
}

impl Place {
    /// Whether it is rooted in something that the user can assign to.
    pub(crate) fn is_assignable(&self) -> bool {
        match &self.kind {
            PlaceKind::Local(_) | PlaceKind::State | PlaceKind::Error => true,
            PlaceKind::Field { base, .. } | PlaceKind::Index { base, .. } => base.is_assignable(),
            PlaceKind::Temp(_) => false,
        }
    }
}
