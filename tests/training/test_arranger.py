"""Training the arranger: only what it writes counts, its loss falls, a stopped run ends as if it had not been."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rearrange.arranger.vocabulary import TYPES, VOCABULARY, vocabulary_digest
from rearrange.errors import UsageError
from rearrange.genre import genre_names, load_genre
from rearrange.models.arranger import load
from rearrange.training import arranger as training
from rearrange.training import loop
from rearrange.training.arrangement_pack import write_pack
from rearrange.training.arrangement_patterns import patterned
from rearrange.training.arrangement_tokens import packed
from rearrange.training.arrangement_windows import Windows
from rearrange.training.arranger import Recipe, batch_of, losses_by_type, main, train
from tests.songs import band_song

RECIPE = Recipe(depth=2, steps=12, batch=2, context=260, rate=5e-3, warm_up=2, decay=0.5, checked=3)


@pytest.fixture(scope="module")
def windows() -> Windows:
    made = patterned(
        "ours/0",
        band_song(n_bars=24),
        load_genre(genre_names()[0]),
        kind="patterns",
        heard=None,
        rng=np.random.default_rng(0),
    )
    assert made is not None
    return Windows(packed([made]), RECIPE.context)


def test_sequences_side_by_side_keep_what_is_to_be_written(windows: Windows) -> None:
    rng = np.random.default_rng(0)
    sequences = [windows.draw(rng)[:200], windows.draw(rng)[:150]]
    batch = batch_of(sequences)
    assert batch.ids.shape == batch.is_written.shape == (2, 200)
    assert not batch.is_written[1, 150:].any()
    np.testing.assert_array_equal(batch.ids[1, :150], sequences[1])
    written = {VOCABULARY[word].split("_")[0] for word in batch.ids[batch.is_written]}
    assert "Position" in written
    assert written.isdisjoint({"BOS", "Genre", "Program", "Place", "ChordRoot", "Tune", "Target", "PAD"})


def test_the_loss_falls_and_beats_the_table(windows: Windows, tmp_path: Path) -> None:
    recipe = replace(RECIPE, steps=60)
    before = losses_by_type(train(windows, replace(RECIPE, steps=1), tmp_path / "a"), windows, windows, RECIPE)
    trained = train(windows, recipe, tmp_path / "b")
    after = losses_by_type(trained, windows, windows, recipe)
    assert after["all"][1] < 0.6 * before["all"][1]
    assert set(after) <= {"all", *TYPES}
    assert after["all"][0] == sum(n for name, (n, _, _) in after.items() if name != "all")
    network = load(tmp_path / "b" / "model")
    assert network.config.vocabulary == vocabulary_digest()
    assert network.config.genres == tuple(genre_names())


def test_a_stopped_run_ends_where_it_would_have_ended(
    windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(windows, RECIPE, tmp_path / "whole").state_dict()
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)
    draws, batch_before = 0, training.batch_of

    def stopping(sequences: list[np.ndarray], *, length: int) -> training.Batch:
        nonlocal draws
        draws += 1
        if draws == 7:
            raise KeyboardInterrupt
        return batch_before(sequences, length=length)

    monkeypatch.setattr(training, "batch_of", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(windows, RECIPE, tmp_path / "part")
    monkeypatch.setattr(training, "batch_of", batch_before)
    again = train(windows, RECIPE, tmp_path / "part").state_dict()
    for name, weight in whole.items():
        torch.testing.assert_close(again[name], weight)


def test_the_command_trains_and_prints_a_table(
    windows: Windows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for share in ("training", "validation"):
        write_pack(tmp_path / f"{share}.npz", windows.pack, {})
    out = tmp_path / "out"
    assert main(["--bank", str(tmp_path), "--out", str(out), "--depth", "2", "--steps", "4", "--batch", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:1] == ["all"] and len(line.split()) == 4 for line in lines)
    assert any("words a second" in line for line in lines)
    assert load(out / "model").config.depth == 2


def test_without_a_pack_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no training\.npz"):
        main(["--bank", str(tmp_path)])
