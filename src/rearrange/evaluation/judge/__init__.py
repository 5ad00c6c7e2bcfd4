"""The genre judge of `rearrange evaluate`: it knows genres from human playing only, never from our arrangers.

What it can and cannot tell: docs/judge.md. How its weights are made: runs/judge.sh.
"""

from rearrange.evaluation.judge.verdict import Judge, Verdict, load_judge

__all__ = ["Judge", "Verdict", "load_judge"]
