"""The program, started as the chart starts it: what a kubelet would do, without Kubernetes."""

import os
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import yaml

import render
from render import CHART, ROOT, VALUES

VIGIE = os.environ["TEST_VIGIE"]
KEY = "[default]\naws_access_key_id = TESTKEYEXAMPLE00000\naws_secret_access_key = TESTSECRETEXAMPLE00000000000000000000000\n"
# What EKS adds to the pods of a service account with a role, and to those of one with an association.
TOKEN = "/etc/vigie/token"
LENT = {
    "irsa": {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/watcher", "AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN},
    "pod-identity": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": TOKEN,
    },
}
# The demo cloud's.
ADMIN = {
    "AWS_ACCESS_KEY_ID": "DEMOADMIN0000EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "demo/admin/good/nowhere/else/EXAMPLEKEY0",
}
# The chart sets them.
OF_THE_CHART = {"listen", "shard"}


class Pod:
    """Files and variables of a pod's container, below a folder of this machine."""

    def __init__(self, rendered, folder, index="0", key=KEY, lent=None):
        self.folder = Path(folder)
        container = render.container(rendered)
        self.port = container["ports"][0]["containerPort"]
        self.probes = [container[f"{probe}Probe"] for probe in ("liveness", "readiness")]
        self.arguments = [self.here(argument) for argument in container["args"]]
        self.environment = {"PATH": os.environ["PATH"]}
        for variable in container["env"]:
            value = variable.get("value", index)
            self.environment[variable["name"]] = self.here(value.replace("$(POD_INDEX)", index))
        self.mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        (settings,) = [found for found in render.of_kind(rendered, "ConfigMap") if "vigie.yaml" in found["data"]]
        self.mount("/etc/vigie/settings", settings["data"], 0o644)
        if "/etc/vigie/credentials" in self.mounted:
            (volume,) = [
                volume
                for volume in render.workload(rendered)["spec"]["template"]["spec"]["volumes"]
                if volume["name"] == "credentials"
            ]
            self.mount("/etc/vigie/credentials", {"credentials": key, "lab": key}, volume["secret"]["defaultMode"])
        for name, value in (lent or {}).items():
            self.environment[name] = self.here(value)
            self.write(TOKEN, "TEST", 0o640)

    def here(self, text):
        return text.replace("/etc/vigie/", f"{self.folder}/etc/vigie/")

    def mount(self, path, files, mode):
        """As a kubelet does: each file is a link through one that changes with all of them."""
        for name, text in files.items():
            self.write(f"{path}/..2026_11_27/{name}", text, mode)
            Path(self.here(f"{path}/{name}")).symlink_to(f"..data/{name}")
        Path(self.here(f"{path}/..data")).symlink_to("..2026_11_27")

    def write(self, path, text, mode):
        path = Path(self.here(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text))
        path.chmod(mode)

    def check(self):
        arguments = ["check", *self.arguments[1:]]
        return subprocess.run([VIGIE, *arguments], env=self.environment, capture_output=True, text=True, timeout=60)


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_settings_are_accepted(self):
        for values in VALUES:
            rendered = render.manifests("--values", values)
            pods = render.workload(rendered)["spec"]["replicas"]
            for index in range(pods):
                with self.subTest(values=values.stem, index=index):
                    folder = f"{self.folder.name}/{values.stem}-{index}"
                    pod = Pod(rendered, folder, str(index), lent=LENT.get(values.stem))
                    checked = pod.check()
                    self.assertEqual(checked.returncode, 0, checked.stderr)
                    self.assertNotIn("others can read", checked.stderr)
                    self.assertIn(f":{pod.port}\"\n", checked.stdout.splitlines(keepends=True)[0])
                    for lender in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
                        self.assertEqual(f"({lender})" in checked.stdout, lender in pod.environment)
                    if "VIGIE__SHARD" in pod.environment:
                        self.assertIn(f'shard = "{index}/{pods}"\n', checked.stdout)

    def test_settings_that_the_program_refuses_are_found_here(self):
        rendered = render.manifests("--values", CHART / "ci/secret.yaml", "--set", "settings.interval=soon")
        checked = Pod(rendered, self.folder.name).check()
        self.assertEqual(checked.returncode, 64)
        self.assertIn("`interval`", checked.stderr)

    def test_schema_knows_every_setting(self):
        schema = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]["settings"]["properties"]
        account = schema["account"]["items"]["properties"]
        self.assertEqual(known("none: 1\n") - OF_THE_CHART, schema.keys(), "values.schema.json has others")
        first = "account: [{name: a, provider: aws, regions: [eu-west-1], none: 1}]\n"
        self.assertEqual(known(first), account.keys(), "values.schema.json has others")

    def test_key_that_bootstrap_writes_is_used_and_the_page_served(self):
        port = free_port()
        cloud = f"http://127.0.0.1:{free_port()}"
        self.start("demo", "--cloud-only", "--provider", "aws", "--cloud-listen", cloud.removeprefix("http://"))
        wait_for(cloud, any_answer=True)
        there = ["--provider", "aws", "--region", "eu-west-1", "--endpoint-url", cloud]
        made = subprocess.run(
            [VIGIE, "bootstrap", *there, "--format", "k8s-secret", "--out", "-"],
            env={"PATH": os.environ["PATH"], **ADMIN},
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        secret = yaml.safe_load(made.stdout)

        account = {"name": "prod", "provider": "aws", "regions": ["eu-west-1"]}
        account["endpoints"] = {service: cloud for service in ("ec2", "elb", "iam")}
        rendered = render.manifests(*render.set_json("settings.account", [account]), "--set", f"web.port={port}")
        volumes = render.workload(rendered)["spec"]["template"]["spec"]["volumes"]
        self.assertIn(secret["metadata"]["name"], [volume.get("secret", {}).get("secretName") for volume in volumes])
        pod = Pod(rendered, self.folder.name, key=secret["stringData"]["credentials"])
        agent = self.start(*pod.arguments, environment=pod.environment)
        for probe in pod.probes:
            wait_for(f"http://127.0.0.1:{port}{probe['httpGet']['path']}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            page = answer.read().decode()
        self.assertRegex(page, r'cloud_instance_state\{account="prod",region="eu-west-1"')
        self.assertIn('vigie_poll_success{account="prod",kind="instances",region="eu-west-1"} 1\n', page)
        # SIGTERM, as a kubelet sends.
        agent.terminate()
        self.assertEqual(agent.wait(timeout=30), 0)

    def start(self, *arguments, environment=None):
        environment = environment or {"PATH": os.environ["PATH"]}
        process = subprocess.Popen([VIGIE, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, timeout=30)
        self.addCleanup(process.terminate)
        return process


def known(settings):
    """The keys that the program names when it meets one that it does not know."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(settings)
        file.flush()
        checked = subprocess.run([VIGIE, "check", "--config", file.name], capture_output=True, text=True, timeout=60)
    (names,) = re.findall(r"the keys known there are (.*)", checked.stderr)
    return set(re.findall(r"`(\w+)`", names))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url, any_answer=False):
    """Until it answers; two minutes are more than a slow machine needs."""
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            if any_answer:
                return
            problem = error
        except OSError as error:
            problem = error
        if time.monotonic() > until:
            raise AssertionError(f"{url} did not answer: {problem}")
        time.sleep(0.2)


if __name__ == "__main__":
    unittest.main()
