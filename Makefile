# make demo shows it, make test proves it, make help lists the rest.

TAGS = browser
# The race detector watches all Go code but SQLite's, which is translated C with locks
# of its own: watching it takes nine tenths of the time. (Nothing else may be left out:
# an instance of a generic type of sync that is compiled unwatched may be used everywhere.)
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false

.DEFAULT_GOAL := help
.PHONY: help build demo test interop fuzz check lint fmt bench compose-test clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 14

build: ## compile bin/idp
	@scripts/build ./cmd/idp

demo: ## KDC, idp and two sites on this machine, and the story; ONCE=1 ends after it
	@scripts/install-packages demo
	@scripts/build ./cmd/idp ./examples/site ./examples/demo
	@exec bin/demo --bin bin $(if $(ONCE),--once)

test: ## all tests, with the race detector, a KDC, PostgreSQL and a browser; 20,000 runs of each fuzz target
	@scripts/install-packages test
	@scripts/install-axe
	go vet -tags $(TAGS) ./...
	CGO_ENABLED=1 go test $(RACE) -count=1 -timeout 30m -tags $(TAGS) ./...
	FUZZTIME=20000x scripts/fuzz

interop: ## Samba, realms that trust each other, curl, Apache, Python, Node.js, Java, Firefox, Chromium, proxies against idp
	@scripts/install-packages interop
	@scripts/install-python
	go test -count=1 -timeout 30m -tags interop ./interop/

fuzz: ## every fuzz target for FUZZTIME (10m); FUZZ=REGEXP chooses among them
	@FUZZTIME=$(FUZZTIME) FUZZ='$(FUZZ)' scripts/fuzz

check: ## formatting, vet, linters, known vulnerabilities, scripts
	@scripts/check

lint: check ## the same as check

fmt: ## format the Go code
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

bench: ## flows per CPU second, and benchmarks of the packages
	@scripts/bench

compose-test: ## the same story between containers, with TLS and PostgreSQL
	@scripts/compose-test

clean: ## remove what was built
	rm -rf bin .cache
