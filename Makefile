# What a person and CI run. `make test` needs Rust, Python 3.11 and, for Prometheus, apt or its programs on PATH.

export TEST_PYTHON ?= $(CURDIR)/target/python/bin/python
export TEST_PROMETHEUS ?= $(CURDIR)/target/prometheus/prometheus
export TEST_PROMTOOL ?= $(CURDIR)/target/prometheus/promtool
export TEST_CHROMIUM ?= $(CURDIR)/target/chromium/chromium

.PHONY: test test-deploy test-browser parts lint deny clean-parts

# Most tests wait for a cloud rather than work.
test: export RUST_TEST_THREADS ?= 4
test: parts
	cargo test --locked --all-targets

# What needs more than `make test` does.
test-deploy: test-browser

# The page for people, in a real Chromium; the screenshots are in target/screenshots.
test-browser: target/chromium/stamp
	cargo test --locked --test browser

# The real parts that the tests run against; a part that cannot be had is an error, never a skipped test.
parts: target/python/stamp target/prometheus/stamp

target/python/stamp: tests/requirements.txt
	tests/support/parts.sh python

target/prometheus/stamp:
	tests/support/parts.sh prometheus

target/chromium/stamp:
	tests/support/parts.sh chromium

lint:
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo clippy --test browser --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked

# Licences, banned crates, sources, advisories. Needs cargo-deny: `cargo install --locked cargo-deny`.
deny:
	cargo deny --locked check

clean-parts:
	rm -rf target/python target/prometheus target/chromium
