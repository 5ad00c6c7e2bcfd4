"""What a drummer plays, in words: the pattern of kick, back-beat and cymbals, measured from the notes.

Conventions: General MIDI percussion pitches; beats of the bar counted from 1, in eighths for 6/8 and its kind.
"""

from collections.abc import Mapping

import numpy as np

from rearrange.analysis.groove import swing_ratio
from rearrange.evaluation.report.names import listed
from rearrange.evaluation.report.stretches import FILLED, USUALLY, Onsets
from rearrange.general_midi import DRUM_PITCHES

__all__ = ["drum_phrases", "percussion_phrase"]

_KICK = (35, 36)
# What may carry the back-beat, and what keeps time.
_BACK_BEAT: Mapping[str, tuple[int, ...]] = {"snare": (38, 40), "side-stick": (37,), "clap": (39,)}
_TIME: Mapping[str, tuple[int, ...]] = {"hat": (42, 46), "ride": (51, 53, 59), "shaker": (70, 82)}
_OPEN_HAT, _FOOT_HAT = (46,), (44,)
_TAKES_TURNS = 0.25  # of the time-keeping strokes
_FEATHERED = 0.65  # of the part's strong strokes: felt rather than heard

_SELDOM = 0.25
_GHOST = 0.62  # of the part's strong strokes in velocity: ghost notes are no back-beat
_MOSTLY = 0.6
_FEW_STROKES = 0.5  # per bar: less is a touch of colour
_BUSY_SNARE = 5.0  # strokes per bar of four beats: a train beat, a march
_SYNCOPATED = 0.3  # of the strokes off the beat
_MORE_THAN_A_PICKUP = 1.5  # strokes per bar
_SPARSE = 0.375  # strokes per beat: less than every other beat keeps no time
_SWUNG = 1.2
_PERCUSSION_PARTS = 2


def drum_phrases(drums: Onsets) -> tuple[str, ...]:
    """Kick, back-beat and time-keeping of a stretch, in a few words each; what has no plain pattern has none."""
    if len(drums) == 0:
        return ()
    found = (_kick(drums), _back_beat(drums), _ghosts(drums), _time(drums))
    return tuple(phrase for phrase in found if phrase)


def percussion_phrase(hits: Onsets) -> str:
    """The instruments that are struck most."""
    names = {pitch: name.replace("_", " ") for name, pitch in DRUM_PITCHES.items()}
    counts: dict[str, int] = {}
    for pitch in hits.pitch:
        name = _family(names.get(int(pitch), "percussion"))
        counts[name] = counts.get(name, 0) + 1
    most = sorted(counts, key=lambda name: -counts[name])[:_PERCUSSION_PARTS]
    return listed(most)


def _family(name: str) -> str:
    """Congas, not low conga."""
    for family in ("conga", "bongo", "timbale", "agogo", "woodblock", "guiro", "triangle", "hat"):
        if name.endswith(family):
            return f"{family}s" if family in ("conga", "bongo", "timbale") else family
    return name


def _of(drums: Onsets, pitches: tuple[int, ...]) -> Onsets:
    return drums.chosen(np.isin(drums.pitch, pitches))


def _kick(drums: Onsets) -> str:
    kick = _of(drums, _KICK)
    if len(kick) < _FEW_STROKES * drums.n_bars:
        return "no kick" if len(drums) >= drums.n_bars else ""
    beats, usual = drums.beats, kick.usual_beats
    second = kick.second_half
    if kick.attacks_per_beat(kick.off_beat & ~second) / 2 >= FILLED:
        return "double kick in sixteenths"
    if len(beats) > 2 and kick.attacks_per_beat(second) >= 2 * FILLED and len(usual) >= len(beats) - 1:
        return "kick in eighths"
    if len(beats) > 2 and usual == beats and float(np.mean(kick.off_beat)) < _SYNCOPATED:
        if float(np.median(kick.velocity)) < _FEATHERED * float(np.percentile(drums.velocity, 90)):
            return "feathered kick on every beat"
        return "four-on-the-floor kick" if len(beats) == 4 else "kick on every beat"
    if len(beats) == 4 and usual in ([2.0], [1.0, 3.0]) and kick.share_of_bars_at(0.0) <= _SELDOM:
        return f"one-drop kick on {kick.named(usual)}"
    if float(np.mean(kick.off_beat)) >= _SYNCOPATED and kick.per_bar > _MORE_THAN_A_PICKUP:
        where = "every beat" if usual == beats else kick.named(usual)
        return f"kick on {where} with syncopation" if usual else "syncopated kick"
    return f"kick on {kick.named(usual)}" if usual else ""


