use proptest::prelude::*;

use crate::{
    identity::key_file::{
        Format,
        tests::{NEW_ID, NEW_SECRET, filled, new_key, old_key},
    },
    provider::Provider,
};

fn edited(text: &str, profile: &str) -> Result<String, String> {
    crate::identity::key_file::tests::edited(Format::K8sSecret, text, profile, Provider::Outscale)
}

const MANIFEST: &str = "\
---
# of the agent
apiVersion: v1
kind: Secret
metadata:
  name: another-name
  namespace: monitoring
  labels:
    app: vigie   # kept

  annotations:
    note: |
      stringData:
        credentials: |
type: Opaque
stringData:
  credentials: |
      # in the file
      [other]
      aws_access_key_id = AKIAOTHEREXAMPLE
   \x20
      [default]
      region = x
      aws_access_key_id={id}
      aws_session_token={token}
      aws_secret_access_key = {secret}

# the end
";

#[test]
fn only_the_values_change() {
    for template in [
        MANIFEST.to_owned(),
        MANIFEST.replace('\n', "\r\n"),
        MANIFEST.trim_end().to_owned(),
        format!("\u{feff}{MANIFEST}"),
        // The order of the members says nothing.
        "kind: Secret\nstringData:\n credentials: |\n  [default]\n  aws_access_key_id = {id}\n  \
         aws_secret_access_key = {secret}\nmetadata: {name: x}\napiVersion: v1"
            .to_owned(),
        "kind: Secret\nmetadata: {name: x}\napiVersion: v1\nstringData:\n credentials: |\n  [default]\n  \
         aws_access_key_id = {id}\n  aws_secret_access_key = {secret}"
            .to_owned(),
    ] {
        let before = filled(&template, &old_key(), Some("DEMO"));
        assert_eq!(
            edited(&before, "default").unwrap(),
            filled(&template, &new_key(), None)
        );
    }
}

#[test]
fn a_profile_is_added_within_the_block() {
    let before = filled(MANIFEST, &old_key(), Some("DEMO"));
    let after = edited(&before, "new").unwrap();
    let key = format!("      aws_access_key_id = {NEW_ID}\n      aws_secret_access_key = {NEW_SECRET}\n");
    assert_eq!(
        after,
        before.replace("# the end", &format!("\n      [new]\n{key}# the end"))
    );
    let before = before.replace(
        "      [other]\n",
        "      [new]\n      region = y\n      [other]\n",
    );
    let after = edited(&before, "new").unwrap();
    assert_eq!(
        after,
        before.replace("      [new]\n", &format!("      [new]\n{key}"))
    );
    let without_end =
        "kind: Secret\nmetadata:\napiVersion: v1\nstringData:\n credentials: |\n  [a]\n  region = x";
    let key = key.replace("      ", "  ");
    assert_eq!(
        edited(without_end, "new").unwrap(),
        format!("{without_end}\n\n  [new]\n{key}")
    );
}

#[test]
fn a_manifest_of_another_shape_is_refused() {
    let ours = filled(MANIFEST, &old_key(), Some("DEMO"));
    for (from, to, line) in [
        ("kind: Secret", "kind: ConfigMap", 4),
        ("apiVersion: v1", "apiVersion: v2", 3),
        ("type: Opaque", "type: kubernetes.io/tls", 15),
        ("type: Opaque", "immutable: true", 15),
        ("type: Opaque", "type: Opaque\ntype: Opaque", 16),
        ("stringData:\n  cred", "data:\n  cred", 16),
        (
            "stringData:\n  credentials: |\n",
            "stringData:\n  credentials: >\n",
            17,
        ),
        (
            "stringData:\n  credentials: |\n",
            "stringData:\n  another: x\n  credentials: |\n",
            17,
        ),
        ("# the end", "  another: x", 28),
        ("# the end", "---\napiVersion: v1", 28),
        ("# the end", "\tx: y", 28),
        ("      [default]", "    [default]", 17),
    ] {
        assert!(ours.contains(from));
        let refusal = edited(&ours.replacen(from, to, 1), "default").unwrap_err();
        let expected =
            format!("is a Kubernetes manifest of another shape than vigie writes (see line {line})");
        assert!(refusal.starts_with(&expected), "{to}: {refusal}");
        assert!(!refusal.contains("wJal"), "{refusal}");
    }
    for part in ["apiVersion: v1\n", "kind: Secret\n", "\nstringData:\n"] {
        edited(&ours.replacen(part, "\n", 1), "default").unwrap_err();
    }
    edited(
        "kind: Secret\nmetadata:\napiVersion: v1\nstringData:\n  credentials: |\n\n",
        "default",
    )
    .unwrap_err();
}

#[test]
fn a_credentials_file_that_the_agent_cannot_read_is_refused() {
    let ours = filled(MANIFEST, &old_key(), Some("DEMO"));
    let refusal = edited(&ours.replace("aws_secret_access_key", "x"), "default").unwrap_err();
    assert!(refusal.contains("but no `aws_secret_access_key`"), "{refusal}");
    let ours = ours.replace("aws_access_key_id = AKIAOTHEREXAMPLE", "role_arn = x");
    let refusal = edited(&ours, "other").unwrap_err();
    assert!(
        refusal.starts_with("has `role_arn` in profile `other`"),
        "{refusal}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rest_is_kept_byte_for_byte(
        depth in 1..6_usize,
        more in 1..6_usize,
        lines in prop::collection::vec("(# [ -~é]{0,12}|x[a-z]{0,6} = [!-Z]{0,8}| {0,12})", 0..8),
        places in prop::collection::vec(0..8_usize, 3),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        trailing in any::<bool>(),
    ) {
        let mut lines = lines;
        for (line, place) in ["aws_access_key_id={id}", "aws_session_token={token}", "aws_secret_access_key : {secret}"]
            .into_iter()
            .zip(places)
        {
            lines.insert(place.min(lines.len()), line.to_owned());
        }
        let [outer, inner] = [" ".repeat(depth), " ".repeat(depth + more)];
        let mut text = [
            "apiVersion: v1", end, "kind: Secret", end, "metadata:", end, " name: x", end, "stringData:", end,
            &outer, "credentials: |", end, &inner, "[default]", end,
        ]
        .concat();
        for line in &lines {
            // A line that says nothing need not be indented.
            let indentation = if line.trim().is_empty() { "" } else { &inner };
            text.extend([indentation, line, end]);
        }
        text += "type: Opaque";
        if trailing {
            text += end;
        }
        let before = filled(&text, &old_key(), Some("DEMO"));
        prop_assert_eq!(edited(&before, "default").unwrap(), filled(&text, &new_key(), None));
    }
}
