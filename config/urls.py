"""Which page lives where."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.generic import RedirectView

from approvals import pages as approval_pages
from archives import restore_pages
from config import health, theme
from reprocessing import (
    asker_pages,
    breaker_pages,
    discovery_pages,
    downstream_pages,
    freshness_pages,
    job_pages,
    rollout_pages,
    run_pages,
    schedule_pages,
    trigger_pages,
)

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
    path("freshness/", freshness_pages.freshness, name="freshness"),
    path("freshness/reprocess/", freshness_pages.reprocess, name="reprocess_outdated"),
    path("freshness/compare/", freshness_pages.compare, name="compare_sources"),
    path("freshness/files/<int:file>/", freshness_pages.why, name="why_outdated"),
    path("downstream/", downstream_pages.downstream, name="downstream"),
    path("downstream/<str:extract>/keys/", downstream_pages.export, name="export_keys"),
    path("downstream/<str:extract>/merged/", downstream_pages.merged, name="merged"),
    path("breakers/", breaker_pages.breakers, name="breakers"),
    path("breakers/<int:breaker_id>/reset/", breaker_pages.reset, name="reset_breaker"),
    path("jobs/", job_pages.jobs, name="jobs"),
    path("jobs/<uuid:job_id>/", job_pages.job, name="job"),
    path("jobs/<uuid:job_id>/cancel/", job_pages.cancel, name="cancel"),
    path("jobs/<uuid:job_id>/retry/", job_pages.retry, name="retry"),
    path("jobs/<uuid:job_id>/rollback/", job_pages.roll_back, name="rollback"),
    path("jobs/<uuid:job_id>/decision/", job_pages.decision, name="decision"),
    path("jobs/<uuid:job_id>/promotion/", rollout_pages.promote, name="promote"),
    path("jobs/<uuid:job_id>/pause/", rollout_pages.pause, name="pause_rollout"),
    path("jobs/<uuid:job_id>/abort/", rollout_pages.abort, name="abort"),
    path("archives/restore/", restore_pages.choose, name="choose_set"),
    path("archives/restore/<uuid:set_id>/", restore_pages.restore, name="restore"),
    path("archives/restore/jobs/<uuid:job_id>/confirmation/", restore_pages.confirm, name="confirm_restore"),
    path("archives/restore/jobs/<uuid:job_id>/unpinning/", restore_pages.unpin, name="unpin"),
    path("approvals/", approval_pages.inbox, name="approvals"),
    path("schedules/", schedule_pages.all_askers, name="schedules"),
    path("schedules/new/", schedule_pages.edit, name="new_schedule"),
    path("schedules/<int:pk>/", schedule_pages.schedule, name="schedule"),
    path("schedules/<int:pk>/edit/", schedule_pages.edit, name="edit_schedule"),
    path("schedules/<int:pk>/run/", schedule_pages.run_now, name="run_schedule"),
    path("schedules/triggers/new/", trigger_pages.edit, name="new_trigger"),
    path("schedules/triggers/<int:pk>/", trigger_pages.trigger, name="trigger"),
    path("schedules/triggers/<int:pk>/edit/", trigger_pages.edit, name="edit_trigger"),
    path("schedules/<str:kind>/<int:pk>/pause/", asker_pages.pause, name="pause"),
    path("schedules/<str:kind>/<int:pk>/resume/", asker_pages.resume, name="resume"),
    path("schedules/<str:kind>/<int:pk>/delete/", asker_pages.delete, name="delete"),
    path("schedules/blackouts/new/", asker_pages.add_blackout, name="new_blackout"),
    path("schedules/blackouts/<int:pk>/remove/", asker_pages.remove_blackout, name="remove_blackout"),
]
