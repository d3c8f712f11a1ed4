//! The queues beside a ring, one thread at a time. Apart from `overflow.rs`, which the model checker compiles too.

use crate::overflow::{Offered, Overflow, Pushed};

/// A ring of `space` slots.
fn ring(space: usize, taken: &mut Vec<u32>) -> impl FnMut(&u32) -> Pushed {
    move |message| {
        if taken.len() == space {
            return Pushed::Full;
        }
        taken.push(*message);
        Pushed::Yes
    }
}

#[test]
fn messages_of_a_type_stay_in_order_and_the_counts_balance() {
    let (overflow, mut taken) = (Overflow::new(), Vec::new());
    for message in 0..3 {
        assert_eq!(overflow.offer(1, message, 2, false, ring(1, &mut taken)), Offered::Taken);
    }
    assert_eq!(overflow.offer(1, 3, 2, false, ring(1, &mut taken)), Offered::Full);
    assert_eq!(overflow.offer(1, 3, 2, true, ring(1, &mut taken)), Offered::Evicted(1));
    // Another type has a queue of its own.
    assert_eq!(overflow.offer(2, 9, 1, true, ring(1, &mut taken)), Offered::Taken);
    assert!(overflow.any());
    assert_eq!((overflow.dropped(), overflow.accepted(|| 1)), (1, 5));
    assert_eq!(overflow.flush(ring(3, &mut taken)), 2);
    // Something of the type has waited until now: the new one comes behind it.
    assert_eq!(overflow.offer(1, 4, 2, false, ring(5, &mut taken)), Offered::Taken);
    assert!(!overflow.any());
    assert_eq!(taken, [0, 2, 3, 9, 4]);
    assert_eq!(overflow.accepted(|| taken.len() as u64), 6);
}

#[test]
fn what_waits_at_the_close_still_leaves() {
    let (overflow, mut taken) = (Overflow::new(), Vec::new());
    assert_eq!(overflow.offer(1, 7, 2, false, ring(0, &mut taken)), Offered::Taken);
    overflow.close();
    assert_eq!(overflow.offer(1, 8, 2, true, ring(0, &mut taken)), Offered::Closed);
    assert!(!overflow.count_drop());
    assert_eq!(overflow.flush(ring(1, &mut taken)), 1);
    assert_eq!((taken.as_slice(), overflow.dropped()), ([7].as_slice(), 0));
}

#[test]
fn without_room_there_is_no_oldest() {
    let overflow = Overflow::new();
    assert_eq!(overflow.offer(1, 7, 0, true, |_| Pushed::Full), Offered::Full);
    assert!(overflow.count_drop());
    assert_eq!((overflow.dropped(), overflow.accepted(|| 0)), (1, 1));
}
