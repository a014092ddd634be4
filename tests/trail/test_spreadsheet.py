import csv
import io

import pytest

from audit import spreadsheet


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum", "'@sum"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("a=1", "a=1"),
        ('["=1"]', '["=1"]'),
        (12, "12"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula(value: object, cell: str):
    assert spreadsheet.cell(value) == cell


def test_a_line_reads_back_as_it_was():
    cells = ["a,b", 'said "no"', "two\nlines", ""]
    assert next(csv.reader(io.StringIO(spreadsheet.line(cells), newline=""))) == cells
