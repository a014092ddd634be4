"""With which version of its declaration each file was built, how that differs from the one in force, and a registry
that holds the former versions, for a dry run that shows what they would make of the files."""

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from jobs.models import Plan
from reprocessing.planning import CannotPlanError
from warehouse import builds, differences, registry
from warehouse.registry import Extract, Registry


def original(
    connection: psycopg.Connection, known: Registry, included: Iterable[Mapping[str, Any]]
) -> dict[str, Extract]:
    """The version of each extract that the included files were built with.

    Raises CannotPlanError: the files of an extract were built with several, or it cannot be compared with staging.
    """
    digests: dict[str, set[str]] = {}
    for item in included:
        digests.setdefault(item["extract"], set()).add(item["declaration"])
    kept, found = builds.declarations(connection), {}
    for name, several in digests.items():
        if len(several) > 1:
            raise CannotPlanError(
                f"The files of {name} were built with {len(several)} versions of its declaration; choose files of one."
                " Nothing was asked for."
            )
        found[name] = kept[several.pop()]
        _refuse_other_shape(found[name], known[name])
    return found


def _refuse_other_shape(former: Extract, now: Extract) -> None:
    """Rows are compared by their hashes, so they need the same columns of the same types; digits do not matter."""
    shapes = [
        (each.table, each.natural_key, [(column.name, column.type.split("(")[0]) for column in each.staged])
        for each in (former, now)
    ]
    if shapes[0] != shapes[1]:
        raise CannotPlanError(
            f"The staging table of {now.name} had other columns under the original declaration, so its rows cannot be"
            " compared with those of now. Nothing was asked for."
        )


def digests(known: Registry, included: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Extract → digest of its declaration that is in force in this process, of the included files' extracts."""
    return {name: known[name].digest for name in sorted({item["extract"] for item in included})}


def refuse_another(known: Registry, plan: Plan) -> None:
    """Raises CannotPlanError where this process knows another declaration than the one that made the plan."""
    asked_with = plan.options.get("in_force", {})
    other = [name for name in asked_with if name not in known or known[name].digest != asked_with[name]]
    if other:
        raise CannotPlanError(
            f"The declaration of {', '.join(other)} that this worker knows is not the one with which the job was asked"
            " for. Restart web, worker and watcher after a change of a declaration, and ask again. Nothing was changed."
        )


def in_force(connection: psycopg.Connection, plan: Plan) -> Registry:
    """The registry that a plan is about."""
    known = registry.current()
    if plan.options.get("declaration") != "original":
        return known
    return known.with_versions(original(connection, known, plan.included))


def told(
    connection: psycopg.Connection, known: Registry, included: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Each version that files of the plan were built with and that is not in force: what differs, in words."""
    files: dict[tuple[str, str | None], int] = {}
    for item in included:
        place = (item["extract"], item.get("declaration"))
        if place[1] is None and item["records"] is None:  # it never had rows
            continue
        files[place] = files.get(place, 0) + 1
    kept, found = builds.declarations(connection), []
    for (name, digest), number in files.items():
        if digest == known[name].digest:
            continue
        differing = differences.between(kept[digest], known[name]) if digest in kept else []
        found.append(
            {"extract": name, "digest": digest, "files": number, "differences": [each.told for each in differing]}
        )
    return found
