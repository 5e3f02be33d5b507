# Consort: the commands of the house. `make help` lists them.
# Build results stay outside the clone, so that a fresh clone builds warm.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/consort/target

.PHONY: help setup build test demo demo-down docs bless

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install what building and testing need (Debian packages; idempotent)
	@scripts/setup.sh

build: setup ## Build the release binary: bin/consort
	@scripts/build.sh

test: setup ## Everything that must hold: format, lints, tests, conformance, the example end to end
	@scripts/test.sh

demo: build ## Bring customer-360 up, play its acts, leave it running
	@scripts/demo.sh

demo-down: ## End the demo and everything that it left
	@scripts/demo-down.sh

docs: build ## Write the generated pages of docs/ again
	@scripts/docs.sh

bless: setup ## Accept new snapshots after reading them
	@INSTA_UPDATE=always cargo test --workspace --locked
