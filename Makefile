# make setup: .venv with everything; make demo: see it run; make test: prove it; make bench: the figures of the README;
# make fuzz: ten million damaged datagrams; make pictures: those of docs/terminal.md, from a real run.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup demo test lint bench fuzz pictures clean

setup: $(STAMP)

# A bare Debian has no ensurepip: then the environment is made without pip, and the pip at hand installs into it.
$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --without-pip --clear $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 \
		&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,report,serve]' \
		|| $(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --editable '.[dev,report,serve]'
	@touch $(STAMP)

demo: setup
	@$(BIN)/simbench demo

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: lint
	@$(BIN)/python -m pytest

bench: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[peers]'
	@$(BIN)/simbench bench

fuzz: setup
	@$(BIN)/python tests/fuzz/run.py

pictures: setup
	@$(BIN)/python docs/pictures/make.py

clean:
	rm -rf $(VENV)
