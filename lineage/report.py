"""A story and what comes of a run or a file, as the command tells them: as JSON and in words. No value of a row."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from lineage.forward import Forward
from lineage.people import Behind
from lineage.tracing import Story
from warehouse import column_rules
from warehouse.chains import Link
from warehouse.fates import Fate
from warehouse.lineage import ALIVE, REJECTED, REMOVED, REPLACED
from warehouse.records import Record

STANDING = {
    ALIVE: "The row is in staging.",
    REMOVED: "The row was in staging: a job removed it.",
    REJECTED: "The row is not in staging: the records that count break a check.",
    REPLACED: "The row is not in staging: the attempts whose files name this key do not count any more.",
}


def why_not(story: Story) -> str:
    """Why there is no row, and since which job ("": there is one)."""
    trace = story.trace
    if trace.row:
        return ""
    if trace.standing not in STANDING:
        return f"No row of stg.{trace.extract.table} has this key, and no record, before-image or job ever named it."
    said = STANDING[trace.standing]
    if trace.standing == REMOVED:
        last = trace.changes[-1]
        return f"{said[:-1]}, {last.job_id}, at {timezone.localtime(last.at):%Y-%m-%d %H:%M %Z}."
    if trace.standing == REJECTED:
        reasons = {why for record in trace.records if record.live for why in record.problems}
        return f"{said[:-1]}: {'; '.join(sorted(reasons))}."
    if replaced := [link for link in trace.links.values() if link.superseded_by]:
        by = trace.links.get(replaced[-1].superseded_by or 0)
        said = f"{said[:-1]}; the last was replaced by load run {by.load_run_id}." if by else said
    return said


def as_json(story: Story) -> dict[str, Any]:
    """`file` and `line` say where the row stands in what was delivered; `source` more about that file."""
    trace, link = story.trace, story.link
    return {
        "table": f"stg.{trace.extract.table}",
        "extract": trace.extract.name,
        "standing": trace.standing,
        "file": link.address.url if link else None,
        "line": story.line_no,
        "record": story.record_no,
        "byte": story.place.byte_offset if story.place else None,
        "source": _link(link) if link else None,
        "load_run": str(link.load_run_id) if link else None,
        "raw_record_there": trace.maker is not None,
        "makes_the_row": trace.maker.makes if trace.maker else None,
        "loaded_at": trace.row.load_ts if trace.row else None,
        "written_by_job": trace.row.written_by if trace.row else None,
        "in_force": _record(trace.in_force) if trace.in_force else None,
        "pin": asdict(trace.pin) if trace.pin else None,
        "checked_file": {"verdict": story.place.verdict, "told": story.place.told} if story.place else None,
        "records": [_record(record) for record in trace.records],
        "more_records": trace.more,
        "attempts": [_link(one) for one in trace.links.values()],
        "changes": [asdict(change) for change in trace.changes],
        "jobs": [_behind(behind) for behind in story.jobs.values()],
        "columns": [asdict(made) for made in column_rules.made(trace.extract)],
    }


def lines(story: Story) -> Iterator[str]:
    trace, link = story.trace, story.link
    if told := why_not(story):
        yield told
    if link:
        yield f"stg.{trace.extract.table} was made of"
        yield f"  {link.address.url}"
        yield f"  line {_number(story.line_no)}, record {_number(story.record_no)}{_byte(story)}"
        if trace.maker is None:
            yield "  Its record is not in raw any more."
        elif not trace.maker.makes:
            yield "  What raw makes of this record today is another row than staging holds."
        if story.place:
            yield f"  {story.place.told}"
    if trace.pin:
        yield f"  pinned by the restore of job {trace.pin.job_id} from archive set {trace.pin.set_id}"
    for one in trace.links.values():
        yield f"file {one.load_run_file_id} of load run {one.load_run_id}: {_state(one)}"
    for behind in story.jobs.values():
        yield f"job {behind.job}: {_people(behind)}"


def forward_json(found: Forward) -> dict[str, Any]:
    return {
        "files": [_link(link) for link in found.links],
        "load_runs": sorted({str(link.load_run_id) for link in found.links}),
        "reprocesses": found.parent,
        "reprocessed_by": list(found.children),
        "rows_alive": found.in_staging,
        "tables": {f"stg.{fate.table}": _fate(fate, found) for fate in found.fates.values() if fate},
        "not_counted": [name for name, fate in found.fates.items() if fate is None],
        "jobs": [_behind(behind) for behind in found.jobs.values()],
    }


def forward_lines(found: Forward) -> Iterator[str]:
    for link in found.links:
        yield f"file {link.load_run_file_id} {link.key}: {_state(link)}"
    for name, fate in found.fates.items():
        if fate is None:
            yield f"{name}: counting took too long"
            continue
        if fate.owned is not None:
            yield f"stg.{fate.table}: {fate.owned:,} rows alive; the raw records are gone"
            continue
        yield (
            f"stg.{fate.table}: {fate.records:,} records of {fate.keys:,} keys: {fate.in_staging:,} rows alive"
            f" ({fate.keys_kept:,} as another attempt made them), {fate.keys_replaced:,} replaced by other"
            f" files, {fate.absent:,} not in staging"
        )
        for file, keys in fate.replaced.most_common(5):
            yield f"  {keys:,} by file {file} of load run {found.around[file].load_run_id}"


def _fate(fate: Fate, found: Forward) -> dict[str, Any]:
    def told(owners: Any) -> list[dict[str, Any]]:
        return [
            {"file": file, "load_run": str(found.around[file].load_run_id), "keys": keys}
            for file, keys in owners.most_common()
        ]

    return {
        "records": fate.records,
        "keys": fate.keys,
        "alive": fate.in_staging,
        "of_this_attempt": fate.owned if fate.owned is not None else fate.alive,
        "as_made_before": told(fate.kept),
        "replaced": told(fate.replaced),
        "not_in_staging": fate.absent,
        "raw_is_there": fate.owned is None,
    }


def _link(link: Link) -> dict[str, Any]:
    return {"file": link.load_run_file_id, "url": link.address.url, "live": link.live} | {
        name: value for name, value in asdict(link).items() if name not in ("load_run_file_id", "folder")
    }


def _record(record: Record) -> dict[str, Any]:
    said = asdict(record)
    return {"file": said.pop("load_run_file_id"), "record": said.pop("record_no"), "line": said.pop("line_no"), **said}


def _behind(behind: Behind) -> dict[str, Any]:
    return asdict(behind)


def _people(behind: Behind) -> str:
    said = f"{behind.title} ({behind.state or 'not of this console'})"
    if behind.requested_by:
        said += f", asked by {behind.asked_by or behind.requested_by}"
    for one in behind.decided:
        said += f", {one.verdict.lower()} by {one.by} on {timezone.localtime(one.at):%Y-%m-%d %H:%M %Z}"
    return f"{said}: {behind.reason}" if behind.reason else said


def _state(link: Link) -> str:
    if link.live:
        return "counts"
    if link.status == "rolled_back":
        return f"taken back by job {link.taken_back_by}" if link.taken_back_by else "taken back"
    return f"replaced by file {link.superseded_by}" if link.superseded_by else link.status


def _byte(story: Story) -> str:
    return f", byte {story.place.byte_offset:,}" if story.place and story.place.byte_offset is not None else ""


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"
