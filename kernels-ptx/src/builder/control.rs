//! Control flow: if, blocks, loops, inlined functions, assert and panic.

use super::{Builder, Faulting, take};
use crate::{
    abi::fault::code,
    error::LowerError,
    ir::{Kind, Label as IrLabel, Operand, SiteId, Stmt},
    lang::{GpuType, Place, Val},
};

const ASSERT: Faulting = Faulting("`assert!`", "return a status instead");
const PANIC: Faulting = Faulting("`panic!`", "return a status instead");
const LOOP: Faulting = Faulting("a loop", "");

/// A loop or a block, for [`Builder::brk`]; a loop, for [`Builder::cont`].
#[derive(Clone, Copy, Debug)]
#[must_use = "breaks and continues need it"]
pub struct Label(IrLabel);

/// The inlined body of a function that gives an `R`.
#[derive(Debug)]
#[must_use = "a frame has to be ended"]
pub struct Frame<R: GpuType> {
    label: IrLabel,
    result: Place<R>,
    cycle: bool,
}

impl<R: GpuType> Frame<R> {
    /// Whether the function is already being inlined further out: the error is noted, the body must be skipped, and
    /// the frame must not be ended.
    pub fn is_cycle(&self) -> bool {
        self.cycle
    }
}

/// A construct that has begun and not ended.
#[derive(Debug)]
pub(super) struct Open {
    /// The statements before it.
    before: Vec<Stmt>,
    /// It begins where nothing runs.
    dead: bool,
    /// How deep the statements before it nest.
    depth: u32,
    what: What,
}

/// How deep statements may nest: what walks them recurses.
const MAX_DEPTH: u32 = 150;

/// One arm of an if: its statements, whether its end is dead, how deep it nests.
type Arm = (Vec<Stmt>, bool, u32);

#[derive(Debug)]
enum What {
    If { cond: Operand, yes: Option<Arm> },
    Loop { label: IrLabel, body: Option<Vec<Stmt>>, breaks: u32, continues: u32, budget: Option<SiteId> },
    Block { label: IrLabel, breaks: u32 },
    Frame { label: IrLabel, exits: u32 },
}

impl Builder {
    fn open(&self, what: What) {
        let mut state = self.state.borrow_mut();
        let before = std::mem::take(&mut state.body);
        let depth = std::mem::take(&mut state.depth);
        let dead = state.dead;
        state.open.push(Open { before, dead, depth, what });
    }

    /// Pushes the statement that a construct became, `inside` being how deep it nests with itself.
    fn close(&self, stmt: Stmt, before: u32, inside: u32) {
        self.state.borrow_mut().depth = before.max(inside);
        if inside <= MAX_DEPTH {
            self.push(stmt);
        } else if !self.dead() {
            let (function, what) = (self.symbol.clone(), "its nesting");
            let (actual, limit) = (u64::from(inside), u64::from(MAX_DEPTH));
            self.fail(LowerError::TooLarge { function, what, actual, limit });
        }
    }

    fn label(&self) -> IrLabel {
        let mut state = self.state.borrow_mut();
        state.labels += 1;
        IrLabel(state.labels - 1)
    }

    /// Begins what runs if `cond` holds.
    pub fn if_begin(&self, cond: Val<bool>) {
        self.open(What::If { cond: cond.operand(), yes: None });
    }

    /// Ends what runs if the condition holds and begins what runs otherwise.
    pub fn if_else(&self) {
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        if let Some(Open { dead, what: What::If { yes: yes @ None, .. }, .. }) = state.open.last_mut() {
            *yes = Some((std::mem::take(&mut state.body), state.dead, std::mem::take(&mut state.depth)));
            state.dead = *dead;
        } else {
            drop(guard);
            self.misuse("else without if");
        }
    }

