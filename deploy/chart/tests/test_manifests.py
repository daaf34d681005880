"""What Kubernetes, the Prometheus operator and Prometheus would say to what the chart renders."""

import json
import os
import shutil
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

import render
from render import CHART, KUBERNETES, PARTS, ROOT, VALUES

OPERATOR = {"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"}


class Manifests(unittest.TestCase):
    def each(self, look):
        for values in VALUES:
            with self.subTest(values=values.stem):
                look(render.manifests("--values", values))

    def test_chart_is_without_a_complaint_of_lint(self):
        for values in VALUES:
            with self.subTest(values=values.stem):
                linted = render.helm("lint", "--strict", CHART, "--values", values, "--kube-version", KUBERNETES[-1])
                self.assertEqual(linted.returncode, 0, linted.stdout + linted.stderr)

    def test_chart_is_packed_without_its_tests(self):
        with tempfile.TemporaryDirectory() as folder:
            packed = render.helm("package", CHART, "--destination", folder)
            self.assertEqual(packed.returncode, 0, packed.stderr)
            (archive,) = Path(folder).iterdir()
            listed = subprocess.run(["tar", "tf", archive], capture_output=True, text=True, check=True).stdout.split()
            self.assertIn("vigie/values.schema.json", listed)
            self.assertFalse([name for name in listed if name.startswith(("vigie/tests", "vigie/ci"))])

    def test_version_is_that_of_the_program(self):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        program = tomllib.loads((ROOT / "Cargo.toml").read_text())
        self.assertEqual(chart["appVersion"], program["package"]["version"])

    def test_probes_of_a_page_that_asks_for_more_run_in_the_pod(self):
        account = render.set_json("settings.account", [{"name": "a", "provider": "outscale", "regions": ["eu-west-2"]}])
        file = ("--set", "settings.web_config_file=/etc/vigie/web/web.yml")
        for values, expected in [
            ((), "httpGet"),
            (file, "http://127.0.0.1:9980/-/"),
            ((*file, "--set", "web.host=[::]"), "http://[::1]:9980/-/"),
            ((*file, "--set", "web.probes=http"), "httpGet"),
            ((*file, "--set", "web.probes=tcp"), "tcpSocket"),
        ]:
            with self.subTest(values=values):
                container = render.container(render.manifests(*account, *values))
                for probe, path in [("livenessProbe", "healthy"), ("readinessProbe", "ready")]:
                    found = container[probe]
                    if expected.startswith("http:"):
                        self.assertEqual(found["exec"]["command"], ["/vigie", "health", "--url", expected + path])
                    else:
                        self.assertIn(expected, found)

    def test_every_manifest_is_what_kubernetes_says_it_may_be(self):
        for values in VALUES:
            for kubernetes in KUBERNETES:
                with self.subTest(values=values.stem, kubernetes=kubernetes):
                    for manifest in render.manifests("--values", values, kubernetes=kubernetes):
                        if manifest["kind"] not in OPERATOR:
                            kubernetes_validate.validate(manifest, kubernetes, strict=True)

    def test_every_monitor_and_rule_is_what_the_operator_says_it_may_be(self):
        seen = set()

        def look(rendered):
            for manifest in render.of_kind(rendered, *OPERATOR):
                seen.add(manifest["kind"])
                definition = (PARTS / f"monitoring.coreos.com_{OPERATOR[manifest['kind']]}.yaml").read_text()
                (version,) = yaml.safe_load(definition)["spec"]["versions"]
                self.assertEqual(manifest["apiVersion"], f"monitoring.coreos.com/{version['name']}")
                schema = strict(version["schema"]["openAPIV3Schema"])
                # Kubernetes has its own for it.
                schema["properties"]["metadata"] = {"type": "object"}
                jsonschema.Draft202012Validator(schema).validate(manifest)

        self.each(look)
        self.assertEqual(seen, set(OPERATOR))

    def test_pods_are_admitted_to_a_restricted_namespace(self):
        templates = []
        self.each(lambda rendered: templates.append(render.workload(rendered)["spec"]["template"]))
        lax = json.loads(json.dumps(templates[0]))
        del lax["spec"]["containers"][0]["securityContext"]["capabilities"]
        lines = "".join(json.dumps(template) + "\n" for template in [*templates, lax])
        judged = subprocess.run([PARTS / "podsecurity"], input=lines, capture_output=True, text=True, check=True)
        *verdicts, of_the_lax = judged.stdout.splitlines()
        self.assertEqual(verdicts, ["restricted"] * len(VALUES))
        self.assertIn("unrestricted capabilities", of_the_lax)

    def test_root_is_read_only_and_no_token_is_mounted(self):
        def look(rendered):
            self.assertIs(render.container(rendered)["securityContext"]["readOnlyRootFilesystem"], True)
            self.assertIs(render.workload(rendered)["spec"]["template"]["spec"]["automountServiceAccountToken"], False)
            (account,) = render.of_kind(rendered, "ServiceAccount")
            self.assertIs(account["automountServiceAccountToken"], False)

        self.each(look)

    def test_whoever_selects_pods_finds_them(self):
        def look(rendered):
            labels = render.workload(rendered)["spec"]["template"]["metadata"]["labels"]
            selectors = [render.workload(rendered)["spec"]["selector"]["matchLabels"]]
            selectors += [service["spec"]["selector"] for service in render.of_kind(rendered, "Service")]
            for guard in render.of_kind(rendered, "PodDisruptionBudget"):
                selectors.append(guard["spec"]["selector"]["matchLabels"])
            for guard in render.of_kind(rendered, "NetworkPolicy"):
                selectors.append(guard["spec"]["podSelector"]["matchLabels"])
            for selector in selectors:
                self.assertLessEqual(selector.items(), labels.items())

        self.each(look)

    def test_monitor_finds_each_pod_once(self):
        found = []

        def look(rendered):
            for monitor in render.of_kind(rendered, "ServiceMonitor"):
                selector = monitor["spec"]["selector"]["matchLabels"].items()
                services = render.of_kind(rendered, "Service")
                chosen = [service for service in services if selector <= service["metadata"]["labels"].items()]
                self.assertEqual(len(chosen), 1)
                ports = {port["name"] for port in chosen[0]["spec"]["ports"]}
                self.assertLessEqual({endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}, ports)
                found.append(chosen)

        self.each(look)
        self.assertGreater(len(found), 1)

    def test_series_keep_their_labels_when_a_pod_is_replaced(self):
        def instance(*arguments):
            rendered = render.manifests("--values", CHART / "ci/secret.yaml", *arguments)
            (monitor,) = render.of_kind(rendered, "ServiceMonitor")
            endpoint = monitor["spec"]["endpoints"][0]
            self.assertIn({"action": "labeldrop", "regex": "pod|container|endpoint|service"}, endpoint["relabelings"])
            self.assertIn({"targetLabel": "job", "replacement": "vigie"}, endpoint["relabelings"])
            (rule,) = [rule for rule in endpoint["relabelings"] if rule.get("targetLabel") == "instance"]
            return rule

        enabled = ("--set", "serviceMonitor.enabled=true")
        self.assertEqual(instance(*enabled)["replacement"], "watcher-vigie")
        sharded = (*enabled, "--set", "sharding.enabled=true,sharding.total=2", "--set-json",
                   'settings.account[0].regions=["eu-west-2","us-west-1"]')
        self.assertEqual(instance(*sharded)["sourceLabels"], ["__meta_kubernetes_pod_name"])

    def test_notes_say_how_to_make_the_key_and_look(self):
        def notes(*arguments):
            # Only an installation shows them: here they are the text of a manifest.
            with tempfile.TemporaryDirectory() as folder:
                chart = Path(shutil.copytree(CHART, Path(folder) / "vigie"))
                (chart / "templates/NOTES.txt").rename(chart / "notes.txt")
                shown = 'kind: Notes\ntext: {{ tpl (.Files.Get "notes.txt") . | toJson }}\n'
                (chart / "templates/notes.yaml").write_text(shown)
                (found,) = render.of_kind(render.manifests(*arguments, chart=chart), "Notes")
                return found["text"]

        told = notes("--values", CHART / "ci/secret.yaml")
        self.assertIn("1 account with 1 pod.", told)
        self.assertIn("vigie bootstrap --provider outscale --region eu-west-2 --format k8s-secret --out - \\\n", told)
        self.assertIn("| kubectl --namespace cloud apply -f -\n", told)
        self.assertIn("port-forward service/watcher-vigie 9980\n", told)
        self.assertIn("Nothing scrapes it yet", told)
        every = render.set_json("settings.account", [{"name": "lab", "provider": "aws", "regions": ["*"]}])
        self.assertIn("--region us-east-1 --all-regions --format", notes(*every))
        told = notes("--values", CHART / "ci/sharded.yaml")
        self.assertIn("2 accounts with 4 pods.", told)
        self.assertIn("port-forward pod/watcher-vigie-0 9980\n", told)
        self.assertNotIn("Nothing scrapes", told)
        self.assertIn("trust the service account cloud/watcher-vigie", notes("--values", CHART / "ci/irsa.yaml"))

    def test_other_settings_make_other_pods(self):
        def checksum(*arguments):
            rendered = render.manifests("--values", CHART / "ci/secret.yaml", *arguments)
            return render.workload(rendered)["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]

        self.assertEqual(checksum(), checksum("--set", "serviceMonitor.enabled=true"))
        self.assertNotEqual(checksum(), checksum("--set", "settings.interval=30s"))

    def test_role_is_written_on_the_service_account(self):
        rendered = render.manifests("--values", CHART / "ci/irsa.yaml")
        (account,) = render.of_kind(rendered, "ServiceAccount")
        role = "arn:aws:iam::123456789012:role/watcher"
        self.assertEqual(account["metadata"]["annotations"], {"eks.amazonaws.com/role-arn": role})
        self.assertFalse(render.of_kind(rendered, "Secret"))

    def test_rules_and_dashboards_are_those_of_the_repository(self):
        for source, copy in (("deploy/prometheus/rules/*.yml", "rules"), ("dashboards/*.json", "dashboards")):
            originals = {path.name: path.read_bytes() for path in ROOT.glob(source)}
            copies = {path.name: path.read_bytes() for path in (CHART / "files" / copy).glob("*")}
            self.assertTrue(originals, f"{source} is empty")
            self.assertEqual(copies, originals, "run `make chart-files`")

    def test_rules_are_rules_to_prometheus(self):
        (rules,) = render.of_kind(render.manifests("--values", CHART / "ci/everything.yaml"), "PrometheusRule")
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(rules["spec"], file)
            file.flush()
            promtool = os.environ["TEST_PROMTOOL"]
            checked = subprocess.run([promtool, "check", "rules", file.name], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        written = [yaml.safe_load(path.read_text()) for path in sorted((CHART / "files/rules").glob("*.yml"))]
        expected = [rule for file in written for group in file["groups"] for rule in group["rules"]]
        for rule in expected:
            if "alert" in rule:
                rule["labels"] = {**rule.get("labels", {}), "team": "sea"}
                runbook = rule["annotations"]["runbook_url"]
                rule["annotations"]["runbook_url"] = f"https://docs.example.org/vigie/{runbook}"
        self.assertEqual([rule for group in rules["spec"]["groups"] for rule in group["rules"]], expected)

    def test_alert_that_is_disabled_is_left_out(self):
        def alerts(*arguments):
            rendered = render.manifests("--values", CHART / "ci/everything.yaml", *arguments)
            (rules,) = render.of_kind(rendered, "PrometheusRule")
            rules = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
            return [rule["alert"] for rule in rules if "alert" in rule]

        first, *others = alerts()
        self.assertEqual(alerts(*render.set_json("prometheusRule.disabled", [first])), others)


def strict(schema):
    """The schema, refusing keys that it does not name, as the API does when asked to be strict."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict_member(key, value) for key, value in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and "properties" in schema and not is_open:
        schema["additionalProperties"] = False
    return schema


def strict_member(key, value):
    if key == "properties":
        return {name: strict(member) for name, member in value.items()}
    # Go takes flags anywhere in an expression, Python at its start.
    if key == "pattern":
        return value.replace("^(?i)", "(?i)^")
    # Alternatives are no whole schemas.
    return strict(value) if key in ("items", "additionalProperties") else value


if __name__ == "__main__":
    unittest.main()
