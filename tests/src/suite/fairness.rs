//! How long a slow actor can hold up the others of its worker: what a message may cost, and whose turn it is.

use super::{Backend, behaviours};
use crate::actors::Spinner;
use gpu_actor_examples::counter::Counter;
use gpu_actor_rt::prelude::*;

behaviours! {
    a_message_costs_its_budget_at_most_however_many_are_slow,
    an_actor_that_never_rests_lets_host_messages_in_once_a_burst,
}

const BUDGET: u64 = 1000;
/// Passes of a worker's burst: with one lane, messages.
const BURST: u32 = 64;

async fn a_message_costs_its_budget_at_most_however_many_are_slow(backend: &Backend) {
    const SLOW: u64 = 20;
    let system = backend.start(backend.config().workers(1).budget(BUDGET)).await;
    let counter = system.actor::<Counter>(1);
    system.pause().await.unwrap();
    // One that never ends before each that does.
    for key in 0..SLOW {
        system.actor::<Spinner>(key).spin().tell().unwrap();
        counter.add(1).tell().unwrap();
    }
    system.resume().await.unwrap();
    system.drained().await.unwrap();
    let stats = system.stats();
    assert_eq!((stats.handled, stats.faulted), (SLOW, SLOW));
    for key in 0..SLOW {
        // The first turn is before the first back-edge; the back-edge that is one too many is not taken.
        assert_eq!(system.actor::<Spinner>(key).turns().await.unwrap(), BUDGET + 1);
    }
    assert_eq!(counter.add(0).await.unwrap() as u64, SLOW);
    system.shutdown().await.unwrap();
}

/// Has always one message to itself under way, and notes how many there were when the host's came.
#[gpu_actor]
#[derive(Default)]
struct Restless {
    rounds: u32,
    marks: [u32; 8],
    marked: u32,
    rests: bool,
}

#[gpu_actor]
impl Restless {
    #[handler]
    fn again(&mut self, cx: &mut Cx, me: ActorId<Restless>) {
        self.rounds += 1;
        if !self.rests {
            cx.tell(me.again(me));
        }
    }

    #[handler]
    fn mark(&mut self) {
        self.marks[self.marked as usize] = self.rounds;
        self.marked += 1;
    }

    /// Ends it; the rounds at each mark.
    #[handler]
    fn rest(&mut self) -> [u32; 8] {
        self.rests = true;
        self.marks
    }
}

async fn an_actor_that_never_rests_lets_host_messages_in_once_a_burst(backend: &Backend) {
    let system = backend.start(backend.config().workers(1).lanes(1)).await;
    let restless = system.actor::<Restless>(1);
    restless.again(restless.id().unwrap()).await.unwrap();
    system.pause().await.unwrap();
    // Its message waits in the worker's own queue; these wait for their turn beside it.
    for _ in 0..8 {
        restless.mark().tell().unwrap();
    }
    system.resume().await.unwrap();
    let marks = restless.rest().await.unwrap();
    system.drained().await.unwrap();
    assert!(marks[0] >= 1, "it was at it: {marks:?}");
    for three in marks.windows(3) {
        // The first pass of a burst is the host's, and the second one, too, as no other worker sends anything.
        let rounds = three[2] - three[0];
        assert!(rounds <= BURST - 2, "host messages wait for a burst at the most: {marks:?}");
        // Only the end of a slice cuts a burst short.
        assert!(rounds == BURST - 2 || backend.slice.is_some(), "{marks:?}");
    }
    let stats = system.stats();
    assert_eq!((stats.faulted, stats.dead_letters, stats.in_flight), (0, 0, 0));
    system.shutdown().await.unwrap();
}
