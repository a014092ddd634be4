"""A worker for bench.working: of every line on its input it reprocesses what is asked, and says when it is done."""

import json
import sys
from uuid import uuid4

from bench.ground import EXTRACTS
from warehouse import attempts, connections, reprocess
from warehouse.journal import Writer
from warehouse.registry import SHIPPED, load
from warehouse.reprocess import Work

registry = load([SHIPPED, EXTRACTS])
with connections.connect(sys.argv[1], purpose="bench worker") as connection:
    print("ready", flush=True)
    for line in sys.stdin:
        (attempt,) = attempts.of_ids(connection, [json.loads(line)])
        work = Work(files={attempt.load_run_file_id: attempt.address.content()})
        outcome = reprocess.execute(
            connection, registry, work, Writer(uuid4(), 1, "bench"), reason="bench", expected=None
        )
        print(json.dumps(outcome["files"][str(attempt.load_run_file_id)]), flush=True)
