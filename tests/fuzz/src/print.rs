//! A module as Rust source.
//!
//! Long lines are broken wherever an operand begins, so that the lines of faults are worth comparing. Where a handler stands is
//! remembered: rustc's complaints are traced back to it.

use std::fmt::Write;
use std::ops::Range;

use crate::tree::{Enum, Function, Kind, Module, Node, Pat, Struct, Ty};

/// Columns after which an operand goes to a new line.
const WIDTH: usize = 92;

/// A printed module.
#[derive(Clone, Debug)]
pub struct Source {
    /// The text.
    pub text: String,
    /// Where each handler stands: actor, handler, lines.
    pub handlers: Vec<(usize, usize, Range<usize>)>,
}

/// Prints a module; `path` makes the names of its actors unique.
pub fn print(module: &Module, path: &str) -> Source {
    let mut printer = Printer { module, text: String::new(), column: 0, line: 1, indent: 0 };
    printer.write("use gpu_actor_rt::prelude::*;");
    printer.newline();
    let mut handlers = Vec::new();
    let used = module.used_types();
    let structs = module.structs.iter().enumerate();
    for (index, item) in structs.filter(|(index, _)| used.contains(&Ty::Struct(*index))) {
        let state = module.actors.iter().any(|actor| actor.state == index);
        printer.item(item, state.then_some(path));
    }
    let enums = module.enums.iter().enumerate();
    for (_, item) in enums.filter(|(index, _)| used.contains(&Ty::Enum(*index))) {
        printer.choice(item);
    }
    for item in &module.consts {
        printer.newline();
        let ty = printer.ty(&item.ty);
        printer.write(&format!("const {}: {ty} = {};", item.name, item.value));
    }
    for function in &module.functions {
        printer.newline();
        printer.newline();
        printer.write("#[gpu_fn]");
        printer.newline();
        printer.function(function, false);
    }
    for (actor, item) in module.actors.iter().enumerate() {
        printer.newline();
        printer.newline();
        printer.write("#[gpu_actor]");
        printer.newline();
        printer.write(&format!("impl {} {{", module.actor_name(actor)));
        printer.indent += 1;
        for (index, handler) in item.handlers.iter().enumerate() {
            printer.newline();
            let begin = printer.line;
            printer.write(if handler.atomic { "#[handler(atomic)]" } else { "#[handler]" });
            printer.newline();
            printer.function(handler, true);
            handlers.push((actor, index, begin..printer.line + 1));
            printer.newline();
        }
        printer.indent -= 1;
        printer.newline();
        printer.write("}");
    }
    printer.newline();
    Source { text: printer.text, handlers }
}

struct Printer<'a> {
    module: &'a Module,
    text: String,
    column: usize,
    line: usize,
    indent: usize,
}

