"""`manage.py warehouse …`: adopt a warehouse, load deliveries into it, verify it."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone
from psycopg import Connection

from warehouse import adoption, deliveries, registry, verification
from warehouse.commands import Answer, AnsweringCommand, Refusal, answer, demand_extracts, offer_json, warehouse_url
from warehouse.connections import connect
from warehouse.deliveries import Loaded
from warehouse.registry import Registry
from warehouse.sample import loading as sample


class Command(AnsweringCommand):
    help = "Adopts, loads and verifies the warehouse."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for name, does in (
            ("check", "compare the warehouse with what Restage needs, and print the DDL that is missing"),
            ("apply", "run that DDL: additive, and can be run again after any failure"),
            ("verify", "compare staging with the fold of raw"),
        ):
            _json(actions.add_parser(name, help=does))
        load = actions.add_parser("load", help="load delivered files: one load run for each extraction time")
        load.add_argument("folder", help="a folder, or a URL that fsspec knows")
        load.add_argument("--extract", action="append", default=[], help="only this extract (can be repeated)")
        _json(load)
        made = actions.add_parser("sample", help="write and load an invented health warehouse and real dengue weeks")
        made.add_argument("--rows", type=int, default=150_000, help="records over all extracts, roughly (150000)")
        _json(made)

    def handle(self, *, action: str, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said, connect(warehouse_url(), purpose=action) as connection:
            getattr(self, f"_{action}")(connection, registry.current(), said, options)

    def _check(self, connection: Connection, known: Registry, said: Answer, options: dict[str, Any]) -> None:
        steps = adoption.missing(connection, known)
        said.result = {"missing": [{"what": step.what, "ddl": step.ddl} for step in steps]}
        for step in steps:
            said.line(f"-- {step.what}\n{step.ddl};")
        if steps:
            raise Refusal(f"{len(steps)} objects are missing. `manage.py warehouse apply` makes them.")
        said.line("The warehouse has everything that Restage needs.")

    def _apply(self, connection: Connection, known: Registry, said: Answer, options: dict[str, Any]) -> None:
        taken = adoption.apply(connection, known)
        said.result = {"applied": [step.what for step in taken]}
        for step in taken:
            said.line(step.what)
        said.line(f"{len(taken)} objects made." if taken else "Nothing was missing.")

    def _verify(self, connection: Connection, known: Registry, said: Answer, options: dict[str, Any]) -> None:
        tables = {extract.table: verification.verify(connection, extract) for extract in known.extracts}
        total = sum(verdict.violations for verdict in tables.values())
        said.result = {
            "tables": {
                table: {
                    "keys": verdict.keys,
                    "violations": verdict.violations,
                    "missing": verdict.missing,
                    "extra": verdict.extra,
                    "different": verdict.different,
                    "stale": verdict.stale,
                    "pins": verdict.pins,
                    "beaten": verdict.beaten,
                }
                for table, verdict in tables.items()
            },
            "violations": total,
        }
        for table, verdict in tables.items():
            pinned = f", {verdict.pins:,} pinned" if verdict.pins else ""
            said.line(f"stg.{table}: {verdict.keys:,} keys, {verdict.violations:,} violations{pinned}")
        if total:
            raise Refusal(f"{total:,} keys of staging are not what raw says.")

    def _load(self, connection: Connection, known: Registry, said: Answer, options: dict[str, Any]) -> None:
        demand_extracts(*options["extract"])
        report = deliveries.load(
            connection,
            known,
            options["folder"],
            only=options["extract"],
            told=lambda loaded: said.line(_told(loaded)),
        )
        said.result = {
            "load_runs": [
                {
                    "load_run_id": str(loaded.load_run_id),
                    "extracted": loaded.extracted.isoformat(),
                    "files": loaded.files,
                    "records": loaded.records,
                    "rejected": loaded.rejected,
                    "failed": loaded.failed,
                }
                for loaded in report.runs
            ],
            "left_out": [vars(entry) for entry in report.left_out],
        }
        for entry in report.left_out:
            said.line(f"not loaded: {entry.key}: {entry.reason}")
        said.line(
            f"{len(report.runs):,} load runs, {sum(r.files for r in report.runs):,} files,"
            f" {sum(r.records for r in report.runs):,} records; {len(report.left_out):,} files left out."
        )
        failed = sum(len(loaded.failed) for loaded in report.runs)
        if failed:
            raise Refusal(f"{failed:,} files failed; their runs are kept and can be reprocessed.")

    def _sample(self, connection: Connection, known: Registry, said: Answer, options: dict[str, Any]) -> None:
        if options["rows"] < 1:
            raise Refusal("--rows must be at least 1.", code=2)
        adoption.apply(connection, known)
        runs = sample.load(
            connection,
            known,
            Path(settings.HOME) / "deliveries" / "sample",
            rows=max(options["rows"], sample.FEWEST_ROWS),
            today=timezone.localdate(),
            told=said.line,
        )
        said.result = {"load_runs": runs}
        said.line(f"{runs:,} load runs." if runs else "The sample is loaded already.")


def _json(parser: CommandParser) -> None:
    offer_json(parser)


def _told(loaded: Loaded) -> str:
    told = (
        f"{loaded.load_run_id}  {loaded.extracted:%Y-%m-%d %H:%M}  {loaded.files:,} files, {loaded.records:,} records"
    )
    if loaded.rejected:
        told += f", {loaded.rejected:,} rejected"
    return told + "".join(f"\n  failed: {key}: {reason}" for key, reason in loaded.failed.items())
