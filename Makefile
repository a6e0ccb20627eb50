# Everything a person does with this folder. `make help` lists the verbs.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
WORKERS ?= 3
ARGS ?=

BIN := .venv/bin
RUNTIME := .venv/.requirements
DEVELOPMENT := .venv/.requirements-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up setup test real-tools check format bench schema lock web clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: setup ## Start Lucity on this machine (ARGS="--port 9000 --no-browser")
	@exec $(BIN)/lucity up $(ARGS)

setup: $(RUNTIME) ## Install Lucity into .venv, from requirements.lock

test: $(DEVELOPMENT) ## Run the unit, contract and end-to-end tests (ARGS="tests/unit -k names")
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(or $(ARGS),tests/unit tests/contract tests/e2e)

real-tools: ## Build the pinned Kubernetes, KWOK, Helm and Docker Compose for the tests, once; needs Go
	@tests/real/build kubernetes
	@tests/real/build compose

check: $(DEVELOPMENT) ## Check style, types, the direction of imports and schema.graphql
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/lucity schema | diff -u schema.graphql - || { echo "schema.graphql is not what the code says: make schema"; exit 1; }

format: $(DEVELOPMENT) ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(DEVELOPMENT) ## Measure, each figure as a ratio within one run (ARGS=--full)
	@set -e; for script in bench/[a-z]*.py; do echo "== $$script"; \
		$(BIN)/python -m bench.$$(basename $$script .py) $(ARGS); done

schema: $(RUNTIME) ## Write schema.graphql from the code
	$(BIN)/lucity schema > schema.graphql.new
	@mv schema.graphql.new schema.graphql

lock: $(DEVELOPMENT) ## Resolve both locks again (ARGS="--upgrade" for newer versions)
	$(call compile,requirements.lock,--extra build)
	$(call compile,requirements-dev.lock,--all-extras --constraint requirements.lock)

web: ## Build the bundle under api/static again; needs Node 22
	cd web && npm ci && npm run build

clean: ## Remove .venv and caches; the data folder stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache lucity.egg-info web/node_modules

define compile
$(BIN)/uv pip compile --quiet pyproject.toml $(2) --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --output-file $(1) $(ARGS)
endef

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Lucity needs Python 3.11 or newer; none was found: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lucity needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv

# setuptools comes from the lock, so that the last step needs no download of its own and every download has its hash.
$(RUNTIME): requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing Lucity into .venv, about 120 MB the first time"
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
