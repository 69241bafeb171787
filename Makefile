# make demo: the whole way on toy faces.  make check: lint, format, types.
# make test: the tests and the notebooks, on every core (at most 8).
# make docs: the documentation as a site, in site/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NOTEBOOKS := $(wildcard examples/*.ipynb)

.PHONY: demo test check docs install clean

demo: $(VENV)/.installed
	"$(BIN)/ferbench" demo

test: $(VENV)/.installed-dev
	"$(BIN)/python" -m pytest -n logical --maxprocesses 8 --dist worksteal --nbmake tests $(NOTEBOOKS)

check: $(VENV)/.installed-dev
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 "$(BIN)/mkdocs" build --strict

install: $(VENV)/.installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml
	"$(BIN)/python" -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	"$(BIN)/python" -m pip install --quiet --editable ".[dev]"
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	"$(BIN)/python" -m pip install --quiet --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache
