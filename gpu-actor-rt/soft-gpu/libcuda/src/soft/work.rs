//! Work in streams: jobs, when they end, and the threads that run them.
//!
//! Rules kept here:
//! - The jobs of a queue run one at a time, in the order in which they were pushed.
//! - A job starts when all jobs that it comes after have ended. These were pushed before it, so nothing waits in a circle.
//! - Every job ends, and its end is told once, whatever happens in it.
//!
//! A queue has a thread of its own from its first job until it is closed and empty.

use std::collections::VecDeque;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Answer, lock};
use crate::code::Code;

/// How long a call may wait for a kernel before it says so on stderr.
const SAY_AFTER: Duration = Duration::from_secs(5);

/// How a job ended, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) at: Instant,
    pub(crate) answer: Answer,
}

/// The end of a job, to be waited for.
#[derive(Debug)]
pub(crate) struct Done {
    what: String,
    end: Mutex<Option<End>>,
    ended: Condvar,
}

impl Done {
    fn new(what: String) -> Arc<Done> {
        Arc::new(Done { what, end: Mutex::new(None), ended: Condvar::new() })
    }

    fn tell(&self, answer: Answer) {
        lock(&self.end).get_or_insert(End { at: Instant::now(), answer });
        self.ended.notify_all();
    }

    /// How it ended, if it has.
    pub(crate) fn peek(&self) -> Option<End> {
        *lock(&self.end)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.peek().is_some()
    }

    pub(crate) fn wait(&self) -> End {
        let mut end = lock(&self.end);
        loop {
            if let Some(end) = *end {
                return end;
            }
            end = self.ended.wait(end).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits, and says so when it takes long: here may be what would be a hang on hardware.
    pub(crate) fn wait_in(&self, call: &str) -> End {
        let end = lock(&self.end);
        let (end, _) = self
            .ended
            .wait_timeout_while(end, SAY_AFTER, |end| end.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = *end {
            return end;
        }
        drop(end);
        say(format_args!(
            "{call} has waited {} s for {}. On hardware, too, this call waits for it; if it never ends, \
             this is a hang.",
            SAY_AFTER.as_secs(),
            self.what
        ));
        self.wait()
    }
}

struct Job {
    after: Vec<Arc<Done>>,
    run: Box<dyn FnOnce() -> Answer + Send>,
    done: Arc<Done>,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
    has_thread: bool,
}

/// Jobs in a row.
#[derive(Default)]
pub(crate) struct Queue {
    jobs: Mutex<Jobs>,
    more: Condvar,
}

impl Queue {
    /// Adds a job. `what` names it for whoever waits long.
    pub(crate) fn push(
        self: &Arc<Self>,
        what: String,
        after: Vec<Arc<Done>>,
        run: impl FnOnce() -> Answer + Send + 'static,
    ) -> Result<Arc<Done>, Code> {
        let mut jobs = lock(&self.jobs);
        if !jobs.has_thread {
            let queue = Arc::clone(self);
            std::thread::Builder::new()
                .name("soft-cuda-stream".to_owned())
                .spawn(move || queue.work())
                .map_err(|_| Code::OPERATING_SYSTEM)?;
            jobs.has_thread = true;
        }
        let done = Done::new(what);
        jobs.waiting.push_back(Job { after, run: Box::new(run), done: Arc::clone(&done) });
        drop(jobs);
        self.more.notify_one();
        Ok(done)
    }

    /// No more jobs come; those that wait still run.
    pub(crate) fn close(&self) {
        lock(&self.jobs).closed = true;
        self.more.notify_one();
    }

    fn next(&self) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.closed {
                jobs.has_thread = false;
                return None;
            }
            jobs = self.more.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            for earlier in &job.after {
                earlier.wait();
            }
            // A panic is a defect of this crate, which the panic hook has reported; whoever waits must hear of the end.
            let answer = catch_unwind(AssertUnwindSafe(job.run)).unwrap_or(Err(Code::UNKNOWN));
            job.done.tell(answer);
        }
    }
}

/// A line on stderr. Where nobody reads it any more, that changes nothing for what is reported.
pub(super) fn say(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "soft-gpu libcuda: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_run_in_order_and_after_what_they_come_after() {
        let (first, second) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
        let (go, gate) = channel::<()>();
        let (say, heard) = channel();
        let at = |n: u32| {
            let say = say.clone();
            move || {
                say.send(n).unwrap();
                Ok(())
            }
        };
        let gated = first
            .push("gated".to_owned(), Vec::new(), {
                let at = at(1);
                move || {
                    gate.recv().unwrap();
                    at()
                }
            })
            .unwrap();
        let next = first.push("next".to_owned(), Vec::new(), at(2)).unwrap();
        let other = second.push("other".to_owned(), vec![Arc::clone(&next)], at(3)).unwrap();
        assert!(!gated.has_ended() && !next.has_ended() && !other.has_ended());
        go.send(()).unwrap();
        other.wait().answer.unwrap();
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_job_that_panics_has_ended_and_the_next_one_runs() {
        let queue = Arc::new(Queue::default());
        let bad = queue.push("bad".to_owned(), Vec::new(), || panic!("a panic that the test wants")).unwrap();
        let good = queue.push("good".to_owned(), Vec::new(), || Ok(())).unwrap();
        queue.close();
        assert_eq!(bad.wait().answer, Err(Code::UNKNOWN));
        assert_eq!(good.wait().answer, Ok(()));
    }
}
