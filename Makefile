SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help up down test chaos fuzz clients lint contracts bench eval bootstrap

python := .venv/bin/python
flotilla := .venv/bin/flotilla
packages := libs/common/flotilla $(wildcard services/*/flotilla_*) $(wildcard sdk/python/flotilla_client/*.py)
# Tests and tools are named from the root, so they are checked in a run of their own: see tests/mypy.ini.
others = $(shell find $(wildcard libs services tests checks bench deploy sdk/*.py sdk/*/tests) conftest.py -name '*.py' -not -path '*/flotilla*' -not -path '*/node_modules/*')

help: ## What can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

up: bootstrap ## Install what is missing, start the fleet, seed the demo org, say how to sign in
	@$(flotilla) up

down: bootstrap ## Stop the fleet and its servers; data stays
	@$(flotilla) down

test: lint ## Lint, then every test on servers of its own (only=services/crm for a part)
	@$(python) tests/stages.py $(only)

chaos: bootstrap ## Kill, tear, slow and silence everything under load, and check every promise (at most 15 minutes)
	@$(python) tests/stages.py --chaos=long tests/chaos

fuzz: bootstrap ## Send whatever the API's document allows, and much that it does not, for a quarter of an hour (seconds=900)
	@FUZZ_SECONDS=$(or $(seconds),900) $(python) tests/stages.py -s tests/e2e/test_whatever_is_sent.py

clients: bootstrap ## Make the generated halves of the Python and TypeScript clients from contracts/openapi.json
	@$(python) sdk/generate.py

lint: bootstrap ## Style, types and the architecture's rules
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy $(packages)
	@.venv/bin/mypy --config-file tests/mypy.ini $(others)
	@$(python) -m checks

contracts: bootstrap ## Write the contracts from the code: JSON Schemas, AsyncAPI, OpenAPI
	@$(flotilla) contracts write

bench: bootstrap ## Run the benchmarks; each prints ratios against a peer
	@for program in bench/[a-z]*.py; do echo "— $$program"; $(python) -m "bench.$$(basename $$program .py)"; done

eval: bootstrap ## Accuracy of language, intent, personal data, qualification and retrieval on the labelled sets
	@$(python) -m flotilla_ai.eval

bootstrap:
	@deploy/native/bootstrap
