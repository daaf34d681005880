//! Answers to every action that is read: the first byte picks it, the second what is shown; the documents follow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vigie::api::{Action, Service, read_lease, xml};
use vigie::identity::answers;
use vigie::provider::Provider;
use vigie::resource::{Kind, Observation, Show, StateSeries, Tags, TargetsWriter};
use vigie::resources::{
    addresses, availability_zones, instance_status, instances, load_balancers, quotas, regions, subnets,
    target_groups, volume_status, volumes,
};
use vigie_fuzz::{check, texts};

type Read = fn(&str, &mut Observation) -> Result<Option<String>, xml::Error>;

static OF_ONE_ANSWER: [(&Kind, Read); 8] = [
    (&instances::KIND, instances::read),
    (&instance_status::KIND, instance_status::read),
    (&availability_zones::KIND, availability_zones::read),
    (&volumes::KIND, volumes::read),
    (&volume_status::KIND, volume_status::read),
    (&addresses::KIND, addresses::read),
    (&subnets::KIND, subnets::read),
    (&quotas::KIND, quotas::read),
];

static ASSUME_ROLE: Action = Action::describing(Service::Sts, "AssumeRole");
static GET_GROUP: Action = Action::describing(Service::Iam, "GetGroup");
static GET_USER: Action = Action::describing(Service::Iam, "GetUser");

fuzz_target!(|input: &[u8]| {
    let [picked, shown, input @ ..] = input else {
        return;
    };
    let observation = |kind| {
        let provider = if shown & 1 == 0 {
            Provider::Aws
        } else {
            Provider::Outscale
        };
        let show = Show {
            tags: if shown & 2 == 0 { Tags::All } else { Tags::None },
            discovery_tags: if shown & 4 == 0 { Tags::All } else { Tags::None },
            states: if shown & 8 == 0 {
                StateSeries::Current
            } else {
                StateSeries::All
            },
            ..Show::default()
        };
        let mut observation = Observation::new(kind, "a\"\\\n", provider, "r", show);
        observation.targets = Some(TargetsWriter::default());
        observation
    };
    match picked % 13 {
        8 => {
            let Some([list, health]) = texts(input) else {
                return;
            };
            let mut observation = observation(&load_balancers::KIND);
            load_balancers::read(list, health, &mut observation).ok();
            check(observation);
        }
        9 => {
            let Some([target_groups, load_balancers, listeners, health]) = texts(input) else {
                return;
            };
            let answers = target_groups::Answers {
                target_groups,
                load_balancers,
                listeners,
                health,
            };
            let mut observation = observation(&target_groups::KIND);
            target_groups::read(&answers, &mut observation).ok();
            check(observation);
        }
        10 => {
            let Some([answer]) = texts(input) else { return };
            regions::read(answer).ok();
        }
        11 => {
            let Some([answer]) = texts(input) else { return };
            ASSUME_ROLE.read(answer, read_lease).ok();
        }
        12 => {
            let Some([user, group]) = texts(input) else { return };
            GET_USER
                .read(user, |reader| {
                    answers::within(reader, "User", ["UserName", "Arn"])
                })
                .ok();
            GET_GROUP
                .read(group, |reader| {
                    answers::page(reader, "Users", |reader, element| match element {
                        "Users" => answers::each(reader, ["UserName", "CreateDate"]).map(drop),
                        "Group" => answers::fields(reader, ["Arn"]).map(drop),
                        _ => reader.skip(),
                    })
                })
                .ok();
        }
        picked => {
            let (kind, read) = OF_ONE_ANSWER[usize::from(picked)];
            let mut observation = observation(kind);
            // One document after the other: things may move from one page to the next.
            let Some([first, second]) = texts(input) else {
                return;
            };
            read(first, &mut observation).ok();
            read(second, &mut observation).ok();
            for target in observation
                .targets
                .take()
                .map(TargetsWriter::finish)
                .iter()
                .flat_map(|all| all.iter())
            {
                assert!(target.labels.starts_with('{') && target.labels.ends_with('}'));
            }
            check(observation);
        }
    }
});
