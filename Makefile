# make venv     an environment in .venv, made by any Python 3.11 to 3.13 it finds
# make demo     a synthetic operator, questions in SQL, private answers; the first time pip fetches packages
# make notebook the first lesson in JupyterLab
# make test     the quick suite: fast tests of everything, a part of the long ones; five minutes on two idle cores
# make test-all every test but two files of Spark's, which nightly alone runs; twenty minutes
# make mutants  how many of 30 bugs, drawn by a seed, make test catches; an hour or two on two cores
# make check    style, types of code and calls of tests, the law of the house
# make nightly  the long searches, a line of result each, then all tests in their long forms; a few hours on two cores
# make docs     docs/functions.md, docs/refusals.md and the tables of docs/server.md and docs/catalog.md, from what they are about
# make conformance   how many expressions give DuckDB's own values
# make conformance-spark   the same of Spark's forms, on a Java 17 or 21
# make bench    ratios to plain DuckDB
#
# PASSERSBY_NIGHTLY_SHARE=0.01 makes a hundredth of the nightly examples.
# PYTHON=python3.13 picks an interpreter, VENV=folder another place, ARGS="-k word" is handed to pytest, or to jupyter lab.

VENV ?= .venv
ARGS ?=
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help venv demo notebook test test-all mutants check nightly docs conformance conformance-spark bench
.DELETE_ON_ERROR:
# Tests start hundreds of interpreters: each would compile every module anew
unexport PYTHONDONTWRITEBYTECODE

bin := $(VENV)/bin
# not quiet: the first time it fetches packages for a minute or two, and a line for each shows that it works
pip := $(bin)/python -m pip --disable-pip-version-check
tests := $(bin)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder
suits := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

help:
	@sed -n '/^# /s/^# //p;/^$$/q' Makefile

# An interpreter counts only if it runs: a version manager's shim may stand for nothing.
$(bin)/pip:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  if $$python -c '$(suits)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python that can make the environment: it takes 3.11, 3.12 or 3.13 with its venv module." >&2; \
	  for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	    echo "  $$python: $$($$python -c 'import sys; print(sys.version.split()[0])' 2>/dev/null || echo not there)" >&2; \
	  done; \
	  echo "Try: make venv PYTHON=/path/to/python3.12 (on Debian, first: apt-get install python3-venv)." >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found -V)"; \
	$$found -m venv $(VENV)
	@touch $@

# The stamps are older than pyproject.toml when it changed: then, and only then, pip runs again.
$(VENV)/.with-engine: pyproject.toml | $(bin)/pip
	@echo "Installing passersby[engine] into $(VENV)"
	@$(pip) install --editable '.[engine]'
	@touch $@

$(VENV)/.with-notebook: pyproject.toml | $(bin)/pip
	@echo "Installing passersby[notebook] into $(VENV)"
	@$(pip) install --editable '.[notebook]'
	@touch $(VENV)/.with-engine $@

$(VENV)/.with-dev: pyproject.toml | $(bin)/pip
	@echo "Installing passersby[dev] into $(VENV)"
	@$(pip) install --editable '.[dev]'
	@touch $(VENV)/.with-engine $@

# Tests of Spark run on a Java 17 or 21 of the machine.
$(VENV)/.with-nightly: pyproject.toml | $(bin)/pip
	@echo "Installing passersby[dev,fuzz] into $(VENV)"
	@$(pip) install --editable '.[dev,fuzz]'
	@touch $(VENV)/.with-engine $(VENV)/.with-dev $@

venv: $(VENV)/.with-dev
	@echo "Ready: source $(bin)/activate"

demo: $(VENV)/.with-engine
	@$(bin)/passersby demo

notebook: $(VENV)/.with-notebook
	@$(bin)/jupyter lab notebooks/1_first_count.ipynb $(ARGS)

# tests/support/plugins/quick.py says which tests are in the quick suite.
test: $(VENV)/.with-dev
	@$(tests) --quick $(ARGS)

test-all: $(VENV)/.with-dev
	@$(tests) $(ARGS)

mutants: $(VENV)/.with-dev
	@$(bin)/python -m tests.mutants $(ARGS)

check: $(VENV)/.with-dev
	@echo "ruff format" && $(bin)/ruff format --check .
	@echo "ruff check" && $(bin)/ruff check .
	@echo "mypy" && $(bin)/mypy
	@echo "lint-imports" && $(bin)/lint-imports
	@echo "tests/house" && $(tests) tests/house $(ARGS)

nightly: $(VENV)/.with-nightly
	@$(bin)/python -m tests.nightly
	@PASSERSBY_NIGHTLY=1 $(tests) --timeout 0 $(ARGS)

docs: $(VENV)/.with-dev
	@$(bin)/python -m tests.pages

conformance: $(VENV)/.with-dev
	@$(bin)/python -m tests.conformance

conformance-spark: $(VENV)/.with-nightly
	@$(bin)/python -m tests.conformance --spark

bench: $(VENV)/.with-dev
	@$(bin)/python -m tests.bench
