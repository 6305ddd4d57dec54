# Two commands for newcomers: `make demo` and `make test`. They write .venv and demo; nothing else is touched.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# Tests wait for servers and clocks much of the time, so more run at once than there are processors; the slow ones of a file,
# or of a class, share what they start. What was compiled once is not compiled at every start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo install test test-postgres check bench lock clean audit sbom

demo: $(VENV)/.runtime ## see the main job done, in half a minute
	$(BIN)/escucha demo --dir demo

install: $(VENV)/.runtime ## what `escucha` needs to run, pinned

test: $(VENV)/.dev ## every test, the fast ones first
	$(BIN)/python -m pytest -q -n 4 --dist worksteal -m "not slow"
	$(BIN)/python -m pytest -q -n 4 --dist loadscope --no-loadscope-reorder -m slow

test-postgres: $(VENV)/.dev ## the same tests on PostgreSQL
	$(BIN)/python -m pytest -q -n 4 --dist worksteal -m "not slow" --on postgresql
	$(BIN)/python -m pytest -q -n 4 --dist loadscope --no-loadscope-reorder -m slow --on postgresql

check: $(VENV)/.dev ## style, types, who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports

bench: $(VENV)/.dev ## what docs/benchmarks.md says, measured again (an hour or more); some of it: make bench ONLY=growth,latency
	$(BIN)/python -m benchmarks --only "$(ONLY)"

lock: ## pin every dependency with its hashes; see CONTRIBUTING.md
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --quiet --custom-compile-command "make lock" -o requirements.lock
	uv pip compile pyproject.toml --extra dev --extra plots --extra postgres --extra salesforce --extra telemetry --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --quiet --custom-compile-command "make lock" -o requirements-dev.lock

audit: .venv-tools/.made ## whether a weakness is known of what we depend on; exit 75 of `.ci/audit`: it could not look
	.ci/audit .venv-tools/bin/pip-audit

sbom: .venv-tools/.made ## what Escucha is made of, as CycloneDX: dist/escucha.cdx.json
	@mkdir -p dist
	.venv-tools/bin/python -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
	  --mc-type application --output-reproducible --of JSON -o dist/escucha.cdx.json
	@echo "dist/escucha.cdx.json"

.venv-tools/.made: .ci/tools.txt
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check -r .ci/tools.txt
	@touch $@

clean:
	rm -rf $(VENV) .venv-tools demo build dist *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Escucha needs Python 3.11 or newer; say which: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(VENV)/bin/python requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (a few minutes, once) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python requirements-dev.lock pyproject.toml
	@echo "Installing into $(VENV) (a few minutes, once) …"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@ $(VENV)/.runtime
