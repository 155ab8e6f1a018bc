# The front door. `make help` lists the targets.
#
# Everything is made inside the checkout: .venv (Python), target (Rust), dist (the wheel).
# `make build` and `make demo` need Rust and Python 3.11 or later, nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The interpreter that .venv is made from: make PYTHON=/path/to/python3.12 build
PYTHON ?= python3
# Extra arguments for the benchmark: make bench ARGS="--only speed --rounds 3"
ARGS ?=
# What `make test`, `make bench`, `make soak` and `make test-deploy` need from Debian beside Rust, Go and Python (.ci/run installs it).
DEBIAN_PACKAGES := buildah chromium curl debootstrap iproute2 openssl strace util-linux wrk

CARGO := cargo
VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
NOT_RUN := $(CURDIR)/target/not-run
unexport CARGO_TARGET_DIR PYTHONPATH PYTHONHOME VIRTUAL_ENV

# What the wheel is made from; a change in any of it rebuilds and reinstalls it.
WHEEL_SOURCES := Cargo.toml Cargo.lock $(shell find python crates/pyproc-ipc -type f \
	\( -name '*.rs' -o -name '*.toml' -o -name '*.py' -o -name '*.pyi' -o -name 'py.typed' -o -name '*.md' \) \
	-not -path '*/tests/*' -not -path '*/__pycache__/*' -not -path '*/target/*' 2>/dev/null)

say = @printf '\n==> %s\n' "$(1)"

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

# ---- what people run -----------------------------------------------------------------------------

.PHONY: build
build: $(VENV)/wheel.stamp ## .venv, the wheel in dist/, and target/release/pyproc
	$(call say,building the Rust programs (target/release))
	@$(CARGO) build --release --locked

.PHONY: demo
demo: build ## a scikit-learn model classifies real handwritten digits for a Rust program
	$(call say,running examples/digits)
	@target/release/digits

.PHONY: examples
examples: build $(VENV)/examples.stamp ## all examples, one after another: pandas, PDF, ONNX, axum and others
	@scripts/examples

.PHONY: test
test: build $(VENV)/test.stamp $(VENV)/examples.stamp $(VENV)/bench.stamp $(VENV)/deploy.stamp .tools/identity/stamp ## everything that is asserted; ends with what could not run
	@rm -f "$(NOT_RUN)" && export TESTS_NOT_RUN="$(NOT_RUN)"
	scripts/test

.PHONY: test-deploy
test-deploy: build $(VENV)/deploy.stamp ## the chart, the Kustomize tree and the image, on a real API server (part of make test)
	@rm -f "$(NOT_RUN)" && export TESTS_NOT_RUN="$(NOT_RUN)"
	scripts/test-deploy

.PHONY: deploy-tools
deploy-tools: $(VENV)/deploy.stamp ## helm, kustomize, kube-apiserver and others into .tools/bin (ten minutes, once; needs Go 1.26)
	@scripts/deploy-tools

.PHONY: image
image: ## the container image pyproc:VERSION, by docker, podman or buildah (ARGS=--stand-ins without a registry)
	@scripts/image $(ARGS)

.PHONY: chart
chart: build deploy-tools ## rewrite what is made from the chart: its schema, the tables of its values, the Kustomize base
	@$(VENV_PYTHON) deploy/generate

.PHONY: snapshots
snapshots: deploy-tools ## rewrite what the chart and the Kustomize tree render to; the tests only compare
	@$(VENV_PYTHON) deploy/tests/rendering/snapshots.py

.PHONY: test-identity
test-identity: build .tools/identity/stamp ## the clouds' SDKs and `pyproc auth` in rendered pods, against emulators (part of make test; needs root and Go)
	@rm -f "$(NOT_RUN)" && export TESTS_NOT_RUN="$(NOT_RUN)"
	scripts/test-identity

.PHONY: bench
bench: build $(VENV)/bench.stamp ## measure beside peers; exit 1 when a bar is missed (ARGS="--help" for options)
	$(call say,measuring (about ten minutes; close what else runs on this machine))
	@target/release/pyproc-bench $(ARGS)

.PHONY: docs
docs: ## the book, built to target/book
	$(call say,building the book (docs/))
	@$(CARGO) run --quiet --release --locked --package pyproc-book --bin pyproc-book build

.PHONY: tables
tables: ## rewrite the tables of the book that are generated from the code
	@$(CARGO) build --quiet --release --locked --package pyproc-cli
	$(CARGO) run --quiet --release --locked --package pyproc-book --bin pyproc-book tables

.PHONY: soak
soak: build $(VENV)/test.stamp ## the long versions: 1,000 kills, 100,000 deadlines, one core, ten times in a row
	@rm -f "$(NOT_RUN)" && export TESTS_NOT_RUN="$(NOT_RUN)"
	scripts/soak

