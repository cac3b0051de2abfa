# Everything runs in .venv, made from the locks: versions and hashes of the program's packages
# (requirements.lock), of a local Kafka's and of the developers' tools.
# `make PYTHON=python3.12 install` picks another interpreter.
BIN := .venv/bin
PYTHON_OPTION := $(if $(PYTHON),--python '$(PYTHON)')
RUN_LOCKS := requirements.lock requirements-local.lock
ALL_LOCKS := $(RUN_LOCKS) requirements-dev.lock

.PHONY: install install-run run site pictures kafka kafka-stop test test-long test-night hunt test-lowest bench country lis mass web lint law sources contract lock licences sbom audit release

# Documents and tests are in UTF-8, whatever the locale of who works on them.
test test-long test-night test-lowest hunt bench law contract lock licences sbom: export PYTHONUTF8 := 1

install:
	@.ci/environment $(PYTHON_OPTION) $(ALL_LOCKS)

# What the program and a local Kafka need, without the developers' tools.
install-run:
	@.ci/environment $(PYTHON_OPTION) $(RUN_LOCKS)

run: install-run
	@$(BIN)/python -m demo

# The site over such a population, with persons to log on as, until Ctrl-C.
site: install
	@$(BIN)/python -m demo.site

# The pictures of the guides, from a site over fewer fictive citizens. It needs Chromium.
pictures: install
	@$(BIN)/python -m demo.pictures streams/web/static/guides

# A local real Kafka for development; its data stays in build/kafka. With SECURED=1 it is another one,
# with TLS and a principal with its rights for each role; its data is in build/kafka-secured.
LOCAL_KAFKA := $(if $(SECURED),--folder build/kafka-secured)
kafka: install-run
	@$(BIN)/python -m streams.devtools.local_kafka start $(LOCAL_KAFKA) $(if $(SECURED),--secured)

kafka-stop: install-run
	@$(BIN)/python -m streams.devtools.local_kafka stop $(LOCAL_KAFKA)

test: install
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m 'not long' --durations=10

# A file's tests share what they start, so each file is one process's. The files are begun in the
# order of their names, since the few tests that take longest would otherwise come last, alone.
LONG_IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder
test-long: install
	@$(BIN)/python -m pytest $(LONG_IN_TWO) -m long --durations=15
	@.ci/lowest

# A real cluster that dies all the time, for three quarters of an hour, and then the tests of
# `make test-long` that have a larger size: outside of what every change must pass.
WITH_SIZE := $$(grep --recursive --files-with-matches --include='test_*.py' 'sized(' tests)
test-night: install
	@$(BIN)/python -m tests.cluster --faults $(or $(FAULTS),200)
	@REFUSION_TEST_NIGHT=1 $(BIN)/python -m pytest $(LONG_IN_TWO) -m long --durations=15 $(WITH_SIZE)

# New seeds of the simulated world, outside of what every change must pass. The first failure is made
# smaller and told with the line that runs it again: `.venv/bin/refusion-sim SEED…`.
hunt: install
	@$(BIN)/refusion-sim $(or $(SEEDS),10000-20000)

# With the lowest versions that pyproject.toml allows.
test-lowest: install
	@.ci/lowest

# `make bench lis`: one section alone. It, country, web and mass are not among those of `make bench`:
# they take long.
bench: install
	@$(BIN)/python -m bench $(filter-out bench,$(MAKECMDGOALS))

country:
	@:

lis:
	@:

mass:
	@:

web:
	@:

# Format, lint, types, imports and dead code: the same checks as in `make test`, alone.
lint: install
	@$(BIN)/python -m pytest tests/house/test_house.py -k 'tool'

# After a change of the rules or of the law cases: the law on paper.
law: install
	@$(BIN)/python -m streams.devtools.law_page tests/law docs/law.md streams/web/desk/law_cases.yaml

# After a change of the tables of eIndkomst or of the catalogue: the page of sources.
sources: install
	@$(BIN)/python -m streams.upstream.sources_page docs/sources.md

# After an addition to what is published: the contract as AsyncAPI, the site's answers as OpenAPI,
# and the new facts frozen.
contract: install
	@$(BIN)/python -m streams.devtools.asyncapi docs/asyncapi.yaml
	@$(BIN)/python -m streams.web.openapi docs/openapi.yaml
	@$(BIN)/python -m tests.support.frozen_contract tests/contract.json

# After a change of the dependencies in pyproject.toml.
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
  --no-emit-index-url
lock: install
	@$(UV_COMPILE) pyproject.toml --group build --output-file requirements.lock
	@$(UV_COMPILE) --group local --constraint requirements.lock --output-file requirements-local.lock
	@$(UV_COMPILE) --group dev --constraint requirements.lock --constraint requirements-local.lock \
	  --output-file requirements-dev.lock
	@$(UV_COMPILE) --group audit --constraint requirements.lock --constraint requirements-local.lock \
	  --constraint requirements-dev.lock --output-file requirements-audit.lock

# After a change of requirements.lock: the page of packages and their licences.
licences: install
	@$(BIN)/python -m streams.devtools.supply_chain licences

# The tools that look at packages, apart from the packages that they look at.
build/audit/done: requirements-audit.lock
	@$(BIN)/python -m venv --clear build/audit
	@build/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --requirement requirements-audit.lock
	@touch $@

# A bill of materials of what the program runs with, from the lock.
sbom: install
	@$(BIN)/python -m streams.devtools.supply_chain bill build/sbom.cdx.json

# Status 1: a known vulnerability; 2: it could not be done, because no data can be had here.
audit: install build/audit/done
	@$(BIN)/python -m streams.devtools.supply_chain audit $(ALL_LOCKS)

# The next step of a release: `make release VERSION=1.2.3`. The first time it writes the version and
# the day, for somebody to commit; the second time what is given out, in dist/VERSION.
release: install
	@$(BIN)/python -m streams.devtools.release $(VERSION)
