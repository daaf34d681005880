//! Provider × service → URL, signing name, version. A table: no other room knows a host name.

mod aws;

use std::net::IpAddr;

use reqwest::Url;

pub(crate) use aws::are_of_one_partition;

use crate::provider::Provider;

/// An API of its own, with its own name in signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// EC2; FCU at OUTSCALE.
    Ec2,
    /// Classic load balancing; LBU at OUTSCALE.
    Elb,
    /// Application, network and gateway load balancing, at AWS only. Host and signing name are those of [`Self::Elb`]:
    /// the version alone tells them apart.
    ElbV2,
    /// Identities; EIM at OUTSCALE.
    Iam,
    /// Who a key is, at AWS only.
    Sts,
}

impl Service {
    /// The name in settings and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Elb => "elb",
            Self::ElbV2 => "elbv2",
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    /// What stands before the colon in a policy. OUTSCALE uses AWS's.
    pub fn policy_prefix(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Elb | Self::ElbV2 => "elasticloadbalancing",
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }
}

/// Where one service of one region answers, and how calls to it are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where calls are posted.
    pub url: Url,
    /// The service's name in the credential scope.
    pub signing_name: String,
    /// The region's name in the credential scope.
    pub region: String,
    /// The API version, sent with every call.
    pub version: &'static str,
}

/// What settings put in place of the table's entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Override {
    /// In place of the URL.
    pub url: Option<Url>,
    /// In place of the signing name.
    pub signing_name: Option<String>,
    /// Which of the provider's own URLs, where there is none in its place.
    pub variant: Variant,
}

/// Which of the hosts that a service of AWS has in one region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Variant {
    /// The one whose cryptography is validated by FIPS 140.
    pub fips: bool,
    /// The one that has IPv6 addresses too.
    pub dual_stack: bool,
}

/// Why there is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEndpoint {
    /// The region's name does not make a host name.
    #[error("the region `{region}` makes no host name: {detail}")]
    Region {
        /// The region.
        region: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The provider has no such service.
    #[error("{provider} has no {}", .service.name())]
    Service {
        /// The provider.
        provider: Provider,
        /// The service.
        service: Service,
    },
}

/// The endpoints of one region: those of the services that are called there, and of no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints(Vec<(Service, Endpoint)>);

impl Endpoints {
    /// The endpoints of these services in a region.
    pub fn resolve(
        provider: Provider,
        region: &str,
        services: &[Service],
        replaced: impl Fn(Service) -> Override,
    ) -> Result<Self, NoEndpoint> {
        let resolved = services.iter().map(|service| {
            let endpoint = Endpoint::resolve(provider, *service, region, &replaced(*service))?;
            Ok((*service, endpoint))
        });
        resolved.collect::<Result<_, _>>().map(Self)
    }

    /// The endpoint of a service, if it is among them.
    pub fn of(&self, service: Service) -> Option<&Endpoint> {
        self.0
            .iter()
            .find_map(|(known, endpoint)| (*known == service).then_some(endpoint))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter().map(|(_, endpoint)| endpoint)
    }
}

