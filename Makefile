PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
# A stamp is newer than what it was made from, so that a second `make test` installs nothing.
VENV_STAMP := $(VENV)/.stamp-venv
BASE_STAMP := $(VENV)/.stamp-base
ALL_STAMP := $(VENV)/.stamp-all

.DEFAULT_GOAL := help
.PHONY: help env demo test test-slow check clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(ALL_STAMP) ## Make .venv with everything that development needs

demo: $(BASE_STAMP) ## Make a scene and its map (needs no torch)
	$(BIN)/sat2map demo

test: $(ALL_STAMP) ## Run the quick tests
	$(BIN)/python -m pytest

test-slow: $(ALL_STAMP) ## Run the tests that take minutes
	$(BIN)/python -m pytest -m slow

check: $(ALL_STAMP) ## Lint, format, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## Remove .venv, caches and builds
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV_STAMP):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sat2map needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	touch $@

$(BASE_STAMP): $(VENV_STAMP) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[eval]'
	touch $@

$(ALL_STAMP): $(VENV_STAMP) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all]' --group dev
	touch $@ $(BASE_STAMP)
