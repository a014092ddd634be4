"""What is loaded in the process from which the tests' processes are forked: libraries, and rooms that read no settings.

Django's models and whatever stands on them are loaded in each process anew, with the settings of its environment.
"""

import gc
import importlib
import os

LOADED = """
cryptography.fernet django.contrib.auth.password_validation django.core.cache.backends.locmem
django.core.checks.registry django.core.handlers.wsgi django.core.mail django.core.management.commands.migrate
django.core.management.commands.runserver django.core.management.commands.shell django.db.backends.postgresql.base
django.db.migrations.executor django.db.models django.forms django.template.backends.django
django.template.defaulttags django.template.loader_tags django.urls django.views.generic django.views.static fsspec
gunicorn.app.wsgiapp gunicorn.workers.gthread prometheus_client psutil pytest
config.databases config.environment warehouse.archiving warehouse.commands warehouse.cooling warehouse.discovery
warehouse.drilling warehouse.reprocess warehouse.restoring warehouse.rollback warehouse.verification
"""

os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # what would read settings here fails
for name in LOADED.split():
    importlib.import_module(name)
gc.freeze()  # what is loaded here stays: no fork need look through it
