# Each goal first sets up what it needs. See CONTRIBUTING.md.
.PHONY: help demo test soak coverage lint generated docs links recording bench plugin plugin-install image image-dms chart release clean
.DELETE_ON_ERROR:
# So that missing programs are reported before anything is built.
.NOTPARALLEL:

PYTHON ?= python3
ENGINE ?= $(shell command -v docker >/dev/null || ! command -v podman >/dev/null && echo docker || echo podman)
# no: do not install Postfix, and run only the tests that do not need it.
POSTFIX ?=
# Tests wait a lot, for Postfix and for containers: three more processes than processors keep these busy.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 4 ? n + 3 : 6)))
# The seed of the random tests: if empty, a new number in each run, which the summary names.
SEED ?=
# The amount of work of `make soak`: 0.1 is a tenth.
SOAK ?= 1
# The tests of `make coverage`: if empty, all.
TESTS ?=
VENV := .venv
BIN := $(VENV)/bin
# The user for each command, so that `sudo make …` leaves nothing in the tree that its owner cannot remove: see demo/rights.sh.
OWNER := demo/rights.sh owner
ROOT := demo/rights.sh root
CALLER := demo/rights.sh caller
# Lets pytest cache its compiled test files, even if Python is told not to write any: without that, each process takes 6 s more.
COMPILED := env -u PYTHONDONTWRITEBYTECODE

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

# Python 3.11 or later, and every dependency as locked. Tools that conflict with the tests have their own environment inside it
# (requirements-lint.in).
$(VENV)/.ready: requirements-dev.lock requirements-lint.lock pyproject.toml | needs-venv
	@test ! -L $(VENV) || { echo "make: $(VENV) is a link, and what it names would be emptied -- remove the link, then run make again" >&2; exit 73; }
	@echo "Creating the virtual environment $(VENV) from requirements-dev.lock" >&2
	@$(OWNER) $(PYTHON) -m venv --clear $(VENV)
	@$(OWNER) $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(OWNER) $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(OWNER) $(PYTHON) -m venv $(VENV)/lint
	@$(OWNER) $(VENV)/lint/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-lint.lock
	@$(OWNER) ln -sf ../lint/bin/lint-imports $(BIN)/lint-imports
	@$(OWNER) touch $@

# Checks at once for everything that a goal needs. Installs Postfix if it is missing and nothing is lost by it.
needs-%:
	@PYTHON='$(PYTHON)' ENGINE='$(ENGINE)' POSTFIX='$(POSTFIX)' demo/setup.sh $*

demo: needs-demo $(VENV)/.ready ## show it at work on this machine: a private Postfix, five SMTP servers, a message from each sender
	@$(ROOT) $(BIN)/python -m demo

test: needs-test $(VENV)/.ready ## the tests: unit, recorded runs, properties, a real Postfix, the image (POSTFIX=no: without Postfix)
	@$(COMPILED) SEED=$(SEED) $(CALLER) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --draw-cases

soak: needs-soak $(VENV)/.ready ## random data, load and kills with many times the examples, and all that `make test` draws from (SOAK=0.1: a tenth)
	@$(ROOT) $(COMPILED) SEED=$(SEED) SOAK=$(SOAK) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal -vv -m soak

coverage: needs-coverage $(VENV)/.ready ## all tests, and how much of the package they cover, including the programs that they start
	@$(ROOT) env SEED=$(SEED) $(BIN)/python -m tests.support.measure_coverage --numprocesses $(WORKERS) --dist worksteal $(TESTS)

