//! What lanes do together, and time: barriers, votes, shuffles, matches, sleeping and events.
//!
//! All of it is host calls; the meaning is in [`crate::warp`] and [`crate::block`]. Where a block has one lane, see `alone`.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::func::{Lower, Lowered, Modifiers};
use crate::host;
use crate::ptx::ast::{Instruction, Operand, Ty};
use crate::warp::WarpKind;

impl<'a> Lower<'_, '_, 'a> {
    /// Calls the host for a `.sync` instruction. The result has the value in its low half and the predicate above.
    fn warp(
        &mut self,
        kind: WarpKind,
        mask: Option<&Operand<'a>>,
        value: Value,
        source: Option<Value>,
        clamp: Option<Value>,
    ) -> Lowered<(Value, Value)> {
        let mask = match mask {
            Some(mask) => self.source(mask, Ty::B32)?,
            // Without `.sync`: all lanes of the warp that have not ended.
            None => self.int(types::I32, u64::MAX),
        };
        let zero = self.int(types::I32, 0);
        let (source, clamp) = (source.unwrap_or(zero), clamp.unwrap_or(zero));
        if self.env.alone {
            return self.warp_alone(kind, mask, value, source, clamp);
        }
        self.warp_call(kind, mask, value, source, clamp)
    }

    /// The host call for a `.sync` instruction.
    pub(super) fn warp_call(
        &mut self,
        kind: WarpKind,
        mask: Value,
        value: Value,
        source: Value,
        clamp: Value,
    ) -> Lowered<(Value, Value)> {
        let kind = self.int(types::I32, kind as u64);
        let value = self.resize(value, types::I64, false);
        let result = self.host_value(&host::WARP, &[self.context, kind, mask, value, source, clamp])?;
        let low = self.b.ins().ireduce(types::I32, result);
        let high = self.b.ins().ushr_imm_u(result, 32);
        let predicate = self.is_set(high);
        Ok((low, predicate))
    }

    fn zero64(&mut self) -> Value {
        self.int(types::I64, 0)
    }

    /// Splits `d|p` into its two names.
    fn pair<'o>(&self, operand: &'o Operand<'a>) -> Lowered<(Operand<'a>, Option<Operand<'a>>)>
    where
        'a: 'o,
    {
        match operand {
            Operand::Name(d) => Ok((Operand::Name(d), None)),
            Operand::Pair(d, p) => Ok((Operand::Name(d), Some(Operand::Name(p)))),
            _ => Err(self.type_error("the destination must be a register")),
        }
    }

    /// `bar` and `barrier`, with `.warp.sync`, `.sync`, `.arrive` and `.red`.
    pub(super) fn barrier(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        if mods.take(".warp") {
            if !mods.take(".sync") {
                return Err(self.type_error("`bar.warp` needs `.sync`"));
            }
            self.done(&mods)?;
            let [mask] = self.operands(i)?;
            let value = self.zero64();
            self.warp(WarpKind::Sync, Some(mask), value, None, None)?;
            return Ok(());
        }
        if mods.take(".cluster") {
            return Err(self.unsupported(".cluster", "there are no clusters of blocks"));
        }
        let _ = mods.take(".cta");
        let _ = mods.take(".aligned");
        if mods.take(".red") {
            return self.barrier_reduce(i, mods);
        }
        let arrive = mods.take(".arrive");
        if !arrive && !mods.take(".sync") {
            return Err(self.type_error("needs `.sync`, `.arrive` or `.red`"));
        }
        self.done(&mods)?;
        let (id, count) = match i.operands.as_slice() {
            [id] if !arrive => (id, None),
            [id, count] => (id, Some(count)),
            _ => return Err(self.type_error("wrong number of operands")),
        };
        let id = self.source(id, Ty::U32)?;
        let count = match count {
            Some(count) => self.source(count, Ty::U32)?,
            None => self.int(types::I32, 0),
        };
        if arrive {
            self.host(&host::ARRIVE, &[self.context, id, count]);
        } else if !self.opens_alone(i) {
            let zero = self.int(types::I32, 0);
            self.host(&host::BARRIER, &[self.context, id, count, zero, zero]);
        }
        Ok(())
    }

