//! Who may come in: names and bcrypt's hashes of their passwords.

use std::collections::BTreeMap;

use bcrypt::HashParts;
use secrecy::{ExposeSecret as _, SecretString};

use super::yaml::{Read, told as told_name};

/// The users of a web configuration file.
#[derive(Default)]
pub(in super::super) struct Users {
    by_name: BTreeMap<String, SecretString>,
    /// The hash that takes longest to compare with: what a password of nobody is compared with.
    dearest: SecretString,
}

impl Users {
    /// The users as written. What bcrypt could never compare is refused, so that nobody waits for what cannot be.
    pub(super) fn read(written: Vec<(String, SecretString)>) -> Read<Self> {
        let mut users = Self::default();
        let mut highest = 0;
        for (name, hash) in written {
            let parts = hash.expose_secret().parse::<HashParts>();
            let told = |what: &str| {
                format!(
                    "`basic_auth_users` has a user {:?} whose password {what}",
                    told_name(&name)
                )
            };
            let cost =
                parts.map_err(|_| told("is no hash of bcrypt: write one, as `htpasswd -nBC 10` makes it"))?;
            let cost = cost.get_cost();
            if cost < LOWEST_COST {
                return Err(told("has a cost below 4, which bcrypt does not take"));
            }
            if cost > HIGHEST_COST {
                return Err(told(&format!(
                    "has the cost {cost}, so that one comparison takes seconds to days: hash it with {HIGHEST_COST} or \
                     less, such as 10"
                )));
            }
            if cost > highest {
                highest = cost;
                users.dearest = hash.clone();
            }
            users.by_name.insert(name, hash);
        }
        Ok(users)
    }

    /// Whether everybody may come in.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The hash to compare a password with, and whether it is that user's. A user who is not there costs no less time
    /// than one who is.
    pub(super) fn hash(&self, name: &str) -> (&SecretString, bool) {
        match self.by_name.get(name) {
            Some(hash) => (hash, true),
            None => (&self.dearest, false),
        }
    }
}

const LOWEST_COST: u32 = 4;

/// About a second of one processor, for which all other comparisons wait. Each further one doubles it.
const HIGHEST_COST: u32 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hash: &str) -> Read<Users> {
        Users::read(vec![("someone".to_owned(), hash.into())])
    }

    #[test]
    fn hashes_that_could_never_be_compared_are_refused_without_being_shown() {
        let body = "X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
        for prefix in ["$2y$10$", "$2a$04$", "$2b$14$", "$2x$10$"] {
            assert!(read(&format!("{prefix}{body}")).is_ok(), "{prefix}");
        }
        for hash in [
            format!("$2y$31${body}"),
            format!("$2y$15${body}"),
            format!("$2y$03${body}"),
            format!("$2y$32${body}"),
            format!("$1$10${body}"),
            format!("$2y$10${}", body.replace('b', "!")),
            format!("$2y$10${body}x"),
            "PasswordEXAMPLE".to_owned(),
            String::new(),
        ] {
            let refused = read(&hash).err().unwrap();
            assert!(refused.contains("\"someone\""), "{refused}");
            assert!(hash.is_empty() || !refused.contains(&hash), "{refused}");
        }
    }

    /// Name and hash the other way round.
    #[test]
    fn hash_in_the_place_of_a_name_is_not_shown() {
        let hash = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
        let users = Users::read(vec![(hash.to_owned(), "someone".into())]);
        let files = [
            format!("{hash}: someone\n"),
            format!("http_server_config: {{headers: {{{hash}: someone}}}}\n"),
        ];
        let files = files.map(|text| {
            let written = super::super::written::read(&text)?;
            super::super::headers::read(written.headers)
        });
        let refused = files.into_iter().filter_map(Result::err).chain(users.err());
        let refused: Vec<String> = refused.collect();
        assert_eq!(refused.len(), 3, "{refused:?}");
        for told in refused {
            assert!(!told.contains("X0h1gDsPsz"), "{told}");
        }
    }
}
