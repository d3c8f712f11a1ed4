//! What is in programs: how often each statement, operator and method occurs, so that one can see what is not tested.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::tree::{Function, Kind, Node, Ty};

/// Occurrences by name.
#[derive(Clone, Debug, Default)]
pub struct Counts(pub BTreeMap<String, u64>);

impl Counts {
    /// Counts what is in a function, and which of its programs have it.
    pub fn add(&mut self, function: &Function) {
        if function.atomic {
            *self.0.entry("handler(atomic)".into()).or_default() += 1;
        }
        *self.0.entry(format!("returns {}", class(&function.ret))).or_default() += 1;
        function.body.walk(&mut |node| *self.0.entry(name(node)).or_default() += 1);
        for param in &function.params {
            *self.0.entry(format!("parameter {}", class(&param.ty))).or_default() += 1;
        }
    }

    /// Takes over what another counted.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name.clone()).or_default() += count;
        }
    }

    /// A table, several entries to the line.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for (index, (name, count)) in self.0.iter().enumerate() {
            let end = if index % 4 == 3 { "\n" } else { "" };
            // Writing to a string does not fail.
            let _ = write!(table, "  {name:<28}{count:>8}{end}");
        }
        table
    }
}

fn class(ty: &Ty) -> &'static str {
    match ty {
        Ty::Unit | Ty::Never => "()",
        Ty::Bool => "bool",
        Ty::Int(_) => "integer",
        Ty::Float(_) => "float",
        Ty::Array(..) => "array",
        Ty::Struct(_) => "struct",
        Ty::Enum(_) => "enum",
        Ty::Option(_) => "option",
        Ty::Result(..) => "result",
        Ty::Tuple(_) => "tuple",
        Ty::Id(_) => "id",
    }
}

/// What a node is, as a user would say it.
fn name(node: &Node) -> String {
    let operand = || node.kids.first().map_or("", |kid| class(&kid.ty));
    match &node.kind {
        Kind::Lit(..) => format!("literal {}", class(&node.ty)),
        Kind::Const(_) => "constant".into(),
        Kind::Local(_) => "local".into(),
        Kind::State => "self".into(),
        Kind::Field(_) => "field".into(),
        Kind::Index => "index".into(),
        Kind::Unary(op) | Kind::Binary(op) => format!("{op} {}", operand()),
        Kind::Method(name) => format!(".{name} {}", operand()),
        Kind::Cast => format!("{} as {}", operand(), class(&node.ty)),
        Kind::Call(name) if name.contains("::") => name.rsplit("math::").next().unwrap_or("").to_owned(),
        Kind::Call(_) => "call".into(),
        Kind::List => "[a, b]".into(),
        Kind::Tuple => "(a, b)".into(),
        Kind::Repeat => "[a; n]".into(),
        Kind::Len => ".len".into(),
        Kind::Context(what) => format!("cx.{what}"),
        Kind::If if node.ty == Ty::Unit || node.ty == Ty::Never => "if".into(),
        Kind::If => "if value".into(),
        Kind::Block(true) => "block value".into(),
        Kind::Block(false) => "block".into(),
        Kind::Let(..) if node.kids.is_empty() => "let, deferred".into(),
        Kind::Let(..) => format!("let {}", class(&node.ty)),
        Kind::Assign => format!("= {}", operand()),
        Kind::Compound(op) => format!("{op}= {}", operand()),
        Kind::While => "while".into(),
        Kind::For(_, false) => "for ..".into(),
        Kind::For(_, true) => "for ..=".into(),
        Kind::Loop if node.ty == Ty::Unit => "loop".into(),
        Kind::Loop => "loop value".into(),
        Kind::Break => "break".into(),
        Kind::Continue => "continue".into(),
        Kind::Return => "return".into(),
        Kind::Assert(_) => "assert!".into(),
        Kind::Panic(_) => "panic!".into(),
        Kind::Tell(_) => "tell".into(),
        Kind::Drop(_) => "let _".into(),
        Kind::Make(_) => "struct literal".into(),
        Kind::Variant(_) => format!("variant of {}", class(&node.ty)),
        Kind::Match if node.ty == Ty::Unit => format!("match {}", operand()),
        Kind::Match => format!("match value {}", operand()),
        Kind::Arm(_, false) => "arm".into(),
        Kind::Arm(_, true) => "arm with guard".into(),
        Kind::IfLet(_) => "if let".into(),
        Kind::LetElse(_) => "let else".into(),
        Kind::LetPat(_) => "let (a, b)".into(),
        Kind::Matches(_) => "matches!".into(),
        Kind::Label(_) if matches!(node.kids[0].kind, Kind::Block(_)) => "labelled block".into(),
        Kind::Label(_) => "label".into(),
        Kind::JumpTo(what, _) => format!("{what} to a label"),
        Kind::Turns(_, _, behind) => format!("for {}", behind.split(['(', '.']).nth(1).unwrap_or("")),
        Kind::Over(_) => "for over an array".into(),
    }
}