impl Printer<'_> {
    fn write(&mut self, text: &str) {
        if self.column == 0 {
            let spaces = 4 * self.indent;
            let _ = write!(self.text, "{:spaces$}", "");
            self.column = spaces;
        }
        self.text.push_str(text);
        self.column += text.len();
    }

    fn newline(&mut self) {
        self.text.push('\n');
        self.column = 0;
        self.line += 1;
    }

    fn ty(&self, ty: &Ty) -> String {
        match ty {
            Ty::Unit | Ty::Never => "()".into(),
            Ty::Bool => "bool".into(),
            Ty::Int(int) => int.name(),
            Ty::Float(bits) => format!("f{bits}"),
            Ty::Array(of, len) => format!("[{}; {len}]", self.ty(of)),
            Ty::Struct(index) => self.module.structs[*index].name.clone(),
            Ty::Enum(index) => self.module.enums[*index].name.clone(),
            Ty::Option(of) => format!("Option<{}>", self.ty(of)),
            Ty::Result(of, error) => format!("Result<{}, {}>", self.ty(of), self.ty(error)),
            Ty::Tuple(parts) => {
                let parts: Vec<_> = parts.iter().map(|ty| self.ty(ty)).collect();
                format!("({})", parts.join(", "))
            }
            Ty::Id(actor) => format!("ActorId<{}>", self.module.actor_name(*actor)),
        }
    }

    fn item(&mut self, item: &Struct, actor: Option<&str>) {
        self.newline();
        if let Some(path) = actor {
            self.write(&format!("#[gpu_actor(name = \"{path}::{}\")]", item.name));
            self.newline();
            self.write("#[derive(Default)]");
        } else {
            self.write("#[derive(GpuData, Clone, Copy, Default, PartialEq)]");
            self.newline();
            self.write("#[repr(C)]");
        }
        self.newline();
        self.write(&format!("pub struct {} {{", item.name));
        for (name, ty) in &item.fields {
            self.newline();
            let ty = self.ty(ty);
            self.write(&format!("    {name}: {ty},"));
        }
        self.newline();
        self.write("}");
        self.newline();
    }

    fn choice(&mut self, item: &Enum) {
        self.newline();
        let plain = if item.is_plain() { ", PartialEq, PartialOrd" } else { ", PartialEq" };
        self.write(&format!("#[derive(GpuData, Clone, Copy, Default{plain})]"));
        self.newline();
        self.write("#[repr(u8)]");
        self.newline();
        self.write(&format!("pub enum {} {{", item.name));
        for (index, (name, fields)) in item.variants.iter().enumerate() {
            self.newline();
            if index == 0 {
                self.write("    #[default]");
                self.newline();
            }
            let types: Vec<_> = fields.iter().map(|ty| self.ty(ty)).collect();
            let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
            self.write(&format!("    {name}{types},"));
        }
        self.newline();
        self.write("}");
        self.newline();
    }

    fn function(&mut self, function: &Function, handler: bool) {
        let mut params = Vec::new();
        if handler {
            params.push(if function.writes { "&mut self".to_owned() } else { "&self".to_owned() });
        }
        if function.context {
            params.push("cx: &mut Cx".to_owned());
        }
        for param in &function.params {
            let mutable = if param.mutable { "mut " } else { "" };
            params.push(format!("{mutable}{}: {}", param.name, self.ty(&param.ty)));
        }
        let ret =
            if function.ret == Ty::Unit { String::new() } else { format!(" -> {}", self.ty(&function.ret)) };
        self.write(&format!("fn {}({}){ret} ", function.name, params.join(", ")));
        self.block(&function.body);
    }

    fn block(&mut self, block: &Node) {
        self.write("{");
        self.indent += 1;
        let values = usize::from(block.kind == Kind::Block(true));
        let stmts = block.kids.len() - values;
        for stmt in &block.kids[..stmts] {
            self.newline();
            self.stmt(stmt);
        }
        if let Some(value) = block.kids.get(stmts) {
            self.newline();
            // What begins with a block would be a statement.
            self.operand_if(value, !begins_with_block(value));
        }
        self.indent -= 1;
        self.newline();
        self.write("}");
    }

    fn stmt(&mut self, node: &Node) {
        match &node.kind {
            Kind::Let(name, mutable, typed) => {
                self.write(if *mutable { "let mut " } else { "let " });
                self.write(name);
                if *typed {
                    let ty = self.ty(&node.ty);
                    self.write(&format!(": {ty}"));
                }
                if let Some(value) = node.kids.first() {
                    self.write(" = ");
                    self.expr(value);
                }
                self.write(";");
            }
            Kind::Assign => self.assign(node, "="),
            Kind::Compound(op) => self.assign(node, &format!("{op}=")),
            Kind::If
            | Kind::IfLet(_)
            | Kind::Match
            | Kind::Label(_)
            | Kind::While
            | Kind::For(..)
            | Kind::Turns(..)
            | Kind::Over(_)
            | Kind::Loop
            | Kind::Block(_) => self.expr(node),
            Kind::Drop(named) => {
                if *named {
                    self.write("let _ = ");
                }
                self.expr(&node.kids[0]);
                self.write(";");
            }
            _ => {
                self.expr(node);
                self.write(";");
            }
        }
    }

    fn assign(&mut self, node: &Node, op: &str) {
        self.expr(&node.kids[0]);
        self.write(&format!(" {op} "));
        self.operand_if(&node.kids[1], true);
        self.write(";");
    }

    /// An expression that something is applied to, or part of one: in parentheses, unless it is a simple one.
    fn operand(&mut self, node: &Node) {
        let simple = match &node.kind {
            Kind::Lit(text, _) => !text.starts_with('-'),
            Kind::Const(_)
            | Kind::Local(_)
            | Kind::Field(_)
            | Kind::Index
            | Kind::Method(_)
            | Kind::Call(_)
            | Kind::List
            | Kind::Tuple
            | Kind::Repeat
            | Kind::Len
            | Kind::Variant(_)
            | Kind::Matches(_)
            | Kind::Context(_) => true,
            _ => false,
        };
        self.operand_if(node, simple);
    }

    fn operand_if(&mut self, node: &Node, bare: bool) {
        if self.column > WIDTH {
            self.newline();
        }
        if bare {
            self.expr(node);
        } else {
            self.write("(");
            self.expr(node);
            self.write(")");
        }
    }

    fn list(&mut self, nodes: &[Node]) {
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                self.write(", ");
            }
            self.operand_if(node, true);
        }
    }

    fn expr(&mut self, node: &Node) {
        let kids = &node.kids;
        match &node.kind {
            Kind::Lit(text, suffix) => {
                self.write(text);
                if *suffix && node.ty.is_number() {
                    let ty = self.ty(&node.ty);
                    self.write(&ty);
                }
            }
            Kind::Const(name) | Kind::Local(name) => self.write(name),
            Kind::State => self.write("*self"),
            Kind::Field(name) => {
                self.base(&kids[0]);
                self.write(&format!(".{name}"));
            }
            Kind::Index => {
                self.base(&kids[0]);
                self.write("[");
                self.operand_if(&kids[1], true);
                self.write("]");
            }
            Kind::Unary(op) => {
                self.write(op);
                self.operand(&kids[0]);
            }
            Kind::Binary(op) => {
                self.operand(&kids[0]);
                self.write(&format!(" {op} "));
                self.operand(&kids[1]);
            }
            Kind::Method(name) => {
                self.operand(&kids[0]);
                if self.column > WIDTH {
                    self.newline();
                }
                self.write(&format!(".{name}("));
                self.list(&kids[1..]);
                self.write(")");
            }
            Kind::Cast => {
                self.operand(&kids[0]);
                let ty = self.ty(&node.ty);
                self.write(&format!(" as {ty}"));
            }
            Kind::Call(name) => {
                self.write(&format!("{name}("));
                self.list(kids);
                self.write(")");
            }
            Kind::List => {
                self.write("[");
                self.list(kids);
                self.write("]");
            }
            Kind::Tuple => {
                self.write("(");
                self.list(kids);
                self.write(")");
            }
            Kind::Repeat => {
                let len = if let Ty::Array(_, len) = node.ty { len } else { 0 };
                self.write("[");
                self.expr(&kids[0]);
                self.write(&format!("; {len}]"));
            }
            Kind::Len => {
                self.base(&kids[0]);
                self.write(".len()");
            }
            Kind::Context(what) => self.write(&format!("cx.{what}()")),
            Kind::If => {
                self.write("if ");
                self.expr(&kids[0]);
                self.write(" ");
                self.block(&kids[1]);
                if let Some(other) = kids.get(2) {
                    self.write(" else ");
                    match &other.kids[..] {
                        // A block that is nothing but an `if` is an `else if`.
                        [inner] if inner.kind == Kind::If => self.expr(inner),
                        _ => self.block(other),
                    }
                }
            }
            Kind::Block(_) => self.block(node),
            Kind::While => {
                self.write("while ");
                self.expr(&kids[0]);
                self.write(" ");
                self.block(&kids[1]);
            }
            Kind::For(name, inclusive) => {
                self.write(&format!("for {name} in "));
                self.operand(&kids[0]);
                self.write(if *inclusive { "..=" } else { ".." });
                self.operand(&kids[1]);
                self.write(" ");
                self.block(&kids[2]);
            }
            Kind::Loop => {
                self.write("loop ");
                self.block(&kids[0]);
            }
            Kind::Break | Kind::Return => {
                self.write(if node.kind == Kind::Break { "break" } else { "return" });
                if let Some(value) = kids.first() {
                    self.write(" ");
                    self.expr(value);
                }
            }
            Kind::Continue => self.write("continue"),
            Kind::Assert(text) => {
                self.write("assert!(");
                self.expr(&kids[0]);
                if let Some(text) = text {
                    self.write(&format!(", {text:?}"));
                }
                self.write(")");
            }
            Kind::Panic(text) => {
                let text = text.as_ref().map_or(String::new(), |text| format!("{text:?}"));
                self.write(&format!("panic!({text})"));
            }
            Kind::Tell(handler) => {
                self.write("cx.tell(");
                self.base(&kids[0]);
                self.write(&format!(".{handler}("));
                self.list(&kids[1..]);
                self.write("))");
            }
            Kind::Make(names) => {
                let ty = self.ty(&node.ty);
                self.write(&format!("{ty} {{ "));
                for (name, kid) in names.iter().zip(kids) {
                    self.write(&format!("{name}: "));
                    self.operand_if(kid, true);
                    self.write(", ");
                }
                self.write("}");
            }
            Kind::Variant(path) => {
                self.write(path);
                if !kids.is_empty() {
                    self.write("(");
                    self.list(kids);
                    self.write(")");
                }
            }
            Kind::Match => {
                self.write("match ");
                self.operand(&kids[0]);
                self.write(" {");
                self.indent += 1;
                for arm in &kids[1..] {
                    self.newline();
                    self.expr(arm);
                }
                self.indent -= 1;
                self.newline();
                self.write("}");
            }
            Kind::Arm(pattern, guard) => {
                self.write(&pattern.text());
                if *guard {
                    self.write(" if ");
                    self.operand(&kids[0]);
                }
                self.write(" => ");
                self.block(&kids[usize::from(*guard)]);
            }
            Kind::IfLet(pattern) => {
                self.write(&format!("if let {} = ", pattern.text()));
                self.operand(&kids[0]);
                self.write(" ");
                self.block(&kids[1]);
                if let Some(other) = kids.get(2) {
                    self.write(" else ");
                    self.block(other);
                }
            }
            Kind::LetElse(pattern) => {
                let text = match pattern {
                    Pat::Or(_) => format!("({})", pattern.text()),
                    _ => pattern.text(),
                };
                self.write(&format!("let {text} = "));
                self.operand(&kids[0]);
                self.write(" else ");
                self.block(&kids[1]);
            }
            Kind::LetPat(pattern) => {
                self.write(&format!("let {} = ", pattern.text()));
                self.operand(&kids[0]);
            }
            Kind::Matches(pattern) => {
                self.write("matches!(");
                self.expr(&kids[0]);
                self.write(&format!(", {})", pattern.text()));
            }
            Kind::Label(name) => {
                self.write(&format!("'{name}: "));
                self.expr(&kids[0]);
            }
            Kind::JumpTo(what, name) => self.write(&format!("{what} '{name}")),
            Kind::Turns(name, inclusive, behind) => {
                self.write(&format!("for {name} in ("));
                self.operand(&kids[0]);
                self.write(if *inclusive { "..=" } else { ".." });
                self.operand(&kids[1]);
                self.write(&format!("){behind} "));
                self.block(&kids[2]);
            }
            Kind::Over(name) => {
                self.write(&format!("for {name} in "));
                self.operand(&kids[0]);
                self.write(" ");
                self.block(&kids[1]);
            }
            Kind::Let(..) | Kind::Assign | Kind::Compound(_) | Kind::Drop(_) => self.stmt(node),
        }
    }

    /// What a field or an element is taken of.
    fn base(&mut self, node: &Node) {
        if node.kind == Kind::State {
            self.write("self");
        } else {
            self.operand(node);
        }
    }
}

/// Whether a statement that begins with it would end with its block.
fn begins_with_block(node: &Node) -> bool {
    matches!(
        node.kind,
        Kind::If | Kind::IfLet(_) | Kind::Match | Kind::Label(_) | Kind::Block(_) | Kind::Loop
    )
}
