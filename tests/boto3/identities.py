"""Print every user, group and managed policy that boto3 reads of a cloud, as JSON."""

import json
import sys

from cloud import client, pages


def main():
    iam = client("iam", sys.argv[1])
    identities = {
        "users": {raw["UserName"]: user(iam, raw["UserName"]) for raw in pages(iam, "list_users", "Users")},
        "groups": {raw["GroupName"]: group(iam, raw["GroupName"]) for raw in pages(iam, "list_groups", "Groups")},
        "policies": {raw["PolicyName"]: policy(iam, raw) for raw in iam.list_policies(Scope="Local")["Policies"]},
    }
    print(json.dumps(identities))


def user(iam, name):
    keys = iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
    return {
        "groups": [raw["GroupName"] for raw in iam.list_groups_for_user(UserName=name)["Groups"]],
        "attached": attached(iam.list_attached_user_policies(UserName=name)),
        "inline": iam.list_user_policies(UserName=name)["PolicyNames"],
        "keys": {raw["AccessKeyId"]: raw["Status"] for raw in keys},
    }


def group(iam, name):
    return {
        "members": [raw["UserName"] for raw in iam.get_group(GroupName=name)["Users"]],
        "attached": attached(iam.list_attached_group_policies(GroupName=name)),
        "inline": iam.list_group_policies(GroupName=name)["PolicyNames"],
    }


def attached(answer):
    return [raw["PolicyName"] for raw in answer["AttachedPolicies"]]


def policy(iam, raw):
    versions = iam.list_policy_versions(PolicyArn=raw["Arn"])["Versions"]
    return {
        "in_force": raw["DefaultVersionId"],
        "documents": {version["VersionId"]: document(iam, raw["Arn"], version["VersionId"]) for version in versions},
    }


def document(iam, arn, version):
    """As text: which key comes first matters."""
    answer = iam.get_policy_version(PolicyArn=arn, VersionId=version)
    return json.dumps(answer["PolicyVersion"]["Document"])


if __name__ == "__main__":
    main()
