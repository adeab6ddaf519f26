# The front door. Every command here first installs what is missing and says so; `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(HOME)/.cargo/bin:$(PATH)
CARGO ?= cargo
# Passed on by `make up ARGS="--roles worker"`.
ARGS ?=

# nextest runs the tests side by side and names the slow ones; plain cargo runs the same tests.
RUN_TESTS = $(if $(shell PATH="$(PATH)" command -v cargo-nextest),nextest run --profile $(PROFILE),test --tests)
PROFILE ?= default

# `check` relies on the order of what it lists.
.NOTPARALLEL:
.PHONY: help setup tools demo test test-browser test-clients up check fmt clippy tidy doc deny bench-queue bench-ide bench-engine sandbox-images test-docker test-machine contained benign jail bench-sandbox

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building and testing need (apt or brew, rustup)
	@scripts/setup.sh

tools: setup ## Install what `make check` needs beyond that (cargo-nextest, cargo-deny)
	@scripts/setup.sh --tools

demo: setup ## Let the shipped model write a patch for examples/textstats and prove it
	@scripts/demo.sh

test: setup ## Run every test, on SQLite and PostgreSQL
	@echo "==> building the programs the tests start (the first build compiles llama.cpp: minutes)"
	$(CARGO) build --locked --workspace --bins
	@echo "==> testing"
	$(CARGO) $(RUN_TESTS) --locked --workspace
	@echo "==> testing the examples in the documentation"
	$(CARGO) test --locked --workspace --doc

up: setup ## Start a node with all roles on this machine (stop with Ctrl-C)
	$(CARGO) build --locked
	$(CARGO) run --locked --bin edgecoder -- up $(ARGS)

jail: setup ## Build the sandbox's launcher without shared libraries: a start costs a fifth less
	$(CARGO) rustc --locked --release -p edgecoder-sandbox --bin edgecoder-jail -- -C target-feature=+crt-static

bench-sandbox: jail ## Measure the sandbox beside bubblewrap (ARGS="--jobs 1000 --bubblewrap /usr/bin/bwrap")
	$(CARGO) build --locked --release -p edgecoder -p edgecoder-bench-sandbox
	target/release/edgecoder-bench-sandbox --node target/release/edgecoder $(ARGS)

sandbox-images: setup ## Build the images of sandbox mode `docker` from Debian packages (needs debootstrap and dockerd)
	@images/sandbox/build.sh $(ARGS)

test-docker: setup ## Test sandbox mode `docker` on this machine's dockerd, with the hostile corpus and 200 kills
	@scripts/test-docker.sh

contained: setup ## Run the hostile corpus of the sandbox: as you, and for root again as an ordinary user
	@scripts/corpus.sh hostile $(ARGS)

benign: setup ## Run the benign corpus the same way (ARGS=--write: its figures become docs/security/benign.md)
	@scripts/benign.sh $(ARGS)

test-machine: ## Test the sandbox in an emulated machine with cgroup version 2 (needs root, qemu, busybox-static)
	@scripts/test-machine.sh

test-clients: setup ## Let real clients (openai, anthropic, ollama, litellm, aider, …) speak to a node
	@scripts/test-clients.sh $(ARGS)

test-browser: setup ## Let a page of another origin try what it can on the IDE door, in a real Chromium
	$(CARGO) build --locked --bin edgecoder --bin edgecoder-jail
	@tests/browser/run.py

bench-queue: setup ## Measure the queue beside BullMQ and JetStream (ARGS="--runs 1" for a quick look)
	@scripts/bench-queue.sh $(ARGS)

bench-ide: setup ## Measure what the IDE door adds to an engine beside litellm (ARGS="--runs 1" for a quick look)
	@scripts/bench-ide.sh $(ARGS)

bench-engine: setup ## Measure the local engine beside llama-cpp-python (ARGS="--runs 2" for a quick look)
	@scripts/bench-engine.sh $(ARGS)

check: tools fmt clippy tidy test doc deny ## Everything a change must pass
	@echo "==> all checks passed"

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

tidy: ## Check floors, purity, sizes and names
	$(CARGO) xtask tidy

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

deny:
	$(CARGO) deny --log-level error check bans licenses sources
	@if $(CARGO) deny --log-level error fetch db; then $(CARGO) deny --log-level error check --disable-fetch advisories; \
	else echo "advisories: NOT checked, the database could not be fetched"; fi
