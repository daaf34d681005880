//! A program that prints a key: `credential_process` of a profile.

use std::{fmt, io, path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::Zeroizing;
use tokio::{io::AsyncReadExt as _, process::Child, process::Command};

use super::{
    Error,
    fault::{ProcessFault, ProfileFault},
    lease::{Form, Lease},
};
use crate::paths;

/// One `credential_process`. Its arguments may be secret.
#[derive(Clone)]
pub struct Process {
    profile: String,
    program: String,
    arguments: Vec<Zeroizing<String>>,
}

impl Process {
    /// Splits a command as a shell would, which then is not asked to run it.
    pub(super) fn parse(profile: &str, command: &str) -> Result<Self, ProfileFault> {
        let mut words = split(command).ok_or(ProfileFault::Unclosed)?.into_iter();
        let program = words.next().ok_or(ProfileFault::EmptyProcess)?;
        if sets_a_variable(&program) {
            return Err(ProfileFault::VariableProcess);
        }
        Ok(Self {
            profile: profile.to_owned(),
            program: program.to_string(),
            arguments: words.collect(),
        })
    }

    /// Runs it and reads the key that it prints. What it says on its error stream is nobody's: it may be secret.
    pub async fn run(&self) -> Result<Lease, Error> {
        self.lease(TIMEOUT).await.map_err(|fault| Error::Process {
            profile: self.profile.clone(),
            program: self.shown().to_owned(),
            fault,
        })
    }

    /// The program, unless it looks more like a secret in a wrong place than like one.
    fn shown(&self) -> &str {
        let program = &self.program;
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if paths::begins_as_one(program) || program.len() <= LONGEST_NAME && program.bytes().all(is_letter) {
            program
        } else {
            "…"
        }
    }

    async fn lease(&self, within: Duration) -> Result<Lease, ProcessFault> {
        let not_run = |error: io::Error| ProcessFault::NotRun(error.kind());
        let mut command = Command::new(&self.program);
        for name in OTHERS_SECRETS {
            command.env_remove(name);
        }
        let mut child = command
            .args(self.arguments.iter().map(|argument| argument.as_str()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            // Of its own, so that what it starts ends with it.
            .process_group(0)
            .spawn()
            .map(Group)
            .map_err(not_run)?;
        let printed = async {
            // Room for all of it at once: a buffer that grows leaves copies of the secret behind.
            let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT + 1));
            if let Some(stdout) = child.0.stdout.take() {
                let limit = u64::try_from(LIMIT).unwrap_or(u64::MAX);
                let mut stdout = stdout.take(limit + 1);
                stdout.read_to_end(&mut bytes).await.map_err(not_run)?;
            }
            if bytes.len() > LIMIT {
                return Err(ProcessFault::TooMuch);
            }
            let status = child.0.wait().await.map_err(not_run)?;
            if !status.success() {
                return Err(ProcessFault::Failed(status.to_string()));
            }
            Ok(Lease::parse(&bytes, Form::Process)?)
        };
        // Dropped unfinished, it takes the program with it.
        tokio::time::timeout(within, printed)
            .await
            .unwrap_or(Err(ProcessFault::TooLong(within)))
    }
}

/// A program and all that it started. Dropped before the program ended, it ends them: a shell that is ended alone leaves
/// what it waits for behind, once more with each try.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Known as long as nobody waited for it: until then no other process has the number.
        let id = self
            .0
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(id) = id {
            // There may be nobody left.
            kill_process_group(id, Signal::KILL).ok();
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the program `{}` (`credential_process` of profile `{}`)",
            paths::shown(Path::new(self.shown())),
            self.profile
        )
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Process")
            .field("profile", &self.profile)
            .field("program", &self.shown())
            .finish_non_exhaustive()
    }
}

/// Whether it is `NAME=value`, which only a shell would set: the value may be secret.
fn sets_a_variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !name.is_empty() && name.bytes().all(is_letter)
    })
}

/// The words of a command, as Python's `shlex` splits them, which the AWS tools use; `None` when a quote is left open.
fn split(command: &str) -> Option<Vec<Zeroizing<String>>> {
    let mut words = Vec::new();
    let mut word: Option<Zeroizing<String>> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => match letters.next()? {
                            letter @ ('"' | '\\') => word.push(letter),
                            letter => word.extend(['\\', letter]),
                        },
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Some(words)
}

/// Variables that hold a secret and are none of AWS's. It may need all others: it is run as AWS's own tools run it.
const OTHERS_SECRETS: [&str; 2] = ["OSC_SECRET_KEY", "OSC_X509_CLIENT_KEY_B64"];

