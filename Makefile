# towline: everything a newcomer or CI runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Images of Python set it, and then each of hundreds of processes would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that is new enough; name another with `make PYTHON=/path/to/python3.13 …`.
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then command -v $$p; break; fi; done)
endif
BIN := .venv/bin
STAMP := .venv/.installed
# uv takes a third of the time; pip knows indexes that uv was not told of.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
JOBS ?= 4
PLANE ?= embedded

.PHONY: help
help: ## list what make can do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /make \1\t/' | expand -t 20

$(STAMP): requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "towline needs Python 3.11 or newer on PATH; set PYTHON=/path/to/python3" >&2; exit 1; fi
	@echo "== setting up .venv with $$($(PYTHON) --version) and the locked dependencies (half a minute)"
	@$(PYTHON) -m venv --clear .venv
	@awk '/^[a-z]/ { ours = /^uv==/ } ours' requirements.lock > .venv/uv.lock
	@$(PIP) --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --system-certs --compile-bytecode \
		--require-hashes -r requirements.lock || \
		{ echo "== once more, with pip" >&2; $(PIP) --require-hashes -r requirements.lock; }
	@$(PIP) --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q agent api certs hub kube sandbox
	@touch $@

.PHONY: setup
setup: $(STAMP) ## create .venv with the locked dependencies

.PHONY: kube
kube: $(STAMP) ## build the real control plane once (about 7 minutes), into your cache
	@$(BIN)/python -m towline_sandbox.kube_build

.PHONY: demo
demo: $(STAMP) ## join a cluster to a hub on this machine and show each step
	@if [ "$(PLANE)" = kube ]; then $(MAKE) kube >/dev/null; fi
	@$(BIN)/towline demo --plane $(PLANE) $(ARGS)

.PHONY: test
test: $(STAMP) ## run all tests: unit, component, and against the real kube-apiserver
	@$(MAKE) kube >/dev/null || echo "== no real control plane to be had: tests that need one will be skipped"
	@echo "== running the tests on $(JOBS) workers"
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup $(ARGS)

.PHONY: test-fast
test-fast: $(STAMP) ## run the tests that need no control plane
	@$(BIN)/python -m pytest -q -n $(JOBS) -m "not kube" $(ARGS)

.PHONY: lint
lint: $(STAMP) ## ruff, mypy --strict, import contracts
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== import contracts"
	@$(BIN)/lint-imports

.PHONY: fmt
fmt: $(STAMP) ## format the code and sort imports
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: lock
lock: $(STAMP) ## resolve the dependencies afresh into requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--python-version 3.11 --group dev --extra sandbox pyproject.toml -o requirements.lock $(ARGS)
	@$(MAKE) lock-image

# The part of the lock that the container image needs to run, and the part that builds the wheel.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	--python-version 3.11 -c requirements.lock
.PHONY: lock-image
lock-image: $(STAMP) ## take what the container image needs out of requirements.lock
	@$(COMPILE) pyproject.toml -o deploy/requirements/run.lock
	@echo hatchling | $(COMPILE) - -o deploy/requirements/build.lock

.PHONY: manifests
manifests: $(STAMP) ## write the bases in deploy/ anew from the code
	@$(BIN)/towline manifests hub --folder deploy/hub/base
	@$(BIN)/towline manifests agent --folder deploy/agent/base

.PHONY: clean
clean: ## remove .venv and what tools left behind (the built control plane stays in your cache)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
