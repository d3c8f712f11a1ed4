//! Whether an ask of this thread runs its sleeping worker at once, or lets other asks go out first.
//!
//! Rule kept here: it is a guess about what is cheaper, and nothing else depends on it. A thread that asks for one reply after
//! the other is best served at once. One that has many asks going is better served by a worker that runs once for all of
//! them. So from time to time an ask waits until it is polled again; if others went out meanwhile, the next ones wait, too.

use std::cell::Cell;

/// Asks that are served at once after one that waited in vain: so many at first, twice as many each time, up to so many.
const ALONE: [u32; 2] = [32, 2048];

thread_local! {
    static HABIT: Cell<Habit> = const { Cell::new(Habit { at_once: 0, next: ALONE[0], waiting: 0 }) };
}

#[derive(Clone, Copy, Debug)]
struct Habit {
    /// Asks to be served at once before one waits again.
    at_once: u32,
    /// How many that will be the next time.
    next: u32,
    /// Asks that went out and wait, since one of them was served.
    waiting: u32,
}

impl Habit {
    fn waits(&mut self) -> bool {
        if self.at_once != 0 {
            self.at_once -= 1;
            return false;
        }
        self.waiting = self.waiting.saturating_add(1);
        true
    }

    fn served(&mut self) {
        if self.waiting > 1 {
            self.next = ALONE[0];
        } else {
            self.at_once = self.next;
            self.next = (self.next * 2).min(ALONE[1]);
        }
        self.waiting = 0;
    }
}

fn with<R>(rule: impl FnOnce(&mut Habit) -> R) -> R {
    HABIT.with(|cell| {
        let mut habit = cell.get();
        let result = rule(&mut habit);
        cell.set(habit);
        result
    })
}

/// Whether an ask that goes out now waits until it is polled again.
#[inline]
pub(crate) fn waits() -> bool {
    with(Habit::waits)
}

/// An ask that waited is served now, with all that went out meanwhile.
#[inline]
pub(crate) fn served() {
    with(Habit::served);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_one_by_one_are_served_at_once_and_asks_together_wait() {
        let mut habit = Habit { at_once: 0, next: ALONE[0], waiting: 0 };
        // One by one: who waited, waited alone.
        let mut waited = 0;
        for _ in 0..50_000 {
            if habit.waits() {
                waited += 1;
                habit.served();
            }
        }
        assert!((20..=40).contains(&waited), "{waited}");
        // Sixteen at a time: after the first that waits, and is not alone, all do.
        let mut waited = 0;
        for _ in 0..10_000 {
            let waits = (0..16).filter(|_| habit.waits()).count();
            waited += waits;
            if waits != 0 {
                habit.served();
            }
        }
        // But for those before the first that waits, and once more if that was the last of its sixteen.
        assert!(waited >= 160_000 - 2 * (ALONE[1] as usize + 16), "{waited}");
    }
}
