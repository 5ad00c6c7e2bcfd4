"""What holds for all tests."""

import os

# Before anything imports torch or numpy: on tiny nets and short sounds their threads only wait for each other (the
# tests of Demucs took nine times as long with two, on two cores that had other work).
os.environ.setdefault("OMP_NUM_THREADS", "1")
