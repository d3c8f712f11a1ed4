//! Checks for tests: every handler can be lowered, and its native twin and its device twin agree.
//!
//! Rule kept here: the native twin is the oracle. State, reply, sends, kind of fault and source line must be the same, bit
//! for bit; NaN is compared by class, since neither twin defines its bits.

mod batch;
mod native;
mod simplify;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use kernels_ptx::abi::slice;

use crate::actor::{Actor, ActorInfo, ElementInfo, MethodInfo, Registration};
use crate::cx::{Cx, Message};
use crate::device::Device;
use crate::device::soft::{Soft, SoftConfig};
use crate::error::{self, Error};
use crate::fault::FaultKind;
use batch::{Batch, Faulted, Input, Output, Sent};
use native::{Native, Panic};
use values::Random;

/// What a check looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Calls that were made: cases times handlers.
    pub cases: u64,
    /// Calls that returned.
    pub returned: u64,
    /// Calls that faulted, the same way on both sides.
    pub faulted: u64,
    /// Calls whose loops ran past the budget on the device; they were not run natively, where they might never end.
    pub over_budget: u64,
    /// Messages that the calls sent.
    pub sent: u64,
}

/// A difference between the twins, or the reason why they could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The twins differ.
    #[error("{0}")]
    Differ(Box<Difference>),
    /// The handlers could not be run.
    #[error("{}", error::chain(.0))]
    Run(#[from] Error),
}

/// One call on which the twins differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Difference {
    /// Type and handler.
    pub handler: String,
    /// In what they differ.
    pub what: &'static str,
    /// The native twin's side.
    pub native: String,
    /// The device's side.
    pub device: String,
    /// Which case.
    pub case: usize,
    /// The seed of the check.
    pub seed: u64,
    /// The state before the call, made as simple as the difference allows.
    pub state: Vec<u8>,
    /// The message, made as simple as the difference allows.
    pub message: Vec<u8>,
    /// The time of the call.
    pub now: u64,
    /// The elements of each of its slices, made as simple as the difference allows.
    pub buffers: Vec<Vec<u8>>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handler, what, native, device, case, seed, state, message, now, buffers } = self;
        writeln!(f, "{handler} differs in {what}, first at case {case} with seed {seed:#x}:")?;
        writeln!(f, "  natively      {native}")?;
        writeln!(f, "  on the device {device}")?;
        writeln!(f, "for the simplest input that was found:")?;
        writeln!(f, "  state before  {}", Bytes(state))?;
        writeln!(f, "  message       {}", Bytes(message))?;
        writeln!(f, "  time          {now}")?;
        for buffer in buffers {
            writeln!(f, "  slice         {}", Bytes(buffer))?;
        }
        write!(f, "repeat it with testing::check_handlers::<{}>({}, {seed:#x})", type_name(handler), case + 1)
    }
}

/// The type's name without its path and handler.
fn type_name(handler: &str) -> &str {
    handler.rsplit("::").nth(1).unwrap_or(handler)
}

