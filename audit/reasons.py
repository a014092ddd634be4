"""What people write for others to read: reasons, notes, comments. What nobody can see is not a reason."""

import re
import unicodedata
from typing import Any

from django import forms

# They turn the direction of all that follows them on a line, what others have written too.
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters by their category, and blank
UNSEEN = frozenset("CZM")  # control and format, spaces, marks without a letter


def said(text: str) -> str:
    """The text as others read it; "" where there is nothing to see."""
    plain = DIRECTIONS.sub("", text).strip()
    return plain if letters(plain) else ""


def letters(text: str) -> int:
    """How many of its letters can be seen."""
    return sum(unicodedata.category(letter)[0] not in UNSEEN and letter not in FILLERS for letter in text)


class SaidField(forms.CharField):
    """A text for others to read; one that shows nothing is none."""

    def to_python(self, value: Any) -> Any:
        return said(str(super().to_python(value)))
