//! One authenticated call on its way to the service that answers it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::account::Principal;
use super::faults::Twist;
use super::fleet::Fleet;
use super::identity::Identity;
use super::paging::Cursor;
use super::wire::{Parameters, Refusal, Service};
use super::xml::Xml;
use super::{Options, changes, ec2, elb, elbv2, iam, iam_policies};
use crate::provider::Provider;

/// What a service needs to answer.
pub(super) struct Call<'a> {
    pub(super) options: &'a Options,
    pub(super) fleet: &'a Fleet,
    pub(super) identity: &'a Mutex<Identity>,
    pub(super) principal: &'a Principal,
    pub(super) parameters: &'a Parameters,
    pub(super) twist: Option<Twist>,
    /// What the cloud's clock says.
    pub(super) now: Timestamp,
}

impl Call<'_> {
    pub(super) fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_outscale(&self) -> bool {
        self.options.provider == Provider::Outscale
    }

    /// Where the page asked for begins; `name` is the parameter that tells.
    pub(super) fn cursor(&self, name: &str) -> Result<Cursor, Refusal> {
        let Some(token) = self.parameters.value(name) else {
            return Ok(Cursor::FIRST);
        };
        Cursor::parse(token).ok_or_else(|| match name {
            "NextToken" => Refusal::new(400, "InvalidPaginationToken", "The token is invalid."),
            _ => Refusal::new(400, "ValidationError", "Invalid marker"),
        })
    }

    /// How much the page asked for may hold. OUTSCALE makes a number too large the largest; AWS refuses it.
    pub(super) fn page_size(
        &self,
        name: &str,
        smallest: usize,
        largest: usize,
    ) -> Result<Option<usize>, Refusal> {
        let size = self.parameters.number(name)?;
        if self.options.refuses_paging && size.is_some() {
            return Err(Refusal::new(
                400,
                "InvalidParameterException",
                format!("Parameter {name} is not supported."),
            ));
        }
        match size {
            Some(size) if size > largest && self.is_outscale() => Ok(Some(largest)),
            Some(size) if size < smallest || size > largest => Err(Refusal::new(
                400,
                if name == "MaxResults" {
                    "InvalidParameterValue"
                } else {
                    "ValidationError"
                },
                format!(
                    "Value ( {size} ) for parameter {name} is invalid. Expecting a value from {smallest} to {largest}."
                ),
            )),
            size => Ok(size),
        }
    }
}

/// Answers an action: writes what is inside its root and result.
pub(super) type Handler = fn(&Call<'_>, &mut Xml) -> Result<(), Refusal>;

/// An action the cloud knows.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) handler: Handler,
    /// Whether a query answer wraps something in `…Result`.
    pub(super) has_result: bool,
}

/// The action of a service by its name; names of actions mind the case.
pub(super) fn find(service: Service, name: &str) -> Option<&'static Action> {
    let tables: &[&'static [Action]] = match service {
        Service::Ec2 => &[ec2::ACTIONS, changes::ACTIONS],
        Service::Elb => &[elb::ACTIONS],
        Service::ElbV2 => &[elbv2::ACTIONS],
        Service::Iam => &[iam::ACTIONS, iam_policies::ACTIONS],
        Service::Sts => &[iam::STS_ACTIONS],
    };
    tables
        .iter()
        .copied()
        .flatten()
        .find(|action| action.name == name)
}