impl Endpoint {
    /// The endpoint of a service in a region.
    pub fn resolve(
        provider: Provider,
        service: Service,
        region: &str,
        replaced: &Override,
    ) -> Result<Self, NoEndpoint> {
        let (signing_name, version) = match (provider, service) {
            (Provider::Outscale, Service::Ec2) => ("fcu", "2016-09-15"),
            (Provider::Outscale, Service::Elb) => ("lbu", "2012-06-01"),
            (Provider::Outscale, Service::Iam) => ("eim", "2010-05-08"),
            (Provider::Outscale, Service::ElbV2 | Service::Sts) => {
                return Err(NoEndpoint::Service { provider, service });
            }
            (Provider::Aws, Service::Ec2) => ("ec2", "2016-11-15"),
            (Provider::Aws, Service::Elb) => ("elasticloadbalancing", "2012-06-01"),
            (Provider::Aws, Service::ElbV2) => ("elasticloadbalancing", "2015-12-01"),
            (Provider::Aws, Service::Iam) => ("iam", "2010-05-08"),
            (Provider::Aws, Service::Sts) => ("sts", "2011-06-15"),
        };
        let bad = |detail: String| NoEndpoint::Region {
            region: region.to_owned(),
            detail,
        };
        if region.is_empty()
            || !region
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err(bad("small letters, digits and `-` do".to_owned()));
        }
        let (host, region) = match provider {
            // docs.outscale.com, "API Endpoints Reference". The host's first label signs.
            Provider::Outscale => (format!("{signing_name}.{region}.outscale.com"), region.to_owned()),
            Provider::Aws => aws::host(service, region, replaced.variant),
        };
        let url = match &replaced.url {
            Some(url) => url.clone(),
            None => Url::parse(&format!("https://{host}/")).map_err(|e| bad(e.to_string()))?,
        };
        Ok(Self {
            url,
            signing_name: replaced
                .signing_name
                .clone()
                .unwrap_or_else(|| signing_name.to_owned()),
            region,
            version,
        })
    }

    /// The `Host` header: with the port when it is not the scheme's own, as it is sent and signed.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether it is on this machine by its name, so that somebody else's is another one.
    pub(super) fn is_on_this_machine(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let name = host.trim_end_matches('.');
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            // An address of nobody leads to this machine, too.
            Ok(address) => {
                let address = address.to_canonical();
                address.is_loopback() || address.is_unspecified()
            }
            // RFC 6761, 6.3.
            Err(_) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(provider: Provider, service: Service, region: &str) -> (String, String) {
        let endpoint = Endpoint::resolve(provider, service, region, &Override::default()).unwrap();
        (endpoint.url.to_string(), endpoint.signing_name)
    }

    #[test]
    fn endpoints_are_the_published_ones() {
        let cases = [
            (
                Provider::Outscale,
                Service::Ec2,
                "eu-west-2",
                "https://fcu.eu-west-2.outscale.com/",
                "fcu",
            ),
            (
                Provider::Outscale,
                Service::Elb,
                "cloudgouv-eu-west-1",
                "https://lbu.cloudgouv-eu-west-1.outscale.com/",
                "lbu",
            ),
            (
                Provider::Aws,
                Service::Ec2,
                "eu-west-3",
                "https://ec2.eu-west-3.amazonaws.com/",
                "ec2",
            ),
            (
                Provider::Aws,
                Service::Elb,
                "cn-north-1",
                "https://elasticloadbalancing.cn-north-1.amazonaws.com.cn/",
                "elasticloadbalancing",
            ),
        ];
        for (provider, service, region, url, signing_name) in cases {
            assert_eq!(
                resolved(provider, service, region),
                (url.to_owned(), signing_name.to_owned())
            );
        }
    }

    /// As botocore 1.44.5 resolves them.
    #[test]
    fn identities_are_of_a_partition_on_aws_and_of_a_region_on_outscale() {
        let cases = [
            (
                Provider::Aws,
                "eu-west-3",
                "https://iam.amazonaws.com/",
                "us-east-1",
            ),
            (
                Provider::Aws,
                "cn-northwest-1",
                "https://iam.cn-north-1.amazonaws.com.cn/",
                "cn-north-1",
            ),
            (
                Provider::Aws,
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com/",
                "us-gov-west-1",
            ),
            (
                Provider::Aws,
                "eusc-de-east-1",
                "https://iam.eusc-de-east-1.amazonaws.eu/",
                "eusc-de-east-1",
            ),
            (
                Provider::Outscale,
                "us-east-2",
                "https://eim.us-east-2.outscale.com/",
                "us-east-2",
            ),
        ];
        for (provider, region, url, signing_region) in cases {
            let endpoint = Endpoint::resolve(provider, Service::Iam, region, &Override::default()).unwrap();
            assert_eq!(
                (endpoint.url.as_str(), endpoint.region.as_str()),
                (url, signing_region)
            );
        }
        let none = Endpoint::resolve(
            Provider::Outscale,
            Service::Sts,
            "eu-west-2",
            &Override::default(),
        );
        assert!(matches!(none, Err(NoEndpoint::Service { .. })));
    }

    #[test]
    fn a_region_cannot_lead_to_another_host() {
        for region in ["x.evil.example/", "", "EU-west-2", "a b"] {
            assert!(
                Endpoint::resolve(Provider::Aws, Service::Ec2, region, &Override::default()).is_err(),
                "{region}"
            );
        }
    }

    #[test]
    fn an_override_keeps_its_port_and_path() {
        let replaced = Override {
            url: Some("http://127.0.0.1:5000/proxy/".parse().unwrap()),
            signing_name: Some("ec2".into()),
            variant: Variant::default(),
        };
        let endpoint = Endpoint::resolve(Provider::Outscale, Service::Ec2, "eu-west-2", &replaced).unwrap();
        assert_eq!(
            (endpoint.host().as_str(), endpoint.url.path()),
            ("127.0.0.1:5000", "/proxy/")
        );
        assert_eq!(endpoint.signing_name, "ec2");
    }
}
