"""The script ``train.py`` of the repositories that are measured on: ``train.py WHAT``.

It tells how long its caller had to wait, in seconds, as a line of JSON; imports nothing that a
bare Python has not imported already, so that runs of it can be subtracted from each other.
"""

import os
import sys
from time import perf_counter, sleep

WHAT = sys.argv[1]
LIMIT = 30.0


def looks_are_done():
    """Whether the looks beside the run have ended: their thread is gone."""
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/comm") as name:
                if name.read().startswith("birthmark-look"):
                    return False
        except OSError:
            pass
    return True


def tell(**seconds):
    told = ", ".join(f'"{name}": {value:.9f}' for name, value in seconds.items())
    print(f'{{"told": {{{told}}}}}', flush=True)


if WHAT == "nothing":
    tell()
else:
    import birthmark as bm

    if WHAT == "import":
        tell()
    elif WHAT == "start":  # and no end: what the beginning costs, to the end of its looks
        begin = perf_counter()
        session = bm.session().start()
        waited = perf_counter() - begin
        while not looks_are_done() and perf_counter() - begin < LIMIT:
            sleep(0.0005)
        tell(start=waited, looks=perf_counter() - begin)
        os._exit(0)
    elif WHAT == "session":
        begin = perf_counter()
        session = bm.session().start()
        started = perf_counter()
        session.end()
        tell(start=started - begin, end=perf_counter() - started)
    elif WHAT == "long":  # a run that outlasts the looks, as real ones do
        begin = perf_counter()
        session = bm.session().start()
        started = perf_counter()
        while not looks_are_done() and perf_counter() - begin < LIMIT:
            sleep(0.0005)
        before = perf_counter()
        session.end()
        tell(start=started - begin, end=perf_counter() - before)
    elif WHAT == "first":  # the first file waits for the code
        session = bm.session().start()
        begin = perf_counter()
        out = session.jsonl(f"artifacts/first_{os.getpid()}.jsonl")
        tell(opening=perf_counter() - begin)
        out.close()
        session.end()
    elif WHAT == "make":  # one ended session that made one file, outside the artifacts folder
        os.makedirs("checkpoints", exist_ok=True)
        with open("checkpoints/run_0.bin", "wb") as file:
            file.write(b"weights")
        with bm.session() as session:
            session.add("checkpoints/run_0.bin", artifact_type="model")
    else:
        sys.exit(f"no such probe: {WHAT}")
