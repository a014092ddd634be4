"""The web process's entry."""

import os

from django.core.wsgi import get_wsgi_application
from gunicorn.errors import AppImportError

from config import environment

if wrong := environment.complaints(os.environ):
    raise AppImportError("\n".join(wrong))  # its one message ends the server, without a traceback
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
