//! The ring against what a program does without it: a kernel launch for every message.
//!
//! Rules kept here: both sides run the same lowered handler on the same device in the same process; they take turns, and
//! no ring kernel lives while launches are timed; every reply of both is looked at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gpu_actor_rt::__private::{Actor, MethodInfo};
use gpu_actor_rt::device::{Allocation, Device, LaunchRequest, LaunchStatus, LoadedModule, MemoryKind};
use kernels_ptx::abi::{cx, slot};
use kernels_ptx::builder::Builder;
use kernels_ptx::harness::{self, param};
use kernels_ptx::module::Module;

use crate::validate::actors::Probe;
use crate::validate::finding::{Chart, Recorder, Shape, Stop};
use crate::validate::ground::{Ground, Live, long_enough};
use crate::validate::measure::median;

pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    record.step("loading the handler as a kernel");
    let device = ground.open()?;
    let mut baseline = Baseline::load(&device)?;
    let aim = ground.pick(Duration::from_millis(60), Duration::from_millis(700));
    let rounds = ground.pick(5, 11);

    record.step("finding how many messages a turn needs");
    baseline.launch(20, record)?;
    let (messages, _) = long_enough(aim, (200, 200_000), |count| baseline.launch(count, record))?;
    let (mut asks, mut tells, mut launches) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=rounds {
        record.step(format!("turn {turn} of the ring"));
        let (ask, tell) = ring(ground, &device, messages, record)?;
        asks.push(ask);
        tells.push(tell);
        record.step(format!("turn {turn} of the launches"));
        launches.push(baseline.launch(messages, record)?);
    }
    let ratios = |ring: &[f64]| -> f64 {
        let each: Vec<f64> = launches.iter().zip(ring).map(|(launch, ring)| launch / ring).collect();
        median(&each).unwrap_or_default()
    };
    let (for_asks, for_tells) = (ratios(&asks), ratios(&tells));
    record.figure("launch and wait, per message", median(&launches).unwrap_or_default(), "us");
    record.figure("ring, ask and wait, per message", median(&asks).unwrap_or_default(), "us");
    record.figure(
        "ring, tells in a row until handled, per message",
        median(&tells).unwrap_or_default(),
        "us",
    );
    record.figure("a launch takes so many times as long as an ask", for_asks, "");
    record.figure("a launch takes so many times as long as a tell", for_tells, "");
    record.figure("turns of each", f64::from(rounds), "");
    record.figure("messages in a turn", messages as f64, "");
    record.note(
        "A launch goes through the runtime's own seam: a kernel on a stream that is reused, and queries until it has ended. \
         Medians of the turns, and of the ratios of the turns that stand side by side. An ask waits for its reply as a \
         launch does for its end; tells do not wait for each other, so their ratio is what a program gains that needs no \
         reply.",
    );
    record.chart(Chart {
        file: "ring-and-launch",
        title: "A message through the ring, and as a launch".into(),
        x: "turn",
        y: "microseconds per message, logarithmic",
        shape: Shape::Bars {
            groups: (1..=rounds).map(|turn| turn.to_string()).collect(),
            series: vec![
                ("ring, ask".into(), asks),
                ("launch and wait".into(), launches),
                ("ring, tell".into(), tells),
            ],
        },
    });
    if device.info().hardware {
        record.require(for_asks > 1.0, || {
            format!("an ask through the ring is slower than a launch ({for_asks:.2})")
        });
    }
    Ok(())
}

/// A turn of the ring: microseconds per ask and per tell.
fn ring(
    ground: &Ground,
    device: &Arc<dyn Device>,
    messages: u64,
    record: &Recorder,
) -> Result<(f64, f64), Stop> {
    let live = Live::start(ground.config(device))?;
    let probe = live.system.actor::<Probe>("ring");
    for _ in 0..20 {
        live.wait(probe.add(1).into_future())?;
    }
    let begun = Instant::now();
    let wrong = live.wait(async {
        let mut wrong = 0u64;
        for i in 0..messages {
            wrong += u64::from(probe.add(1).await? != 21 + i);
        }
        Ok::<_, Stop>(wrong)
    })?;
    let ask = micros(begun, messages);
    record.require(wrong == 0, || format!("{wrong} replies of the ring were not the right ones"));

    let begun = Instant::now();
    live.wait(async {
        for _ in 0..messages {
            probe.add(1).tell_wait().await?;
        }
        Ok::<_, Stop>(())
    })?;
    live.drain()?;
    let tell = micros(begun, messages);
    let count = live.wait(probe.get().into_future())?;
    record.require(count == 20 + 2 * messages, || {
        format!("the actor has counted {count} of {}", 20 + 2 * messages)
    });
    live.end(record)?;
    Ok((ask, tell))
}

