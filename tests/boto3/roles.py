"""Make a role that may only describe, a user that may only put it on, and a session of that role; print all, as JSON.

moto knows no trust policies: whoever is allowed `sts:AssumeRole` may put on any role.
"""

import json
import sys

from cloud import client
from seed import READ_ONLY, instances, key, policy

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}


def main():
    endpoint = sys.argv[1]
    iam, sts = client("iam", endpoint), client("sts", endpoint)
    ids = instances(client("ec2", endpoint), 3)
    role, admin = worn(iam, "watcher", [*READ_ONLY, "sts:AssumeRole"]), worn(iam, "admin", ["*"])
    keys = {"watcher": user(iam, "watcher", READ_ONLY), "base": user(iam, "base", ["sts:AssumeRole"])}
    session = sts.assume_role(RoleArn=role, RoleSessionName="seed")["Credentials"]
    # Times are not JSON; this is how the endpoints of AWS write them.
    session["Expiration"] = session["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")
    print(json.dumps({"role": role, "admin": admin, "keys": keys, "session": session, "instances": ids}))


def worn(iam, name, actions):
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=policy(actions))
    return made["Role"]["Arn"]


def user(iam, name, actions):
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=policy(actions))
    return key(iam, name)


if __name__ == "__main__":
    main()
