//! Provider × service → URL, signing name, version. A table: no other room knows a host name.

use reqwest::Url;

use crate::provider::Provider;

/// An API of its own, with its own name in signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// EC2; FCU at OUTSCALE.
    Ec2,
    /// Classic load balancing; LBU at OUTSCALE.
    Elb,
}

impl Service {
    /// The name in settings and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Elb => "elb",
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
}

/// A region whose name does not make a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the region `{region}` makes no host name: {detail}")]
pub struct BadRegion {
    region: String,
    detail: String,
}

impl Endpoint {
    /// The endpoint of a service in a region.
    pub fn resolve(
        provider: Provider,
        service: Service,
        region: &str,
        replaced: &Override,
    ) -> Result<Self, BadRegion> {
        // OUTSCALE: docs.outscale.com, "API Endpoints Reference". The host's first label signs there.
        // AWS: botocore's endpoint rules; the partition follows from the region's name.
        let (host, signing_name, version) = match (provider, service) {
            (Provider::Outscale, Service::Ec2) => ("fcu", "fcu", "2016-09-15"),
            (Provider::Outscale, Service::Elb) => ("lbu", "lbu", "2012-06-01"),
            (Provider::Aws, Service::Ec2) => ("ec2", "ec2", "2016-11-15"),
            (Provider::Aws, Service::Elb) => ("elasticloadbalancing", "elasticloadbalancing", "2012-06-01"),
        };
        let domain = match provider {
            Provider::Outscale => "outscale.com",
            Provider::Aws if region.starts_with("cn-") => "amazonaws.com.cn",
            Provider::Aws if region.starts_with("eusc-") => "amazonaws.eu",
            Provider::Aws => "amazonaws.com",
        };
        let bad = |detail: String| BadRegion {
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
        let url = match &replaced.url {
            Some(url) => url.clone(),
            None => {
                Url::parse(&format!("https://{host}.{region}.{domain}/")).map_err(|e| bad(e.to_string()))?
            }
        };
        Ok(Self {
            url,
            signing_name: replaced
                .signing_name
                .clone()
                .unwrap_or_else(|| signing_name.to_owned()),
            region: region.to_owned(),
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
        };
        let endpoint = Endpoint::resolve(Provider::Outscale, Service::Ec2, "eu-west-2", &replaced).unwrap();
        assert_eq!(
            (endpoint.host().as_str(), endpoint.url.path()),
            ("127.0.0.1:5000", "/proxy/")
        );
        assert_eq!(endpoint.signing_name, "ec2");
    }
}
