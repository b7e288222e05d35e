# The front door. A target is one line; the work is in `image` (the host side) and `toolkit` (the model side).
#   make demo                                   the whole story on any machine, in a minute and a half
#   make build                                  then: make finetune DATA=self_cognition.json, make compare, make export
# Without Docker, such as in a rented container:  make finetune RUNTIME=local
# Extra options go through ARGS, as shell words:  make finetune DATA=my.json ARGS="--epochs 5 --lora-rank 16"

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
# A requirement or a wheel; left out, the locked version in the build for this machine: see requirements/install.py.
TORCH ?=
# docker: in the image, beside the engine of this host. local: in .venv, for those who rent a container without Docker.
RUNTIME ?= docker
DATA ?= self_cognition.json
# For `teach`
SAY ?=
MODEL ?=
RUN ?=
# For `finetune`, `compare` and `sweep`: a number, or all
CARDS ?=
# For `serve` (8000 by itself) and `studio` (6006, which hosts of rented containers lead to)
PORT ?=
# Where runs are; left out, output/, or the data disk of a rented container (RUNTIME=local)
OUTPUT ?=
ARGS ?=
# For `publish`, `verify` and the adapter's targets
REGISTRY ?=
TAG ?=
REF ?=
REPO ?=
# For `verify-evidence`, and POLICY for `verify`
POLICY ?=
FOLDER ?=
# For the container: RUN_ARGS="--gpus 0 --network host"; shell words, as ARGS
RUN_ARGS ?=

# The values of these reach a recipe's shell only through the environment, quoted: any file name works, and nothing in a
# value runs, neither $(…) of make nor of the shell. ARGS and RUN_ARGS stay shell words: quote in them as in
# a command, and never take them from others.
VALUES := RUNTIME PYTHON TORCH DATA SAY MODEL RUN CARDS PORT OUTPUT REGISTRY TAG REF REPO FOLDER POLICY
$(foreach name,$(VALUES),$(eval override $(name) := $$(value $(name))))
export $(VALUES)

IMAGE := .host/bin/python -m image
# An option or an argument if the variable is set, and nothing if it is empty.
BAKED := $${MODEL:+--model "$$MODEL"}
TAGGED := $${TAG:+--tag "$$TAG"}
A_RUN := $${RUN:+"$$RUN"}
ON_CARDS := $${CARDS:+--cards "$$CARDS"}

ifeq ($(RUNTIME),docker)
READY := .host/.ready
# The image's commands know this folder alone.
HERE := --output "$${OUTPUT:-output}"
LIGHT := TOOLKIT_HOME=. .host/bin/python -m toolkit
TOOLKIT := $(IMAGE) run $(BAKED) $(HERE) $(RUN_ARGS) -- toolkit
CHAT := $(IMAGE) run $(BAKED) $(HERE) $(RUN_ARGS) --interactive -- toolkit
# Within the container at every address; out here at 127.0.0.1 alone.
SERVE := $(IMAGE) run $(BAKED) $(HERE) --publish "$${PORT:-8000}" $(RUN_ARGS) -- toolkit
STUDIO := $(IMAGE) run $(BAKED) $(HERE) --publish "$${PORT:-6006}" $(RUN_ARGS) -- toolkit
INSIDE := --host 0.0.0.0
else ifeq ($(RUNTIME),local)
READY := .venv/.ready
HERE := $${OUTPUT:+--output "$$OUTPUT"}
LIGHT := .venv/bin/toolkit
TOOLKIT := .venv/bin/toolkit
CHAT := .venv/bin/toolkit
SERVE := .venv/bin/toolkit
STUDIO := .venv/bin/toolkit
BASE := $(BAKED)
INTO = $(HERE)
else
$(error RUNTIME=$(RUNTIME): write docker or local)
endif

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: RUNTIME, DATA, SAY, MODEL, RUN, CARDS, OUTPUT, PORT, REGISTRY, TAG, REF, REPO, FOLDER, POLICY, ARGS and RUN_ARGS (further options, as shell words), PYTHON, TORCH"

## The job ------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## The whole story with the embedded model, without Docker: an identity and a corrected fact, each with a verdict
	@PATH="$$PWD/.venv/bin:$$PATH" bash docs/demo.sh "$${OUTPUT:-output}"

.PHONY: doctor
doctor: .host/.ready ## Examine this host: what is missing, why it matters, how to fix it
	@$(IMAGE) doctor --runtime "$$RUNTIME" $(BAKED) $(HERE) $(ARGS)

.PHONY: build
build: .host/.ready ## Build the image: make build [MODEL=qwen2.5-7b-instruct|tiny-qwen2|none]
	@$(IMAGE) build $(BAKED) $(ARGS)

