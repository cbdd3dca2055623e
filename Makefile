# Everything that is done to this tree by hand or by CI is a target here.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# The product is built without C. Only the race detector needs a C compiler, and it is used in tests alone.
# Vet, tests and builds share their flags, so that nothing is compiled twice.
export CGO_ENABLED := 0
GOFLAGS := $(shell go env GOFLAGS)
ifeq ($(findstring grpcnotrace,$(GOFLAGS)),)
export GOFLAGS := $(strip $(GOFLAGS) -trimpath -tags=grpcnotrace)
endif

# grpcnotrace leaves out gRPC's pages of traces, which are not served and which cost 17 MB: docs/adr/0030-no-methods-by-name.md.
GO_BUILD := go build -trimpath -tags grpcnotrace -ldflags '-s -w -X main.version=$(VERSION)'
# It does not look into SQLite and its C library, which are C translated to Go: tests on SQLite take a sixth of the processor time.
# Only packages without generic code may be left out: of functions that several packages compile, the linker takes any one.
RACE     := -race -gcflags='modernc.org/sqlite/lib=-race=false' -gcflags='modernc.org/libc=-race=false'
GO_TEST  := go test -vet=off -shuffle=on -timeout 20m
GO_RACE  := CGO_ENABLED=1 $(GO_TEST) $(RACE)

# Without the race detector in make test: packages that drive the command from outside, and those whose tests send thousands of requests
# one after another, which it makes three times as long. CI runs it over one of the latter with every second commit, and make race over
# all packages. The browser's stories take longest, and begin first.
OUTSIDE := bench cmd deploy examples test internal/acceptance internal/archtest internal/gateway/recipes
LONG    := internal/auditreplay internal/cli internal/control internal/dashboard internal/httpapi internal/server internal/signin \
  internal/ratelimit/redislimit internal/store/postgres internal/store/sqlite internal/storecopy internal/tally
empty   :=
SPARED  := ^\./($(subst $(empty) $(empty),|,$(strip $(OUTSIDE) $(LONG))))(/|$$)
PACKAGES = go list -f '{{.Dir}}' ./... | sed "s,^$$PWD,.,"

# The provider's module is compiled once: as it is released, without the race detector, which make test-terraform brings.
IN_TERRAFORM := cd terraform && CGO_ENABLED=0 GOFLAGS=-trimpath

STATICCHECK := go tool -modfile=tools/go.mod staticcheck

export KEYWARD_DATABASE_URL ?= sqlite:./keyward.db

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/keyward
	$(GO_BUILD) -o bin/keyward ./cmd/keyward

.PHONY: run
run: ## Build and start a server on 127.0.0.1:8080 with ./keyward.db
	@echo 'Building bin/keyward. The first build compiles everything, which takes one to three minutes; later ones take seconds.'
	@$(MAKE) --no-print-directory build
	@if [ -z "$${KEYWARD_ADDR-}$${KEYWARD_TLS_CERT-}$${KEYWARD_CONFIG-}" ]; then \
	  export KEYWARD_PUBLIC_URL="$${KEYWARD_PUBLIC_URL-http://localhost:8080}"; \
	fi; \
	exec bin/keyward serve

.PHONY: test
test: test-deps ## Run every test in random order, most packages with the race detector
	@packages=$$($(PACKAGES) | grep -E '$(SPARED)'); set -x; $(GO_TEST) ./test/browser $$packages
	@packages=$$($(PACKAGES) | grep -vE '$(SPARED)'); set -x; $(GO_RACE) $$packages
	$(IN_TERRAFORM) go test -shuffle=on -timeout 15m ./...

# PART=n takes one of the packages that make test spares, without the walks that do one thing after another.
.PHONY: race
race: test-deps ## Run every test with the race detector, an hour of processor time (PART=3: one of the packages that make test spares)
	$(GO_RACE) $(if $(PART),-skip '^Test(T1T3|T7|T100)[A-Z]' ./$(word $(shell echo $$(($(PART) % $(words $(LONG)) + 1))),$(LONG)),./...)

