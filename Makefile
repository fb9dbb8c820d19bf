PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/dev.txt
TORCH := torch==2.13.0
LOWEST := .venv-lowest
UV := $(BIN)/uv
WHICH ?= best
SAT2MAP_DATA ?= data
SAT2MAP_GROUND ?= $(SAT2MAP_DATA)/ground
# Images on which the 8-bit activations of a model that ships are measured. Of `maps` none but for the model trained on it.
CALIBRATION_newyork := $(SAT2MAP_DATA)/maps/train
CALIBRATION_open := $(SAT2MAP_GROUND)/landscapes $(SAT2MAP_GROUND)/city $(SAT2MAP_DATA)/roads/massachusetts \
	$(addprefix $(SAT2MAP_DATA)/elsewhere/,chesapeake dubai naip ucmerced)
CALIBRATION ?= $(CALIBRATION_$(NAME))
# The package holds the weights of the model that anyone may use.
WEIGHTS := $(if $(filter open,$(NAME)),src/sat2map/bundled,weights)
COMPILE := $(UV) pip compile --quiet --no-annotate --no-emit-index-url --excludes requirements/unlocked.txt pyproject.toml
# A stamp is newer than what it was made from, so that a second `make test` installs nothing.
BASE := $(VENV)/.base
ALL := $(VENV)/.all

.DEFAULT_GOAL := help
.PHONY: help env demo test test-lowest test-slow check docs qgis-plugin lock ship clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(ALL) ## Make .venv with everything that development needs

demo: $(BASE) ## Make a scene and its map (needs no torch)
	$(BIN)/sat2map demo

test: $(ALL) ## Run the quick tests
	$(BIN)/python -m pytest

test-lowest: $(ALL) ## Run the quick tests on the lowest versions that pyproject.toml allows, without torch
	$(UV) venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(COMPILE) --resolution lowest-direct --extra eval --extra serve --group test -o $(LOWEST)/requirements.txt
	$(UV) pip install --quiet --python $(LOWEST) -r $(LOWEST)/requirements.txt
	$(UV) pip install --quiet --python $(LOWEST) --no-deps -e .
	$(LOWEST)/bin/python -m pytest

test-slow: $(ALL) ## Run the tests that take minutes
	$(BIN)/python -m pytest -m slow

check: docs ## Lint, format, types, who imports whom, workflows and the pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

docs: export NO_MKDOCS_2_WARNING := 1
docs: $(ALL) ## Build the pages into site/; a broken link is an error
	$(BIN)/mkdocs build --strict

qgis-plugin: ## Make dist/sat2map_qgis.zip, which QGIS installs
	$(PYTHON) qgis/package.py dist/sat2map_qgis.zip

lock: ## Resolve requirements/dev.txt again; UPGRADE=--upgrade also takes newer versions
	$(COMPILE) --universal --python-version 3.11 $(UPGRADE) --extra all --group dev \
		--custom-compile-command 'make lock' -o $(LOCK)

ship: $(ALL) ## Make NAME one of the models that ship, in 8-bit integers, from the folder RUN: make ship NAME=open RUN=runs/open
	@test -n "$(NAME)" -a -n "$(RUN)" -a -n "$(CALIBRATION)" || \
		{ echo 'make ship NAME=open RUN=runs/open [WHICH=best|last|calibrated] [CALIBRATION="FOLDER ..."]' >&2; exit 2; }
	$(BIN)/sat2map model export $(RUN)/generator_$(WHICH).safetensors $(addprefix --int8 ,$(CALIBRATION)) \
		-o src/sat2map/bundled/$(NAME).onnx --overwrite
	for part in generator discriminator; do test ! -e $(RUN)/$${part}_$(WHICH).safetensors || $(BIN)/sat2map model halve \
		$(RUN)/$${part}_$(WHICH).safetensors -o $(WEIGHTS)/$(NAME)-$$part.safetensors --overwrite || exit 1; done

clean: ## Remove environments, caches and builds
	rm -rf $(VENV) $(LOWEST) build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BASE): pyproject.toml $(LOCK)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sat2map needs Python 3.11 or later: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c $(LOCK) -e '.[eval]'
	touch $@

$(ALL): $(BASE)
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet -c $(LOCK) -e '.[all]' --group dev
	touch $@
