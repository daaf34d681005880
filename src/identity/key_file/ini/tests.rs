use proptest::prelude::*;

use crate::{
    identity::key_file::{
        Format,
        tests::{NEW_ID, NEW_SECRET, filled, new_key, old_key},
    },
    provider::Provider,
};

fn edited(format: Format, text: &str, profile: &str) -> Result<String, String> {
    crate::identity::key_file::tests::edited(format, text, profile, Provider::Outscale)
}

/// Each template holds the old key before, and the new one after.
fn becomes(format: Format, template: &str, profile: &str, token: Option<&str>) {
    let before = filled(template, &old_key(), token.or(Some("DEMO")));
    let after = filled(template, &new_key(), None);
    assert_eq!(edited(format, &before, profile).unwrap(), after);
}

#[test]
fn only_the_values_change() {
    becomes(
        Format::Ini,
        "# mine\n\n[other]\naws_access_key_id=AKIAOTHEREXAMPLE\naws_secret_access_key = x/y  \n\n[ mine ] ; odd\n\
         region=eu-west-2\n\taws_unknown = 1\n; a comment\naws_secret_access_key :  {secret}\t\nAWS_ACCESS_KEY_ID={id}\n\
         s3 =\n  max = 1\n\n[last]\nregion = x",
        "mine",
        None,
    );
}

#[test]
fn a_stale_session_token_goes() {
    for name in ["aws_session_token", "aws_security_token", "AWS_Session_Token"] {
        becomes(
            Format::Ini,
            &format!(
                "[default]\n{name} = {{token}}\naws_access_key_id = {{id}}\naws_secret_access_key = {{secret}}\n\
                 [b]\naws_session_token = theirs\n"
            ),
            "default",
            Some("DEMO=="),
        );
        becomes(
            Format::Ini,
            &format!(
                "[default]\naws_access_key_id = {{id}}\naws_secret_access_key = {{secret}}\n{name} = {{token}}"
            ),
            "default",
            Some("DEMO"),
        );
    }
    let text = "[default]\naws_session_token = DEMO\nregion = x\n";
    assert_eq!(
        edited(Format::Ini, text, "default").unwrap(),
        format!(
            "[default]\naws_access_key_id = {NEW_ID}\naws_secret_access_key = {NEW_SECRET}\nregion = x\n"
        )
    );
}

#[test]
fn line_ends_of_windows_stay() {
    becomes(
        Format::Ini,
        "\u{feff}[default]\r\naws_access_key_id = {id}\r\naws_secret_access_key = {secret}\r\n",
        "default",
        None,
    );
    assert_eq!(
        edited(Format::Ini, "[a]\r\nregion = x", "b").unwrap(),
        format!(
            "[a]\r\nregion = x\r\n\r\n[b]\r\naws_access_key_id = {NEW_ID}\r\naws_secret_access_key = {NEW_SECRET}\r\n"
        )
    );
}

#[test]
fn no_line_end_at_the_end_stays_so() {
    becomes(
        Format::Ini,
        "[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}",
        "default",
        None,
    );
}

#[test]
fn a_new_profile_is_appended() {
    let key = format!("aws_access_key_id = {NEW_ID}\naws_secret_access_key = {NEW_SECRET}\n");
    for (text, between) in [
        ("[other]\nregion = x\n", "\n"),
        ("[other]\nregion = x", "\n\n"),
        ("  [other]\n    region = x\n", "\n"),
        ("# nothing yet", "\n\n"),
    ] {
        assert_eq!(
            edited(Format::Ini, text, "default").unwrap(),
            format!("{text}{between}[default]\n{key}")
        );
    }
}

#[test]
fn a_key_goes_below_the_header_of_a_profile_that_has_none() {
    let key = format!("aws_access_key_id = {NEW_ID}\n@aws_secret_access_key = {NEW_SECRET}\n");
    for (above, indentation, below) in [
        ("[default]\n", "", "region = x\n\n[b]\nregion = y\n"),
        ("[default]\n", "    ", "    region = x\n  output = json\n"),
        ("[default]\n", "\t", "# why\n\n\t[b]\nregion = y\n"),
        ("[a]\n[default]\n", "", ""),
    ] {
        // A comment between stays below the key.
        let expected = format!("{above}{indentation}{}{below}", key.replace('@', indentation));
        assert_eq!(
            edited(Format::Ini, &format!("{above}{below}"), "default").unwrap(),
            expected
        );
    }
    assert_eq!(
        edited(Format::Ini, "[default]", "default").unwrap(),
        format!("[default]\n{}", key.replace('@', ""))
    );
}

