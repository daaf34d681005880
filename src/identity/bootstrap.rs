//! `bootstrap`: group, policy, user, membership and key, each looked at before it is made, and a proof in the end.

use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;

use super::error::Error;
use super::iam::Iam;
use super::key_choice::{Choice, KeyStep, stray};
use super::key_file::KeyFile;
use super::keys::{self, Keys, Out, REQUEST_TIME, Retirement};
use super::plan::{Action, Part, Plan, Step};
use super::proof::{Patience, Proof};
use super::survey::Survey;
use super::{Event, Place, Told, Wish, wait};
use crate::api::{self, code};
use crate::credentials::Source;

/// Looks, and tells what bootstrap would do. Nothing is changed, at the cloud or on this machine.
pub async fn plan(place: &Place, admin: Source, wish: &Wish, out: &Out<'_>) -> Result<Plan, Error> {
    let iam = admin_of(place, admin).await?;
    let survey = Survey::take(&iam, &wish.names).await?;
    Ok(whole_plan(&survey, wish, out).0)
}

/// Makes what is missing and proves the result. Run again after it was cut off anywhere, it ends the same.
pub async fn bootstrap(
    place: &Place,
    admin: Source,
    wish: &Wish,
    mut out: Out<'_>,
    patience: Patience,
    told: &mut Told<'_>,
) -> Result<Proof, Error> {
    let iam = admin_of(place, admin).await?;
    let (survey, choice, changed) = settle(&iam, wish, &out, told).await?;
    let name = out.name();
    let file = out.file().cloned();
    let held = file.as_ref().and_then(KeyFile::key);
    let evidence = keys::evidence(&wish.names.user, survey.keys(), &name, file.as_ref());
    let mut keys = Keys {
        iam: &iam,
        place,
        user: &wish.names.user,
        kinds: &wish.kinds,
        accept: &wish.accept,
        told,
    };
    let makes = matches!(choice.step, KeyStep::Make { .. });
    let replaces = choice.step.replaces();
    let (credentials, proof, begun) = match (&mut out, held) {
        (Out::Hand { name, give }, _) => (keys.hand_over(&evidence, name, give).await?, None, None),
        (Out::File(file), _) if makes => {
            let begun = keys.begin(file, &evidence, &choice).await?;
            // Whoever reads the key that is there must not come upon one that the cloud does not know yet.
            let prove = held.is_some().then_some(&patience);
            let (credentials, proof, begun) = keys.issue(file, begun, &evidence, prove).await?;
            if replaces.is_empty() {
                // Nothing is left to do but the proof, which needs no note.
                begun.finish()?;
                (credentials, proof, None)
            } else {
                (credentials, proof, Some(begun))
            }
        }
        (Out::File(file), Some(held)) => {
            let is_done =
                choice.strays.is_empty() && choice.step == KeyStep::Keep && evidence.journal.is_none();
            let begun = if is_done {
                None
            } else {
                Some(keys.begin(file, &evidence, &choice).await?)
            };
            keys.tell(Action::Keep, format!("{} in {name}", held.access_key_id));
            (held.clone(), None, begun)
        }
        (Out::File(_), None) => return Err(anyhow!("{name} holds no key, and none was to be made").into()),
    };
    let patience = if makes || changed {
        Patience {
            agreeing: 1,
            ..patience
        }
    } else {
        patience.with_age(age(&survey, evidence.in_file))
    };
    let proof = match proof {
        Some(proof) => proof,
        None => keys
            .prove(&credentials, &patience)
            .await
            .map_err(|error| unproven(&error, &credentials.access_key_id, &out))?,
    };
    // Of a key that is in no file we know of, nobody waits for the successor.
    let may_be_used = matches!(out, Out::Hand { .. })
        || matches!(choice.step, KeyStep::Finish { .. })
        || replaces.iter().any(|id| evidence.in_file == Some(id));
    let usual = if may_be_used { REQUEST_TIME } else { Duration::ZERO };
    let retirement = Retirement {
        grace: wish.grace.unwrap_or(usual),
        keep: wish.keep_old,
    };
    keys.retire(replaces, retirement).await?;
    if let Some(begun) = begun {
        begun.finish()?;
    }
    Ok(proof)
}

