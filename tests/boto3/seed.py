"""Fill an empty cloud that checks no signature yet; print the keys and ids it made, as JSON.

Everything follows from the index of an instance or a load balancer, so that two runs with the same numbers
make the same fleet under different ids.
"""

import argparse
import json

from cloud import REGION, client

READ_ONLY = [
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeVolumes",
    "ec2:DescribeAddresses",
    "ec2:DescribeSubnets",
    "ec2:DescribeAccountAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeInstanceHealth",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "elasticloadbalancing:DescribeListeners",
]
TYPES = ["t3.micro", "m5.large", "c5.xlarge"]
ZONES = ["a", "b", "c"]
ENVIRONMENTS = ["prod", "staging", "test"]
AWKWARD_NAME = 'a "quoted" <name> & a back\\slash, été'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("endpoint")
    parser.add_argument("--instances", type=int, default=4)
    parser.add_argument("--load-balancers", type=int, default=2)
    options = parser.parse_args()

    keys = identities(client("iam", options.endpoint))
    ids = instances(client("ec2", options.endpoint), options.instances)
    balancers = load_balancers(client("elb", options.endpoint), options.load_balancers, ids)
    groups = Groups(options.endpoint, ids)
    groups.make(options.load_balancers)
    settle(client("ec2", options.endpoint), ids)
    holdings(client("ec2", options.endpoint), ids[0])
    print(json.dumps({"keys": keys, "instances": ids, "load_balancers": balancers}))


def identities(iam):
    """An admin, a watcher whose only rights come from its group's managed policy, and one who may see less."""
    iam.create_user(UserName="admin")
    iam.put_user_policy(UserName="admin", PolicyName="everything", PolicyDocument=policy(["*"]))

    read_only = iam.create_policy(PolicyName="monitoring", PolicyDocument=policy(READ_ONLY))
    iam.create_group(GroupName="monitoring")
    iam.attach_group_policy(GroupName="monitoring", PolicyArn=read_only["Policy"]["Arn"])
    iam.create_user(UserName="watcher")
    iam.add_user_to_group(GroupName="monitoring", UserName="watcher")

    iam.create_user(UserName="half_sighted")
    less = [action for action in READ_ONLY if action != "elasticloadbalancing:DescribeInstanceHealth"]
    iam.put_user_policy(UserName="half_sighted", PolicyName="less", PolicyDocument=policy(less))
    return {user: key(iam, user) for user in ["admin", "watcher", "half_sighted"]}


def policy(actions):
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key(iam, user):
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return {"access_key": made["AccessKeyId"], "secret_key": made["SecretAccessKey"]}


def instances(ec2, count):
    """One reservation for each instance: moto's pages count reservations."""
    return [instance(ec2, index) for index in range(count)]


def instance(ec2, index):
    made = ec2.run_instances(
        ImageId=f"ami-{index % 2:08x}",
        InstanceType=TYPES[index % len(TYPES)],
        Placement={"AvailabilityZone": REGION + ZONES[index % len(ZONES)]},
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags(index)}],
    )
    return made["Instances"][0]["InstanceId"]


def tags(index):
    """Every instance has an environment, two of three have a team, one has an awkward name."""
    tags = {
        "Name": AWKWARD_NAME if index == 1 else f"web-{index:04}",
        "env": ENVIRONMENTS[index % len(ENVIRONMENTS)],
        "not-asked-for": str(index),
    }
    if index % 3:
        tags["team"] = f"team-{index % 5}"
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def load_balancers(elb, count, ids):
    return [load_balancer(elb, index, ids) for index in range(count)]


def load_balancer(elb, index, ids):
    """None to four backends; every seventh balancer has lost its first one."""
    name = f"lb-{index:02}"
    listeners = [listener("HTTP", 80, 8080)]
    if index % 2:
        listeners.append(listener("TCP", 5000 + index, 5000))
    elb.create_load_balancer(
        LoadBalancerName=name,
        Listeners=listeners,
        AvailabilityZones=[REGION + zone for zone in ZONES],
        Scheme="internal" if index % 4 == 3 else "internet-facing",
    )
    elb.configure_health_check(
        LoadBalancerName=name,
        HealthCheck={
            "Target": f"HTTP:8080/ping?balancer={index}",
            "Interval": 10 + index,
            "Timeout": 5,
            "UnhealthyThreshold": 2 + index % 3,
            "HealthyThreshold": 3 + index % 3,
        },
    )
    backends = [{"InstanceId": ids[(index + step) % len(ids)]} for step in range(min(index % 5, len(ids)))]
    if backends:
        elb.register_instances_with_load_balancer(LoadBalancerName=name, Instances=backends)
    if backends and index % 7 == 6:
        elb.deregister_instances_from_load_balancer(LoadBalancerName=name, Instances=backends[:1])
    return name