.PHONY: lint
lint: $(VENV)/wheel.stamp $(VENV)/test.stamp ## formatting, clippy, rustdoc, ruff, pyright, stubtest
	$(call say,cargo fmt)
	@$(CARGO) fmt --all --check
	$(call say,cargo clippy)
	@$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	$(call say,cargo doc)
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps --exclude pyproc-cli
	$(call say,ruff)
	@$(VENV)/bin/ruff check python
	@$(VENV)/bin/ruff check --config python/pyproject.toml --extend-exclude 'crates/*/tests' --extend-exclude deploy/tests --extend-exclude tests/identity examples bench crates deploy tests
	@$(VENV)/bin/ruff format --check python
	@$(VENV)/bin/ruff format --check --config python/pyproject.toml examples bench crates deploy tests
	$(call say,pyright (strict))
	@$(VENV)/bin/basedpyright --project python/pyproject.toml --pythonpath $(VENV_PYTHON)
	$(call say,stubtest)
	@scripts/stubtest

.PHONY: clean
clean: ## remove everything that make made
	rm -rf target dist $(VENV) .tools

# ---- what the scripts ask ------------------------------------------------------------------------

.PHONY: debian-packages
debian-packages: # the packages that .ci/run installs
	@echo $(DEBIAN_PACKAGES)

.PHONY: lock
lock: $(VENV)/run.stamp ## renew requirements/*.txt from requirements/*.in
	@python=$$(realpath -s $(VENV_PYTHON)) && test -d .tools/lock || "$$python" -m venv .tools/lock
	.tools/lock/bin/pip install --quiet pip-tools
	cd requirements
	for list in run test examples bench deploy identity maturin image; do
		../.tools/lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
			--no-header --no-emit-index-url --no-emit-find-links --no-emit-options --output-file $$list.txt $$list.in
	done

# ---- files ---------------------------------------------------------------------------------------

$(VENV)/venv.stamp:
	@command -v $(CARGO) >/dev/null || { echo "cargo was not found: install Rust 1.95 or later first." >&2; exit 1; }
	command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 or later, or say make PYTHON=/path/to/python3." >&2; exit 1; }
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit(f"$(PYTHON) is Python {sys.version.split()[0]}; 3.11 or later is needed: make PYTHON=/path/to/python3.11")'
	printf '\n==> making $(VENV) with %s\n' "$$($(PYTHON) --version)"
	$(PYTHON) -m venv --clear $(VENV)
	touch $@

# Installs exactly what the locked list names, checked by hash.
$(VENV)/run.stamp: requirements/run.txt $(VENV)/venv.stamp
	$(call say,installing what build and demo need into $(VENV) (requirements/run.txt))
	@$(VENV)/bin/pip install --disable-pip-version-check --require-hashes --requirement requirements/run.txt
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/run.stamp
	$(call say,installing the test tools into $(VENV) (requirements/test.txt))
	@$(VENV)/bin/pip install --disable-pip-version-check --require-hashes --requirement requirements/test.txt
	@touch $@

$(VENV)/examples.stamp: requirements/examples.txt $(VENV)/run.stamp
	$(call say,installing what the examples need into $(VENV) (requirements/examples.txt))
	@$(VENV)/bin/pip install --disable-pip-version-check --require-hashes --requirement requirements/examples.txt
	@touch $@

# An environment of its own, with the same wheel.
.tools/identity/stamp: requirements/identity.txt $(VENV)/wheel.stamp
	$(call say,installing the clouds' SDKs and emulators into .tools/identity (requirements/identity.txt))
	@python=$$(realpath -s $(VENV_PYTHON)) && test -x .tools/identity/bin/python || "$$python" -m venv .tools/identity
	.tools/identity/bin/python -m pip install --disable-pip-version-check --require-hashes --requirement requirements/identity.txt
	.tools/identity/bin/python -m pip install --disable-pip-version-check --no-index --no-deps --force-reinstall --quiet dist/pyproc_worker-*.whl
	touch $@

$(VENV)/deploy.stamp: requirements/deploy.txt $(VENV)/run.stamp
	$(call say,installing what the deployment tests need into $(VENV) (requirements/deploy.txt))
	@$(VENV)/bin/pip install --disable-pip-version-check --require-hashes --requirement requirements/deploy.txt
	@touch $@

# Without a peer the benchmark runs all the same and names it as missing.
$(VENV)/bench.stamp: requirements/bench.txt $(VENV)/run.stamp
	$(call say,installing what pyproc is compared with into $(VENV) (requirements/bench.txt))
	@if $(VENV)/bin/pip install --disable-pip-version-check --require-hashes --requirement requirements/bench.txt; then
		touch $@
	else
		echo "Not all of requirements/bench.txt could be installed; what is missing will be named." >&2
	fi

$(VENV)/wheel.stamp: $(VENV)/run.stamp $(WHEEL_SOURCES)
	$(call say,building the pyproc-worker wheel into dist/)
	@rm -f dist/pyproc_worker-*.whl
	$(VENV)/bin/maturin build --release --locked --manifest-path python/Cargo.toml --interpreter $(VENV_PYTHON) --out dist
	$(VENV)/bin/pip install --disable-pip-version-check --no-index --no-deps --force-reinstall --quiet dist/pyproc_worker-*.whl
	touch $@
