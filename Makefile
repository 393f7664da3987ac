# `make demo` and `make test` set up everything they need in .venv
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS := 1
export MPLBACKEND := agg
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: venv demo test docs bench architectures site-check

venv: .venv/installed

.venv/installed: settings.ini setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0] + "; name another with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@echo "installing packages into .venv (torch is large; a few minutes at most)"
	$(BIN)/pip install -q -c constraints.txt setuptools wheel
	$(BIN)/pip install -q -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

demo: venv
	$(BIN)/mu_demo

docs: venv
	$(BIN)/python tools/docs.py

site-check: docs
	$(BIN)/python tools/check_site.py

test: docs
	$(BIN)/python -m compileall -q machine_unlearning # once, and not in every process where Python is told to write no bytecode
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests

# DATA holds cifar-10-batches-py, for accuracy against core-minutes: an hour and a half of a core
DATA ?= data
bench: venv
	TQDM_DISABLE=1 $(BIN)/python tools/bench.py
	@test -d $(DATA)/cifar-10-batches-py || echo "no CIFAR-10 in $(DATA): accuracy against core-minutes is left out; name another folder with make bench DATA=folder"
	test ! -d $(DATA)/cifar-10-batches-py || $(BIN)/python tools/bench_networks.py $(DATA) 2 5 10

architectures: venv
	$(BIN)/python tools/architectures.py
