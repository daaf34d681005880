"""Values that cannot be, and the sentence that refuses each."""

import unittest

import render
from render import CHART

ACCOUNT = {"name": "prod", "provider": "outscale", "regions": ["eu-west-2"]}
ARN = "arn:aws:iam::123456789012:role/watcher"


def account(**changes):
    return render.set_json("settings.account", [{**ACCOUNT, **changes}])


def values(*pairs):
    return [argument for pair in pairs for argument in ("--set", pair)]


# What is set, where the refusal has to point, and what it has to say.
BY_THE_SCHEMA = [
    (values("sharding.total=0"), "/sharding/total", "minimum: got 0, want 1"),
    (values("sharding.total=1001"), "/sharding/total", "want 1,000"),
    (account(provider="azure"), "/settings/account/0/provider", "value must be one of 'outscale', 'aws'"),
    (account(regions=[]), "/settings/account/0/regions", "minItems: got 0, want 1"),
    (account(regions=["EU West"]), "/settings/account/0/regions/0", "does not match pattern"),
    (account(region="eu-west-2"), "/settings/account/0", "additional properties 'region' not allowed"),
    (account(endpoints={"ec2": "fcu.example.org"}), "/settings/account/0/endpoints/ec2", "does not match pattern"),
    (account(requests_per_second=0), "/settings/account/0/requests_per_second", "minimum"),
    (render.set_json("settings.account", [{"provider": "aws"}]), "/settings/account/0", "missing properties 'name'"),
    (values("settings.interval=60"), "/settings/interval", "got number, want string"),
    (values("settings.listen=0.0.0.0:80"), "/settings", "additional properties 'listen' not allowed"),
    (values("settings.shard=0/2"), "/settings", "additional properties 'shard' not allowed"),
    (values("web.port=70000"), "/web/port", "maximum: got 70,000, want 65,535"),
    (values("web.port=0"), "/web/port", "minimum: got 0, want 1"),
    (values("web.host=localhost"), "/web/host", "value must be one of '0.0.0.0', '[::]'"),
    (values("replicas=-1"), "/replicas", "minimum: got -1, want 0"),
    (values("image.repository="), "/image/repository", "minLength: got 0, want 1"),
    (values("image.digest=latest"), "/image/digest", "does not match pattern"),
    (values("credentials.source=vault"), "/credentials/source", "value must be one of 'secret', 'inline', 'irsa'"),
    (values("credentials.source=irsa", "credentials.roleArn=watcher"), "/credentials/roleArn", "does not match pattern"),
    (values("credentials.secretName=Not_A_Name"), "/credentials/secretName", "does not match pattern"),
    (values("podDisruptionBudget.maxUnavailable=0"), "/podDisruptionBudget/maxUnavailable", "minimum: got 0, want 1"),
    (values("replicaCount=2"), "at ''", "additional properties 'replicaCount' not allowed"),
    (values("serviceMonitor.interval=often"), "/serviceMonitor/interval", "does not match pattern"),
    (values("networkPolicy.egress.ports[0]=70000"), "/networkPolicy/egress/ports/0", "maximum"),
]
SHARDED = values("sharding.enabled=true")
TWO_REGIONS = account(regions=["eu-west-2", "us-west-1"])
BY_A_TEMPLATE = [
    (render.set_json("settings.account", []), "settings.account is empty, so that there is nothing to watch: list"),
    (render.set_json("settings.account", [ACCOUNT, ACCOUNT]), 'has two accounts named "prod": give each its own name'),
    (values("replicas=2"), "each pod would make every call of the cloud's API: set sharding.enabled=true"),
    ([*SHARDED, *TWO_REGIONS, *values("replicas=2")], "leave replicas at 1, since sharding.total is the number of pods"),
    (SHARDED, "sharding.total is 2, more than the accounts have regions (1), so that some pods would have nothing"),
    ([*SHARDED, *TWO_REGIONS, "--kube-version", "1.27.9"], "sharding needs Kubernetes 1.28"),
    (["--kube-version", "1.26.0"], "chart requires kubeVersion: >=1.27.0-0"),
    (values("credentials.secretName="), "name the Secret that `vigie bootstrap --format k8s-secret"),
    (values("credentials.source=inline"), 'credentials.inline has no file "credentials": put the text'),
    (values("credentials.inline.credentials=TEST"), "which does not use it: remove it, or set credentials.source=inline"),
    (values("credentials.source=irsa"), 'account "prod" is of OUTSCALE: use credentials.source=secret'),
    ([*account(provider="aws"), *values("credentials.source=irsa")], "credentials.roleArn is empty: write the ARN"),
    (values(f"credentials.roleArn={ARN}"), "which does not use it: set credentials.source=irsa"),
    (
        [
            *account(provider="aws"),
            *values("credentials.source=irsa", f"credentials.roleArn={ARN}", "serviceAccount.create=false"),
        ],
        "annotate that service account with the role yourself",
    ),
    (values("podDisruptionBudget.minAvailable=1"), "no node could ever be drained: use podDisruptionBudget.maxUnavailable"),
    (
        values("prometheusRule.enabled=true", "prometheusRule.disabled[0]=NoSuchAlert"),
        'disabled names "NoSuchAlert", which is no alert: there are',
    ),
]


class Refusals(unittest.TestCase):
    def refusal(self, arguments):
        rendered = render.template("--values", CHART / "ci/secret.yaml", *arguments)
        self.assertNotEqual(rendered.returncode, 0, "accepted")
        self.assertEqual(rendered.stdout, "")
        return rendered.stderr

    def test_schema_refuses_what_cannot_be(self):
        for arguments, place, sentence in BY_THE_SCHEMA:
            with self.subTest(arguments=arguments):
                told = self.refusal(arguments)
                self.assertIn("values don't meet the specifications of the schema(s)", told)
                (line,) = [line for line in told.splitlines() if line.startswith("- at ")]
                self.assertIn(place, line)
                self.assertIn(sentence, line)

    def test_templates_refuse_what_does_not_go_together(self):
        for arguments, sentence in BY_A_TEMPLATE:
            with self.subTest(arguments=arguments):
                self.assertIn(sentence, self.refusal(arguments))

    def test_without_values_it_says_what_to_write(self):
        rendered = render.template()
        self.assertNotEqual(rendered.returncode, 0)
        self.assertIn("list at least one account with name, provider and regions", rendered.stderr)


if __name__ == "__main__":
    unittest.main()
