mod sources;
mod values;

use std::fs;

use tempfile::TempDir;

use super::*;

const BOTH: &[Provider] = &[Provider::Outscale, Provider::Aws];
const REGISTRY: Registry<'_> = &[
    ("instances", BOTH, true),
    ("load_balancers", BOTH, true),
    ("target_groups", &[Provider::Aws], true),
    ("volume_status", &[Provider::Aws], false),
];
const ACCOUNT: &str = "[[account]]\nname = \"prod\"\nprovider = \"outscale\"\nregions = [\"eu-west-2\"]\n";

struct Fixture {
    folder: TempDir,
    variables: Environment,
}

impl Fixture {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Environment::new(),
        }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self, name: &str, text: &str) -> Result<Settings, Error> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        load(Some(&path), REGISTRY, &self.variables)
    }

    /// The error's sentence, without the folder the test runs in.
    fn sentence(&self, name: &str, text: &str) -> String {
        let folder = format!("{}/", self.folder.path().display());
        self.load(name, text)
            .unwrap_err()
            .to_string()
            .replace(&folder, "")
    }
}

fn loaded(text: &str) -> Settings {
    Fixture::new().load("vigie.toml", text).unwrap()
}

/// The fault of settings with these lines above a sound account, without the name of the file.
fn top(lines: &str) -> String {
    fault(&format!("{lines}\n{ACCOUNT}"))
}

/// The fault of settings with these lines in an otherwise sound account.
fn account(lines: &str) -> String {
    fault(&format!("{ACCOUNT}{lines}\n"))
}

fn fault(text: &str) -> String {
    let sentence = Fixture::new().sentence("vigie.toml", text);
    sentence
        .strip_prefix("settings file vigie.toml: ")
        .unwrap_or(&sentence)
        .to_owned()
}

