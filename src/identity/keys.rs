//! A key on its way from the cloud to its file: made only where it can be written, undone where it cannot, and never
//! deleted before its successor is proven.

use std::io;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;

use super::error::{Error, is_surely_undone};
use super::iam::{Iam, Key, LastUse};
use super::key_choice::{Choice, Evidence, KeyStep, described, stray};
use super::key_file::{self, Begun, Journal, KeyFile};
use super::plan::{Action, Part, Step};
use super::proof::{self, Patience, Proof, Trial};
use super::{Event, Place, Told, wait};
use crate::api::{self, code};
use crate::credentials::Credentials;
use crate::provider::Provider;
use crate::resource::Kind;

/// Where a new key goes.
pub enum Out<'a> {
    /// Into a file.
    File(KeyFile),
    /// To whoever takes it at once; the key is deleted if that fails.
    Hand {
        /// What it is called in reports.
        name: &'a str,
        /// Takes it.
        give: &'a mut (dyn FnMut(&Credentials) -> io::Result<()> + Send),
    },
}

/// What becomes of the key that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retirement {
    /// How long it goes on working beside the new one, for what is under way with it.
    pub grace: Duration,
    /// How long it is then kept, inactive, before it is deleted.
    pub keep: Option<Duration>,
}

/// Makes, proves and retires the keys of one user.
pub(super) struct Keys<'a, 'told> {
    pub(super) iam: &'a Iam,
    pub(super) place: &'a Place,
    pub(super) user: &'a str,
    pub(super) kinds: &'a [&'static Kind],
    pub(super) accept: &'a [String],
    pub(super) told: &'a mut Told<'told>,
}

impl Out<'_> {
    /// What it is called in reports.
    pub fn name(&self) -> String {
        match self {
            Self::File(file) => file.path().display().to_string(),
            Self::Hand { name, .. } => (*name).to_owned(),
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&KeyFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Hand { .. } => None,
        }
    }
}

/// All that bears on what becomes of a user's keys.
pub(super) fn evidence<'a>(
    user: &'a str,
    keys: &'a [(Key, LastUse)],
    out: &'a str,
    file: Option<&'a KeyFile>,
) -> Evidence<'a> {
    Evidence {
        user,
        keys,
        out,
        in_file: file.and_then(KeyFile::key).map(|key| key.access_key_id.as_str()),
        journal: file.and_then(KeyFile::journal),
    }
}

/// Where a run was cut off a moment ago, AWS may not list yet the key that it made: waits for that, and gives whether
/// it did.
pub(super) async fn wait_for_late_keys(
    evidence: &Evidence<'_>,
    provider: Provider,
    told: &mut Told<'_>,
) -> bool {
    let is_late = provider == Provider::Aws && evidence.may_lack_a_key(Timestamp::now());
    if is_late {
        wait(
            "the cloud to list what a run that was cut off made",
            LISTING_TIME,
            told,
        )
        .await;
    }
    is_late
}

impl Keys<'_, '_> {
    /// Notes beside the file what is about to be done, and deletes the keys that a run which was cut off left.
    pub(super) async fn begin(
        &mut self,
        file: &KeyFile,
        evidence: &Evidence<'_>,
        choice: &Choice,
    ) -> Result<Begun, Error> {
        let strays = &choice.strays;
        // The key in the file is the new one already: another run that is cut off shall see that too.
        let written = evidence
            .in_file
            .filter(|_| matches!(choice.step, KeyStep::Finish { .. }));
        let ids = evidence.keys.iter().map(|(key, _)| key.id.clone());
        let is_before = |id: &String| !strays.contains(id) && Some(id.as_str()) != written;
        let journal = Journal {
            keys_before: ids.filter(is_before).collect(),
            replaces: choice.step.replaces().to_vec(),
            ..Journal::new(self.user)
        };
        // Until the strays are gone, the note by which they are known stays as it is.
        let first = evidence.journal.filter(|_| !strays.is_empty());
        let mut begun = file.begin(first.unwrap_or(&journal).clone())?;
        for id in strays {
            self.iam.delete_key(self.user, id).await?;
            self.tell(Action::Remove, stray(id));
        }
        if first.is_some() {
            begun.note(journal)?;
        }
        Ok(begun)
    }

