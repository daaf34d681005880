//! Quotas: how much of something the account may have in the region.
//!
//! What is used of them is on the page already: `count(cloud_address_info)` beside `max-elastic-ips`.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAccountAttributes.html>,
//! <https://docs.outscale.com/api_fcu/#describeaccountattributes>

use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Service};
use crate::metric::Family;
use crate::provider::Provider;
use crate::resource::{Column, Kind, Observation, Table};

/// `quotas`.
pub static KIND: Kind = Kind {
    name: "quotas",
    providers: &Provider::ALL,
    by_default: true,
    actions: &[&DESCRIBE_ACCOUNT_ATTRIBUTES],
    one_call_for_each: &[],
    families: &[&LIMIT],
    states: &[],
    tables: &[Table {
        key: &["quota"],
        columns: &[Column::Value("limit", &LIMIT)],
    }],
    observe: |client, observation| Box::pin(observe(client, observation)),
};

// It has no pages.
static DESCRIBE_ACCOUNT_ATTRIBUTES: Action = Action::describing(Service::Ec2, "DescribeAccountAttributes");

// cloud_quota_limit{account="prod",region="eu-west-1",quota="max-elastic-ips"} 5
static LIMIT: Family = Family::gauge(
    "cloud_quota_limit",
    &["account", "region", "quota"],
    "How much the account may have in the region, by the cloud's name for it.",
);

async fn observe(client: &Client, observation: &mut Observation) -> Result<(), Error> {
    client
        .list(&DESCRIBE_ACCOUNT_ATTRIBUTES, &[], |page| {
            read_page(page, observation)
        })
        .await
}

/// Reads one answer of `DescribeAccountAttributes`, whole, into an observation of this kind: what a poll does with each page.
pub fn read(answer: &str, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    DESCRIBE_ACCOUNT_ATTRIBUTES.read(answer, |page| read_page(page, observation))
}

/// Reads a `DescribeAccountAttributesResponse`.
fn read_page(xml: &mut Reader<'_>, observation: &mut Observation) -> Result<Option<String>, xml::Error> {
    xml.items("accountAttributeSet", |item| {
        show(&read_attribute(item)?, observation);
        Ok(())
    })
}

#[derive(Debug, Default)]
struct Attribute {
    name: String,
    values: Vec<String>,
}

fn read_attribute(xml: &mut Reader<'_>) -> Result<Attribute, xml::Error> {
    let mut attribute = Attribute::default();
    while let Some(name) = xml.child()? {
        match name {
            "attributeName" if attribute.name.is_empty() => attribute.name = xml.text()?.into_owned(),
            "attributeValueSet" => xml.each("item", |item| {
                item.each("attributeValue", |value| {
                    attribute.values.push(value.text()?.into_owned());
                    Ok(())
                })
            })?,
            _ => xml.skip()?,
        }
    }
    Ok(attribute)
}

/// An attribute with one number is a quota. The others, as the default network, are something else and left out.
fn show(attribute: &Attribute, observation: &mut Observation) {
    let limit = match attribute.values.as_slice() {
        [value] => xml::number(value),
        _ => None,
    };
    let Some(limit) = limit else { return };
    if let Some([quota]) = observation.admit("an attribute", [("attributeName", &attribute.name)]) {
        observation.sample(&LIMIT).label("quota", quota).value(limit);
    }
}

#[cfg(test)]
mod tests;
