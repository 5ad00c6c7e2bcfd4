"""Whether a command that was timed has done the whole work: files that are there and of full length.

A comparison in which one side leaves something out is worth nothing; these raise, and the run ends.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.clock import CommandFailed

__all__ = ["check_notes", "check_sounds", "is_whole", "last_note_s", "split_tracks"]

# Resampling there and back, and padding to blocks, leave some hundredths.
SOUND_TOLERANCE_S = 0.05
# The last note that somebody hears need not be the song's last sound; but nobody stops long before it.
NOTES_SHARE = 0.8


def is_whole(found_s: float, wanted_s: float, *, tolerance_s: float = SOUND_TOLERANCE_S) -> bool:
    """Whether a sound is as long as it should be; more (a tail that dies away) is no fault."""
    return found_s >= wanted_s - tolerance_s


def check_sounds(paths: Sequence[Path], *, wanted: int, at_least_s: float) -> None:
    """Raise where there are fewer sound files than wanted, or one is too short.

    Raises
    ------
    CommandFailed : so it is.
    """
    import soundfile

    if len(paths) < wanted:
        raise CommandFailed(f"{len(paths)} of {wanted} sound files: {', '.join(path.name for path in paths)}")
    for path in paths:
        found_s = soundfile.info(path).duration
        if not is_whole(found_s, at_least_s):
            raise CommandFailed(f"{path.name} has {found_s:.2f} s of {at_least_s:.2f} s")


def check_notes(paths: Sequence[Path], *, wanted: int, song_s: float) -> None:
    """Raise where there are fewer MIDI files than wanted, or nothing is heard near the song's end.

    Raises
    ------
    CommandFailed : so it is.
    """
    if len(paths) < wanted:
        raise CommandFailed(f"{len(paths)} of {wanted} MIDI files: {', '.join(path.name for path in paths)}")
    last_s = max(last_note_s(path) for path in paths)
    if last_s < NOTES_SHARE * song_s:
        raise CommandFailed(f"the last note heard is at {last_s:.1f} s of {song_s:.1f} s")


def last_note_s(path: Path) -> float:
    """When the last note of a MIDI file ends, in seconds; 0 where it has none."""
    import mido

    now_s = last_s = 0.0
    for message in mido.MidiFile(path):
        now_s += message.time
        if message.type in ("note_on", "note_off"):
            last_s = now_s
    return last_s


def split_tracks(path: Path, folder: Path) -> list[Path]:
    """Write each track that has notes as a MIDI file of its own, with the tempo map; return them in order."""
    import mido

    whole = mido.MidiFile(path)
    made = []
    for number, track in enumerate(whole.tracks):
        if not any(message.type == "note_on" for message in track):
            continue
        alone = mido.MidiFile(type=1, ticks_per_beat=whole.ticks_per_beat)
        alone.tracks.extend([whole.tracks[0], track] if number else [track])
        made.append(folder / f"{number}.mid")
        alone.save(made[-1])
    return made