    /// Makes a key, writes it beside the file, proves it there if so asked, and swaps it in. Whatever fails, the key
    /// is deleted again and the file is what it was.
    pub(super) async fn issue(
        &mut self,
        file: &KeyFile,
        mut begun: Begun,
        evidence: &Evidence<'_>,
        prove: Option<&Patience>,
    ) -> Result<(Credentials, Option<Proof>, Begun), Error> {
        let loose = file.loose_mode();
        match self.try_to_issue(&mut begun, evidence, prove).await {
            Ok((credentials, proof)) => {
                if let Some(mode) = loose {
                    (self.told)(Event::Note(&format!(
                        "{} had mode {mode:04o} and has 0600 now: an agent that runs as another user than the file's \
                         owner cannot read it any more",
                        evidence.out
                    )));
                }
                Ok((credentials, proof, begun))
            }
            Err(NotMade::Surely(error)) => {
                // That there is no key matters more; the next run reads the note and comes to the same.
                if let Err(left) = begun.abandon() {
                    (self.told)(Event::Note(&left.to_string()));
                }
                Err(error)
            }
            // The note stays: the next run knows the key, if there is one, for a stray.
            Err(NotMade::Perhaps(error)) => Err(error),
        }
    }

    async fn try_to_issue(
        &mut self,
        begun: &mut Begun,
        evidence: &Evidence<'_>,
        prove: Option<&Patience>,
    ) -> Result<(Credentials, Option<Proof>), NotMade> {
        let credentials = self.create(evidence).await?;
        let beside = match begun.write_beside(&credentials) {
            Ok(beside) => beside,
            Err(error) => return Err(self.undo(&credentials, &error.to_string()).await),
        };
        let proof = match prove {
            None => None,
            Some(patience) => match self.prove(&credentials, patience).await {
                Ok(proof) => Some(proof),
                Err(error) => {
                    beside.discard();
                    let why = format!("the new key is not proven: {error}");
                    return Err(self.undo(&credentials, &why).await);
                }
            },
        };
        match beside.swap() {
            Ok(()) => {}
            // The old key may be back after a power failure, and has to work then.
            Err(error @ key_file::Error::NotDurable { .. }) => return Err(NotMade::Perhaps(error.into())),
            Err(error) => return Err(self.undo(&credentials, &error.to_string()).await),
        }
        let detail = format!(
            "{}, written to {} with mode 0600",
            credentials.access_key_id, evidence.out
        );
        self.tell(Action::Create, detail);
        Ok((credentials, proof))
    }

    /// Makes a key for somebody who takes it at once.
    pub(super) async fn hand_over(
        &mut self,
        evidence: &Evidence<'_>,
        name: &str,
        give: &mut (dyn FnMut(&Credentials) -> io::Result<()> + Send),
    ) -> Result<Credentials, Error> {
        let credentials = self.create(evidence).await.map_err(NotMade::into_error)?;
        if let Err(error) = give(&credentials) {
            let why = format!("writing the key to {name}: {error}");
            return Err(self.undo(&credentials, &why).await.into_error());
        }
        self.tell(
            Action::Create,
            format!("{}, written to {name}", credentials.access_key_id),
        );
        Ok(credentials)
    }

    /// Proves a key.
    pub(super) async fn prove(
        &mut self,
        credentials: &Credentials,
        patience: &Patience,
    ) -> anyhow::Result<Proof> {
        let trial = Trial {
            place: self.place,
            credentials,
            kinds: self.kinds,
            accept: self.accept,
            skew: self.iam.skew(),
        };
        let proof = proof::prove(trial, patience, self.told).await?;
        let detail = format!(
            "{} may do what vigie needs ({}); {} other things were tried and denied",
            proof.access_key_id,
            proof.allowed.len(),
            proof.denied.len()
        );
        (self.told)(Event::Step(&Step::new(Part::Proof, Action::Keep, detail)));
        Ok(proof)
    }