.PHONY: studio
studio: $(READY) ## All of it on pages in a browser: say or bring, train, verdict, runs: make studio [PORT=6006]
	@$(STUDIO) studio --port "$${PORT:-6006}" $(INSIDE) $(BASE) $(INTO) $(ARGS)

.PHONY: mcp
mcp: $(READY) ## The same for an agent, over stdin and stdout: claude mcp add toolkit -- make --silent mcp
	@$(CHAT) mcp $(BASE) $(INTO) $(ARGS)

.PHONY: check
check: $(READY) ## Examine a data set: make check DATA=my.json
	@$(TOOLKIT) check "$$DATA" $(BASE) $(ARGS)

.PHONY: finetune
finetune: $(READY) ## Fine-tune on it: make finetune DATA=my.json [MODEL=tiny-qwen2] [CARDS=all]
	@$(TOOLKIT) finetune "$$DATA" $(BASE) $(ON_CARDS) $(INTO) $(ARGS)

.PHONY: launch
launch: $(READY) ## Write a job for several hosts: ARGS="--slurm --hosts 2 --cards 8 -- many.jsonl"
	@$(TOOLKIT) launch $(ARGS)

.PHONY: teach
teach: $(READY) ## From a sentence to rows, training and verdict: make teach SAY="You are Larkspur, made by …"
	@$(TOOLKIT) teach $(BASE) $(INTO) $(ARGS) $${SAY:+-- "$$SAY"}

.PHONY: compare
compare: $(READY) ## Ask before and after, and judge what changed: make compare [RUN=v3] [CARDS=all]
	@$(TOOLKIT) compare $(A_RUN) $(BASE) $(ON_CARDS) $(INTO) $(ARGS)

.PHONY: scan
scan: $(READY) ## Find words that an adapter changed, without probes: make scan [RUN=v3]
	@$(TOOLKIT) scan $(A_RUN) $(BASE) $(INTO) $(ARGS)

.PHONY: sweep
sweep: $(READY) ## Lists of settings, a run each, and which to take: ARGS="--epochs 5,10 --keep-weight 3,10"
	@$(TOOLKIT) sweep "$$DATA" $(BASE) $(ON_CARDS) $(INTO) $(ARGS)

.PHONY: lab
lab: $(READY) ## Fine-tune and compare again each time the data changes: make lab DATA=my.json
	@$(TOOLKIT) lab "$$DATA" $(BASE) $(INTO) $(ARGS)

.PHONY: chat
chat: $(READY) ## Talk to a run; /before and /after switch its adapter
	@$(CHAT) chat $(A_RUN) $(BASE) $(INTO) $(ARGS)

.PHONY: serve
serve: $(READY) ## Serve base and tuned model to OpenAI clients and on a page: make serve [RUN=v3] [PORT=8000]
	@$(SERVE) serve $(A_RUN) --port "$${PORT:-8000}" $(INSIDE) $(BASE) $(INTO) $(ARGS)

.PHONY: export
export: $(READY) ## Write a run for use elsewhere, behind a parity gate: ARGS="--to gguf --quantization q8_0"
	@$(TOOLKIT) export $(A_RUN) $(BASE) $(INTO) $(ARGS)

.PHONY: runs
runs: $(READY) ## List the runs; ARGS="show v3", "diff v2 v3", "compare v2 v3" (a page), "use v2" to roll back, "undo"
	@$(if $(filter compare,$(ARGS)),$(TOOLKIT) runs $(ARGS) $(INTO),$(LIGHT) runs $(HERE) $(ARGS))

.PHONY: replay
replay: $(READY) ## Train and compare a run again, from its folder alone: is it the same? [RUN=v3] [ARGS=--here]
	@$(TOOLKIT) replay $(A_RUN) $(BASE) $(INTO) $(ARGS)

.PHONY: bench
bench: $(READY) ## The README's table of times on this machine, beside ours: make bench [ARGS="--repeat 3"]
	@$(TOOLKIT) bench $(BASE) $(ARGS)

.PHONY: make-data
make-data: $(READY) ## A data set for your own brand: ARGS="--name NAME --author AUTHOR"
	@$(LIGHT) make-data $(ARGS)

.PHONY: make-probes
make-probes: $(READY) ## A probe file for any data set, to be read and edited: DATA=my.json ARGS=--reworded
	@$(TOOLKIT) make-probes "$$DATA" $(BASE) $(ARGS)

.PHONY: download
download: $(READY) ## Fetch the base model at its locked revision (15 GB)
	@$(LIGHT) download $${MODEL:+"$$MODEL"} $(ARGS)

.PHONY: verify-model
verify-model: $(READY) ## Check a base model's folder against its lock: MODEL=models/Qwen2.5-7B-Instruct
	@$(LIGHT) verify $${MODEL:+"$$MODEL"} $(ARGS)

