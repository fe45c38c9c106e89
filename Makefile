VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: demo test check format bench goldens docs clean typings

$(VENV)/.runtime: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(BIN)/pip install --quiet --group dev
	touch $@

demo: $(VENV)/.runtime        ## a mesh on this machine, until Ctrl-C
	$(BIN)/kumactl demo

test: $(VENV)/.dev            ## the whole suite: real Envoy, real PostgreSQL
	$(BIN)/pytest -n auto --dist loadfile -q

typings: $(VENV)/.dev         ## type stubs of Envoy's API for mypy, from its descriptors
	$(BIN)/python tests/support/typings.py

check: typings                ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

goldens: $(VENV)/.dev         ## write the golden files anew
	$(BIN)/pytest -q tests/golden --update-goldens

docs: $(VENV)/.runtime        ## the generated pages of docs/reference
	$(BIN)/python -m kuma.config.docs
	$(BIN)/python -m kuma.api.reference
	$(BIN)/python -m kuma.app.ctl.reference

bench: $(VENV)/.dev           ## a swarm of proxies on the control plane, measured (docs/performance.md)
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) typings .mypy_cache .ruff_cache .pytest_cache
