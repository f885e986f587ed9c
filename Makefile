# Six verbs. Each also works as the plain command it runs.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: demo test check fix bench soak
.DEFAULT_GOAL := test

# Runs the main job on the bundled drive. `make demo ARGS=--once` prints a summary and exits.
demo: .venv/ready
	@$(BIN)/v2x demo $(ARGS)

test: .venv/dev
	$(BIN)/python -m pytest $(ARGS)

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

fix: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/dev
	$(BIN)/python -m pip install --quiet -e '.[bench]'
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only $(ARGS)

# What does not fit into every run: 100,000 hostile frames a format, ten million over all decoders by the
# fuzzer, the memory of each decoder, and ten million hostile rows at the tracker, with and without bounds checks, ten times the examples of every property, and the core
# without the compiler.
soak: .venv/dev
	$(BIN)/python -m tests.ingest.hostile 100000 1
	NUMBA_BOUNDSCHECK=1 V2X_CACHE=.venv/bounds $(BIN)/python -m tests.ingest.hostile 100000 2
	$(BIN)/python -m tests.ingest.fuzz 10000000 --seed 3
	$(BIN)/python -m tests.ingest.memory
	$(BIN)/python -m tests.fusion.hostile 10000000 1
	NUMBA_BOUNDSCHECK=1 V2X_CACHE=.venv/bounds $(BIN)/python -m tests.fusion.hostile 1000000 2
	V2X_SOAK=1 $(BIN)/python -m pytest tests/ingest tests/fusion tests/lowalt tests/alerts tests/test_geodesy.py tests/test_polygons.py
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/scoring tests/fusion/test_association.py tests/ingest/test_jt808.py tests/ingest/test_columns.py

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "v2x needs Python 3.11 or newer; name one with make PYTHON=...")'
	@echo 'v2x: setting up .venv' >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/dev: .venv/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
