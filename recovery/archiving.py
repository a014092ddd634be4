"""How a server of ours is told to keep its WAL, and where: one folder a cluster, never that of another.

archive_command rather than pg_receivewal: the server itself holds every segment until the command has succeeded, over
kill -9 of anything, without a further process to watch and without a replication slot that a dead receiver would
leave behind. What it costs is that the segment being written is not kept yet; archive_now() closes it when it is
wanted, and the server does so by itself every ARCHIVE_TIMEOUT_SECONDS.
"""

import os
import shlex
import shutil
from pathlib import Path

from recovery import processes

SETTING = "RESTAGE_BACKUPS"
ARCHIVE_TIMEOUT_SECONDS = 300
KEEP_FREE_MB = 512
SCRIPT = Path(__file__).with_name("keep_wal.sh")


def wanted() -> bool:
    return os.environ.get(SETTING, "on") != "off"


def folder_of(binaries: Path, data: Path) -> Path:
    """Where the backups of the cluster in `data` belong: by its system identifier, so that no other cluster's WAL ever
    comes between. Raises OSError."""
    identifier = processes.control_data(binaries, data)["Database system identifier"]
    return data.parent / "backups" / identifier


def settings(binaries: Path, data: Path) -> dict[str, str]:
    """What the server is started with, besides. A data folder that is there stays as it is: WAL is kept from this start
    on, once a base backup has begun. Where the folder cannot be made, the server starts without."""
    if not wanted():
        return {"archive_mode": "off"}
    try:
        folder = _make(folder_of(binaries, data))
    except OSError:
        return {"archive_mode": "off"}
    free = int(os.environ.get("RESTAGE_WAL_KEEP_FREE_MB", str(KEEP_FREE_MB))) * 1024
    script = shlex.quote(str(folder / SCRIPT.name)).replace("%", "%%")
    return {
        "archive_mode": "on",
        "archive_command": f'sh {script} "%p" "%f" {free}',
        "archive_timeout": str(ARCHIVE_TIMEOUT_SECONDS),
    }


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(SCRIPT, folder / SCRIPT.name)
    processes.give_to_server(folder)
    return folder
