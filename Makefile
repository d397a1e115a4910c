# `make help` lists what can be made. Uses whatever Python is first on the path: enter a virtual environment before.
PYTHON ?= python3
DEBUG_VENV := build/debug/venv

.DEFAULT_GOAL := help
.PHONY: help build debug test test-long test-debug lint bench docs waveforms clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

build:  ## install editable with everything for development, and compile the core for release
	$(PYTHON) -m pip install -e ".[test]"

debug:  ## compile the core with bounds checks and sanitizer, in an environment of its own
	$(PYTHON) -m venv $(DEBUG_VENV)
	CTMETER_DEBUG=1 $(DEBUG_VENV)/bin/pip install --quiet ".[test]"

test:  ## the tests, without the long ones
	$(PYTHON) -m pytest

test-long:  ## the long tests alone
	$(PYTHON) -m pytest -m long

test-debug: debug  ## the tests of the core in the checked build
	$(DEBUG_VENV)/bin/python -m pytest -q tests/core

lint:  ## ruff, cython-lint, mypy, stubtest
	$(PYTHON) -m ruff check .
	cython-lint src
	$(PYTHON) -m mypy
	$(PYTHON) -m mypy.stubtest ctmeter._dsp --allowlist .ci/stubtest.allow --mypy-config-file pyproject.toml

bench:  ## the benchmarks
	$(PYTHON) -m pytest benchmarks -m "" --benchmark-columns=median,iqr,rounds

docs:  ## the generated pages
	$(PYTHON) tools/make_clauses.py
	$(PYTHON) tools/make_data_model.py
	$(PYTHON) tools/make_accuracy.py
	$(PYTHON) tools/make_features.py

waveforms:  ## the sample recordings and their catalogue
	$(PYTHON) tools/make_waveforms.py

clean:  ## remove everything that was built
	rm -rf build dist src/*.egg-info src/ctmeter/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
