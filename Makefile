# Everything lives in .venv beside this file; PYTHON may name another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: bench test docs pictures clean

## Set up and run the main job: every card on the embedded phantom.
bench: $(VENV)/.offline
	$(BIN)/zoo bench --all

## Set up and run the tests: lint, format, types, pytest.
test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

## Build the documentation into build/docs.
docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W -b html docs build/docs

## Make the pictures and the example report of the documentation, all from one bench on the phantom; needs Chromium.
pictures: $(VENV)/.dev
	$(BIN)/python -m docs.pictures

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "zoo needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.offline: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[offline]"
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install -q -e ".[offline,hub,remote,search,optuna,slurm,ray,jax,export,serve,labels,frames,tensorboard,mlflow,docs,dev]"
	@touch $@

clean:
	rm -rf $(VENV)
