"""Print what boto3 reads of a cloud, as JSON: what the page is compared with."""

import json
import sys

from cloud import client, pages


def main():
    endpoint = sys.argv[1]
    print(json.dumps({"instances": instances(endpoint), "load_balancers": load_balancers(endpoint)}))


def instances(endpoint):
    ec2 = client("ec2", endpoint)
    reservations = pages(ec2, "describe_instances", "Reservations")
    return [instance(raw) for reservation in reservations for raw in reservation["Instances"]]


def instance(raw):
    tags = {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}
    return {
        "id": raw["InstanceId"],
        "state": raw["State"]["Name"],
        "state_reason": raw.get("StateReason", {}).get("Code"),
        "launched": raw["LaunchTime"].timestamp(),
        "tags": tags,
        "info": {
            "name": tags.get("Name"),
            "instance_type": raw["InstanceType"],
            "availability_zone": raw["Placement"]["AvailabilityZone"],
            "image_id": raw["ImageId"],
            "architecture": raw["Architecture"],
            "tenancy": raw["Placement"].get("Tenancy"),
            "vpc_id": raw.get("VpcId"),
            "subnet_id": raw.get("SubnetId"),
            "private_ip": raw.get("PrivateIpAddress"),
            "public_ip": raw.get("PublicIpAddress"),
        },
    }


def load_balancers(endpoint):
    elb = client("elb", endpoint)
    balancers = pages(elb, "describe_load_balancers", "LoadBalancerDescriptions")
    return [load_balancer(elb, raw) for raw in balancers]


def load_balancer(elb, raw):
    name = raw["LoadBalancerName"]
    check = raw["HealthCheck"]
    health = elb.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
    return {
        "name": name,
        "created": raw["CreatedTime"].timestamp(),
        "info": {"scheme": raw["Scheme"], "dns_name": raw["DNSName"], "vpc_id": raw.get("VPCId")},
        "listeners": [listener(each["Listener"]) for each in raw["ListenerDescriptions"]],
        "health_check": {
            "target": check["Target"],
            "interval_seconds": check["Interval"],
            "timeout_seconds": check["Timeout"],
            "healthy_threshold": check["HealthyThreshold"],
            "unhealthy_threshold": check["UnhealthyThreshold"],
        },
        "backends": [
            {"id": each["InstanceId"], "state": each["State"], "reason": each["ReasonCode"]} for each in health
        ],
    }


def listener(raw):
    return {
        "protocol": raw["Protocol"],
        "port": str(raw["LoadBalancerPort"]),
        "instance_protocol": raw["InstanceProtocol"],
        "instance_port": str(raw["InstancePort"]),
    }


if __name__ == "__main__":
    main()
