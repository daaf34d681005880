//! The order in which AWS's own tools look for a key: botocore's `create_credential_resolver`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Credentials, Error, Fault, Variables,
    chain::{Chain, DEFAULT_PROFILE, HOME, Place, expanded, variable},
    fault::ProfileFault,
    file,
    format::{Headers, Profile},
    process::Process,
    profiles::{
        CREDENTIAL_SOURCE, PROCESS, Profiles, ROLE_ARN, SESSION_NAME, SOURCE_PROFILE, TOKEN_FILE, plain_role,
    },
    remote::{Base, Container, DISABLED, FULL_URI, Metadata, RELATIVE_URI, Remote, WebIdentity},
};
use crate::paths;
use crate::provider::Provider;

/// The first place that has a key, as far as can be told without asking anybody.
///
/// An explicit file is looked at alone. A profile named by the settings passes the environment's key over.
pub(super) fn locate(
    file: Option<&Path>,
    named_profile: Option<&str>,
    variables: &Variables,
) -> Result<Place, Error> {
    let mut looked_at = Vec::new();
    if file.is_none() && named_profile.is_none() {
        let chain = Chain::of(Provider::Aws);
        if let Some(place) = chain.environment(variables)? {
            return Ok(place);
        }
        looked_at.push(format!("{} (not set)", chain.id));
    }
    // The variable chooses among the profiles of the usual files alone.
    let by_variable = || PROFILES.iter().find_map(|name| variable(variables, name));
    let chosen = named_profile
        .map(str::to_owned)
        .or_else(|| by_variable().filter(|_| file.is_none()));
    let walk = match file {
        Some(path) => Walk::of_file(path, variables),
        None => Walk::of_usual_files(variables, &mut looked_at)?,
    };
    let name = chosen.as_deref().unwrap_or(DEFAULT_PROFILE);
    if let Some(remote) = walk.role(name, &mut Vec::new())? {
        return Ok(Place::Remote(remote));
    }
    let of_environment = file.is_none() && named_profile.is_none();
    if let Some(place) = walk.of_profile(name, of_environment)? {
        return Ok(place);
    }
    if let Some(path) = file {
        return Ok(place(path, name, super::chain::NAMED_FILE, Headers::Bare));
    }
    let is_there = walk.profiles.of(name).is_some();
    // The formats without sections are read by their content wherever they are.
    if let Some(shared) = walk.shared.as_ref().filter(|_| walk.profiles.is_flat) {
        return Ok(place(&shared.path, name, shared.named_by, Headers::Bare));
    }
    for found in walk.files() {
        let lacks = if is_there {
            "no key in profile"
        } else {
            "no profile"
        };
        looked_at.push(format!("{} ({lacks} `{name}`)", paths::shown(&found.path)));
    }
    let not_found = |looked_at| Error::NotFound {
        provider: Provider::Aws,
        profile: chosen.clone().filter(|_| !is_there),
        looked_at,
    };
    // Whoever names a profile means no other key.
    if chosen.is_some() && !is_there {
        return Err(not_found(looked_at));
    }
    beyond_profiles(&walk, name, looked_at, not_found)
}

/// The places that know nothing of profiles.
fn beyond_profiles(
    walk: &Walk<'_>,
    name: &str,
    mut looked_at: Vec<String>,
    not_found: impl FnOnce(Vec<String>) -> Error,
) -> Result<Place, Error> {
    let variables = walk.variables;
    if let Some(path) = variable(variables, ACCOUNT_KEY_FILE) {
        return Ok(place(
            &expanded(&path, variables),
            name,
            ACCOUNT_KEY_FILE,
            Headers::Bare,
        ));
    }
    looked_at.push(format!("{ACCOUNT_KEY_FILE} (not set)"));
    if let Some(container) = Container::find(variables)? {
        return Ok(Place::Remote(Remote::Container(container)));
    }
    looked_at.push(format!("{RELATIVE_URI} and {FULL_URI} (not set)"));
    if let Some(metadata) = Metadata::find(variables)? {
        return Ok(Place::Remote(Remote::Metadata(Metadata {
            looked_at: Some(looked_at),
            ..metadata
        })));
    }
    looked_at.push(format!("the instance's metadata (turned off by {DISABLED})"));
    Err(not_found(looked_at))
}

/// A file of profiles that is there.
struct Found {
    path: PathBuf,
    named_by: &'static str,
}

/// What is walked over: two files of profiles, and the environment.
struct Walk<'a> {
    variables: &'a Variables,
    profiles: Profiles,
    shared: Option<Found>,
    config: Option<Found>,
}

impl<'a> Walk<'a> {
    /// One file, whatever its format: without profiles, it is read as a key later, which tells its faults.
    fn of_file(path: &Path, variables: &'a Variables) -> Self {
        let mut profiles = Profiles::default();
        let read = file::bytes(path, "");
        if let Ok(bytes) = read
            && profiles.add(&bytes, Headers::Bare).is_err()
        {
            profiles = Profiles::default();
        }
        Self {
            variables,
            profiles,
            shared: Some(Found {
                path: path.to_owned(),
                named_by: super::chain::NAMED_FILE,
            }),
            config: None,
        }
    }

