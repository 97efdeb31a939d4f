# What one does with this repository. `make` lists it.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help
# Go's own place, where its installation puts it and not every PATH leads.
export PATH := $(PATH):/usr/local/go/bin
.PHONY: help run reset test test-fast fuzz generate bench lint cover chaos soak web screenshots

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

run: ## build and run everything here: servers, API and playground
	@scripts/build.sh
	@exec bin/techmart dev

reset: ## delete the data of `make run` and of the test servers
	@go run ./devstack/cmd/teststack reset .data

test: ## all checks and tests, on real servers, with coverage
	@scripts/test.sh

test-fast: ## the tests that need no server, in seconds
	@scripts/test-fast.sh

fuzz: ## run every fuzz target for a minute each
	@scripts/fuzz.sh 60

FOR ?= 10m
SEED ?= 0
chaos: ## kill, cut and slow everything for long, then audit: FOR=10m SEED=0
	@go run ./devstack/cmd/teststack run -- go test ./e2e/chaos -v -timeout 0 -chaos.exhaustive -chaos.for $(FOR) -chaos.seed $(SEED)

soak: ## an hour of mixed load, in which nothing may grow: make soak FOR=1h
	@go run ./devstack/cmd/teststack run -- go test ./e2e/chaos -v -timeout 0 -run TestSoak -chaos.soak $(if $(filter file,$(origin FOR)),1h,$(FOR))

web: ## build the shop front anew, with its checks
	@scripts/web.sh build

SHOP ?= http://127.0.0.1:8080
screenshots: ## take the pictures of the README anew, of the shop that `make run` has started: SHOP=http://127.0.0.1:8080
	@cd e2e/web && npm ci --prefer-offline --no-audit --no-fund --loglevel=error && node screenshots.mjs $(SHOP) ../../docs/images

generate: ## generate code, clients and the pages at /docs anew
	go generate ./...
	@scripts/docs.sh

bench: ## benchmark the API on servers of its own
	@go run ./bench

lint: ## formatting, go vet, staticcheck
	@scripts/lint.sh

contract: ## the schema against what was released and published, and its lint
	@scripts/contract.sh check

release-contract: ## make the schema the released one; docs/contract.md says when
	@scripts/contract.sh release

cover: ## show the coverage of the last `make test` by package
	@scripts/coverage.sh coverage.out
