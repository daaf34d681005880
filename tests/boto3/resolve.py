"""Print the key that botocore finds in this environment, where it found it, and what it lists with it, as JSON.

resolve.py ENDPOINT [PROFILE]
"""

import json
import sys

import botocore.session
from cloud import REGION


def main():
    endpoint, *profile = sys.argv[1:]
    session = botocore.session.Session(profile=profile[0] if profile else None)
    credentials = session.get_credentials()
    ec2 = session.create_client("ec2", region_name=REGION, endpoint_url=endpoint)
    reservations = ec2.describe_instances()["Reservations"]
    ids = [raw["InstanceId"] for reservation in reservations for raw in reservation["Instances"]]
    frozen = credentials.get_frozen_credentials()
    print(json.dumps({"id": frozen.access_key, "method": credentials.method, "instances": ids}))


if __name__ == "__main__":
    main()
