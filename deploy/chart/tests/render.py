"""Helm, and what it makes of the chart."""

import json
import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy/chart"
PARTS = ROOT / "target/chart"
VALUES = sorted((CHART / "ci").glob("*.yaml"))
# The oldest that has all of it, and the newest whose schemas there are.
KUBERNETES = ("1.28.0", "1.37.0")


def helm(*arguments):
    """Runs helm away from the configuration of whoever runs the tests."""
    home = PARTS / "helm-home"
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.run([PARTS / "helm", *arguments], env=environment, capture_output=True, text=True, timeout=120)


def template(*arguments, kubernetes=KUBERNETES[-1], chart=CHART):
    return helm("template", "watcher", chart, "--namespace", "cloud", "--kube-version", kubernetes, *arguments)


def manifests(*arguments, **target):
    """What helm renders, or its refusal as an error."""
    rendered = template(*arguments, **target)
    if rendered.returncode != 0:
        raise AssertionError(rendered.stderr)
    return [manifest for manifest in yaml.safe_load_all(rendered.stdout) if manifest]


def of_kind(rendered, *kinds):
    return [manifest for manifest in rendered if manifest["kind"] in kinds]


def workload(rendered):
    (found,) = of_kind(rendered, "Deployment", "StatefulSet")
    return found


def container(rendered):
    (found,) = workload(rendered)["spec"]["template"]["spec"]["containers"]
    return found


def set_json(key, value):
    return ("--set-json", f"{key}={json.dumps(value)}")
