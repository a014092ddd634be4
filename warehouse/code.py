"""Which code decides what raw and staging hold: fingerprints over its meaning, not over a number that a hand raises.

Comments, docstrings, annotations, format and Python's version do not count: the syntax tree is told in a form of our
own. Counted are whole modules, so a change of code that makes the same rows counts as well; a dry run then shows no
changed row, and the next fold notes the new fingerprint.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from warehouse import build, change, functions, ingest, names, transform, wire
from warehouse.registry import Extract

READS = (wire, ingest)
FOLDS = (transform, change, names, build)
# The SQL functions of restage that decide a value or a precedence; the others only tell or mask.
DECIDING = (
    "clean",
    "extracted_at",
    "to_bigint",
    "to_boolean",
    "to_date",
    "to_integer",
    "to_numeric",
    "to_timestamp",
    "to_timestamptz",
    "try_bigint",
    "try_date",
    "try_integer",
    "try_numeric",
    "try_timestamp",
)
_UNTOLD = frozenset({"annotation", "returns", "type_comment", "type_params", "type_ignores", "kind", "ctx"})
_SERVERS = (150000, 160000)  # from each of these on, functions.py writes its casts in another way


def reading() -> str:
    """Fingerprint of what makes records of bytes."""
    return _READING


def folding() -> str:
    """Fingerprint of what makes rows of records: casts, checks, precedence, the SQL functions."""
    return _FOLDING


def making(extract: Extract) -> str:
    """By what the rows of an extract are made: the same makes equal rows of equal records."""
    return f"{extract.digest} {folding()}"


def meaning(source: str) -> str:
    """A module's syntax tree as text: equal for sources that differ in comments, docstrings and format only.

    Raises SyntaxError.
    """
    return "".join(_told(ast.parse(source)))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _source(module: ModuleType) -> str:
    assert module.__file__  # noqa: S101  our own modules are files
    return meaning(Path(module.__file__).read_text(encoding="utf-8"))


def _told(node: ast.AST) -> Iterator[str]:
    yield type(node).__name__ + "("
    for name, value in ast.iter_fields(node):
        found = _without_docstring(node, value) if name == "body" else value
        if name in _UNTOLD or found is None or found == []:
            continue
        yield f"{name}="
        for item in found if isinstance(found, list) else [found]:
            yield from _told(item) if isinstance(item, ast.AST) else [repr(item), ","]
    yield ")"


def _without_docstring(node: ast.AST, body: object) -> object:
    """A body that is a docstring only is none, as a `pass` would be."""
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) or not isinstance(body, list):
        return body
    return body[1:] if ast.get_docstring(node, clean=False) is not None else body


def _of_folding() -> str:
    made = (functions.definitions(server)[name] for server in _SERVERS for name in DECIDING)
    return _digest([*map(_source, FOLDS), *(" ".join(text.split()) for text in made)])


# Taken at import: the sources on disk may be newer than the code of a process that has run for long.
_READING, _FOLDING = _digest(map(_source, READS)), _of_folding()