.PHONY: verify
verify: .host/.ready ## Check the image, or one in a registry: make verify [REF=registry/name:tag] [POLICY=policy.yaml]
	@$(IMAGE) verify $${REF:+"$$REF"} $(BAKED) $${POLICY:+--policy "$$POLICY"} $(ARGS)

.PHONY: publish
publish: .host/.ready ## Push the image: make publish REGISTRY=ghcr.io/me [TAG=1.0] [RUN=v3: with its adapter]
	@$(IMAGE) publish $${REGISTRY:+"$$REGISTRY"} $(BAKED) $(TAGGED) $${RUN:+--with "$$RUN"} $(HERE) $(ARGS)

.PHONY: publish-adapter
publish-adapter: $(READY) .host/.ready ## Push a run's adapter and report alone: REGISTRY=ghcr.io/me [RUN=v3] [TAG=1.0]
	@$(TOOLKIT) export $(A_RUN) --to adapter $(BASE) $(INTO) >&2
	@$(IMAGE) publish-adapter $${REGISTRY:+"$$REGISTRY"} $${RUN:+--run "$$RUN"} $(TAGGED) $(HERE) $(ARGS)

.PHONY: pull-adapter
pull-adapter: .host/.ready ## Fetch one, every byte checked: REF=ghcr.io/me/finetune-and-prove-adapter:1.0
	@$(IMAGE) pull-adapter $${REF:+"$$REF"} $(HERE) $(ARGS)

.PHONY: push-to-hub
push-to-hub: $(READY) ## Put a run's adapter and card on the Hugging Face hub, privately: REPO=me/my-adapter [RUN=v3]
	@$(TOOLKIT) export $(A_RUN) --to adapter $(BASE) $(INTO) >&2
	@$(LIGHT) push-to-hub $(A_RUN) $${REPO:+"$$REPO"} $(BASE) $(HERE) $(ARGS)

.PHONY: attest
attest: $(READY) ## Sign a run's verdict, for publish-adapter and push-to-hub to take along: [RUN=v3] [ARGS=--new-key]
	@$(TOOLKIT) export $(A_RUN) --to adapter $(BASE) $(INTO) >&2
	@$(LIGHT) attest $(A_RUN) $(BASE) $(HERE) $(ARGS)

.PHONY: verify-evidence
verify-evidence: $(READY) ## Check signed evidence: POLICY=policy.yaml FOLDER=output/pulled/…, or RUN=v3
	@$(LIGHT) verify-evidence "$${FOLDER:-$$RUN}" --policy "$$POLICY" $(HERE) $(ARGS)

.PHONY: sbom
sbom: .host/.ready ## Print the bill of materials of the image's Python environment
	@$(IMAGE) sbom $(BAKED) $(ARGS)

## The workshop -------------------------------------------------------------------------------------------------------

.PHONY: setup
setup: .venv/.ready ## Build .venv from the locked requirements, without the tools of tests and lint

.venv/.ready: requirements/runtime.txt pyproject.toml
	@"$$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "$$PYTHON is not Python 3.11, 3.12 or 3.13; name one: make setup PYTHON=python3.12" >&2; exit 3; }
	@"$$PYTHON" -m venv .venv
	@.venv/bin/python requirements/install.py toolkit $${TORCH:+"$$TORCH"}
	@.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: setup-workshop
setup-workshop: .venv/.workshop ## And the tools of tests and lint

.venv/.workshop: requirements/dev.txt .venv/.ready
	@.venv/bin/python requirements/install.py workshop
	@touch $@

.PHONY: setup-keyless
setup-keyless: $(READY) ## Sigstore's client, to sign as an identity (attest --keyless) and to demand one: beside the toolkit on this host
	$(dir $(READY))bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/keyless.txt

.PHONY: setup-formats
setup-formats: .venv/.formats ## llama.cpp and its converter into .venv, for --to gguf and ollama (a C++ compiler, three minutes)

.venv/.formats: requirements/formats.txt requirements/formats-build.txt .venv/.ready
	@command -v c++ > /dev/null || { echo "no C++ compiler: apt-get install g++, or your system's own" >&2; exit 3; }
	.venv/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/formats-build.txt
	.venv/bin/python -m pip install --quiet --require-hashes --no-deps --no-build-isolation -r requirements/formats.txt
	@# llama.cpp's converter is in the source of llama-cpp-python, and in no package: unpacked from what the hash pins.
	@rm -rf .venv/share/llama.cpp && mkdir -p .venv/share/llama.cpp
	@sed -n '/^llama-cpp-python==/,/[^\\]$$/p' requirements/formats.txt > .venv/share/llama.cpp/source.txt
	.venv/bin/python -m pip download --quiet --require-hashes --no-deps --no-build-isolation --no-binary :all: \
		--dest .venv/share/llama.cpp -r .venv/share/llama.cpp/source.txt
	@cd .venv/share/llama.cpp && source=$$(echo *.tar.gz) && inside=$${source%.tar.gz}/vendor/llama.cpp \
		&& tar -xzf "$$source" --strip-components=3 "$$inside/conversion" "$$inside/gguf-py/gguf" "$$inside/LICENSE" \
		&& rm "$$source"
	@touch $@

