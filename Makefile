# The commands of the project; every one sets up what it needs by itself.
#   make demo       a tour on made and real data, leaves the pool in ./demo
#   make test       all tests, in parallel
#   make lint       style, types, import layers
#   make campaign   the long runs that `make test` samples
#   make kill       1,000 times kill -9 at random moments over mixed work, with a summary
#   make bench      the benchmarks beside other programs, writes docs/benchmarks.md
#   make frontend   builds the page of the Product Browser (needs Node 20.19 or newer)
#   make docs       the documentation as a site, in build/docs/html
#   make clean      removes the environment and everything that was made

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Three for two cores: tests wait for disks, browsers and processes for a third of their time.
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); n=$$((n + (n + 1) / 2)); [ $$n -gt 8 ] && n=8; echo $$n)
PYTEST_ARGS ?=
# Programs that tests talk to, with their Debian packages where these are called otherwise.
PROGRAMS := fitsverify cadaver litmus chromium Xvfb:xvfb ds9:saods9 topcat aladin fusermount3:fuse3 rsync
BENCH_ARGS ?=
KILL_ARGS ?=

.PHONY: help setup demo test lint format campaign kill bench frontend docs clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(STAMP)

# Done again when the dependencies may have changed, and never otherwise.
$(STAMP): pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh $(VENV)
	@touch $@

demo: $(STAMP)
	@$(BIN)/python examples/demo.py demo

test: $(STAMP)
	@sh scripts/debian.sh $(PROGRAMS)
	@sh scripts/node.sh
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "not campaign" $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

campaign: $(STAMP)
	@sh scripts/debian.sh $(PROGRAMS)
	@sh scripts/node.sh
	@HYPOTHESIS_PROFILE=campaign $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

kill: $(STAMP)
	@$(BIN)/python scripts/kill.py $(KILL_ARGS)

bench: $(STAMP)
	@sh scripts/debian.sh borg:borgbackup restic git-annex git rsync
	@$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

# What it makes is committed in src/skypool/web/static, so that installing needs no Node.
frontend:
	cd frontend && npm ci && npm run check && npm run test && npm run build

docs: $(STAMP)
	@$(BIN)/python scripts/docs.py

clean:
	rm -rf $(VENV) demo bench-data build dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