    fn of_usual_files(variables: &'a Variables, looked_at: &mut Vec<String>) -> Result<Self, Error> {
        let mut profiles = Profiles::default();
        // In this order: what the credentials file says of a profile wins.
        let config = look(&CONFIG, variables)?;
        let shared = look(&SHARED, variables)?;
        for (found, headers) in [(&config, Headers::Prefixed), (&shared, Headers::Bare)] {
            if let Ok((Found { path, .. }, bytes)) = found {
                let added = profiles.add(bytes, headers);
                added.map_err(|fault| fault.of(path))?;
            }
        }
        let mut kept = |found: Result<(Found, _), String>| match found {
            Ok((found, _)) => Some(found),
            Err(passed_over) => {
                looked_at.push(passed_over);
                None
            }
        };
        Ok(Self {
            variables,
            profiles,
            shared: kept(shared),
            config: kept(config),
        })
    }

    fn files(&self) -> impl Iterator<Item = &Found> {
        self.shared.iter().chain(&self.config)
    }

    /// A role to put on with another key, and that key's place.
    fn role(&self, name: &str, above: &mut Vec<String>) -> Result<Option<Remote>, Error> {
        let Some(entries) = self.profiles.of(name).filter(|entries| entries.wears_a_role()) else {
            return Ok(None);
        };
        let wrong = |fault: ProfileFault| fault.of(name);
        above.push(name.to_owned());
        let role = entries.role().map_err(wrong)?;
        let place = match (entries.value(SOURCE_PROFILE), entries.value(CREDENTIAL_SOURCE)) {
            (Some(_), Some(_)) => return Err(wrong(ProfileFault::TwoSources)),
            (None, None) => return Err(wrong(ProfileFault::NoSource)),
            (None, Some(source)) => self.named_source(source, name)?,
            (Some(next), None) => {
                let absent = || ProfileFault::NoSuchSource {
                    named: next.to_owned(),
                };
                let source = self.profiles.of(next).ok_or_else(|| wrong(absent()))?;
                // A profile may be its own source, when it holds a key besides.
                let is_own = next == name && source.has_key();
                if above.iter().any(|seen| seen == next) && !is_own {
                    let mut way = above.clone();
                    way.push(next.to_owned());
                    return Err(wrong(ProfileFault::Loop { way }));
                }
                let place = if source.has_key() || !source.wears_a_role() {
                    self.of_profile(next, false)?
                } else {
                    self.role(next, above)?.map(Place::Remote)
                };
                let none = || ProfileFault::SourceWithoutKey {
                    named: next.to_owned(),
                };
                place.ok_or_else(|| wrong(none()))?
            }
        };
        let base = match place {
            Place::Environment(credentials, _) => Base::Key(credentials),
            Place::Remote(remote) => Base::Remote(Arc::new(remote)),
            Place::File {
                path,
                profile,
                named_by,
                headers,
            } => Base::Key(key_in(&path, &profile, named_by, headers)?),
        };
        Ok(Some(Remote::Role { role, base }))
    }

    /// A `credential_source`.
    fn named_source(&self, source: &str, profile: &str) -> Result<Place, Error> {
        let remote = match source.to_ascii_lowercase().as_str() {
            "environment" => return self.environment(profile),
            "ecscontainer" => Container::find(self.variables)?.map(Remote::Container),
            "ec2instancemetadata" => Metadata::find(self.variables)?.map(Remote::Metadata),
            _ => return Err(ProfileFault::UnknownSource.of(profile)),
        };
        let none = || ProfileFault::NothingThere {
            named: source.to_owned(),
        };
        remote.map(Place::Remote).ok_or_else(|| none().of(profile))
    }

    fn environment(&self, profile: &str) -> Result<Place, Error> {
        let none = || ProfileFault::NothingThere {
            named: "Environment".to_owned(),
        };
        let place = Chain::of(Provider::Aws).environment(self.variables)?;
        place.ok_or_else(|| none().of(profile))
    }