fn one_account() -> OneAccount {
    OneAccount {
        provider: Provider::Aws,
        regions: vec!["us-east-1".to_owned(), "eu-west-1".to_owned()],
        credentials_file: Some("key".into()),
        profile: None,
        endpoint_url: Some("http://127.0.0.1:5000".to_owned()),
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = loaded(ACCOUNT);
    assert_eq!(settings.listen.as_str(), "127.0.0.1:9980");
    assert_eq!(settings.interval_of("instances"), Duration::from_secs(60));
    assert_eq!(settings.stale_after, Duration::from_secs(300));
    assert_eq!(settings.log_format, LogFormat::Text);
    assert_eq!(settings.audit_interval, None);
    let account = &settings.accounts[0];
    assert_eq!(account.kinds, ["instances", "load_balancers"]);
    assert_eq!(
        (&account.tags, account.state_series),
        (&Tags::None, StateSeries::All)
    );
    assert!((account.requests_per_second - 5.0).abs() < f64::EPSILON);
    assert!(account.endpoints.is_empty() && account.signing_names.is_empty());
    assert_eq!(account.credentials_file, None);
}

#[test]
fn every_setting_is_read() {
    let fixture = Fixture::new();
    let text = r#"
        listen = "localhost:9980"
        interval = "1m30s"
        stale_after = "24h"
        web_config_file = "web/config.yml"
        log_format = "json"
        audit_interval = "24h"
        [kinds.load_balancers]
        interval = "200ms"
        [[account]]
        name = "prod"
        provider = "aws"
        regions = ["eu-west-2", "cn-north-1"]
        credentials_file = "keys/prod"
        profile = "watcher 1"
        kinds = ["target_groups", "instances"]
        tags = ["*"]
        state_series = "current"
        requests_per_second = 2.5
        endpoints = { ec2 = "http://127.0.0.1:5000/ec2", sts = "https://sts.example.org" }
        signing_names = { elb = "lbu" }
        ca_bundle = "/etc/ssl/ca.pem"
    "#;
    let settings = fixture.load("vigie.toml", text).unwrap();
    assert_eq!(settings.interval_of("instances"), Duration::from_secs(90));
    assert_eq!(settings.interval_of("load_balancers"), Duration::from_millis(200));
    let web = settings.web_config_file.as_deref();
    assert_eq!(web, Some(fixture.folder.path().join("web/config.yml").as_path()));
    assert_eq!(settings.audit_interval, Some(Duration::from_secs(24 * 60 * 60)));
    let account = &settings.accounts[0];
    assert_eq!(account.kinds, ["instances", "target_groups"]);
    assert_eq!(account.tags, Tags::All);
    assert_eq!(account.profile.as_deref(), Some("watcher 1"));
    assert_eq!(
        account.credentials_file,
        Some(fixture.folder.path().join("keys/prod"))
    );
    assert_eq!(account.ca_bundle, Some("/etc/ssl/ca.pem".into()));
    assert_eq!(
        account.endpoints.ec2.as_ref().unwrap().as_str(),
        "http://127.0.0.1:5000/ec2"
    );
    assert_eq!(account.signing_names.elb.as_deref(), Some("lbu"));

    let printed = settings.to_toml();
    assert!(printed.contains("interval = \"1m 30s\""), "{printed}");
    assert_eq!(
        fixture.load("printed.toml", &printed).unwrap(),
        settings,
        "{printed}"
    );
}

#[test]
fn yaml_and_json_say_the_same_as_toml() {
    let toml = loaded(&format!(
        "interval = \"30s\"\n[kinds.instances]\ninterval = \"10s\"\n{ACCOUNT}requests_per_second = 3\n"
    ));
    let yaml = "interval: 30s\nkinds:\n  instances:\n    interval: 10s\naccount:\n- name: prod\n  \
        provider: outscale\n  regions: [eu-west-2]\n  requests_per_second: 3\n";
    let json = "\u{feff}{\"interval\": \"30s\", \"kinds\": {\"instances\": {\"interval\": \"10s\"}}, \"account\": \
        [{\"name\": \"prod\", \"provider\": \"outscale\", \"regions\": [\"eu-west-2\"], \"requests_per_second\": 3}]}";
    let fixture = Fixture::new();
    assert_eq!(fixture.load("vigie.yaml", yaml).unwrap(), toml);
    assert_eq!(fixture.load("vigie.yml", yaml).unwrap(), toml);
    assert_eq!(fixture.load("vigie.json", json).unwrap(), toml);
}

#[test]
fn typo_names_the_nearest_key() {
    assert_eq!(
        Fixture::new().sentence("vigie.toml", &format!("{ACCOUNT}regoins = []\n")),
        "settings file vigie.toml: unknown key `account[0].regoins`: did you mean `regions`?"
    );
    assert_eq!(top("lisen = \"\""), "unknown key `lisen`: did you mean `listen`?");
    assert_eq!(
        top("[[accounts]]"),
        "unknown key `accounts`: did you mean `account`?"
    );
    assert_eq!(
        account("endpoints = { ec3 = \"\" }"),
        "unknown key `account[0].endpoints.ec3`: did you mean `ec2`?"
    );
    assert_eq!(
        top("[kinds.instance]\ninterval = \"1m\""),
        "unknown key `kinds.instance`: did you mean `instances`?"
    );
    assert_eq!(
        top("[kinds.instances]\nevery = \"1m\""),
        "unknown key `kinds.instances.every`: the keys known there are `interval`"
    );
}

#[test]
fn key_that_is_not_known_yet_lists_those_that_are() {
    assert_eq!(
        top("retention_time = \"1h\""),
        "unknown key `retention_time`: the keys known there are `listen`, `interval`, `stale_after`, `web_config_file`, \
         `log_format`, `audit_interval`, `shard`, `account`, `kinds`"
    );
}

#[test]
fn settings_in_force_are_printed_whole() {
    insta::assert_snapshot!(loaded(&format!("{ACCOUNT}tags = [\"env\"]")).to_toml(), @r#"
    listen = "127.0.0.1:9980"
    interval = "1m"
    stale_after = "5m"
    log_format = "text"

    [[account]]
    name = "prod"
    provider = "outscale"
    regions = ["eu-west-2"]
    kinds = ["instances", "load_balancers"]
    tags = ["env"]
    discovery_tags = ["*"]
    state_series = "all"
    requests_per_second = 5.0
    "#);
}

#[test]
fn selection_is_a_table_of_names_and_values() {
    let settings = loaded(&format!(
        "{ACCOUNT}filters = {{ \"tag:env\" = [\"prod\", \"staging\"] }}\nkeep = {{ team = [\"*\"] }}\ndrop = {{ env = [\"\"] }}"
    ));
    let selection = &settings.accounts[0].selection;
    assert_eq!(
        selection.filters,
        [(
            "tag:env".to_owned(),
            vec!["prod".to_owned(), "staging".to_owned()]
        )]
    );
    assert_eq!(
        (
            selection.keep[0].key.as_str(),
            selection.drop[0].values[0].as_str()
        ),
        ("team", "")
    );
    // What is printed says the same again.
    let again = loaded(&settings.to_toml());
    assert_eq!(again.accounts[0].selection, *selection);
}

#[test]
fn selection_that_shows_nothing_is_refused() {
    assert_eq!(
        account("keep = { env = [] }"),
        "`account[0].keep.env` is an empty list, so that nothing would ever be shown: write the values that do"
    );
    assert_eq!(
        account("drop = { env = \"prod\" }"),
        "`account[0].drop.env` is the text \"prod\": write a list"
    );
    assert_eq!(
        account("filters = { \"\" = [\"x\"] }"),
        "`account[0].filters` has an entry without a name: write one, such as env"
    );
    assert!(account("filters = { a = [1] }").starts_with("`account[0].filters.a[0]` is the number 1: write"));
}

#[test]
fn every_region_is_a_list_on_outscale_and_asked_for_on_aws() {
    let with = |provider: &str, regions: &str| {
        format!("[[account]]\nname = \"a\"\nprovider = \"{provider}\"\nregions = {regions}\n")
    };
    let outscale = loaded(&with("outscale", "[\"*\"]"));
    assert_eq!(outscale.accounts[0].regions.listed().len(), 5);
    let aws = loaded(&with("aws", "[\"*\"]"));
    assert!(aws.accounts[0].regions.is_every() && aws.accounts[0].regions.listed().is_empty());
    assert!(aws.to_toml().contains("regions = [\"*\"]"));
    assert_eq!(
        fault(&with("aws", "[\"eu-west-1\", \"*\"]")),
        "`account[0].regions` has \"*\" among other names: write [\"*\"] alone for every region"
    );
}

#[test]
fn endpoints_of_aws_are_refused_elsewhere() {
    assert_eq!(
        account("fips = true"),
        "`account[0].fips` is of AWS alone: remove it, since outscale has one endpoint"
    );
    assert_eq!(
        account("dual_stack = \"yes\""),
        "`account[0].dual_stack` is the text \"yes\": write a boolean"
    );
}

#[test]
fn shard_is_a_place_among_so_many() {
    let shard = |text: &str| loaded(&format!("shard = {text:?}\n{ACCOUNT}")).shard;
    assert_eq!(shard("0/1"), Some(Shard { index: 0, total: 1 }));
    assert_eq!(shard("3/7"), Some(Shard { index: 3, total: 7 }));
    assert_eq!(loaded(ACCOUNT).shard, None);
    assert!(
        loaded(&format!("shard = \"3/7\"\n{ACCOUNT}"))
            .to_toml()
            .contains("shard = \"3/7\"\n")
    );
    for wrong in [
        "4/4", "1", "-1/4", "0/0", "a/b", "1/2/3", "0/1001", " 0/4", "+0/4", "",
    ] {
        let told = top(&format!("shard = {wrong:?}"));
        assert!(
            told.starts_with(&format!("`shard` is {wrong:?}")) && told.contains("such as \"0/4\""),
            "{told}"
        );
    }
    assert_eq!(
        top("shard = 0"),
        "`shard` is the number 0: write an ordinal and a total, such as \"0/4\""
    );
}

#[test]
fn kind_that_is_not_polled_by_default_is_polled_where_it_is_named() {
    let aws = ACCOUNT.replace("outscale", "aws");
    assert_eq!(
        loaded(&aws).accounts[0].kinds,
        ["instances", "load_balancers", "target_groups"]
    );
    let named = loaded(&format!("{aws}kinds = [\"volume_status\"]"));
    assert_eq!(named.accounts[0].kinds, ["volume_status"]);
}

#[test]
fn selection_of_instances_that_are_not_polled_is_refused() {
    assert_eq!(
        account("kinds = [\"load_balancers\"]\nkeep = { env = [\"prod\"] }"),
        "`account[0].keep` is about the kind `instances`, which `kinds` leaves out: add it there, or remove this"
    );
}
