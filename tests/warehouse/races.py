"""Two acts on one archive set at once, many times: of a hold or a restore and a cleanup never both have their way."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import psycopg

from tests.archived import restore
from tests.house import House, row
from tests.warehouse.shelf import NOW, Shelf
from warehouse import archive_holds, archive_removal
from warehouse.errors import TellableError
from warehouse.journal import Writer

BEGIN = datetime(2026, 3, 10, tzinfo=UTC)
ROWS = 20


@dataclass
class Found:
    """`first`: the races that the hold or the restore has won; `wrong`: what must never be, in words."""

    races: int = 0
    first: int = 0
    wrong: list[str] = field(default_factory=list)


def hold_against_cleanup(house: House, url: str, races: int, *, seed: int) -> Found:
    """No held set is ever without its rows, and no hold is told to stand on a set that goes."""
    shelf = Shelf(house)

    def act(other: House, set_id: UUID) -> None:
        archive_holds.HOLDS.place(other.connection, set_id, reason="a case", actor="operator")

    def judge(set_id: UUID, stands: bool) -> str:
        if stands and shelf.rows(set_id) != ROWS:
            return "a held set lost rows"
        return "both had their way, or neither" if stands == (not shelf.part(set_id).hot) else ""

    return _race(house, url, races, seed, act, judge)


def restore_against_cleanup(house: House, url: str, races: int, *, seed: int) -> Found:
    """A restore either puts every row back or changes nothing, whatever a cleanup does meanwhile."""
    whole: list[dict[str, tuple[str, str | None]]] = []

    def act(other: House, set_id: UUID) -> None:
        restore(other, set_id, agreed=False)

    def judge(set_id: UUID, done: bool) -> str:
        found = house.staged()
        house.connection.execute("DELETE FROM stg.visits")
        if done and found != whole[0]:
            return "a restore succeeded and staging is not what the set held"
        if not done and found:
            return "a restore was refused and left rows"
        if not done and Shelf(house).part(set_id).hot:
            return "a restore was refused though the set is there"
        return ""

    def ready() -> None:
        whole.append(house.staged())
        house.connection.execute("DELETE FROM stg.visits")

    return _race(house, url, races, seed, act, judge, ready)


def _race(
    house: House,
    url: str,
    races: int,
    seed: int,
    act: Callable[[House, UUID], None],
    judge: Callable[[UUID, bool], str],
    ready: Callable[[], None] = lambda: None,
) -> Found:
    run = house.deliver("20260105", *(row(str(number)) for number in range(ROWS)))
    shelf, dice, found = Shelf(house), Random(seed), Found()
    sets = [shelf.keep(run, BEGIN + timedelta(minutes=number)) for number in range(races)]
    ready()
    with psycopg.connect(url, autocommit=True) as connection:
        other = House(connection, house.registry, house.folder)
        for number, set_id in enumerate(sets):  # the first two are decided beforehand, one for each side
            head_start = (60.0, -60.0)[number] if number < 2 else dice.uniform(-0.03, 0.02)
            done = _once(house, other, set_id, act, head_start=head_start)
            found.races, found.first = found.races + 1, found.first + done
            if wrong := judge(set_id, done):
                found.wrong.append(wrong)
    return found


def _once(house: House, other: House, set_id: UUID, act: Callable[[House, UUID], None], *, head_start: float) -> bool:
    """Whether the act has had its way. `head_start` of the act before the cleanup, in seconds: who has a minute is done
    before the other begins."""
    done: list[bool] = []
    begin, over = threading.Barrier(2), (threading.Event(), threading.Event())

    def run() -> None:
        begin.wait()
        over[1].wait(max(0.0, -head_start))
        try:
            act(other, set_id)
            done.append(True)
        except TellableError:
            done.append(False)
        finally:
            over[0].set()

    thread = threading.Thread(target=run)
    thread.start()
    begin.wait()
    over[0].wait(max(0.0, head_start))
    archive_removal.execute(house.connection, house.registry, Writer(uuid4(), 1, "cleanup"), sets=[set_id], now=NOW)
    over[1].set()
    thread.join()
    return bool(done and done[0])
