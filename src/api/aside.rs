//! Work that takes long, where it holds up nobody.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does work on so many bytes. Where they are many, the other tasks of this thread go to another one first: a scrape
/// waits for no answer of a cloud to be read.
pub(crate) fn run<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let is_long = bytes > SHORT
        && Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if is_long {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

/// Read within 25 ms. A page of a thousand instances is 6 MB; it stays where it is, since each thread that reads pages
/// keeps memory of its own (glibc).
const SHORT: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_while_long_work_is_done() {
        let (done, other) = mpsc::channel();
        let long = tokio::spawn(async move {
            run(SHORT + 1, || {
                tokio::spawn(async move { done.send("the other") });
                // It would never come if it waited for this thread.
                other.recv().unwrap()
            })
        });
        assert_eq!(long.await.unwrap(), "the other");
    }

    #[tokio::test]
    async fn work_is_done_where_there_is_one_thread_alone() {
        assert_eq!(run(SHORT + 1, || 1), 1);
    }
}
