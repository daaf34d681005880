use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::api::Effect;
use crate::api::answer::Answer;

fn names(provider: Provider, service: Service) -> Vec<&'static str> {
    let probes = probes(provider).into_iter();
    let of_service = probes.filter(|probe| probe.action.service == service);
    of_service.map(|probe| probe.action.name).collect()
}

fn nothing(prefix: &str, provider: Provider) -> String {
    let digits = if provider == Provider::Aws { 17 } else { 8 };
    format!("{prefix}-{}", "0".repeat(digits))
}

#[test]
fn every_probe_of_ec2_is_a_dry_run_about_things_that_are_not_there() {
    for provider in [Provider::Outscale, Provider::Aws] {
        for probe in probes(provider)
            .into_iter()
            .filter(|probe| probe.action.service == Service::Ec2)
        {
            let parameters = probe.parameters(provider);
            let is_dry_run = parameters.contains(&("DryRun", "true".to_owned()));
            assert!(is_dry_run, "{probe:?}");
            // What an action is about stands in a parameter of this name; without it, it is about everything.
            let ids: Vec<_> = parameters
                .iter()
                .filter(|(name, _)| name.split('.').next().unwrap().ends_with("Id"))
                .collect();
            assert!(!ids.is_empty(), "{probe:?}");
            for (name, id) in ids {
                let prefix = id.split('-').next().unwrap();
                assert_eq!(*id, nothing(prefix, provider), "{name} of {probe:?}");
            }
        }
        assert_eq!(names(provider, Service::Ec2).len(), 12);
    }
}

#[test]
fn every_probe_of_elb_names_a_load_balancer_that_nobody_made() {
    for provider in [Provider::Outscale, Provider::Aws] {
        for probe in probes(provider)
            .into_iter()
            .filter(|probe| probe.action.service == Service::Elb)
        {
            let parameters = probe.parameters(provider);
            let (_, name) = parameters
                .iter()
                .find(|(name, _)| *name == "LoadBalancerName")
                .unwrap();
            assert_eq!(name, &*NO_NAME);
        }
        assert_eq!(names(provider, Service::Elb).len(), 3);
    }
    assert!(NO_NAME.len() <= 32, "{}", *NO_NAME);
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    assert!(NO_NAME.bytes().all(letters), "{}", *NO_NAME);
}

#[test]
fn identities_are_listed_and_nothing_else() {
    for provider in [Provider::Outscale, Provider::Aws] {
        let names = names(provider, Service::Iam);
        assert_eq!(
            names,
            ["ListUsers", "ListGroups", "ListPolicies", "ListAccessKeys"]
        );
    }
}

#[test]
fn an_action_is_probed_once_and_marked_as_a_probe() {
    for provider in [Provider::Outscale, Provider::Aws] {
        let mut names = HashSet::new();
        for probe in probes(provider) {
            assert_eq!(probe.action.effect, Effect::Probes, "{probe:?}");
            assert!(names.insert(probe.action.policy_name()), "{probe:?}");
        }
    }
}

fn answer(status: u16, code: Option<&str>) -> Cause {
    let answer = Answer {
        status,
        has_code: code.is_some(),
        code: code.map_or_else(|| format!("HTTP {status}"), str::to_owned),
        names_the_clock: false,
        message: "words".to_owned(),
        request_id: None,
        retry_after: None,
    };
    answer.into()
}

#[test]
fn only_a_denial_of_the_clouds_own_denies() {
    assert_eq!(
        verdict(&answer(403, Some("UnauthorizedOperation"))),
        Some(Verdict::Denied)
    );
    assert_eq!(verdict(&answer(403, Some("AccessDenied"))), Some(Verdict::Denied));
    for unheard in [answer(403, None), answer(403, Some("Blocked"))] {
        assert!(
            matches!(verdict(&unheard), Some(Verdict::Unknown(_))),
            "{unheard:?}"
        );
    }
}

#[test]
fn what_is_refused_for_another_reason_is_allowed() {
    for (status, code) in [
        (412, "DryRunOperation"),
        (400, "InvalidInstanceID.NotFound"),
        (400, "LoadBalancerNotFound"),
        (404, "NoSuchEntity"),
        (400, "InvalidParameterValue"),
        (400, "MissingParameter"),
        (409, "IncorrectInstanceState"),
    ] {
        let allowed = Verdict::Allowed(code.to_owned());
        assert_eq!(verdict(&answer(status, Some(code))), Some(allowed));
    }
}

#[test]
fn what_the_cloud_does_not_have_is_absent() {
    for (status, code) in [
        (400, "InvalidAction"),
        (501, "NotImplemented"),
        (400, "UnknownOperation"),
    ] {
        assert_eq!(verdict(&answer(status, Some(code))), Some(Verdict::Absent));
    }
}

#[test]
fn silence_faults_and_throttling_tell_nothing() {
    for cause in [
        answer(500, Some("InternalError")),
        answer(500, None),
        answer(503, Some("RequestLimitExceeded")),
        answer(400, Some("Throttling")),
        answer(429, None),
        answer(404, None),
        Cause::Timeout {
            host: "h".to_owned(),
            within: Duration::from_secs(1),
        },
        Cause::NoTime { waited_for: "x" },
        Cause::Malformed {
            host: "h".to_owned(),
            expected: "x".to_owned(),
            detail: "y".to_owned(),
        },
    ] {
        assert!(matches!(verdict(&cause), Some(Verdict::Unknown(_))), "{cause:?}");
    }
}

#[test]
fn refused_key_ends_the_examination() {
    for cause in [
        answer(401, Some("AuthFailure")),
        answer(403, Some("InvalidClientTokenId")),
        answer(400, Some("RequestExpired")),
        answer(401, None),
        Cause::Locked {
            strikes: 1,
            remaining: Duration::from_secs(60),
            unheard: true,
        },
    ] {
        assert_eq!(verdict(&cause), None, "{cause:?}");
    }
}
