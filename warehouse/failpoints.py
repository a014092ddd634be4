"""Named places where a test makes the process die, to prove what a death right there leaves behind.

RESTAGE_FAILPOINT=name kills this process with SIGKILL when it reaches the name; unset, nothing happens.
"""

import os
import signal


def failpoint(name: str) -> None:
    if os.environ.get("RESTAGE_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
