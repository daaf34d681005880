//! A task done undisturbed; done again after it was cut off; and what must then be so.

use ::vigie::demo::Request;
use futures_util::{StreamExt as _, stream};
use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::account::{State, keys, works};
use crate::scene::{BESIDE, Scene, Task};
use crate::vigie::{Run, run};

/// What a task does when nobody disturbs it.
pub(crate) struct Undisturbed {
    requests: Vec<Request>,
    state: State,
}

/// What a run left that was cut off.
struct Left {
    /// The ids of the user's keys that are not in the file.
    without_a_file: Vec<String>,
    /// The id of the new key, if it is in the file.
    swapped_in: Option<String>,
    /// Whether the note stands beside the file.
    noted: bool,
}

impl Undisturbed {
    pub(crate) async fn run(task: Task) -> Self {
        let scene = Scene::of(task).await;
        let run = done(&mut scene.command(), "undisturbed").await;
        let requests = scene.cloud.requests();
        let state = State::of(&scene.cloud).await;
        assert_eq!(
            state.is_empty(),
            task == Task::Teardown,
            "{state:?}\n{}",
            run.stderr
        );
        assert_settled(&scene, "undisturbed").await;
        Self { requests, state }
    }

    /// How many requests there are.
    pub(crate) fn places(&self) -> u32 {
        u32::try_from(self.requests.len()).expect("there are a few dozens")
    }

    /// Those that change something.
    pub(crate) fn changes(&self) -> Vec<u32> {
        changes(&self.requests)
    }

    /// What is meant by a place.
    pub(crate) fn at(&self, place: u32) -> String {
        let index = usize::try_from(place).expect("a place is small") - 1;
        let request = &self.requests[index];
        format!("request {place} of {}, {}", self.requests.len(), request.action)
    }
}

impl Left {
    /// Looks at what is there, and finds every file whole and private.
    async fn by(scene: &Scene, when: &str) -> Self {
        scene.assert_private(when);
        assert_rest_untouched(scene, when);
        let in_file = scene.key().map(|key| key.access_key_id);
        let mut without_a_file = keys(&scene.cloud).await;
        without_a_file.retain(|id| Some(id) != in_file.as_ref());
        let swapped_in = in_file.filter(|id| Some(id) != scene.old.as_ref());
        match scene.key() {
            Some(key) if swapped_in.is_some() => {
                assert!(
                    works(&scene.cloud, key).await,
                    "{when}: the key in the file does not work"
                );
            }
            _ => assert_eq!(scene.text(), scene.before, "{when}: the file"),
        }
        Self {
            without_a_file,
            swapped_in,
            noted: scene.names().iter().any(|name| name == ".credentials.vigie"),
        }
    }

    /// Whether it was cut off behind all that it was to do. The next rotation is another one.
    fn is_done(&self, task: Task) -> bool {
        task == Task::Rotate && self.swapped_in.is_some() && !self.noted
    }
}

/// Does the task again: it ends as an undisturbed run does, and tells of what was left.
pub(crate) async fn assert_converges(scene: &Scene, undisturbed: &Undisturbed, when: &str) {
    let left = Left::by(scene, when).await;
    scene.cloud.forget_requests();
    let mut command = if left.is_done(scene.task) {
        scene.command_afterwards()
    } else {
        scene.command()
    };
    let again = done(&mut command, &format!("again after {when}")).await;
    for id in &left.without_a_file {
        assert!(
            again.stderr.contains(id),
            "{when}: {id} is not named in\n{}",
            again.stderr
        );
    }
    if scene.task != Task::Teardown
        && let Some(swapped_in) = left.swapped_in
    {
        let now = scene.key().map(|key| key.access_key_id);
        assert_eq!(
            now,
            Some(swapped_in),
            "{when}: a second new key\n{}",
            again.stderr
        );
    }
    assert_makes_one_key(scene, when);
    assert_state(scene, undisturbed, &format!("{when}\n{}", again.stderr)).await;
    assert_settled(scene, when).await;
}

/// After all that, there is nothing left to do.
pub(crate) async fn assert_nothing_is_left_to_do(scene: &Scene, when: &str) {
    scene.cloud.forget_requests();
    let text = scene.text();
    let once_more = done(
        &mut scene.command_afterwards(),
        &format!("once more after {when}"),
    )
    .await;
    let changes: Vec<_> = scene.cloud.requests().into_iter().filter(is_change).collect();
    assert!(changes.is_empty(), "{when}: {changes:?}\n{}", once_more.stderr);
    assert_eq!(scene.text(), text, "{when}: the file changed");
    assert_settled(scene, when).await;
}

/// Runs a command that has to succeed.
pub(crate) async fn done(command: &mut Command, when: &str) -> Run {
    let run = run(command).await;
    assert_eq!(run.code, Some(0), "{when}:\n{}", run.stderr);
    run
}

/// A lost answer to the one call that may not be sent twice is no reason to send it twice.
pub(crate) fn assert_makes_one_key(scene: &Scene, when: &str) {
    let requests = scene.cloud.requests();
    let made = requests
        .iter()
        .filter(|request| request.action == "CreateAccessKey");
    let of_one = requests.iter().map(|request| &request.action);
    assert!(made.count() <= 1, "{when}: {:?}", of_one.collect::<Vec<_>>());
}

/// What there is at the cloud, but for the ids of keys.
pub(crate) async fn assert_state(scene: &Scene, undisturbed: &Undisturbed, when: &str) {
    assert_eq!(State::of(&scene.cloud).await, undisturbed.state, "{when}");
}

/// One key, in a private file, that works; or nothing at all.
pub(crate) async fn assert_settled(scene: &Scene, when: &str) {
    let ids = keys(&scene.cloud).await;
    if scene.task == Task::Teardown {
        assert!(ids.is_empty(), "{when}: {ids:?}");
        return;
    }
    assert_eq!(scene.names(), ["credentials"], "{when}");
    scene.assert_private(when);
    assert_rest_untouched(scene, when);
    let key = scene
        .key()
        .unwrap_or_else(|| panic!("{when}: there is no key in the file"));
    assert_eq!(ids, [key.access_key_id.as_str()], "{when}");
    assert_ne!(
        Some(&key.access_key_id),
        scene.old.as_ref(),
        "{when}: the old key"
    );
    assert!(works(&scene.cloud, key).await, "{when}: the key does not work");
}

/// Byte for byte.
fn assert_rest_untouched(scene: &Scene, when: &str) {
    if scene.task == Task::BootstrapBeside {
        let text = scene.text().unwrap_or_default();
        assert!(text.starts_with(BESIDE), "{when}: {text:?}");
    }
}

/// The places of requests that change something, from 1.
pub(crate) fn changes(requests: &[Request]) -> Vec<u32> {
    let places = (1..).zip(requests);
    places
        .filter(|(_, request)| is_change(request))
        .map(|(place, _)| place)
        .collect()
}

/// Whether something is another way at the cloud after it.
fn is_change(request: &Request) -> bool {
    let describes = ["Get", "List", "Describe"];
    request.status == 200 && !describes.iter().any(|verb| request.action.starts_with(verb))
}

/// Most of a run is waiting for its turn to ask: many go at once.
pub(crate) async fn each<T>(cases: Vec<T>, case: impl AsyncFn(T)) {
    static AT_ONCE: Semaphore = Semaphore::const_new(96);
    let one = async |one| {
        let _permit = AT_ONCE.acquire().await;
        case(one).await;
    };
    stream::iter(cases).for_each_concurrent(None, one).await;
}
