//! The Query protocol in both its dialects: parameters in, answers and refusals out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::xml::Xml;
use crate::provider::Provider;

/// Which service a request is for; the name in its credential scope says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Ec2,
    Elb,
    /// The load balancers of AWS that are not classic.
    ElbV2,
    Iam,
    Sts,
}

impl Service {
    /// From the signing name: OUTSCALE takes its own names and those of AWS.
    pub(super) fn named(name: &str, provider: Provider) -> Option<Self> {
        match (name, provider) {
            ("ec2", _) | ("fcu", Provider::Outscale) => Some(Self::Ec2),
            ("elasticloadbalancing", _) | ("lbu", Provider::Outscale) => Some(Self::Elb),
            ("iam", _) | ("eim", Provider::Outscale) => Some(Self::Iam),
            ("sts", Provider::Aws) => Some(Self::Sts),
            _ => None,
        }
    }

    /// The one of two services under one name that speaks this version; OUTSCALE has but the older.
    pub(super) fn in_version(self, version: Option<&str>, provider: Provider) -> Self {
        match (self, version, provider) {
            (Self::Elb, Some(ELB_V2), Provider::Aws) => Self::ElbV2,
            _ => self,
        }
    }

    /// What an unsigned request is for, by the version of the API it speaks.
    pub(super) fn of_version(version: Option<&str>) -> Self {
        match version {
            Some("2012-06-01" | ELB_V2) => Self::Elb,
            Some("2010-05-08") => Self::Iam,
            Some("2011-06-15") => Self::Sts,
            _ => Self::Ec2,
        }
    }

    /// The prefix of its actions in a policy, in both clouds.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Elb | Self::ElbV2 => "elasticloadbalancing",
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    fn namespace(self, provider: Provider) -> &'static str {
        match (self, provider) {
            (Self::Ec2, Provider::Aws) => "http://ec2.amazonaws.com/doc/2016-11-15/",
            (Self::Ec2, Provider::Outscale) => "http://ec2.amazonaws.com/doc/2014-06-15/",
            (Self::Elb, _) => "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/",
            (Self::ElbV2, _) => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
            (Self::Iam, _) => "https://iam.amazonaws.com/doc/2010-05-08/",
            (Self::Sts, _) => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }
}

/// The parameters of a request, from its query and its form.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn parse(query: &str, form: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(form));
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// The value of a parameter; an empty one counts as absent.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a parameter that may not be missing.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.value(name).ok_or_else(|| {
            Refusal::new(
                400,
                "ValidationError",
                format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint"),
            )
        })
    }

    /// A number within bounds.
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let number = value.parse().map_err(|_| {
            Refusal::new(
                400,
                "InvalidParameterValue",
                format!("Value ({value}) for parameter {name} is invalid."),
            )
        })?;
        Ok(Some(number))
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The values `name.1`, `name.2`, … and, of lists of structures, `name.1.field`; in the order of their numbers.
    pub(super) fn list(&self, name: &str, field: &str) -> Vec<&str> {
        let mut values: Vec<(usize, &str)> = self
            .0
            .iter()
            .filter_map(|(key, value)| {
                let rest = key.strip_prefix(name)?.strip_prefix('.')?;
                let (number, found) = rest.split_once('.').unwrap_or((rest, ""));
                Some((number.parse().ok()?, value.as_str())).filter(|_| found == field)
            })
            .collect();
        values.sort_unstable();
        values.into_iter().map(|(_, value)| value).collect()
    }

    /// The values of all parameters.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    pub(super) fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// Why a request is not answered as asked.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: Cow<'static, str>,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    /// In the envelope of the service.
    pub(super) fn envelope(&self, service: Service, provider: Provider, request_id: &str) -> String {
        let mut xml = Xml::new(provider == Provider::Aws);
        let error = |xml: &mut Xml| {
            if service != Service::Ec2 {
                let type_ = if self.status < 500 { "Sender" } else { "Receiver" };
                xml.text("Type", type_);
            }
            xml.text("Code", &self.code);
            xml.text("Message", &self.message);
        };
        if service == Service::Ec2 {
            xml.root("Response", None, |xml| {
                xml.within("Errors", |xml| xml.within("Error", error));
                xml.text("RequestID", request_id);
            });
        } else {
            // The old client of OUTSCALE looks for `RequestID` in this envelope too.
            let id = if provider == Provider::Outscale {
                "RequestID"
            } else {
                "RequestId"
            };
            xml.root("ErrorResponse", Some(service.namespace(provider)), |xml| {
                xml.within("Error", error);
                xml.text(id, request_id);
            });
        }
        xml.into_text()
    }

    /// In the envelope of moto, which is that of neither dialect.
    pub(super) fn moto_envelope(&self, request_id: &str) -> String {
        let mut xml = Xml::new(false);
        xml.root("ErrorResponse", None, |xml| {
            xml.within("Errors", |xml| {
                xml.within("Error", |xml| {
                    xml.text("Code", &self.code);
                    xml.text("Message", &self.message);
                    xml.text("Type", "Sender");
                });
            });
            xml.text("RequestID", request_id);
        });
        xml.into_text()
    }
}

/// The answer to an action: root and wrappers of the dialect around what `inside` writes.
pub(super) fn answer(
    service: Service,
    provider: Provider,
    action: &str,
    request_id: &str,
    has_result: bool,
    inside: impl FnOnce(&mut Xml) -> Result<(), Refusal>,
) -> Result<String, Refusal> {
    let mut xml = Xml::new(provider == Provider::Aws);
    let mut outcome = Ok(());
    xml.root(
        &format!("{action}Response"),
        Some(service.namespace(provider)),
        |xml| {
            if service == Service::Ec2 {
                xml.text("requestId", request_id);
                outcome = inside(xml);
                return;
            }
            if has_result {
                xml.within(&format!("{action}Result"), |xml| outcome = inside(xml));
            } else {
                outcome = inside(xml);
            }
            xml.within("ResponseMetadata", |xml| xml.text("RequestId", request_id));
        },
    );
    outcome.map(|()| xml.into_text())
}

/// The version that tells the newer load balancers from the classic ones, with which they share host and signing name.
pub(super) const ELB_V2: &str = "2015-12-01";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_in_the_order_of_their_numbers() {
        let parameters = Parameters::parse(
            "Filter.1.Name=a&Filter.1.Value.1=x",
            b"InstanceId.10=j&InstanceId.2=b&InstanceId.1=a&L.member.1.InstanceId=i&L.member.2.InstanceId=k",
        );
        assert_eq!(parameters.list("InstanceId", ""), ["a", "b", "j"]);
        assert_eq!(parameters.list("L.member", "InstanceId"), ["i", "k"]);
        assert_eq!(parameters.list("Filter", "Name"), ["a"]);
        assert_eq!(parameters.list("Filter.1.Value", ""), ["x"]);
    }

    #[test]
    fn refusals_come_in_the_envelope_of_their_service() {
        let refusal = Refusal::new(401, "AuthFailure", "no");
        assert!(
            refusal
                .envelope(Service::Ec2, Provider::Outscale, "r")
                .ends_with("<Response><Errors><Error><Code>AuthFailure</Code><Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>")
        );
        assert!(
            refusal
                .envelope(Service::Iam, Provider::Outscale, "r")
                .contains("/\"><Error><Type>Sender</Type><Code>")
        );
    }
}
