# Two commands on a fresh machine with Python >= 3.11 and make: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

export DO_NOT_TRACK := true
# A process to each core in tests, and fits side by side: more threads within each would only wait for one another.
export OPENBLAS_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

REFERENCES := .venv/references

.PHONY: setup run test check bench references fhir ui lock

setup: $(STAMP)

# The stamp makes the second `make` need no network.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $(STAMP)

run: setup
	$(BIN)/foretide run

# A process to each core; tests of one file stay together, for they share what they build.
test: setup
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file mypy-pipelines.ini
	$(BIN)/lint-imports
	$(BIN)/python -c "from pipelines.definitions import defs; defs.get_repository_def().load_all_definitions()"

bench: setup
	$(BIN)/python -m pytest tests/bench --benchmark-only

# Tools of the literature that features are compared with, in an environment of their own: one needs an old pandas.
references: $(REFERENCES)/.installed

$(REFERENCES)/.installed: requirements-references.lock $(STAMP)
	$(BIN)/python -m venv $(REFERENCES)
	$(REFERENCES)/bin/python -m pip install --quiet --no-deps --only-binary :all: --require-hashes -r requirements-references.lock
	touch $@

# Validators of FHIR R4 that are not ours, and what they say of deliveries; needs Node.js.
FHIR := tests/fhir_validators

fhir: setup $(FHIR)/node_modules/.installed
	$(BIN)/python -m pytest $(FHIR)

$(FHIR)/node_modules/.installed: $(FHIR)/package-lock.json
	cd $(FHIR) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

ui: setup
	$(BIN)/foretide ui

# After changing dependencies in pyproject.toml; needs uv.
lock:
	uv pip compile --universal --no-header --no-annotate --no-strip-extras --generate-hashes --extra dev pyproject.toml -o requirements.lock
	uv pip compile --universal --no-header --no-annotate --no-strip-extras --generate-hashes --override tests/references/overrides.txt tests/references/requirements.in -o requirements-references.lock
