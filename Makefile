# Needs python3 >= 3.11 and make; each target sets up what it needs, again only when the lock changed.
.PHONY: demo test beside check unit oldest recovery browser bench bench-quality faults lock clean
PYTHON ?= python3
FOLD = tests/warehouse/test_fold_machine.py::test_staging_is_the_fold_of_raw
POSTGRES_15 ?= /usr/lib/postgresql/15/bin
RUN = .venv/bin/python
# The tests start some hundred processes: each would compile everything again.
export PYTHONDONTWRITEBYTECODE =

demo: .venv/ready
	@exec $(RUN) manage.py demo

test: beside unit

# What keeps less than a core busy, two at a time; the one in the background is told of once both are over.
beside: .venv/ready
	@mkdir -p .restage; $(MAKE) --no-print-directory check oldest recovery > .restage/beside.log 2>&1 & beside=$$!; \
	trap 'kill $$beside' INT TERM; \
	$(MAKE) --no-print-directory browser; browser=$$?; wait $$beside; beside=$$?; \
	cat .restage/beside.log; [ $$browser = 0 ] && [ $$beside = 0 ]

check: .venv/ready
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy .
	.venv/bin/lint-imports
	$(RUN) manage.py makemigrations --check --dry-run
	$(RUN) manage.py check --fail-level WARNING

# Four at a time also on two cores: every second test waits, for a process or for the server.
unit: .venv/ready
	$(RUN) -m pytest -q -n 4 --dist worksteal -m "not browser and not proof" --ignore tests/recovery

# Apart from the others: these wait for servers of their own that start, stop and replay.
recovery: .venv/ready
	$(RUN) -m pytest -q -n 2 --dist worksteal tests/recovery -m "not proof"

# The data plane on the oldest PostgreSQL that is supported, where Debian's server of that version is installed. Of the
# sequences that `unit` tries there is a quarter here; files of cold archives are the same whatever the server.
oldest: .venv/ready
	@if [ -x $(POSTGRES_15)/postgres ]; then \
	  RESTAGE_POSTGRES_BIN=$(POSTGRES_15) $(RUN) -m pytest -q -n 2 --dist worksteal tests/warehouse \
	    tests/monitoring/test_figures.py -m "not proof" \
	    --ignore-glob "tests/warehouse/test_cold_*" --ignore tests/warehouse/test_memory.py \
	    --deselect "$(FOLD)[1]" --deselect "$(FOLD)[2]" --deselect "$(FOLD)[3]"; \
	else echo "No PostgreSQL 15 in $(POSTGRES_15): the data plane was not tried on it."; fi

# A pytest of its own: a running browser driver and Django's guard against event loops do not go together.
browser: .venv/ready
	DJANGO_ALLOW_ASYNC_UNSAFE=true $(RUN) -m pytest -q -m browser

# Long: each figure against a baseline of the same run, into bench/results/bench.json.
bench: .venv/ready
	$(RUN) -m bench

# Minutes: real dated data, clean and corrupted, through the detector of bad deliveries and its rivals, into
# bench/results/bench-quality.json.
bench-quality: .venv/ready
	$(RUN) -W ignore -m bench.quality

# Long: every round trip of every operation killed and cut, into bench/results/faults.json.
faults: .venv/ready
	$(RUN) -m bench.faults
	$(RUN) -m pytest -q -n 2 --dist worksteal -m proof

lock: .venv/ready
	$(RUN) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header --upgrade requirements.in -o requirements.lock

clean:
	rm -rf .venv staticfiles

.venv/ready: requirements.lock bootstrap.py
	$(PYTHON) bootstrap.py
