//! What each setting may be, and what is said where it is not.

use super::*;

#[test]
fn role_is_checked_as_aws_would() {
    let aws = |role: &str| {
        let text = format!("{}assume_role = {role}\n", ACCOUNT.replace("outscale", "aws"));
        let fault = fault(&text);
        fault.trim_start_matches("`account[0].assume_role").to_owned()
    };
    let arn = "arn = \"arn:aws:iam::123456789012:role/watcher\"";
    assert!(aws("{}").starts_with(".arn` is missing"));
    assert!(aws("{ arn = \"watcher\" }").starts_with(".arn` is no ARN of a role: write \"arn:aws:iam::"));
    assert!(aws(&format!("{{ {arn}, external_id = \"a\" }}")).starts_with(".external_id` is no external id"));
    assert!(aws(&format!("{{ {arn}, session_name = \"a b\" }}")).starts_with(".session_name` is no session"));
    assert!(aws(&format!("{{ {arn}, duration = \"5m\" }}")).starts_with(".duration` is not from 15 minutes"));
    assert!(aws(&format!("{{ {arn}, duration = 900 }}")).contains("without a unit"));
    assert!(aws(&format!("{{ {arn}, role = \"x\" }}")).contains("unknown key"));
    assert_eq!(
        account(&format!("assume_role = {{ {arn} }}")),
        "`account[0].assume_role` is of AWS alone, and outscale has no roles to assume: remove it"
    );
}

#[test]
fn client_certificate_is_of_outscale() {
    let certificate = "client_certificate = \"client.pem\"\nclient_key = \"client.key\"\n";
    let settings = loaded(&format!("{ACCOUNT}{certificate}"));
    let path = settings.accounts[0].client_certificate.as_ref().unwrap();
    assert!(path.is_absolute() && path.ends_with("client.pem"), "{path:?}");
    assert_eq!(
        fault(&format!("{}{certificate}", ACCOUNT.replace("outscale", "aws"))),
        "`account[0].client_certificate` is of OUTSCALE alone, and aws asks for none: remove it"
    );
    let key_alone = "client_key = \"client.key\"\n";
    assert_eq!(
        fault(&format!("{}{key_alone}", ACCOUNT.replace("outscale", "aws"))),
        "`account[0].client_key` is of OUTSCALE alone, and aws asks for none: remove it"
    );
}

#[test]
fn missing_key_comes_with_an_example() {
    assert_eq!(
        fault(""),
        "`account` is missing: write at least one, under `[[account]]`"
    );
    assert_eq!(
        fault("account = []"),
        "`account` is missing: write at least one, under `[[account]]`"
    );
    assert_eq!(
        fault("[[account]]\nname = \"a\"\nregions = [\"r\"]"),
        "`account[0].provider` is missing: write `provider = \"outscale\"` or `provider = \"aws\"`"
    );
    assert_eq!(
        fault("[[account]]\nname = \"a\"\nprovider = \"aws\""),
        "`account[0].regions` is missing: write `regions = [\"eu-west-2\"]`"
    );
}

#[test]
fn number_for_a_duration_gets_its_unit() {
    assert_eq!(
        top("interval = 60"),
        "`interval` is the number 60, without a unit: write \"60s\""
    );
    assert_eq!(
        top("stale_after = \"300\""),
        "`stale_after` is the number 300, without a unit: write \"300s\""
    );
    assert_eq!(
        top("[kinds.instances]\ninterval = 1.5"),
        "`kinds.instances.interval` is the number 1.5, without a unit: write \"1.5s\""
    );
}

#[test]
fn absurd_durations_get_a_sentence_each() {
    assert_eq!(
        top("interval = \"soon\""),
        "`interval` is \"soon\", which is no duration: write it in h, m, s and ms, such as \"60s\" or \"1m30s\""
    );
    assert_eq!(
        top("interval = \"0s\""),
        "`interval` is zero: write the time from one poll to the next, such as \"60s\""
    );
    assert!(top("interval = \"-5s\"").starts_with("`interval` is \"-5s\", which is no duration"));
    assert_eq!(
        top("interval = \"99ms\""),
        "`interval` is 99ms: write \"100ms\" or more"
    );
    assert_eq!(
        top("stale_after = \"72h\"\ninterval = \"25h\""),
        "`interval` is 25h: write \"24h\" or less"
    );
    assert_eq!(
        top("[kinds.instances]\ninterval = \"1ms\""),
        "`kinds.instances.interval` is 1ms: write \"100ms\" or more"
    );
    assert_eq!(
        top("audit_interval = \"0s\""),
        "`audit_interval` is zero: write the time from one audit to the next, such as \"24h\", or remove it to have none"
    );
    assert_eq!(
        top("audit_interval = \"59s\""),
        "`audit_interval` is 59s, so that audits would use up calls that others need: write \"1m\" or more"
    );
    assert_eq!(
        top("audit_interval = \"9999h\""),
        "`audit_interval` is 9999h: write \"8760h\" (a year) or less"
    );
    assert_eq!(
        top("audit_interval = 24"),
        "`audit_interval` is the number 24, without a unit: write \"24s\""
    );
    assert!(
        top("stale_after = \"0s\"")
            .starts_with("`stale_after` is zero, so that no reading would ever be shown")
    );
    assert_eq!(
        top("stale_after = \"169h\""),
        "`stale_after` is 169h: write \"168h\" (7 days) or less"
    );
    assert!(top("interval = \"\"").starts_with("`interval` is \"\", which is no duration"));
    assert!(top("interval = \"99999999999999999999h\"").contains("is no duration"));
}

