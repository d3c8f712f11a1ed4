//! Calls. A scalar parameter is a native argument; an array travels by address.

use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_module::Module as _;

use super::func::{Entity, Lower, Lowered, Modifiers, Param};
use super::module::clif;
use crate::error::LoadErrorKind;
use crate::ptx::ast::{Instruction, Operand, Signature, Ty, Variable};

impl<'p, 'a> Lower<'_, 'p, 'a> {
    /// `call (results), function, (arguments), prototype;` with the lists and the prototype optional.
    pub(super) fn call(&mut self, i: &'p Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        mods.take(".uni");
        self.done(&mods)?;
        let mut operands = i.operands.iter().peekable();
        let results = match operands.peek() {
            Some(Operand::List(list)) => {
                operands.next();
                list.as_slice()
            }
            _ => &[],
        };
        let Some(Operand::Name(target)) = operands.next() else {
            return Err(self.type_error("expected the name of a function"));
        };
        let arguments = match operands.peek() {
            Some(Operand::List(list)) => {
                operands.next();
                list.as_slice()
            }
            _ => &[],
        };
        let prototype = operands.next();
        if operands.next().is_some() {
            return Err(self.type_error("too many operands"));
        }
        let known = self.env.callees.get(target).map(|c| (c.id, c.signature, c.entry));
        match (known, prototype) {
            (Some((_, _, true)), _) => {
                Err(self.error(LoadErrorKind::Type, target, "an entry cannot be called"))
            }
            (Some((id, signature, false)), None) => {
                let (values, place) = self.arguments(signature, results, arguments)?;
                self.check_call(id.as_u32());
                let function = self.env.module.declare_func_in_func(id, self.b.func);
                let call = self.b.ins().call(function, &values);
                let result = self.b.inst_results(call).first().copied();
                self.take_result(place, signature, result)
            }
            (None, Some(Operand::Name(name))) => {
                let Some(Entity::Prototype(signature)) = self.find(name) else {
                    return Err(self.error(LoadErrorKind::Name, name, "no `.callprototype` of that name"));
                };
                let address = self.source(&Operand::Name(target), Ty::U64)?;
                let (values, place) = self.arguments(signature, results, arguments)?;
                let clif_signature = self.env.clif_signature(signature, false);
                self.check_indirect(address, &clif_signature);
                let imported = self.b.import_signature(clif_signature);
                let call = self.b.ins().call_indirect(imported, address, &values);
                let result = self.b.inst_results(call).first().copied();
                self.take_result(place, signature, result)
            }
            (None, _) if self.env.externals.contains(target) => {
                Err(self
                    .unsupported(target, "an external function needs a linker, which this device has not"))
            }
            (None, _) => Err(self.error(LoadErrorKind::Name, target, "no such function")),
            (Some(_), Some(_)) => Err(self.type_error("a direct call has no prototype")),
        }
    }

    /// The native arguments of a call, and where a scalar result goes.
    fn arguments<'o>(
        &mut self,
        signature: &'p Signature<'a>,
        results: &'o [Operand<'a>],
        arguments: &[Operand<'a>],
    ) -> Lowered<(Vec<Value>, Option<&'o Operand<'a>>)> {
        if results.len() != signature.returns.len() || arguments.len() != signature.params.len() {
            return Err(self.type_error(&format!(
                "the function returns {} and takes {}, the call has {} and {}",
                signature.returns.len(),
                signature.params.len(),
                results.len(),
                arguments.len()
            )));
        }
        let mut values = vec![self.context];
        let mut place = None;
        for (result, returned) in results.iter().zip(&signature.returns) {
            if returned.is_scalar() {
                place = Some(result);
            } else {
                values.push(self.array(result, returned)?);
            }
        }
        for (argument, param) in arguments.iter().zip(&signature.params) {
            let value = if param.is_scalar() {
                self.scalar(argument, param.ty)?
            } else {
                self.array(argument, param)?
            };
            values.push(value);
        }
        Ok((values, place))
    }

    /// The address of an array that is passed or returned.
    fn array(&mut self, operand: &Operand<'a>, wanted: &Variable<'a>) -> Lowered<Value> {
        let Operand::Name(name) = operand else {
            return Err(self.type_error("an array parameter needs a `.param` variable"));
        };
        let (address, size) = match self.find(name) {
            Some(Entity::Param(Param::Slot { slot, size })) => {
                (self.b.ins().stack_addr(types::I64, slot, 0), size)
            }
            Some(Entity::Param(Param::Pointer { var, size })) => (self.b.use_var(var), size),
            Some(_) => return Err(self.error(LoadErrorKind::Type, name, "not a `.param` array")),
            None => return Err(self.undeclared(name)),
        };
        if u64::from(size) != wanted.size() {
            let message = format!("the array has {size} bytes, the parameter {}", wanted.size());
            return Err(self.error(LoadErrorKind::Type, name, &message));
        }
        Ok(address)
    }

    fn scalar(&mut self, operand: &Operand<'a>, ty: Ty) -> Lowered<Value> {
        if let Operand::Name(name) = operand
            && let Some(Entity::Param(param)) = self.find(name)
        {
            return match param {
                Param::Scalar { var, ty: have } if have.size() == ty.size() => {
                    let value = self.b.use_var(var);
                    Ok(self.bitcast(value, clif(ty)))
                }
                _ => Err(self.error(LoadErrorKind::Type, name, &format!("the parameter is {ty}"))),
            };
        }
        self.source(operand, ty)
    }

    fn take_result(
        &mut self,
        place: Option<&Operand<'a>>,
        signature: &Signature<'a>,
        value: Option<Value>,
    ) -> Lowered {
        let (Some(operand), Some(returned), Some(value)) = (place, signature.returns.first(), value) else {
            return Ok(());
        };
        if let Operand::Name(name) = operand
            && let Some(Entity::Param(param)) = self.find(name)
        {
            return match param {
                Param::Scalar { var, ty: have } if have.size() == returned.ty.size() => {
                    let value = self.bitcast(value, clif(have));
                    self.b.def_var(var, value);
                    Ok(())
                }
                _ => Err(self.error(LoadErrorKind::Type, name, &format!("the result is {}", returned.ty))),
            };
        }
        self.assign(operand, returned.ty, value)
    }
}
