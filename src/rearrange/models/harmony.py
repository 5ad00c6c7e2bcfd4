"""A small network that hears chords and key in the chroma of each beat, and what it learnt of progressions.

Chroma of a beat and of its neighbours, from sound and from notes apart, is turned so that each of the twelve pitch
classes comes first in turn; one and the same network then says how well every quality stands on that root, and
whether it is in the bass. Transposed music hence gives transposed chords. Of a song's chords and chroma a linear
model, turned in the same way, tells the key; chords are then decoded over the beats with the key's own
progressions (`analysis.progressions`).

Conventions: a state is 10 * root + quality of QUALITIES; the last of N_STATES is no chord. Chroma begins with C.

Limits: one key per call; no chord shorter than a span; sixths and ninths count as their triad or seventh.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.chroma import BeatChroma
from rearrange.analysis.progressions import NO_CHORD, QUALITIES, best_chords, progressions_in
from rearrange.errors import ModelError
from rearrange.models.stored import StoredConfig, shipped
from rearrange.score import Chord, Key

__all__ = [
    "N_STATES",
    "Harmony",
    "HarmonyConfig",
    "HarmonyModel",
    "Spans",
    "chord_input",
    "key_input",
    "load",
    "save",
]

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

N_STATES = NO_CHORD + 1
REACH = 2  # spans either way that the network sees
_QUIET = 0.05  # of a song's median level: what is quieter counts as less
_CHUNK_SPANS = 512
# Of the notes heard, against the sound, in the chroma that the key is told from.
NOTES_SHARE = 0.35
_TURNS = (np.arange(12)[:, None] + np.arange(12)[None, :]) % 12  # [root, interval] to pitch class
_MODES = ("major", "minor")
_MINOR_THIRD = tuple(quality in ("min", "min7", "dim", "min7b5") for quality in QUALITIES)


@dataclass(frozen=True)
class Spans:
    """What sounds in each span, usually a beat; at least one of `sound` and `notes` is known.

    Parameters
    ----------
    sound, notes : chroma from the sound and from the notes, (n_spans, 12) each
    downbeats : (n_spans,) which spans begin a bar
    """

    sound: BeatChroma | None
    notes: BeatChroma | None
    downbeats: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if any(len(each.treble) != len(self.downbeats) for each in (self.sound, self.notes) if each):
            raise ValueError("chroma and downbeats must have one row for each span")

    @property
    def together(self) -> BeatChroma:
        """Chroma of sound and notes in one, each row a share of what sounds."""
        known = [each for each in (self.sound, self.notes) if each is not None]
        if len(known) == 1:
            return BeatChroma(_shares(known[0].treble), _shares(known[0].bass))
        sound, notes = known
        return BeatChroma(
            (1 - NOTES_SHARE) * _shares(sound.treble) + NOTES_SHARE * _shares(notes.treble),
            (1 - NOTES_SHARE) * _shares(sound.bass) + NOTES_SHARE * _shares(notes.bass),
        )


@dataclass(frozen=True)
class Harmony:
    """Key and chords of a song; spans without harmony have none."""

    key: Key
    chords: tuple[Chord, ...]


@dataclass(frozen=True)
class HarmonyConfig(StoredConfig):
    """Size of the network, and how its word is weighed against what is usual.

    Parameters
    ----------
    width : of both hidden layers
    heard_weight, usual_weight : of the log probabilities of the network, and of the progressions
    nothing_weight : by which the probability of no chord is multiplied: half of what trains are drums alone and
        noise, but what is brought has harmony nearly always, if sometimes none that the network knows
    """

    width: int = 64
    heard_weight: float = 2.0
    usual_weight: float = 0.8
    nothing_weight: float = 0.03


def chord_input(spans: Spans) -> tuple[Array, Array]:
    """What the network sees: chroma (n_spans, 24, 12) of neighbours and song, and flags (n_spans, 6).

    Rows of the middle axis: treble and bass of the sound, treble and bass of the notes, for each of the spans
    from REACH before to REACH after, then their means over the song. Flags: whether there are sound and notes, and
    which of the spans from one before to two after begin a bar.
    """
    n_spans = len(spans.downbeats)
    rows = [
        np.sqrt(_shares(part)) if each is not None else np.zeros((n_spans, 12))
        for each in (spans.sound, spans.notes)
        for part in ((each.treble, each.bass) if each is not None else (None, None))
    ]
    own = np.stack(rows, axis=1)  # (n_spans, 4, 12)
    padded = np.pad(own, ((REACH, REACH), (0, 0), (0, 0)))
    near = [padded[i : i + n_spans] for i in range(2 * REACH + 1)]
    song = np.repeat(own.mean(axis=0, keepdims=True), n_spans, axis=0) if n_spans else own
    bars = np.pad(spans.downbeats.astype(np.float32), (1, 2))
    flags = [np.full(n_spans, float(each is not None)) for each in (spans.sound, spans.notes)]
    flags += [bars[i : i + n_spans] for i in range(4)]
    return np.concatenate([*near, song], axis=1).astype(np.float32), np.stack(flags, axis=1).astype(np.float32)


def turned(chroma: Array) -> Array:
    """Rows (n, rows, 12) seen from each pitch class, (n, 12, rows * 12)."""
    seen = chroma[:, :, _TURNS]  # (n, rows, root, interval)
    return np.ascontiguousarray(seen.transpose(0, 2, 1, 3)).reshape(len(chroma), 12, -1)


def key_input(likely: Floats, together: BeatChroma, downbeats: NDArray[np.bool_]) -> Floats:
    """What the key is told from, seen from each possible tonic: (12, n_features).

    Shares of the song in which each quality stands on each degree, which triads are on downbeats, at its beginning
    and at its end, what sounds in all registers and in the bass, and which root follows which. All are shares of
    the whole time: where there is hardly any harmony, there is hardly anything to tell a key from.

    Parameters
    ----------
    likely : (n_spans, N_STATES) probabilities
    together : chroma, rows being shares of what sounds
    """
    chords = likely[:, :NO_CHORD].reshape(len(likely), 12, len(QUALITIES))
    harmonic = chords.sum(axis=(1, 2))[:, None]
    minor = np.array(_MINOR_THIRD)
    triads = np.stack([chords[:, :, ~minor].sum(axis=2), chords[:, :, minor].sum(axis=2)], axis=2)
    on_bars = triads[downbeats] if downbeats.any() else triads
    columns = [chords.mean(axis=0), on_bars.mean(axis=0), triads[:4].mean(axis=0), triads[-4:].mean(axis=0)]
    columns += [(part * harmonic).mean(axis=0)[:, None] for part in (together.treble, together.bass)]
    roots = chords.sum(axis=2)
    follows = roots[:-1].T @ roots[1:]
    np.fill_diagonal(follows, 0.0)
    follows /= max(float(follows.sum()), 0.02 * len(likely))
    degrees = np.concatenate(columns, axis=1)
    return np.stack(
        [
            np.concatenate(
                [np.roll(degrees, -tonic, 0).ravel(), np.roll(follows, (-tonic, -tonic), (0, 1)).ravel()]
            )
            for tonic in range(12)
        ]
    )


@dataclass(frozen=True, eq=False)
class HarmonyModel:
    """A network and what goes with it, ready to hear.

    Parameters
    ----------
    weights : by name: `layer1` to `layer3` and `key`, each with its `.bias`; `progressions`
        (2, NO_CHORD, NO_CHORD), how likely a chord follows another in major and minor on C, once it changes;
        `changes` (3,), how likely it changes on a downbeat, in the middle of a bar, elsewhere
    """

    config: HarmonyConfig
    weights: Mapping[str, Array]

    def chord_probabilities(self, spans: Spans) -> tuple[Floats, Floats]:
        """Of each state (n_spans, N_STATES), and of each pitch class being the bass (n_spans, 12)."""
        chroma, flags = chord_input(spans)
        likely = np.empty((len(chroma), N_STATES))
        bass = np.empty((len(chroma), 12))
        for start in range(0, len(chroma), _CHUNK_SPANS):
            part = slice(start, start + _CHUNK_SPANS)
            seen = turned(chroma[part])
            beside = np.repeat(flags[part, None], 12, axis=1)
            x = np.concatenate([seen, beside], axis=2)
            for layer in ("layer1", "layer2"):
                x = np.maximum(x @ self.weights[layer] + self.weights[f"{layer}.bias"], 0.0)
            out = (x @ self.weights["layer3"] + self.weights["layer3.bias"]).astype(np.float64)
            nothing = np.log(np.exp(out[:, :, -2]).sum(axis=1, keepdims=True))
            states = out[:, :, :-2].reshape(len(out), NO_CHORD)
            likely[part] = _softmax(np.concatenate([states, nothing], axis=1))
            bass[part] = _softmax(out[:, :, -1])
        silent = ~(chroma[:, 4 * REACH : 4 * REACH + 4] > 0).any(axis=(1, 2))
        likely[silent] = np.eye(N_STATES)[-1]
        return likely, bass

    def key_probabilities(self, likely: Floats, spans: Spans) -> Floats:
        """Of each key, (12, 2): tonic, major and minor.

        Parameters
        ----------
        likely : (n_spans, N_STATES) of `chord_probabilities`
        """
        seen = key_input(likely, spans.together, spans.downbeats)
        scores = seen @ self.weights["key"].astype(np.float64) + self.weights["key.bias"].astype(np.float64)
        return _softmax(scores.reshape(1, -1)).reshape(12, 2)

    def hear(self, spans: Spans, onset_beats: Floats, *, key: Key | None = None) -> Harmony:
        """Key and chords.

        The key's confidence is its probability, or 0 where there is no harmony; a chord's is that of its root.

        Parameters
        ----------
        onset_beats : (n_spans + 1,) the spans' borders in beats
        key : where it is known

        Raises
        ------
        ValueError : there is not one border more than there are spans.
        """
        if len(onset_beats) != len(spans.downbeats) + 1:
            raise ValueError(f"{len(spans.downbeats)} spans need one border more, not {len(onset_beats)}")
        if len(spans.downbeats) == 0:
            return Harmony(key or Key(0, "major", 0.0), ())
        likely, bass = self.chord_probabilities(spans)
        keys = self.key_probabilities(likely, spans)
        if key is None:
            tonic, mode = (int(i) for i in np.unravel_index(int(keys.argmax()), keys.shape))
            sounding = float(1.0 - likely[:, NO_CHORD].mean())
            key = Key(tonic, _MODES[mode], float(keys[tonic, mode]) * min(2.0 * sounding, 1.0))
        else:
            keys = np.zeros((12, 2))
            keys[key.tonic, _MODES.index(key.mode)] = 1.0
        weighed = likely.copy()
        audible = likely[:, NO_CHORD] < 1.0
        weighed[audible, NO_CHORD] *= self.config.nothing_weight
        chords = best_chords(
            weighed,
            bass,
            onset_beats=onset_beats,
            downbeats=spans.downbeats,
            follows=progressions_in(self.weights["progressions"].astype(np.float64), keys),
            changes=self.weights["changes"].astype(np.float64),
            heard_weight=self.config.heard_weight,
            usual_weight=self.config.usual_weight,
        )
        return Harmony(key, chords)


def _shares(chroma: Floats | None) -> Floats:
    """Rows that sum to one where they are loud, and to less where they are much quieter than the song."""
    chroma = np.asarray(chroma, dtype=np.float64)
    if len(chroma) == 0:
        return chroma
    total = chroma.sum(axis=1, keepdims=True)
    return np.asarray(chroma / np.maximum(total, _QUIET * float(np.median(total)) + 1e-12))


def _softmax(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def save(folder: Path, model: HarmonyModel) -> None:
    """Write `config.json` and `weights.safetensors`, the weights in half precision, into a folder."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    halved = {name: np.ascontiguousarray(each, dtype=np.float16) for name, each in model.weights.items()}
    save_file(halved, str(folder / "weights.safetensors.part"))
    (folder / "weights.safetensors.part").replace(folder / "weights.safetensors")
    (folder / "config.json").write_text(model.config.to_json(), encoding="utf-8")


