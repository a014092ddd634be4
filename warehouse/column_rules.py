"""How the declaration makes a value of staging from a field of a file, in words."""

from dataclasses import dataclass

from warehouse.registry import Column, Extract

SHAPES = {
    "boolean": "1, true, t, yes, y, on and their opposites",
    "integer": "a whole number",
    "bigint": "a whole number",
    "date": "a day in ISO form",
    "timestamp": "a wall-clock time in ISO form, kept as it is",
}


@dataclass(frozen=True)
class Made:
    """A column of staging: the field of the file that it comes from ("": of none), and by which steps."""

    column: str
    type: str
    field: str
    steps: tuple[str, ...]

    @property
    def told(self) -> str:
        return "; ".join(self.steps)


def made(extract: Extract) -> list[Made]:
    """Every business column of the staging table, in its order."""
    fed = [Made(column.name, column.type, column.name, _steps(column, extract)) for column in extract.staged]
    own = [
        Made(column.name, column.type, "", ("no file feeds it: whoever keeps the table sets it",))
        for column in extract.staging_only
    ]
    return fed + own


def is_identity(column: Column) -> bool:
    """Whether the value is the field's text, trimmed, and nothing else."""
    return column.type == "text" and column.cast is None and column.default is None


def _steps(column: Column, extract: Extract) -> tuple[str, ...]:
    if column.cast == "presence":
        return ("true where the field holds anything, else false",)
    steps = ["trimmed; empty is NULL"]
    if column.cast == "lower":
        steps.append("in lower case")
    if column.default is not None:
        steps.append(f"{column.default!r} where it is empty")
    if column.type != "text":
        steps.append(f"read as {column.type}: {_shape(column, extract)}")
        steps.append("NULL where it is none" if column.invalid == "null" else "the record is rejected where it is none")
    steps += [f"{rule.severity}s where {rule.reason}" for rule in extract.rules if rule.column == column.name]
    if column.name in extract.natural_key:
        steps.append("part of the natural key: rejected where it is empty")
    elif column.required:
        steps.append("required: rejected where it is empty")
    return tuple(steps)


def _shape(column: Column, extract: Extract) -> str:
    if column.type == "timestamptz":
        return f"a time in ISO form, wall clock of {extract.time_zone} where it names no offset"
    if column.type.startswith("numeric"):
        return "a decimal number, rounded to the declared places"
    return SHAPES[column.type]
