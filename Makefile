# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := build
PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
PACKAGES := libgit2-dev libcurl4-openssl-dev zlib1g-dev libssl-dev libnghttp2-dev libsqlite3-dev pkg-config git python3 openssh-server

.PHONY: deps build test test-browser test-languages lint format bench bench-proxy bench-sites bench-queue bench-hooks bench-dashboard swap-drivers fuzz fuzz-hooks fuzz-api faults soak soak-swaps soak-undo soak-proxy soak-long hostile crash demo tour man install clean help

deps: ## install the missing Debian packages
	@missing=(); for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}\n' "$$package" 2>/dev/null | grep -q '^install ok installed$$' \
	        || missing+=("$$package"); \
	done; \
	if (( $${#missing[@]} )); then \
	    echo "installing $${missing[*]}"; \
	    sudo=(); (( $$(id -u) == 0 )) || sudo=(sudo); \
	    "$${sudo[@]}" apt-get update -q \
	        && "$${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
	            apt-get install -q -y --no-install-recommends "$${missing[@]}"; \
	fi

build: deps ## debug build of everything
	$(SWIFT) build

# Tests that run whole servers.
SERVERS := ^(EndToEndTests|ProxyDriverTests)\.
test: PACKAGES += nginx fcgiwrap haproxy caddy openssl curl nghttp2-client bubblewrap util-linux gcc libc6-dev python3-aiosmtpd python3-jsonschema \
    zsh fish man-db groff python3-venv
test: deps ## build and run all tests, also with the real nginx, HAProxy and Caddy
	$(SWIFT) build --build-tests
	@# Those that block threads first: they would hold up those that wait for servers, of which a few run at a time. Into
	@# files: a pipe may be made non-blocking by a program that was started with it, and lines be lost.
	@rm -f .build/test-*.log; status=0; number=0; \
	for which in '--skip $(SERVERS)' '--experimental-maximum-parallelization-width 8 --filter $(SERVERS)'; do \
	    for attempt in 1 2; do \
	        number=$$((number + 1)); log=.build/test-$$number.log; : >$$log; failed=0; \
	        echo "$(SWIFT) test --skip-build $$which"; \
	        $(SWIFT) test --skip-build $$which >>$$log 2>&1 </dev/null & pid=$$!; \
	        tail -n +1 -f --pid=$$pid $$log; \
	        wait $$pid || failed=1; \
	        grep -aqE 'Test run with [0-9]+ tests' $$log && break; \
	        echo 'the runner ended without its closing line'; failed=1; \
	    done; \
	    (( failed )) && status=1; \
	done; \
	make --no-print-directory test-browser || status=1; \
	if (( status )); then echo 'what failed:'; grep -ahE '✘|↳' .build/test-*.log | tail -n 40; exit 1; fi

# Projects of all languages, with their tools and the package index of Python.
missing = $(shell command -v $(1) >/dev/null || echo $(2))
test-languages: PACKAGES += $(call missing,npm,nodejs npm) $(call missing,go,golang-go) $(call missing,bundle,ruby ruby-bundler) \
    $(call missing,composer,php-cli composer) $(call missing,cargo,cargo) $(call missing,mvn,default-jdk-headless maven) \
    libmaven-compiler-plugin-java libmaven-jar-plugin-java libmaven-resources-plugin-java libsurefire-java python3-venv
test-languages: deps ## small projects of all languages, from `kinto init` to live
	$(SWIFT) build --build-tests
	KINTO_LANGUAGES=all $(SWIFT) test --skip-build --filter InitTests

# The browser is Debian's; what drives it comes from PyPI, into the build directory.
test-browser: PACKAGES += chromium python3-venv
test-browser: deps ## the dashboard in a real browser (IMAGES=docs/images: new pictures)
	$(SWIFT) build --product kinto
	$(SWIFT) build --product kinto-runtime
	test -x .build/browser/bin/python || python3 -m venv .build/browser
	.build/browser/bin/python -c 'import playwright' 2>/dev/null || .build/browser/bin/pip install -q playwright==1.65.2
	.build/browser/bin/python -c 'import axe_playwright_python' 2>/dev/null || .build/browser/bin/pip install -q --no-deps axe-playwright-python==0.1.8
	$(if $(IMAGES),.build/browser/bin/pip install -q pillow==11.3.0)
	.build/browser/bin/python scripts/test-browser $(if $(IMAGES),--images $(IMAGES))

lint: ## format and architecture checks
	$(SWIFT) format lint --strict --recursive Sources Tests Package.swift
	scripts/check-arrows
	scripts/check-docs

format: ## rewrite the sources in the project's format
	$(SWIFT) format --in-place --recursive Sources Tests Package.swift

