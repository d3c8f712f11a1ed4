//! Strings of fault sites that come from a text.
//!
//! A site's strings are literals of the program wherever a handler is built. The few that a test or tool reads from
//! text are kept for the life of the process, each once, which costs less than owned strings everywhere else.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

static KEPT: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

pub(super) fn keep(text: &str) -> &'static str {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.get_or_insert_default();
    if let Some(&known) = kept.get(text) {
        return known;
    }
    let fresh: &'static str = Box::leak(text.to_owned().into_boxed_str());
    kept.insert(fresh);
    fresh
}