def listener(protocol, port, instance_port):
    return {
        "Protocol": protocol,
        "LoadBalancerPort": port,
        "InstanceProtocol": protocol,
        "InstancePort": instance_port,
    }


class Groups:
    """Load balancers that are not classic, in threes: two that share a group, and one that only redirects."""

    def __init__(self, endpoint, ids):
        self.elbv2 = client("elbv2", endpoint)
        self.ids = ids
        subnets = client("ec2", endpoint).describe_subnets()["Subnets"]
        self.vpc = subnets[0]["VpcId"]
        self.subnets = [subnet["SubnetId"] for subnet in subnets if subnet["VpcId"] == self.vpc][:2]

    def make(self, count):
        shared = None
        for index in range(count):
            network = index % 6 > 2
            balancer = self.balancer(index, "network" if network else "application")
            protocol = "TCP" if network else "HTTP"
            if index % 3 == 0:
                shared = self.group(f"instances-{index:02}", "instance", protocol, self.instances(index))
                self.listener(balancer, protocol, 80, shared)
            elif index % 3 == 1:
                self.listener(balancer, protocol, 80, shared)
                addresses = [{"Id": f"10.9.0.{10 + step}", "Port": 6379} for step in range(index % 4)]
                own = self.group(f"addresses-{index:02}", "ip", protocol, addresses)
                self.listener(balancer, protocol, 5000 + index, own)
            else:
                self.listener(balancer, protocol, 80, None)
        self.balancer(count, "gateway")
        self.group("on-its-own", "instance", "HTTP", self.instances(3))
        function = "arn:aws:lambda:eu-west-1:123456789012:function:hook"
        made = self.elbv2.create_target_group(Name="function", TargetType="lambda")["TargetGroups"][0]
        self.elbv2.register_targets(TargetGroupArn=made["TargetGroupArn"], Targets=[{"Id": function}])

    def instances(self, index):
        """None to four of them, every other on a port of its own."""
        targets = [{"Id": self.ids[(index + step) % len(self.ids)]} for step in range(min(index % 5, len(self.ids)))]
        for target in targets[::2]:
            target["Port"] = 8000 + index
        return targets

    def balancer(self, index, sort):
        parameters = {} if sort == "gateway" else {"Scheme": ["internet-facing", "internal"][index % 2]}
        made = self.elbv2.create_load_balancer(
            Name=f"balancer-{index:02}", Type=sort, Subnets=self.subnets, **parameters
        )
        return made["LoadBalancers"][0]["LoadBalancerArn"]

    def group(self, name, target_type, protocol, targets):
        made = self.elbv2.create_target_group(
            Name=name, TargetType=target_type, Protocol=protocol, Port=80, VpcId=self.vpc
        )
        arn = made["TargetGroups"][0]["TargetGroupArn"]
        if targets:
            self.elbv2.register_targets(TargetGroupArn=arn, Targets=targets)
        return arn

    def listener(self, balancer, protocol, port, group):
        forward = {"Type": "forward", "TargetGroupArn": group}
        refuse = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        self.elbv2.create_listener(
            LoadBalancerArn=balancer,
            Protocol=protocol,
            Port=port,
            DefaultActions=[forward if group else refuse],
        )


def settle(ec2, ids):
    """Stop some and terminate others, now that they may be behind a balancer."""
    terminated = ids[5::11]
    stopped = [id for id in ids[3::7] if id not in terminated]
    if stopped:
        ec2.stop_instances(InstanceIds=stopped)
    if terminated:
        ec2.terminate_instances(InstanceIds=terminated)


def holdings(ec2, id):
    """Beside what comes with instances: volumes, addresses and a subnet, one of each in use and one not."""
    for index, kind in enumerate(["gp2", "gp3", "io1", "standard"]):
        volume = ec2.create_volume(
            AvailabilityZone=REGION + ZONES[0],
            Size=10 + index,
            VolumeType=kind,
            Encrypted=index % 2 == 1,
            TagSpecifications=[{"ResourceType": "volume", "Tags": tags(index)}],
            **({"Iops": 500} if kind == "io1" else {}),
        )
        if index % 2 == 0:
            ec2.attach_volume(VolumeId=volume["VolumeId"], InstanceId=id, Device=f"/dev/sd{'fghi'[index]}")
    for index in range(3):
        allocation = ec2.allocate_address(
            Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags(index)}]
        )["AllocationId"]
        if index == 0:
            ec2.associate_address(AllocationId=allocation, InstanceId=id)
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(
        VpcId=vpc,
        CidrBlock="10.20.0.0/24",
        TagSpecifications=[{"ResourceType": "subnet", "Tags": tags(1)}],
    )


if __name__ == "__main__":
    main()
