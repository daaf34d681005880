"""Make a user who may do everything, in a cloud that checks no signature yet; print its key, as JSON."""

import json
import sys

from cloud import client

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def main():
    iam = client("iam", sys.argv[1])
    iam.create_user(UserName="admin")
    iam.put_user_policy(UserName="admin", PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING))
    made = iam.create_access_key(UserName="admin")["AccessKey"]
    print(json.dumps({"access_key": made["AccessKeyId"], "secret_key": made["SecretAccessKey"]}))


if __name__ == "__main__":
    main()
