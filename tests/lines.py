"""Checks what lineage says against the delivered files themselves, read by other code than Restage's."""

import csv
from functools import lru_cache
from pathlib import Path

import psycopg
from psycopg import sql

from warehouse import chains, names, records
from warehouse.records import Key
from warehouse.registry import Extract


def every_row_lies_where_its_lineage_says(connection: psycopg.Connection, extract: Extract) -> int:
    """How many rows of the staging table were found in their file, at the record and on the line that are told."""
    asked = sql.SQL("SELECT {} FROM {}").format(names.key(extract), names.staging(extract))
    found = records.of_keys(connection, extract, asked)
    makers = {key: records.maker(of_key) for key, of_key in found.items()}
    links = chains.of_files(connection, {maker.load_run_file_id for maker in makers.values() if maker})
    places = [[column.name for column in extract.columns].index(name) for name in extract.natural_key]
    for key, maker in makers.items():
        assert maker and maker.record_no and maker.line_no, extract.table
        link = links[maker.load_run_file_id]
        line, fields = read_plainly(extract, link.folder, link.key)[maker.record_no - 1]
        said: Key = tuple(fields[place].strip() for place in places)
        assert (line, said) == (maker.line_no, key), extract.table
    return len(makers)


@lru_cache
def read_plainly(extract: Extract, folder: str, key: str) -> list[tuple[int, list[str]]]:
    """(line on which it begins, fields) of each record of a file."""
    form, raw = extract.format, (Path(folder) / key).read_bytes()
    text = raw.decode(form.encoding).removeprefix("\ufeff")
    if form.kind == "csv":
        lines = enumerate(text.split("\n"), start=1)  # no field of the sample's CSV holds a line break
        return [(number, next(csv.reader([line]))) for number, line in lines if line and number > 1]
    told: list[tuple[int, list[str]]] = []
    begin = 0
    while (end := text.find(form.record_separator, begin)) >= 0:
        start = begin
        while told and text[start] in "\r\n":
            start += 1
        told.append((text.count("\n", 0, start) + 1, text[start:end].split(form.field_separator)))
        begin = end + len(form.record_separator)
    return told