#[test]
fn readings_outlive_the_interval() {
    assert_eq!(
        top("interval = \"10m\""),
        "`stale_after` is 5m, shorter than the interval of `load_balancers` (10m), so that its readings would come \
         and go: write \"20m\" or more"
    );
    assert!(top("[kinds.instances]\ninterval = \"6m\"").contains("interval of `instances` (6m)"));
    // A kind that nobody polls does not count.
    loaded(&format!("[kinds.target_groups]\ninterval = \"6m\"\n{ACCOUNT}"));
    loaded(&format!("interval = \"5m\"\n{ACCOUNT}"));
}

#[test]
fn wrong_types_say_what_was_found_and_what_to_write() {
    assert_eq!(
        top("listen = 9980"),
        "`listen` is the number 9980: write a host and a port, such as \"127.0.0.1:9980\""
    );
    assert_eq!(
        top("log_format = true"),
        "`log_format` is true: write \"text\" or \"json\""
    );
    assert_eq!(
        top("log_format = \"jsn\""),
        "`log_format` is \"jsn\": did you mean \"json\"?"
    );
    for (account, found) in [
        ("account = 5", "the number 5"),
        ("[account]\nname = \"a\"", "a table"),
    ] {
        assert_eq!(
            fault(account),
            format!(
                "`account` is {found}: write `[[account]]`, in two pairs of brackets, once for each account"
            )
        );
    }
    assert_eq!(
        fault("account = [5]"),
        "`account[0]` is the number 5: write a table"
    );
    assert_eq!(
        fault("account = [[\"prod\", \"aws\", [\"eu-west-1\"]]]"),
        "`account[0]` is a list: write a table"
    );
    assert_eq!(
        account("profile = [\"a\"]"),
        "`account[0].profile` is a list: write the name of a profile in the credentials file, such as \"default\""
    );
    assert_eq!(
        account("kinds = \"instances\""),
        "`account[0].kinds` is the text \"instances\": write a list"
    );
    assert_eq!(
        account("tags = [1]"),
        "`account[0].tags[0]` is the number 1: write the name of a tag, such as \"env\""
    );
    assert_eq!(
        account("requests_per_second = \"5\""),
        "`account[0].requests_per_second` is the text \"5\": write a number such as 5"
    );
    assert_eq!(
        fault("[[account]]\nname = 7"),
        "`account[0].name` is the number 7: write a name in quotes, such as \"prod\""
    );
    assert_eq!(
        fault("[[account]]\nprovider = \"azure\""),
        "`account[0].provider` is \"azure\": write \"outscale\" or \"aws\""
    );
    assert_eq!(
        Fixture::new().sentence("vigie.yaml", "account:\n- name:\n"),
        "settings file vigie.yaml: `account[0].name` is empty: write a name in quotes, such as \"prod\""
    );
}

#[test]
fn requests_per_second_are_a_sensible_number() {
    for number in ["0", "-1", "0.0", "1e-20", "0.009", "nan", "inf", "1000.5"] {
        let sentence = account(&format!("requests_per_second = {number}"));
        assert!(
            sentence.ends_with("write a number from 0.01 to 1000, such as 5"),
            "{sentence}"
        );
    }
}

