# Two commands on a fresh machine with Python 3.11+, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test test-slow check format benchmark benchmark-networks clean

demo: $(READY)  ## set up, simulate an event, map it, hold the map against the truth, say where to look
	$(BIN)/headscarp simulate --out runs/demo-event --overwrite
	$(BIN)/headscarp map runs/demo-event --out runs/demo --overwrite
	$(BIN)/headscarp evaluate runs/demo runs/demo-event/inventory.gpkg --dem runs/demo-event/dem.tif \
		--out runs/demo-evaluation --overwrite

test: $(READY)  ## set up, run the tests
	$(BIN)/python -m pytest -n auto -m "not slow"

test-slow: $(READY)  ## the tests that take minutes
	$(BIN)/python -m pytest -n auto -m slow

check: $(READY)  ## the one ritual: format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: $(READY)  ## peak memory of two mapped areas, one four times the other
	$(BIN)/python -m benchmarks.memory

benchmark-networks: $(READY)  ## speed of every network against the machine's matrix product
	$(BIN)/python -m benchmarks.networks

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "headscarp needs Python 3.11 or newer"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) runs build .pytest_cache .mypy_cache .ruff_cache .hypothesis