# Without the toolchain's libraries: what is installed goes on running when that is upgraded or removed.
STATIC = $(if $(wildcard $(dir $(shell readlink -f "$$(command -v $(SWIFT))"))../lib/swift_static/linux),--static-swift-stdlib)
release: deps
	$(SWIFT) build -c release $(STATIC) --product kinto
	$(SWIFT) build -c release $(STATIC) --product kinto-runtime

load: deps
	$(SWIFT) build -c release $(STATIC) --product kinto-load

.PHONY: release load

bench: release load ## push to live beside a hand-written post-receive script, and memory
	scripts/bench

bench-proxy: PACKAGES += nginx haproxy caddy wrk util-linux gcc libc6-dev
bench-proxy: release load ## the proxy beside nginx, HAProxy and Caddy from Debian's packages
	scripts/bench-proxy

bench-sites: PACKAGES += nginx wrk util-linux
bench-sites: release ## static files by the proxy beside nginx: requests and bytes per CPU-second
	scripts/bench-sites

bench-queue: release ## 1,000 webhooks, requests of hooks, and hooks in 10 s each: accepted, lost, p50, p99
	scripts/bench-queue

bench-dashboard: release ## each page with 200 services, 10,000 releases of one, 200 watchers: median, p99
	$(SWIFT) build --build-tests
	scripts/bench-dashboard

bench-hooks: PACKAGES += webhook wrk
bench-hooks: release ## signed and refused deliveries beside adnanh/webhook
	scripts/bench-hooks

swap-drivers: PACKAGES += nginx haproxy caddy
swap-drivers: deps ## 50 swaps under load with the real nginx, HAProxy and Caddy (SWAPS=50)
	$(SWIFT) build --build-tests
	scripts/swap-drivers $(SWAPS)

fuzz: deps ## the proxy's parsers under libFuzzer and the address sanitizer (RUNS=10000000)
	scripts/fuzz $(RUNS)

fuzz-hooks: deps ## a million changed deliveries against the webhook door's readers (RUNS=1000000)
	$(SWIFT) build --build-tests
	KINTO_FUZZ=$(or $(RUNS),1000000) $(SWIFT) test --skip-build --filter WebhookFuzzTests

fuzz-api: PACKAGES += python3-venv
fuzz-api: deps ## schemathesis against the API by its own document (RUNS=100 requests of each kind)
	$(SWIFT) build
	scripts/fuzz-api $(RUNS)

faults: PACKAGES += curl gcc libc6-dev
faults: deps ## every file operation of a deploy fails once, each power cut is replayed (ten minutes)
	$(SWIFT) build --build-tests
	KINTO_FAULTS=all $(SWIFT) test --skip-build --filter 'StorageFaultTests|StoragePowerTests'

soak: release load ## 100 deploys, every tenth broken, restarts and rollbacks under load
	scripts/soak
	scripts/soak --broken

soak-swaps: release load ## 1,000 swaps under a mixed load, then one every 200 ms for five minutes
	scripts/soak-swaps

soak-undo: release load ## releases that die or answer 500 after their swap, under load
	scripts/soak-undo

soak-proxy: release load ## the proxy replaced 50 times under load
	scripts/soak-proxy

soak-long: release load ## half an hour of deploys over 20 services under load: nothing grows
	scripts/soak-long

hostile: release load ## builds and services that mean no good, beside one that serves: its p99, and what is left
	scripts/hostile

crash: deps ## the server killed at each point of a deploy, and 500 times at any moment, under load (debug build)
	$(SWIFT) build
	KINTO_BIN_DIR=.build/debug scripts/crash

demo: release load ## two deploys under load, then look around until Ctrl-C (ONCE=1: leave at once)
	scripts/demo

tour: release load ## the shop of examples/shop: staging, promotion, failures and rollback under load
	examples/shop/tour

# From what --help is made of.
man: release ## manual pages, in .build/man
	scripts/man .build/release/kinto .build/man

SHARE := $(DESTDIR)$(PREFIX)/share
install: man ## into PREFIX (/usr/local), with manual pages and completions
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(SHARE)/man/man1" "$(SHARE)/bash-completion/completions" \
	    "$(SHARE)/zsh/site-functions" "$(SHARE)/fish/vendor_completions.d"
	install -m 0755 .build/release/kinto .build/release/kinto-runtime "$(DESTDIR)$(PREFIX)/bin/"
	install -m 0644 .build/man/*.1 "$(SHARE)/man/man1/"
	.build/release/kinto completions bash >"$(SHARE)/bash-completion/completions/kinto"
	.build/release/kinto completions zsh >"$(SHARE)/zsh/site-functions/_kinto"
	.build/release/kinto completions fish >"$(SHARE)/fish/vendor_completions.d/kinto.fish"

clean: ## remove what was built
	$(SWIFT) package clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14
