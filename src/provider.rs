//! Which cloud is spoken to. Never guessed from a region: four region names exist in both clouds.

use serde::{Deserialize, Serialize};

/// A cloud that speaks the EC2 query protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// 3DS OUTSCALE: FCU, LBU and EIM.
    Outscale,
    /// Amazon Web Services: EC2, ELB and IAM.
    Aws,
}

impl Provider {
    /// Every provider, as named in settings.
    pub const ALL: [Self; 2] = [Self::Outscale, Self::Aws];

    /// The name used in settings, flags and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outscale => "outscale",
            Self::Aws => "aws",
        }
    }

    /// Calls a second that one account and region may make unless settings say otherwise.
    ///
    /// OUTSCALE publishes no limit; its own SDKs hold themselves to 5. AWS refills the bucket of paginated
    /// describe calls with 20 a second, shared with every other tool in the account: half of it is ours.
    pub fn default_requests_per_second(self) -> f64 {
        match self {
            Self::Outscale => 5.0,
            Self::Aws => 10.0,
        }
    }

    /// How many failed authentications in a row lock an account's authentication for everybody, if any do.
    ///
    /// OUTSCALE API documentation, `info.description`: four lock for a minute, and longer each time.
    pub fn lock_out_after(self) -> Option<u32> {
        match self {
            Self::Outscale => Some(4),
            Self::Aws => None,
        }
    }

    /// The regions that an account of it has without being asked. `None` where each account enables its own, and the
    /// cloud tells which.
    ///
    /// OUTSCALE API documentation, `servers`; its own list of regions "does not necessarily return all the public Regions".
    pub fn regions(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Outscale => Some(&[
                "eu-west-2",
                "us-east-2",
                "us-west-1",
                "ap-northeast-1",
                "cloudgouv-eu-west-1",
            ]),
            Self::Aws => None,
        }
    }

    /// Whether its identities are the same in all regions. At OUTSCALE, each region is an account of its own.
    pub fn has_one_iam(self) -> bool {
        self == Self::Aws
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl std::str::FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, UnknownProvider> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| UnknownProvider {
                name: name.to_owned(),
            })
    }
}

/// A provider name that is neither `outscale` nor `aws`.
#[derive(Debug, thiserror::Error)]
#[error("unknown provider `{name}`: write `outscale` or `aws`")]
pub struct UnknownProvider {
    name: String,
}
