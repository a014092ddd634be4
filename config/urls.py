"""Which page lives where."""

from django.urls import path

from config import health

urlpatterns = [path("healthz", health.healthz, name="healthz")]
