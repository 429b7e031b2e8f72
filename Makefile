# Two commands matter: `make run` and `make test`. Everything else is for people who change the code.
.DEFAULT_GOAL := help
.PHONY: help run test lint check bench lock clean install install-dev server-for-tests

BIN := .venv/bin
PY := $(BIN)/python
INSTALL := .requirements/install
ARGS ?=

# Where an environment forbids it, each of the many processes compiles some ten thousand files anew and starts in nine
# seconds instead of four. What is written lies in .venv and __pycache__; `make clean` removes it.
unexport PYTHONDONTWRITEBYTECODE

# Extras of this machine: faster embeddings where the processor has matrix instructions, Node where there is none
# (or an old one, or one without npm), text recognition and fine-tuning once they were asked for (`make run OCR=1`, `make run TRAIN=1`).
EXTRAS = $(shell grep -qw amx_bf16 /proc/cpuinfo 2>/dev/null && echo openvino) \
	$(shell command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(+a > 20 || (+a == 20 && +b >= 19) ? 0 : 1)' 2>/dev/null || echo node) \
	$(if $(filter 1,$(OCR))$(wildcard .venv/.installed-ocr),ocr) \
	$(if $(filter 1,$(TRAIN))$(wildcard .venv/.installed-train),train)

help:
	@echo "make run     set everything up and serve the product (PORT, HOST, DATA_DIR, STORE are honoured)"
	@echo "make test    set up and run every test (ARGS='-k name' goes to pytest)"
	@echo "make lint    style, types and import contracts      make check   lint and test"
	@echo "make bench   measure speed and memory               make lock    compile the locks again"
	@echo "make clean   remove what was built (the data folder stays)"

install:
	@$(INSTALL) base $(EXTRAS)

install-dev: install
	@$(INSTALL) dev ocr train

run: install
	@exec $(PY) manage.py serve

# The server is built once; a machine without Go skips those tests with words, and CI fails.
server-for-tests: install-dev
	@WEAVIATE_SERVER_BIN=$${WEAVIATE_SERVER_BIN:-} $(PY) -m knowledge.stores.weaviate_binary >/dev/null || \
		{ [ -z "$${CI:-}" ] || exit 1; echo "Tests that need Weaviate will be skipped."; }

# Exit code 5 says that the selection of this half is empty, which ARGS may well cause.
test: server-for-tests
	@$(PY) manage.py assets
	@$(PY) -m pytest -n 2 -m "not serial" $(ARGS) || [ $$? -eq 5 ]
	@$(PY) -m pytest -m serial $(ARGS) || [ $$? -eq 5 ]

lint: install-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@if [ -d chatapp/frontend/node_modules ]; then $(PY) manage.py assets --check; fi

check: lint test

bench: install-dev
	@$(PY) manage.py bench $(ARGS)

lock: install
	@.requirements/lock

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf chatapp/static/chatapp/dist chatapp/frontend/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
