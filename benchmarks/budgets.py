"""What a conversion may cost: the budgets of the design, for two CPU cores and the small models.

Benchmarks hold them, tests never do: a time is a property of a machine.
"""

__all__ = [
    "ANOTHER_GENRE", "CONVERT", "FIRST_SOUND_S", "HELP_S", "STAGE_BUDGETS", "memory_budget_bytes",
]  # fmt: skip

# Seconds per second of song. Render and mix have one budget together.
STAGE_BUDGETS = {
    ("separate",): 0.10,
    ("transcribe",): 0.04,
    ("analyse",): 0.03,
    ("arrange",): 0.05,
    ("render", "mix"): 0.03,
}
CONVERT = 0.25
ANOTHER_GENRE = 0.08  # the same song again
FIRST_SOUND_S = 3.0  # eight bars of a preview
HELP_S = 0.3
_GIB = 2**30
_SHORT_SONG_S = 600.0


def memory_budget_bytes(duration_s: float) -> int:
    """The largest resident size that a conversion may have: 2 GiB up to 10 minutes of song, 3 GiB beyond."""
    return 2 * _GIB if duration_s <= _SHORT_SONG_S else 3 * _GIB
