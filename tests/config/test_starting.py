"""What a process loads before it does anything: some hundred are started in a day of work, and in the tests."""

import os
import subprocess
import sys

from tests.stack import ROOT

HEAVY = ("numpy", "pandas", "pyarrow", "apprise", "openlineage", "rest_framework", "drf_spectacular")
ASKED = f"import django; django.setup(); import sys, config.urls; print([n for n in {HEAVY} if n in sys.modules])"


def test_no_heavy_library_is_loaded_before_it_is_used():
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