/// Of a program that is found on `PATH`: a secret key has 40.
const LONGEST_NAME: usize = 32;

/// Far more than a key and its token.
const LIMIT: usize = 64 << 10;

/// Some ask a server far away, which asks another.
const TIMEOUT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &str) -> Option<Vec<String>> {
        Some(split(command)?.iter().map(|word| word.to_string()).collect())
    }

    /// As Python's `shlex.split` answers.
    #[test]
    fn command_is_split_as_a_shell_would() {
        let cases: [(&str, &[&str]); 8] = [
            ("a b  c", &["a", "b", "c"]),
            (
                r#"/opt/my\ tool --x "y z" '$HOME;"'"#,
                &["/opt/my tool", "--x", "y z", "$HOME;\""],
            ),
            (r#"a"b"'c'd"#, &["abcd"]),
            (r#"a "" ''"#, &["a", "", ""]),
            (r#""a\"b\\c\d""#, &[r#"a"b\c\d"#]),
            (r"C:\tool", &["C:tool"]),
            ("", &[]),
            ("a;b|c&&d>e", &["a;b|c&&d>e"]),
        ];
        for (command, expected) in cases {
            let expected: Vec<String> = expected.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(words(command), Some(expected), "{command}");
        }
        for open in ["'a", "\"a", "a\\"] {
            assert_eq!(words(open), None, "{open}");
        }
    }

    fn shell(script: &str) -> Process {
        Process {
            profile: "p".to_owned(),
            program: "/bin/sh".to_owned(),
            arguments: ["-c", script]
                .map(|word| Zeroizing::new(word.to_owned()))
                .to_vec(),
        }
    }

    #[tokio::test]
    async fn process_that_gives_no_key_is_told_without_a_word_of_its_own() {
        let cases = [
            ("echo canary >&2; exit 3", "exit status: 3"),
            ("echo canary", "is no JSON object"),
            (
                r#"echo '{"Version": 1, "Code": "Denied", "Message": "canary"}'"#,
                "printed what says Denied",
            ),
            ("head -c 70000 /dev/zero", "more than 64 KiB"),
            ("kill -9 $$", "signal: 9"),
        ];
        for (script, expected) in cases {
            let error = shell(script).run().await.unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(told.contains(expected) && !told.contains("canary"), "{told}");
            assert!(told.contains("/bin/sh") && told.contains("`p`"), "{told}");
        }
        let absent = Process::parse("p", "/nowhere/at/all canary").unwrap();
        let told = absent.run().await.unwrap_err().to_string();
        assert!(
            told.contains("cannot be run (entity not found)") && !told.contains("canary"),
            "{told}"
        );
    }

    #[test]
    fn first_word_that_may_be_secret_is_not_repeated() {
        for command in ["TOKEN=canary /bin/tool", "'_a1=canary' x", "A='canary b' x"] {
            assert_eq!(
                Process::parse("p", command).unwrap_err(),
                ProfileFault::VariableProcess
            );
        }
        for (command, is_told) in [
            ("/opt/a=b/canary x", true),
            ("./canary", true),
            ("canary-2.1_x --y", true),
            ("canary/K7MDENG", false),
            ("canary+K7MDENG=", false),
            ("canaryYzExAmPlEtK9zQw4Lm7Np2Rt5Vx8Yb1Dc3F", false),
        ] {
            let process = Process::parse("p", command).unwrap();
            let told = format!("{process} {process:?}");
            assert_eq!(told.contains("canary"), is_told, "{told}");
        }
    }

    #[tokio::test]
    async fn process_that_hangs_is_given_up_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let id = folder.path().join("id");
        // The shell, and what it waits for.
        let script = "echo $$ > {}; sleep 600 & echo $! >> {}; wait";
        let process = shell(&script.replace("{}", &id.display().to_string()));
        let hung = process.lease(Duration::from_secs(1)).await;
        assert_eq!(hung.unwrap_err(), ProcessFault::TooLong(Duration::from_secs(1)));
        let ids = std::fs::read_to_string(id).unwrap();
        assert_eq!(ids.lines().count(), 2, "{ids}");
        for id in ids.lines() {
            let status = std::path::PathBuf::from(format!("/proc/{id}/stat"));
            // Ended, and waited for soon.
            while let Ok(stat) = std::fs::read_to_string(&status) {
                if stat.contains(") Z ") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    #[tokio::test]
    async fn key_that_a_process_prints_is_taken() {
        let process =
            shell(r#"echo '{"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "canary"}'"#);
        let lease = process.run().await.unwrap();
        assert_eq!(lease.credentials.access_key_id, "AKIDEXAMPLE");
        assert_eq!(lease.expires, None);
    }
}
