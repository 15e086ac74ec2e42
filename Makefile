# Those of `make run` and `make test` stand in README.md as plain pip and python lines.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Most of what is installed is never imported; Python compiles the rest when it is.
INSTALL := $(PIP) install --no-compile
# As it is, where GPU= says nothing.
ASKED := $(or $(GPU),$(if $(wildcard $(VENV)/.gpu),1,0))
KIND := $(if $(filter-out 0,$(ASKED)),gpu,cpu)
CAN := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),gpu) cpu

.PHONY: setup run test lint format bench results torture tensorboard

setup: $(VENV)/.$(KIND)
	@$(if $(filter $(KIND),$(CAN)),:,echo 'GPU=1: TensorFlow uses none on this system; runs on the CPU')

# Of one kind at a time: tensorflow and tensorflow-cpu have the same files, so that what is left when
# one of them goes is no longer whole. The one goes only where the other can be had.
$(VENV)/.cpu: OTHER := $(if $(filter gpu,$(CAN)),tensorflow)
$(VENV)/.cpu: requirements.txt requirements-base.txt
$(VENV)/.gpu: OTHER := tensorflow-cpu
$(VENV)/.gpu: requirements-gpu.txt requirements-base.txt
$(VENV)/.cpu $(VENV)/.gpu:
	@echo 'installs $< into $(VENV): some minutes, and about 2 GB'
	@$(PYTHON) -m venv $(VENV)
	@! $(PIP) show $(OTHER) >/dev/null 2>&1 || $(PIP) install --dry-run -r $<
	@rm -f $(VENV)/.cpu $(VENV)/.gpu
	@! $(PIP) show $(OTHER) >/dev/null 2>&1 || $(PIP) --quiet uninstall --yes tensorflow tensorflow-cpu
	@$(INSTALL) -r $<
	@touch $@

$(VENV)/.dev $(VENV)/.bench: $(VENV)/.%: requirements-%.txt $(VENV)/.$(KIND)
	@echo 'installs $< into $(VENV)'
	@$(INSTALL) -r $<
	@touch $@

$(VENV)/.dev: requirements-export.txt requirements-cluster.txt  # which it has in it

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

torture: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m slow
	$(BIN)/python -m torture
	$(BIN)/python -m torture --of=graphs
	$(BIN)/python -m torture --of=inputs

tensorboard: setup
	$(BIN)/tensorboard --logdir runs
