use proptest::prelude::*;

use crate::{
    identity::key_file::{
        Format,
        tests::{NEW_ID, NEW_SECRET, filled, new_key, old_key},
    },
    provider::Provider,
};

fn edited(text: &str, provider: Provider) -> Result<String, String> {
    crate::identity::key_file::tests::edited(Format::Env, text, "default", provider)
}

fn becomes(template: &str, provider: Provider) {
    let before = filled(template, &old_key(), Some("DEMO"));
    let after = filled(template, &new_key(), None);
    assert_eq!(edited(&before, provider).unwrap(), after);
}

#[test]
fn only_the_values_change() {
    becomes(
        "# of the agent's\r\n; and others\r\n\r\nRUST_LOG=info\r\nexport OSC_SECRET_KEY='{secret}'\r\n  \
         OSC_ACCESS_KEY=\"{id}\" \r\nAWS_ACCESS_KEY_ID=another\r\nNOTE='it is \"so\"' \"a\\\"b\"\r\nX=it's",
        Provider::Outscale,
    );
    becomes(
        "AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}",
        Provider::Aws,
    );
}

#[test]
fn a_stale_session_token_goes() {
    becomes(
        "export AWS_SESSION_TOKEN={token}\nAWS_ACCESS_KEY_ID={id}\nAWS_SECURITY_TOKEN='{token}'\n\
         AWS_SECRET_ACCESS_KEY={secret}\nAWS_SESSION_TOKENS=kept\n",
        Provider::Aws,
    );
    // It belongs to a key of the other provider.
    becomes(
        "AWS_SESSION_TOKEN=kept\nOSC_ACCESS_KEY={id}\nOSC_SECRET_KEY={secret}\n",
        Provider::Outscale,
    );
}

#[test]
fn what_is_missing_is_appended() {
    assert_eq!(
        edited("A=1", Provider::Outscale).unwrap(),
        format!("A=1\nOSC_ACCESS_KEY={NEW_ID}\nOSC_SECRET_KEY={NEW_SECRET}\n")
    );
    assert_eq!(
        edited("A=1\r\n", Provider::Aws).unwrap(),
        format!("A=1\r\nAWS_ACCESS_KEY_ID={NEW_ID}\r\nAWS_SECRET_ACCESS_KEY={NEW_SECRET}\r\n")
    );
}

#[test]
fn a_form_without_values_is_filled_in() {
    assert_eq!(
        edited("OSC_ACCESS_KEY=\nA=1\nOSC_SECRET_KEY=''\n", Provider::Outscale).unwrap(),
        format!("OSC_ACCESS_KEY={NEW_ID}\nA=1\nOSC_SECRET_KEY='{NEW_SECRET}'\n")
    );
    assert_eq!(
        edited("export OSC_SECRET_KEY= \n", Provider::Outscale).unwrap(),
        format!("export OSC_SECRET_KEY={NEW_SECRET} \nOSC_ACCESS_KEY={NEW_ID}\n")
    );
}

#[test]
fn what_goes_over_lines_is_refused() {
    for (text, line) in [
        ("A=1\nB=\"x\nOSC_ACCESS_KEY=y\"\n", 2),
        ("A='x' 'y\n", 1),
        ("A=\"x\\\"\n", 1),
        ("A=1\\\nB=2\n", 1),
        ("# a\nA=1\n# more \\\n", 3),
        ("A=1\nB\n", 2),
        ("A=1\nB-C=2\n", 2),
        ("A=1\n2B=2\n", 2),
        ("\u{feff}A=1\n", 1),
    ] {
        let refusal = edited(text, Provider::Outscale).unwrap_err();
        let expected = format!("has something else than one whole `NAME=value` on line {line}: ");
        assert!(refusal.starts_with(&expected), "{text}: {refusal}");
    }
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    for text in [
        "OSC_ACCESS_KEY=canary\n",
        "OSC_ACCESS_KEY=\nOSC_SECRET_KEY=canary\n",
        "OSC_ACCESS_KEY=A\nOSC_ACCESS_KEY=canary\nOSC_SECRET_KEY=x\n",
        "OSC_ACCESS_KEY=A\nOSC_SECRET_KEY=x canary\n",
        "OSC_ACCESS_KEY=A\nOSC_SECRET_KEY=\"x\"canary\n",
        "OSC_ACCESS_KEY=A\nOSC_SECRET_KEY=${CANARY}canary\n",
    ] {
        let refusal = edited(text, Provider::Outscale).unwrap_err();
        assert!(refusal.ends_with("; or name another file"), "{refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn a_key_that_needs_quotes_is_not_written() {
    for secret in ["DEMO'EXAMPLE", "DEMO\\EXAMPLE", "DEMO$EXAMPLE", "DEMO`EXAMPLE"] {
        let credentials = crate::identity::key_file::tests::key(NEW_ID, secret);
        let text = super::fresh(Provider::Aws, &credentials);
        assert!(super::read(&text, Provider::Aws).is_err());
    }
}

/// A line that is not the key's, ended.
fn line() -> impl Strategy<Value = String> {
    let said = prop_oneof![
        "[ \t]{0,3}",
        "[ \t]{0,3}[#;][ -\\[\\]-~é]{0,20}",
        "(export )?[ ]{0,2}X[A-Z_0-9]{0,8}=([ -!#-&(-\\[\\]-~é]{0,12}|'[ -&(-~]{0,12}'|\"[ !#-\\[\\]-~]{0,12}\")",
    ];
    (said, prop_oneof![Just("\n"), Just("\r\n")]).prop_map(|(said, end)| said + end)
}

prop_compose! {
    fn file()(
        lines in prop::collection::vec(line(), 0..8),
        key in Just(["AWS_ACCESS_KEY_ID={q}{id}{q}", "AWS_SECRET_ACCESS_KEY={q}{secret}{q}", "AWS_SESSION_TOKEN={q}{token}{q}"])
            .prop_shuffle(),
        places in prop::collection::vec(0..8_usize, 3),
        quote in prop_oneof![Just(""), Just("'"), Just("\"")],
        export in prop_oneof![Just(""), Just("export "), Just("  ")],
        end in prop_oneof![Just("\n"), Just(" \r\n")],
        last in "(X=1)?",
    ) -> String {
        let mut lines = lines;
        for (line, place) in key.iter().zip(places) {
            lines.insert(place.min(lines.len()), format!("{export}{}{end}", line.replace("{q}", quote)));
        }
        lines.concat() + &last
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn other_variables_are_kept_byte_for_byte(template in file()) {
        let before = filled(&template, &old_key(), Some("DEMO"));
        prop_assert_eq!(edited(&before, Provider::Aws).unwrap(), filled(&template, &new_key(), None));
        let appended = edited(&before, Provider::Outscale).unwrap();
        prop_assert!(appended.strip_prefix(&before).unwrap().trim_start().starts_with("OSC_ACCESS_KEY="));
    }
}
