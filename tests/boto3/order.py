"""Make calls one after the other, as JSON: order.py ENDPOINT '[["iam", "create_user", {"UserName": "x"}], ...]'.

Prints what came of each: an empty text, or the code by which it was refused.
"""

import json
import sys

from botocore.exceptions import ClientError
from cloud import client


def main():
    endpoint, orders = sys.argv[1:]
    print(json.dumps([refusal(client(service, endpoint), *order) for service, *order in json.loads(orders)]))


def refusal(client, action, parameters):
    try:
        getattr(client, action)(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


if __name__ == "__main__":
    main()