fn micros(begun: Instant, messages: u64) -> f64 {
    begun.elapsed().as_secs_f64() * 1e6 / messages as f64
}

/// The handler as a kernel of its own, with memory for one actor and one message.
#[derive(Debug)]
struct Baseline {
    device: Arc<dyn Device>,
    module: Arc<dyn LoadedModule>,
    state: Box<dyn Allocation>,
    /// Message, context and status: the host writes the first and reads the others.
    shared: Box<dyn Allocation>,
    total: u64,
}

/// Where the context and the status lie in the shared memory.
const CONTEXT: u64 = 256;
const STATUS: u64 = CONTEXT + cx::SIZE.next_multiple_of(256);

impl Baseline {
    fn load(device: &Arc<dyn Device>) -> Result<Self, Stop> {
        let method = method()?;
        let builder = Builder::handler("add");
        (method.lower)(&builder);
        let mut module = Module::new("baseline");
        module.add(builder.finish()?);
        module.add(harness::build(&["add"])?);
        let module = device.load(&module.verify()?)?.module;
        Ok(Self {
            state: device.alloc(MemoryKind::Device, Probe::info().state_size as usize)?,
            shared: device.alloc(MemoryKind::Mapped, (STATUS + 8) as usize)?,
            device: Arc::clone(device),
            module,
            total: 0,
        })
    }

    /// Launches the kernel so many times, each with a message and a wait; microseconds per message.
    fn launch(&mut self, messages: u64, record: &Recorder) -> Result<f64, Stop> {
        let mut args = [0; param::COUNT_OF];
        args[param::COUNT] = 1;
        args[param::STATES] = self.state.address();
        args[param::MESSAGES] = self.shared.address();
        args[param::CONTEXTS] = self.shared.address() + CONTEXT;
        args[param::STATUSES] = self.shared.address() + STATUS;
        let mut wrong = 0u64;
        let begun = Instant::now();
        for _ in 0..messages {
            self.write(slot::HEADER, 1)?;
            self.write(CONTEXT + cx::BUDGET, 1 << 20)?;
            self.write(STATUS, u64::MAX)?;
            let request = LaunchRequest {
                module: self.module.as_ref(),
                entry: harness::SYMBOL,
                workers: 1,
                lanes: 1,
                args: &args,
                persistent: false,
                spin: Duration::ZERO,
            };
            // SAFETY: the arguments name one state, one message, one context record and one status in live allocations of this
            // device, as the harness asks for a count of one; they outlive the launch, which is waited for here, and the host
            // touches them before and after it only.
            let launched = unsafe { self.device.launch(&request) }?;
            match launched.wait(Some(Duration::from_secs(20))) {
                LaunchStatus::Finished => {}
                LaunchStatus::Failed(error) => return Err(error.into()),
                other => return Err(Stop::Failed(format!("a launch of one message ended as {other:?}"))),
            }
            self.total += 1;
            let (status, reply) = (self.read(STATUS)?, self.read(CONTEXT + cx::REPLY)?);
            wrong += u64::from(status != 0 || reply != self.total);
        }
        let each = micros(begun, messages);
        record.require(wrong == 0, || format!("{wrong} replies of the launches were not the right ones"));
        Ok(each)
    }

    fn word(&self, offset: u64) -> Result<std::ptr::NonNull<u64>, Stop> {
        let host =
            self.shared.host_ptr().ok_or_else(|| Stop::Failed("mapped memory has no host address".into()))?;
        assert!(
            offset.is_multiple_of(8) && offset + 8 <= self.shared.len() as u64,
            "inside the shared memory"
        );
        // SAFETY: the offset lies within the allocation, as was just checked.
        Ok(unsafe { host.add(offset as usize) }.cast())
    }

    fn write(&self, offset: u64, value: u64) -> Result<(), Stop> {
        // SAFETY: the word is inside mapped memory, which is aligned to 256 bytes; no kernel runs at the time.
        unsafe { self.word(offset)?.write_volatile(value) };
        Ok(())
    }

    fn read(&self, offset: u64) -> Result<u64, Stop> {
        // SAFETY: as for writing.
        Ok(unsafe { self.word(offset)?.read_volatile() })
    }
}

/// The handler that both sides run.
fn method() -> Result<&'static MethodInfo, Stop> {
    let found = Probe::info().methods.iter().find(|method| method.name == "add");
    found.ok_or_else(|| Stop::Failed("the actor has lost its handler".into()))
}