    /// What a profile holds beside a role to put on with another key.
    fn of_profile(&self, name: &str, of_environment: bool) -> Result<Option<Place>, Error> {
        if let Some(identity) = self.web_identity(name, of_environment)? {
            return Ok(Some(Place::Remote(Remote::WebIdentity(identity))));
        }
        let Some(entries) = self.profiles.of(name) else {
            return Ok(None);
        };
        let has = |file: &'_ Option<Found>, headers| {
            let found = file.as_ref().filter(|_| entries.has_key_in(headers))?;
            Some(place(&found.path, name, found.named_by, headers))
        };
        if let Some(place) = has(&self.shared, Headers::Bare) {
            return Ok(Some(place));
        }
        if let Some(command) = entries.value(PROCESS) {
            let process = Process::parse(name, command).map_err(|fault| fault.of(name))?;
            return Ok(Some(Place::Remote(Remote::Process(process))));
        }
        if let Some(place) = has(&self.config, Headers::Prefixed) {
            return Ok(Some(place));
        }
        if entries.signs_in() {
            return Err(ProfileFault::SignsIn.of(name));
        }
        Ok(None)
    }

    /// Each value from the environment if it is there, else from the profile.
    fn web_identity(&self, name: &str, of_environment: bool) -> Result<Option<WebIdentity>, Error> {
        let entries = self.profiles.of(name);
        let of = |variable_name, key| {
            let set = || variable(self.variables, variable_name);
            let set = of_environment.then(set).flatten();
            let written = || entries?.value(key).map(str::to_owned);
            set.map(|value| (value, true))
                .or_else(|| Some((written()?, false)))
        };
        let Some((token_file, by_variable)) = of(TOKEN_VARIABLE, TOKEN_FILE) else {
            return Ok(None);
        };
        let value = |found: Option<(String, bool)>| found.map(|(value, _)| value);
        let (arn, session_name) = (
            value(of("AWS_ROLE_ARN", ROLE_ARN)),
            value(of("AWS_ROLE_SESSION_NAME", SESSION_NAME)),
        );
        let names = if by_variable {
            ["AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"]
        } else {
            [ROLE_ARN, SESSION_NAME]
        };
        let wrong = |fault: ProfileFault| {
            if by_variable {
                Error::WebIdentity { fault }
            } else {
                fault.of(name)
            }
        };
        let named_by = if by_variable {
            TOKEN_VARIABLE.to_owned()
        } else {
            format!("`{TOKEN_FILE}` of profile `{name}`")
        };
        Ok(Some(WebIdentity {
            role: plain_role(arn.as_deref(), session_name.as_deref(), names).map_err(wrong)?,
            token_file: expanded(&token_file, self.variables),
            named_by,
        }))
    }
}

fn place(path: &Path, profile: &str, named_by: &'static str, headers: Headers) -> Place {
    Place::File {
        path: path.to_owned(),
        profile: profile.to_owned(),
        named_by,
        headers,
    }
}

/// The key under a role, as it is in its file now.
fn key_in(
    path: &Path,
    profile: &str,
    named_by: &'static str,
    headers: Headers,
) -> Result<Credentials, Error> {
    let profile = Profile {
        name: profile,
        named: true,
        headers,
    };
    let read = file::read(path, named_by, profile);
    read.map_err(|fault| fault.of(path))
}

/// Where a file of profiles is: where a variable says, else in the home directory.
struct Candidate {
    variable: &'static str,
    below_home: &'static str,
    /// Whether it is an error when the variable names nothing.
    must_be_there: bool,
}

type Looked = Result<(Found, secrecy::zeroize::Zeroizing<Vec<u8>>), String>;

/// The file with its bytes, or why it was passed over.
fn look(candidate: &Candidate, variables: &Variables) -> Result<Looked, Error> {
    let Candidate {
        variable: name,
        below_home,
        must_be_there,
    } = *candidate;
    let (path, named_by) = match (variable(variables, name), variable(variables, HOME)) {
        (Some(path), _) => (expanded(&path, variables), name),
        (None, Some(home)) => (Path::new(&home).join(below_home), HOME),
        (None, None) => return Ok(Err(format!("~/{below_home} (HOME is not set)"))),
    };
    let shown = paths::shown(&path);
    let read = file::bytes(&path, named_by);
    match read {
        Ok(bytes) => Ok(Ok((Found { path, named_by }, bytes))),
        Err(Fault::Missing { .. }) if named_by == HOME || !must_be_there => {
            Ok(Err(format!("{shown} (not there)")))
        }
        // In a container, the home is often another user's.
        Err(Fault::Unreadable(kind)) if named_by == HOME => Ok(Err(format!("{shown} ({kind})"))),
        Err(fault) => Err(fault.of(path)),
    }
}

/// The files whose change may bring another key.
pub(super) fn files(variables: &Variables) -> Vec<PathBuf> {
    let usual = [&SHARED, &CONFIG].into_iter().filter_map(|candidate| {
        match variable(variables, candidate.variable) {
            Some(path) => Some(expanded(&path, variables)),
            None => Some(Path::new(&variable(variables, HOME)?).join(candidate.below_home)),
        }
    });
    let old = variable(variables, ACCOUNT_KEY_FILE).map(|path| expanded(&path, variables));
    usual.chain(old).collect()
}

const SHARED: Candidate = Candidate {
    variable: "AWS_SHARED_CREDENTIALS_FILE",
    below_home: ".aws/credentials",
    must_be_there: true,
};

const CONFIG: Candidate = Candidate {
    variable: "AWS_CONFIG_FILE",
    below_home: ".aws/config",
    must_be_there: false,
};

/// Neither passes the environment's key over, as in botocore; only a profile named explicitly does.
const PROFILES: [&str; 2] = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];
const ACCOUNT_KEY_FILE: &str = "AWS_CREDENTIAL_FILE";
const TOKEN_VARIABLE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

#[cfg(test)]
mod tests;
