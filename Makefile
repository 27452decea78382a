# Each of these does all its set-up on a machine that has only python3.11 and make.
#   make quickstart   the offline demo          make test    every check and test
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE = 1
export OMP_WAIT_POLICY = PASSIVE
export TOKENIZERS_PARALLELISM = false

.PHONY: quickstart test check clean

# Two stamps: the demo needs no test tools, and a changed pin or dependency installs again.
$(VENV)/core.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/test.stamp: $(VENV)/core.stamp
	$(BIN)/pip install -q -c constraints.txt -e '.[test]'
	touch $@

quickstart: $(VENV)/core.stamp
	$(BIN)/augmint quickstart

# Two processes; the tests' torch has one thread.
test: $(VENV)/test.stamp
	$(BIN)/pytest -n 2 --dist worksteal

check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/sizes.py

clean:
	rm -rf $(VENV) quickstart-out