/// Runs every handler of `T` on random states and messages, natively and as PTX on the software GPU, and compares state,
/// reply, sends, and kind and line of faults.
///
/// Values are valid ones of their types, biased towards corner cases: zero, one, the limits of every width, NaN, infinities.
/// The same seed gives the same cases, whatever other handlers there are. An input on which the twins differ is made as simple as
/// the difference allows before it is reported.
///
/// # Errors
/// The first [`Mismatch`].
///
/// ```
/// use gpu_actor_rt::{prelude::*, testing};
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Adder {
///     sum: u64,
/// }
///
/// #[gpu_actor]
/// impl Adder {
///     #[handler]
///     fn add(&mut self, n: u64) -> u64 {
///         self.sum += n;
///         self.sum
///     }
/// }
///
/// # fn main() -> Result<(), testing::Mismatch> {
/// let report = testing::check_handlers::<Adder>(100, 1)?;
/// assert_eq!(report.cases, 100);
/// assert!(report.faulted > 0, "some sums overflow");
/// # Ok(())
/// # }
/// ```
pub fn check_handlers<T: Actor>(cases: u32, seed: u64) -> Result<Report, Mismatch> {
    check(&Soft::open(&SoftConfig::default()).map_err(Error::from)?, T::info(), cases, seed)
}

/// As [`check_handlers`], on a device of your choice: a card, say.
///
/// # Errors
/// The first [`Mismatch`].
///
/// ```
/// use gpu_actor_rt::device::{DeviceChoice, choose};
/// use gpu_actor_rt::{prelude::*, testing};
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Adder {
///     sum: u64,
/// }
///
/// #[gpu_actor]
/// impl Adder {
///     #[handler]
///     fn add(&mut self, n: u64) -> u64 {
///         self.sum += n;
///         self.sum
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let chosen = choose(&DeviceChoice::Auto)?;
/// let report = testing::check_handlers_on::<Adder>(chosen.device.as_ref(), 100, 1)?;
/// println!("{} calls were equal on {}", report.cases, chosen.device.info().name);
/// # Ok(())
/// # }
/// ```
pub fn check_handlers_on<T: Actor>(device: &dyn Device, cases: u32, seed: u64) -> Result<Report, Mismatch> {
    check(device, T::info(), cases, seed)
}

/// The PTX of the handlers of `T`, verified: to read, to keep as a golden file, to assemble with NVIDIA's `ptxas`.
///
/// # Errors
/// When a handler cannot be lowered.
///
/// ```
/// use gpu_actor_rt::{prelude::*, testing};
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Adder {
///     sum: u64,
/// }
///
/// #[gpu_actor]
/// impl Adder {
///     #[handler]
///     fn add(&mut self, n: u64) {
///         self.sum += n;
///     }
/// }
///
/// # fn main() -> gpu_actor_rt::Result<()> {
/// assert!(testing::ptx::<Adder>()?.contains("add.u64"));
/// # Ok(())
/// # }
/// ```
pub fn ptx<T: Actor>() -> crate::error::Result<String> {
    crate::program::handlers_ptx(T::info())
}

fn check(device: &dyn Device, info: &'static ActorInfo, cases: u32, seed: u64) -> Result<Report, Mismatch> {
    let mut report = Report::default();
    for surveyed in survey_on(device, info, cases, seed)? {
        if let Some(difference) = surveyed.difference {
            return Err(Mismatch::Differ(difference));
        }
        report.cases += surveyed.report.cases;
        report.returned += surveyed.report.returned;
        report.faulted += surveyed.report.faulted;
        report.over_budget += surveyed.report.over_budget;
        report.sent += surveyed.report.sent;
    }
    Ok(report)
}

/// What was found of one handler.
#[doc(hidden)]
#[derive(Debug)]
pub struct Surveyed {
    /// The handler.
    pub handler: &'static str,
    /// What was looked at.
    pub report: Report,
    /// How often it faulted in which way.
    pub faults: BTreeMap<String, u64>,
    /// How many different results there were, states included.
    pub distinct: usize,
    /// The first case on which the twins differ, its input made as simple as it goes.
    pub difference: Option<Box<Difference>>,
}

/// Checks every handler, and goes on with the next where one differs.
#[doc(hidden)]
pub fn survey(info: &'static ActorInfo, cases: u32, seed: u64) -> Result<Vec<Surveyed>, Mismatch> {
    survey_on(&Soft::open(&SoftConfig::default()).map_err(Error::from)?, info, cases, seed)
}

fn survey_on(
    device: &dyn Device,
    info: &'static ActorInfo,
    cases: u32,
    seed: u64,
) -> Result<Vec<Surveyed>, Mismatch> {
    let batch = Batch::load(device, info)?;
    let handlers = 0..info.methods.len();
    handlers.map(|index| survey_one(&Subject { batch: &batch, info, index }, cases, seed)).collect()
}

/// A handler that is looked at.
#[derive(Clone, Copy)]
struct Subject<'a> {
    batch: &'a Batch<'a>,
    info: &'static ActorInfo,
    index: usize,
}

impl Subject<'_> {
    fn method(&self) -> &'static MethodInfo {
        &self.info.methods[self.index]
    }

    fn device(&self, inputs: &[Input]) -> Result<Vec<Output>, Error> {
        self.batch.run(self.index, self.method(), inputs)
    }

    /// The native twin's result; `None` where the device's budget ran out, since it might never end.
    fn native(&self, input: &Input, device: &Output) -> Option<Native> {
        if matches!(&device.end, Err(fault) if kind(fault) == FaultKind::Budget) {
            return None;
        }
        let cx = Cx::native().max_sends(batch::MAX_SENDS).at(input.now);
        Some(native::run(self.method(), input, cx))
    }

    fn compare(&self, native: Native, device: Output) -> Result<(), Apart> {
        compare(self.info, self.method(), native, device)
    }
}

