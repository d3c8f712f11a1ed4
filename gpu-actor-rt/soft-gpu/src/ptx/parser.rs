//! Tokens to the tree, by recursive descent.

use super::ast::{
    Base, Function, Guard, Init, Instruction, Name, Operand, Program, Registers, Signature, Space, Statement,
    Ty, Variable,
};
use super::lexer::{Kind, Token, tokens};
use crate::error::{LoadError, LoadErrorKind};

/// Deepest nesting of scopes and expressions: a bound on the parser's stack.
const MAX_DEPTH: u32 = 64;
/// Largest variable in bytes.
const MAX_VARIABLE: u64 = 1 << 30;

/// Reads a whole text.
pub(crate) fn parse(text: &str) -> Result<Program<'_>, LoadError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    parser.program()
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    depth: u32,
}

type Parse<T> = Result<T, LoadError>;

fn unsupported(token: Token<'_>, message: &str) -> LoadError {
    LoadError::new(LoadErrorKind::Unsupported, token.line, token.text, message)
}

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> Token<'a> {
        // The list ends with `End`, and `next` never moves past it.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek_second(&self) -> Token<'a> {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    fn error<T>(&self, message: &str) -> Parse<T> {
        let token = self.peek();
        Err(LoadError::new(LoadErrorKind::Syntax, token.line, token.text, message))
    }

    fn eat(&mut self, punct: u8) -> bool {
        let found = self.peek().is(punct);
        if found {
            self.next();
        }
        found
    }

    fn eat_dotted(&mut self, text: &str) -> bool {
        let token = self.peek();
        let found = token.kind == Kind::Dotted && token.text == text;
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, punct: u8) -> Parse<()> {
        if self.eat(punct) { Ok(()) } else { self.error(&format!("expected `{}`", punct as char)) }
    }

    fn name(&mut self) -> Parse<Name<'a>> {
        let token = self.peek();
        if token.kind != Kind::Ident {
            return self.error("expected a name");
        }
        self.next();
        Ok(Name { text: token.text, line: token.line })
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth == MAX_DEPTH {
            return self.error(&format!("nested deeper than {MAX_DEPTH}"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn program(&mut self) -> Parse<Program<'a>> {
        let mut program = Program::default();
        if !self.eat_dotted(".version") {
            return self.error("the text must begin with `.version`");
        }
        self.version()?;
        while self.peek().kind != Kind::End {
            self.top_level(&mut program)?;
        }
        Ok(program)
    }

    fn version(&mut self) -> Parse<()> {
        let token = self.peek();
        let version = token
            .text
            .split_once('.')
            .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
        let Some((major, _)) = version else { return self.error("expected a version such as `7.0`") };
        self.next();
        if (1..=9).contains(&major) {
            Ok(())
        } else {
            Err(unsupported(token, "no such PTX version is known"))
        }
    }

    fn top_level(&mut self, program: &mut Program<'a>) -> Parse<()> {
        let token = self.peek();
        if token.kind != Kind::Dotted {
            return self.error("expected a directive");
        }
        match token.text {
            ".target" => {
                self.next();
                loop {
                    self.name()?;
                    if !self.eat(b',') {
                        return Ok(());
                    }
                }
            }
            ".address_size" => {
                self.next();
                let size = self.next();
                if size.kind == Kind::Int(64) {
                    Ok(())
                } else {
                    Err(unsupported(size, "addresses have 64 bits"))
                }
            }
            ".file" | ".loc" | ".pragma" | ".section" => self.skip_debug(),
            _ => {
                let mut external = false;
                while let ".visible" | ".extern" | ".weak" | ".common" = self.peek().text {
                    external |= self.next().text == ".extern";
                }
                match self.peek().text {
                    ".entry" | ".func" => {
                        let function = self.function()?;
                        program.functions.push(function);
                        Ok(())
                    }
                    ".global" | ".const" | ".shared" => {
                        let variables = self.variables(external)?;
                        program.variables.extend(variables);
                        Ok(())
                    }
                    _ => Err(unsupported(self.peek(), "directive not known at the top level")),
                }
            }
        }
    }

    /// Skips a directive that only a debugger reads.
    fn skip_debug(&mut self) -> Parse<()> {
        let directive = self.next();
        match directive.text {
            ".pragma" => {
                while !self.eat(b';') {
                    if self.peek().kind == Kind::End {
                        return self.error("expected `;`");
                    }
                    self.next();
                }
            }
            ".section" => {
                while !self.eat(b'{') {
                    if self.peek().kind == Kind::End {
                        return self.error("expected `{`");
                    }
                    self.next();
                }
                while !self.eat(b'}') {
                    if self.peek().kind == Kind::End {
                        return self.error("expected `}`");
                    }
                    self.next();
                }
            }
            // `.file` and `.loc` have no terminator: they end with their line.
            _ => {
                while self.peek().line == directive.line && self.peek().kind != Kind::End {
                    self.next();
                }
            }
        }
        Ok(())
    }

    fn function(&mut self) -> Parse<Function<'a>> {
        let entry = self.next().text == ".entry";
        let returns = if !entry && self.peek().is(b'(') { self.params()? } else { Vec::new() };
        let name = self.name()?;
        let params = if self.peek().is(b'(') { self.params()? } else { Vec::new() };
        let mut function = Function {
            name,
            entry,
            signature: Signature { returns, params },
            body: None,
            max_block: None,
            required_block: None,
        };
        loop {
            let token = self.peek();
            match token.text {
                ".maxntid" | ".reqntid" => {
                    self.next();
                    let mut shape = [1; 3];
                    for (axis, n) in shape.iter_mut().enumerate() {
                        if axis > 0 && !self.eat(b',') {
                            break;
                        }
                        *n = self.small_int()?;
                    }
                    let place = if token.text == ".maxntid" {
                        &mut function.max_block
                    } else {
                        &mut function.required_block
                    };
                    *place = Some(shape);
                }
                ".minnctapersm" | ".maxnreg" | ".maxnctapersm" => {
                    self.next();
                    self.small_int()?;
                }
                ".noreturn" => {
                    self.next();
                }
                ".pragma" => self.skip_debug()?,
                ";" => {
                    self.next();
                    return Ok(function);
                }
                "{" => {
                    function.body = Some(self.scope()?);
                    return Ok(function);
                }
                _ if token.kind == Kind::Dotted => {
                    return Err(unsupported(token, "directive not known on a function"));
                }
                _ => return self.error("expected the function's body or `;`"),
            }
        }
    }

    fn small_int(&mut self) -> Parse<u32> {
        match self.peek().kind {
            Kind::Int(n) if u32::try_from(n).is_ok() => {
                self.next();
                Ok(n as u32)
            }
            _ => self.error("expected an integer of at most 32 bits"),
        }
    }

    fn params(&mut self) -> Parse<Vec<Variable<'a>>> {
        self.expect(b'(')?;
        let mut params = Vec::new();
        while !self.eat(b')') {
            if !params.is_empty() {
                self.expect(b',')?;
            }
            let space = self.space()?;
            if !matches!(space, Space::Reg | Space::Param) {
                return self.error("a parameter is `.param` or `.reg`");
            }
            let (ty, vector, align) = self.variable_type()?;
            params.push(self.declarator(space, ty, vector, align, false)?);
        }
        Ok(params)
    }

    fn space(&mut self) -> Parse<Space> {
        let space = match self.peek().text {
            ".reg" => Space::Reg,
            ".param" => Space::Param,
            ".global" => Space::Global,
            ".const" => Space::Const,
            ".shared" | ".shared::cta" => Space::Shared,
            ".local" => Space::Local,
            _ => return self.error("expected a state space such as `.global`"),
        };
        self.next();
        Ok(space)
    }

    /// `.align 8 .v2 .b32`, with `.ptr` and its attributes on parameters.
    fn variable_type(&mut self) -> Parse<(Ty, u32, Option<u32>)> {
        let (mut ty, mut vector, mut align) = (None, 1, None);
        loop {
            let token = self.peek();
            if token.kind != Kind::Dotted {
                break;
            }
            match token.text {
                ".align" => {
                    self.next();
                    let n = self.small_int()?;
                    if !n.is_power_of_two() || n > 1 << 16 {
                        return Err(LoadError::new(
                            LoadErrorKind::Syntax,
                            token.line,
                            token.text,
                            "an alignment is a power of two, at most 65536",
                        ));
                    }
                    align = Some(n);
                    continue;
                }
                ".v2" => vector = 2,
                ".v4" => vector = 4,
                // Hints on pointer parameters; they change nothing here.
                ".ptr" | ".global" | ".const" | ".shared" | ".local" if ty.is_some() => {
                    self.next();
                    // The alignment that may follow is the pointee's.
                    if self.eat_dotted(".align") {
                        self.small_int()?;
                    }
                    continue;
                }
                text => match Ty::from_modifier(text) {
                    Some(found) if ty.is_none() => ty = Some(found),
                    _ => return Err(unsupported(token, "type not known here")),
                },
            }
            self.next();
        }
        match ty {
            Some(ty) => Ok((ty, vector, align)),
            None => self.error("expected a type such as `.b32`"),
        }
    }

    fn declarator(
        &mut self,
        space: Space,
        ty: Ty,
        vector: u32,
        align: Option<u32>,
        external: bool,
    ) -> Parse<Variable<'a>> {
        let name = self.name()?;
        if ty == Ty::Pred && space != Space::Reg {
            return Err(LoadError::new(
                LoadErrorKind::Type,
                name.line,
                name.text,
                "a predicate lives in `.reg` only",
            ));
        }
        let mut elements = None;
        while self.eat(b'[') {
            let n = if self.peek().is(b']') { 0 } else { self.constant()? };
            self.expect(b']')?;
            elements = Some(elements.map_or(Some(n), |m: u64| m.checked_mul(n)).unwrap_or(u64::MAX));
        }
        let natural = ty.size() * vector;
        let variable = Variable {
            name,
            space,
            ty,
            vector,
            elements,
            align: align.unwrap_or(natural).max(if elements.is_none() { natural } else { 1 }),
            external,
            init: Vec::new(),
        };
        let size = elements.unwrap_or(1).checked_mul(u64::from(natural));
        if size.is_none_or(|s| s > MAX_VARIABLE) {
            return Err(LoadError::new(
                LoadErrorKind::Unsupported,
                name.line,
                name.text,
                format!("a variable has at most {MAX_VARIABLE} bytes"),
            ));
        }
        Ok(variable)
    }

    /// Memory variables, with what the directive declares up to its `;`.
    fn variables(&mut self, external: bool) -> Parse<Vec<Variable<'a>>> {
        let space = self.space()?;
        let (ty, vector, align) = self.variable_type()?;
        let mut out = Vec::new();
        loop {
            let mut variable = self.declarator(space, ty, vector, align, external)?;
            if self.eat(b'=') {
                self.initializer(&mut variable.init)?;
                let inferred = variable.init.len() as u64;
                if variable.elements == Some(0) {
                    variable.elements = Some(inferred);
                }
                if inferred > variable.elements.unwrap_or(1) * u64::from(variable.vector) {
                    return Err(LoadError::new(
                        LoadErrorKind::Type,
                        variable.name.line,
                        variable.name.text,
                        "the initialiser has more elements than the variable",
                    ));
                }
            }
            out.push(variable);
            if self.eat(b';') {
                return Ok(out);
            }
            self.expect(b',')?;
        }
    }

    fn initializer(&mut self, out: &mut Vec<Init<'a>>) -> Parse<()> {
        if self.eat(b'{') {
            while !self.eat(b'}') {
                self.deeper(|p| p.initializer(out))?;
                if !self.eat(b',') && !self.peek().is(b'}') {
                    return self.error("expected `,` or `}`");
                }
            }
            return Ok(());
        }
        let token = self.peek();
        match token.kind {
            Kind::Ident => {
                let mut name = self.name()?;
                // `generic(x)` is the generic address of `x`; here every address is.
                if name.text == "generic" && self.eat(b'(') {
                    name = self.name()?;
                    self.expect(b')')?;
                }
                let offset = if self.eat(b'+') { self.constant()? as i64 } else { 0 };
                out.push(Init::Address(name, offset));
            }
            Kind::Punct(b'-') if matches!(self.peek_second().kind, Kind::F32(_) | Kind::F64(_)) => {
                self.next();
                out.push(match self.next().kind {
                    Kind::F32(bits) => Init::F32(bits ^ 1 << 31),
                    Kind::F64(bits) => Init::F64(bits ^ 1 << 63),
                    _ => Init::Int(0),
                });
            }
            Kind::F32(bits) => {
                self.next();
                out.push(Init::F32(bits));
            }
            Kind::F64(bits) => {
                self.next();
                out.push(Init::F64(bits));
            }
            _ => out.push(Init::Int(self.constant()?)),
        }
        Ok(())
    }

    /// A constant integer expression; arithmetic wraps at 64 bits.
    fn constant(&mut self) -> Parse<u64> {
        self.deeper(|p| p.binary(0))
    }

    fn binary(&mut self, least: u8) -> Parse<u64> {
        let mut left = self.unary()?;
        loop {
            let (Kind::Punct(op), second) = (self.peek().kind, self.peek_second()) else { return Ok(left) };
            let (strength, double) = match op {
                b'*' | b'/' | b'%' => (6, false),
                b'+' | b'-' => (5, false),
                b'<' | b'>' if second.is(op) => (4, true),
                b'&' if !second.is(op) => (3, false),
                b'^' => (2, false),
                b'|' if !second.is(op) => (1, false),
                _ => return Ok(left),
            };
            if strength <= least {
                return Ok(left);
            }
            self.next();
            if double {
                self.next();
            }
            let right = self.deeper(|p| p.binary(strength))?;
            left = match op {
                b'*' => left.wrapping_mul(right),
                b'/' | b'%' if right == 0 => return self.error("division by zero in a constant"),
                b'/' => (left as i64).wrapping_div(right as i64) as u64,
                b'%' => (left as i64).wrapping_rem(right as i64) as u64,
                b'+' => left.wrapping_add(right),
                b'-' => left.wrapping_sub(right),
                b'<' => left.checked_shl(right.min(64) as u32).unwrap_or(0),
                b'>' => left.checked_shr(right.min(64) as u32).unwrap_or(0),
                b'&' => left & right,
                b'^' => left ^ right,
                _ => left | right,
            };
        }
    }

    fn unary(&mut self) -> Parse<u64> {
        match self.peek().kind {
            Kind::Int(n) => {
                self.next();
                Ok(n)
            }
            Kind::Punct(b'-') => {
                self.next();
                Ok(self.deeper(Self::unary)?.wrapping_neg())
            }
            Kind::Punct(b'+') => {
                self.next();
                self.deeper(Self::unary)
            }
            Kind::Punct(b'~') => {
                self.next();
                Ok(!self.deeper(Self::unary)?)
            }
            Kind::Punct(b'!') => {
                self.next();
                Ok(u64::from(self.deeper(Self::unary)? == 0))
            }
            Kind::Punct(b'(') => {
                self.next();
                // A cast names the type that the constant has anyway.
                if matches!(self.peek().text, ".u64" | ".s64") && self.peek_second().is(b')') {
                    self.next();
                    self.next();
                    return self.deeper(Self::unary);
                }
                let value = self.constant()?;
                self.expect(b')')?;
                Ok(value)
            }
            Kind::Ident if self.peek().text == "WARP_SZ" => {
                self.next();
                Ok(32)
            }
            _ => self.error("expected an integer"),
        }
    }

    fn scope(&mut self) -> Parse<Vec<Statement<'a>>> {
        self.expect(b'{')?;
        let mut body = Vec::new();
        while !self.eat(b'}') {
            self.deeper(|p| p.statement(&mut body))?;
        }
        Ok(body)
    }

    fn statement(&mut self, body: &mut Vec<Statement<'a>>) -> Parse<()> {
        let token = self.peek();
        match token.kind {
            Kind::Punct(b'{') => {
                let inner = self.scope()?;
                body.push(Statement::Scope(inner));
                Ok(())
            }
            Kind::Punct(b';') => {
                self.next();
                Ok(())
            }
            Kind::Dotted => match token.text {
                ".reg" => self.registers(body),
                ".param" | ".local" | ".shared" | ".global" | ".const" => {
                    let variables = self.variables(false)?;
                    body.extend(variables.into_iter().map(Statement::Variable));
                    Ok(())
                }
                ".extern" => {
                    self.next();
                    let variables = self.variables(true)?;
                    body.extend(variables.into_iter().map(Statement::Variable));
                    Ok(())
                }
                ".file" | ".loc" | ".pragma" => self.skip_debug(),
                _ => Err(unsupported(token, "directive not known in a body")),
            },
            Kind::Ident if self.peek_second().is(b':') => {
                let name = self.name()?;
                self.next();
                match self.peek().text {
                    ".branchtargets" => {
                        self.next();
                        let mut targets = vec![self.name()?];
                        while self.eat(b',') {
                            targets.push(self.name()?);
                        }
                        self.expect(b';')?;
                        body.push(Statement::BranchTargets(name, targets));
                    }
                    ".callprototype" => {
                        self.next();
                        let returns = if self.peek().is(b'(') { self.params()? } else { Vec::new() };
                        self.name()?;
                        let params = if self.peek().is(b'(') { self.params()? } else { Vec::new() };
                        self.eat_dotted(".noreturn");
                        self.expect(b';')?;
                        body.push(Statement::Prototype(name, Signature { returns, params }));
                    }
                    _ => body.push(Statement::Label(name)),
                }
                Ok(())
            }
            Kind::Ident | Kind::Punct(b'@') => {
                let instruction = self.instruction()?;
                body.push(Statement::Instruction(instruction));
                Ok(())
            }
            Kind::End => self.error("the body is never closed with `}`"),
            _ => self.error("expected a statement"),
        }
    }

    fn registers(&mut self, body: &mut Vec<Statement<'a>>) -> Parse<()> {
        self.next();
        let token = self.peek();
        let (ty, vector, _) = self.variable_type()?;
        if vector != 1 {
            return Err(unsupported(
                token,
                "registers that are vectors are not known; use one register per element",
            ));
        }
        loop {
            let name = self.name()?;
            let count = if self.eat(b'<') {
                let count = self.small_int()?;
                self.expect(b'>')?;
                Some(count)
            } else {
                None
            };
            body.push(Statement::Registers(Registers { name, ty, count }));
            if self.eat(b';') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn instruction(&mut self) -> Parse<Instruction<'a>> {
        let guard = if self.eat(b'@') {
            let negated = self.eat(b'!');
            Some(Guard { register: self.name()?.text, negated })
        } else {
            None
        };
        let opcode = self.peek();
        if opcode.kind != Kind::Ident {
            return self.error("expected an instruction");
        }
        self.next();
        let mut modifiers = Vec::new();
        while self.peek().kind == Kind::Dotted {
            modifiers.push(self.next().text);
        }
        let mut operands = Vec::new();
        while !self.eat(b';') {
            if !operands.is_empty() {
                self.expect(b',')?;
            }
            operands.push(self.operand()?);
            if !self.peek().is(b',') && !self.peek().is(b';') {
                return self.error("expected `,` or `;`");
            }
        }
        Ok(Instruction { line: opcode.line, guard, opcode: opcode.text, modifiers, operands })
    }

    fn operand(&mut self) -> Parse<Operand<'a>> {
        let token = self.peek();
        Ok(match token.kind {
            Kind::Ident if token.text == "WARP_SZ" => Operand::Int(self.constant()?),
            Kind::Ident => {
                self.next();
                let part = self.peek();
                if part.kind == Kind::Dotted {
                    self.next();
                    return Ok(Operand::Name(special(token.text, part)?));
                }
                if self.eat(b'|') {
                    Operand::Pair(token.text, self.name()?.text)
                } else {
                    Operand::Name(token.text)
                }
            }
            Kind::F32(bits) => {
                self.next();
                Operand::F32(bits)
            }
            Kind::F64(bits) => {
                self.next();
                Operand::F64(bits)
            }
            Kind::Punct(b'-') if matches!(self.peek_second().kind, Kind::F32(_) | Kind::F64(_)) => {
                self.next();
                match self.next().kind {
                    Kind::F32(bits) => Operand::F32(bits ^ 1 << 31),
                    Kind::F64(bits) => Operand::F64(bits ^ 1 << 63),
                    _ => return self.error("expected a float"),
                }
            }
            Kind::Punct(b'!') if self.peek_second().kind == Kind::Ident => {
                self.next();
                Operand::Not(self.name()?.text)
            }
            Kind::Punct(b'[') => {
                self.next();
                self.memory()?
            }
            Kind::Punct(open @ (b'{' | b'(')) => {
                self.next();
                let close = if open == b'{' { b'}' } else { b')' };
                let mut items = Vec::new();
                while !self.eat(close) {
                    if !items.is_empty() {
                        self.expect(b',')?;
                    }
                    let item = self.deeper(Self::operand)?;
                    items.push(item);
                }
                if open == b'{' { Operand::Vector(items) } else { Operand::List(items) }
            }
            Kind::Int(_) | Kind::Punct(b'-' | b'~' | b'+') => Operand::Int(self.constant()?),
            _ => return self.error("expected an operand"),
        })
    }

    fn memory(&mut self) -> Parse<Operand<'a>> {
        let base =
            if self.peek().kind == Kind::Ident { Base::Name(self.name()?.text) } else { Base::Absolute };
        let offset = if self.peek().is(b']') && matches!(base, Base::Name(_)) { 0 } else { self.constant()? };
        self.expect(b']')?;
        Ok(Operand::Memory { base, offset: offset as i64 })
    }
}

/// Special registers with parts, under one name each.
fn special<'a>(name: &str, part: Token<'a>) -> Parse<&'a str> {
    const NAMES: [(&str, [&str; 4]); 4] = [
        ("%tid", ["%tid.x", "%tid.y", "%tid.z", "%tid.w"]),
        ("%ntid", ["%ntid.x", "%ntid.y", "%ntid.z", "%ntid.w"]),
        ("%ctaid", ["%ctaid.x", "%ctaid.y", "%ctaid.z", "%ctaid.w"]),
        ("%nctaid", ["%nctaid.x", "%nctaid.y", "%nctaid.z", "%nctaid.w"]),
    ];
    let axis = [".x", ".y", ".z", ".w"].iter().position(|p| *p == part.text);
    let found = NAMES.iter().find(|(n, _)| *n == name).zip(axis);
    match found {
        Some(((_, names), axis)) => Ok(names[axis]),
        None => Err(unsupported(part, &format!("`{name}` has no such part"))),
    }
}
