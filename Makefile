# Everything a person types. `make help` lists it.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
SHELFSTREAM := .venv/bin/shelfstream

.PHONY: help bootstrap python demo up down test test-long check sim bench influxdb format

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

bootstrap: ## install what this machine lacks; says what it can't
	@sh deploy/bootstrap.sh

python: # what needs no broker needs no more than the virtual environment
	@sh deploy/bootstrap.sh python

demo: bootstrap ## start everything and watch stock move; SECONDS=60 ends by itself, verified
	@$(SHELFSTREAM) demo $(if $(filter-out 0,$(SECONDS)),--seconds $(SECONDS))

up: bootstrap ## start the local stack until Ctrl-C
	@$(SHELFSTREAM) up

down: ## end the local stack
	@$(SHELFSTREAM) down

influxdb: bootstrap ## build InfluxDB into the cache, once, some minutes
	@$(PYTHON) -m deploy.stack.influxdb_build

test: bootstrap ## every test but the long ones, on real brokers
	@$(PYTHON) -m deploy.stack.prepare --influxdb
	@$(PYTHON) -m pytest

test-long: bootstrap ## every test, the long ones too
	@$(PYTHON) -m deploy.stack.prepare --influxdb
	@$(PYTHON) -m pytest --run-long

check: python ## format, lint, types, import rules, fast tests; under a minute
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports
	@$(PYTHON) -m pytest -q --hypothesis-profile fast -m "not slow and not integration" tests/unit tests/property tests/architecture tests/golden

format: python ## let ruff format and repair the tree
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

SEEDS ?= 200
sim: python ## the whole system in memory: SEEDS=200 of them, or one again by SEED=17
	@$(PYTHON) -m simulators.whole.main $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

bench: bootstrap ## measure beside the peers: ONLY=stream for one, QUICK=1 within 50 s
	@$(SHELFSTREAM) bench $(or $(ONLY),all) $(if $(QUICK),--quick)
