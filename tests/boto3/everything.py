"""Print everything that boto3 lists of a cloud and that a change could show in, as JSON."""

import json
import sys

from cloud import client, pages


def main():
    endpoint = sys.argv[1]
    ec2, elb, iam = (client(service, endpoint) for service in ["ec2", "elb", "iam"])
    everything = {
        "instances": list(pages(ec2, "describe_instances", "Reservations")),
        "volumes": list(pages(ec2, "describe_volumes", "Volumes")),
        "snapshots": ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
        "images": ec2.describe_images(Owners=["self"])["Images"],
        "groups": list(pages(ec2, "describe_security_groups", "SecurityGroups")),
        "tags": list(pages(ec2, "describe_tags", "Tags")),
        "attributes": [attributes(ec2, id) for id in ids(ec2)],
        "load_balancers": list(pages(elb, "describe_load_balancers", "LoadBalancerDescriptions")),
        "users": [user(iam, raw) for raw in pages(iam, "list_users", "Users")],
        "iam_groups": list(pages(iam, "list_groups", "Groups")),
        "policies": iam.list_policies(Scope="Local")["Policies"],
    }
    # Times are not JSON; as texts they compare as well.
    print(json.dumps(everything, default=str, sort_keys=True))


def ids(ec2):
    reservations = pages(ec2, "describe_instances", "Reservations")
    return [raw["InstanceId"] for reservation in reservations for raw in reservation["Instances"]]


def attributes(ec2, id):
    answer = ec2.describe_instance_attribute(InstanceId=id, Attribute="disableApiTermination")
    return answer["DisableApiTermination"]


def user(iam, raw):
    name = raw["UserName"]
    keys = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    return {"name": name, "keys": keys, "policies": iam.list_user_policies(UserName=name)["PolicyNames"]}


if __name__ == "__main__":
    main()
