//! The host's coarse clocks: a few nanoseconds to read, exact to a tick of the kernel (1 to 10 ms).
//!
//! Rule kept here: a coarse reading is never ahead of the exact one. So a stamp made from it is in the past, never in
//! the future, and a deadline gets [`resolution`] on top: it may come a little late and never comes early. This is the
//! runtime's one call of the operating system's clock beside `std`, which has no coarse one; where the system has none,
//! the exact clocks take their place.

/// Nanoseconds since the epoch, by the wall clock of the kernel's last tick.
#[inline]
pub(crate) fn wall() -> u64 {
    imp::wall()
}

/// Nanoseconds since some moment, by the steady clock of the kernel's last tick.
#[inline]
pub(crate) fn steady() -> u64 {
    imp::steady()
}

/// Nanoseconds that [`steady`] may be behind.
pub(crate) fn resolution() -> u64 {
    imp::resolution()
}

#[cfg(target_os = "linux")]
mod imp {
    use std::sync::OnceLock;

    #[inline]
    fn read(clock: libc::clockid_t) -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a live `timespec`, which is all that the call writes; it fails for unknown clocks alone
        // (Linux has these two since 2.6.32), and would then leave the zero.
        unsafe { libc::clock_gettime(clock, &raw mut time) };
        nanoseconds(&time)
    }

    fn nanoseconds(time: &libc::timespec) -> u64 {
        // A clock before 1970 reads as 1970, as in `hlc::now`.
        u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000) + time.tv_nsec as u64
    }

    #[inline]
    pub(super) fn wall() -> u64 {
        read(libc::CLOCK_REALTIME_COARSE)
    }

    #[inline]
    pub(super) fn steady() -> u64 {
        read(libc::CLOCK_MONOTONIC_COARSE)
    }

    pub(super) fn resolution() -> u64 {
        static RESOLUTION: OnceLock<u64> = OnceLock::new();
        *RESOLUTION.get_or_init(|| {
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: as for `clock_gettime` above.
            unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
            nanoseconds(&time)
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::sync::OnceLock;
    use std::time::Instant;

    pub(super) fn wall() -> u64 {
        crate::hlc::now()
    }

    pub(super) fn steady() -> u64 {
        static BEGUN: OnceLock<Instant> = OnceLock::new();
        BEGUN.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }

    pub(super) fn resolution() -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn coarse_time_is_never_ahead_of_exact_time() {
        for _ in 0..1000 {
            let coarse = wall();
            assert!(coarse <= crate::hlc::now(), "the coarse wall clock is ahead");
        }
    }

    /// What a deadline is made of: `steady() - base + resolution() + timeout` is not before `timeout` has passed.
    #[test]
    fn a_coarse_deadline_never_comes_early() {
        let (base, begun) = (steady(), Instant::now());
        for _ in 0..1000 {
            let exact = begun.elapsed().as_nanos() as u64;
            let coarse = steady() - base + resolution();
            assert!(coarse >= exact, "{coarse} after {exact}");
        }
    }
}
