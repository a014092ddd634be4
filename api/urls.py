"""Which resource lives where: version 1, and the page of tokens."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from api import token_pages
from api.later import Later

V1 = "api/v1/"


class Rest(StringConverter):
    """Any path, with a newline in it too."""

    regex = r"[\s\S]+"


register_converter(Rest, "rest")
resources = [
    path(V1, Later("index", "Index"), name="api"),
    path(f"{V1}runs/", Later("runs", "Runs"), name="api_runs"),
    path(f"{V1}runs/<uuid:load_run_id>/", Later("runs", "OneRun"), name="api_run"),
    path(f"{V1}jobs/", Later("jobs", "Jobs"), name="api_jobs"),
    path(f"{V1}jobs/<uuid:job_id>/", Later("jobs", "OneJob"), name="api_job"),
    path(f"{V1}jobs/<uuid:job_id>/cancel/", Later("jobs", "Cancelling"), name="api_cancel"),
    path(f"{V1}approvals/", Later("approvals", "Approvals"), name="api_approvals"),
    path(f"{V1}approvals/<uuid:job_id>/decision/", Later("approvals", "Deciding"), name="api_decision"),
    path(f"{V1}archives/", Later("archives", "Archives"), name="api_archives"),
    path(f"{V1}archives/<uuid:set_id>/", Later("archives", "OneArchive"), name="api_archive"),
    path(f"{V1}audit/events/", Later("trail", "Events"), name="api_events"),
]
urlpatterns = [
    path("account/tokens/", token_pages.tokens, name="tokens"),
    path("account/tokens/<int:pk>/revocation/", token_pages.revoke, name="revoke_token"),
    *resources,
    path(f"{V1}schema/", Later("schema_page", "Schema"), name="api_schema"),
    path(f"{V1}<rest:rest>", Later("index", "Unknown"), name="api_unknown"),
]