    /// Ends an if.
    pub fn if_end(&self) {
        let mut state = self.state.borrow_mut();
        match state.open.pop() {
            Some(Open { before, dead, depth, what: What::If { cond, yes } }) => {
                let last = (std::mem::replace(&mut state.body, before), state.dead, state.depth);
                let (yes, no) = match yes {
                    Some(yes) => (yes, last),
                    None => (last, (vec![], dead, 0)),
                };
                state.dead = dead;
                drop(state);
                let ends = yes.1 && no.1;
                self.close_if(cond, yes, no, depth);
                self.state.borrow_mut().dead = dead || ends;
            }
            other => {
                state.open.extend(other);
                drop(state);
                self.misuse("end of an if that is not open");
            }
        }
    }

    /// Pushes an if. A chain of else-ifs, which is what a `match` becomes, stays flat: each arm leaves a block around
    /// the whole chain.
    fn close_if(&self, cond: Operand, mut yes: Arm, mut no: Arm, depth: u32) {
        let label = match no.0.last() {
            Some(&Stmt::Block { label, .. }) if self.state.borrow().chains.contains(&label) => label,
            Some(Stmt::If { .. }) => self.label(),
            _ => return self.close(Stmt::If { cond, yes: yes.0, no: no.0 }, depth, 1 + yes.2.max(no.2)),
        };
        if !yes.1 {
            yes.0.push(Stmt::Break(label));
        }
        let mut body = vec![Stmt::If { cond, yes: yes.0, no: vec![] }];
        match no.0.pop() {
            Some(Stmt::Block { label: inner, body: chain }) if inner == label => {
                body.extend(no.0);
                body.extend(chain);
            }
            last => {
                body.extend(no.0);
                body.extend(last);
                no.2 += 1;
                self.state.borrow_mut().chains.insert(label);
            }
        }
        self.close(Stmt::Block { label, body }, depth, (2 + yes.2).max(no.2));
    }

    /// Begins a loop. In a handler each turn but the last pays one unit of budget, and `line` is where the fault is
    /// reported when it is spent.
    pub fn loop_begin(&self, line: u32) -> Label {
        let label = self.label();
        let budget =
            if self.kind == Kind::Handler { self.site(code::BUDGET, line, None, LOOP) } else { None };
        self.open(What::Loop { label, body: None, breaks: 0, continues: 0, budget });
        Label(label)
    }

    /// Begins what runs between two turns: a `continue` lands here. At most once per loop.
    pub fn loop_continuing(&self) {
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        if let Some(Open { what: What::Loop { body: body @ None, continues, .. }, dead, .. }) =
            state.open.last_mut()
        {
            *body = Some(std::mem::take(&mut state.body));
            state.dead = *dead || (state.dead && *continues == 0);
        } else {
            drop(guard);
            self.misuse("continuing part outside a loop");
        }
    }

    /// Ends a loop.
    pub fn loop_end(&self) {
        let mut state = self.state.borrow_mut();
        match state.open.pop() {
            Some(Open {
                before,
                dead,
                depth,
                what: What::Loop { label, body, breaks, continues, budget },
            }) => {
                let inside = 1 + state.depth;
                let last = std::mem::replace(&mut state.body, before);
                let last_dead = state.dead;
                state.dead = dead;
                drop(state);
                let (body, continuing) = match body {
                    Some(body) => (body, last),
                    None => (last, vec![]),
                };
                // Without a second turn it is a block that a break leaves.
                let repeats = !last_dead || continues > 0 || !continuing.is_empty();
                let stmt = if repeats {
                    Stmt::Loop { label, body, continuing, budget }
                } else {
                    Stmt::Block { label, body }
                };
                self.close(stmt, depth, inside);
                self.state.borrow_mut().dead = dead || breaks == 0;
            }
            other => {
                state.open.extend(other);
                drop(state);
                self.misuse("end of a loop that is not open");
            }
        }
    }

