//! The hosts of AWS, as botocore's endpoint rules have them: by partition, for FIPS 140 and for both address families.
//! `tests/endpoints.rs` compares them with botocore's.

use super::{Service, Variant};

/// A part of AWS with accounts, domains and an IAM of its own.
struct Partition {
    /// How the names of its regions begin.
    prefix: &'static str,
    domain: &'static str,
    /// The domain of the hosts that have IPv6 addresses too.
    dual_stack_domain: &'static str,
    /// Whether the usual hosts are the FIPS ones.
    is_fips: bool,
    /// IAM is one for the whole partition: its hosts, and the region that signs.
    iam: Iam,
}

struct Iam {
    plain: &'static str,
    dual_stack: &'static str,
    fips: &'static str,
    fips_dual_stack: &'static str,
    region: &'static str,
}

/// The host of a service in a region, and the region in the scope of signatures.
pub(super) fn host(service: Service, region: &str, variant: Variant) -> (String, String) {
    let name = match service {
        Service::Ec2 => "ec2",
        Service::Elb | Service::ElbV2 => "elasticloadbalancing",
        Service::Iam => "iam",
        Service::Sts => "sts",
    };
    let partition = partition(region);
    let Variant { fips, dual_stack } = variant;
    if service == Service::Iam {
        let iam = &partition.iam;
        let host = match (fips, dual_stack) {
            (false, false) => iam.plain,
            (false, true) => iam.dual_stack,
            (true, false) => iam.fips,
            (true, true) => iam.fips_dual_stack,
        };
        return (host.to_owned(), iam.region.to_owned());
    }
    let domain = if dual_stack {
        partition.dual_stack_domain
    } else {
        partition.domain
    };
    let suffix = if fips && (dual_stack || !partition.is_fips) {
        "-fips"
    } else {
        ""
    };
    (format!("{name}{suffix}.{region}.{domain}"), region.to_owned())
}

/// Whether two regions are of one partition: a key of one is unknown in the others.
pub(crate) fn are_of_one_partition(one: &str, other: &str) -> bool {
    partition(one).prefix == partition(other).prefix
}

fn partition(region: &str) -> &'static Partition {
    PARTITIONS
        .iter()
        .find(|partition| region.starts_with(partition.prefix))
        .unwrap_or(&COMMERCIAL)
}

/// What every region is of that is of no other partition.
static COMMERCIAL: Partition = Partition {
    prefix: "",
    domain: "amazonaws.com",
    dual_stack_domain: "api.aws",
    is_fips: false,
    iam: Iam {
        plain: "iam.amazonaws.com",
        dual_stack: "iam.global.api.aws",
        fips: "iam-fips.amazonaws.com",
        fips_dual_stack: "iam-fips.global.api.aws",
        region: "us-east-1",
    },
};

static PARTITIONS: [Partition; 3] = [
    Partition {
        prefix: "cn-",
        domain: "amazonaws.com.cn",
        dual_stack_domain: "api.amazonwebservices.com.cn",
        is_fips: false,
        iam: Iam {
            plain: "iam.cn-north-1.amazonaws.com.cn",
            dual_stack: "iam.global.api.amazonwebservices.com.cn",
            fips: "iam-fips.amazonaws.com.cn",
            fips_dual_stack: "iam-fips.api.amazonwebservices.com.cn",
            region: "cn-north-1",
        },
    },
    Partition {
        prefix: "us-gov-",
        domain: "amazonaws.com",
        dual_stack_domain: "api.aws",
        is_fips: true,
        iam: Iam {
            plain: "iam.us-gov.amazonaws.com",
            dual_stack: "iam.us-gov.api.aws",
            fips: "iam.us-gov.amazonaws.com",
            fips_dual_stack: "iam.us-gov.api.aws",
            region: "us-gov-west-1",
        },
    },
    Partition {
        prefix: "eusc-",
        domain: "amazonaws.eu",
        dual_stack_domain: "api.amazonwebservices.eu",
        is_fips: false,
        iam: Iam {
            plain: "iam.eusc-de-east-1.amazonaws.eu",
            dual_stack: "iam.global.api.amazonwebservices.eu",
            fips: "iam-fips.amazonaws.eu",
            fips_dual_stack: "iam-fips.api.amazonwebservices.eu",
            region: "eusc-de-east-1",
        },
    },
];
