# Everything runs in .venv, made from requirements.lock. `make PYTHON=python3.12 install` picks another interpreter.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed

.PHONY: install run kafka kafka-stop test test-long bench lint law contract lock

install: $(READY)
	@:

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 install' >&2; exit 1; }
	@$(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@echo 'Installing the locked packages into .venv (about a minute the first time)' >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

run: install
	@$(BIN)/python -m demo

# A local real Kafka for development; its data stays in build/kafka.
kafka: install
	@$(BIN)/python -m streams.devtools.local_kafka start

kafka-stop: install
	@$(BIN)/python -m streams.devtools.local_kafka stop

test: install
	@$(BIN)/python -m pytest -n 2 -m 'not long'

test-long: install
	@$(BIN)/python -m pytest -m long

bench: install
	@$(BIN)/python -m bench

# Format, lint, types, imports and dead code: the same checks as in `make test`, alone.
lint: install
	@$(BIN)/python -m pytest tests/house/test_house.py -k 'tool'

# After a change of the rules or of the law cases: the law on paper.
law: install
	@$(BIN)/python -m streams.devtools.law_page tests/law docs/law.md

# After an addition to what is published: the contract as AsyncAPI, and the new facts frozen.
contract: install
	@$(BIN)/python -m streams.devtools.asyncapi docs/asyncapi.yaml
	@$(BIN)/python -m tests.support.frozen_contract tests/contract.json

# After a change of the dependencies in pyproject.toml.
lock: install
	@$(BIN)/uv pip compile --quiet --universal --all-extras --no-header --no-emit-index-url \
	  pyproject.toml --output-file requirements.lock
