"""What is drawn: the tables, a load run, a file, a row, each as a graph of what came from what."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.urls import reverse
from django.utils import timezone

from lineage.forward import Forward
from lineage.graph import Drawing, Graph, Node
from lineage.people import Behind
from lineage.tracing import Story
from warehouse.chains import Link
from warehouse.downstream import Stale
from warehouse.records import Record
from warehouse.registry import Registry

MOST_DRAWN = 10  # files, or runs that replaced something: the rest is in the list and in the counts


def of_tables(known: Registry, stale: Sequence[Stale]) -> Drawing:
    """Delivered files → raw → staging → core, and which extract depends on which."""
    made, waiting = Graph(), {entry.extract_type: entry for entry in stale}
    for extract in known.extracts:
        files = made.add(Node(f"file {extract.table}", "Files", extract.name, extract.title))
        raw = made.add(Node(f"raw {extract.table}", "Raw", f"raw.{extract.table}", f"{len(extract.columns)} columns"))
        url = f"{reverse('lineage')}?table={extract.table}#search"
        text = f"depends on {', '.join(extract.depends_on)}" if extract.depends_on else "depends on no other"
        stg = made.add(Node(f"stg {extract.table}", "Staging", f"stg.{extract.table}", text, url, "progress"))
        entry = waiting.get(extract.name)
        late = f"{entry.changes:,} changes not merged" if entry else "has taken over everything"
        state = "attention" if entry else "ok"
        core = made.add(Node(f"core {extract.table}", "Core", extract.name, late, reverse("downstream"), state))
        for start, end in ((files, raw), (raw, stg), (stg, core)):
            made.lead(start, end)
    return made.draw()


def of_run(found: Forward) -> Drawing:
    """What the run reprocesses, its files, the tables that its rows stand in, and the runs that replaced them."""
    made = Graph()
    (run,) = {link.load_run_id for link in found.links}
    centre = _run(made, run, found.links, here=True)
    if found.parent:
        _by_job(made, _run(made, found.parent, ()), centre, found.links[0].job, found.jobs)
    shown, rest = found.links[:MOST_DRAWN], found.links[MOST_DRAWN:]
    for link in shown:
        made.lead(_file(made, link), centre)
    if rest:
        made.lead(made.add(Node("files", "Files", f"{len(rest):,} more files")), centre)
    _tables(made, centre, found)
    for child in found.children:
        jobs = {link.job for link in found.around.values() if link.load_run_id == child}
        _by_job(made, centre, _run(made, child, _links_of(found, child)), next(iter(jobs), None), found.jobs)
    return made.draw()


def of_file(found: Forward) -> Drawing:
    """The file, every attempt at it, and the tables and runs as for a run."""
    made, (link,) = Graph(), found.links
    _attempts(
        made, [one for one in found.around.values() if one.original == link.original], found.jobs, link, "this one"
    )
    _tables(made, _attempt_id(link), found)
    return made.draw()


def of_row(story: Story) -> Drawing:
    """File, attempts, record, row, and what follows it."""
    made, trace = Graph(), story.trace
    made_by = [record for record in (trace.maker, trace.in_force) if record]
    chosen = {
        trace.links[record.load_run_file_id].original for record in made_by if record.load_run_file_id in trace.links
    }
    if not chosen:
        chosen = {link.original for link in list(trace.links.values())[-1:]}
    _attempts(
        made, [link for link in trace.links.values() if link.original in chosen], story.jobs, story.link, "owns the row"
    )
    row = made.add(Node("row", "Row", f"stg.{trace.extract.table}", _standing(story), "#row", _row_state(story)))
    for record in made_by:
        link = trace.links[record.load_run_file_id]
        node = made.add(_record(record, owns=record is trace.maker))
        made.lead(_attempt_id(link), node)
        made.lead(node, row, weak=record is not trace.maker)
    if not made_by:
        for link in trace.links.values():
            made.lead(_attempt_id(link), row, weak=True)
    for job in dict.fromkeys(change.job_id for change in trace.changes):
        made.lead(_job(made, job, story.jobs), row)
    if trace.pin:
        made.lead(_job(made, trace.pin.job_id, story.jobs), row)
    core = made.add(Node("core", "Core", trace.extract.name, "merged from staging", reverse("downstream")))
    made.lead(row, core)
    return made.draw()


def _tables(made: Graph, source: str, found: Forward) -> None:
    """The tables that rows stand in, and the runs whose rows stand in their place."""
    for fate in found.fates.values():
        if fate is None:
            continue
        told = f"{fate.in_staging:,} of {fate.keys or fate.in_staging:,} rows alive"
        state = "ok" if fate.in_staging else "neutral"
        table = made.add(Node(f"stg {fate.table}", "Staging", f"stg.{fate.table}", told, f"#{fate.table}", state))
        made.lead(source, table)
    replaced: dict[UUID, int] = {}
    for fate in found.fates.values():
        for file, keys in fate.replaced.items() if fate else ():
            run = found.around[file].load_run_id
            replaced[run] = replaced.get(run, 0) + keys
    for run, keys in sorted(replaced.items(), key=lambda item: (-item[1], str(item[0])))[:MOST_DRAWN]:
        node = _run(made, run, (), text=f"replaced {keys:,} of its rows")
        for fate in found.fates.values():
            if fate and any(found.around[file].load_run_id == run for file in fate.replaced):
                made.lead(f"stg {fate.table}", node, weak=True)


def _attempts(made: Graph, links: Iterable[Link], jobs: Mapping[UUID, Behind], here: Link | None, mark: str) -> None:
    """A file and its attempts, each from the one that it replaced, by way of its job; who took it back comes after.
    `mark` is said of the attempt `here`."""
    known = {link.load_run_file_id: link for link in links}
    for link in known.values():
        chosen = here is not None and link.load_run_file_id == here.load_run_file_id
        attempt = made.add(_attempt(link, mark if chosen else ""))
        before = known.get(link.predecessor or 0)
        if before:
            _by_job(made, _attempt_id(before), attempt, link.job, jobs)
        else:
            made.lead(_file(made, link), attempt)
        if link.taken_back_by:
            made.lead(attempt, _job(made, link.taken_back_by, jobs))


def _by_job(made: Graph, start: str, end: str, job: UUID | None, jobs: Mapping[UUID, Behind]) -> None:
    if job is None:
        made.lead(start, end)
        return
    node = _job(made, job, jobs)
    made.lead(start, node)
    made.lead(node, end)


def _job(made: Graph, job: UUID, jobs: Mapping[UUID, Behind]) -> str:
    behind = jobs.get(job)
    title = f"{behind.title if behind else 'Job'} {str(job)[:8]}"
    people = [f"by {behind.requested_by}"] if behind and behind.requested_by else []
    people += [f"{one.verdict.lower()} by {one.by}" for one in behind.decided] if behind else []
    known = behind is not None and bool(behind.state)
    url = reverse("job", args=[job]) if known else ""
    return made.add(Node(f"job {job}", "Job", title, ", ".join(people), url, "progress"))


def _run(made: Graph, run: UUID, links: Sequence[Link], *, here: bool = False, text: str = "") -> str:
    said = text or (_run_text(links) if links else "")
    url = reverse("run" if here else "run_lineage", args=[run])
    return made.add(Node(f"run {run}", "Load run", str(run), said, url, "progress" if here else "neutral"))


def _run_text(links: Sequence[Link]) -> str:
    live = sum(link.live for link in links)
    return f"{live:,} of {len(links):,} files count" if links else ""


def _links_of(found: Forward, run: UUID) -> list[Link]:
    return [link for link in found.around.values() if link.load_run_id == run]


def _file(made: Graph, link: Link) -> str:
    url = reverse("file_lineage", args=[link.load_run_file_id])
    said = f"{link.rows_read or 0:,} records" if link.status == "completed" else link.status
    return made.add(Node(f"file {link.load_run_file_id}", "File", link.address.name, said, url))


def _attempt_id(link: Link) -> str:
    return f"attempt {link.load_run_file_id}"


def _attempt(link: Link, mark: str) -> Node:
    state = "ok" if link.live else "bad" if link.status in ("failed", "rolled_back") else "neutral"
    told = "counts" if link.live else link.status.replace("_", " ") if link.status != "completed" else "replaced"
    url = reverse("run_lineage", args=[link.load_run_id])
    title = f"{str(link.load_run_id)[:8]}, {timezone.localtime(link.loaded_at):%Y-%m-%d %H:%M}"
    return Node(_attempt_id(link), "Load run", title, ", ".join(part for part in (told, mark) if part), url, state)


def _record(record: Record, *, owns: bool) -> Node:
    title = f"number {record.record_no:,}" if record.record_no else "without a number"
    line = f"line {record.line_no:,}" if record.line_no else "line not noted"
    what = "made the row" if owns else "decides the key now"
    url = reverse("record_lineage", args=[record.load_run_file_id, record.record_no]) if record.record_no else ""
    return Node(f"record {record.load_run_file_id} {record.record_no}", "Record", title, f"{line}, {what}", url)


def _standing(story: Story) -> str:
    if story.trace.pin:
        return "pinned by a restore"
    return story.trace.standing


def _row_state(story: Story) -> str:
    return "ok" if story.trace.row else "bad"
