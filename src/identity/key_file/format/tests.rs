use secrecy::ExposeSecret as _;

use super::*;
use crate::identity::key_file::tests::{FORMATS, NEW_ID, NEW_SECRET, edited, new_key};

#[test]
fn formats_are_spelled_alike_everywhere() {
    for format in FORMATS {
        let spelled = format.to_possible_value().unwrap();
        assert_eq!(spelled.get_name(), format.to_string());
        assert_eq!(Format::from_str(format.name(), false), Ok(format));
    }
}

#[test]
fn a_fresh_file_holds_the_key_and_nothing_else() {
    let rendered = |format, provider| {
        render(format, provider, "watcher", &new_key())
            .replace(NEW_ID, "ID")
            .replace(NEW_SECRET, "SECRET")
    };
    let ini = "[watcher]\naws_access_key_id = ID\naws_secret_access_key = SECRET\n";
    assert_eq!(&rendered(Format::Ini, Provider::Aws), ini);
    assert_eq!(
        &rendered(Format::Env, Provider::Aws),
        "AWS_ACCESS_KEY_ID=ID\nAWS_SECRET_ACCESS_KEY=SECRET\n",
    );
    assert_eq!(
        &rendered(Format::Env, Provider::Outscale),
        "OSC_ACCESS_KEY=ID\nOSC_SECRET_KEY=SECRET\n",
    );
    assert_eq!(
        &rendered(Format::Osc, Provider::Outscale),
        "{\n  \"watcher\": {\n    \"access_key\": \"ID\",\n    \"secret_key\": \"SECRET\"\n  }\n}\n",
    );
    assert_eq!(
        &rendered(Format::Legacy, Provider::Aws),
        "AWSAccessKeyId=ID\nAWSSecretKey=SECRET\n",
    );
    assert_eq!(
        &rendered(Format::K8sSecret, Provider::Outscale),
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: vigie-credentials\ntype: Opaque\nstringData:\n  \
         credentials: |\n    [watcher]\n    aws_access_key_id = ID\n    aws_secret_access_key = SECRET\n",
    );
}

#[test]
fn every_format_reads_back_as_the_key() {
    for provider in Provider::ALL {
        for format in FORMATS {
            let text = render(format, provider, "default", &new_key());
            let read = format.read(&text, "default", provider).unwrap().unwrap();
            assert_eq!(read.access_key_id, NEW_ID);
            assert_eq!(read.secret_access_key.expose_secret(), NEW_SECRET);
            assert_eq!(Format::of(&text, None), Ok(format));
        }
    }
}

#[test]
fn the_file_of_another_format_is_refused() {
    for there in FORMATS {
        for asked in FORMATS {
            let text = render(there, Provider::Aws, "default", &new_key());
            let expected = if there == asked {
                Ok(asked)
            } else {
                Err(Refusal::OtherFormat { there, asked })
            };
            assert_eq!(Format::of(&text, Some(asked)), expected);
        }
    }
}

#[test]
fn what_is_in_no_format_is_refused() {
    for text in [
        "the quick brown fox",
        "<!DOCTYPE html>",
        "= x",
        "# a\n\nAccess key ID,Secret access key\n",
        "- a\n",
        "a b=c",
    ] {
        let refusal = Format::of(text, None).unwrap_err().to_string();
        assert!(
            refusal.starts_with("is in no known format (see line "),
            "{text}: {refusal}"
        );
    }
    let refusal = edited(Format::Ini, "aws_access_key_id = A\n", "default", Provider::Aws).unwrap_err();
    assert!(refusal.contains("outside any profile"), "{refusal}");
    let refusal = edited(
        Format::Osc,
        "{\"default\": {\"access_key\": \"AK",
        "default",
        Provider::Aws,
    )
    .unwrap_err();
    assert!(refusal.contains("ends in the middle of its JSON"), "{refusal}");
}

#[test]
fn a_format_is_told_by_the_first_line_that_says_something() {
    for (text, format) in [
        ("\u{feff}# a: b\n\n[a]\n", Format::Ini),
        (" [a]", Format::Ini),
        ("\n{}", Format::Osc),
        ("type=a:b\n", Format::Env),
        ("export kind = x\n", Format::Env),
        ("; x\nawssecretkey: x\n", Format::Legacy),
        ("# x\nkind: Secret\n", Format::K8sSecret),
        ("---\n", Format::K8sSecret),
    ] {
        assert_eq!(Format::of(text, None), Ok(format), "{text}");
    }
}

#[test]
fn comments_alone_can_become_any_format_that_has_them() {
    let text = "# keys of the watcher\n; see the wiki";
    assert_eq!(Format::of(text, None), Ok(Format::Ini));
    for format in [Format::Ini, Format::Env, Format::Legacy] {
        let edited = edited(format, text, "default", Provider::Outscale).unwrap();
        assert!(edited.starts_with(&format!("{text}\n")), "{edited}");
    }
    for format in [Format::Osc, Format::K8sSecret] {
        edited(format, text, "default", Provider::Outscale).unwrap_err();
    }
}

#[test]
fn a_profile_must_fit_the_format() {
    for (format, profile, expected) in [
        (Format::Ini, "my watcher-1.é", None),
        (Format::Osc, "a [b, \"c\"", None),
        (Format::Ini, "", Some("that is not empty")),
        (Format::Osc, " a", Some("no space at either end")),
        (Format::K8sSecret, "a\nb", Some("control characters")),
        (Format::Osc, "a]", Some("without `]`")),
        (Format::Ini, "a[", Some("without brackets")),
        (Format::Env, "watcher", Some("has no profiles")),
        (Format::Legacy, "watcher", Some("choose the format `ini`")),
    ] {
        let error = format.accepts(profile).map_err(|error| error.to_string());
        match expected {
            None => assert_eq!(error, Ok(())),
            Some(expected) => assert!(error.unwrap_err().contains(expected), "{profile}"),
        }
    }
}