#[test]
fn listen_address_has_a_host_and_a_port() {
    for good in ["[::]:9980", "0.0.0.0:0", "vigie_1.example.org:65535"] {
        assert_eq!(good.parse::<Address>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        ":9980",
        "9980",
        "localhost",
        "localhost:",
        "a:65536",
        "a:+1",
        "::1:9980",
        "a b:1",
        "[x]:1",
    ] {
        let sentence = bad.parse::<Address>().unwrap_err().to_string();
        assert!(
            sentence.ends_with("write a host and a port, such as \"127.0.0.1:9980\""),
            "{bad}: {sentence}"
        );
    }
    assert!(
        top("listen = \":9980\"").starts_with("`listen` is \":9980\", without a host (\"0.0.0.0\" is every")
    );
}

#[test]
fn account_names_are_unique() {
    assert_eq!(
        fault(&format!("{ACCOUNT}{ACCOUNT}")),
        "`account[1].name` is \"prod\", like that of account[0]: give each account its own"
    );
    assert!(fault(&ACCOUNT.replace("prod", " ")).starts_with("`account[0].name` is empty"));
    assert!(fault(&ACCOUNT.replace("prod", "a\\n")).contains("a control character in it"));
}

#[test]
fn regions_are_names_that_a_host_can_hold() {
    let with = |regions: &str| fault(&ACCOUNT.replace("[\"eu-west-2\"]", regions));
    assert_eq!(
        with("[]"),
        "`account[0].regions` is an empty list: name at least one, such as [\"eu-west-2\"]"
    );
    assert_eq!(
        with("[\"a\", \"b\", \"a\"]"),
        "`account[0].regions[2]` is \"a\", which is there already: name it once"
    );
    for bad in [
        "",
        "EU-West-2",
        "eu west",
        "eu.west",
        "-eu",
        "evil.example.org/",
        "é",
    ] {
        let sentence = with(&format!("[\"{bad}\"]"));
        assert!(
            sentence.contains("which is no region: write small letters"),
            "{sentence}"
        );
    }
    assert!(with("\"eu-west-2\"").ends_with("is the text \"eu-west-2\": write a list"));
}

#[test]
fn kinds_are_those_that_the_provider_has() {
    assert_eq!(
        account("kinds = [\"instances\", \"load_balancer\"]"),
        "`account[0].kinds[1]` is \"load_balancer\": did you mean \"load_balancers\"?"
    );
    assert_eq!(
        account("kinds = [\"volumes\"]"),
        "`account[0].kinds[0]` is \"volumes\": write \"instances\" or \"load_balancers\" or \"target_groups\" or \"volume_status\""
    );
    assert_eq!(
        account("kinds = [\"target_groups\"]"),
        "`account[0].kinds[0]` is \"target_groups\", which outscale does not have: it has `instances`, `load_balancers`"
    );
    assert!(
        account("kinds = []")
            .starts_with("`account[0].kinds` is an empty list: name at least one, or remove")
    );
    assert!(
        account("kinds = [\"instances\", \"instances\"]")
            .contains("kinds[1]` is \"instances\", which is there")
    );
}

#[test]
fn tags_are_names_or_a_star_alone() {
    assert_eq!(
        loaded(&format!("{ACCOUNT}tags = [\"env\", \"cost center\"]")).accounts[0].tags,
        Tags::Listed(vec!["env".to_owned(), "cost center".to_owned()])
    );
    assert_eq!(
        loaded(&format!("{ACCOUNT}tags = []")).accounts[0].tags,
        Tags::None
    );
    assert!(account("tags = [\"*\", \"env\"]").contains("write [\"*\"] alone for all tags"));
    assert!(account("tags = [\"env\", \"env\"]").contains("is there already"));
    assert!(account("tags = [\"\"]").starts_with("`account[0].tags[0]` is empty"));
}

#[test]
fn endpoints_are_urls_without_secrets_or_queries() {
    for (bad, expected) in [
        ("localhost:5000", "does not start with http:// or https://"),
        ("ftp://a", "does not start with http:// or https://"),
        ("http://", "is no valid URL (empty host)"),
        (
            "https://user:canary@host",
            "is a URL with a user or a password in it",
        ),
        ("https://@host", "is a URL with a user or a password in it"),
        ("https://host/?canary", "is a URL with a query or a fragment"),
        ("https://host/#canary", "is a URL with a query or a fragment"),
        ("https://ho st", "is a URL with a space"),
        ("https:\\\\\\\\host", "does not start with"),
        ("https://host:99999", "is no valid URL (invalid port number)"),
    ] {
        let sentence = account(&format!("endpoints = {{ elb = \"{bad}\" }}"));
        assert!(
            sentence.starts_with(&format!("`account[0].endpoints.elb` {expected}")),
            "{sentence}"
        );
        assert!(!sentence.contains("canary"), "{sentence}");
    }
    assert!(
        account("signing_names = { ec2 = \"a/b\" }").starts_with("`account[0].signing_names.ec2` is \"a/b\"")
    );
    assert!(account("signing_names = { ec2 = \"\" }").contains("write a signing name, such as \"ec2\""));
}
