"""Twelve weeks of deliveries that between them hold the situations the console must cope with.

The same rows, ending and seed give the same bytes. Memory does not grow with the rows of a baseline: its files are
written as their records are made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

from warehouse.registry import Extract, Registry
from warehouse.sample import billing, catalogue, files, people, visits
from warehouse.sample.plan import CATALOGUES, Situation, baseline_size, deliveries, scale_for
from warehouse.sample.practice import PER_ORG, Extraction, Practice

Maker = Callable[[int, Random, Extraction], Mapping[str, str]]
MAKERS: dict[str, Maker] = {
    "PracticeInfo": people.practice_info,
    "Provider": people.provider,
    "Medicine": catalogue.medicine,
    "Vaccine": catalogue.vaccine,
    "Patient": people.patient,
    "Appointments": visits.appointment,
    "Diagnosis": visits.diagnosis,
    "Immunisation": visits.immunisation,
    "Invoices": billing.invoice,
    "InvoiceDetail": billing.invoice_detail,
    "Measurements": visits.measurement,
}
PRACTICES = (("535", "Kōtuku Landing Family Health"), ("545", "Harakeke Point Medical"))
HISTORY_DAYS, CHANGED_DAYS = 1100, 400  # of a baseline: how old its records are, and their last changes
FULL_SINCE = datetime(2015, 1, 1, tzinfo=files.ZONE)
NEW = 5  # of a delta, one record of so many
NEW_OF_LARGE = 0.8


@dataclass(frozen=True)
class Delivery:
    """One batch of files extracted at the same time; becomes one load run."""

    name: str  # what it is there to show: "full baseline", "delta", "wrong width"…
    extracted: datetime  # wall clock in Pacific/Auckland, aware
    folder: Path  # holds only this delivery's files
    files: tuple[Path, ...]


def write(folder: Path, registry: Registry, *, rows: int, ending: date, seed: int = 1) -> list[Delivery]:
    """Write the deliveries below `folder`, in the order in which they arrive.

    `rows` is about the number of records over everything (2,000 or more), `ending` the Sunday of the newest delivery
    or a day of the week after it. Raises FileExistsError where a delivery's folder is there already.
    """
    planned = deliveries(rows, ending)
    scale = scale_for(rows, [situation for _extracted, situation in planned])
    source = _Source(registry, seed=seed, scale=scale, opened=planned[0][0].toordinal())
    made: list[Delivery] = []
    for place, (extracted, situation) in enumerate(planned, start=1):
        target = folder / f"{place:02}-{situation.name.replace(' ', '-')}"
        target.mkdir(parents=True)
        paths = source.redeliver(target, extracted) if situation.again else source.deliver(situation, target, extracted)
        made.append(Delivery(situation.name, extracted, target, tuple(paths)))
    return made


class _Source:
    """The system that the files come from: its practices, and what of them has been delivered."""

    def __init__(self, registry: Registry, *, seed: int, scale: float, opened: int) -> None:
        self._registry, self._seed, self._scale = registry, seed, scale
        self._chance = Random(seed)  # noqa: S311  invented data
        self._facts = Random()  # noqa: S311  seeded anew for each record
        own = baseline_size("Patient", place=1, scale=scale) // 2  # patients whose ids the first practice lacks
        self._practices = tuple(
            Practice(id, name, place, 100_000 - place * own, opened) for place, (id, name) in enumerate(PRACTICES)
        )
        self._newest: list[tuple[Extract, Practice, Path]] = []
        for practice in self._practices:
            practice.providers = list(self._providers(practice))

    def deliver(self, situation: Situation, target: Path, extracted: datetime) -> list[Path]:
        self._newest = [
            (self._registry[name], practice, self._file(situation, name, practice, target, extracted))
            for practice, names in zip(self._practices, (situation.first, situation.second), strict=True)
            for name in names
        ]
        return [path for _extract, _practice, path in self._newest]

    def redeliver(self, target: Path, extracted: datetime) -> list[Path]:
        """The rows of the newest delivery once more, with a line break after each: other bytes, the same meaning."""
        paths = []
        for extract, practice, earlier in self._newest:
            path = target / _file_name(extract, practice, extracted - timedelta(days=7), extracted)
            files.put(path, extract, files.kept(earlier, extract), line_end="\r\n")
            paths.append(path)
        return paths

    def _file(self, situation: Situation, name: str, practice: Practice, target: Path, extracted: datetime) -> Path:
        extract = self._registry[name]
        days = 7 if situation.days == 0 else 1
        since = FULL_SINCE if situation.whole else extracted - timedelta(days=days)
        path = target / _file_name(extract, practice, since, extracted)
        count = situation.count(name, place=practice.place, scale=self._scale)
        until = extracted.toordinal() - 1
        at = Extraction(
            practice,
            since=until - CHANGED_DAYS if situation.whole else since.toordinal(),
            until=until,
            loaded=f"{extracted + timedelta(minutes=44):%Y-%m-%d %H:%M:%S}.000",
            chance=self._chance,
        )
        records = files.laid_out(self._rows(extract, at, self._numbers(situation, name, count, at)), extract)
        flaw = situation.flaws.get(name)
        files.put(path, extract, flaw(records, extract) if flaw else records)
        return path

    def _numbers(self, situation: Situation, name: str, count: int, at: Extraction) -> Sequence[int]:
        series = at.practice.of(name)
        if situation.whole:
            return series.grow(count, at.until - HISTORY_DAYS, at.until)
        new = round(count * NEW_OF_LARGE) if situation.records else 0 if name in CATALOGUES else count // NEW
        return series.change(count, new, at.since, at.until, self._chance)

    def _rows(self, extract: Extract, at: Extraction, numbers: Sequence[int]) -> Iterator[Mapping[str, str]]:
        make, facts = MAKERS[extract.name], self._facts
        start = self._start(extract.name, at.practice)
        for number in numbers:
            facts.seed(start + number)
            yield make(number, facts, at)

    def _providers(self, practice: Practice) -> Iterator[tuple[str, str]]:
        start = self._start("Provider", practice)
        for number in range(1, baseline_size("Provider", place=practice.place, scale=self._scale) + 1):
            self._facts.seed(start + number)
            yield str(practice.first + number), people.provider_identity(number, self._facts)["full_name"]

    def _start(self, name: str, practice: Practice) -> int:
        """Where the seeds of the records of an extract begin; no two extracts' seeds meet."""
        return ((self._seed * len(PRACTICES) + practice.place) * len(MAKERS) + list(MAKERS).index(name)) << 32


def _file_name(extract: Extract, practice: Practice, since: datetime, extracted: datetime) -> str:
    return files.name(extract, per_org=PER_ORG, practice=practice.id, since=since, extracted=extracted)