    /// Begins a block that [`brk`](Self::brk) leaves: a labelled block, or the arms of a `match`.
    ///
    /// ```
    /// use kernels_ptx::{builder::Builder, ir::ScalarType};
    ///
    /// let b = Builder::func("clamp", &[ScalarType::U32], Some(ScalarType::U32));
    /// let x = b.local(b.arg::<u32>(0));
    /// let small = b.block_begin();
    /// b.if_begin(b.lt(b.read(x), b.lit(100)));
    /// b.brk(small);
    /// b.if_end();
    /// b.write(x, b.lit(100));
    /// b.block_end();
    /// b.result(b.read(x));
    /// b.finish()?;
    /// # Ok::<(), kernels_ptx::error::LowerError>(())
    /// ```
    pub fn block_begin(&self) -> Label {
        let label = self.label();
        self.open(What::Block { label, breaks: 0 });
        Label(label)
    }

    /// Ends a block.
    pub fn block_end(&self) {
        let mut state = self.state.borrow_mut();
        match state.open.pop() {
            Some(Open { before, dead, depth, what: What::Block { label, mut breaks } }) => {
                let mut body = std::mem::replace(&mut state.body, before);
                let mut ends = state.dead;
                state.dead = dead;
                if body.last() == Some(&Stmt::Break(label)) {
                    body.pop();
                    breaks -= 1;
                    ends = false;
                }
                if breaks == 0 {
                    // Nobody jumps to its end.
                    state.body.append(&mut body);
                    state.depth = state.depth.max(depth);
                    state.dead = dead || ends;
                    return;
                }
                let inside = 1 + state.depth;
                drop(state);
                self.close(Stmt::Block { label, body }, depth, inside);
            }
            other => {
                state.open.extend(other);
                drop(state);
                self.misuse("end of a block that is not open");
            }
        }
    }

    /// Leaves the loop or block.
    pub fn brk(&self, target: Label) {
        let mut state = self.state.borrow_mut();
        if state.dead {
            return;
        }
        let found = state.open.iter_mut().rev().find_map(|open| match &mut open.what {
            What::Loop { label, breaks, .. } | What::Block { label, breaks } if *label == target.0 => {
                Some(breaks)
            }
            _ => None,
        });
        if let Some(breaks) = found {
            *breaks += 1;
            drop(state);
            self.terminate(Stmt::Break(target.0));
        } else {
            drop(state);
            self.misuse("break out of a loop or block that is not open");
        }
    }

    /// Goes on with the next turn of the loop.
    pub fn cont(&self, target: Label) {
        let mut state = self.state.borrow_mut();
        if state.dead {
            return;
        }
        let found = state.open.iter_mut().rev().find_map(|open| match &mut open.what {
            What::Loop { label, continues, body: None, .. } if *label == target.0 => Some(continues),
            _ => None,
        });
        if let Some(continues) = found {
            *continues += 1;
            drop(state);
            self.terminate(Stmt::Continue(target.0));
        } else {
            drop(state);
            self.misuse("continue of a loop that is not open");
        }
    }

    /// Begins the inlined body of a function. `name` is unique to the function; a function within itself is
    /// recursion, see [`Frame::is_cycle`].
    pub fn frame_begin<R: GpuType>(&self, name: &'static str) -> Frame<R> {
        self.frame_begin_of(name, &[])
    }

