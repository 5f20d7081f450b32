# Most targets are one or two commands. See README.md.
.PHONY: run up check model test test-slow test-beyond sbom audit lint format bench
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Two tests run in parallel, so each gets one Polars thread.
PYTEST := POLARS_MAX_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

run: .venv/program     ## simulate three weeks of a town and run its last days in Airflow
	$(BIN)/yingjian demo

up: .venv/program      ## start Airflow, the portal and the warehouse, until Ctrl-C
	$(BIN)/yingjian up

check: .venv/ready     ## lint, check types and changed SQL, and run the unit tests; run it before each commit
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	git diff --name-only --diff-filter=d HEAD -- 'dbt_project/models/*.sql' | xargs -r $(BIN)/sqlfluff lint
	$(PYTEST) tests/unit

test: .venv/ready      ## run all tests except the slow ones
	$(PYTEST)

# ALSO adds tests to the same session, as in .ci/run.
test-slow: .venv/ready ## run the slow tests: they build days of their own, kill processes, or take minutes
	$(PYTEST) -m "slow and not beyond $(ALSO)"

test-beyond: .venv/ready ## run the tests of workers and Spark (need redis-server and Java 17), and more cases of slow tests
	$(PYTEST) -m beyond

model: .venv/ready     ## build one model and run its tests on a small, cached town: make model M=overdue
	@$(BIN)/python -m tests.model $(M)

lint: .venv/ready      ## lint Python and SQL, check types
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy & types=$$!; $(BIN)/sqlfluff lint --processes 2 dbt_project/models; models=$$?; wait $$types && exit $$models

sbom: .venv/ready      ## print a CycloneDX SBOM of all runtime packages with their hashes
	@$(BIN)/uv export --quiet --frozen --no-dev --group celery --group lineage --format cyclonedx1.5

# AUDIT holds additional options, such as --ignore ID or --service-url URL.
audit: .venv/ready     ## check runtime packages for known vulnerabilities; it also fails if the audit did not work
	@$(BIN)/uv audit --system-certs --quiet $(AUDIT) --script tests/known_vulnerable.py; test $$? = 1 || { \
		echo "nothing was audited: the vulnerability database does not answer, or reports nothing for a package with known vulnerabilities" >&2; exit 1; }
	$(BIN)/uv audit --system-certs --frozen --no-dev $(AUDIT)

bench: .venv/ready     ## measure speed and memory, as ratios within one run
	$(BIN)/python -m tests.bench

format: .venv/ready    ## format the code and apply ruff's fixes
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# `make run` and `make up` need the program's packages only, which are three fifths of all.
.venv/program: PACKAGES := --no-dev --inexact
.venv/program .venv/ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Yingjian needs Python 3.11: install it, or say where it is with make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv --help >/dev/null || { echo "Python's venv module is missing: install the system's python3-venv package"; exit 1; }
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@$(BIN)/uv sync --frozen --system-certs $(PACKAGES) --compile-bytecode --quiet || { echo "The locked environment could not be installed: see the line above (no network to a package index, a missing compiler, or a full disk), then run make again"; exit 1; }
	@touch $@
