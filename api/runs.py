"""Load runs and their files: states and counts. What a loader wrote of an error may quote a row and stays out."""

from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.resources import Moment, Paged, Resource, one_of
from jobs.models import Job
from reprocessing import runs
from warehouse.models import LoadRun, LoadRunFile


class RunFilters(Paged):
    state = one_of(*runs.STATES, required=False)
    extract = serializers.CharField(max_length=64, required=False)
    practice = serializers.CharField(max_length=100, required=False)
    since = serializers.DateField(required=False, help_text="loaded on this day or later")
    until = serializers.DateField(required=False, help_text="loaded on this day or before")


class Run(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="load_run_id")
    state = serializers.CharField(help_text="its status; or stuck, or completed with failures")
    triggered_by = serializers.CharField()
    started_at = Moment()
    completed_at = Moment(allow_null=True)
    files = serializers.IntegerField(source="files_all")
    files_failed = serializers.IntegerField()
    files_replaced = serializers.IntegerField()
    records_read = serializers.IntegerField(source="read")
    records_rejected = serializers.IntegerField(source="rejected")


class File(serializers.Serializer[Any]):
    """One attempt at one delivered file."""

    id = serializers.IntegerField(source="load_run_file_id")
    extract = serializers.CharField(source="extract_type")
    key = serializers.CharField(source="s3_key")
    organisation = serializers.CharField(source="per_org_id")
    practice = serializers.CharField(source="practice_id")
    status = serializers.CharField()
    records_read = serializers.IntegerField(source="rows_read", allow_null=True)
    records_ingested = serializers.IntegerField(source="rows_ingested", allow_null=True)
    records_rejected = serializers.IntegerField(source="rows_rejected", allow_null=True)
    superseded_at = Moment(allow_null=True)
    superseded_by = serializers.IntegerField(source="superseded_by_id", allow_null=True)


class RunJob(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=Job.State.values)


class RunWhole(serializers.Serializer[Any]):
    run = Run()
    files = File(many=True)
    jobs = RunJob(many=True)


class Runs(Resource):
    """Load runs: failed ones first, then the newest."""

    filters = RunFilters
    gives = Run
    many = True

    def get(self, request: Request) -> Response:
        return self.page(runs.filtered(runs.listed(), self.chosen))


class OneRun(Resource):
    """A load run with the attempts at its files, and the jobs about it."""

    gives = RunWhole

    def get(self, request: Request, load_run_id: UUID) -> Response:
        found: LoadRun | None = runs.listed().filter(pk=load_run_id).first()
        if found is None:
            raise Http404("There is no such load run.")
        files = LoadRunFile.objects.filter(load_run=found)
        return self.one({"run": found, "files": files, "jobs": Job.objects.filter(runs__load_run_id=load_run_id)})