fn survey_one(subject: &Subject<'_>, cases: u32, seed: u64) -> Result<Surveyed, Mismatch> {
    let (info, method) = (subject.info, subject.method());
    // A handler's cases do not depend on which others there are.
    let mut random = Random::new(seed ^ u64::from(method.id) << 32);
    let inputs: Vec<_> = (0..cases).map(|_| input(info, method, &mut random)).collect();
    let outputs = subject.device(&inputs)?;
    let mut report = Report::default();
    let (mut faults, mut results) = (BTreeMap::new(), HashSet::new());
    let mut difference = None;
    for (case, (input, output)) in inputs.iter().zip(outputs).enumerate() {
        report.cases += 1;
        let fault = output.end.as_ref().err().map(kind);
        if let Some(fault) = fault {
            *faults.entry(format!("{fault:?}")).or_default() += 1;
        }
        let Some(native) = subject.native(input, &output) else {
            report.over_budget += 1;
            continue;
        };
        match &native.end {
            Ok((reply, sent)) => {
                report.returned += 1;
                report.sent += sent.len() as u64;
                results.insert((native.state.clone(), reply.clone()));
            }
            Err(_) => report.faulted += 1,
        }
        if let Err(apart) = subject.compare(native, output) {
            let (input, apart) = simplify::simplify(subject, input.clone(), apart);
            let Apart { what, native, device } = apart;
            let Input { state, message, now, buffers } = input;
            difference = Some(Box::new(Difference {
                handler: format!("{}::{}", info.name, method.name),
                what,
                native,
                device,
                case,
                seed,
                state,
                message,
                now,
                buffers,
            }));
            break;
        }
    }
    Ok(Surveyed { handler: method.name, report, faults, distinct: results.len(), difference })
}

/// A random, valid input.
fn input(info: &ActorInfo, method: &MethodInfo, random: &mut Random) -> Input {
    let mut state = vec![0; info.state_size as usize];
    random.fill(&mut state);
    (info.state)(&mut state);
    let mut message = vec![0; method.msg_size as usize];
    random.fill(&mut message);
    (method.message)(&mut message);
    let buffers = method.elements.iter().map(|element| buffer(*element, random)).collect();
    let mut input = Input { state, message, now: random.next() >> 1, buffers };
    name_buffers(&mut input);
    input
}

/// A buffer of a few random elements, or none.
fn buffer(element: ElementInfo, random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0; (random.next() % 10) as usize * element.size as usize];
    random.fill(&mut bytes);
    bytes
}

/// Makes the message's slices those of the input's buffers.
fn name_buffers(input: &mut Input) {
    for (number, buffer) in input.buffers.iter().enumerate() {
        let at = number as u64 * slice::SIZE;
        batch::put(&mut input.message, at + slice::HANDLE, batch::handle(number, buffer));
        batch::put(&mut input.message, at + slice::OFFSET, (buffer.len() as u64) << 32);
    }
}

/// In what two results are apart.
#[derive(Debug)]
struct Apart {
    what: &'static str,
    native: String,
    device: String,
}

fn differ<T>(what: &'static str, native: impl fmt::Display, device: impl fmt::Display) -> Result<T, Apart> {
    Err(Apart { what, native: native.to_string(), device: device.to_string() })
}

fn same<T: fmt::Display + PartialEq>(what: &'static str, native: T, device: T) -> Result<(), Apart> {
    if native == device { Ok(()) } else { differ(what, native, device) }
}

/// Bytes, two digits each.
#[derive(PartialEq)]
struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            // Words apart, so that fields can be found.
            let gap = if index == 0 {
                ""
            } else if index % 8 == 0 {
                "  "
            } else {
                " "
            };
            write!(f, "{gap}{byte:02x}")?;
        }
        if self.0.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

