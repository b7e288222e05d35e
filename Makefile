# The front door. A target is one line; the work is in `toolkit` (the model side).
#   make demo                                   the whole story on any machine, in a minute
#   make finetune DATA=self_cognition.json      then: make compare, make chat, make export
# Extra options go through ARGS:  make finetune DATA=my.json ARGS="--epochs 5 --lora-rank 16"

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
# One version; its build (CPU or CUDA) is whatever pip's own configuration offers: see the README.
TORCH ?= torch==2.13.0
# local: in .venv on this host.
RUNTIME ?= local
DATA ?= self_cognition.json
MODEL ?=
RUN ?=
OUTPUT ?= output
ARGS ?=

TOOLKIT := .venv/bin/toolkit
BASE := $(if $(MODEL),--model $(MODEL))
INTO := --output $(OUTPUT)

ifneq ($(RUNTIME),local)
$(error RUNTIME=$(RUNTIME): only RUNTIME=local is built; leave RUNTIME out)
endif

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: DATA, MODEL, RUN, OUTPUT, ARGS (further options), PYTHON, TORCH"

## The job ------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## The whole story with the embedded model: fine-tune, compare, export
	@PATH="$(CURDIR)/.venv/bin:$$PATH" bash docs/demo.sh $(OUTPUT)

.PHONY: check
check: setup ## Examine a data set: make check DATA=my.json
	@$(TOOLKIT) check $(DATA) $(BASE) $(ARGS)

.PHONY: finetune
finetune: setup ## Fine-tune on it: make finetune DATA=my.json [MODEL=tiny-qwen2]
	@$(TOOLKIT) finetune $(DATA) $(BASE) $(INTO) $(ARGS)

.PHONY: compare
compare: setup ## Ask before and after, and judge what changed: make compare [RUN=v3]
	@$(TOOLKIT) compare $(RUN) $(BASE) $(INTO) $(ARGS)

.PHONY: sweep
sweep: setup ## Lists of settings, a run each, and which to take: ARGS="--epochs 5,10 --keep-weight 3,10"
	@$(TOOLKIT) sweep $(DATA) $(BASE) $(INTO) $(ARGS)

.PHONY: chat
chat: setup ## Talk to a run; /before and /after switch its adapter
	@$(TOOLKIT) chat $(RUN) $(BASE) $(INTO) $(ARGS)

.PHONY: export
export: setup ## Write the merged model, behind its parity gate
	@$(TOOLKIT) export $(RUN) $(BASE) $(INTO) $(ARGS)

.PHONY: runs
runs: setup ## List the runs; ARGS="show v3", ARGS="diff v2 v3"
	@$(TOOLKIT) runs $(ARGS)

.PHONY: make-data
make-data: setup ## A data set for your own brand: ARGS="--name NAME --author AUTHOR"
	@$(TOOLKIT) make-data $(ARGS)

.PHONY: download
download: setup ## Fetch the base model at its locked revision (15 GB)
	@$(TOOLKIT) download $(MODEL) $(ARGS)

.PHONY: verify
verify: setup ## Check a base model's folder against its lock: MODEL=models/Qwen2.5-7B-Instruct
	@$(TOOLKIT) verify $(MODEL) $(ARGS)

## The workshop -------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: .venv/.ready ## Build .venv from the locked requirements

.venv/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13; name one: make setup PYTHON=python3.12" >&2; exit 3; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/dev.txt
	.venv/bin/python -m pip install --quiet '$(TORCH)'
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: test
test: setup ## Unit tests, then end to end on the embedded model
	.venv/bin/pytest tests/unit
	.venv/bin/pytest tests/e2e

.PHONY: lint
lint: setup ## ruff, mypy --strict, import-linter, and whether docs/cli.md is current
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python docs/cli.py --check

.PHONY: docs
docs: setup ## Write docs/cli.md from the commands themselves
	.venv/bin/python docs/cli.py

.PHONY: lock
lock: ## Resolve the requirements anew, with hashes (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-annotate --no-header --override requirements/overrides.txt requirements/runtime.in -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-annotate --no-header --override requirements/overrides.txt requirements/dev.in -o requirements/dev.txt

.PHONY: clean
clean: ## Remove .venv and caches; runs and models stay
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache *.egg-info
