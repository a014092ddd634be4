"""Make `.venv` from requirements.lock. Needs only Python 3.11 and its venv module; run by make.

The installer itself comes from the lock too (by hash, through pip); it then installs the rest several times
faster than pip would.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(f"Restage needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
    try:
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    except subprocess.CalledProcessError:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit("python3 has no ensurepip. On Debian or Ubuntu: apt-get install python3-venv")
    python = str(VENV / "bin" / "python")
    install(python, "-m", "pip", "install", "-q", "--no-deps", lines=installer_lines())
    install(python, "-m", "uv", "pip", "install", "-q", "--python", python, lines=LOCK.read_text())
    (VENV / "ready").touch()


def install(*command: str, lines: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(lines)
        requirements.flush()
        arguments = ["--require-hashes", "--only-binary", ":all:", "-r", requirements.name]
        done = subprocess.run([*command, *arguments], check=False)
    if done.returncode:
        sys.exit("The packages of requirements.lock could not be installed; the reason is above.")


def installer_lines() -> str:
    """The lock's own entry for the installer, with its hashes."""
    entry = re.search(r"^uv==.*?(?=^\S|\Z)", LOCK.read_text(), flags=re.M | re.S)
    if entry is None:
        sys.exit("requirements.lock names no uv: run `make lock`.")
    return entry.group(0)


if __name__ == "__main__":
    main()
