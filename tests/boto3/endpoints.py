"""Print where botocore sends the calls of each service, as JSON: what vigie's table is compared with."""

import itertools
import json

import botocore.session
from botocore.endpoint_provider import EndpointProvider

SERVICES = ["ec2", "elb", "elbv2", "iam", "sts"]
REGIONS = [
    "us-east-1",
    "eu-west-3",
    "ap-southeast-2",
    "il-central-1",
    "mx-central-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-west-1",
    "us-gov-east-1",
    "eusc-de-east-1",
]


def main():
    session = botocore.session.get_session()
    loader = session.get_component("data_loader")
    partitions = loader.load_data("partitions")
    endpoints = []
    for service in SERVICES:
        rules = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), partitions)
        signing_name = session.get_service_model(service).signing_name
        for region, fips, dual_stack in itertools.product(REGIONS, [False, True], [False, True]):
            found = rules.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual_stack)
            scheme = next(iter(found.properties.get("authSchemes", [])), {})
            endpoints.append(
                {
                    "service": service,
                    "region": region,
                    "fips": fips,
                    "dual_stack": dual_stack,
                    "url": found.url,
                    "signing_name": scheme.get("signingName", signing_name),
                    "signing_region": scheme.get("signingRegion", region),
                    "version": session.get_service_model(service).api_version,
                }
            )
    print(json.dumps(endpoints))


if __name__ == "__main__":
    main()
