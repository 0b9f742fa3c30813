# `make` alone says what there is. Works with GNU make 4.3, as root and as a normal user.

PYTHON ?= python3
# More for pytest, for instance: make test PYTEST_FLAGS="-x -k upgrade"
PYTEST_FLAGS ?=
# More for the locker, for instance: make lock LOCK_FLAGS=--upgrade
LOCK_FLAGS ?=

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
STAMP := .venv/installed
STEP := @printf '%(%H:%M:%S)T  %s\n' -1
EVIDENCE ?= evidence.json
# What needs servers. Tests that share a server, or a file, stay on one worker.
REAL := tests/benchmarks tests/contract tests/e2e tests/faults
# All but the benchmarks.
NIGHTLY := tests/unit tests/plugin tests/contract tests/e2e tests/faults

.PHONY: help
help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

.PHONY: venv
venv: $(STAMP) ## make or renew .venv from the lock file
	@:

.PHONY: quick
quick: venv ## the demonstration: keycloak's data, upgraded to the head and tested
	$(STEP) "seed: keycloak's canonical (the first time takes minutes)"
	@$(BIN)/warmci seed keycloak --if-missing
	$(STEP) "test: keycloak, quick"
	@$(BIN)/pytest --quick recipe_tests/keycloak

.PHONY: check
check: lint types ## linters, types, unit and plugin tests: before every commit
	$(STEP) "test: tier check"
	@$(BIN)/pytest --tier check -n 2 $(PYTEST_FLAGS)

.PHONY: test
test: lint types ## what CI runs: check, the main paths on real servers, a sample of the rest
	$(STEP) "test: tier check"
	@$(BIN)/pytest --tier check -n 2 $(PYTEST_FLAGS)
	$(STEP) "test: tier test, on real servers"
	@# Three workers on two cores: real tests wait a lot.
	@$(BIN)/pytest --tier test -n 3 --dist loadfile --durations=15 $(REAL) $(PYTEST_FLAGS)

.PHONY: nightly
nightly: lint types ## everything, benchmarks too; writes evidence.json
	$(STEP) "test: tier nightly"
	@# The benchmarks alone on the machine, also when something before failed.
	@code=0; \
	$(BIN)/pytest --tier nightly -n 3 --dist loadfile --evidence $(EVIDENCE) --durations=30 \
	    $(NIGHTLY) $(PYTEST_FLAGS) || code=$$?; \
	$(BIN)/pytest --tier nightly --evidence-after $(EVIDENCE) --evidence $(EVIDENCE) \
	    tests/benchmarks $(PYTEST_FLAGS) || code=$$?; \
	exit $$code

.PHONY: lint
lint: venv ## ruff: format and rules
	$(STEP) "ruff format --check"
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted: run make format"; exit 1; }
	$(STEP) "ruff check"
	@$(BIN)/ruff check --quiet .

.PHONY: types
types: venv ## mypy, strict
	$(STEP) "mypy"
	@$(BIN)/mypy --no-error-summary
	@# Each recipe has a witness.py: one run for each folder, or their names would clash.
	@for folder in recipe_tests/*/; do \
	    [ -z "$$(find "$$folder" -name '*.py' -print -quit)" ] || \
	        $(BIN)/mypy --no-error-summary "$$folder"; \
	done

.PHONY: format
format: venv ## let ruff format and mend what it can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

.PHONY: lock
lock: ## write requirements.lock anew (keeps versions that still fit)
	@[ -x $(BIN)/uv ] || $(MAKE) --no-print-directory venv
	$(STEP) "lock: requirements.lock"
	@$(BIN)/uv pip compile pyproject.toml --extra process --extra swarm --group dev --universal \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet \
	    $(LOCK_FLAGS) --output-file requirements.lock > /dev/null
	@sed -i '1i # Everything to develop and run pytest-warmci. Written by `make lock`; installed by `make venv`.' \
	    requirements.lock

.PHONY: clean
clean: ## remove .venv and what tools remember (never the state directory)
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist evidence.json
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
	    echo "make: $(PYTHON) is missing or older than Python 3.11." \
	         "Install a newer one and name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	    echo "make: $(PYTHON) cannot make virtual environments." \
	         "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(STEP) "venv: make .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv
	$(STEP) "venv: install requirements.lock (downloads some 100 MB the first time)"
	@$(BIN)/pip --disable-pip-version-check install --quiet --require-hashes --only-binary :all: \
	    --requirement requirements.lock
	$(STEP) "venv: install pytest-warmci itself"
	@$(BIN)/pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation \
	    --editable .
	@touch $(STAMP)
	$(STEP) "venv: ready"