/// Everything is made, and the key is not proven: what now?
fn unproven(error: &anyhow::Error, id: &str, out: &Out<'_>) -> Error {
    let advice = match out {
        Out::File(file) => format!(
            "Everything is made and the key {id} is in {}, but it is not proven: the same command tries once more, and \
             with `--replace-key {id}` makes another key",
            file.path().display()
        ),
        Out::Hand { .. } => format!(
            "Everything is made and the key {id} was handed over, but it is not proven: `vigie audit` with that key looks \
             again, and the same command with `--replace-key {id}` makes another"
        ),
    };
    Error::Failed(anyhow!("{error}. {advice}"))
}

/// Whoever may administer identities there.
pub(super) async fn admin_of(place: &Place, admin: Source) -> Result<Iam, Error> {
    let mut clients = place.clients(admin)?.into_iter();
    let first = clients.next().ok_or_else(|| anyhow!("no region was named"))?;
    let found = first.account().has_place().await;
    found.map_err(|error| Error::Usage(format!("no admin's key: {error}")))?;
    Ok(Iam::new(first))
}

fn whole_plan(survey: &Survey, wish: &Wish, out: &Out<'_>) -> (Plan, Choice) {
    let mut plan = Plan::new(survey, wish);
    let name = out.name();
    let evidence = keys::evidence(&wish.names.user, survey.keys(), &name, out.file());
    let choice = evidence.choose(&wish.replace_keys);
    let (action, detail) = match &choice.step {
        KeyStep::Make { .. } => (Action::Create, format!("of {}, into {name}", wish.names.user)),
        KeyStep::Keep | KeyStep::Finish { .. } => {
            let held = evidence.in_file.unwrap_or_default();
            (Action::Keep, format!("{held} in {name}"))
        }
        KeyStep::Refuse(words) => (Action::Refuse, words.clone()),
    };
    let key = |action, detail| Step::new(Part::Key, action, detail);
    plan.steps
        .extend(choice.strays.iter().map(|id| key(Action::Remove, stray(id))));
    plan.steps.push(key(action, detail));
    let to_go = |id: &String| key(Action::Remove, format!("{id}, once the new key is proven"));
    plan.steps.extend(choice.step.replaces().iter().map(to_go));
    (plan, choice)
}

/// Makes everything but the key; gives what is there then, what is to become of the key, and whether anything had to
/// be made. The cloud may need a moment to see its own changes: what it does not see yet, or sees only now, is looked
/// at again.
async fn settle(
    iam: &Iam,
    wish: &Wish,
    out: &Out<'_>,
    told: &mut Told<'_>,
) -> Result<(Survey, Choice, bool), Error> {
    let mut changed = false;
    let mut last = None;
    for round in 1.. {
        let mut survey = Survey::take(iam, &wish.names).await?;
        let name = out.name();
        let evidence = keys::evidence(&wish.names.user, survey.keys(), &name, out.file());
        if keys::wait_for_late_keys(&evidence, iam.provider(), told).await {
            survey = Survey::take(iam, &wish.names).await?;
        }
        let (plan, choice) = whole_plan(&survey, wish, out);
        refuse(&plan)?;
        if round == 1
            && matches!(choice.step, KeyStep::Make { .. })
            && let Some(file) = out.file()
        {
            file.try_out()?;
        }
        match apply(iam, wish, &survey, &plan, round == 1, told).await {
            Ok(now) => return Ok((survey, choice, changed || now)),
            Err((part, error)) if is_settling(&error) && round < ROUNDS => {
                if last == Some(part) && error.says(code::EXISTS) {
                    return Err(anyhow!(
                        "the cloud says that there is a {} of this name and does not show it, perhaps since it is written \
                         with other capitals: choose another name ({})",
                        part.name(),
                        error.explained()
                    )
                    .into());
                }
                last = Some(part);
                changed = true;
                wait("the cloud to see its own changes", ROUND_PAUSE, told).await;
            }
            Err((_, error)) => return Err(error.into()),
        }
    }
    Err(anyhow!("the cloud does not settle").into())
}

