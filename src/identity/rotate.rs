//! `rotate`: a new key for the one in the file, without a moment in which the file holds none that works.

use anyhow::anyhow;

use super::bootstrap::admin_of;
use super::error::Error;
use super::key_choice::KeyStep;
use super::key_file::KeyFile;
use super::keys::{Keys, Retirement, evidence, wait_for_late_keys};
use super::plan::Action;
use super::proof::{Patience, Proof};
use super::{Place, Told, survey};
use crate::credentials::Source;
use crate::resource::Kind;

/// What to rotate, and how.
pub struct Rotation<'a> {
    /// The user whose key it is.
    pub user: &'a str,
    /// The kinds that the key is for.
    pub kinds: &'a [&'static Kind],
    /// The actions that need not be denied: see [`Wish::accept`](super::Wish).
    pub accept: &'a [String],
    /// A key of the user to delete first, to make room.
    pub delete_first: Option<&'a str>,
    /// What becomes of the old key.
    pub retirement: Retirement,
    /// When the new key is tried.
    pub patience: Patience,
}

/// Makes a key, writes it beside the file, proves it, swaps it in and retires the old one. Cut off anywhere and run
/// again, it completes what was begun.
pub async fn rotate(
    place: &Place,
    admin: Source,
    rotation: &Rotation<'_>,
    file: &KeyFile,
    told: &mut Told<'_>,
) -> Result<Proof, Error> {
    let iam = admin_of(place, admin).await?;
    if iam.user(rotation.user).await?.is_none() {
        return Err(Error::Refused(format!(
            "there is no user {}: name it with `--user`, or make it with `vigie bootstrap`",
            rotation.user
        )));
    }
    let mut listed = survey::keys(&iam, rotation.user).await?;
    let out = file.path().display().to_string();
    let in_file = file.key().map(|key| key.access_key_id.as_str());
    let mut keys = Keys {
        iam: &iam,
        place,
        user: rotation.user,
        kinds: rotation.kinds,
        accept: rotation.accept,
        told,
    };
    if let Some(id) = rotation.delete_first
        && in_file == Some(id)
    {
        return Err(Error::Refused(format!(
            "{id} is the key in {out}, which works until the new one is proven: it goes by itself"
        )));
    }
    let known = evidence(rotation.user, &listed, &out, Some(file));
    if wait_for_late_keys(&known, place.provider, keys.told).await {
        listed = survey::keys(&iam, rotation.user).await?;
    }
    // Gone already is as good: the run before may have been cut off.
    let is_doomed = |id: &str| rotation.delete_first == Some(id);
    let doomed = listed.iter().any(|(key, _)| is_doomed(&key.id));
    listed.retain(|(key, _)| !is_doomed(&key.id));
    let evidence = evidence(rotation.user, &listed, &out, Some(file));
    let choice = evidence.choose_rotation();
    if let KeyStep::Refuse(words) = choice.step {
        return Err(Error::Refused(words));
    }
    if let Some(id) = rotation.delete_first.filter(|_| doomed) {
        iam.delete_key(rotation.user, id).await?;
        keys.tell(Action::Remove, format!("{id}, as asked for"));
    }
    let begun = keys.begin(file, &evidence, &choice).await?;
    let (proof, begun) = if let (KeyStep::Finish { .. }, Some(held)) = (&choice.step, file.key()) {
        let detail = format!("{} in {out}, made by a run that was cut off", held.access_key_id);
        keys.tell(Action::Keep, detail);
        (keys.prove(held, &rotation.patience).await?, begun)
    } else {
        let (_, proof, begun) = keys
            .issue(file, begun, &evidence, Some(&rotation.patience))
            .await?;
        (proof.ok_or_else(|| anyhow!("the new key was not tried"))?, begun)
    };
    keys.retire(choice.step.replaces(), rotation.retirement).await?;
    begun.finish()?;
    Ok(proof)
}
