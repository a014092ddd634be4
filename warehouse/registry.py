"""The extracts: what a delivered file holds, which tables it feeds, and what a valid row is.

Declarations are TOML files, one an extract (`warehouse/extracts`, and the folders of RESTAGE_EXTRACTS). They are the
only source of schema, table and column names in any SQL of this room.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from warehouse.declarations import DeclarationError, Document

SHIPPED = Path(__file__).resolve().parent / "extracts"
FORMATS_FILE = "_formats.toml"
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,47}")
TABLE = re.compile(r"[a-z][a-z0-9_]{0,37}")  # leaves room for what restage_build and indexes add to it
EXTRACT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
TYPE = re.compile(r"text|boolean|integer|bigint|numeric(\(\d+,\d+\))?|date|timestamp|timestamptz")
RESERVED = frozenset(
    {"load_run_file_id", "load_ts", "record_no", "line_no", "row_hash", "problems", "problem_classes", "class"}
)
FILE_ONLY = "file only"


@dataclass(frozen=True)
class Column:
    """One column of a file and, unless `type` is "file only", of its staging table.

    `cast`: "presence" (any text is true) or "lower". `invalid`: "reject" the row, or make the value "null".
    `default` is the text taken where the field is empty.
    """

    name: str
    type: str
    required: bool = False
    default: str | None = None
    cast: str | None = None
    invalid: str = "reject"


@dataclass(frozen=True)
class Rule:
    """A check on one column. A row that breaks a rule of severity "reject" never reaches staging.

    `rule`: "pattern" (in `pattern`), "enum" (one of `values`), "range" or "length" (`values`: least and greatest).
    """

    column: str
    rule: str
    pattern: str
    values: tuple[object, ...]
    severity: str
    reason: str


@dataclass(frozen=True)
class Format:
    """How a file is written. `kind` is "separated" (exact separators, no quoting) or "csv". `trailer`: what its last
    record, as it stands, must match, whose group `records` says how many there are before it ("": it has none)."""

    kind: str
    encoding: str
    field_separator: str
    record_separator: str = ""
    header: bool = False
    quote: str = '"'
    trailer: str = ""


@dataclass(frozen=True)
class Extract:
    """One kind of delivered file. `columns` are in file order."""

    name: str
    title: str
    table: str
    columns: tuple[Column, ...]
    staging_only: tuple[Column, ...]
    natural_key: tuple[str, ...]
    depends_on: tuple[str, ...]
    record_updated_at: str | None
    rules: tuple[Rule, ...]
    format: Format
    file_name: str
    extracted_format: str
    time_zone: str

    @cached_property
    def staged(self) -> tuple[Column, ...]:
        """The columns that a file feeds into staging, in file order."""
        return tuple(column for column in self.columns if column.type != FILE_ONLY)

    @cached_property
    def document(self) -> str:
        """The declaration as canonical JSON; from_document() makes the extract of it again."""
        told = asdict(self)
        if not self.format.trailer:  # as the documents were before there were trailers
            del told["format"]["trailer"]
        return json.dumps(told, sort_keys=True, default=str)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the document: which version of the declaration this is. Equal digests build equal rows."""
        return hashlib.sha256(self.document.encode()).hexdigest()

    def match(self, file_name: str) -> re.Match[str] | None:
        return re.fullmatch(self.file_name, file_name)

    def extracted_at(self, name: re.Match[str]) -> datetime:
        """The source's extraction time as the file's name tells it, in the extract's zone.

        Raises ValueError where the name holds no such time (31 February).
        """
        text, layout = name["extracted"], self.extracted_format
        if "%V" in layout and "%u" not in layout:
            text, layout = f"{text} 7", f"{layout} %u"  # a week is extracted on its last day
        return datetime.strptime(text, layout).replace(tzinfo=ZoneInfo(self.time_zone))


