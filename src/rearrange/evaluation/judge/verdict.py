"""The genre judge: what genre a set of tracks is, by readers who never heard our arrangers.

Conventions: the ensemble reader first says how likely it is that this is what a genre without drums plays (its
reported classes against the rest); what it leaves goes to the genres of the drum reader, in the proportions
that the drum reader gives. Where no drums play, the drum reader has nothing to say, and that share is spread
evenly. With `rhythm_only` the drum reader alone is asked. The lead reader is shown beside them and counts for
nothing: an arranger has to keep what it reads.

Limits: see docs/judge.md. Genres without an independent reference are not measurable, and no probability goes
to them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rearrange.assets import asset_dir
from rearrange.errors import ModelError
from rearrange.evaluation.judge.drums import DRUM_FEATURES, drum_windows
from rearrange.evaluation.judge.pitched import (
    ENSEMBLE_FEATURES,
    LEAD_FEATURES,
    ensemble_windows,
    lead_windows,
    melody_of,
)
from rearrange.evaluation.judge.softmax import Softmax
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.metrics.style import StyleHistograms, style_fit, style_histograms
from rearrange.score import Chord, Track
from rearrange.timeline import Timeline

__all__ = ["FEATURES", "Judge", "Verdict", "load_judge", "save_judge"]

FEATURES: Mapping[str, tuple[str, ...]] = {
    "drums": DRUM_FEATURES,
    "lead": LEAD_FEATURES,
    "ensemble": ENSEMBLE_FEATURES,
}
_CONFIG, _REFERENCES = "config.json", "references.npz"
_DIGITS = 5


@dataclass(frozen=True)
class Verdict:
    """Probability by genre with a reference (they sum to 1), and by reader what it says of its classes."""

    probabilities: Mapping[str, float]
    readers: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Judge:
    """Fitted readers.

    Parameters
    ----------
    readers : by name, of FEATURES
    reported : of each reader the classes that are genres
    styles : by genre, the histograms of people who play it
    people : by genre, the mean probability of it that readers gave to people's pieces that they had not seen: what
        to expect of music that is the genre without doubt
    weak : genres whose reference is one player's, or that are not surely told when players are new
    """

    readers: Mapping[str, Softmax]
    reported: Mapping[str, frozenset[str]]
    styles: Mapping[str, StyleHistograms]
    people: Mapping[str, float]
    weak: frozenset[str] = frozenset()

    @property
    def references(self) -> frozenset[str]:
        """The genres that have an independent reference."""
        return self.reported["drums"] | self.reported["ensemble"]

    @property
    def rhythm_references(self) -> frozenset[str]:
        """Those that can be told from rhythm alone."""
        return self.reported["drums"]

    def verdict(
        self,
        tracks: Sequence[Track],
        timeline: Timeline,
        chords: Sequence[Chord] = (),
        *,
        rhythm_only: bool = False,
    ) -> Verdict:
        """What genre this is.

        Parameters
        ----------
        tracks, timeline, chords : of an arrangement or a song, in the same beats
        rhythm_only : ask the drum reader alone

        Returns
        -------
        Without any probability where there is neither a window of drums nor one of pitched notes.
        """
        drums = self._read("drums", drum_windows(tracks, timeline))
        others = sorted(self.reported["drums"])
        shares = drums or dict.fromkeys(others, 1.0 / len(others))
        if rhythm_only:
            return Verdict({name: shares[name] for name in others}, {} if drums is None else {"drums": drums})
        ensemble = self._read("ensemble", ensemble_windows(tracks, timeline))
        lead = self._read("lead", lead_windows(melody_of(tracks), chords, timeline)) if chords else None
        if drums is None and ensemble is None:
            return Verdict({}, {})
        named = {name: (ensemble or {}).get(name, 0.0) for name in sorted(self.reported["ensemble"])}
        rest = 1.0 - sum(named.values())
        probabilities = dict(named)
        for name in others:
            probabilities[name] = probabilities.get(name, 0.0) + rest * shares[name]
        heard = {"drums": drums, "ensemble": ensemble, "lead": lead}
        return Verdict(probabilities, {name: said for name, said in heard.items() if said is not None})

    def _read(
        self, reader: str, rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    ) -> dict[str, float] | None:
        model = self.readers.get(reader)
        said = model.song(rows) if model is not None else None
        return None if said is None else {name: float(np.exp(value)) for name, value in said.items()}

    def probability(self, verdict: Verdict, genre: str) -> float:
        """Of the genre, in [0, 1].

        Raises
        ------
        NotMeasurable : the genre has no independent reference, or none in what was asked (rhythm alone), or there
            were too few notes.
        """
        if genre not in self.references:
            raise NotMeasurable("no independent reference")
        if not verdict.probabilities:
            raise NotMeasurable("too few notes to judge")
        if genre not in verdict.probabilities:
            raise NotMeasurable("no independent reference in rhythm alone")
        return verdict.probabilities[genre]

    def accuracy_hit(self, verdict: Verdict, genre: str) -> float:
        """1 if the genre is the likeliest, else 0.

        Raises
        ------
        As `probability`.
        """
        self.probability(verdict, genre)
        return float(max(verdict.probabilities, key=lambda name: verdict.probabilities[name]) == genre)

    def style_fit(self, tracks: Sequence[Track], timeline: Timeline, genre: str) -> float:
        """Mean cosine of style histograms with the genre's reference, over the parts that the reference has.

        Raises
        ------
        NotMeasurable : the genre has no independent reference, or there is no bar.
        """
        if genre not in self.styles:
            raise NotMeasurable("no independent reference")
        return style_fit(style_histograms(tracks, timeline.bars), self.styles[genre]).mean


def load_judge(folder: Path | None = None) -> Judge:
    """The judge that is shipped, or that of another folder.

    Raises
    ------
    ModelError : files are missing or damaged, or belong to other features than the code's.
    """
    folder = folder or asset_dir("models") / "judge"
    try:
        stored = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        readers = {
            name: Softmax.restored(told, {key: np.array(value) for key, value in told["arrays"].items()})
            for name, told in stored["readers"].items()
        }
        reported = {name: frozenset(classes) for name, classes in stored["reported"].items()}
        people = {str(genre): float(value) for genre, value in stored["people"].items()}
        weak = frozenset(str(genre) for genre in stored["weak"])
        with np.load(folder / _REFERENCES) as arrays:
            counts: dict[str, dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = {}
            for key in arrays.files:
                genre, name = key.split("/")
                counts.setdefault(genre, {})[name] = arrays[key].astype(np.float64)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ModelError(f"{folder}: holds no judge: {exc}", "runs/judge.sh makes one") from exc
    for name, model in readers.items():
        if model.features != FEATURES[name]:
            raise ModelError(f"{folder}: its {name} reader knows other features", "runs/judge.sh makes a new one")
    styles = {genre: StyleHistograms(each) for genre, each in counts.items()}
    return Judge(readers, reported, styles, people, weak)


def save_judge(judge: Judge, folder: Path, *, settings: Mapping[str, object]) -> None:
    """Write `config.json` (readers, weights rounded to 5 digits, settings) and `references.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = {
        "settings": dict(settings),
        "weak": sorted(judge.weak),
        "people": dict(sorted(judge.people.items())),
        "reported": {name: sorted(classes) for name, classes in sorted(judge.reported.items())},
        "readers": {
            name: {
                **model.described(),
                "arrays": {key: np.round(value, _DIGITS).tolist() for key, value in model.arrays().items()},
            }
            for name, model in sorted(judge.readers.items())
        },
    }
    (folder / _CONFIG).write_text(json.dumps(stored, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    arrays = {
        f"{genre}/{name}": counts.astype(np.float32)
        for genre, style in sorted(judge.styles.items())
        for name, counts in sorted(style.counts.items())
    }
    with (folder / _REFERENCES).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
