"""Print the states and healths that boto3 lists of a cloud, and what the cloud says to a change, as JSON."""

import json
import sys

from botocore.exceptions import ClientError
from cloud import client, pages


def main():
    endpoint = sys.argv[1]
    ec2, elb = client("ec2", endpoint), client("elb", endpoint)
    reservations = pages(ec2, "describe_instances", "Reservations")
    instances = [raw for reservation in reservations for raw in reservation["Instances"]]
    states = {raw["InstanceId"]: raw["State"]["Name"] for raw in instances}
    balancers = pages(elb, "describe_load_balancers", "LoadBalancerDescriptions")
    healths = {raw["LoadBalancerName"]: health(elb, raw["LoadBalancerName"]) for raw in balancers}
    print(json.dumps({"states": states, "healths": healths, "refusal": refusal(ec2, next(iter(states)))}))


def health(elb, name):
    states = elb.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
    return {raw["InstanceId"]: raw["State"] for raw in states}


def refusal(ec2, instance):
    """The code by which stopping an instance is refused; none when it is stopped."""
    try:
        ec2.stop_instances(InstanceIds=[instance])
    except ClientError as error:
        return error.response["Error"]["Code"]


if __name__ == "__main__":
    main()