.PHONY: test-terraform
test-terraform: ## Run OpenTofu over the provider's examples; the first run builds OpenTofu: five minutes of processor time
	cd terraform && CGO_ENABLED=1 go test -race -shuffle=on -timeout 15m ./...
	cd terraform && tofu=$$(scripts/tofu) && KEYWARD_TOFU=$$tofu go test -count=1 -timeout 15m -tags tofu ./internal/tofutest

.PHONY: test-deps
test-deps: ## Install the programs that tests call, where they are missing
	@scripts/install-test-deps

TEMPL := go tool -modfile=tools/go.mod templ

.PHONY: templates
templates: ## Format the templates (*.templ), and compile them to Go
	@$(TEMPL) fmt -log-level error .
	@$(TEMPL) generate -log-level error

.PHONY: lint
lint: ## Check the format, then go vet, staticcheck, the analyzers of tools/lint, the workflows, and that every mutant compiles
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then printf 'not formatted (make fmt):\n%s\n' "$$unformatted" >&2; exit 1; fi
	@compiled() { git ls-files '*_templ.go' | sort | xargs cat | cksum; }; \
	before=$$(compiled); $(TEMPL) generate -log-level error; \
	if [ "$$before" != "$$(compiled)" ]; then echo 'templates are not as compiled: make templates' >&2; exit 1; fi
	go vet ./...
	$(STATICCHECK) ./...
	go build -C tools -o ../bin/lint ./lint
	bin/lint ./...
	$(IN_TERRAFORM) sh -c 'go vet -tags tofu ./... && go tool -modfile=../tools/go.mod staticcheck ./... && ../bin/lint ./...'
	go tool -modfile=tools/go.mod actionlint
	go run ./test/mutants -check

.PHONY: vuln
vuln: ## Ask whether code with a known vulnerability is called (govulncheck, with the reports of golang.org/x/vulndb)
	go build -C tools -o ../bin/vuln ./vuln
	bin/vuln ./...
	$(IN_TERRAFORM) ../bin/vuln ./...

.PHONY: platforms
platforms: ## Vet the Go client for platforms that it is not tested on, and build the command for Windows
	@for platform in js/wasm windows/amd64 darwin/arm64; do \
	  export GOOS=$${platform%/*} GOARCH=$${platform#*/} CGO_ENABLED=0; \
	  for dir in . keyhttp; do \
	    echo "go vet $$dir for $$platform"; \
	    (cd $$dir && go vet $$(go list -f '{{join .GoFiles " "}}' .)); \
	  done; \
	done
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go build -o /dev/null ./cmd/keyward

.PHONY: tidy
tidy: ## Bring go.mod and go.sum of the product and of the provider up to date; the provider's follow the product's
	go mod tidy
	go -C terraform mod tidy

.PHONY: tidy-check
tidy-check: ## Check that go.mod and go.sum say what the code imports, no more and no less
	go mod tidy -diff
	go -C terraform mod tidy -diff

.PHONY: check
check: lint vuln platforms tidy-check build release-check test ## All that CI runs

.PHONY: bench
bench: ## Measure on this machine: a table, bench/out/summary.md and plots (ARGS="-quick" for a look)
	go run ./bench $(ARGS)

.PHONY: speed
speed: ## Measure in a browser what the page of a customer takes, on an idle machine (ROUNDS=9)
	KEYWARD_BROWSER_MEASURE=$${ROUNDS:-9} KEYWARD_BROWSER_ONLY='^speed' go test -count=1 -v -run '^TestStories$$' ./test/browser

