"""Copies rows of staging into its archive table as one would with Django models, once for each line on standard input
(for bench.archiving): an iterator, and bulk_create of what it gives in thousands."""

import json
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import django
from django.conf import settings
from django.db import models, transaction

from bench.ground import EXTRACTS
from bench.looping import FIELDS, database
from warehouse.registry import SHIPPED, Column, Extract, load

BATCH = 1000
MARKS: dict[str, Any] = {
    "archived_at": models.DateTimeField,
    "archived_load_run_id": models.UUIDField,
    "archive_reason": models.TextField,
    "archive_version": models.IntegerField,
}


def models_of(extract: Extract) -> tuple[Any, Any]:
    fields = {column.name: _field(column) for column in (*extract.staged, *extract.staging_only)}
    key = extract.natural_key[0]
    fields[key] = models.TextField(primary_key=True)
    beside = {"load_run_file_id": models.IntegerField(), "load_ts": models.DateTimeField()}
    staged = _model(extract.table, {**fields, **beside})
    marks = {name: field() for name, field in MARKS.items()}
    return staged, _model(f"{extract.table}_archive", {**fields, **beside, **marks})


def _field(column: Column) -> Any:
    if column.type.startswith("numeric"):
        return models.DecimalField(max_digits=20, decimal_places=6, null=True)
    return FIELDS.get(column.type, models.TextField)(null=True)


def _model(table: str, fields: dict[str, Any]) -> Any:
    meta = type("Meta", (), {"app_label": "bench", "managed": False, "db_table": f'"stg"."{table}"'})
    copied = {name: field.clone() for name, field in fields.items()}
    return type(table, (models.Model,), {"__module__": __name__, "Meta": meta, **copied})


def copy(staged: Any, archive: Any, rows: int) -> None:
    marks = {
        "archived_at": datetime(2026, 11, 15, tzinfo=UTC),
        "archived_load_run_id": uuid4(),
        "archive_reason": "measured",
        "archive_version": 1,
    }
    names = [field.attname for field in staged._meta.fields]
    ready = []
    with transaction.atomic():
        for row in staged.objects.all()[:rows].iterator(chunk_size=BATCH):
            ready.append(archive(**{name: getattr(row, name) for name in names}, **marks))
            if len(ready) >= BATCH:
                archive.objects.bulk_create(ready, batch_size=BATCH)
                ready.clear()
        archive.objects.bulk_create(ready, batch_size=BATCH)


def main() -> None:
    asked = json.loads(sys.argv[1])
    settings.configure(USE_TZ=True, DATABASES={"default": database(asked["url"])})
    django.setup()
    staged, archive = models_of(load([SHIPPED, EXTRACTS])[asked["extract"]])
    print("ready", flush=True)
    for _line in sys.stdin:
        copy(staged, archive, asked["rows"])
        print("done", flush=True)


if __name__ == "__main__":
    main()
