# Needs python3 >= 3.11 and make; each target sets up what it needs, again only when the lock changed.
.PHONY: demo test check unit browser lock clean
PYTHON ?= python3
RUN = .venv/bin/python

demo: .venv/ready
	@exec $(RUN) manage.py demo

test: check unit browser

check: .venv/ready
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy .
	.venv/bin/lint-imports
	$(RUN) manage.py makemigrations --check --dry-run
	$(RUN) manage.py check --fail-level WARNING

unit: .venv/ready
	$(RUN) -m pytest -q -m "not browser"

# A pytest of its own: a running browser driver and Django's guard against event loops do not go together.
browser: .venv/ready
	DJANGO_ALLOW_ASYNC_UNSAFE=true $(RUN) -m pytest -q -m browser

lock: .venv/ready
	$(RUN) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header --upgrade requirements.in -o requirements.lock

clean:
	rm -rf .venv staticfiles

.venv/ready: requirements.lock bootstrap.py
	$(PYTHON) bootstrap.py
