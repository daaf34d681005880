"""Stop, start or terminate instances: change.py ENDPOINT stop|start|terminate ID..."""

import sys

from cloud import client


def main():
    endpoint, change, *ids = sys.argv[1:]
    getattr(client("ec2", endpoint), f"{change}_instances")(InstanceIds=ids)
    print("null")


if __name__ == "__main__":
    main()
