"""Print what boto3 reads of a cloud, as JSON: what the page is compared with."""

import json
import sys

from cloud import client, pages


def main():
    endpoint = sys.argv[1]
    ec2 = client("ec2", endpoint)
    balancers, groups = target_groups(endpoint)
    print(
        json.dumps(
            {
                "instances": instances(endpoint),
                "load_balancers": load_balancers(endpoint),
                "balancers": balancers,
                "target_groups": groups,
                "statuses": statuses(ec2),
                "zones": zones(ec2),
                "volumes": [volume(raw) for raw in pages(ec2, "describe_volumes", "Volumes")],
                "addresses": [address(raw) for raw in ec2.describe_addresses()["Addresses"]],
                "subnets": [subnet(raw) for raw in pages(ec2, "describe_subnets", "Subnets")],
                "quotas": quotas(ec2),
            }
        )
    )


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


def target_groups(endpoint):
    """The load balancers that are not classic, and every target group with those that route to it."""
    elbv2 = client("elbv2", endpoint)
    balancers = list(pages(elbv2, "describe_load_balancers", "LoadBalancers"))
    named = {raw["LoadBalancerArn"]: own(raw) for raw in balancers}
    groups = pages(elbv2, "describe_target_groups", "TargetGroups")
    return [balancer(elbv2, raw) for raw in balancers], [group(elbv2, raw, named) for raw in groups]


def own(raw):
    return {"load_balancer": raw["LoadBalancerName"], "type": raw["Type"]}


def balancer(elbv2, raw):
    listeners = elbv2.describe_listeners(LoadBalancerArn=raw["LoadBalancerArn"])["Listeners"]
    return {
        "own": own(raw),
        "state": raw["State"]["Code"],
        "created": raw["CreatedTime"].timestamp(),
        "info": {"scheme": raw.get("Scheme"), "dns_name": raw["DNSName"], "vpc_id": raw.get("VpcId")},
        "listeners": [{"protocol": each["Protocol"], "port": str(each["Port"])} for each in listeners],
    }


def group(elbv2, raw, named):
    health = elbv2.describe_target_health(TargetGroupArn=raw["TargetGroupArn"])["TargetHealthDescriptions"]
    return {
        "name": raw["TargetGroupName"],
        "target_type": raw["TargetType"],
        "info": {"protocol": raw.get("Protocol"), "port": port(raw), "vpc_id": raw.get("VpcId")},
        "balancers": [named[arn] for arn in sorted(set(raw["LoadBalancerArns"]))],
        "targets": [
            {
                "id": each["Target"]["Id"],
                "port": port(each["Target"]),
                "state": each["TargetHealth"]["State"],
                "reason": each["TargetHealth"].get("Reason"),
            }
            for each in health
        ],
    }


def port(raw):
    return str(raw["Port"]) if "Port" in raw else None


def statuses(ec2):
    checks = {
        "system": "SystemStatus",
        "instance": "InstanceStatus",
        "attached_ebs": "AttachedEbsStatus",
        "application": "ApplicationStatus",
        "performance": "PerformanceStatus",
    }
    listed = pages(ec2, "describe_instance_status", "InstanceStatuses", IncludeAllInstances=True)
    return {
        raw["InstanceId"]: {name: raw[key]["Status"] for name, key in checks.items() if key in raw}
        for raw in listed
    }


def zones(ec2):
    listed = ec2.describe_availability_zones()["AvailabilityZones"]
    return [
        {
            "state": raw["State"],
            "info": {
                "availability_zone": raw["ZoneName"],
                "zone_id": raw.get("ZoneId"),
                "zone_type": raw.get("ZoneType"),
                "group_name": raw.get("GroupName"),
                "opt_in_status": raw.get("OptInStatus"),
            },
        }
        for raw in listed
    ]


def volume(raw):
    return {
        "state": raw["State"],
        "gibibytes": raw["Size"],
        "iops": raw.get("Iops"),
        "created": raw["CreateTime"].timestamp(),
        "info": {
            "volume_id": raw["VolumeId"],
            "name": name(raw),
            "volume_type": raw["VolumeType"],
            "availability_zone": raw["AvailabilityZone"],
            "encrypted": truth(raw.get("Encrypted")),
        },
        "attachments": [
            {"instance_id": each["InstanceId"], "device": each["Device"], "state": each["State"]}
            for each in raw["Attachments"]
        ],
    }


def address(raw):
    return {
        "attached": any(raw.get(key) for key in ["InstanceId", "NetworkInterfaceId", "AssociationId"]),
        "info": {
            "public_ip": raw["PublicIp"],
            "allocation_id": raw.get("AllocationId"),
            "domain": raw.get("Domain"),
            "instance_id": raw.get("InstanceId"),
            "network_interface_id": raw.get("NetworkInterfaceId"),
            "private_ip": raw.get("PrivateIpAddress"),
            "name": name(raw),
        },
    }


def subnet(raw):
    return {
        "state": raw["State"],
        "available": raw["AvailableIpAddressCount"],
        "info": {
            "subnet_id": raw["SubnetId"],
            "vpc_id": raw["VpcId"],
            "availability_zone": raw["AvailabilityZone"],
            "cidr_block": raw["CidrBlock"],
            "name": name(raw),
            "default": truth(raw.get("DefaultForAz")),
        },
    }


def quotas(ec2):
    listed = ec2.describe_account_attributes()["AccountAttributes"]
    values = {
        raw["AttributeName"]: [value["AttributeValue"] for value in raw["AttributeValues"]] for raw in listed
    }
    return {name: int(value[0]) for name, value in values.items() if len(value) == 1 and value[0].isdigit()}


def name(raw):
    return {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}.get("Name")


def truth(value):
    """As the wire has it."""
    return None if value is None else str(value).lower()


if __name__ == "__main__":
    main()
