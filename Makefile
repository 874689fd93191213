# make quickstart   install into .venv, then pretrain and evaluate the quickstart model
# make test         install what tests need, then run every check
# make claim NAME=… measure one figure that the docs state;  make claims: all of them, into benchmarks/claims.md
# make bench        what is said about speed, against what one would use instead, into benchmarks/README.md
#
# Nothing is needed but Python >= 3.11, make and PyPI. Say `make … PYTHON=/path/to/python3` to choose another Python.

newest = for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done
PYTHON ?= $(shell $(newest))

VENV := .venv
PEERS := .venv-peers
PIP := $(VENV)/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt
INPUTS := pyproject.toml constraints.txt

.PHONY: quickstart test claim claims peers bench clean
.DEFAULT_GOAL := quickstart
.DELETE_ON_ERROR:

quickstart: $(VENV)/.installed
	$(VENV)/bin/tuwen quickstart

test: $(VENV)/.installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2

claim: $(VENV)/.installed-test
	@test -n "$(NAME)" || { echo "Say which: make claim NAME=…, one of those in benchmarks/claims"; exit 2; }
	@$(VENV)/bin/python benchmarks/run_claims.py $(NAME)

claims: $(VENV)/.installed-test
	$(VENV)/bin/python benchmarks/run_claims.py

# The libraries that speed is measured against, in an environment of their own that sees the packages of the first.
peers: $(PEERS)/.installed

bench: $(PEERS)/.installed
	TUWEN_PEERS=$(PEERS) $(VENV)/bin/python benchmarks/bench.py

clean:
	rm -rf $(VENV) $(PEERS) build dist

# A stamp for each set of dependencies: a second run installs nothing.
$(VENV)/.installed: $(INPUTS) | $(VENV)/bin/python
	@echo "Installing Tuwen into $(VENV) (a few minutes, once)"
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(INPUTS) | $(VENV)/bin/python
	@echo "Installing Tuwen and what its tests need into $(VENV) (a few minutes, once)"
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(PEERS)/.installed: benchmarks/peers.txt | $(VENV)/.installed-test
	$(VENV)/bin/python -m venv $(PEERS)
	$(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"), "$(CURDIR)", sep="\n")' \
		> "$$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tuwen-peers.pth"
	$(PEERS)/bin/python -m pip install --disable-pip-version-check --no-deps --requirement benchmarks/peers.txt
	@touch $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Tuwen needs Python 3.11 or newer; say where it is: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
