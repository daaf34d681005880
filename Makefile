# What a person and CI run. `make test` needs Rust, Python 3.11 and, for Prometheus, apt or its programs on PATH.

export TEST_PYTHON ?= $(CURDIR)/target/python/bin/python
export TEST_PROMETHEUS ?= $(CURDIR)/target/prometheus/prometheus
export TEST_PROMTOOL ?= $(CURDIR)/target/prometheus/promtool

.PHONY: test parts lint deny clean-parts test-deploy

# Most tests wait for a cloud rather than work.
test: export RUST_TEST_THREADS ?= 4
test: parts
	cargo test --locked --all-targets

# The real parts that the tests run against; a part that cannot be had is an error, never a skipped test.
parts: target/python/stamp target/prometheus/stamp

target/python/stamp: tests/requirements.txt
	tests/support/parts.sh python

target/prometheus/stamp:
	tests/support/parts.sh prometheus

lint:
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked

# Licences, banned crates, sources, advisories. Needs cargo-deny: `cargo install --locked cargo-deny`.
deny:
	cargo deny --locked check

clean-parts:
	rm -rf target/python target/prometheus target/grafana

.PHONY: test-dashboards
test-deploy: test-dashboards

# The dashboards, held to Grafana's published schema.
test-dashboards: target/grafana/stamp
	PYTHONPATH=target/grafana $(TEST_PYTHON) tests/grafana/schema.py dashboards/*.json

target/grafana/stamp: tests/grafana/requirements.txt target/python/stamp
	rm -rf target/grafana
	$(TEST_PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --target target/grafana \
		--requirement tests/grafana/requirements.txt
	touch $@
