use secrecy::ExposeSecret as _;

use super::*;

fn parse_default(text: &str) -> Result<Credentials, Fault> {
    parse(
        text.as_bytes(),
        Profile {
            name: "default",
            named: false,
            headers: Headers::Bare,
        },
    )
}

fn parse_named(text: &str, name: &str) -> Result<Credentials, Fault> {
    parse(
        text.as_bytes(),
        Profile {
            name,
            named: true,
            headers: Headers::Bare,
        },
    )
}

/// Access key id, secret, session token; `-` for none.
fn shown(credentials: Result<Credentials, Fault>) -> String {
    match credentials {
        Ok(credentials) => format!(
            "{} {} {}",
            credentials.access_key_id,
            credentials.secret_access_key.expose_secret(),
            (credentials.session_token.as_ref()).map_or("-", |token| token.expose_secret())
        ),
        Err(fault) => fault.to_string(),
    }
}

/// Texts, and what each draws.
const FAULTS: &[(&str, &str)] = &[
    ("", "is empty: write `[default]`"),
    ("  \n\n", "is empty"),
    ("\0\0", "is not UTF-8 text"),
    (
        "<!DOCTYPE html>\n<html>",
        "is in no known format (see line 1): write `[default]`",
    ),
    ("the quick brown fox", "is in no known format (see line 1)"),
    (
        "Access key ID,Secret access key\nA,canary",
        "is in no known format (see line 1)",
    ),
    ("[{\"canary\": 1}]", "is in no known format (see line 1)"),
    ("= canary", "is in no known format (see line 1)"),
    (
        "[default]\naws_access_key_id = A\ncanary\n",
        "is in no known format (see line 3)",
    ),
    (
        "aws_access_key_id = A\naws_secret_access_key = canary",
        "has `aws_access_key_id` outside any profile: write `[default]` on a line of its own above it",
    ),
    (
        "[default]\naws_access_key_id = A",
        "has `aws_access_key_id` but no `aws_secret_access_key` in profile `default`, perhaps half-written: \
         write both",
    ),
    (
        "[default]\naws_secret_access_key = canary",
        "has `aws_secret_access_key` but no `aws_access_key_id` in profile `default`",
    ),
    (
        "AWSAccessKeyId=A",
        "has `AWSAccessKeyId` but no `AWSSecretKey` in it, perhaps half-written",
    ),
    (
        "[default]\nregion = eu-west-2",
        "has no key in profile `default`: write `aws_access_key_id` and `aws_secret_access_key` there",
    ),
    (
        "[default]\naws_access_key_id = A\naws_secret_access_key =\n",
        "has `aws_secret_access_key` in profile `default` with no value: write the value after it",
    ),
    (
        "[default]\naws_access_key_id = A\naws_secret_access_key = canary canary",
        "has `aws_secret_access_key` in profile `default` with a value that holds a space, a control character",
    ),
    (
        "[default]\naws_access_key_id = A\naws_secret_access_key = canary\n    canary",
        "has `aws_secret_access_key` in profile `default` with a value that holds a space",
    ),
    (
        "[default]\naws_access_key_id = A\u{200b}\naws_secret_access_key = canary",
        "has `aws_access_key_id` in profile `default` with a value that holds",
    ),
    (
        "[default]\naws_secret_access_key = canary\naws_secret_access_key = canary",
        "has `aws_secret_access_key` in profile `default` twice: keep one",
    ),
    (
        "[default]\nregion=a\n[default]\n",
        "has profile `default` twice: keep one",
    ),
    (
        "[prod]\n[staging]\n[canary-that-is-longer-than-any-name]",
        "has no profile `default`: write in `profile` one of those it has, `prod`, `staging`, 1 more",
    ),
    (
        r#"{"prod": {"access_key": "A", "secret_key": "canary"}}"#,
        "has no profile `default`: write in `profile` one of those it has, `prod`",
    ),
    ("{}", "has no profile `default`: write `[default]`"),
    (
        r#"{"default": {"access_key": "A", "secret_key": "cana"#,
        "ends in the middle of its JSON, perhaps half-written",
    ),
    (
        r#"{"default": {"access_key": "A"}}"#,
        "has `access_key` but no `secret_key` in profile `default`",
    ),
    (
        r#"{"default": {"access_key": "A", "secret_key": ["canary"]}}"#,
        "does not read as OUTSCALE's config.json at line 1, column",
    ),
    (
        r#"{"default": "canary"}"#,
        r#"write `{"default": {"access_key": "…", "secret_key": "…"}}`"#,
    ),
    (
        r#"{"default": {"access_key": "A", "secret_key": "canary\n"}, } "#,
        "does not read as",
    ),
];

#[test]
fn ini_is_read_as_the_aws_tools_read_it() {
    let text = "\u{feff}# a comment\r\n; another\r\n[other]\r\naws_access_key_id=OTHER\r\n\
        [ default ]\r\nAWS_Access_Key_Id =  AKIA1  \r\naws_secret_access_key: a+b/c=d\r\n\
        region = eu-west-2\r\ns3 =\r\n  max_queue_size = 1\r\n  aws_access_key_id = NESTED\r\n\
        aws_security_token=token\r\n";
    assert_eq!(shown(parse_default(text)), "AKIA1 a+b/c=d token");
}

#[test]
fn backslashes_are_part_of_a_value_and_quotes_of_no_key() {
    let text = "[default]\n  aws_access_key_id = A\n  aws_secret_access_key = a\\nb#c;d\n";
    assert_eq!(shown(parse_default(text)), r"A a\nb#c;d -");
    for quoted in ["\"A\"", "'A'"] {
        let text = format!("[default]\naws_access_key_id = {quoted}\naws_secret_access_key = a\n");
        let fault = parse_default(&text).unwrap_err().to_string();
        assert!(
            fault.contains("without quotes") && !fault.contains(quoted),
            "{fault}"
        );
    }
}

#[test]
fn account_key_file_of_2011_is_read() {
    let text = "# made in 2011\nAWSAccessKeyId = AKIA1\nAWSSecretKey=a=b";
    assert_eq!(shown(parse_default(text)), "AKIA1 a=b -");
    assert_eq!(
        parse_named(text, "prod").unwrap_err(),
        Fault::NoProfiles {
            profile: "prod".to_owned()
        }
    );
}

#[test]
fn osc_config_is_read_whatever_else_it_holds() {
    let text = r#"{
            "default": {"access_key": "AK1", "secret_key": "S1", "region": "eu-west-2", "https": true},
            "escaped": {"access_key": "AK2", "secret_key": "S\/2", "endpoints": {"fcu": "x"}},
            "odd": 7
        }"#;
    assert_eq!(shown(parse_default(text)), "AK1 S1 -");
    assert_eq!(shown(parse_named(text, "escaped")), "AK2 S/2 -");
}

#[test]
fn each_fault_says_what_to_write() {
    for (text, expected) in FAULTS {
        let fault = parse_default(text).map(|_| text).unwrap_err();
        let sentence = fault.to_string();
        assert!(sentence.contains(expected), "{text:?} gave: {sentence}");
        assert!(!sentence.contains("canary"), "{text:?} gave: {sentence}");
        assert!(!format!("{fault:?}").contains("cana\""), "{text:?}");
    }
    assert_eq!(
        parse_default("\u{fffd}").unwrap_err(),
        Fault::UnknownFormat { line: 1 }
    );
    let profile = Profile {
        name: "default",
        named: false,
        headers: Headers::Bare,
    };
    assert_eq!(parse(b"\xff\xfe[\0", profile).unwrap_err(), Fault::Binary);
}
