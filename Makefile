# Bare `make` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --no-annotate

.DEFAULT_GOAL := help
.PHONY: help init check format generate drift unit e2e test figures demo bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

init: .venv/.ready ## Create .venv with the pinned dependencies and this package

.venv/.ready: requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the pinned dependencies into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

check: init ## Format, lint, types, import contracts, generated files, unit tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory drift
	@$(MAKE) --no-print-directory unit

format: init ## Format the code and fix what lint can fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: init ## Write the CRDs, the reference and the page on reliability from the models and the tests
	@$(BIN)/python -m stepdown.cli crd --write .
	@PYTHONPATH=e2e $(BIN)/python -m reliability write

drift: init
	@$(BIN)/python -m stepdown.cli crd --check .
	@PYTHONPATH=e2e $(BIN)/python -m reliability check

unit: init ## Unit tests (under 30 s)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest tests -q -n 3 --dist loadfile # one more than most have cores: some tests wait

e2e: init ## Tests on a real control plane and a real Prometheus (builds them the first time)
	@PYTHONPATH=e2e $(BIN)/python -m plane build
	@$(BIN)/python -m pytest e2e -q

test: init ## Everything: checks, unit tests, end-to-end tests; then the figures
	@PYTHONPATH=e2e $(BIN)/python -m reliability begin
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory e2e
	@PYTHONPATH=e2e $(BIN)/python -m reliability end

figures: init ## Keep the figures of the last `make test` for docs/reliability.md
	@PYTHONPATH=e2e $(BIN)/python -m reliability record
	@$(MAKE) --no-print-directory generate

demo: init ## Watch two shops through a launch, one with a policy and one without (KEEP=1 leaves it running)
	@PYTHONPATH=e2e $(BIN)/python -m demo $(if $(KEEP),--keep)

bench: init ## Measure speed against peers and floors in the same run; JSON in bench/results
	@PYTHONPATH=e2e:. $(BIN)/python -m bench

lock: ## Pin the newest allowed dependencies, with hashes
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	@$(UV_COMPILE) --upgrade pyproject.toml --output-file requirements/run.txt
	@$(UV_COMPILE) --upgrade pyproject.toml --group dev --output-file requirements/dev.txt
	@$(UV_COMPILE) --upgrade --group build --output-file requirements/build.txt

clean: ## Remove .venv and caches of this clone
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
