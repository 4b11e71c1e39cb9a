# make install   prepare .venv and name the system libraries that are missing
# make demo      record the virtual rig, synchronise, train, and say where everything is
# make test      lint, types and the suite, under 10 minutes on 2 cores
# make experiments TIER=quick|full   the paper's experiments on the virtual set, into docs/experiments-virtual.md
# make test-full also what takes longer: recordings in real time, training runs
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test test-full lint types screenshots experiments clean
.DEFAULT_GOAL := install

.venv/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "Python has no venv module: sudo apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -c 'from dataset.keypoints.pose_model import main; main()'
	touch $@

install: .venv/.installed
	@$(BIN)/python -m dataset.system

demo: install
	@scripts/demo.sh

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed
	$(BIN)/mypy

test: install lint types
	$(BIN)/pytest

test-full: install lint types
	$(BIN)/pytest -m 'slow or not slow'

screenshots: install
	$(BIN)/python scripts/screenshots.py

TIER ?= quick
JOBS ?= 2
SESSIONS ?= virtual-set/$(TIER)/sessions
experiments: install
	test -d $(SESSIONS) || $(MAKE) virtual-set TIER=$(TIER)
	$(BIN)/mia-train experiment all $(SESSIONS) --tier $(TIER) --out experiments/$(TIER) --jobs $(JOBS) --resume
	$(BIN)/python scripts/experiments_page.py experiments/$(TIER) docs/experiments-virtual.md

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
