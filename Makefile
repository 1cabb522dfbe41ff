# `make demo` and `make test` work on a fresh clone: they need Python 3.11 or newer with venv and pip, and nothing else.
PYTHON ?= python3
# Written last into .venv: an environment without it is half-made and is made again from the start.
INSTALLED := .venv/installed
BENCH := .venv-bench/installed
PYTEST := .venv/bin/python -m pytest
SNAKEMAKE := .venv/bin/snakemake
SNAKEFILES := Snakefile workflow

# One sentence for each way in which a machine's Python can fall short.
define CHECK_PYTHON
@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is `$(PYTHON) --version 2>&1`, and neuroncensus needs 3.11 or newer: name another one: make PYTHON=/path/to/python" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
endef

.DEFAULT_GOAL := help
.PHONY: help .venv demo test test-slow soak lint format bench retrain docs lock clean

help: ## this list
	@sed -n 's/^\([a-z.-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

.venv: $(INSTALLED) ## the environment, with the test tools

$(INSTALLED): pyproject.toml requirements.lock
	$(CHECK_PYTHON)
	@test -e $@ || $(PYTHON) -m venv --clear .venv
	@rm -f $@
	.venv/bin/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## every finding of the bundled model opt-nano, offline
	$(SNAKEMAKE) --cores all
	$(SNAKEMAKE) --quiet all --report results/report.html
	@echo
	@echo "The census of opt-nano is done. Figures:"
	@ls results/opt-nano/*.pdf
	@echo "Report with every figure: results/report.html"
	@echo "Every neuron, to look through: results/opt-nano/browser/index.html"

test: lint ## lint and the quick tests, two at a time
	$(PYTEST) -m "not slow" --numprocesses 2 --dist loadfile

test-slow: $(INSTALLED) ## the tests that take minutes
	@$(PYTEST) -m slow || { status=$$?; test $$status -eq 5 && echo "there are no slow tests" || exit $$status; }

SEED ?= 0

soak: $(INSTALLED) ## a hundred faults, kills among them, on a tiny model; SEED=1 draws others (half an hour)
	PYTHONPATH=src:tests .venv/bin/python -m soak --seed $(SEED)

lint: $(INSTALLED) ## style, format and types, of Python and Snakemake files
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/ty check
	.venv/bin/snakefmt --check $(SNAKEFILES)
	$(SNAKEMAKE) --lint

format: $(INSTALLED) ## rewrite files in the project's format
	.venv/bin/ruff check --fix
	.venv/bin/ruff format
	.venv/bin/snakefmt $(SNAKEFILES)

$(BENCH): pyproject.toml requirements.lock requirements-bench.lock
	$(CHECK_PYTHON)
	@test -e $@ || $(PYTHON) -m venv --clear .venv-bench
	@rm -f $@
	.venv-bench/bin/python -m pip install -qq --disable-pip-version-check -r requirements.lock -r requirements-bench.lock
	.venv-bench/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

bench: $(BENCH) ## every benchmark, in an environment with what they compare with (hours)
	.venv-bench/bin/python -m benchmarks

retrain: $(INSTALLED) ## train the bundled model again, from its recipe (an hour)
	$(SNAKEMAKE) --cores 2 resources/training/nano/positions/loss.pdf
	cp resources/training/nano/positions/checkpoints/step-24000/* models/opt-nano/

docs: $(INSTALLED) ## docs/tables.md and docs/config.md from the schemas, README's costs, and the picture of the rules (needs graphviz)
	.venv/bin/python tools/docs.py
	.venv/bin/python tools/plans.py
	$(SNAKEMAKE) --quiet all --rulegraph -- all results/opt-nano/positional.pdf | dot -Tsvg > docs/images/rulegraph.svg

lock: ## resolve the pins of pyproject.toml into requirements.lock, requirements-bench.lock and envs/
	$(CHECK_PYTHON)
	$(PYTHON) tools/lock.py

clean: ## remove results, downloads and Snakemake's records; .venv stays
	rm -rf results resources .snakemake