#[test]
fn a_profile_that_gets_its_key_elsewhere_is_left_alone() {
    for setting in ["role_arn", "credential_process", "sso_session", "Source_Profile"] {
        let text = format!("[default]\n{setting} = x\n");
        let refusal = edited(Format::Ini, &text, "default").unwrap_err();
        assert!(
            refusal.starts_with(&format!("has `{}` in profile `default`", setting.to_lowercase())),
            "{refusal}"
        );
        assert!(refusal.ends_with("name another profile"), "{refusal}");
        edited(Format::Ini, &text, "another").unwrap();
    }
}

#[test]
fn what_the_agent_cannot_read_is_refused_without_showing_it() {
    for text in [
        "[default]\naws_access_key_id = canary\n",
        "[default]\naws_access_key_id = A\naws_secret_access_key =\n",
        "[default]\naws_access_key_id = A\naws_access_key_id = canary\naws_secret_access_key = B\n",
        "[default]\n[default]\n",
        "[default]\naws_access_key_id = A\naws_secret_access_key = B\n  canary\n",
        "[default]\ncanary\n",
    ] {
        let refusal = edited(Format::Ini, text, "default").unwrap_err();
        assert!(refusal.ends_with("; or name another file"), "{refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn an_account_key_is_replaced_in_place() {
    becomes(
        Format::Legacy,
        "# of 2011\r\nawssecretkey = {secret}\r\n\r\nAWSAccessKeyId={id} \r\n; end",
        "default",
        None,
    );
}

#[test]
fn an_account_key_is_added_to_comments() {
    assert_eq!(
        edited(Format::Legacy, "# of 2011", "default").unwrap(),
        format!("# of 2011\nAWSAccessKeyId={NEW_ID}\nAWSSecretKey={NEW_SECRET}\n")
    );
}

/// A line that is neither the profile's nor the key's, ended.
fn line() -> impl Strategy<Value = String> {
    let said = prop_oneof![
        "[ \t]{0,3}",
        "[ \t]{0,3}[#;][ -~é]{0,20}",
        "(region|output|x-[a-z]{1,8}|aws_unknown)[ ]{0,2}[=:][ -Zé]{0,20}",
    ];
    (said, prop_oneof![Just("\n"), Just("\r\n")]).prop_map(|(said, end)| said + end)
}

fn other_profile() -> impl Strategy<Value = String> {
    let key = "aws_access_key_id = [A-Z]{4}\naws_secret_access_key=[a-z/+]{4}\r\n(aws_session_token = x\n)?";
    ("o[a-z]{0,6}", prop::collection::vec(line(), 0..5), key)
        .prop_map(|(name, lines, key)| format!("[{name}]\n{}{key}", lines.concat()))
}

prop_compose! {
    /// A file, with places for the values of the profile `mine`.
    fn file()(
        bom in prop_oneof![Just(""), Just("\u{feff}")],
        above in prop::collection::vec(other_profile(), 0..3),
        header in prop_oneof![Just("[mine]"), Just("[ mine ]"), Just("[mine] # mine")],
        lines in prop::collection::vec(line(), 0..6),
        key in Just(["aws_access_key_id{=}{id}", "AWS_secret_access_key{=}{secret}", "aws_session_token{=}{token}"])
            .prop_shuffle(),
        places in prop::collection::vec(0..6_usize, 3),
        equals in prop_oneof![Just("="), Just(" = "), Just("\t:  ")],
        end in prop_oneof![Just("\n"), Just(" \t\r\n")],
        below in prop::collection::vec(other_profile(), 0..3),
        last in "(# end)?",
    ) -> String {
        let mut lines = lines;
        for (line, place) in key.iter().zip(places) {
            let place = place.min(lines.len());
            lines.insert(place, line.replace("{=}", equals) + end);
        }
        format!("{bom}{}{header}\n{}{}{last}", above.concat(), lines.concat(), below.concat())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn other_profiles_are_kept_byte_for_byte(template in file()) {
        let before = filled(&template, &old_key(), Some("DEMO"));
        let after = filled(&template, &new_key(), None);
        prop_assert_eq!(edited(Format::Ini, &before, "mine").unwrap(), after);
        let appended = edited(Format::Ini, &before, "new").unwrap();
        let new = appended.strip_prefix(&before).unwrap();
        prop_assert!(new.trim_start().starts_with("[new]"), "{}", new);
    }

    #[test]
    fn no_text_makes_it_panic_or_lose_a_line(text in "([#;\\[\\]=: \t\r\n{}\"',a\\\\]|aws_access_key_id|aws_secret_access_key|\\[default\\]\n|region = x\n| {2}|é){0,24}") {
        for format in [Format::Ini, Format::Legacy, Format::Env, Format::Osc, Format::K8sSecret] {
            if let Ok(edited) = edited(format, &text, "default") {
                for line in text.lines().filter(|line| line.contains("region")) {
                    prop_assert!(edited.contains(line.trim_end()), "{:?} became {:?}", text, edited);
                }
            }
        }
    }
}
