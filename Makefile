# make install   prepare .venv and name the system libraries that are missing
# make demo      record the virtual rig, synchronise, train, and say where everything is
# make test      lint, types and the suite, under 10 minutes on 2 cores
# make docs      the documentation into build/docs/index.html; warnings and broken links are errors
# make experiments TIER=quick|full   the paper's experiments on the virtual set, into docs/experiments-virtual.md
# make test-full also what takes longer: recordings in real time, training runs
# make test-bluez  the recorder on the real BlueZ, in a small emulated machine; says what it needs
# make bench     eight sensors at 1 kHz: losses, latency, jitter, CPU, memory, beside pylsl (MINUTES=10 for the long one)
# make virtual-set TIER=quick|full   two virtual people doing the paper's exercises, as sessions
PYTHON ?= python3
BIN := .venv/bin

MINUTES ?= 0.5
.PHONY: install demo test test-full test-bluez bench lint types docs screenshots experiments virtual-set clean
.DEFAULT_GOAL := install

.venv/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "Python has no venv module: sudo apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -c 'from dataset.pose.model_file import main; main()'
	touch $@

install: .venv/.installed
	@$(BIN)/python -m dataset.support.system_libraries

demo: install
	@scripts/demo.sh

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/deptry . 2>&1

types: .venv/.installed
	$(BIN)/mypy

# Offline: links to other sites are not followed, links inside must hold.
docs: .venv/.installed
	$(BIN)/python -m scripts.docs_drawings
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees -b html docs build/docs
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees -b doctest docs build/doctest
	@echo build/docs/index.html

# Two at a time: one after the other all take twelve minutes. What meets virtual hardware in real time is alone.
test: install lint types docs
	$(BIN)/pytest -n 2 tests/unit
	$(BIN)/pytest tests/integration

test-full: install lint types docs
	$(BIN)/pytest -m 'slow or not slow'

test-bluez: install
	$(BIN)/python -m tests.bluez

bench: install
	$(BIN)/python -m benchmarks.acquisition --minutes $(MINUTES)

TIER ?= quick
virtual-set: install
	$(BIN)/python -m scripts.virtual_set --tier $(TIER)

screenshots: install
	$(BIN)/python scripts/screenshots.py

JOBS ?= 2
SESSIONS ?= virtual-set/$(TIER)/sessions
experiments: install
	test -d $(SESSIONS) || $(MAKE) virtual-set TIER=$(TIER)
	$(BIN)/mia-train experiment all $(SESSIONS) --tier $(TIER) --out experiments/$(TIER) --jobs $(JOBS) --resume
	$(BIN)/python scripts/experiments_page.py experiments/$(TIER) docs/experiments-virtual.md

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
