# Shortcuts for bootstrap.sh, invoke and pytest; without make, run those directly.
# ARGS is passed to the command: make up ARGS="--box bento/ubuntu-24.04", make live ARGS="-k replica".
.DEFAULT_GOAL := help
.PHONY: help up test test-all check live live-all down destroy clean lint format types imports shell yaml unit unit-slow dangerous pictures

BIN := .venv/bin
HASH := \#
# Every shell script of the checkout: found by its first line, or by its name if other scripts source it.
SCRIPTS = $(shell find . \( -name .git -o -name .venv -o -name .lab -o -name .vagrant -o -name runs \) -prune -o \
	-type f -exec awk 'FNR == 1 && (/^$(HASH)!.*[\/ ](ba)?sh( |$$)/ || FILENAME ~ /\.sh$$/) { print FILENAME }' {} +)
BOOTSTRAPPED := ./bootstrap.sh --then

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## install what is missing, start the lab
	@$(BOOTSTRAPPED) $(BIN)/invoke lab.up $(ARGS)

test: ## the checks without machines, then the short tests on the real lab
	@$(BOOTSTRAPPED) $(MAKE) --no-print-directory --jobs=1 check live

test-all: ## the same with all slow tests: hours
	@$(BOOTSTRAPPED) $(MAKE) --no-print-directory --jobs=1 check unit-slow dangerous live-all

check: ## style, types, imports, scripts, unit tests: minutes, needs no machines
	@./bootstrap.sh --venv
	@$(MAKE) --no-print-directory --jobs=4 --keep-going --output-sync=target lint format types imports shell yaml unit

live:
	$(BIN)/pytest tests/live -m "not slow" $(ARGS)

live-all:
	$(BIN)/pytest tests/live $(ARGS)

lint:
	@$(BIN)/ruff check --no-cache --quiet .

format:
	@$(BIN)/ruff format --check --no-cache --quiet . || { echo "next: $(BIN)/ruff format ." >&2; exit 1; }

types: # each exercise alone: their files have the same names
	@$(BIN)/mypy
	@for it in exercises/*/; do $(BIN)/mypy --no-error-summary $$it*.py || exit 1; done

imports:
	@$(BIN)/lint-imports --no-logo

shell:
	@$(BIN)/shellcheck --external-sources $(SCRIPTS)

yaml:
	@$(BIN)/yamllint --strict lab.yml $(shell git ls-files 'experiments/*.yml' 'exercises/*.yml') .github tests/dangerous_changes

unit:
	@$(BIN)/pytest --quiet --numprocesses auto --dist worksteal -m "not slow" tests/unit

unit-slow: ## simulate every pair of events at the databases: half an hour
	@$(BIN)/pytest --quiet --numprocesses auto --dist worksteal -m slow tests/unit

dangerous: ## make dangerous changes to a copy of the code, each must fail a unit test: ten minutes
	@$(BIN)/python -m tests.dangerous_changes.run $(ARGS)

pictures: ## draw the pictures of README and docs/ anew from saved runs, with Chromium: ARGS="--report RUN --crowd RUN"
	@$(BIN)/python -m tests.docs_pictures.draw $(ARGS)

down: ## stop the machines
	@$(BIN)/invoke lab.down

destroy: ## remove the machines
	@$(BIN)/invoke lab.destroy

clean: ## remove .venv and caches, but not the lab nor the results of experiments
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
