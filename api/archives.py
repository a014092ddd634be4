"""The catalogue of archives: sets, and the before-images of jobs; sizes and checks, never a row."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.resources import Moment, Paged, Resource, one_of
from archives.pages import Listing
from warehouse import archive_search, archive_sets
from warehouse.archive_search import KINDS, TIERS, Wanted
from warehouse.connections import connect

THERE = {"yes": "yes", "no": "no", "any": ""}


class ArchiveFilters(Paged):
    run = serializers.UUIDField(required=False)
    table = serializers.RegexField(r"^[a-z0-9_]{1,63}$", required=False)
    kind = one_of(*KINDS, required=False)
    tier = one_of(*TIERS, required=False)
    reason = serializers.CharField(max_length=100, required=False, help_text="holds these words")
    held = one_of("yes", "no", required=False, help_text="on hold")
    verified = one_of("never", "sound", "broken", required=False)
    there = one_of(*THERE, default="yes", help_text="no: what is removed")


class Archive(serializers.Serializer[Any]):
    set = serializers.UUIDField(source="set_id", allow_null=True, help_text="null: the before-image of a job")
    kind = serializers.CharField()
    load_runs = serializers.ListField(child=serializers.UUIDField())
    reason = serializers.CharField()
    job = serializers.UUIDField(source="job_id", allow_null=True)
    archived_by = serializers.CharField()
    archived_at = Moment()
    expires_at = Moment()
    removed_at = Moment(allow_null=True)
    tables = serializers.ListField(child=serializers.CharField())
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    hot = serializers.BooleanField()
    cold = serializers.BooleanField()
    verified_at = Moment(allow_null=True)
    sound = serializers.BooleanField(allow_null=True, help_text="what the last verification found")
    holds = serializers.IntegerField(source="held")


class Part(serializers.Serializer[Any]):
    """A set's share of one table."""

    table = serializers.CharField(source="table_name")
    version = serializers.IntegerField(source="archive_version")
    rows = serializers.IntegerField()
    of_loaded = serializers.IntegerField(source="loaded", allow_null=True)
    bytes = serializers.IntegerField()
    hot = serializers.BooleanField()
    cold = serializers.SerializerMethodField()
    verified_at = Moment(allow_null=True)

    def get_cold(self, part: archive_sets.Part) -> bool:
        return part.cold is not None


class ArchiveWhole(serializers.Serializer[Any]):
    archive = Archive()
    parts = Part(many=True)


class Archives(Resource):
    """What is archived, the newest first."""

    filters = ArchiveFilters
    gives = Archive
    many = True

    def get(self, request: Request) -> Response:
        wanted = Wanted(**{**self.chosen, "there": THERE[self.wanted["there"]]})
        with connect(settings.WAREHOUSE_URL, purpose="api") as connection:
            return self.page(Listing(connection, wanted, archive_search.sums(connection, wanted)))


class OneArchive(Resource):
    """One archive set with its parts, also where it is removed."""

    gives = ArchiveWhole

    def get(self, request: Request, set_id: UUID) -> Response:
        with connect(settings.WAREHOUSE_URL, purpose="api") as connection:
            found = archive_search.of_sets(connection, [set_id])
            parts = archive_sets.parts(connection, [set_id])
        if not found:
            raise Http404("There is no such archive set.")
        return self.one({"archive": found[0], "parts": parts})
