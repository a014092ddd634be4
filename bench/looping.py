"""The transform as one would write it with Django models: a loop over raw rows, bulk_create of what came out."""

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import django
from django.conf import settings
from django.db import connection, models, transaction

from warehouse.registry import Column, Extract

BATCH = 1000
FIELDS: dict[str, Any] = {
    "text": models.TextField,
    "boolean": models.BooleanField,
    "integer": models.IntegerField,
    "date": models.DateField,
    "timestamptz": models.DateTimeField,
}
TRUE, FALSE = frozenset({"1", "true", "t", "yes", "y", "on"}), frozenset({"0", "false", "f", "no", "n", "off"})


def transform(url: str, extract: Extract, file: int, rows: int) -> None:
    """The first `rows` records of the attempt into staging, in one transaction; rejected ones with their reasons."""
    raw, staged, rejection = _models(url, extract)
    zone = ZoneInfo(extract.time_zone)
    ready: list[models.Model] = []
    refused: list[models.Model] = []
    with transaction.atomic():
        records = raw.objects.filter(load_run_file_id=file, record_no__lte=rows).order_by("record_no")
        for record in records.iterator(chunk_size=BATCH):
            values, reasons = _typed(record, extract, zone)
            for column, reason in reasons:
                refused.append(
                    rejection(
                        load_run_file_id=file,
                        extract_type=extract.name,
                        stage="transform",
                        record_no=record.record_no,
                        column_name=column,
                        value_class="text",
                        reason=reason,
                        severity="reject",
                        at=datetime.now(zone),
                    )
                )
            if not reasons:
                ready.append(staged(**values, load_run_file_id=file, load_ts=datetime.now(zone)))
            if len(ready) >= BATCH:
                staged.objects.bulk_create(ready, batch_size=BATCH)
                ready.clear()
        staged.objects.bulk_create(ready, batch_size=BATCH)
        rejection.objects.bulk_create(refused, batch_size=BATCH)
    connection.close()


def _typed(record: Any, extract: Extract, zone: ZoneInfo) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    values: dict[str, Any] = {}
    reasons = []
    for column in extract.staged:
        text = (getattr(record, column.name) or "").strip() or None
        try:
            values[column.name] = None if text is None else _value(column, text, zone)
        except (ValueError, InvalidOperation):
            reasons.append((column.name, f"not a {column.type}"))
        if text is None and column.name in extract.natural_key:
            reasons.append((column.name, "part of the natural key and empty"))
    return values, reasons


def _value(column: Column, text: str, zone: ZoneInfo) -> object:
    if column.type == "integer":
        return int(text)
    if column.type == "date":
        return date.fromisoformat(text)
    if column.type == "timestamptz":
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    if column.type.startswith("numeric"):
        return Decimal(text)
    if column.type == "boolean":
        if text.lower() not in TRUE | FALSE:
            raise ValueError(text)
        return text.lower() in TRUE
    return text


def database(url: str) -> dict[str, Any]:
    """An entry of DATABASES for the measured database."""
    place = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": place.hostname,
        "PORT": place.port,
        "NAME": place.path[1:],
        "USER": place.username,
        "PASSWORD": place.password,
    }


@cache
def _models(url: str, extract: Extract) -> tuple[Any, Any, Any]:
    """Models of raw, staging and rejections, on the measured database."""
    settings.configure(USE_TZ=True, DATABASES={"default": database(url)})
    django.setup()
    key = extract.natural_key[0]
    raw = {column.name: models.TextField(null=True) for column in extract.columns}
    staged = {column.name: _field(column, primary_key=column.name == key) for column in extract.staged}
    return (
        _model("raw", extract.table, {**raw, "record_no": models.IntegerField(primary_key=True), **_owner()}),
        _model("stg", extract.table, {**staged, **_owner(), "load_ts": models.DateTimeField()}),
        _model(
            "restage",
            "rejections",
            {
                "record_no": models.IntegerField(primary_key=True),
                **_owner(),
                **{name: models.TextField() for name in ("extract_type", "stage", "column_name", "value_class")},
                **{name: models.TextField() for name in ("reason", "severity")},
                "at": models.DateTimeField(),
            },
        ),
    )


def _owner() -> dict[str, Any]:
    return {"load_run_file_id": models.IntegerField()}


def _field(column: Column, *, primary_key: bool) -> Any:
    if column.type.startswith("numeric"):
        digits, places = map(int, column.type.removeprefix("numeric(").removesuffix(")").split(","))
        return models.DecimalField(max_digits=digits, decimal_places=places, null=True)
    return FIELDS[column.type](null=not primary_key, primary_key=primary_key)


def _model(schema: str, table: str, fields: dict[str, Any]) -> Any:
    meta = type("Meta", (), {"app_label": "bench", "managed": False, "db_table": f'"{schema}"."{table}"'})
    return type(f"{schema}_{table}", (models.Model,), {"__module__": __name__, "Meta": meta, **fields})
