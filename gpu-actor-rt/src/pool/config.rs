//! How a pool is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::pressure::PressureChange;
use crate::buffer::MOST_BYTES;
use crate::error::{Error, Result};

/// What kind of memory buffers are to be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PoolMode {
    /// What suits the device: on a software GPU the host's memory, which is its own as well; on CUDA the device's, since the driver
    /// gives no other beside a running kernel. It is chosen once, at the start, and [`PoolStats`](crate::PoolStats) says what and why.
    #[default]
    Auto,
    /// The device's own memory: the host copies.
    Device,
    /// Memory that host and device both reach: on CUDA managed memory, or pinned memory where host and device may not use managed memory
    /// at the same time. The driver gives neither while a kernel runs, so on CUDA there is what was
    /// [reserved](PoolConfig::reserve), and no more.
    Host,
}

/// Told of changes of the pressure.
pub(super) type Callback = Arc<dyn Fn(PressureChange) + Send + Sync>;

/// The options of a system's pool of buffers, see [`Config::pool`](crate::Config::pool); every one has a default that works.
///
/// ```
/// use std::time::Duration;
/// use gpu_actor_rt::{Config, PoolConfig, PoolMode};
///
/// let pool = PoolConfig::default()
///     .mode(PoolMode::Host)
///     .reserve(1 << 20, 8)                       // eight blocks of 1 MiB from the start on
///     .max_bytes(1 << 30)                        // never more than 1 GiB
///     .max_age(Some(Duration::from_secs(5)))     // what nobody needed for so long goes back to the device
///     .on_pressure(|change| eprintln!("memory is {}", change.to));
/// let config = Config::default().pool(pool);
/// # let _ = config;
/// ```
#[derive(Clone)]
#[must_use]
pub struct PoolConfig {
    pub(super) mode: PoolMode,
    pub(super) hold: Option<u32>,
    pub(super) max_age: Option<Duration>,
    pub(super) max_bytes: Option<u64>,
    pub(super) thresholds: [u8; 3],
    pub(super) reserve: Vec<(usize, u32)>,
    pub(super) on_pressure: Option<Callback>,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            mode: PoolMode::Auto,
            hold: None,
            max_age: Some(Duration::from_secs(30)),
            max_bytes: None,
            thresholds: [50, 75, 90],
            reserve: Vec::new(),
            on_pressure: None,
        }
    }
}

impl PoolConfig {
    /// The kind of memory. Default [`PoolMode::Auto`].
    pub fn mode(mut self, mode: PoolMode) -> Self {
        self.mode = mode;
        self
    }

    /// Blocks of each size that are kept for later when nobody uses them. Default: 64 MiB of them, and at least two.
    pub fn hold(mut self, blocks: u32) -> Self {
        self.hold = Some(blocks);
        self
    }

    /// How long a block is kept that nobody needs; it goes back to the device after this time, and before twice of it. `None`: for ever.
    /// Default 30 s.
    pub fn max_age(mut self, age: Option<Duration>) -> Self {
        self.max_age = age;
        self
    }

    /// Bytes that the pool has at the most, in use and kept. Default: the device's memory.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// From how many hundredths of the device's memory, or of [`max_bytes`](Self::max_bytes), on the pressure is medium, high and
    /// critical. Default 50, 75, 90. A level is left 5 below its threshold.
    pub fn thresholds(mut self, medium: u8, high: u8, critical: u8) -> Self {
        self.thresholds = [medium, high, critical];
        self
    }

    /// Allocates `count` blocks for buffers of `bytes` bytes at the start, before the ring kernel runs, and keeps them whatever happens.
    /// May be said for several sizes.
    pub fn reserve(mut self, bytes: usize, count: u32) -> Self {
        self.reserve.push((bytes, count));
        self
    }

    /// Tells `callback` of every change of the pressure, on a thread of the pool. It may drop buffers, and block; changes that
    /// come meanwhile are told afterwards.
    pub fn on_pressure(mut self, callback: impl Fn(PressureChange) + Send + Sync + 'static) -> Self {
        self.on_pressure = Some(Arc::new(callback));
        self
    }

    /// Checks the options.
    pub(crate) fn check(&self) -> Result<()> {
        let [medium, high, critical] = self.thresholds;
        if !(medium > 0 && medium < high && high < critical && critical <= 100) {
            return Err(Error::Config {
                option: "pool",
                value: format!("thresholds {medium}, {high}, {critical}"),
                why: "thresholds are hundredths, from 1 to 100, each above the one before",
            });
        }
        if self.max_age.is_some_and(|age| age < Duration::from_millis(1)) {
            return Err(Error::Config {
                option: "pool",
                value: format!("max_age {:?}", self.max_age.unwrap_or_default()),
                why: "blocks are kept for at least a millisecond; use hold(0) to keep none",
            });
        }
        if let Some((bytes, _)) = self.reserve.iter().find(|(bytes, _)| !(1..=MOST_BYTES).contains(bytes)) {
            return Err(Error::Config {
                option: "pool",
                value: format!("reserve of {bytes} bytes"),
                why: "a block has 1 byte to 1 GiB",
            });
        }
        Ok(())
    }
}

impl fmt::Debug for PoolConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolConfig")
            .field("mode", &self.mode)
            .field("hold", &self.hold)
            .field("max_age", &self.max_age)
            .field("max_bytes", &self.max_bytes)
            .field("thresholds", &self.thresholds)
            .field("reserve", &self.reserve)
            .field("on_pressure", &self.on_pressure.is_some())
            .finish()
    }
}