def _back_beat(drums: Onsets) -> str:
    name, hits = _back_beat_voice(drums)
    if len(hits) < _FEW_STROKES * drums.n_bars:
        return ""
    strong = _strong(hits)
    beats, usual = drums.beats, strong.usual_beats
    if float(np.median(np.bincount(strong.bar, minlength=drums.n_bars))) >= _BUSY_SNARE * drums.beats_per_bar / 4:
        return f"{name} all through the bar"
    if len(beats) == 4 and usual == [1.0, 3.0]:
        return f"{name} back-beat on 2 and 4"
    if len(beats) == 4 and usual == [2.0]:
        return f"half-time {name} on 3"
    if float(np.mean(strong.off_beat)) >= _SYNCOPATED and strong.per_bar >= _MORE_THAN_A_PICKUP:
        return f"syncopated {name}"
    return f"{name} on {strong.named(usual)}" if usual else ""


def _back_beat_voice(drums: Onsets) -> tuple[str, Onsets]:
    """The voice that has the back-beat, or the strongest; where voices take turns, they count as one."""
    parts = {name: _of(drums, pitches) for name, pitches in _BACK_BEAT.items()}
    for name, hits in parts.items():
        if len(hits) and _strong(hits).usual_beats == [1.0, 3.0]:
            return name, hits
    name = max(parts, key=lambda key: float(parts[key].velocity.sum()))
    if len(np.unique(parts[name].bar)) >= USUALLY * drums.n_bars:
        return name, parts[name]
    turns = [key for key in parts if len(np.unique(parts[key].bar)) >= _TAKES_TURNS * drums.n_bars]
    return listed(turns), _of(drums, tuple(pitch for key in turns for pitch in _BACK_BEAT[key]))


def _strong(hits: Onsets) -> Onsets:
    """The strokes that are no ghost notes."""
    return hits.chosen(hits.velocity >= _GHOST * float(np.percentile(hits.velocity, 90))) if len(hits) else hits


def _ghosts(drums: Onsets) -> str:
    """Ghost notes, if there is one in most bars beside strong strokes."""
    snare = _of(drums, _BACK_BEAT["snare"])
    if len(snare) < 2 * drums.n_bars:
        return ""
    soft = snare.chosen(snare.velocity < _GHOST * float(np.percentile(snare.velocity, 90)))
    return "ghost notes on the snare" if len(np.unique(soft.bar)) >= USUALLY * drums.n_bars else ""


def _time(drums: Onsets) -> str:
    """What keeps time, and in which values: the strokes of all cymbals together, since hat and ride take turns."""
    open_hat = _of(drums, _OPEN_HAT)
    if len(open_hat) >= 2 * drums.n_bars * USUALLY and float(np.mean(open_hat.second_half)) >= _MOSTLY:
        return "open hat on the off-beats"
    parts = {name: _of(drums, pitches) for name, pitches in _TIME.items()}
    n_strokes = sum(len(part) for part in parts.values())
    if n_strokes < _SPARSE * drums.n_bars * len(drums.beats):
        foot = _of(drums, _FOOT_HAT)
        if 0 < len(foot.usual_beats) < len(foot.beats):
            return f"foot hat on {foot.named(foot.usual_beats)}"
        return "no cymbals" if n_strokes == len(foot) == 0 and len(drums) >= 2 * drums.n_bars else ""
    name = listed([key for key in parts if len(parts[key]) >= _TAKES_TURNS * n_strokes])
    pattern = _pattern(_of(drums, tuple(pitch for pitches in _TIME.values() for pitch in pitches)))
    return f"{name} {pattern}" if pattern else ""


def _pattern(hits: Onsets) -> str:
    """ "in eighths", "on the off-beats", "in the swing pattern"; empty if it is none of these."""
    within, n_beats = hits.within_beat, len(hits.beats)
    second = hits.second_half
    on, between = hits.attacks_per_beat(~hits.off_beat), hits.attacks_per_beat(second)
    finer = hits.attacks_per_beat(hits.off_beat & ~second) / 2  # two sixteenths beside the eighth
    if between >= _SPARSE and on < _SELDOM * between:
        return "on the off-beats"
    if hits.metre.denominator == 8:
        return "in eighths" if hits.attacks_per_beat(hits.off_beat) >= 0.8 else "on the beats" if on >= 0.5 else ""
    if float(np.mean(np.abs(within - 1 / 3) < 0.04)) >= 0.2:
        return "in triplets"
    if finer >= FILLED:
        return "in sixteenths"
    if n_beats == 4 and _skips(hits.chosen(second)):
        ratio, _ = swing_ratio(hits.onset_beat)
        return "in the swing pattern" if ratio >= _SWUNG else "in quarters with skipped eighths"
    if between >= FILLED:
        return "in eighths"
    usual = hits.usual_beats
    if len(usual) >= min(n_beats, 3):  # where the snare is struck, ears and hands often leave the hat out
        return "in quarters"
    return f"on {hits.named(usual)}" if usual in ([0.0, 2.0], [1.0, 3.0]) else ""


def _skips(middle: Onsets) -> bool:
    """Whether the eighths between the beats come after 2 and 4 only, as in the ride pattern of a swing band."""
    after = [len(np.unique(middle.bar[(middle.at_beat // 1.0) == beat])) / middle.n_bars for beat in range(4)]
    return min(after[1], after[3]) >= USUALLY - 0.1 and max(after[0], after[2]) <= _SELDOM + 0.1