    /// `bar.red.popc.u32 d, id[, count], p;` and `bar.red.{and,or}.pred d, id[, count], p;`
    fn barrier_reduce(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let Some((number, counts)) =
            mods.take_any(&[(".popc", (1, true)), (".and", (2, false)), (".or", (3, false))])
        else {
            return Err(self.type_error("needs `.popc`, `.and` or `.or`"));
        };
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty != if counts { Ty::U32 } else { Ty::Pred } {
            return Err(self.bad_type(ty));
        }
        let (d, id, count, p) = match i.operands.as_slice() {
            [d, id, p] => (d, id, None, p),
            [d, id, count, p] => (d, id, Some(count), p),
            _ => return Err(self.type_error("takes 3 or 4 operands")),
        };
        let id = self.source(id, Ty::U32)?;
        let count = match count {
            Some(count) => self.source(count, Ty::U32)?,
            None => self.int(types::I32, 0),
        };
        let p = self.predicate(p)?;
        let p = self.resize(p, types::I32, false);
        let number = self.int(types::I32, number);
        let result = self.host_value(&host::BARRIER, &[self.context, id, count, p, number])?;
        if counts {
            let value = self.b.ins().ireduce(types::I32, result);
            self.assign(d, ty, value)
        } else {
            let value = self.is_set(result);
            self.assign(d, ty, value)
        }
    }

    /// `vote.sync.{all,any,uni}.pred p, q, mask;` and `vote.sync.ballot.b32 d, q, mask;`
    pub(super) fn vote(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let sync = mods.take(".sync");
        let kind = mods.take_any(&[
            (".all", WarpKind::VoteAll),
            (".any", WarpKind::VoteAny),
            (".uni", WarpKind::VoteUni),
            (".ballot", WarpKind::VoteBallot),
        ]);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let Some(kind) = kind else {
            return Err(self.type_error("needs `.all`, `.any`, `.uni` or `.ballot`"));
        };
        if ty != if kind == WarpKind::VoteBallot { Ty::B32 } else { Ty::Pred } {
            return Err(self.bad_type(ty));
        }
        let (d, q, mask) = match (i.operands.as_slice(), sync) {
            ([d, q, mask], true) => (d, q, Some(mask)),
            ([d, q], false) => (d, q, None),
            _ => return Err(self.type_error("takes 3 operands with `.sync` and 2 without")),
        };
        let q = self.predicate(q)?;
        let (value, predicate) = self.warp(kind, mask, q, None, None)?;
        self.assign(d, ty, if ty == Ty::Pred { predicate } else { value })
    }

    fn needs_sync(&self, mods: &mut Modifiers<'_, '_>) -> Lowered {
        if mods.take(".sync") { Ok(()) } else { Err(self.type_error("needs `.sync`")) }
    }

    /// `shfl.sync.{up,down,bfly,idx}.b32 d[|p], a, b, c, mask;`
    pub(super) fn shfl(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let sync = mods.take(".sync");
        let kind = mods.take_any(&[
            (".up", WarpKind::ShflUp),
            (".down", WarpKind::ShflDown),
            (".bfly", WarpKind::ShflBfly),
            (".idx", WarpKind::ShflIdx),
        ]);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let Some(kind) = kind else { return Err(self.type_error("needs `.up`, `.down`, `.bfly` or `.idx`")) };
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let (d, a, b, c, mask) = match (i.operands.as_slice(), sync) {
            ([d, a, b, c, mask], true) => (d, a, b, c, Some(mask)),
            ([d, a, b, c], false) => (d, a, b, c, None),
            _ => return Err(self.type_error("takes 5 operands with `.sync` and 4 without")),
        };
        let (d, p) = self.pair(d)?;
        let (a, b, c) = (self.source(a, ty)?, self.source(b, Ty::B32)?, self.source(c, Ty::B32)?);
        let (value, predicate) = self.warp(kind, mask, a, Some(b), Some(c))?;
        self.assign(&d, ty, value)?;
        match p {
            Some(p) => self.assign(&p, Ty::Pred, predicate),
            None => Ok(()),
        }
    }

