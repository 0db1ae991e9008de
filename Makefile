# Everything runs in .venv, made on first use: a fresh machine needs Python 3.11 or newer, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCRATCH := .scratch
STAMP := $(VENV)/.installed
# What the reference is about: rooms and families whose names are meant to be imported.
REFERENCE := spaces spaces.exam spaces.lion spaces.tabnas spaces.template evaluators evaluators.protocol \
	evaluators.exam evaluators.seeds evaluators.datasets evaluators.optimizer evaluators.tabular hashing hashing.policies \
	hashing.stores hashing.functional_cache search search.exam search.protocol search.policy.additive \
	search.policy.chain search.pyglove_bridge spaces.costs spaces.limits spaces.feasible launch.experiment launch.patches
BENCH_STAMP := $(VENV)/.installed-bench

.PHONY: demo test test-all drill lint bench docs newcomer clean

demo: $(STAMP)  ## run the main job: discover an optimizer
	$(BIN)/python launch/run.py --config launch/configs/lion.py:demo --workdir runs/demo

test: $(STAMP) $(SCRATCH)/isozyme  ## the tests, and the doctests through a folder where the checkout is named isozyme
	cd $(SCRATCH) && ../$(BIN)/python -m pytest -c isozyme/setup.cfg --rootdir isozyme isozyme/tests -m alone
	cd $(SCRATCH) && ../$(BIN)/python -m pytest -c isozyme/setup.cfg --rootdir isozyme isozyme/tests \
		-m "not nightly and not alone" -n 2 --dist loadgroup $(ARGS)

test-all: $(STAMP) $(SCRATCH)/isozyme  ## the tests and the long drills
	cd $(SCRATCH) && ../$(BIN)/python -m pytest -c isozyme/setup.cfg --rootdir isozyme isozyme/tests $(ARGS)

drill: $(STAMP) $(SCRATCH)/isozyme  ## kill the controller 30 times and workers 30 times; ends with what was lost
	cd $(SCRATCH) && ../$(BIN)/python -m isozyme.tests.drill $(ARGS)

lint: $(STAMP) $(SCRATCH)/isozyme  ## style, types and the arrows between rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python tests/import_arrows.py

bench: $(BENCH_STAMP)  ## all benchmarks, quickly; nothing else should run meanwhile
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file --quick || exit 1; done

docs: $(STAMP) $(SCRATCH)/isozyme  ## a reference of public names, made from their docstrings: .scratch/reference/index.html
	cd $(SCRATCH) && ../$(BIN)/pdoc --docformat google --output-directory reference $(addprefix isozyme.,$(REFERENCE))

newcomer:  ## the first hour, in a fresh clone, with README and docs alone to go by; five minutes
	$(PYTHON) tests/newcomer.py $(ARGS)

clean:  ## everything that make has made
	rm -rf $(VENV) $(SCRATCH) build dist *.egg-info

$(STAMP): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	touch $@

# Inside the checkout, pytest and type checkers would import modules twice, under two names.
$(SCRATCH)/isozyme:
	mkdir -p $(SCRATCH)
	ln -sfn .. $@
