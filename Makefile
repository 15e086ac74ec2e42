# The plain pip and python lines behind each target stand in README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup run test lint format bench results torture tensorboard

setup: $(VENV)/.users
$(VENV)/.users: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

$(VENV)/.bench: requirements-bench.txt requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	touch $@

run: setup
	$(BIN)/python main.py --experiment=phasewise_classifier --dataset=mnist5k

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench
	$(BIN)/python -m bench

results: setup
	$(BIN)/python main.py --mode=results $(if $(ONLY),--experiment=$(ONLY)) $(if $(JOBS),--jobs=$(JOBS))

torture: setup
	$(BIN)/python -m torture

tensorboard: setup
	$(BIN)/tensorboard --logdir runs
