//! The behaviour of an actor system, written once and run on every backend.
//!
//! Rules kept here: a behaviour takes a [`Backend`] and gets its configuration and its device from there, so it never
//! names a kind of device; it depends on no timing; every behaviour of a room is in the room's list, which the compiler
//! sees to. What a backend cannot do is listed as ignored, never left out.

#![allow(clippy::unwrap_used, reason = "a behaviour fails by panicking")]

mod atomic;
mod buffers;
mod calls;
mod chaos;
mod data;
mod differential;
mod fairness;
mod faults;
pub mod kinds;
mod lifecycle;
mod mailbox;
mod many;
mod order;
mod pool;
mod population;
mod sleep;
mod slices;

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use gpu_actor_rt::device::{Device, DeviceError};
use gpu_actor_rt::{ActorSystem, Config};
use libtest_mimic::{Failed, Trial};

/// How long a behaviour may take before it is called hung. Generous: machines are slow and busy.
const PATIENCE: Duration = Duration::from_mins(10);

/// What a behaviour runs on.
pub struct Backend {
    device: Arc<dyn Device>,
    /// Opens the same device once more, for a second system beside the first.
    again: Box<dyn Fn() -> Result<Arc<dyn Device>, DeviceError> + Send + Sync>,
    slice: Option<Duration>,
}

impl Backend {
    /// A configuration on this backend.
    fn config(&self) -> Config {
        self.config_on(&self.device)
    }

    /// A configuration for a system beside one that has [`config`](Self::config).
    fn config_of_another(&self) -> Config {
        self.config_on(&(self.again)().unwrap())
    }

    fn config_on(&self, device: &Arc<dyn Device>) -> Config {
        // Two workers on every machine, so that messages also go from one to the other.
        let config = Config::default().workers(2).device(Arc::clone(device));
        match self.slice {
            Some(slice) => config.slice(slice),
            None => config,
        }
    }

    /// A system with a configuration of [`config`](Self::config); what really runs is what was asked for.
    async fn start(&self, config: Config) -> ActorSystem {
        let system = ActorSystem::start(config).await.unwrap();
        let (stats, info) = (system.stats(), self.device.info());
        assert_eq!((&stats.device, stats.device_kind), (&info.name, info.kind));
        system
    }

    /// A system with nothing said but where it runs.
    async fn system(&self) -> ActorSystem {
        self.start(self.config()).await
    }
}

/// What a behaviour needs that not every backend has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    /// A kernel that never ends by itself can be ended.
    Kill,
    /// It does not use the ring kernel, so it says nothing of slices.
    NoRing,
}

/// A promise, and the function that holds a backend to it.
struct Behaviour {
    name: &'static str,
    need: Need,
    run: fn(&Backend) -> Pin<Box<dyn Future<Output = ()> + '_>>,
}

/// What a behaviour may end with.
trait Ending {
    fn end(self);
}

impl Ending for () {
    fn end(self) {}
}

impl Ending for gpu_actor_rt::Result<()> {
    fn end(self) {
        self.unwrap();
    }
}

/// The list of a room's behaviours: the names of its functions, in brackets what they need.
macro_rules! behaviours {
    ($($name:ident $([$need:ident])?),* $(,)?) => {
        pub(super) fn all() -> Vec<$crate::suite::Behaviour> {
            #[allow(unused_imports, reason = "a room may need nothing, or something in every behaviour")]
            use $crate::suite::Need::{self, *};
            vec![$($crate::suite::Behaviour {
                name: concat!(module_path!(), "::", stringify!($name)),
                need: { let _need = Need::Nothing; $(let _need = $need;)? _need },
                run: |backend| Box::pin(async move { $crate::suite::Ending::end($name(backend).await) }),
            }),*]
        }
    };
}
use behaviours;