.PHONY: soak
soak: ## Check over hours what CI checks in seconds: revocations over a million operations, limits over hundreds of kills
	KEYWARD_SOAK_OPERATIONS=$${KEYWARD_SOAK_OPERATIONS:-1000000} CGO_ENABLED=1 go test $(RACE) -timeout 6h -run 'T25' -v ./internal/verify
	KEYWARD_SOAK_KILLS=$${KEYWARD_SOAK_KILLS:-300} CGO_ENABLED=1 go test $(RACE) -count=1 -timeout 6h -run 'T38Killed|T112Killed' -v ./internal/acceptance
	KEYWARD_SOAK_MINUTES=$${KEYWARD_SOAK_MINUTES:-30} go test -count=1 -timeout 6h -run 'T92' -v ./internal/acceptance
	go test -count=$${KEYWARD_SOAK_FILE:-30} -timeout 6h -run 'T79|T80|T101|T102' ./internal/store/sqlite ./internal/cli
	KEYWARD_SOAK_CLOCK=$${KEYWARD_SOAK_CLOCK:-300} go test -count=1 -timeout 6h -run 'T103' -v ./internal/server
	go test -count=1 -timeout 6h -run 'T103AClockThat' ./internal/clock -rapid.checks=$${KEYWARD_SOAK_CLOCKS:-100000}
	go test -count=$${KEYWARD_SOAK_FILE:-30} -timeout 6h -run 'T31|T103' ./internal/clock ./internal/cli
	KEYWARD_SOAK_SETTLEMENTS=$${KEYWARD_SOAK_SETTLEMENTS:-300} go test -count=1 -timeout 6h -run 'SettlementHolds' ./internal/control
	KEYWARD_SOAK_KEYS=$${KEYWARD_SOAK_KEYS:-20000} go test -count=$${KEYWARD_SOAK_REMOVALS:-10} -timeout 6h -run 'T104' -v ./internal/acceptance
	go test -count=1 -timeout 6h -run 'T33' ./internal/auditreplay -rapid.checks=$${KEYWARD_SOAK_HISTORIES:-5000}
	KEYWARD_SOAK=true go test -count=1 -timeout 6h -v ./test/cluster
	KEYWARD_SOAK_FOLLOWERS=$${KEYWARD_SOAK_FOLLOWERS:-20} go test -count=1 -timeout 6h -v ./test/followers

.PHONY: image
image: ## Build a container image without a container engine: bin/keyward-image.tar, for docker load
	@mkdir -p bin
	go run -C tools/image . -context ../.. -dockerfile ../../deploy/Dockerfile -build-arg VERSION='$(VERSION)' -tag 'keyward:$(VERSION)' -out ../../bin/keyward-image.tar

.PHONY: release
release: test-deps ## Build all of a release into bin/release: archives, packages, image, SBOM, checksums (VERSION=v0.1.0)
	go run -C tools/release . -version '$(VERSION)'
	$(MAKE) --no-print-directory release-provider

.PHONY: release-provider
release-provider: ## Build the Terraform provider into bin/release: an archive for each platform, checksums, manifest
	go run -C tools ./provider -version '$(VERSION)'

.PHONY: clients
clients: ## Build the packages for npm and Python of this checkout into bin/clients, as docs/quickstart installs them
	@command -v npm >/dev/null && command -v python3 >/dev/null || { echo 'Node 20 with npm, and Python 3, are needed' >&2; exit 1; }
	@[ -d sdk/typescript/node_modules ] || npm --prefix sdk/typescript ci --ignore-scripts --no-audit --no-fund --silent
	@rm -rf bin/clients
	@go run -C tools/release . -version '$(VERSION)' -sdks -out bin/clients
	@ls bin/clients

.PHONY: release-check
release-check: test-deps ## Build one platform of a release twice, at two paths, compare the bytes, and check the size
	go run -C tools/release . -version '$(VERSION)' -twice linux/amd64
	go run -C tools ./provider -version '$(VERSION)' -twice linux/amd64

.PHONY: mutants
mutants: ## Break promises of the code one at a time, and name every break that no test notices (ARGS="-part 3/20", ARGS="-only lease")
	go run ./test/mutants $(ARGS)

.PHONY: sbom
sbom: build ## List what bin/keyward is made of in bin/keyward.spdx.json (SPDX 2.3)
	scripts/sbom bin/keyward '$(VERSION)' > bin/keyward.spdx.json

.PHONY: fmt
fmt: ## Format every Go file
	gofmt -w .

.PHONY: clean
clean: ## Remove what was built; a database stays
	rm -rf bin
