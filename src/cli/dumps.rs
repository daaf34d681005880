//! Keeps keys out of core dumps, and other processes out of this one's memory.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// No dump is written, whatever pipes the machine has for them; and only root may look into the memory and the
/// environment of this process. Its own `/proc/self` stays open to it.
///
/// A child, such as a `credential_process`, inherits the limit; the flag is its own again.
pub(super) fn forbid() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
