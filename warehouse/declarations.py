"""TOML with manners: every complaint names file, line and reason, and what nobody reads is refused."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path


class DeclarationError(ValueError):
    """A declaration is wrong. The message is `file:line: reason`; nothing was started or changed."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")


class Document:
    """A TOML table and where it came from. Reading a key marks it as known."""

    def __init__(self, path: Path, source: str, values: dict[str, object], after: int = 0) -> None:
        self.path, self._source, self._values, self._after = path, source, values, after
        self._unread = set(values)

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Raises DeclarationError where the file cannot be read or is not TOML."""
        try:
            source = path.read_text(encoding="utf-8")
            return cls(path, source, tomllib.loads(source))
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"at line (\d+)", str(error))
            raise DeclarationError(path, int(line[1]) if line else 0, f"not TOML: {error}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise DeclarationError(path, 0, f"cannot be read: {error}") from error

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def wrong(self, key: str, reason: str) -> DeclarationError:
        return DeclarationError(self.path, self._line(key), reason)

    def comment(self) -> str:
        """The text of the file's first comment line: what the extract is, in words."""
        first = self._source.splitlines()[0] if self._source else ""
        return first.lstrip("# ").strip() if first.startswith("#") else ""

    def value(self, key: str) -> object:
        if key not in self._values:
            raise DeclarationError(self.path, self._after + 1, f"{key} is missing")
        self._unread.discard(key)
        return self._values[key]

    def text(self, key: str, *, matching: re.Pattern[str] | None = None, among: tuple[str, ...] = ()) -> str:
        value = self.value(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, f"{key} must be a text")
        if matching and not matching.fullmatch(value):
            raise self.wrong(key, f"{key} {value!r} is not of the form {matching.pattern}")
        if among and value not in among:
            raise self.wrong(key, f"{key} {value!r} is none of {', '.join(among)}")
        return value

    def optional_text(self, key: str, *, among: tuple[str, ...] = ()) -> str | None:
        return self.text(key, among=among) if key in self._values else None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.value(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, f"{key} must be a list of texts")
        return tuple(value)

    def flag(self, key: str) -> bool:
        value = self._values.get(key, False)
        self._unread.discard(key)
        if not isinstance(value, bool):
            raise self.wrong(key, f"{key} must be true or false")
        return value

    def several(self, key: str) -> tuple[object, ...]:
        value = self.value(key)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, f"{key} must be a list")
        return tuple(value)

    def pattern(self, key: str) -> str:
        text = self.text(key)
        try:
            re.compile(text)
        except re.error as error:
            raise self.wrong(key, f"not a regular expression: {error}") from error
        return text

    def section(self, key: str, *, missing: dict[str, object] | None = None) -> "Document":
        value = self._values.get(key, missing) if missing is not None else self.value(key)
        self._unread.discard(key)
        if not isinstance(value, dict):
            raise self.wrong(key, f"{key} must be a table")
        return Document(self.path, self._source, value, self._line(key) - 1 if key in self._values else 0)

    def sections(self) -> dict[str, "Document"]:
        return {key: self.section(key) for key in self._values}

    def each(self, key: str) -> list["Document"]:
        """The tables of an array of tables; none where the key is absent."""
        values = self._values.get(key, [])
        self._unread.discard(key)
        if not isinstance(values, list) or not all(isinstance(item, dict) for item in values):
            raise self.wrong(key, f"[[{key}]] must be tables")
        starts = [m.start() for m in re.finditer(rf"^\[\[{re.escape(key)}\]\]", self._source, flags=re.M)]
        lines = [self._source.count("\n", 0, start) for start in starts] or [0] * len(values)
        return [Document(self.path, self._source, item, line) for item, line in zip(values, lines, strict=True)]

    def refuse_unread(self) -> None:
        for key in sorted(self._unread):
            raise self.wrong(key, f"{key} means nothing here")

    def _line(self, key: str) -> int:
        """The line of `key` (or of its table's head) at or below where this table begins."""
        head = re.compile(rf'\s*"?{re.escape(key)}"?\s*=|\s*\[+(\w+\.)?{re.escape(key)}\]+')
        for number, line in enumerate(self._source.splitlines(), start=1):
            if number > self._after and head.match(line):
                return number
        return self._after + 1
