//! What stands in the listings of every kind: odd items and names, and all of their pages.

use vigie::demo::{Fault, Options};
use vigie::exposition::Format;
use vigie::provider::Provider;
use vigie::resources::kinds_of;

use crate::bench::{asked, cloud, still};
use crate::kinds::{assert_volumes, by, current, of, told, watching};
use crate::page::Page;
use crate::promtool::promtool_check_metrics;

#[tokio::test(start_paused = true)]
async fn names_of_any_kind_make_a_page_that_every_reader_takes() {
    let long = "x".repeat(256);
    let crabs = "\u{1F980}".repeat(64);
    let names = [
        "a\"b\\c\nd {e=\"f\"}",
        "\r\n\t\u{7f}\u{85}\u{2028}\u{200f}",
        "",
        " ",
        &long,
        &crabs,
        "NaN",
    ];
    for provider in Provider::ALL {
        let cloud = cloud(of(provider)).await;
        let fleet = cloud.fleet();
        let bench = watching(provider, &cloud);
        let (volume, address, subnet) = (
            fleet.volumes()[0].id.clone(),
            fleet.addresses()[0].public_ip.clone(),
            fleet.subnets()[0].0.id.clone(),
        );
        for name in names {
            let tags = || vec![("Name".to_owned(), name.to_owned())];
            assert!(fleet.change_volume(&volume, |volume| volume.tags = tags()));
            assert!(fleet.change_address(&address, |address| address.tags = tags()));
            assert!(fleet.change_subnet(&subnet, |subnet| subnet.tags = tags()));
            assert!(fleet.set_zone_state("eu-west-2a", name.trim()) || name.trim().is_empty());
            let state = if name.trim().is_empty() { "error" } else { name };
            assert!(fleet.change_volume(&volume, |volume| state.clone_into(&mut volume.state)));
            let page = bench.succeeds().await;
            let shown = (!name.is_empty()).then(|| name.to_owned());
            for (family, label, id) in [
                ("cloud_volume_info", "volume_id", &volume),
                ("cloud_address_info", "public_ip", &address),
                ("cloud_subnet_info", "subnet_id", &subnet),
            ] {
                let told = told(&page, family, label, "name");
                assert_eq!(told.get(id), shown.as_ref(), "{family} {name:?}");
            }
            let states = current(&page, "cloud_volume_state", "volume_id", "state");
            assert_eq!(states[&volume], state.trim());
            let verdict = promtool_check_metrics(&bench.text(Format::Text)).await;
            assert_eq!(verdict, (Some(0), String::new()), "{name:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn odd_items_are_counted_and_the_others_shown_once() {
    for provider in Provider::ALL {
        let cloud = cloud(of(provider)).await;
        let fleet = cloud.fleet();
        let bench = watching(provider, &cloud);
        let before = bench.succeeds().await;
        let volume = &fleet.volumes()[0].id;
        let address = &fleet.addresses()[0].public_ip;
        let subnet = &fleet.subnets()[0].0.id;
        let instance = &fleet.instances()[0].id;
        let again = [
            ("DescribeVolumes", format!("<volumeId>{volume}</volumeId><status>error</status>")),
            ("DescribeVolumeStatus", format!("<volumeId>{volume}</volumeId><volumeStatus><status>impaired</status></volumeStatus>")),
            ("DescribeAddresses", format!("<publicIp>{address}</publicIp>")),
            ("DescribeSubnets", format!("<subnetId>{subnet}</subnetId><state>pending</state>")),
            ("DescribeInstanceStatus", format!("<instanceId>{instance}</instanceId><systemStatus><status>impaired</status></systemStatus>")),
            ("DescribeAvailabilityZones", "<zoneName>eu-west-2a</zoneName><zoneState>impaired</zoneState>".to_owned()),
            ("DescribeAccountAttributes", "<attributeName>max-instances</attributeName><attributeValueSet><item><attributeValue>7</attributeValue></item></attributeValueSet>".to_owned()),
        ];
        for (action, inside) in &again {
            fleet.add_raw(action, &format!("<item>{inside}</item>"));
            fleet.add_raw(action, "<item/>");
            fleet.add_raw(
                action,
                "<item><later><item><volumeId>vol-no</volumeId></item></later></item>",
            );
            fleet.add_raw(
                action,
                &format!("<item>{}</item>", "<y>".repeat(30) + &"</y>".repeat(30)),
            );
        }
        let page = bench.succeeds().await;
        let resources = |page: &Page| {
            let all = page
                .samples()
                .filter(|(series, _)| series.name.starts_with("cloud_"));
            all.map(|(series, value)| (series.clone(), value))
                .collect::<Vec<_>>()
        };
        assert_eq!(resources(&page), resources(&before));
        for kind in kinds_of(provider) {
            let is_given = |name| again.iter().any(|(action, _)| *action == name);
            let is_odd = kind.actions.iter().any(|action| is_given(action.name));
            // An attribute that says nothing is no quota, and none that could not be understood.
            let skipped = if is_odd && kind.name != "quotas" { 3.0 } else { 0.0 };
            let kind = [("kind", kind.name)];
            assert_eq!(
                page.value("vigie_poll_skipped_objects", &kind),
                Some(skipped),
                "{kind:?}"
            );
            let objects = "vigie_poll_objects";
            assert_eq!(page.value(objects, &kind), before.value(objects, &kind));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_listing_is_paged_to_its_end_and_shows_nothing_twice() {
    for provider in Provider::ALL {
        let cloud = cloud(Options {
            instances: 1100,
            ..of(provider)
        })
        .await;
        cloud.inject("*", Fault::DuplicateItems, None);
        let bench = watching(provider, &cloud);
        let page = bench.succeeds().await;
        let fleet = cloud.fleet();
        let sizes = by(&page, "cloud_volume_size_bytes", "volume_id");
        assert_eq!(sizes.len(), fleet.volumes().len());
        assert_eq!(
            Some(sizes.len() as f64),
            page.value("vigie_poll_objects", &[("kind", "volumes")])
        );
        assert_eq!(
            page.value("vigie_poll_objects", &[("kind", "instance_status")]),
            Some(1100.0)
        );
        assert_volumes(&page, provider, &cloud);
        let mut paged = vec![
            ("DescribeVolumes", "500", fleet.volumes().len().div_ceil(500)),
            ("DescribeInstanceStatus", "1000", 2),
            ("DescribeSubnets", "1000", 1),
        ];
        if provider == Provider::Aws {
            paged.push((
                "DescribeVolumeStatus",
                "1000",
                fleet.volumes().len().div_ceil(1000),
            ));
        }
        for (action, size, pages) in paged {
            let asked = asked(&cloud, action);
            assert_eq!(asked.len(), pages, "{action}");
            assert!(
                asked
                    .iter()
                    .all(|request| request.parameter("MaxResults") == Some(size))
            );
        }
        for action in [
            "DescribeAddresses",
            "DescribeAvailabilityZones",
            "DescribeAccountAttributes",
        ] {
            let asked = asked(&cloud, action);
            assert!(
                asked.len() == 1 && asked[0].parameter("MaxResults").is_none(),
                "{action}"
            );
        }
        let all = asked(&cloud, "DescribeInstanceStatus");
        let all = all
            .iter()
            .all(|request| request.parameter("IncludeAllInstances") == Some("true"));
        assert!(all, "instances that do not run have events too");
    }
}

#[tokio::test(start_paused = true)]
async fn size_that_outscale_refuses_is_left_out_of_the_new_listings_too() {
    let cloud = cloud(Options {
        refuses_paging: true,
        ..still()
    })
    .await;
    let bench = watching(Provider::Outscale, &cloud);
    bench.succeeds().await;
    cloud.forget_requests();
    bench.succeeds().await;
    for action in ["DescribeVolumes", "DescribeSubnets", "DescribeInstanceStatus"] {
        let asked = asked(&cloud, action);
        assert!(
            asked.len() == 1 && asked[0].parameter("MaxResults").is_none(),
            "{action}"
        );
    }
    assert!(asked(&cloud, "DescribeVolumeStatus").is_empty());
}
