//! What the device's records mean, in words.

use super::Inner;
use crate::fault::{Fault, FaultKind};
use crate::id::RawId;

impl Inner {
    /// What a fault record means.
    pub(crate) fn fault(&self, actor: RawId, code_site: u64, method: u64) -> Fault {
        let (code, site) = (code_site as u32, code_site >> 32);
        let method = self.program.method(method as u32);
        let site = method.and_then(|method| method.sites.get(site as usize));
        let actor_type = self.program.actor_type(actor.type_index()).map(|info| info.name);
        Fault {
            kind: FaultKind::from_code(code),
            actor_type: actor_type.unwrap_or("unknown type"),
            actor: match self.running.directory.key(actor) {
                Some(key) => key.to_string(),
                None => actor.to_string(),
            },
            handler: method.map_or("unknown handler", |method| method.info.name),
            function: site.map_or("", |site| site.function),
            file: site.and(method).map_or("", |method| method.info.file),
            line: site.map_or(0, |site| site.line),
            message: site.and_then(|site| site.message),
            dead_letter: false,
        }
    }
}