    /// `match.any.sync.{b32,b64} d, a, mask;` and `match.all.sync.{b32,b64} d[|p], a, mask;`
    pub(super) fn match_(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        self.needs_sync(&mut mods)?;
        let kind = mods.take_any(&[(".any", WarpKind::MatchAny), (".all", WarpKind::MatchAll)]);
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        let Some(kind) = kind else { return Err(self.type_error("needs `.any` or `.all`")) };
        if !matches!(ty, Ty::B32 | Ty::B64) {
            return Err(self.bad_type(ty));
        }
        let [d, a, mask] = self.operands(i)?;
        let (d, p) = self.pair(d)?;
        if p.is_some() && kind == WarpKind::MatchAny {
            return Err(self.type_error("only `match.all` has a predicate"));
        }
        let a = self.source(a, ty)?;
        let (value, predicate) = self.warp(kind, Some(mask), a, None, None)?;
        self.assign(&d, Ty::B32, value)?;
        match p {
            Some(p) => self.assign(&p, Ty::Pred, predicate),
            None => Ok(()),
        }
    }

    /// `redux.sync.op.type d, a, mask;`
    pub(super) fn redux(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        self.needs_sync(&mut mods)?;
        let ty = self.ty(&mut mods)?;
        let kind = match ty {
            Ty::U32 => mods.take_any(&[
                (".add", WarpKind::ReduxAdd),
                (".min", WarpKind::ReduxMinU),
                (".max", WarpKind::ReduxMaxU),
            ]),
            Ty::S32 => mods.take_any(&[
                (".add", WarpKind::ReduxAdd),
                (".min", WarpKind::ReduxMinS),
                (".max", WarpKind::ReduxMaxS),
            ]),
            Ty::B32 => mods.take_any(&[
                (".and", WarpKind::ReduxAnd),
                (".or", WarpKind::ReduxOr),
                (".xor", WarpKind::ReduxXor),
            ]),
            _ => None,
        };
        if !matches!(ty, Ty::U32 | Ty::S32 | Ty::B32) {
            return Err(self.bad_type(ty));
        }
        self.done(&mods)?;
        let Some(kind) = kind else { return Err(self.bad_type(ty)) };
        let [d, a, mask] = self.operands(i)?;
        let a = self.source(a, ty)?;
        let (value, _) = self.warp(kind, Some(mask), a, None, None)?;
        self.assign(d, ty, value)
    }

    /// `elect.sync d|p, mask;`
    pub(super) fn elect(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        self.needs_sync(&mut mods)?;
        self.done(&mods)?;
        let [d, mask] = self.operands(i)?;
        let (d, p) = self.pair(d)?;
        let Some(p) = p else { return Err(self.type_error("needs `d|p`")) };
        let value = self.zero64();
        let (leader, predicate) = self.warp(WarpKind::Elect, Some(mask), value, None, None)?;
        self.assign(&d, Ty::B32, leader)?;
        self.assign(&p, Ty::Pred, predicate)
    }

    /// The lanes of a block run one at a time, so the set of lanes that are active with this one is itself.
    pub(super) fn activemask(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty != Ty::B32 {
            return Err(self.bad_type(ty));
        }
        let [d] = self.operands(i)?;
        let value = self.own_lane_bit();
        self.assign(d, ty, value)
    }

    pub(super) fn nanosleep(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let ty = self.ty(&mut mods)?;
        self.done(&mods)?;
        if ty != Ty::U32 {
            return Err(self.bad_type(ty));
        }
        let [time] = self.operands(i)?;
        let time = self.source(time, ty)?;
        self.host(&host::SLEEP, &[self.context, time]);
        Ok(())
    }

    pub(super) fn pmevent(&mut self, i: &Instruction<'a>, mut mods: Modifiers<'_, 'a>) -> Lowered {
        let mask = mods.take(".mask");
        self.done(&mods)?;
        let [event] = self.operands(i)?;
        if mask {
            let Operand::Int(events @ 0..=0xffff) = event else {
                return Err(self.type_error("a mask of events is a constant of 16 bits"));
            };
            for number in (0..16).filter(|n| events >> n & 1 == 1) {
                let number = self.int(types::I32, number);
                self.host(&host::PMEVENT, &[self.context, number]);
            }
            return Ok(());
        }
        let Operand::Int(number @ 0..=15) = event else {
            return Err(self.type_error("an event is a constant from 0 to 15"));
        };
        let number = self.int(types::I32, *number);
        self.host(&host::PMEVENT, &[self.context, number]);
        Ok(())
    }
}
