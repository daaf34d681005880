//! Policy documents: as bootstrap compares them, and as the demo cloud decides by them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vigie::demo::policy::{Decision, Document, decide};
use vigie::identity::policy::{Comparison, Policy, decoded, only_describes};
use vigie::provider::Provider;
use vigie::resources::kinds_of;
use vigie_fuzz::texts;

fuzz_target!(|input: &[u8]| {
    let [picked, input @ ..] = input else { return };
    let Some([text, action]) = texts(input) else {
        return;
    };
    let provider = if picked & 1 == 0 {
        Provider::Aws
    } else {
        Provider::Outscale
    };
    let policy = match picked >> 1 & 3 {
        0 => Policy::of_kinds(provider, &kinds_of(provider)[..1]),
        1 => Policy::describe_all(provider),
        _ => Policy::of_kinds(provider, &kinds_of(provider)),
    };
    let text = decoded(text);
    let comparison = policy.compare(&text);
    let document = Document::parse(&text, provider);
    let decision = |action: &str| {
        document
            .as_ref()
            .ok()
            .map(|document| decide([document], action, provider))
    };
    if let Comparison::Same = comparison {
        // A document without a version is the same to us, and none to AWS's grammar of today.
        for action in policy.actions() {
            let decision = decision(&action.replace('*', "X"));
            assert!(
                matches!(decision, None | Some(Decision::Allowed)),
                "{action}: {text}"
            );
        }
        assert!(only_describes(&text), "{text}");
    }
    if only_describes(&text) {
        for action in ["ec2:StopInstances", "iam:CreateUser", "sts:AssumeRole"] {
            assert_ne!(decision(action), Some(Decision::Allowed), "{action}: {text}");
        }
    }
    decision(action);
});
