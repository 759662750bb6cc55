# make run, make test, make slow, make lint, make bench. Needs Python 3.11 or newer and make; all else comes from requirements.lock.
PYTHON ?= $(or $(shell command -v python3.11 2>/dev/null),$(shell command -v python3 2>/dev/null))
BIN := .venv/bin
STAMP := .venv/.installed
QUICK := $(wildcard tests/unit tests/integration tests/browser)
SMOKE := $(wildcard tests/smoke)
SUITES := $(QUICK) $(SMOKE)
CODE := $(wildcard domain playbooks storage channels engine tasks flows runner web cli locales tests benchmarks examples)
UP_ARGS ?=
PYTEST_ARGS ?=
DAYS_ARGS ?=
took = seconds=$$(( $$(date +%s) - begun )); echo "$(1): $$(( seconds / 60 )) min $$(( seconds % 60 )) s"

.PHONY: help run test test-days slow lint format docs pictures bench lock install clean

help:
	@echo 'make run     install into .venv and start Tocsin (UP_ARGS="--port 7800" to pass options)'
	@echo 'make test    every quick test (PYTEST_ARGS="-k heartbeat" to choose)'
	@echo 'make test-days  what reads the clock, and the unit tests, on twelve dates (needs faketime)'
	@echo 'make slow    the tests that take minutes: kills, freezes, long runs'
	@echo 'make lint    ruff, mypy --strict, the import rules, code that nothing calls'
	@echo 'make format  let ruff put the code in shape'
	@echo 'make docs    write docs/reference.md from the program'
	@echo 'make pictures  write the screenshots in docs/img (needs chromium)'
	@echo 'make bench   measure the promises'
	@echo 'make lock    resolve requirements.lock anew'

run: $(STAMP)
	@exec $(BIN)/tocsin up $(UP_ARGS)

# By file: what a file makes ready is made once. The real installations come after the rest, two at a time: their kills
# and clocks are timed.
test: $(STAMP)
	@begun=$$(date +%s); set -x; \
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not slow" $(PYTEST_ARGS) $(QUICK) && \
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --durations 8 $(PYTEST_ARGS) $(SMOKE); \
	code=$$?; set +x; $(call took,make test); exit $$code

# Twelve chosen dates, or with DAYS_ARGS="--drawn HASH" two of them.
test-days: $(STAMP)
	@$(BIN)/python -m tests.days $(DAYS_ARGS)

# Alone on the machine: kills and freezes are timed.
slow: $(STAMP)
	@begun=$$(date +%s); set -x; \
	$(BIN)/python -m pytest -m slow --timeout 1800 $(PYTEST_ARGS) $(SUITES); \
	code=$$?; set +x; $(call took,make slow); exit $$code

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/vulture

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/python -m cli.reference > docs/reference.md

pictures: $(STAMP)
	WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/browser/test_every_page.py tests/browser/test_report_picture.py

bench: $(STAMP)
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

lock:
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock

install: $(STAMP)

# The stamp is renewed only when the lock or the packaging changed, so that a second `make run` starts at once.
$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Tocsin needs Python 3.11 or newer: install it, or name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null \
	  || { echo "this Python cannot make virtual environments: install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@echo "installing from requirements.lock into .venv"
	@# The lock is complete, so nothing is resolved: pip, resolving, takes a newer one of what somebody needs as name[extra].
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check >/dev/null || { $(BIN)/python -m pip check >&2; exit 1; }
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
