# `make run` and `make test` do all their own set-up; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PORT ?= 8501
# With PYTEST_ARGS one of the two runs of the tests may find none, which is status 5.
OR_NONE = || [ $$? -eq 5 -a -n "$(PYTEST_ARGS)" ]

.PHONY: help run test exhaustive check bench clean

help:
	@echo "make run         install, make the demo company once, serve the console on 127.0.0.1:$(PORT)"
	@echo "make test        install the test extras and run every test"
	@echo "make exhaustive  the long runs of which every test run takes a sample, and new random examples"
	@echo "make check       lint, types and import contracts"
	@echo "make bench       the benchmarks, as ratios measured in one run"
	@echo "make clean       remove the environment (the data folder .gatehouse stays)"

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit("Gatehouse needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 run") if sys.version_info < (3, 11) else None'
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing Gatehouse (a few minutes the first time) ..."
	@$(PIP) install --progress-bar on -c constraints.txt -e ".[models,postgres,mysql,notify]"
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing the test extras ..."
	@$(PIP) install --progress-bar on -c constraints.txt -e ".[models,postgres,mysql,notify,otel,test,check]"
	@touch $@

run: $(VENV)/.installed
	@$(BIN)/gatehouse init --demo
	@$(BIN)/gatehouse serve --port $(PORT)

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not browser" $(PYTEST_ARGS) $(OR_NONE)
	@$(BIN)/python -m pytest -m browser $(PYTEST_ARGS) $(OR_NONE)

exhaustive: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -m exhaustive -s $(PYTEST_ARGS)
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=new $(PYTEST_ARGS) $(OR_NONE)

check: $(VENV)/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.installed-test
	@$(BIN)/python -m bench

clean:
	rm -rf $(VENV)
