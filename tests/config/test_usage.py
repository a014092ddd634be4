"""A command line that cannot be read ends with exit code 2, and with --json as one JSON object."""

import json
from collections.abc import Callable

import pytest
from django.core.management import get_commands, load_command_class

from warehouse.commands import JSON

ANSWERING = [
    *(
        "accounts",
        "before_images",
        "discover",
        "downstream",
        "jobs",
        "outdated",
        "reprocess",
        "retry",
        "rollback",
        "rollouts",
    ),
    *("schedules", "warehouse", "archive", "archives", "audit", "backups", "cleanup", "drill", "recover", "restore"),
    *("unpin", "notifications", "alerts", "ps", "lineage"),
]


@pytest.fixture
def call(capsys) -> Callable[..., tuple[int, str, str]]:
    """Give a command words as the command line does: its exit code, standard output and standard error."""

    def called(name: str, *words: str) -> tuple[int, str, str]:
        command = load_command_class(get_commands()[name], name)
        with pytest.raises(SystemExit) as ended:
            command.run_from_argv(["manage.py", name, *words])
        said = capsys.readouterr()
        return int(str(ended.value.code)), said.out, said.err

    return called


@pytest.mark.parametrize("name", ANSWERING)
def test_an_unknown_option_is_told_in_json(call, name: str):
    code, out, err = call(name, "--nonsense", JSON)
    assert code == 2 and "usage" not in out
    assert json.loads(out)["error"] and json.loads(out)["error"] in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["jobs", JSON], "ACTION"),
        (["jobs", "show", "x", JSON], "'x' is no id"),
        (["jobs", "list", "--since", "yesterday", JSON], "a day is needed, as 2026-11-30, not 'yesterday'"),
        (["warehouse", "destroy", JSON], "invalid choice: 'destroy'"),
        (["reprocess", JSON], "the following arguments are required: run, --reason"),
        (["reprocess", "x", "--reason", "r", "--from", "soon", JSON], "run: 'x' is no id"),
        (["schedules", "pause", "Nightly", JSON], "required: --reason"),
    ],
)
def test_what_is_wrong_is_named(call, words: list[str], told: str):
    code, out, _err = call(*words)
    assert code == 2 and told in json.loads(out)["error"]


def test_without_json_it_is_argparse_that_tells(call):
    code, out, err = call("jobs", "show", "x")
    assert (code, out) == (2, "") and "usage: manage.py jobs show" in err and "'x' is no id" in err


@pytest.mark.parametrize(
    "words",
    [
        *(["discover", "--extract", "Nonsense"], ["outdated", "--extract", "Nonsense"]),
        *(["downstream", "--extract", "Nonsense"], ["warehouse", "load", "/nowhere", "--extract", "Nonsense"]),
        ["reprocess", "00000000-0000-0000-0000-000000000000", "--reason", "r", "--extract-types", "Nonsense"],
    ],
)
def test_an_unknown_extract_is_wrong_usage_everywhere(console, call, words: list[str]):
    code, out, _err = call(*words, JSON)
    assert code == 2 and json.loads(out)["error"].startswith("There is no extract Nonsense. Known: ")


NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["reprocess", NOBODY, "--reason", "x"], 1, "no load run"),
        (["reprocess", NOBODY, "--reason", " "], 2, "say why"),
        (["jobs", "show", NOBODY], 1, "no job"),
        (["jobs", "list", "--limit", "0"], 2, "1 or more"),
        (["warehouse", "load", "/nowhere"], 1, "no folder"),
    ],
)
def test_what_cannot_be_done_is_answered_in_words(console, call, words: list[str], code: int, told: str):
    ended, out, _err = call(*words, JSON)
    assert ended == code and told in json.loads(out)["error"]