@cache
def load(folder: Path | None = None) -> HarmonyModel:
    """The model of a folder that `save` wrote, or the shipped one; kept for the next call.

    Raises
    ------
    ModelError : a file is missing, or is not what it should be.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = folder or shipped("harmony")
    try:
        config = HarmonyConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
        weights = {
            name: each.astype(np.float32) for name, each in load_file(str(folder / "weights.safetensors")).items()
        }
        shapes = {name: each.shape for name, each in weights.items()}
        wanted = _shapes(config, shapes.get("key", (0,))[0])
    except (OSError, ValueError, TypeError, SafetensorError) as exc:
        raise ModelError(
            f"{folder}: the model of harmony cannot be loaded: {exc}", "install the package again"
        ) from exc
    if shapes != wanted:
        raise ModelError(f"{folder}: the weights are not those of the configuration", "install the package again")
    return HarmonyModel(config, weights)


def _shapes(config: HarmonyConfig, n_key_features: int) -> dict[str, tuple[int, ...]]:
    width, n_in, n_out = config.width, (2 * REACH + 2) * 4 * 12 + 6, len(QUALITIES) + 2
    return {
        "layer1": (n_in, width),
        "layer1.bias": (width,),
        "layer2": (width, width),
        "layer2.bias": (width,),
        "layer3": (width, n_out),
        "layer3.bias": (n_out,),
        "key": (n_key_features, 2),
        "key.bias": (2,),
        "progressions": (2, NO_CHORD, NO_CHORD),
        "changes": (3,),
    }