/// A result in words.
fn returned(reply: &[u8]) -> String {
    format!("returns {}", Bytes(reply))
}

fn compare(
    info: &ActorInfo,
    method: &MethodInfo,
    mut native: Native,
    mut device: Output,
) -> Result<(), Apart> {
    match (native.end, device.end) {
        (Ok((mut reply, sent)), Ok((mut device_reply, device_sent))) => {
            (method.reply)(&mut reply);
            (method.reply)(&mut device_reply);
            same("the reply", Bytes(&reply), Bytes(&device_reply))?;
            compare_sends(&sent, &device_sent)?;
        }
        (Err(panic), Err(fault)) => compare_faults(&panic, &fault)?,
        (Ok((reply, _)), Err(fault)) => return differ("the outcome", returned(&reply), fault),
        (Err(panic), Ok((reply, _))) => return differ("the outcome", panic, returned(&reply)),
    }
    for ((native, device), element) in native.buffers.iter_mut().zip(&mut device.buffers).zip(method.elements)
    {
        for bytes in native.chunks_mut(element.size as usize).chain(device.chunks_mut(element.size as usize))
        {
            (element.normalise)(bytes);
        }
        same("what a slice has then", Bytes(native), Bytes(device))?;
    }
    (info.state)(&mut native.state);
    (info.state)(&mut device.state);
    same("the state", Bytes(&native.state), Bytes(&device.state))
}

fn compare_sends(native: &[Message], device: &[Sent]) -> Result<(), Apart> {
    same("the number of sends", native.len(), device.len())?;
    for (native, device) in native.iter().zip(device) {
        same("the receiver of a send", native.target(), device.target)?;
        same("the handler of a send", native.method(), device.method)?;
        let mut payload = native.payload().to_vec();
        let mut device_payload = device.payload[..payload.len()].to_vec();
        if let Some(method) = linked_method(native.method()) {
            (method.message)(&mut payload);
            (method.message)(&mut device_payload);
        }
        same("the arguments of a send", Bytes(&payload), Bytes(&device_payload))?;
    }
    Ok(())
}

/// The handler of a method id, among all types of the program.
fn linked_method(id: u32) -> Option<&'static MethodInfo> {
    inventory::iter::<Registration>()
        .flat_map(|registration| (registration.0)().methods)
        .find(|method| method.id == id)
}

fn compare_faults(native: &Panic, device: &Faulted) -> Result<(), Apart> {
    // A failed assertion with a message of its own panics just like `panic!`.
    let class = |kind| if kind == FaultKind::Assert { FaultKind::Panic } else { kind };
    if class(native.kind()) != class(kind(device)) {
        return differ("the kind of fault", native, device);
    }
    let Some(site) = &device.site else { return differ("the site of the fault", native, device) };
    if !native.in_library() && native.line != site.line {
        return differ("the line of the fault", native, device);
    }
    match site.message {
        // `clamp` natively names the bounds too; the device says which rule was broken.
        Some(rule @ "min > max") if native.text.starts_with(rule) => Ok(()),
        // `unwrap` and `expect` of a `Result` natively print the error, too.
        Some(message) if native.text.strip_prefix(message).is_some_and(|rest| rest.starts_with(": ")) => {
            Ok(())
        }
        Some(message) if message != native.text => differ("the message of the fault", native, device),
        _ => Ok(()),
    }
}

impl fmt::Display for Faulted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults: {:?}", kind(self))?;
        let Some(site) = &self.site else { return Ok(()) };
        if let Some(message) = site.message {
            write!(f, " ({message:?})")?;
        }
        write!(f, " at line {}", site.line)
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panics: {:?} at {}:{}", self.text, self.file, self.line)
    }
}

fn kind(fault: &Faulted) -> FaultKind {
    FaultKind::from_code(fault.code)
}

/// Lowers and verifies every handler of a type; the test that `#[gpu_actor]` writes calls it.
///
/// # Panics
/// With the reason, if one cannot be lowered.
#[doc(hidden)]
pub fn check_lowering(info: &'static ActorInfo) {
    if let Err(error) = crate::program::Program::of(vec![info], false) {
        panic!("{}: {}", info.name, error::chain(&error));
    }
}