class Registry:
    """All declared extracts, in dependency order (what others depend on comes first)."""

    def __init__(self, extracts: Iterable[Extract]) -> None:
        by_name = {extract.name: extract for extract in extracts}
        order = TopologicalSorter({name: extract.depends_on for name, extract in by_name.items()}).static_order()
        self.extracts = tuple(by_name[name] for name in order)
        self._by_name = by_name
        self._by_table = {extract.table: extract for extract in self.extracts}

    def __getitem__(self, name: str) -> Extract:
        """The extract of that name. Raises KeyError."""
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @property
    def names(self) -> list[str]:
        """Of all extracts, in alphabetical order."""
        return sorted(self._by_name)

    def dependants(self, name: str) -> list[tuple[Extract, bool]]:
        """The extracts that depend on this one, with whether they do so directly; in dependency order."""
        found: dict[str, bool] = {name: False}
        for extract in self.extracts:
            if through := found.keys() & set(extract.depends_on):
                found[extract.name] = name in through
        return [(self._by_name[other], direct) for other, direct in found.items() if other != name]

    def with_versions(self, versions: Mapping[str, Extract]) -> "Registry":
        """The same extracts, some of them in another version (by name)."""
        return Registry(versions.get(extract.name, extract) for extract in self.extracts)

    def of_table(self, table: str) -> Extract:
        """The extract that feeds `table`. Raises KeyError."""
        return self._by_table[table]

    def of_file(self, file_name: str) -> tuple[Extract, re.Match[str]] | None:
        """The extract whose file-name pattern the name fits, with the match."""
        for extract in self.extracts:
            if match := extract.match(file_name):
                return extract, match
        return None


@lru_cache(maxsize=1)
def current() -> Registry:
    """The registry of this process: the shipped declarations and those of RESTAGE_EXTRACTS.

    Raises DeclarationError with file, line and reason.
    """
    extra = [Path(folder) for folder in os.environ.get("RESTAGE_EXTRACTS", "").split(os.pathsep) if folder]
    return load([SHIPPED, *extra])


def load(folders: Iterable[Path]) -> Registry:
    """Read and check the declarations of `folders`. Raises DeclarationError."""
    formats: dict[str, Document] = {}
    extracts: dict[str, tuple[Extract, Document]] = {}
    tables: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise DeclarationError(folder, 0, "there is no such folder of extract declarations")
        if (folder / FORMATS_FILE).exists():
            formats |= Document.read(folder / FORMATS_FILE).sections()
        for path in sorted(folder.glob("*.toml")):
            if path.name == FORMATS_FILE:
                continue
            document = Document.read(path)
            extract = _extract(document, formats)
            if extract.name in extracts:
                raise document.wrong("extract", f"{extract.name} is declared in {extracts[extract.name][1].path} too")
            if extract.table in tables:
                raise document.wrong("table", f"{extract.table} belongs to {tables[extract.table]} already")
            extracts[extract.name], tables[extract.table] = (extract, document), path
    _check_dependencies(extracts)
    return Registry(extract for extract, _document in extracts.values())


def from_document(document: Mapping[str, Any]) -> Extract:
    """The extract of a former declaration's document; what the document does not know yet has its default."""
    told = {name: document[name] for name in Extract.__dataclass_fields__ if name in document}
    for name in ("columns", "staging_only"):
        told[name] = tuple(Column(**column) for column in told[name])
    told["rules"] = tuple(Rule(**{**rule, "values": tuple(rule["values"])}) for rule in told["rules"])
    told["format"] = Format(**told["format"])
    for name in ("natural_key", "depends_on"):
        told[name] = tuple(told[name])
    return Extract(**told)


def _check_dependencies(extracts: Mapping[str, tuple[Extract, Document]]) -> None:
    for extract, document in extracts.values():
        for name in extract.depends_on:
            if name not in extracts:
                raise document.wrong("depends_on", f"there is no extract {name}")
    try:
        TopologicalSorter({name: found[0].depends_on for name, found in extracts.items()}).prepare()
    except CycleError as error:
        circle = [str(name) for name in error.args[1]]
        raise extracts[circle[0]][1].wrong("depends_on", f"a circle: {' → '.join(circle)}") from error


