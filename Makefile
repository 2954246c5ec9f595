# SPDX-License-Identifier: Apache-2.0
# What people type. Each target installs what it needs on Debian 12; the Swift 6.3 toolchain is expected on PATH.

BUILD_FLAGS := -c release --static-swift-stdlib --scratch-path .build-static
CONTAINER_TOOL ?= docker
SOURCE ?= unknown
VERSION = $(shell sed -n 's/.*text = "\(.*\)"/\1/p' Sources/Weir/App/WeirVersion.swift)
REVISION = $(shell git rev-parse HEAD)
IMAGE_ARGUMENTS = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg SOURCE=$(SOURCE)
# A crash must end the process, not start a backtracer that may hang.
export SWIFT_BACKTRACE := enable=no

.DEFAULT_GOAL := help
.PHONY: help setup setup-test setup-faults setup-image run build image test test-unit test-release test-e2e \
	test-image test-arm64 test-charts test-tls test-cluster faults soak chart order sanitize sanitize-units bench \
	bench-peers settle drill patience signals lint lint-image format docs fuzz clean

help: ## what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup:
	@scripts/setup run

setup-test:
	@scripts/setup test

setup-faults: setup-test
	@scripts/setup faults

setup-image:
	@scripts/setup image

build: setup ## the release binaries: the gateway, and the demo service as a program of its own
	swift build $(BUILD_FLAGS) --product weir
	swift build $(BUILD_FLAGS) --product hello

run: setup ## build and run the gateway on :8080, admin port :9901; WEIR_UPSTREAM=http://127.0.0.1:3000 says for what
	swift build $(BUILD_FLAGS) --product weir
	exec .build-static/release/weir

image: ## the container image weir:VERSION, by docker or CONTAINER_TOOL; SOURCE is the address that its label gives
	$(CONTAINER_TOOL) build $(IMAGE_ARGUMENTS) --tag weir:$(VERSION) .

test: test-unit test-e2e ## all tests

# How many tests run at once. All at once starve each other on two cores: what waits for a thread runs out of its time.
TESTS_AT_ONCE := SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4

test-unit: setup
	$(TESTS_AT_ONCE) swift test

test-release: setup ## the unit tests as the optimiser leaves them
	$(TESTS_AT_ONCE) swift test -c release

END_TO_END = WEIR_HELLO=.build-static/release/hello WEIR_GATEWAY=.build-static/release/weir \
	.venv/bin/python -m pytest -q Tests/EndToEnd

# Most of them wait for something most of the time, so two files are worked on at a time. What fails is run once more,
# alone. A test that passes then has met a busy machine, or a fault that seldom shows: both runs are printed, and it is
# to be mended.
test-e2e: setup-test build
	$(END_TO_END) --numprocesses 2 --dist loadfile || { [ $$? -eq 1 ] && echo "== once more: what failed" && \
		$(END_TO_END) --last-failed --last-failed-no-failures none; }

# That the address gets into the label is tested, too.
test-image: SOURCE = https://git.example.com/weir
test-image: setup-image ## builds the image from a base made here, and runs it under limits; as root
	scripts/test-image $(IMAGE_ARGUMENTS)

test-arm64: setup-test ## cross-compiles for arm64 with the Swift of Debian's sid, and runs it under QEMU; as root, on amd64
	scripts/test-arm64

chart: setup-test ## writes into the chart what follows from values.yaml and docs/configuration.md
	.venv/bin/python scripts/chart

test-charts: setup-test build ## the chart, the manifests and the monitoring, with real helm, kubectl, promtool and Prometheus
	scripts/chart-tools
	WEIR_GATEWAY=.build-static/release/weir .venv/bin/python -m pytest -q -c Tests/Charts/pytest.ini --rootdir Tests/Charts \
		Tests/Charts

# Not for each change: it builds Kubernetes the first time.
test-cluster: setup-test build ## Weir on a real Kubernetes control plane, without containers; as root
	scripts/control-plane
	scripts/chart-tools
	WEIR_HELLO=.build-static/release/hello WEIR_GATEWAY=.build-static/release/weir Tests/Cluster/run

RUN_FAULTS = WEIR_HELLO=.build-static/release/hello WEIR_GATEWAY=.build-static/release/weir Tests/Faults/run

faults: setup-faults build ## what goes wrong around Weir, each with its figure (docs/faults.md); FAULTS="-m short" is a minute
	$(RUN_FAULTS) $(FAULTS)

soak: setup-faults build ## an hour of all kinds of traffic, or SOAK seconds: memory and descriptors stay flat
	SOAK=$${SOAK:-3600} $(RUN_FAULTS) Tests/Faults/test_soak.py

test-tls: setup-test build ## what testssl.sh finds of TLS: nothing of medium or above
	scripts/test-tls

sanitize: setup-test ## the unit tests and those end to end, under the address and the thread sanitizer
	scripts/sanitize

sanitize-units: setup
	scripts/sanitize units

bench: setup-test ## Weir beside nginx and HAProxy: CPU, allocations, memory, start
	python3 Benchmarks/bench.py

settle: setup-test ## how soon `WEIR_CONCURRENCY=auto` finds what a service can carry
	.venv/bin/python -m pip install -q --disable-pip-version-check -r Benchmarks/requirements.txt
	.venv/bin/python Benchmarks/settle.py

order: setup-test ## writes Sources/startup.order: what runs at a start, for the linker to put side by side
	python3 Benchmarks/order.py

# The first time it builds the peers that come as sources; Hummingbird takes some minutes.
bench-peers: setup ## Weir beside nginx, HAProxy, Envoy, Go and Hummingbird; PEERS="--quick" is short
	@scripts/setup peers
	python3 Benchmarks/peers.py $(PEERS)

drill: setup-test ## offers a service ten times what it can carry, behind Weir and behind nginx; DRILL="--seconds 5" is short
	.venv/bin/python -m pip install -q --disable-pip-version-check -r Benchmarks/requirements.txt
	.venv/bin/python Benchmarks/drill.py $(DRILL)

patience: setup-test ## the drill with clients that give up, or try again; PATIENCE="--rounds 1" is short
	.venv/bin/python -m pip install -q --disable-pip-version-check -r Benchmarks/requirements.txt
	.venv/bin/python Benchmarks/patience.py $(PATIENCE)

signals: setup-test ## how exact the signals are, and how soon the admin port answers under ten times the load
	.venv/bin/python -m pip install -q --disable-pip-version-check -r Benchmarks/requirements.txt
	.venv/bin/python Benchmarks/signals.py

lint: ## formatting and style
	swift format lint --strict --recursive Package.swift Sources Tests Examples Benchmarks Fuzz

lint-image: setup-test ## the Dockerfile
	.venv/bin/python -m pip install -q --disable-pip-version-check -r scripts/requirements.txt
	.venv/bin/hadolint Dockerfile

format: ## format the sources in place
	swift format --in-place --recursive Package.swift Sources Tests Examples Benchmarks Fuzz

docs: setup ## the library's reference; fails on a broken link
	scripts/docs

fuzz: setup ## each fuzzer for ten minutes
	Fuzz/run 600

clean:
	rm -rf .build .build-* .venv
