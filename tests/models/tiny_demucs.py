"""A randomly initialised HTDemucs of a few thousand weights, saved as Demucs saves its models."""

from fractions import Fraction
from pathlib import Path

SEGMENT_S = Fraction(1, 2)
SAMPLE_RATE = 8000


def save_tiny_model(
    folder: Path,
    *,
    signature: str = "0a0b0c0d",
    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals"),
    seed: int = 0,
    audio_channels: int = 2,
) -> Path:
    """Save a model as folder/signature-checksum.th and return its path."""
    import torch
    from demucs.htdemucs import HTDemucs
    from demucs.states import get_state, save_with_checksum

    torch.manual_seed(seed)
    model = HTDemucs(
        list(sources),
        audio_channels=audio_channels,
        channels=8,
        nfft=512,
        depth=3,
        t_layers=1,
        t_heads=2,
        t_hidden_scale=1.0,
        samplerate=SAMPLE_RATE,
        segment=SEGMENT_S,
    )
    args, kwargs = model._init_args_kwargs
    folder.mkdir(parents=True, exist_ok=True)
    package = {"klass": type(model), "args": args, "kwargs": kwargs, "state": get_state(model, None)}
    save_with_checksum(package, folder / f"{signature}.th")
    return next(folder.glob(f"{signature}-*.th"))