/// Ends with every reason why a person must decide, if there is one.
fn refuse(plan: &Plan) -> Result<(), Error> {
    let reasons: Vec<_> = plan
        .refusals()
        .map(|step| format!("{}: {}", step.part.name(), step.detail))
        .collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(reasons.join("\n")))
}

/// Does the steps of a plan but the key's, and tells of each; of those with nothing to do in the first round alone.
async fn apply(
    iam: &Iam,
    wish: &Wish,
    survey: &Survey,
    plan: &Plan,
    is_first: bool,
    told: &mut Told<'_>,
) -> Result<bool, (Part, api::Error)> {
    let mut policy_arn = survey.policy_arn().map(str::to_owned);
    let mut changed = false;
    for step in plan.steps.iter().filter(|step| step.part != Part::Key) {
        if step.action == Action::Keep {
            if is_first {
                told(Event::Step(step));
            }
            continue;
        }
        do_step(iam, wish, step, &mut policy_arn)
            .await
            .map_err(|error| (step.part, error))?;
        changed = true;
        told(Event::Step(step));
    }
    Ok(changed)
}

async fn do_step(
    iam: &Iam,
    wish: &Wish,
    step: &Step,
    policy_arn: &mut Option<String>,
) -> Result<(), api::Error> {
    let names = &wish.names;
    let arn = policy_arn.clone().unwrap_or_default();
    match step.part {
        Part::Group => iam.create_group(&names.group, &names.path).await,
        Part::Policy if step.action == Action::Change => update(iam, &arn, &wish.policy.text()).await,
        Part::Policy => {
            let document = wish.policy.text();
            *policy_arn = Some(iam.create_policy(&names.policy, &names.path, &document).await?);
            Ok(())
        }
        Part::Attachment => iam.attach(&arn, &names.group).await,
        Part::User => iam.create_user(&names.user, &names.path).await,
        Part::Membership => iam.add_to_group(&names.user, &names.group).await,
        Part::Caller | Part::Rights | Part::Key | Part::Proof => Ok(()),
    }
}

/// Puts another document in force. Of the five versions that there may be, the oldest that is not in force goes.
async fn update(iam: &Iam, arn: &str, document: &str) -> Result<(), api::Error> {
    let mut versions = iam.versions(arn).await?;
    if versions.len() >= MOST_VERSIONS {
        versions.retain(|version| !version.is_default);
        // Two may be of the same second: then the lower number is the older.
        let number = |id: &str| id.trim_start_matches('v').parse::<u64>().unwrap_or(u64::MAX);
        let oldest = versions
            .iter()
            .min_by_key(|version| (version.created, number(&version.id)));
        if let Some(oldest) = oldest {
            iam.delete_version(arn, &oldest.id).await?;
        }
    }
    iam.create_version(arn, document).await
}

/// Whether the cloud contradicts what it said a moment ago.
fn is_settling(error: &api::Error) -> bool {
    error.says(code::NO_SUCH_ENTITY) || error.says(code::EXISTS)
}

/// How long ago the key in the file was made, as far as the cloud says.
fn age(survey: &Survey, in_file: Option<&str>) -> Option<Duration> {
    let (key, _) = survey
        .keys()
        .iter()
        .find(|(key, _)| Some(key.id.as_str()) == in_file)?;
    Timestamp::now().duration_since(key.created?).try_into().ok()
}

/// IAM and EIM.
const MOST_VERSIONS: usize = 5;

/// AWS needs seconds to see what it was just told.
const ROUNDS: u32 = 8;
const ROUND_PAUSE: Duration = Duration::from_secs(2);
