# make demo   sets up what is missing, then turns examples/ into another genre
# make test   sets up what is missing, then runs the tests
# make check  ruff, mypy and the tests, as CI does
# make bench  time and memory against the budgets and against the same work by hand (ROUNDS=5 make bench: surer, longer)
# make bench-growth  the same against the song's length, up to an hour: some twenty minutes

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
GENRE ?= jazz
ROUNDS ?= 2

.PHONY: demo test check lint setup system bench bench-growth clean

demo: setup
	$(BIN)/rearrange convert examples/song.wav --genre $(GENRE) -w out/song.rearrange -o out/song.$(GENRE).wav

test: setup
	$(BIN)/python -m pytest

check: lint test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: system $(VENV)/installed

system:
	@PYTHON=$(PYTHON) scripts/system-packages.sh

# torch comes with its own dependencies (on Linux with an NVIDIA GPU these are CUDA's libraries, which the lock cannot
# name for every machine); everything else is exactly what the lock says, because basic-pitch demands a TensorFlow
# that nothing here uses.
$(VENV)/installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock torch==2.13.0
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# The other programs' own needs; a fluidsynth command comes from the system's package of that name.
$(VENV)/by-hand: benchmarks/requirements.txt $(VENV)/installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -r benchmarks/requirements.txt
	touch $@

bench: setup $(VENV)/by-hand
	$(BIN)/python -m benchmarks.stages --rounds $(ROUNDS) --json out/bench/stages.json
	$(BIN)/python -m benchmarks.by_hand --rounds $(ROUNDS) --json out/bench/by_hand.json
	$(BIN)/python -m benchmarks.summary out/bench/stages.json out/bench/by_hand.json

bench-growth: setup
	$(BIN)/python -m benchmarks.growth --json out/bench/growth.json

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