    /// Removes keys that have a proven successor.
    pub(super) async fn retire(&mut self, ids: &[String], retirement: Retirement) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let names = ids.join(" and ");
        let what = format!("whatever still signs with {names} to turn to the new key");
        wait(&what, retirement.grace, self.told).await;
        if let Some(keep) = retirement.keep {
            for id in ids {
                self.iam.deactivate_key(self.user, id).await?;
                self.tell(
                    Action::Change,
                    format!("{id} is inactive; it can be made active again until it is deleted"),
                );
            }
            wait(&format!("{names} to be deleted"), keep, self.told).await;
        }
        for id in ids {
            self.iam.delete_key(self.user, id).await?;
            self.tell(Action::Remove, format!("{id}, which the new key replaces"));
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, action: Action, detail: String) {
        (self.told)(Event::Step(&Step::new(Part::Key, action, detail)));
    }

    async fn create(&mut self, evidence: &Evidence<'_>) -> Result<Credentials, NotMade> {
        let error = match self.iam.create_key(self.user).await {
            Ok(credentials) => return Ok(credentials),
            Err(error) => error,
        };
        if error.says(code::LIMIT_EXCEEDED) {
            return Err(NotMade::Surely(Error::Refused(self.full(evidence, &error))));
        }
        if is_surely_undone(&error) {
            return Err(NotMade::Surely(error.into()));
        }
        Err(NotMade::Perhaps(error.into()))
    }

    /// The user has as many keys as it may: which one has to go?
    fn full(&self, evidence: &Evidence<'_>, error: &api::Error) -> String {
        let in_file = |id: &str| evidence.in_file == Some(id);
        let keys: Vec<_> = evidence
            .keys
            .iter()
            .map(|key| {
                let used = if in_file(&key.0.id) {
                    format!(", in {}", evidence.out)
                } else {
                    String::new()
                };
                format!("{}{used}", described(key))
            })
            .collect();
        let others: Vec<_> = evidence
            .keys
            .iter()
            .filter(|(key, _)| !in_file(&key.id))
            .collect();
        let advice = match others.as_slice() {
            [(other, _)] => format!(
                "{} has to go first: if nobody needs it, `vigie rotate … --delete-key {}`",
                other.id, other.id
            ),
            _ => "one that nobody needs has to go first: `vigie rotate … --delete-key ID`".to_owned(),
        };
        format!(
            "user {} has as many keys as it may ({}): {}. {advice}",
            self.user,
            error.cause,
            keys.join("; ")
        )
    }

    /// Deletes a key that could not be kept, and says how that went.
    async fn undo(&mut self, credentials: &Credentials, why: &str) -> NotMade {
        let id = &credentials.access_key_id;
        match self.iam.delete_key(self.user, id).await {
            Ok(()) => NotMade::Surely(anyhow!("{why}; the new key {id} was deleted again").into()),
            Err(error) => NotMade::Perhaps(
                anyhow!(
                    "{why}; and the new key {id} could not be deleted again ({}): run the same command again, or delete \
                     the key in the cloud's console",
                    error.explained()
                )
                .into(),
            ),
        }
    }
}

/// Why there is no new key.
enum NotMade {
    /// There is none.
    Surely(Error),
    /// There may be one.
    Perhaps(Error),
}

impl NotMade {
    fn into_error(self) -> Error {
        match self {
            Self::Surely(error) | Self::Perhaps(error) => error,
        }
    }
}

/// Of AWS, until a list shows what was just made.
const LISTING_TIME: Duration = Duration::from_secs(5);

/// Nothing that was signed with a key is under way for longer.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);
