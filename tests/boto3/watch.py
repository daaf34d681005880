"""Print the states and healths that boto3 lists of a cloud, and what the cloud says to a change, as JSON."""

import json
import sys

from botocore.exceptions import ClientError
from cloud import client, pages


def main():
    endpoint, provider = sys.argv[1:]
    ec2, elb = client("ec2", endpoint), client("elb", endpoint)
    elbv2 = client("elbv2", endpoint) if provider == "aws" else None
    reservations = pages(ec2, "describe_instances", "Reservations")
    instances = [raw for reservation in reservations for raw in reservation["Instances"]]
    states = {raw["InstanceId"]: raw["State"]["Name"] for raw in instances}
    balancers = pages(elb, "describe_load_balancers", "LoadBalancerDescriptions")
    healths = {raw["LoadBalancerName"]: health(elb, raw["LoadBalancerName"]) for raw in balancers}
    targets = {} if elbv2 is None else groups(elbv2)
    refused = refusal(ec2, next(iter(states)))
    print(json.dumps({"states": states, "healths": healths, "targets": targets, "refusal": refused}))


def health(elb, name):
    states = elb.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
    return {raw["InstanceId"]: raw["State"] for raw in states}


def groups(elbv2):
    """The state of each target by its id, for each target group."""
    listed = pages(elbv2, "describe_target_groups", "TargetGroups")
    return {raw["TargetGroupName"]: targets(elbv2, raw["TargetGroupArn"]) for raw in listed}


def targets(elbv2, arn):
    health = elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return {raw["Target"]["Id"]: raw["TargetHealth"]["State"] for raw in health}


def refusal(ec2, instance):
    """The code by which stopping an instance is refused; none when it is stopped."""
    try:
        ec2.stop_instances(InstanceIds=[instance])
    except ClientError as error:
        return error.response["Error"]["Code"]


if __name__ == "__main__":
    main()
