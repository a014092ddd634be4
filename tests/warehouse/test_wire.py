"""Wire formats: lossless, and every record that cannot be kept is named by number and line."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse import registry, wire
from warehouse.declarations import DeclarationError
from warehouse.wire import Malformed, Record

DECLARATION = """# Pairs.
extract = "Pairs"
table = "pairs"
natural_key = ["a"]
depends_on = []
format = "{form}"
file_name = 'pairs_(?P<extracted>\\d{{8}})\\.csv'
extracted_format = "%Y%m%d"
[columns]
a = "text"
b = "text"
"""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory):
    made = {}
    for form in ("health", "csv"):
        folder: Path = tmp_path_factory.mktemp(form)
        (folder / "pairs.toml").write_text(DECLARATION.format(form=form))
        made[form] = registry.load([registry.SHIPPED, folder])["Pairs"]
    return made


def read(data: bytes, extract) -> list[Record | Malformed]:
    return list(wire.records(io.BytesIO(data), extract))


def fields(data: bytes, extract) -> list[list[str]]:
    found = read(data, extract)
    assert not [item for item in found if isinstance(item, Malformed)]
    return [item.fields for item in found if isinstance(item, Record)]


def health(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def test_trap_71_values_come_out_as_they_stand(pairs):
    text = '001|^^|+6421|~~|"open|^^| O\'Brien, "x"\r\n |~~|Māori|^^|a|b^^c|~~|'
    assert fields(health(text), pairs["health"]) == [
        ["001", "+6421"],
        ['"open', ' O\'Brien, "x"\r\n '],
        ["Māori", "a|b^^c"],
    ]


def test_a_line_break_after_a_separator_is_not_data_but_one_inside_is(pairs):
    found = read(health("1|^^|x\ny|~~|\r\n2|^^|z|~~|\r\n"), pairs["health"])
    assert found == [Record(1, 1, "1\0x\ny"), Record(2, 3, "2\0z")]


def test_a_wrong_width_rejects_the_record_with_its_line_and_goes_on(pairs):
    found = read(health("1|^^|a|~~|\n2|~~|\n3|^^|b|^^|c|~~|\n4|^^|d|~~|"), pairs["health"])
    assert found == [
        Record(1, 1, "1\0a"),
        Malformed(2, 2, "1 fields instead of 2"),
        Malformed(3, 3, "3 fields instead of 2"),
        Record(4, 4, "4\0d"),
    ]


def test_a_cut_off_file_is_told_at_its_last_record(pairs):
    assert read(health("1|^^|a|~~|2|^^|cut"), pairs["health"])[1] == Malformed(2, 1, "the file ends inside this record")


@pytest.mark.parametrize("form", ["health", "csv"])
def test_nul_and_bad_bytes_reject_only_their_record(pairs, form):
    if form == "health":
        data = health("1|^^|a\0|~~|2|^^|") + b"\x00\xd8" + "|~~|3|^^|c|~~|".encode("utf-16-le")
    else:
        data = b"a,b\n1,a\0\n2,\xff\n3,c\n"
    first, second, third = read(data, pairs[form])
    assert (first, second) == (
        Malformed(1, first.line, "a NUL character"),
        Malformed(2, second.line, "bytes outside the encoding"),
    )
    assert isinstance(third, Record)
    assert third.fields == ["3", "c"]


def test_an_odd_byte_at_the_end_is_told(pairs):
    assert isinstance(read(health("1|^^|a|~~|") + b"x", pairs["health"])[-1], Malformed)


@pytest.mark.parametrize(
    ("mark", "encoding"), [(b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")]
)
def test_a_byte_order_mark_decides_the_encoding(pairs, mark, encoding):
    assert fields(mark + "1|^^|ā|~~|".encode(encoding), pairs["health"]) == [["1", "ā"]]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\xff\xfe\r\x00\n\x00"])
def test_trap_30_an_empty_file_has_no_records(pairs, data):
    assert read(data, pairs["health"]) == []


def test_csv_keeps_quoted_commas_and_line_breaks(pairs):
    found = read(b'a,b\n1,"x, ""y""\nz"\n\n2,c\n', pairs["csv"])
    assert found == [Record(1, 2, '1\0x, "y"\nz'), Record(2, 5, "2\0c")]


def test_csv_with_broken_quoting_loses_one_record(pairs):
    found = read(b'a,b\n1,"x"y\n2,c\n', pairs["csv"])
    assert isinstance(found[0], Malformed)
    assert found[1] == Record(2, 3, "2\0c")


@pytest.mark.parametrize(
    ("header", "complaint"),
    [(b"a,c\n", "lacks b"), (b"b,a\n", "another order"), (b"a,b,c\n", "3 columns"), (b"1,x\n", "lacks a, b")],
)
def test_another_header_refuses_the_file(pairs, header, complaint):
    with pytest.raises(wire.UnreadableFileError, match=complaint):
        read(header + b"1,2\n", pairs["csv"])


def test_a_file_without_separators_is_refused_before_memory_fills(pairs, monkeypatch):
    monkeypatch.setattr(wire, "LONGEST_RECORD", 1000)
    with pytest.raises(wire.UnreadableFileError, match="not the declared format"):
        read(health("x" * 300_000), pairs["health"])


FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0|~^"), max_size=30)


@given(rows=st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=20), size=st.integers(4, 64))
def test_what_was_written_is_what_is_read_whatever_the_chunks(pairs, rows, size):
    text = "".join(f"x{a}|^^|{b}|~~|" for a, b in rows)
    saved, wire.CHUNK_BYTES = wire.CHUNK_BYTES, size
    try:
        assert fields(health(text), pairs["health"]) == [[f"x{a}", b] for a, b in rows]
    finally:
        wire.CHUNK_BYTES = saved


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory):
    """The same pairs, in files that end with a trailer."""
    made = {}
    for form, trailer in (("separated", r"TRL\|\^\^\|(?P<records>\d+)"), ("csv", r"TRL,(?P<records>\d+)")):
        folder: Path = tmp_path_factory.mktemp(f"{form}_trailer")
        like = {"separated": "health", "csv": "csv"}[form]
        shipped = (registry.SHIPPED / "_formats.toml").read_text().split(f"[{like}]\n")[1].split("\n[")[0]
        (folder / "_formats.toml").write_text(f"[counted]\n{shipped}\ntrailer = '{trailer}'\n")
        (folder / "pairs.toml").write_text(DECLARATION.format(form="counted"))
        made[form] = registry.load([registry.SHIPPED, folder])["Pairs"]
    return made


WHOLE = {
    "separated": "1|^^|a|~~|\r\n2|^^|b|~~|\r\nTRL|^^|2|~~|\r\n".encode("utf-16-le"),
    "csv": b"a,b\n1,a\n2,b\nTRL,2\n",
}


@pytest.mark.parametrize("form", list(WHOLE))
def test_a_trailer_is_no_record_and_counts_them(counted, form):
    assert fields(WHOLE[form], counted[form]) == [["1", "a"], ["2", "b"]]


@pytest.mark.parametrize("form", list(WHOLE))
def test_a_file_that_is_cut_anywhere_before_its_trailers_end_is_refused(counted, form):
    begin, width = (0, 2) if form == "separated" else (4, 1)
    mark = "|~~|".encode("utf-16-le") if form == "separated" else b"2"
    last = WHOLE[form].rindex(mark) + (len(mark) if form == "separated" else 1)
    for size in range(begin, last, width):
        with pytest.raises(wire.UnreadableFileError, match=r"without its trailer|another number of records"):
            read(WHOLE[form][:size], counted[form])


@pytest.mark.parametrize("form", list(WHOLE))
def test_a_trailer_that_names_another_number_refuses_the_file(counted, form):
    two = "2|~~|".encode("utf-16-le") if form == "separated" else b"TRL,2"
    three = "3|~~|".encode("utf-16-le") if form == "separated" else b"TRL,3"
    with pytest.raises(wire.UnreadableFileError, match="another number of records than the 2"):
        read(WHOLE[form].replace(two, three), counted[form])


def test_what_follows_the_trailer_refuses_the_file(counted):
    with pytest.raises(wire.UnreadableFileError, match="without its trailer"):
        read(WHOLE["csv"] + b"3,c\n", counted["csv"])


@pytest.mark.parametrize(("trailer", "told"), [("TRL,(", "not a regular expression"), ("TRL", "records")])
def test_a_trailer_that_cannot_be_meant_is_refused(tmp_path: Path, trailer, told):
    plain = "kind = 'csv'\nencoding = 'utf-8'\nfield_separator = ','\ntime_zone = 'UTC'"
    (tmp_path / "_formats.toml").write_text(f"[counted]\n{plain}\ntrailer = '{trailer}'\n")
    (tmp_path / "pairs.toml").write_text(DECLARATION.format(form="counted"))
    with pytest.raises(DeclarationError, match=told):
        registry.load([registry.SHIPPED, tmp_path])


def test_declarations_without_a_trailer_are_the_same_version_as_before(pairs):
    assert "trailer" not in pairs["csv"].document
    assert registry.from_document(json.loads(pairs["csv"].document)) == pairs["csv"]
