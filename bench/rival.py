"""reladiff, a published tool that compares two tables, in an environment of its own made from reladiff.lock."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).parent / "reladiff.lock"


def differing(tool: Path, url: str, before: str, after: str, *, key: tuple[str, ...], columns: list[str]) -> int:
    """How many rows of two tables differ, as reladiff finds; it prints its errors and exits 0 all the same."""
    options = [part for name in key for part in ("-k", name)] + [part for name in columns for part in ("-c", name)]
    command = [str(tool), "--json", url, before, after, *options]
    wide = {**os.environ, "COLUMNS": "1000000"}  # it breaks lines at the width of the terminal
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=wide)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.stderr.strip() or not all(line.startswith(('["-", ', '["+", ')) for line in lines):
        raise RuntimeError(f"reladiff did not compare: {(done.stdout + done.stderr)[-500:]}")
    return len(lines) // 2  # each of these rows has its line before and its line after


def install(home: Path) -> Path:
    """The command, in an environment below `home` that is made anew where the lock has changed."""
    place = home / f"reladiff-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]}"
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(place)], check=True)
        options = ["--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)]
        subprocess.run([*uv, "pip", "install", "-q", "--python", str(python), *options], check=True)
        (place / "ready").touch()
    return place / "bin" / "reladiff"
