"""Which page lives where."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.generic import RedirectView

from approvals import pages as approval_pages
from config import health, theme
from reprocessing import breaker_pages, discovery_pages, job_pages, rollout_pages, run_pages

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="runs"), name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("theme/", theme.choose, name="theme"),
    path("runs/", run_pages.runs_page, name="runs"),
    path("runs/<uuid:load_run_id>/", run_pages.run, name="run"),
    path("runs/<uuid:load_run_id>/reprocess/", run_pages.reprocess, name="reprocess"),
    path("discovery/", discovery_pages.discovery, name="discovery"),
    path("discovery/reprocess/", discovery_pages.reprocess, name="reprocess_found"),
    path("discovery/release/", discovery_pages.release, name="release_found"),
    path("breakers/", breaker_pages.breakers, name="breakers"),
    path("breakers/<int:breaker_id>/reset/", breaker_pages.reset, name="reset_breaker"),
    path("jobs/", job_pages.jobs, name="jobs"),
    path("jobs/<uuid:job_id>/", job_pages.job, name="job"),
    path("jobs/<uuid:job_id>/cancel/", job_pages.cancel, name="cancel"),
    path("jobs/<uuid:job_id>/rollback/", job_pages.roll_back, name="rollback"),
    path("jobs/<uuid:job_id>/decision/", job_pages.decision, name="decision"),
    path("jobs/<uuid:job_id>/promotion/", rollout_pages.promote, name="promote"),
    path("jobs/<uuid:job_id>/pause/", rollout_pages.pause, name="pause"),
    path("jobs/<uuid:job_id>/abort/", rollout_pages.abort, name="abort"),
    path("approvals/", approval_pages.inbox, name="approvals"),
]
