# Two commands are the contract: `make run` and `make test`. Each sets up what a fresh machine lacks.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
PROGRAM := $(TARGET)/release/pointsman
XTASK := $(TARGET)/release/xtask
CARGO := cargo
# Always the whole workspace, whatever is built of it: cargo chooses features by the packages it is given, and a part
# alone would compile wasmtime a second time with other ones.
BUILD := $(CARGO) build --release --workspace
# Guests with tests of their own. The others are tested by the host's tests, in the sandbox; the interpreter alone would
# take two minutes to compile once more for nothing.
GUEST_TESTS := -p pointsman-policy-sdk -p eprocess-gate -p host-diverse -p retry-backoff
WEB_SOURCES := $(shell find web/src web/public web/index.html web/vite.config.ts web/svelte.config.js web/tsconfig.json -type f 2>/dev/null)

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: ## Install what is missing: compiler, guest toolchain
	@scripts/setup.sh

web/node_modules/.installed: web/package-lock.json
	cd web && npm ci --no-progress
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@

web: web/dist/index.html ## Build the page

xtask:
	$(BUILD) --bin xtask

plugins: setup xtask ## Build the guest policies
	@"$(XTASK)" plugins

build: setup web plugins ## Build everything
	$(BUILD) --bin pointsman

run: build ## Build, start a host, and train: dashboard on http://127.0.0.1:8420
	@exec "$(PROGRAM)" up --demo --data "$(or $(POINTSMAN_DATA),.pointsman)"

test: build test-rust test-plugins test-web check-structure demo-check crash-check browser-check ## All tests
	@echo "make test: all passed"

test-rust:
	POINTSMAN_REQUIRE_PLUGINS=1 $(CARGO) test --release --workspace

test-plugins:
	cd plugins && $(CARGO) test $(GUEST_TESTS) --lib --target-dir target

test-web: web/node_modules/.installed
	cd web && npm run --silent check && npm run --silent test

check-structure: xtask ## Arrows between crates, rows of the control center, purity and lints of the core
	"$(XTASK)" layering
	"$(XTASK)" features
	"$(XTASK)" purity
	@if $(CARGO) clippy --version >/dev/null 2>&1; then \
	  $(CARGO) clippy --release -p pointsman-model -p pointsman-coordinator -- -D warnings; \
	else echo "clippy is not installed here: the lints of the core are skipped"; fi

checks:
	$(BUILD) --bin pointsman --bin demo-check --bin crash-check --bin attack-check --bin language-check

demo-check: build checks ## One run up to the first live apply, judged from outside
	"$(TARGET)/release/demo-check"

crash-check: build checks ## 20 kill -9 at random moments, judged by the journal
	"$(TARGET)/release/crash-check"

attack-check: build checks ## Hostile policies and 10,000 mutants, all contained: the table is target/attack-check.md
	"$(TARGET)/release/attack-check"

language-check: build checks ## Every language template: new, build, test, activate, a live decision
	cd plugins && $(CARGO) test --release -p c-bindings --target-dir target
	"$(TARGET)/release/language-check"

browser-check: build ## The dashboard in headless Chromium, on a running host
	@scripts/browser-check.sh "$(PROGRAM)"

sim-check: plugins ## 10,000 seeded fault scenarios and 10,000 simulated promotions, on all cores; SEED=n replays one
	$(BUILD) --bin sim-check
	"$(TARGET)/release/sim-check"

backlog-bench: ## A million pending sources: what a claim, a page, a start and the memory cost
	$(CARGO) bench --workspace --bench backlog

swap-soak: build ## 10,000 swaps of all kinds under load, none failed, lost, doubled or mixed
	$(CARGO) bench --workspace --bench swap_soak

bench: build ## Decisions, swaps and journal beside their limits, in one run
	$(CARGO) bench --workspace --bench decide --bench warm --bench strings --bench deadline --bench swap --bench append --bench replay

clean: ## Remove what was built and the demo's data
	rm -rf target plugins/target plugins/dist web/dist web/node_modules tests/browser/node_modules .pointsman

.PHONY: help setup web xtask plugins build run test test-rust test-plugins test-web check-structure checks demo-check crash-check attack-check language-check browser-check sim-check swap-soak bench clean
