//! The ways to the endpoints of all accounts: one transport for each, and so one pool of connections and one room for
//! long answers.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::api::{BadTransport, Needs, Transport};

/// Every transport that an account uses.
#[derive(Default)]
pub(super) struct Transports {
    known: HashMap<Needs, Known>,
}

/// It is let go once no account uses it.
struct Known {
    transport: Weak<Transport>,
    /// Its files were read for the settings that are being taken.
    is_read: bool,
}

impl Transports {
    /// The transport for these needs, which an account shares with every other that has them.
    pub(super) fn meeting(&mut self, needs: Needs) -> Result<Arc<Transport>, BadTransport> {
        let known = self.known.get(&needs);
        let known = known.and_then(|known| Some((known.transport.upgrade()?, known.is_read)));
        let transport = match known {
            Some((transport, true)) => return Ok(transport),
            Some((transport, false)) => transport.renewed(&needs)?.map_or(transport, Arc::new),
            None => Arc::new(Transport::new(&needs)?),
        };
        let known = Known {
            transport: Arc::downgrade(&transport),
            is_read: true,
        };
        // Needs that are the same may hold the client certificate of before.
        self.known.remove(&needs);
        self.known.insert(needs, known);
        Ok(transport)
    }

    /// The same, which read their files again for whatever account comes next.
    pub(super) fn again(&self) -> Self {
        let known = self.known.iter().map(|(needs, known)| {
            let known = Known {
                transport: Weak::clone(&known.transport),
                is_read: false,
            };
            (needs.clone(), known)
        });
        Self {
            known: known.collect(),
        }
    }

    /// Forgets the ways that no account goes any more.
    pub(super) fn forget_unused(&mut self) {
        self.known.retain(|_, known| known.transport.strong_count() > 0);
    }

    /// The transports that are known.
    #[cfg(test)]
    pub(super) fn known(&self) -> Vec<Weak<Transport>> {
        let known = self.known.values();
        known.map(|known| Weak::clone(&known.transport)).collect()
    }
}
