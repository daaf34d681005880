#!/usr/bin/env bash
# Fetch what the chart's tests run against into target/chart, once. Nothing is installed on the machine, except
# python3-venv where Debian's Python comes without it.
set -euo pipefail
cd "$(dirname "$0")/../../.."

# The versions that the tests were written against.
helm=v3.22.0
operator=v0.85.0

give_up() {
    echo "make test-chart: $*" >&2
    exit 1
}

as_root() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null
}

rm -rf target/chart
mkdir -p target/chart
command -v go >/dev/null ||
    give_up "Kubernetes' judge of pod security and the operator's schemas come as Go modules: install Go 1.26 or later."

# helm: that of this machine, else built, which takes three minutes of one core.
if command -v helm >/dev/null; then
    ln -s "$(command -v helm)" target/chart/helm
else
    GOBIN=$PWD/target/chart GOFLAGS=-buildvcs=false go install "helm.sh/helm/v3/cmd/helm@$helm" ||
        give_up "helm $helm could not be built: put helm on PATH, or make the Go module proxy reachable."
fi

# The schemas of ServiceMonitor and PrometheusRule: the definitions that the operator's own release installs.
go mod download "github.com/prometheus-operator/prometheus-operator@$operator" ||
    give_up "the Prometheus operator's module could not be downloaded: make the Go module proxy reachable."
schemas=$(go env GOMODCACHE)/github.com/prometheus-operator/prometheus-operator@$operator/example/prometheus-operator-crd
cp "$schemas"/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml target/chart/

# Who admits pods to a restricted namespace.
(cd deploy/chart/tests/podsecurity && GOFLAGS=-buildvcs=false go build -o ../../../../target/chart/podsecurity .) ||
    give_up "Kubernetes' judge of pod security could not be built: make the Go module proxy reachable."

python=${PYTHON:-python3}
command -v "$python" >/dev/null || give_up "the tests need Python 3.11 or later, and there is no $python here."
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    as_root || give_up "$python cannot make virtual environments: install the package python3-venv."
    apt-get install --quiet --yes --no-install-recommends python3-venv ||
        { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends python3-venv; } ||
        give_up "python3-venv could not be installed."
fi
"$python" -m venv target/chart/python
target/chart/python/bin/python -m pip install --quiet --disable-pip-version-check \
    --no-deps --require-hashes --requirement deploy/chart/tests/requirements.txt ||
    give_up "pip could not install deploy/chart/tests/requirements.txt, of which the tests need every line."
touch target/chart/stamp