    /// The same of a generic function: `instance` has the types it is used with, `[(); N]` for a length `N`. Two instances
    /// are two functions.
    pub fn frame_begin_of<R: GpuType>(&self, name: &'static str, instance: &[&'static str]) -> Frame<R> {
        let label = self.label();
        let result = self.slot::<R>();
        let mut state = self.state.borrow_mut();
        let entry = (name, shown(name, instance));
        if let Some(first) = state.frames.iter().position(|frame| *frame == entry) {
            let shown = |(_, shown): &(&'static str, String)| shown.clone();
            let cycle = state.frames[first..].iter().map(shown).chain([entry.1.clone()]).collect();
            drop(state);
            self.fail(LowerError::Recursion { function: self.symbol.clone(), cycle });
            return Frame { label, result, cycle: true };
        }
        state.frames.push(entry);
        drop(state);
        self.open(What::Frame { label, exits: 0 });
        Frame { label, result, cycle: false }
    }

    /// Returns from the function that the frame inlines.
    pub fn ret<R: GpuType>(&self, frame: &Frame<R>, value: Val<R>) {
        if self.dead() || frame.cycle {
            return;
        }
        self.write(frame.result, value);
        self.leave(frame);
    }

    /// Where the function's result goes, for a value that is built in place; then comes [`leave`](Self::leave).
    pub fn result_of<R: GpuType>(&self, frame: &Frame<R>) -> Place<R> {
        frame.result
    }

    /// Returns from the function that the frame inlines, with what is in the place of its result.
    pub fn leave<R: GpuType>(&self, frame: &Frame<R>) {
        if self.dead() || frame.cycle {
            return;
        }
        let mut state = self.state.borrow_mut();
        let found = state.open.iter_mut().rev().find_map(|open| match &mut open.what {
            What::Frame { label, exits } if *label == frame.label => Some(exits),
            _ => None,
        });
        if let Some(exits) = found {
            *exits += 1;
            drop(state);
            self.terminate(Stmt::Break(frame.label));
        } else {
            drop(state);
            self.misuse("return from a function that is not open");
        }
    }

    /// Ends the inlined body; the value is what was returned.
    #[expect(clippy::needless_pass_by_value, reason = "a frame ends once")]
    pub fn frame_end<R: GpuType>(&self, frame: Frame<R>) -> Val<R> {
        let Frame { label: ended, result, cycle } = frame;
        if cycle {
            return self.never();
        }
        let mut state = self.state.borrow_mut();
        match state.open.pop() {
            Some(Open { before, dead, depth, what: What::Frame { label, mut exits } }) if label == ended => {
                let mut body = std::mem::replace(&mut state.body, before);
                let falls_through = !state.dead;
                state.frames.pop();
                if body.last() == Some(&Stmt::Break(label)) {
                    body.pop();
                    exits -= 1;
                    state.dead = dead;
                    if exits == 0 {
                        // The only return is the last statement: nothing to jump over.
                        state.body.append(&mut body);
                        state.depth = state.depth.max(depth);
                        drop(state);
                        return take(result);
                    }
                }
                let returns = falls_through || !state.dead || exits > 0;
                state.dead = dead;
                let inside = 1 + state.depth;
                drop(state);
                self.close(Stmt::Block { label, body }, depth, inside);
                if dead || !returns {
                    self.state.borrow_mut().dead = true;
                    return self.never();
                }
                take(result)
            }
            other => {
                state.open.extend(other);
                drop(state);
                self.misuse("end of a function that is not open");
                self.never()
            }
        }
    }

    /// `assert!(cond)`.
    pub fn assert(&self, cond: Val<bool>, line: u32, message: Option<&'static str>) {
        let site = self.site(code::ASSERT, line, message, ASSERT);
        self.fault_if(cond.operand(), false, site);
    }

    /// `panic!()`.
    pub fn panic(&self, line: u32, message: Option<&'static str>) {
        if let Some(site) = self.site(code::PANIC, line, message, PANIC) {
            self.terminate(Stmt::Fault { site });
        }
    }
}

/// A function and what it is used with, as its author writes it.
fn shown(name: &str, instance: &[&str]) -> String {
    if instance.is_empty() {
        return name.to_owned();
    }
    let length =
        |text: &&str| text.strip_prefix("[(); ").and_then(|n| n.strip_suffix(']')).map(str::to_owned);
    let arguments: Vec<_> =
        instance.iter().map(|text| length(text).unwrap_or_else(|| (*text).to_owned())).collect();
    format!("{name}::<{}>", arguments.join(", "))
}
