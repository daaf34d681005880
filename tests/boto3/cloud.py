"""The clients that the other scripts of this folder speak to a cloud with."""

import os

import boto3

REGION = os.environ.get("AWS_REGION", "eu-west-1")


def client(service, endpoint):
    """A boto3 client signing with the key in the environment, or with one that no cloud which checks would take."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "UNCHECKED"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "unchecked"),
    )


def pages(client, action, key, **parameters):
    """Every object of a listing, whatever the size of its pages."""
    for page in client.get_paginator(action).paginate(**parameters):
        yield from page[key]
