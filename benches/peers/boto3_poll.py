"""Lists every instance with boto3's own pagination, and touches what a page of metrics would show of each."""

import sys

import boto3

client = boto3.client(
    "ec2",
    endpoint_url=sys.argv[1],
    region_name="eu-west-1",
    aws_access_key_id="BENCHEXAMPLE",
    aws_secret_access_key="bench/good/nowhere/EXAMPLEKEY",
)
instances = running = 0
for page in client.get_paginator("describe_instances").paginate(MaxResults=1000):
    for reservation in page["Reservations"]:
        for instance in reservation["Instances"]:
            instances += 1
            running += instance["State"]["Name"] == "running"
print(f"{instances} instances, {running} running")
