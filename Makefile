# Thin: each target is one line of uv or yingjian. See README.md.
.PHONY: run up check model test test-slow test-beyond sbom audit lint format bench
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Two tests run at once: each computes columns with one thread.
PYTEST := POLARS_MAX_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

run: .venv/ready       ## a simulated town of three weeks, its last days run through Airflow
	$(BIN)/yingjian demo

up: .venv/ready        ## Airflow's UI, scheduler and warehouse, until Ctrl-C
	$(BIN)/yingjian up

check: .venv/ready     ## style, types, the SQL that changed and the unit tests: what to run before each commit
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	git diff --name-only --diff-filter=d HEAD -- 'dbt_project/models/*.sql' | xargs -r $(BIN)/sqlfluff lint
	$(PYTEST) tests/unit

test: .venv/ready      ## every test but the slow ones
	$(PYTEST)

test-slow: .venv/ready ## those that build days of their own or take minutes: editions, files of 10 GB, faults in real runs
	$(PYTEST) -m "slow and not beyond"

# TESTS names files: continuous integration runs those of workers and of a day on Spark (docs/decisions/three-tiers-of-tests.md).
test-beyond: .venv/ready ## past one machine (needs redis-server and Java 17), and more cases of what slow tests have
	$(PYTEST) -m beyond $(TESTS)

model: .venv/ready     ## one model and its tests on a small town that is kept: make model M=overdue
	@$(BIN)/python -m tests.model $(M)

lint: .venv/ready      ## style, types and SQL
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/sqlfluff lint --processes 2 dbt_project/models

sbom: .venv/ready      ## every package that runs, with its hashes, as a CycloneDX bill of materials on standard output
	@$(BIN)/uv export --quiet --frozen --no-dev --group celery --group lineage --format cyclonedx1.5

# AUDIT takes further options, such as --ignore ID or --service-url URL.
audit: .venv/ready     ## known vulnerabilities of what runs; it fails too when nothing could be audited
	@$(BIN)/uv audit --system-certs --quiet $(AUDIT) --script tests/known_vulnerable.py; test $$? = 1 || { \
		echo "nothing was audited: the database does not answer, or knows nothing of a package that has known vulnerabilities" >&2; exit 1; }
	$(BIN)/uv audit --system-certs --frozen --no-dev $(AUDIT)

bench: .venv/ready     ## speed and memory, as ratios measured in one run
	$(BIN)/python -m tests.bench

format: .venv/ready    ## let ruff write it
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

.venv/ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Yingjian needs Python 3.11: install it, or say where it is with make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv --help >/dev/null || { echo "Python's venv module is missing: install the system's python3-venv package"; exit 1; }
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@$(BIN)/uv sync --frozen --system-certs --compile-bytecode --quiet || { echo "The locked environment could not be installed: see the line above (no network to a package index, a missing compiler, or a full disk), then run make again"; exit 1; }
	@touch $@