fn every_behaviour() -> Vec<Behaviour> {
    let rooms = [
        atomic::all,
        buffers::all,
        calls::all,
        chaos::all,
        data::all,
        differential::all,
        fairness::all,
        faults::all,
        lifecycle::all,
        mailbox::all,
        many::all,
        order::all,
        pool::all,
        population::all,
        sleep::all,
        slices::all,
    ];
    rooms.iter().flat_map(|room| room()).collect()
}

/// Opens a device by its index.
pub type Open = dyn Fn(usize) -> Result<Arc<dyn Device>, DeviceError> + Send + Sync;

/// A kind of device that the suite runs on.
pub struct Kind {
    /// The first part of the behaviours' names.
    pub name: &'static str,
    /// Opens the devices; the behaviours that run at a time have one each.
    pub open: Arc<Open>,
    /// Opens a device that is open, for a second system beside the first.
    pub open_again: Arc<Open>,
    /// Whether the devices are silicon.
    pub hardware: bool,
    /// The devices, which kinds may share.
    pub devices: Devices,
    /// The length of the slices, in bounded-slice mode.
    pub slice: Option<Duration>,
    /// Whether a kernel that never ends by itself can be ended.
    pub kills: bool,
    /// Why nothing can be run; everything is listed all the same.
    pub absent: Option<String>,
}

/// Devices, by index, of which nobody uses those that are in here. Clones are the same devices.
#[derive(Clone, Debug)]
pub struct Devices(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    free: Mutex<Vec<usize>>,
    returned: Condvar,
}

/// A device that is this trial's until it is dropped.
struct Lease(Arc<Pool>, usize);

impl Devices {
    /// So many devices.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Pool { free: Mutex::new((0..count).rev().collect()), returned: Condvar::new() }))
    }

    fn lease(&self) -> Lease {
        let free = self.0.free.lock().unwrap();
        let mut free = self.0.returned.wait_while(free, |free| free.is_empty()).unwrap();
        let index = free.pop().unwrap();
        Lease(Arc::clone(&self.0), index)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A trial that failed gives its device back like any other.
        self.0.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(self.1);
        self.0.returned.notify_one();
    }
}

impl Kind {
    /// Why a behaviour cannot be run here.
    fn obstacle(&self, need: Need) -> Option<&str> {
        match need {
            _ if self.absent.is_some() => self.absent.as_deref(),
            Need::Kill if !self.kills => Some("a kernel cannot be killed there"),
            _ => None,
        }
    }

    /// The suite on this kind of device: one trial per behaviour.
    #[must_use]
    pub fn trials(self) -> Vec<Trial> {
        let kind = Arc::new(self);
        let trial = |behaviour: Behaviour| {
            let room = behaviour.name.rsplit("::suite::").next().unwrap_or(behaviour.name);
            let obstacle = kind.obstacle(behaviour.need).is_some();
            let kind = Arc::clone(&kind);
            Trial::test(format!("{}::{room}", kind.name), move || {
                let lease = kind.devices.lease();
                let device = (kind.open)(lease.1)?;
                if device.info().hardware != kind.hardware {
                    return Err(format!("{:?} was opened for {}", device.info(), kind.name).into());
                }
                let (slice, index) = (kind.slice, lease.1);
                let again = Box::new(move || (kind.open_again)(index));
                run(&Backend { device, again, slice }, behaviour.run)
            })
            .with_ignored_flag(obstacle)
        };
        let mut behaviours = every_behaviour();
        // Nothing of what they do is sliced.
        behaviours.retain(|behaviour| kind.slice.is_none() || behaviour.need != Need::NoRing);
        behaviours.into_iter().map(trial).collect()
    }
}

fn run(
    backend: &Backend,
    behaviour: fn(&Backend) -> Pin<Box<dyn Future<Output = ()> + '_>>,
) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, behaviour(backend)).await });
    // Nothing may hold a trial up that has come to its end.
    runtime.shutdown_background();
    outcome.map_err(|_| format!("it hangs: no end after {PATIENCE:?}").into())
}