def _extract(document: Document, formats: Mapping[str, Document]) -> Extract:
    name = document.text("extract", matching=EXTRACT_NAME)
    chosen = document.text("format")
    if chosen not in formats:
        raise document.wrong("format", f"there is no format {chosen}; known: {', '.join(sorted(formats))}")
    wire = formats[chosen]
    listed = document.section("columns")
    columns = tuple(_column(listed, column) for column in listed)
    only = document.section("staging_only", missing={})
    extract = Extract(
        name=name,
        title=document.comment(),
        table=document.text("table", matching=TABLE),
        columns=columns,
        staging_only=tuple(_column(only, column) for column in only),
        natural_key=document.texts("natural_key"),
        depends_on=document.texts("depends_on"),
        record_updated_at=document.optional_text("record_updated_at"),
        rules=tuple(_rule(rule, columns) for rule in document.each("validation")),
        format=_format(wire),
        file_name=_file_name(document if "file_name" in document else wire, name),
        extracted_format=(document if "extracted_format" in document else wire).text("extracted_format"),
        time_zone=_zone(document if "time_zone" in document else wire),
    )
    document.refuse_unread()
    _check_columns(document, extract)
    return extract


def _column(section: Document, name: str) -> Column:
    if not IDENTIFIER.fullmatch(name) or name in RESERVED:
        raise section.wrong(name, f"{name!r} cannot be a column: lower-case letters, digits and _, and none of ours")
    declared = section.value(name)
    if isinstance(declared, str):
        column = Column(name, declared.removesuffix(" required"), required=declared.endswith(" required"))
    else:
        spec = section.section(name)
        column = Column(
            name,
            spec.text("type"),
            required=spec.flag("required"),
            default=spec.optional_text("default"),
            cast=spec.optional_text("cast", among=("presence", "lower")),
            invalid=spec.optional_text("invalid", among=("reject", "null")) or "reject",
        )
        spec.refuse_unread()
    if column.type != FILE_ONLY and not TYPE.fullmatch(column.type):
        raise section.wrong(name, f"unknown type {column.type!r}")
    return column


def _rule(section: Document, columns: tuple[Column, ...]) -> Rule:
    column = section.text("column")
    if column not in {c.name for c in columns}:
        raise section.wrong("column", f"there is no column {column}")
    kind = section.text("rule", among=("pattern", "enum", "range", "length"))
    pattern = section.pattern("value") if kind == "pattern" else ""
    values = () if kind == "pattern" else section.several("value")
    if kind in ("range", "length") and len(values) != 2:
        raise section.wrong("value", "the least and the greatest are needed: [least, greatest]")
    severity = section.optional_text("severity", among=("reject", "warn")) or "reject"
    rule = Rule(column, kind, pattern, values, severity, section.text("reason"))
    section.refuse_unread()
    return rule


def _format(section: Document) -> Format:
    kind = section.text("kind", among=("separated", "csv"))
    return Format(
        kind=kind,
        encoding=section.text("encoding", among=("utf-8", "utf-16-le", "utf-16-be", "latin-1", "cp1252")),
        field_separator=section.text("field_separator"),
        record_separator=section.text("record_separator") if kind == "separated" else "",
        header=section.flag("header"),
        quote=section.optional_text("quote") or '"',
        trailer=_trailer(section) if "trailer" in section else "",
    )


def _trailer(section: Document) -> str:
    pattern = section.text("trailer")
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise section.wrong("trailer", f"not a regular expression: {error}") from error
    if "records" not in groups:
        raise section.wrong("trailer", "the group (?P<records>…) is missing")
    return pattern


def _file_name(section: Document, extract: str) -> str:
    pattern = section.text("file_name").replace("{extract}", extract)
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise section.wrong("file_name", f"not a regular expression: {error}") from error
    if "extracted" not in groups:
        raise section.wrong("file_name", "the group (?P<extracted>…) is missing")
    return pattern


def _zone(section: Document) -> str:
    name = section.text("time_zone")
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise section.wrong("time_zone", f"there is no time zone {name}") from error
    return name


def _check_columns(document: Document, extract: Extract) -> None:
    columns = {column.name: column for column in extract.columns}
    if not extract.natural_key:
        raise document.wrong("natural_key", "it names no column")
    for name in extract.natural_key:
        if name not in columns or columns[name].type != "text":
            raise document.wrong("natural_key", f"{name} must be a text column of the file")
    updated = extract.record_updated_at
    if updated and (updated not in columns or columns[updated].type not in ("timestamp", "timestamptz")):
        raise document.wrong("record_updated_at", f"{updated} must be a timestamp column of the file")
    for column in extract.staging_only:
        if column.name in columns:
            raise document.wrong(column.name, "it stands in the file as well")
