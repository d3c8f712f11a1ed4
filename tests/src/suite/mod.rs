//! The behaviour of an actor system, written once and run on every backend.
//!
//! Rules kept here: a behaviour takes a [`Backend`] and gets its configuration and its device from there, so it never
//! names a kind of device; it depends on no timing; every behaviour of a room is in the room's list, which the compiler
//! sees to. What a backend cannot do is listed as ignored, never left out.

#![allow(clippy::unwrap_used, reason = "a behaviour fails by panicking")]

mod atomic;
mod calls;
mod chaos;
mod data;
mod differential;
mod faults;
mod lifecycle;
mod order;

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use gpu_actor_rt::device::{Device, DeviceError};
use gpu_actor_rt::{ActorSystem, Config};
use libtest_mimic::{Failed, Trial};

/// How long a behaviour may take before it is called hung. Generous: machines are slow and busy.
const PATIENCE: Duration = Duration::from_mins(10);

/// What a behaviour runs on.
#[derive(Debug)]
pub struct Backend {
    device: Arc<dyn Device>,
    slice: Option<Duration>,
}

impl Backend {
    /// A configuration on this backend.
    fn config(&self) -> Config {
        let config = Config::default().device(Arc::clone(&self.device));
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
    /// Two systems at a time on one device.
    TwoSystems,
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
        calls::all,
        chaos::all,
        data::all,
        differential::all,
        faults::all,
        lifecycle::all,
        order::all,
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
    /// How many devices there are.
    pub devices: usize,
    /// The length of the slices, in bounded-slice mode.
    pub slice: Option<Duration>,
    /// Whether a kernel that never ends by itself can be ended.
    pub kills: bool,
    /// Why nothing can be run; everything is listed all the same.
    pub absent: Option<String>,
}

/// Devices that nobody uses at the moment.
#[derive(Debug)]
struct Pool {
    free: Mutex<Vec<usize>>,
    returned: Condvar,
}

/// A device that is this trial's until it is dropped.
struct Lease(Arc<Pool>, usize);

impl Pool {
    fn lease(self: &Arc<Self>) -> Lease {
        let free = self.free.lock().unwrap();
        let mut free = self.returned.wait_while(free, |free| free.is_empty()).unwrap();
        let index = free.pop().unwrap();
        Lease(Arc::clone(self), index)
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
            Need::TwoSystems if !self.kills => Some("systems have a device each there"),
            _ => None,
        }
    }

    /// The suite on this kind of device: one trial per behaviour.
    #[must_use]
    pub fn trials(self) -> Vec<Trial> {
        let pool =
            Arc::new(Pool { free: Mutex::new((0..self.devices).rev().collect()), returned: Condvar::new() });
        let trial = |behaviour: Behaviour| {
            let room = behaviour.name.rsplit("::suite::").next().unwrap_or(behaviour.name);
            let obstacle = self.obstacle(behaviour.need).is_some();
            let (open, slice, pool) = (Arc::clone(&self.open), self.slice, Arc::clone(&pool));
            Trial::test(format!("{}::{room}", self.name), move || {
                let lease = pool.lease();
                run(&Backend { device: open(lease.1)?, slice }, behaviour.run)
            })
            .with_ignored_flag(obstacle)
        };
        let mut behaviours = every_behaviour();
        // Nothing of what they do is sliced.
        behaviours.retain(|behaviour| self.slice.is_none() || behaviour.need != Need::NoRing);
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
