//! Which actor types a system has.
//!
//! Rule kept here: two types with one name, or two handlers with one id, are an error before anything runs.

use std::collections::HashMap;

use kernels_ptx::abi::{actor_id, fault, slot};
use once_cell::sync::OnceCell;

use crate::actor::{ActorInfo, MethodInfo, Registration};
use crate::error::{Error, Result};

/// The types of a system, in the order of their names: the same set gives the same indices.
pub(crate) type TypeSet = Vec<&'static ActorInfo>;

/// The types of the program, or those that `chosen` names; checked.
pub(crate) fn collect(chosen: Option<&[fn() -> &'static ActorInfo]>) -> Result<TypeSet> {
    if let Some(chosen) = chosen {
        return check(chosen.iter().map(|info| info()).collect());
    }
    // The set of linked types never changes; a failed check is not kept and reports itself each time.
    static LINKED: OnceCell<TypeSet> = OnceCell::new();
    LINKED
        .get_or_try_init(|| {
            check(inventory::iter::<Registration>().map(|registration| (registration.0)()).collect())
        })
        .cloned()
}

pub(crate) fn check(mut types: TypeSet) -> Result<TypeSet> {
    types.sort_by_key(|info| info.name);
    // The same type may be named twice; two types of one name are the error.
    types.dedup_by(|a, b| (a.name, a.file, a.line) == (b.name, b.file, b.line));
    if types.is_empty() {
        return Err(Error::NoTypes);
    }
    if let Some(pair) = types.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::DuplicateType {
            name: pair[0].name,
            first: format!("{}:{}", pair[0].file, pair[0].line),
            second: format!("{}:{}", pair[1].file, pair[1].line),
        });
    }
    let most = (1 << actor_id::TYPE_BITS) - 1;
    if types.len() as u64 > most {
        return Err(Error::Limit {
            what: "the number of actor types",
            whom: "the program".into(),
            actual: types.len() as u64,
            limit: most,
        });
    }
    let mut seen: HashMap<u32, (&ActorInfo, &MethodInfo)> = HashMap::new();
    for info in &types {
        for method in info.methods {
            if let Some((other, first)) = seen.insert(method.id, (info, method)) {
                return Err(Error::MethodCollision {
                    id: method.id,
                    first: format!("{}::{}", other.name, first.name),
                    second: format!("{}::{}", info.name, method.name),
                });
            }
            for (what, size) in [("the message", method.msg_size), ("the reply", method.reply_size)] {
                if u64::from(size) > slot::MAX_PAYLOAD {
                    return Err(Error::Limit {
                        what,
                        whom: format!("{}::{}", info.name, method.name),
                        actual: u64::from(size),
                        limit: slot::MAX_PAYLOAD,
                    });
                }
            }
        }
    }
    Ok(types)
}

/// The smallest slot class that every message, reply and fault record of the types fits.
pub(crate) fn slot_size(types: &[&'static ActorInfo]) -> u64 {
    let payload = types
        .iter()
        .flat_map(|info| info.methods)
        .map(|method| u64::from(method.msg_size.max(method.reply_size)))
        .fold(fault::SIZE, u64::max);
    let needed = slot::HEADER + payload;
    slot::CLASSES.into_iter().find(|class| *class >= needed).unwrap_or(slot::CLASSES[slot::CLASSES.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{Mailbox, OnFull};

    const fn method(name: &'static str, id: u32, msg_size: u32, reply_size: u32) -> MethodInfo {
        MethodInfo {
            name,
            id,
            msg_size,
            reply_size,
            slices: 0,
            elements: &[],
            file: "a.rs",
            line: 1,
            lower: |_| (),
            native: |_, _, _, _| (),
            message: |_| (),
            reply: |_| (),
        }
    }

    const fn info(name: &'static str, line: u32, methods: &'static [MethodInfo]) -> ActorInfo {
        ActorInfo {
            name,
            state_size: 8,
            state_align: 8,
            initial: |_| (),
            state: |_| (),
            methods,
            mailbox: Mailbox::new(0, OnFull::Reject),
            file: "a.rs",
            line,
        }
    }

    static B: ActorInfo = info("b", 1, &[method("x", 1, 8, 8)]);
    static A: ActorInfo = info("a", 2, &[method("y", 2, 40, 8)]);
    static OTHER_A: ActorInfo = info("a", 9, &[]);
    static SAME_METHOD: ActorInfo = info("c", 3, &[method("z", 1, 8, 8)]);
    static LARGE: ActorInfo = info("d", 4, &[method("w", 7, 8, 225)]);

    #[test]
    fn types_are_ordered_by_name_and_named_once() {
        let set = collect(Some(&[|| &B, || &A, || &B])).unwrap();
        assert_eq!(set.iter().map(|info| info.name).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn collisions_are_errors_that_name_both_sides() {
        let text = collect(Some(&[|| &A, || &OTHER_A])).unwrap_err().to_string();
        assert!(text.contains("a.rs:2") && text.contains("a.rs:9"), "{text}");
        let text = collect(Some(&[|| &B, || &SAME_METHOD])).unwrap_err().to_string();
        assert!(text.contains("b::x") && text.contains("c::z"), "{text}");
        assert!(matches!(
            collect(Some(&[|| &LARGE])),
            Err(Error::Limit { what: "the reply", actual: 225, .. })
        ));
        assert!(matches!(collect(Some(&[])), Err(Error::NoTypes)));
    }

    #[test]
    fn the_slot_fits_the_largest_message() {
        assert_eq!(slot_size(&[&B]), 64);
        assert_eq!(slot_size(&[&A, &B]), 128);
        static EXACT: ActorInfo = info("e", 5, &[method("v", 8, 96, 32)]);
        assert_eq!(slot_size(&[&EXACT]), 128);
        static LARGEST: ActorInfo = info("f", 6, &[method("u", 9, 224, 32)]);
        assert_eq!(slot_size(&[&LARGEST]), 256);
        static EMPTY: ActorInfo = info("g", 7, &[]);
        assert_eq!(slot_size(&[&EMPTY]), 64);
    }
}
