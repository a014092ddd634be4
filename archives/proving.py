"""Keeps how long a rung of the recovery ladder took when a job used it: where one worker did all of it."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from jobs.kinds import Run, writer_of
from warehouse import journal, proofs


@dataclass(frozen=True)
class Use:
    """Of which rung, how many rows came back, and what was done, in words."""

    rung: str
    rows: int
    told: str


def timed(
    run: Run, step: str, execute: Callable[[], dict[str, Any]], use: Callable[[dict[str, Any]], Use]
) -> dict[str, Any]:
    """Carry out and keep the time. `step`: by which the journal knows that it is done. Raises what `execute` raises,
    and LostFenceError when it has had its effect."""
    writer = writer_of(run)
    whole, began = journal.done(run.connection, writer.job_id, step) is None, monotonic()
    outcome = execute()
    if whole:
        seconds, used = monotonic() - began, use(outcome)
        with run.connection.transaction():
            journal.hold_fence(run.connection, writer)
            proofs.keep(
                run.connection,
                writer,
                used.rung,
                drill=False,
                seconds=seconds,
                holds=True,
                rows=used.rows,
                told=used.told,
                compared={},
            )
    return outcome
