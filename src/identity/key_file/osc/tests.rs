use proptest::prelude::*;

use super::quoted;
use crate::{
    identity::key_file::{
        Format,
        tests::{NEW_ID, NEW_SECRET, filled, new_key, old_key},
    },
    provider::Provider,
};

fn edited(text: &str, profile: &str) -> Result<String, String> {
    crate::identity::key_file::tests::edited(Format::Osc, text, profile, Provider::Outscale)
}

/// The text, with short names for the new key.
fn shown(text: &str, profile: &str) -> String {
    edited(text, profile)
        .unwrap()
        .replace(NEW_ID, "ID")
        .replace(NEW_SECRET, "SECRET")
}

#[test]
fn only_the_values_change() {
    for template in [
        r#"{"default": {"access_key": "{id}", "secret_key": "{secret}"}}"#,
        "\u{feff} {\r\n\t\"other\" : { \"access_key\":\"AKIAOTHER\\u0041\", \"x\": [1e400, 1.0, {\"access_key\": 1}] },\r\n\
         \t\"d\\u0065fault\" :\r\n{\"secret_key\" :\"{secret}\" ,\"region_name\": \"eu-west-2\",\r\n \
         \"access_key\":\t\"{id}\", \"endpoints\": {}}\r\n , \"last\": null }\n\n",
    ] {
        let before = filled(template, &old_key(), None);
        let after = filled(template, &new_key(), None);
        assert_eq!(edited(&before, "default").unwrap(), after);
    }
}

#[test]
fn a_new_profile_is_the_last_member() {
    for (before, after) in [
        (
            "{}",
            "{\n  \"default\": {\n    \"access_key\": \"ID\",\n    \"secret_key\": \"SECRET\"\n  }\n}",
        ),
        (
            " { \n } \n",
            " {\n  \"default\": {\n    \"access_key\": \"ID\",\n    \"secret_key\": \"SECRET\"\n  }\n} \n",
        ),
        (
            "{\r\n\t\"a\": {}\r\n}\r\n",
            "{\r\n\t\"a\": {},\r\n\t\"default\": {\r\n\t\t\"access_key\": \"ID\",\r\n\t\t\"secret_key\": \"SECRET\"\r\n\t}\
             \r\n}\r\n",
        ),
        (
            r#"{"a":{},"b":{ }}"#,
            r#"{"a":{},"b":{ },"default": {"access_key": "ID", "secret_key": "SECRET"}}"#,
        ),
        (
            r#"{ "a": {"x": 1} }"#,
            r#"{ "a": {"x": 1}, "default": {"access_key": "ID", "secret_key": "SECRET"} }"#,
        ),
    ] {
        assert_eq!(shown(before, "default"), after);
    }
}

#[test]
fn a_profile_without_a_key_gets_one() {
    for (before, after) in [
        (
            r#"{"default": {}}"#,
            r#"{"default": {"access_key": "ID", "secret_key": "SECRET"}}"#,
        ),
        (
            "{\"default\": {\n    \"region\": \"x\"\n  }}",
            "{\"default\": {\n    \"region\": \"x\",\n    \"access_key\": \"ID\",\n    \"secret_key\": \"SECRET\"\n  }}",
        ),
        (
            r#"{"default": {"access_key": null, "region": "x"}}"#,
            r#"{"default": {"access_key": "ID", "region": "x","secret_key": "SECRET"}}"#,
        ),
        (
            r#"{"default": {"secret_key": null, "access_key": null}}"#,
            r#"{"default": {"secret_key": "SECRET", "access_key": "ID"}}"#,
        ),
    ] {
        assert_eq!(shown(before, "default"), after);
    }
}

