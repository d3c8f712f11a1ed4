//! Bodies: statements, instructions and their operands.

use super::ast::{Base, Guard, Instruction, Operand, Registers, Signature, Statement, Ty};
use super::lexer::{Kind, Token};
use super::parser::{Parse, Parser, unsupported};

impl<'a> Parser<'_, 'a> {
    pub(super) fn scope(&mut self) -> Parse<Vec<Statement<'a>>> {
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
        if matches!(ty, Ty::Bf16 | Ty::Bf16x2) {
            return Err(unsupported(token, "not a type of registers: use `.b16`, or `.b32` for two"));
        }
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
            operands.push(self.operand(opcode.text == "call")?);
            if !self.peek().is(b',') && !self.peek().is(b';') {
                return self.error("expected `,` or `;`");
            }
        }
        Ok(Instruction { line: opcode.line, guard, opcode: opcode.text, modifiers, operands })
    }

    /// In a call a parenthesis opens a list, elsewhere a constant expression.
    fn operand(&mut self, in_call: bool) -> Parse<Operand<'a>> {
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
            Kind::Punct(open @ (b'{' | b'(')) if open == b'{' || in_call => {
                self.next();
                let close = if open == b'{' { b'}' } else { b')' };
                let mut items = Vec::new();
                while !self.eat(close) {
                    if !items.is_empty() {
                        self.expect(b',')?;
                    }
                    let item = self.deeper(|p| p.operand(false))?;
                    items.push(item);
                }
                if open == b'{' { Operand::Vector(items) } else { Operand::List(items) }
            }
            Kind::Int(_) | Kind::Punct(b'-' | b'~' | b'+' | b'(') => Operand::Int(self.constant()?),
            _ => return self.error("expected an operand"),
        })
    }

    fn memory(&mut self) -> Parse<Operand<'a>> {
        let base =
            if self.peek().kind == Kind::Ident { Base::Name(self.name()?.text) } else { Base::Absolute };
        if self.eat(b',') {
            self.deeper(|p| p.operand(false))?;
            self.expect(b']')?;
            return Ok(Operand::Coordinates);
        }
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
