# Two commands for a fresh machine: `make demo` and `make test`. Everything else is for developers.
PYTHON ?= python3
BIN := .venv/bin
# One more than there are cores: servers and browsers are waited for.
SIDE_BY_SIDE = --numprocesses $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --dist loadfile

.PHONY: help demo run setup dev test unit check mutations nightly faults faults-nightly openapi format bench sbom audit lock clean

help:
	@echo "make demo    set up, start a simulated estate on a real gateway, print the console's address"
	@echo "make test    set up and run all tests (installs Mosquitto and Chromium where it may)"
	@echo "make setup   only set up: $(BIN)/lamplighter is then the command"
	@echo "make dev     set up with what tests and checks need: then $(BIN)/pytest, $(BIN)/ruff"
	@echo "make check   ruff, mypy and import-linter, in seconds"
	@echo "make unit    the tests that need no server or browser, in under a minute"
	@echo "make mutations  a million damaged inputs for each driver (an hour)"
	@echo "make nightly    10,000 nights with known truth through the judge, over all cores (an hour or more)"
	@echo "make faults  kills, power cuts, disks, brokers, networks, clocks, crowds that fail: what of it is bounded"
	@echo "make faults-nightly  all of it: 1,000 kills, 1,000 power cuts, fuzzing, eight simulated weeks (some hours)"
	@echo "make bench   intake, latency and judge benchmarks (needs Mosquitto)"
	@echo "make openapi  write the API's document anew, after a change of it: api/openapi.json"
	@echo "make sbom    what is in it, for machines: build/sbom.cdx.json (CycloneDX)"
	@echo "make audit   whether any package of it is known to be weak (asks the network)"
	@echo "make lock    resolve the dependencies of pyproject.toml anew into the two lock files"

demo: .venv/.runtime
	$(BIN)/lamplighter demo

setup: .venv/.runtime

dev: .venv/.dev

.venv/bin/python:
	@tests/support/system-packages python "$(PYTHON)"
	$(PYTHON) -m venv .venv

.venv/.runtime: .venv/bin/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@touch $@

.venv/.nightly: .venv/.dev requirements-nightly.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-nightly.lock
	@touch $@

test: .venv/.dev
	@tests/support/system-packages servers
	$(BIN)/pytest -ra -m "not alone" $(SIDE_BY_SIDE) --no-loadscope-reorder
	$(BIN)/pytest -ra -m alone tests/faults

unit: .venv/.dev
	$(BIN)/pytest -m "not mosquitto and not influxdb and not browser and not slow"

check: .venv/.dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

mutations: .venv/.dev
	LAMPLIGHTER_MUTATIONS=1000000 $(BIN)/pytest tests/drivers/test_mutations.py --timeout 3600

nightly: .venv/.dev
	$(BIN)/python -m tests.nights --nights $${LAMPLIGHTER_NIGHTS:-10000}
	LAMPLIGHTER_NIGHTS=$${LAMPLIGHTER_NIGHTS:-10000} $(BIN)/pytest tests/nights/test_properties.py

faults: .venv/.dev
	@tests/support/system-packages servers
	$(BIN)/pytest -ra tests/faults tests/journal/test_upgrade.py -m "not alone" $(SIDE_BY_SIDE)
	$(BIN)/pytest -ra -m alone tests/faults

faults-nightly: export LAMPLIGHTER_FAULTS ?= 1000
faults-nightly: .venv/.nightly
	@tests/support/system-packages servers
	$(BIN)/pytest -ra tests/faults tests/journal/test_upgrade.py -m "not alone" --timeout 14400 --numprocesses $$(getconf _NPROCESSORS_ONLN) --dist loadfile
	$(BIN)/pytest -ra -m alone tests/faults --timeout 14400
	$(BIN)/python -m tests.faults.fuzz all -max_total_time=1800
	$(BIN)/python -m tests.faults.soak --weeks 8

openapi: .venv/.dev
	LAMPLIGHTER_WRITE_OPENAPI=1 $(BIN)/pytest -q tests/api/test_openapi_document.py

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev
	@tests/support/system-packages servers
	$(BIN)/python -m tests.benchmarks.intake
	$(BIN)/python -m tests.benchmarks.latency
	$(BIN)/python -m tests.benchmarks.judge
	$(BIN)/python -m tests.benchmarks.storm
	$(BIN)/python -m tests.benchmarks.chain

sbom: .venv/.nightly
	mkdir -p build
	$(BIN)/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml --output-format JSON --output-file build/sbom.cdx.json requirements.lock

audit: .venv/.nightly
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement requirements.lock

lock: .venv/.dev
	$(PYTHON) -m venv .venv/lock && .venv/lock/bin/pip install --quiet uv
	.venv/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header pyproject.toml -o requirements.lock
	.venv/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --extra dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
