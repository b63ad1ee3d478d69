# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. Each can be run again at any time; what is done is not done twice.

# The system's Python: one that lies in somebody's home may be closed to other users.
PYTHON ?= $(or $(wildcard /usr/bin/python3),python3)
BIN := .venv/bin
# Root's tests run as `nobody`: see HACKING.md, "Tests".
PYTEST := $(PYTHON) setup/as_user.py $(BIN)/python -m pytest -p no:cacheprovider
VM_JOBS ?= 2
# `nobody` must be able to read what root has built.
ifeq ($(shell id -u),0)
export LIVEOS_TEST_CACHE ?= /var/cache/liveos-tests
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: setup-images ## the main job: build a live image (or ISO=path), inspect, install, prove
	@$(BIN)/python setup/demo.py $(if $(ISO),--iso "$(ISO)")

test: CUTS = --every-cut
test: lint unit images tools ## everything: linters, unit tests, tests with tools, boots in QEMU
	$(PYTEST) tests/vm -m vm -n $(VM_JOBS) --dist worksteal --durations=10

proofs: images ## every boot, also those that make test leaves out for their time
	$(PYTEST) tests/vm -m vm -n $(VM_JOBS) --dist worksteal --durations=10 --every-boot

check: lint unit tools ## what to run before each commit: test without the boots

lint: setup-all ## linters, types, import contracts, man page
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	mandoc -Tlint -W warning man/liveos.8

unit: setup-all ## tests that need no program
	$(PYTEST) tests/unit -n auto

tools: setup-all ## tests that run real programs on files
	$(PYTEST) tests/tools -m tools -n auto $(CUTS)
	@[ "$$(id -u)" -ne 0 ] || $(BIN)/python -m pytest -p no:cacheprovider tests/tools -m "tools and root"

images: setup-all ## the live images that the tests boot, built once and cached
	$(BIN)/python -m tests.images all
	$(BIN)/python -m tests.vm.snapshot_guest
	$(BIN)/python -m tests.vm.guest_python

bench: setup-images ## measure, next to yardsticks
	$(BIN)/python -m bench

completions: setup-run ## write completions/ anew from the program
	$(BIN)/python setup/completions.py

picture: setup-images ## write the README's picture anew from a run of the demonstration
	$(BIN)/python setup/picture.py $(if $(ISO),--iso "$(ISO)")

clean: ## remove what the targets made here (cached test images stay)
	rm -rf .venv demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

setup-run: PURPOSES = setup run
setup-images: PURPOSES = setup run images
setup-all: PURPOSES = setup run images oracles
setup-run setup-images setup-all:
	@$(PYTHON) setup/install.py $(PURPOSES)
	@$(MAKE) --no-print-directory .venv/stamp

.venv/stamp: pyproject.toml
	@echo "Python packages: installing into .venv"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev --editable .
	@touch $@

.PHONY: help demo test proofs check lint unit tools images bench completions picture clean \
	setup-run setup-images setup-all
