"""Thresholds as drums are heard: from a stem that was separated, its mix, and what templates heard."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import UsageError
from rearrange.models.drums import CLASSES, GROUPS, Picking
from rearrange.score import NoteEvent
from rearrange.training.drum_hearing import Heard, main, scores_at, strictest

N_FRAMES = 1200


def heard(sure: float, *, known: tuple[float, ...] = ()) -> Heard:
    """A kick every half second, as likely as `sure`; other sounds between them are as likely as 0.45."""
    activations = np.zeros((2, len(CLASSES), N_FRAMES), dtype=np.float32)
    activations[0, 0, 50::50] = sure
    activations[0, 0, 75::100] = 0.45
    played = [frame / 100 for frame in range(50, N_FRAMES, 50)]
    truth = {group: played if group == "kick" else [] for group in GROUPS}
    return Heard(activations, tuple(NoteEvent(at, 0.1, 36, 90) for at in known), truth)


def test_the_strictest_threshold_is_taken_that_is_as_good_as_any() -> None:
    picking = Picking(thresholds=(0.5, 0.11, 0.5, 0.5, 0.5, 0.5), company=0.4)
    nobody = replace(heard(0.0), truth={group: [] for group in GROUPS})
    chosen = strictest([heard(0.72), heard(0.9), nobody], picking)
    assert chosen.thresholds == (0.7, 0.11, 0.5, 0.5, 0.5, 0.5), "what no take has keeps its threshold"
    assert scores_at([heard(0.72)], chosen) == {"kick": 1.0}


def test_strokes_that_templates_heard_count_where_they_are_not_doubted() -> None:
    strict = Picking(thresholds=(0.8,) * len(GROUPS), company=0.4, doubt=0.3)
    known = tuple(frame / 100 for frame in range(50, N_FRAMES, 50))
    assert scores_at([heard(0.5)], strict) == {"kick": 0.0}
    assert scores_at([heard(0.5, known=known)], strict) == {"kick": 1.0}
    assert scores_at([heard(0.2, known=known)], strict) == {"kick": 0.0}


def test_a_bank_without_takes_is_said(tmp_path: Path) -> None:
    from rearrange.models.stored import shipped

    with pytest.raises(UsageError, match="1000001-00000"):
        main(["--model", str(shipped("drums")), "--bank", str(tmp_path)])
