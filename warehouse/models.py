"""The tables of etl as read-only models, for lists and filters. Writes go through the modules of this room."""

from django.db import models

from warehouse import quarantine


class LoadRun(models.Model):
    load_run_id = models.UUIDField(primary_key=True)
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    status = models.TextField()
    triggered_by = models.TextField()
    notes = models.TextField(null=True)  # noqa: DJ001  the warehouse's own table
    total_files_processed = models.IntegerField(null=True)
    total_rows_ingested = models.IntegerField(null=True)
    total_rows_rejected = models.IntegerField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "load_runs"

    def __str__(self) -> str:
        return str(self.load_run_id)


class LoadRunFile(models.Model):
    load_run_file_id = models.IntegerField(primary_key=True)
    load_run = models.ForeignKey(LoadRun, on_delete=models.DO_NOTHING, related_name="files")
    s3_bucket = models.TextField()
    s3_key = models.TextField()
    date_extracted = models.TextField()
    extract_type = models.TextField()
    per_org_id = models.TextField()
    practice_id = models.TextField()
    rows_read = models.IntegerField(null=True)
    rows_ingested = models.IntegerField(null=True)
    rows_rejected = models.IntegerField(null=True)
    status = models.TextField()
    error_message = models.TextField(null=True)  # noqa: DJ001  the same
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)
    superseded_by = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_column="superseded_by_load_run_file_id",
    )
    content_bytes = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "load_run_files"
        ordering = ["load_run_file_id"]

    def __str__(self) -> str:
        return self.s3_key

    @property
    def quarantined_by(self) -> "LoadRunFile | None":
        """What stands in its place so that nothing of the file counts; None where it is not quarantined now."""
        found = self.superseded_by
        return found if found and found.status == quarantine.STATUS and found.superseded_at is None else None


class StagingRun(models.Model):
    staging_run_id = models.UUIDField(primary_key=True)
    load_run_id = models.UUIDField()
    extract_type = models.TextField()
    status = models.TextField()
    total_rows_read = models.IntegerField(null=True)
    total_rows_rejected = models.IntegerField(null=True)
    total_rows_deduplicated = models.IntegerField(null=True)

    class Meta:
        managed = False
        db_table = "staging_runs"

    def __str__(self) -> str:
        return f"{self.extract_type} of {self.load_run_id}"


class ArchiveSet(models.Model):
    """An archive set as a subject of the trail; archive_search.py reads them for pages."""

    set_id = models.UUIDField(primary_key=True)

    class Meta:
        managed = False
        db_table = "archive_sets"

    def __str__(self) -> str:
        return f"archive set {self.set_id}"
