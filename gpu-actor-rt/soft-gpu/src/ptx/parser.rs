//! Tokens to the tree, by recursive descent.

use super::ast::{Function, Name, Program, Signature, Space, Ty, Variable};
use super::lexer::{Kind, Token, tokens};
use crate::error::{LoadError, LoadErrorKind};
use crate::version::{Version, check_ptx, check_target};

/// Deepest nesting of scopes and expressions: a bound on the parser's stack.
const MAX_DEPTH: u32 = 64;
/// Largest variable in bytes.
const MAX_VARIABLE: u64 = 1 << 30;

/// Who is to run a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    /// The CUDA version of the driver.
    pub(crate) driver: Version,
    /// The compute capability of the device.
    pub(crate) device: Version,
}

/// Reads a whole text.
pub(crate) fn parse(text: &str, reader: Reader) -> Result<Program<'_>, LoadError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, reader };
    parser.program()
}

pub(super) struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    depth: u32,
    reader: Reader,
}

pub(super) type Parse<T> = Result<T, LoadError>;

pub(super) fn unsupported(token: Token<'_>, message: &str) -> LoadError {
    LoadError::new(LoadErrorKind::Unsupported, token.line, token.text, message)
}

impl<'a> Parser<'_, 'a> {
    pub(super) fn peek(&self) -> Token<'a> {
        // The list ends with `End`, and `next` never moves past it.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn peek_second(&self) -> Token<'a> {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    pub(super) fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    pub(super) fn error<T>(&self, message: &str) -> Parse<T> {
        let token = self.peek();
        Err(LoadError::new(LoadErrorKind::Syntax, token.line, token.text, message))
    }

    pub(super) fn eat(&mut self, punct: u8) -> bool {
        let found = self.peek().is(punct);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn eat_dotted(&mut self, text: &str) -> bool {
        let token = self.peek();
        let found = token.kind == Kind::Dotted && token.text == text;
        if found {
            self.next();
        }
        found
    }

    pub(super) fn expect(&mut self, punct: u8) -> Parse<()> {
        if self.eat(punct) { Ok(()) } else { self.error(&format!("expected `{}`", punct as char)) }
    }

    pub(super) fn name(&mut self) -> Parse<Name<'a>> {
        let token = self.peek();
        if token.kind != Kind::Ident {
            return self.error("expected a name");
        }
        self.next();
        Ok(Name { text: token.text, line: token.line })
    }

    pub(super) fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
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
            .and_then(|(major, minor)| Some(Version::new(major.parse().ok()?, minor.parse().ok()?)));
        let Some(version) = version else { return self.error("expected a version such as `7.0`") };
        self.next();
        if version.major == 0 {
            return Err(unsupported(token, "no such PTX version is known"));
        }
        check_ptx(version, token.line, self.reader.driver)
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
                    let target = self.name()?;
                    check_target(target.text, target.line, self.reader.device)?;
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
                        let mut function = self.function()?;
                        function.external = external;
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
    pub(super) fn skip_debug(&mut self) -> Parse<()> {
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
            external: false,
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

    pub(super) fn small_int(&mut self) -> Parse<u32> {
        match self.peek().kind {
            Kind::Int(n) if u32::try_from(n).is_ok() => {
                self.next();
                Ok(n as u32)
            }
            _ => self.error("expected an integer of at most 32 bits"),
        }
    }

    pub(super) fn params(&mut self) -> Parse<Vec<Variable<'a>>> {
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
    pub(super) fn variable_type(&mut self) -> Parse<(Ty, u32, Option<u32>)> {
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
    pub(super) fn variables(&mut self, external: bool) -> Parse<Vec<Variable<'a>>> {
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
}
