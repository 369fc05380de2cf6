"""What it costs to note every opening: a script that opens 10,000 files, bare and watched.

Side by side and alternating, in CPU seconds of the script, since a busy machine disturbs the
clock on the wall more than these. Digests are made after a run and are not in this.

    python benches/lineage.py LIBRARY        e.g. target/release/libbirthmark_preload.so
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = 10_000
PAIRS = 20
MAKE = "import os\nfor i in range({0}): open(f'{{i}}.txt', 'w').write('x' * 1000)\n"
READ = """
import time
begun = time.process_time()
for i in range({0}):
    with open(f"{{i}}.txt") as file:
        file.read()
print(time.process_time() - begun)
"""


def seconds(folder, library=None):
    """CPU seconds of one run of the script, watched when a library is given."""
    env = dict(os.environ)
    with tempfile.TemporaryDirectory() as notes:
        if library is not None:
            env.update(LD_PRELOAD=str(library), BIRTHMARK_SEEN=notes)
        done = subprocess.run(
            [sys.executable, "-c", READ.format(FILES)],
            cwd=folder,
            env=env,
            check=True,
            capture_output=True,
            text=True,
        )
        noted = sum(1 for _ in Path(notes).iterdir())
    assert (noted > 0) == (library is not None), "the library was not loaded"
    return float(done.stdout)


def main():
    library = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", MAKE.format(FILES)], cwd=folder, check=True)
        pairs = [(seconds(folder), seconds(folder, library)) for _ in range(PAIRS)]
    bare, watched = (statistics.median(one) for one in zip(*pairs))
    print(f"bare     {bare * 1e6 / FILES:6.2f} us of CPU an opening")
    print(f"watched  {watched * 1e6 / FILES:6.2f} us of CPU an opening")
    print(f"ratio    {statistics.median(b / a for a, b in pairs):6.3f}")


if __name__ == "__main__":
    main()