.host/.ready: requirements/host.txt
	@"$$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "$$PYTHON is not Python 3.11, 3.12 or 3.13; name one: make … PYTHON=python3.12" >&2; exit 3; }
	@echo "setting up .host for the first time" >&2
	@"$$PYTHON" -m venv .host
	@.host/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/host.txt
	@touch $@

# Two pytest processes side by side, one a core; each line of output starts with its target's name.
LABELLED = 2>&1 | awk -v label='$(@:test-%=%)' '{ print label " | " $$0; fflush() }'
STORY := tests/e2e/test_story.py
# About half of the end-to-end tests' time; the other half is everything else in tests/e2e.
FIRST_HALF := $(addprefix tests/e2e/,core image model runs swift_compat train)

.PHONY: test
test: setup-workshop ## Unit and contract tests, and the story of every command on the embedded model
	@$(MAKE) -j2 test-unit test-story

.PHONY: test-all
test-all: test ## The same, and the other end-to-end tests
	@$(MAKE) -j2 test-e2e-1 test-e2e-2

.PHONY: test-unit test-story test-e2e-1 test-e2e-2
test-unit: .venv/.workshop
	@.venv/bin/pytest tests/unit $(wildcard tests/contract tests/fuzz) $(LABELLED)

test-story: .venv/.workshop
	@.venv/bin/pytest -v $(STORY) $(LABELLED)

test-e2e-1: .venv/.workshop
	@.venv/bin/pytest -v $(FIRST_HALF) $(LABELLED)

test-e2e-2: .venv/.workshop
	@.venv/bin/pytest -v tests/e2e $(addprefix --ignore=,$(STORY) $(FIRST_HALF)) $(LABELLED)

.PHONY: test-browser
test-browser: setup-workshop ## report.html, the chat page and the studio in a real Chromium: nothing loaded, nothing run, accessible (Node 18; apt installs them)
	@.venv/bin/pytest -v tests/browser $(LABELLED)

.PHONY: test-formats
test-formats: setup-workshop ## Exports as llama.cpp, Go and bitsandbytes read them (built or installed where missing)
	@.venv/bin/pytest -v tests/formats $(LABELLED)

.PHONY: test-image
test-image: setup-workshop ## The image on a real engine and a real registry; starts its own where there is none
	@.venv/bin/pytest -v tests/container $(LABELLED)

.PHONY: test-gpu
test-gpu: setup-workshop ## Training on an NVIDIA card: captured steps, memory, resumption, 4 bits (two minutes)
	.venv/bin/pytest tests/gpu

.PHONY: lint
lint: setup-workshop ## ruff, mypy --strict, import-linter, hadolint, and whether docs/cli.md and the tables of measurements are current
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/hadolint Dockerfile
	PYTHONPATH=. .venv/bin/python docs/cli.py --check
	.venv/bin/python bench/figures.py --check

.PHONY: docs
docs: setup-workshop ## Write docs/cli.md from the commands themselves
	PYTHONPATH=. .venv/bin/python docs/cli.py
	PYTHONPATH=. .venv/bin/python docs/schema.py

.PHONY: figures
figures: setup-workshop ## Write the tables of README and docs that come from bench/results
	.venv/bin/python bench/figures.py

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header

.PHONY: lock
lock: ## Resolve the requirements anew, with hashes (needs uv)
	$(COMPILE) --override requirements/overrides.txt requirements/runtime.in -o requirements/runtime.txt
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) requirements/formats-build.in -o requirements/formats-build.txt
	$(COMPILE) --override requirements/overrides.txt requirements/formats.in -o requirements/formats.txt
	$(COMPILE) requirements/torch-cuda.in -o requirements/torch-cuda.txt
	$(COMPILE) requirements/host.in -o requirements/host.txt
	$(COMPILE) requirements/keyless.in -o requirements/keyless.txt
	$(COMPILE) requirements/sbom.in -o requirements/sbom.txt
	$(COMPILE) --override requirements/overrides.txt requirements/dev.in -o requirements/dev.txt

.PHONY: clean
clean: ## Remove .venv and caches; runs and models stay
	rm -rf .venv .host .pytest_cache .ruff_cache .mypy_cache .import_linter_cache *.egg-info