lint: $(VENV)/.ready ## ruff, mypy, import-linter, shellcheck, hadolint, yamllint, actionlint, and helm lint if there is helm
	$(OWNER) $(BIN)/ruff check .
	$(OWNER) $(BIN)/ruff format --check .
	$(OWNER) $(BIN)/mypy
	$(OWNER) $(BIN)/lint-imports
	$(OWNER) $(BIN)/python -m tools.generate --check
	$(OWNER) $(BIN)/shellcheck docker-entrypoint.sh demo/*.sh .ci/run tools/completion.bash docker/* \
	    dms/*.sh dms/install dms/bin/* $$(grep -rl '^#!/bin/' tests/dms/base)
	$(OWNER) $(BIN)/hadolint Dockerfile tests/dms/base/Dockerfile
	$(OWNER) $(BIN)/yamllint --strict .
	$(OWNER) $(VENV)/lint/bin/actionlint .github/workflows/*.yml
	! command -v helm >/dev/null || $(OWNER) helm lint --strict --quiet charts/dms-relay

generated: $(VENV)/.ready ## rebuild the shells' completion, the manual page and the pages of docs/ that come from the code
	$(OWNER) $(BIN)/python -m tools.generate

docs: $(VENV)/docs/.ready ## build the documentation's site in docs/_build/html; fails at a broken link
	@$(OWNER) $(VENV)/docs/bin/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet -b html docs docs/_build/html
	@echo "built: docs/_build/html/index.html"

# From the root, so that README.md and the other pages beside docs/ are read as well.
links: $(VENV)/docs/.ready ## request every address that README.md, docs/ and other pages link to; needs a network
	@$(OWNER) $(VENV)/docs/bin/sphinx-build --quiet -b linkcheck -c docs -D root_doc=README -D exclude_patterns=$(VENV),docs/_build,dist \
	    -D suppress_warnings=toc.not_included,myst.xref_missing . docs/_build/links
	@echo "every link answers: docs/_build/links/output.txt"

recording: needs-demo $(VENV)/docs/.ready ## draw the output of make demo as docs/_static/demo.svg
	@$(ROOT) $(BIN)/python -m demo > $(VENV)/demo.txt
	@$(OWNER) $(VENV)/docs/bin/python tools/recording.py 'make demo' docs/_static/demo.svg < $(VENV)/demo.txt

release: needs-venv $(VENV)/.ready ## build everything to publish of a version, in dist/ (REPOSITORY=https://…; KEY=FILE signs; ARCHITECTURES=none: no images)
	@test -n '$(REPOSITORY)' || { echo "make release: name the public address of the source: make release REPOSITORY=https://…" >&2; exit 2; }
	@$(OWNER) $(BIN)/python -m tools.release --repository '$(REPOSITORY)' --engine '$(ENGINE)' $(if $(ARCHITECTURES),--architectures '$(ARCHITECTURES)') \
	    $(if $(KEY),--key '$(KEY)') $(if $(PASSPHRASE_FILE),--passphrase-file '$(PASSPHRASE_FILE)') $(if $(DRAFT),--draft)

# Separate from the other environments, and created only if the site is built.
$(VENV)/docs/.ready: requirements-docs.lock | $(VENV)/.ready
	@$(OWNER) $(PYTHON) -m venv --clear $(VENV)/docs
	@$(OWNER) $(VENV)/docs/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock
	@$(OWNER) touch $@

bench: needs-bench $(VENV)/.ready ## measure costs, as ratios in one run
	@$(ROOT) $(BIN)/python -m bench

plugin: needs-plugin ## build the plugin for logins with an access token (XOAUTH2, OAUTHBEARER): see sasl/README.md
	@$(OWNER) $(MAKE) --no-print-directory -C sasl
	@echo "built: sasl/libdmsrelayoauth2.so; sudo make plugin-install installs it for Postfix"

plugin-install: needs-plugin ## install it into Cyrus SASL's directory, as root
	@$(MAKE) --no-print-directory -C sasl install

image: needs-image ## build the container image (ENGINE=podman for podman)
	$(ENGINE) build --target relay --tag dms-relay .

image-dms: needs-image ## build docker-mailserver with dms-relay in it
	$(ENGINE) build --target dms --tag dms-relay-mailserver .

chart: ## package the Helm chart into dist/ (needs helm)
	@command -v helm >/dev/null || { echo "make chart needs helm, 3.11 or later: https://helm.sh/docs/intro/install/" >&2; exit 69; }
	$(OWNER) helm package charts/dms-relay --destination dist

clean: ## remove everything that make has created here
	rm -f sasl/libdmsrelayoauth2.so
	rm -rf $(VENV) dist docs/_build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
