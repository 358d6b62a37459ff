# `make` alone lists the targets. ARGS is handed on: make matrix ARGS="--inspect -e 'torch2*'"
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help matrix test lint mutate faults storms span verdicts diagnose-score bench gpu-check clean
.DELETE_ON_ERROR:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

matrix: $(VENV)/.installed ## Run the matrix and print the compatibility table (ARGS: options of `validator run`)
	@$(BIN)/validator run $(ARGS)

test: $(VENV)/.installed-test ## Run the tests (ARGS: options of pytest)
	@$(BIN)/python -m pytest $(ARGS)

verdicts: $(VENV)/.installed ## Score the rules on a file of real reports (ARGS: the file, options)
	@$(BIN)/python bin/score_verdicts $(ARGS)

bench: $(VENV)/.installed ## Measure seconds and memory at growing sizes (ARGS: names of benchmarks)
	@$(BIN)/python bin/bench $(ARGS)

diagnose-score: $(VENV)/.installed ## Score the diagnosis on a file of real reports (ARGS: the file, --fold N)
	@$(BIN)/python bin/score_diagnose $(ARGS)

lint: $(VENV)/.installed-test ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutate: $(VENV)/.installed-test ## Break the code in small ways and see what the tests notice (ARGS: validator/rules -n 40 --seed 7)
	@$(BIN)/python bin/mutate $(ARGS)

faults: $(VENV)/.installed-test ## Set up every broken environment, see it named, and write docs/faults.md (ARGS: options of pytest)
	@VALIDATOR_WRITE_FAULTS=1 $(BIN)/python -m pytest tests/faults $(ARGS)

storms: $(VENV)/.installed-test ## Kill runs and engines, fill disks, and write docs/storms.md; as root (ARGS: options of pytest)
	@VALIDATOR_WRITE_STORMS=1 $(BIN)/python -m pytest tests/storms -m storm $(ARGS)

span: $(VENV)/.installed ## Measure one torch of every generation on the CPU (ARGS: --torch 2.6.0, --list, --keep)
	@$(BIN)/python tests/span $(ARGS)

gpu-check: $(VENV)/.installed-test ## Measure this machine's GPU with its own torch, into docs/measured (PYTHON: whose torch)
	@$(BIN)/python tests/gpu --python '$(PYTHON)' $(ARGS)

clean: ## Remove the virtual environment, the results and all caches
	rm -rf $(VENV) .validator build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find validator tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps, so that `make matrix` does not wait for the tools of the developers.
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: Python 3.10 or newer is needed, '$(PYTHON)' is not; try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: '$(PYTHON)' cannot make virtual environments; try: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