#[test]
fn what_is_there_twice_or_not_understood_is_refused_without_showing_it() {
    for text in [
        r#"{"default": {"access_key": "a", "secret_key": "b"}, "default": {"access_key": "a", "secret_key": "canary"}}"#,
        r#"{"default": {"access_key": "a", "access_key": "canary", "secret_key": "b"}}"#,
        r#"{"default": {"access_key": "canary"}}"#,
        r#"{"default": {"access_key": "", "secret_key": ""}}"#,
        r#"{"default": "canary"}"#,
        r#"{"default": {"access_key": 1, "secret_key": "canary"}}"#,
        r#"{"other": {"canary}}"#,
        r#"{"other": {}} canary"#,
        r#"{"other": {}, }"#,
    ] {
        let refusal = edited(text, "default").unwrap_err();
        assert!(refusal.ends_with("; or name another file"), "{text}: {refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn the_login_of_a_person_is_left_alone() {
    let text = r#"{"default": {"login": "me@example.com", "password": "canary"}}"#;
    let refusal = edited(text, "default").unwrap_err();
    assert!(
        refusal.starts_with("has `login` in profile `default`"),
        "{refusal}"
    );
    edited(text, "another").unwrap();
}

#[test]
fn names_and_values_are_quoted_as_json_wants_it() {
    for text in ["", "plain", "a\"b\\c\"", "\\", "é"] {
        assert_eq!(serde_json::from_str::<String>(&quoted(text)).unwrap(), text);
    }
    assert!(edited("{}", "a \"b\" \\").unwrap().contains(r#""a \"b\" \\": {"#));
}

fn space() -> impl Strategy<Value = String> {
    "[ \n]{0,3}|\r\n\t"
}

fn anything() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        "-?[1-9][0-9]{0,3}(\\.[0-9]{1,3})?(e[0-9])?",
        "\"([ !#-\\[\\]-~é]|\\\\[\"\\\\/bfnrt]|\\\\u00e9){0,8}\"",
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space())
                .prop_map(|(values, space)| format!("[{space}{}{space}]", values.join(","))),
            (prop::collection::vec(inner, 0..4), space()).prop_map(|(values, space)| {
                let members = values.iter().enumerate();
                let members: Vec<_> = members
                    .map(|(index, value)| format!("{space}\"m{index}\":{value}"))
                    .collect();
                format!("{{{}{space}}}", members.join(","))
            }),
        ]
    })
}

prop_compose! {
    /// A file, with places for the values of the profile `mine`.
    fn file()(
        others in prop::collection::vec(anything(), 0..4),
        inner in prop::collection::vec(anything(), 0..4),
        spaces in prop::collection::vec(space(), 6),
        places in prop::collection::vec(0..4_usize, 3),
    ) -> String {
        let [a, b, c, d, e, f] = <[String; 6]>::try_from(spaces).unwrap();
        let named = |(index, value): (usize, &String)| format!("\"o{index}\"{a}:{b}{value}");
        let mut members: Vec<_> = inner.iter().enumerate().map(named).collect();
        members.insert(places[0].min(members.len()), format!("\"access_key\"{c}:{a}\"{{id}}\"{d}"));
        members.insert(places[1].min(members.len()), format!("{b}\"secret_key\":{d}\"{{secret}}\"{e}"));
        let mut profiles: Vec<_> = others.iter().enumerate().map(named).collect();
        profiles.insert(
            places[2].min(profiles.len()),
            format!("\"mine\":{{{e}{}{f}}}", members.join(&format!("{a},{d}"))),
        );
        format!("{b}{{{c}{}{e}}}{f}", profiles.join(&format!("{d},{f}")))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn other_members_are_kept_byte_for_byte(template in file()) {
        let fill = |key: &crate::credentials::Credentials| {
            filled(&template, key, None)
        };
        let before = fill(&old_key());
        prop_assert_eq!(edited(&before, "mine").unwrap(), fill(&new_key()));
        let appended = edited(&before, "new").unwrap();
        let insertion = before.bytes().zip(appended.bytes()).take_while(|(one, other)| one == other).count();
        let tail = appended.len() - before.len();
        prop_assert_eq!(before.split_at(insertion).1, appended.split_at(insertion + tail).1);
    }
}
