# Every target is one command that works as well without make, with .venv/bin on the PATH.
VENV := $(or $(VIRTUAL_ENV),.venv)
export PATH := $(abspath $(VENV))/bin:$(PATH)
OLDER := 1.22.0

.DEFAULT_GOAL := help
.PHONY: help install label-studio demo test test-slow test-long test-older test-postgresql soak fuzz test-all lint fmt bench bench-data bench-suspects bench-audit bench-stopping bench-query bench-sampling bench-labels bench-encoders lock audit check

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## Install all that requirements-dev.lock pins into .venv, or the active environment
	@sh scripts/install.sh $(VENV)

label-studio: install ## Install the Label Studio that demo and tests run (once; some minutes)
	@python -c 'from tests.harness.label_studio import installation; installation()'

demo: install ## Run a Label Studio with real texts and the loop; LABELS=60 has a script label them
	@ls-active demo $(if $(LABELS),--labels $(LABELS))

test: label-studio ## Run the tests, with a real Label Studio (minutes)
	pytest

test-slow: label-studio ## Run the tests that take longer, and try each property on more examples
	pytest -m "slow or hypothesis"

test-long: label-studio ## Run what takes many minutes: kills at every point, floods, soak, fuzz
	pytest -m long -s

test-older: install ## Run the end-to-end tests on an older Label Studio (installs it once; many minutes)
	env -u LABEL_STUDIO_VENV LABEL_STUDIO_RELEASE=$(OLDER) pytest tests/e2e

test-postgresql: label-studio ## Run the end-to-end tests on PostgreSQL, which has to be installed
	LABEL_STUDIO_DATABASE=postgresql pytest tests/e2e

soak: label-studio ## Everything at once for ten minutes on a real Label Studio, then a recount
	pytest -m long -s tests/e2e/test_soak.py

fuzz: install ## 100 000 requests that are wrong in any way
	pytest -m long -s tests/unit/backend/test_fuzz.py

test-all: label-studio ## Run all tests, and try each property on more examples
	pytest -m "slow or not slow"

lint: install ## Check style, types and imports
	ruff check && ruff format --check && mypy && lint-imports

fmt: install ## Format the code and mend what can be mended
	ruff format && ruff check --fix

bench: install ## Measure ours beside label-studio-ml's own server, and Label Studio with and without us
	python -m tests.bench

bench-data: install ## Measure our default heads on real data of every kind, beside plain references
	python -m tests.bench.data --page docs/kinds.md

bench-suspects: install ## Measure how many suspects are wrong labels, beside cleanlab (minutes)
	python -m tests.bench.suspects --page docs/suspects.md

bench-audit: install ## Measure how often the interval of the audit estimate holds the truth (half an hour)
	python -m tests.bench.audit --page docs/audit.md

bench-stopping: install ## Measure when the advice says enough, and what is had by then (ten minutes)
	python -m tests.bench.stopping --page docs/stopping.md

bench-query: install ## Measure a query of each strategy among a million tasks, beside scikit-activeml (ten minutes)
	python -m tests.bench.query --page docs/queries.md

bench-sampling: install ## Measure what is lost where a strategy looks at a part of the pool (an hour)
	python -m tests.bench.sampling --page docs/sampling.md

bench-labels: install ## Compare ways of asking on real data, ours and other libraries' (45 minutes)
	python -m tests.bench.labels

bench-encoders: install ## Measure what each text encoder makes of few labels (ten minutes)
	python -m tests.bench.encoders --page docs/encoders.md

lock: install ## Write the lock files anew; UPGRADE=--upgrade moves every pin to its newest version
	@sh scripts/lock.sh $(UPGRADE)

# --strict: where the service of known holes cannot be reached, that is a failure, not a pass.
# A hole that cannot be mended yet is listed as --ignore-vuln ID, with the reason above it.
audit: install ## Ask for known holes in what the locks pin (needs pypi.org)
	@for lock in requirements.lock requirements-dev.lock requirements-build.lock; do \
	    pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; done

check: lint test-all ## All that has to pass before a change is merged
