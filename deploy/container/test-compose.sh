#!/usr/bin/env bash
# Load compose.yaml as `docker compose` does, and see that everything it mounts is there. No engine runs here.
set -euo pipefail
cd "$(dirname "$0")"
. ../checks.sh
loader=../../target/tools/bin/compose-spec

model=$("$loader" --format json compose.yaml) || failed "compose.yaml is not valid"
passed "compose.yaml is valid"
ends 1 "$loader" <(sed 's/read_only: true/read_onli: true/' compose.yaml)
contains "$said" "read_onli"
passed "a misspelled key would be told of"

of_model() { python3 -c 'import json, sys; print(*eval(sys.argv[1], {"all": json.load(sys.stdin)["services"]}), sep="\n")' "$1" <<<"$model"; }
while read -r source; do
    [ -e "$source" ] || failed "compose.yaml mounts $source, which is not there"
done < <(of_model '[v["source"] for s in all.values() for v in s.get("volumes", []) if v["type"] == "bind"]')
for file in ../prometheus/prometheus.yml ../prometheus/rules/*.yml ../../dashboards/*.json; do
    [ -s "$file" ] || failed "compose.yaml is about $file, which is not there"
done
passed "everything that it mounts is there"
services=" $(of_model all | tr '\n' ' ')"
for name in $(sed -n 's/.*targets: \["\(.*\):[0-9]*"\].*/\1/p' ../prometheus/prometheus.yml) \
    $(sed -n 's,.*url: http://\(.*\):[0-9]*,\1,p' grafana/datasources/*.yaml); do
    [[ $services == *" $name "* ]] || failed "$name, which is asked for something, is no service of$services"
done
passed "who is asked for something is a service of$services"
is "what is published to others" "" \
    "$(of_model '[p for s in all.values() for p in s.get("ports", []) if p.get("host_ip") != "127.0.0.1"]')"
is "what has no version" "" \
    "$(of_model '[s["image"] for n, s in all.items() if n != "vigie" and ":v" not in s["image"] and ":12" not in s["image"]]')"
passed "what it publishes is on loopback, and every image but its own has a version"
summary
