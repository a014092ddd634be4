"""Every declared extract goes the whole way: the SQL made from its declaration is valid and folds."""

from datetime import datetime

import psycopg
import pytest
from psycopg import sql

from tests.house import House
from warehouse import deliveries, registry, verification
from warehouse.names import staging
from warehouse.registry import Extract
from warehouse.reprocess import Work

NAMES = [extract.name for extract in registry.load([registry.SHIPPED]).extracts]
VALUES = {"integer": "1", "bigint": "1", "boolean": "1", "date": "2026-01-05", "text": "a"}


def value(extract: Extract, name: str, kind: str, key: str) -> str:
    rules = {rule.column: rule for rule in extract.rules}
    if name in extract.natural_key:
        return key
    if name in rules and rules[name].values:
        return str(rules[name].values[0])
    if kind.startswith("timestamp"):
        return "2026-01-05 10:00:00"
    return VALUES.get(kind, "1")


def write(house: House, extract: Extract, keys: str) -> None:
    records = [[value(extract, c.name, c.type, key) for c in extract.columns] for key in keys]
    if extract.format.kind == "csv":
        lines = [",".join(c.name for c in extract.columns), *(",".join(r) for r in records), ""]
        (house.folder / "dengue_cases_2026W01.csv").write_text("\n".join(lines))
        return
    form = extract.format
    text = "".join(form.field_separator.join(record) + form.record_separator for record in records)
    name = f"685146_535_{extract.name}_202601010000_202601051230_2601051230.csv"
    (house.folder / name).write_bytes(b"\xff\xfe" + text.encode("utf-16-le"))


@pytest.mark.parametrize("name", NAMES)
def test_trap_19_each_extract_is_loaded_reprocessed_and_verified(house: House, name: str):
    extract = house.registry[name]
    write(house, extract, "123")
    (loaded,) = deliveries.load(house.connection, house.registry, str(house.folder)).runs
    assert isinstance(loaded.extracted, datetime)
    assert (loaded.failed, loaded.records, loaded.rejected) == ({}, 3, 0)
    write(house, extract, "134")
    _job, outcome = house.reprocess(loaded.load_run_id)
    counts = outcome["tables"][extract.table]
    assert (counts["inserted"], counts["deleted"], counts["unchanged"]) == (1, 1, 2)
    ids = tuple(outcome["files"].values())
    _job, outcome = house.reprocess(loaded.load_run_id, work=Work(refold=ids))
    assert outcome["tables"][extract.table]["unchanged"] == 3
    verdict = verification.verify(house.connection, extract)
    assert (verdict.keys, verdict.violations) == (3, 0)

    with pytest.raises(psycopg.errors.UniqueViolation):  # trap 16: nothing can double a key
        house.connection.execute(sql.SQL("INSERT INTO {0} SELECT * FROM {0}").format(staging(extract)))


def test_trap_24_names_are_snake_case():
    known = registry.load([registry.SHIPPED])
    names = [c.name for extract in known.extracts for c in extract.columns] + [e.table for e in known.extracts]
    assert all(name == name.lower() and registry.IDENTIFIER.fullmatch(name) for name in names)
