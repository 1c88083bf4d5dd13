# One command each: what it needs is set up first. See CONTRIBUTING.md.
.PHONY: help demo test soak coverage lint generated bench image image-dms clean system
.DELETE_ON_ERROR:

PYTHON ?= python3
ENGINE ?= docker
# Tests wait a lot, for Postfix and for containers: one process more than there are processors keeps these busy.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 4 ? n + 1 : 4)))
# What the random tests draw from: nothing is a new number in each run, which the summary names.
SEED ?=
# How much of what it is there for `make soak` does: 0.1 is a tenth.
SOAK ?= 1
# What `make coverage` runs: nothing is all tests.
TESTS ?=
VENV := .venv
BIN := $(VENV)/bin

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

# Python 3.11 or later, and every dependency as locked. What may not stand beside the tests has an environment of its own in it
# (requirements-lint.in).
$(VENV)/.ready: requirements-dev.lock requirements-lint.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or later is needed: make PYTHON=python3.11 …" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(PYTHON) -m venv $(VENV)/lint
	$(VENV)/lint/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-lint.lock
	ln -sf ../lint/bin/lint-imports $(BIN)/lint-imports
	@touch $@

# Postfix, through apt where it is missing; nothing where it is there. Tests that need it are skipped where it cannot be had.
system:
	@demo/setup.sh

demo: system $(VENV)/.ready ## the main job on this machine: a private Postfix, five SMTP servers, a message from each sender
	@$(BIN)/python -m demo

test: $(VENV)/.ready ## all tests: unit, recorded runs, properties, a real Postfix, the image
	@demo/setup.sh || { test -z "$$CI" && echo "make: the tests that need Postfix are skipped" >&2; }
	@SEED=$(SEED) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

soak: system $(VENV)/.ready ## the random tests and those of load and kills, with many times the examples (SOAK=0.1: a tenth)
	@SEED=$(SEED) SOAK=$(SOAK) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal -vv -m soak

coverage: system $(VENV)/.ready ## all tests, and how much of the package they go through, the programs that they start included
	@SEED=$(SEED) $(BIN)/python -m tests.support.measure_coverage --numprocesses $(WORKERS) --dist worksteal $(TESTS)

lint: $(VENV)/.ready ## ruff, mypy, import-linter, shellcheck, hadolint, yamllint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.generate --check
	$(BIN)/shellcheck docker-entrypoint.sh demo/setup.sh .ci/run tools/completion.bash docker/* \
	    dms/relay.sh dms/install dms/bin/* $$(grep -rl '^#!/bin/' tests/dms/base)
	$(BIN)/hadolint Dockerfile tests/dms/base/Dockerfile
	$(BIN)/yamllint --strict .

generated: $(VENV)/.ready ## the shells' completion and the manual page, made anew from the parser
	$(BIN)/python -m tools.generate

bench: system $(VENV)/.ready ## what it costs, as ratios measured in one run
	@$(BIN)/python -m bench

image: ## build the container image (ENGINE=podman for podman)
	$(ENGINE) build --tag dms-relay .

image-dms: ## build docker-mailserver with dms-relay in it
	$(ENGINE) build --target dms --tag dms-relay-mailserver .

clean: ## take away what make has made here
	rm -rf $(VENV) .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
