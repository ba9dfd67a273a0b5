# Everything a person or CI runs. Needs Python 3.11 or later and make; the rest is installed here.
.DEFAULT_GOAL := help
.PHONY: help setup test test-all demo lint lint-workflows types check bench chaos killpoints fuzz mutants record interop wheel schemas docs recording clean

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

# Where this is set, each worker, and each command that a test starts, compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

help:  ## show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.installed  ## create .venv with sfcutover and the development tools

$(VENV)/.program: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("sfcutover needs Python 3.11 or later, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -c 'import re, tomllib; names = [re.split(r"[^\w-]", each)[0] for each in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]]; print("Installing sfcutover and the libraries that it needs into $(VENV), which takes about a minute:", ", ".join(names))'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed: $(VENV)/.program
	@echo 'Installing the development tools into $(VENV): the group dev in pyproject.toml'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'  # knows --group
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

test: setup  ## run the tests, but for the slow ones
	$(PYTEST) -n 6 --dist worksteal -m 'not slow and not interop and not fuzz'

test-all: test  ## run the slow tests, too: real processes, daemons, databases and browsers
	$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder -m slow

demo: $(VENV)/.program  ## run a cutover against an emulated org; installs no development tools
	@$(BIN)/sfcutover demo

lint: setup  ## ruff, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

lint-workflows: setup  ## actionlint and zizmor on action.yml and every workflow
	$(BIN)/python -m tests.lint_workflows

types: setup  ## mypy --strict
	$(BIN)/mypy --strict

check: test lint types  ## what to run before each commit

wheel: setup  ## build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist

interop: setup  ## the official Salesforce CLI, jsforce, CumulusCI and zeep against the emulator
	$(BIN)/python -m tests.interop.install
	$(PYTEST) -m '' tests/interop

bench: setup  ## speed goals, as ratios measured in one run, into docs/explanation/performance.md; SHORT=1 takes a minute and writes nothing
	$(if $(SHORT),,$(BIN)/python -m tests.interop.install sf)
	$(BIN)/python -m tests.bench $(if $(SHORT),--short)

chaos: setup  ## whole runs with something going wrong: make chaos RUNS=100 SEED=1 STATE=sqlite
	$(BIN)/python -m tests.chaos --runs $(or $(RUNS),100) $(if $(SEED),--seed $(SEED)) $(if $(STATE),--state $(STATE))

killpoints: setup  ## kill -9 at every point of a run: make killpoints ONLY=boundaries STATE=postgresql
	$(BIN)/python -m tests.chaos.killpoints $(if $(STATE),--state $(STATE)) $(ONLY)

fuzz: setup  ## hostile files, answers and templates, 2,000 cases a kind: make fuzz CASES=100 SEED=1
	FUZZ_CASES=$(or $(CASES),2000) $(PYTEST) -m fuzz tests/fuzz -n 2 $(if $(SEED),--hypothesis-seed=$(SEED))

mutants: setup  ## small faults in the code that the tests should notice: make mutants PACKAGE=allowlist COUNT=100 SEED=1
	$(BIN)/python -m tests.mutants $(PACKAGE) --count $(or $(COUNT),400) --seed $(or $(SEED),1)

record: setup  ## record cassettes/ anew (cassettes/README.md says from where)
	$(PYTEST) tests/integration/salesforce/test_cassettes.py --record-mode=rewrite

docs: setup  ## write the generated parts of docs/ again, then build the site, strictly, into site/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group docs
	$(BIN)/python -m tests.docs.generated
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

recording: setup  ## record the demo for the README's picture, docs/images/demo.svg
	$(BIN)/python -m tests.docs.recording

schemas: setup  ## write schemas/ anew from the models, and the index of the shell completion
	$(BIN)/python -m sfcutover.cli.schemas schemas
	$(BIN)/python -m sfcutover.cli.completion

clean:  ## remove everything that was made
	rm -rf $(VENV) dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .mutants
