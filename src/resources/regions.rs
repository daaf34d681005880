//! The regions that an account has enabled: found out where the settings say `regions = ["*"]`.
//!
//! Not among [`KINDS`](super::KINDS): nothing of it is on the page, and no key needs to be allowed it otherwise.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>

use std::borrow::Cow;

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Service};
use crate::provider::Provider;
use crate::resource::{Kind, Observation};

/// `regions`.
pub static KIND: Kind = Kind {
    name: "regions",
    providers: &[Provider::Aws],
    by_default: true,
    actions: &[&DESCRIBE_REGIONS],
    one_call_for_each: &[],
    families: &[],
    states: &[],
    tables: &[],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

static DESCRIBE_REGIONS: Action = Action::describing(Service::Ec2, "DescribeRegions")
    .proven_with(&[("RegionName.1", "vigie-proof-of-permission")]);

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    let regions = client.ask(&DESCRIBE_REGIONS, &[], read_regions).await?;
    observation.objects = regions.len();
    observation.facts.regions = regions;
    Ok(())
}

/// Reads one answer of `DescribeRegions`, whole: the names of the regions that are enabled.
pub fn read(answer: &str) -> Result<Vec<String>, xml::Error> {
    DESCRIBE_REGIONS.read(answer, read_regions)
}

/// Reads a `DescribeRegionsResponse`.
fn read_regions(xml: &mut Reader<'_>) -> Result<Vec<String>, xml::Error> {
    let mut regions = Vec::new();
    let mut has_list = false;
    xml.each("regionInfo", |list| {
        has_list = true;
        list.each("item", |item| {
            let (mut name, mut opt_in) = (Cow::default(), Cow::default());
            while let Some(child) = item.child()? {
                match child {
                    "regionName" => item.fill(&mut name)?,
                    "optInStatus" => item.fill(&mut opt_in)?,
                    _ => item.skip()?,
                }
            }
            let name = name.trim();
            if !name.is_empty()
                && opt_in.trim() != "not-opted-in"
                && !regions.iter().any(|known| known == name)
            {
                regions.push(name.to_owned());
            }
            Ok(())
        })
    })?;
    xml::require(has_list, "regionInfo")?;
    if regions.len() > MOST {
        return Err(xml::Error::TooMany {
            what: "regions",
            found: regions.len(),
            most: MOST,
        });
    }
    Ok(regions)
}

/// AWS has fewer than forty. Each is polled, with series of its own.
const MOST: usize = 200;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn enabled_regions_are_found_and_no_others() {
        let document = "<DescribeRegionsResponse><requestId>r</requestId><regionInfo>\
                        <item><regionName>eu-west-1</regionName><optInStatus>opt-in-not-required</optInStatus></item>\
                        <item><regionName>af-south-1</regionName><optInStatus>not-opted-in</optInStatus></item>\
                        <item><regionName>me-south-1</regionName><optInStatus>opted-in</optInStatus></item>\
                        <item><regionName>eu-west-1</regionName></item><item><regionName/></item>\
                        </regionInfo></DescribeRegionsResponse>";
        assert_eq!(read(document).unwrap(), ["eu-west-1", "me-south-1"]);
        assert!(
            read("<DescribeRegionsResponse/>").is_err(),
            "no list is no empty one"
        );
        let many = |count: usize| {
            let mut items = String::new();
            for number in 0..count {
                write!(items, "<item><regionName>eu-west-{number}</regionName></item>").unwrap();
            }
            read(&format!(
                "<DescribeRegionsResponse><regionInfo>{items}</regionInfo></DescribeRegionsResponse>"
            ))
        };
        assert_eq!(many(200).unwrap().len(), 200);
        assert!(many(201).is_err(), "that is no list of regions");
    }
}
