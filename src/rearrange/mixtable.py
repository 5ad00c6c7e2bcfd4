"""The mix table of a genre: levels, places and effects, as data.

Units are in the names: dB, Hz, ms, beats, seconds. `level_db` is relative to a common loudness to which every
rendered track is brought first, so that it means the same with every soundfont. Sends are levels of the
signal into the effect; absent means no send.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rearrange.declared import Table
from rearrange.score import Role

__all__ = [
    "Compressor",
    "Delay",
    "EqBand",
    "MixTable",
    "Reverb",
    "RoleMix",
    "Sidechain",
    "Tape",
    "read_mix_table",
]

REVERB_KINDS = ("room", "hall", "plate", "spring")
EQ_KINDS = ("bell", "low_shelf", "high_shelf")


@dataclass(frozen=True, slots=True)
class EqBand:
    """One band of equalisation; `q` is the quality factor."""

    hz: float
    gain_db: float
    q: float = 1.0
    kind: str = "bell"


@dataclass(frozen=True, slots=True)
class Compressor:
    """Downward compression above a threshold."""

    threshold_db: float
    ratio: float
    attack_ms: float = 10.0
    release_ms: float = 120.0


@dataclass(frozen=True, slots=True)
class RoleMix:
    """How one role sits in the mix. `pan` −1 (left) to 1; `width` 0 (mono) to 1; `chorus` and `drive` 0 to 1."""

    level_db: float = 0.0
    pan: float = 0.0
    width: float = 1.0
    reverb_db: float | None = None
    delay_db: float | None = None
    chorus: float = 0.0
    drive: float = 0.0
    high_pass_hz: float | None = None
    low_pass_hz: float | None = None
    eq: tuple[EqBand, ...] = ()
    compress: Compressor | None = None


@dataclass(frozen=True, slots=True)
class Reverb:
    """The common reverberation. `decay_s` is RT60; above `damping_hz` it dies away sooner."""

    kind: str = "room"
    decay_s: float = 0.8
    pre_delay_ms: float = 10.0
    damping_hz: float = 6000.0
    low_cut_hz: float = 150.0


@dataclass(frozen=True, slots=True)
class Delay:
    """The common echo, in time with the music."""

    beats: float = 0.75
    feedback: float = 0.3
    low_pass_hz: float = 4000.0


@dataclass(frozen=True, slots=True)
class Sidechain:
    """Roles that duck under the kick drum."""

    depth_db: float
    release_ms: float
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Tape:
    """Ageing of the whole mix. Amounts 0 to 1; noise and crackle relative to full scale."""

    saturation: float = 0.0
    wow: float = 0.0
    flutter: float = 0.0
    noise_db: float | None = None
    crackle_db: float | None = None
    low_pass_hz: float | None = None


@dataclass(frozen=True, slots=True)
class MixTable:
    """A genre's mix. Roles that are not named get a RoleMix of defaults."""

    roles: Mapping[Role, RoleMix] = field(default_factory=dict)
    reverb: Reverb = Reverb()
    delay: Delay | None = None
    sidechain: Sidechain | None = None
    tape: Tape | None = None
    bus: Compressor | None = None
    vocals: RoleMix = RoleMix()

    def role(self, role: Role) -> RoleMix:
        return self.roles.get(role, RoleMix())


def read_mix_table(table: Table) -> MixTable:
    """Read and validate a `[mix]` table; its errors are the table's."""
    roles = {role: _role_mix(table.table(role.value)) for role in Role if role.value in table}
    mix = MixTable(
        roles=roles,
        reverb=_reverb(table.table("reverb")),
        delay=_delay(table.table("delay")) if "delay" in table else None,
        sidechain=_sidechain(table.table("sidechain")) if "sidechain" in table else None,
        tape=_tape(table.table("tape")) if "tape" in table else None,
        bus=_compressor(table.table("bus")) if "bus" in table else None,
        vocals=_role_mix(table.table("vocals")),
    )
    table.finish(also_known=(*Role, "delay", "sidechain", "tape", "bus"))
    for name, role_mix in (*roles.items(), ("vocals", mix.vocals)):
        if role_mix.delay_db is not None and mix.delay is None:
            raise table.table(name).fail("delay_db", "sends into an echo, but there is no [mix.delay]")
    return mix


def _role_mix(table: Table) -> RoleMix:
    mix = RoleMix(
        level_db=table.number("level_db", 0.0, low=-60, high=12),
        pan=table.number("pan", 0.0, low=-1, high=1),
        width=table.number("width", 1.0, low=0, high=1),
        reverb_db=table.optional_number("reverb_db", low=-60, high=6),
        delay_db=table.optional_number("delay_db", low=-60, high=6),
        chorus=table.number("chorus", 0.0, low=0, high=1),
        drive=table.number("drive", 0.0, low=0, high=1),
        high_pass_hz=table.optional_number("high_pass_hz", low=10, high=20000),
        low_pass_hz=table.optional_number("low_pass_hz", low=10, high=20000),
        eq=tuple(_eq_band(band) for band in table.tables("eq")),
        compress=_compressor(table.table("compress")) if "compress" in table else None,
    )
    table.finish()
    return mix


def _eq_band(table: Table) -> EqBand:
    band = EqBand(
        hz=table.number("hz", low=10, high=20000),
        gain_db=table.number("gain_db", low=-24, high=24),
        q=table.number("q", 1.0, low=0.1, high=20),
        kind=table.string("kind", "bell", one_of=EQ_KINDS),
    )
    table.finish()
    return band


def _compressor(table: Table) -> Compressor:
    compressor = Compressor(
        threshold_db=table.number("threshold_db", low=-60, high=0),
        ratio=table.number("ratio", low=1, high=20),
        attack_ms=table.number("attack_ms", 10.0, low=0.01, high=2000),
        release_ms=table.number("release_ms", 120.0, low=0.01, high=9000),
    )
    table.finish()
    return compressor


def _reverb(table: Table) -> Reverb:
    reverb = Reverb(
        kind=table.string("kind", "room", one_of=REVERB_KINDS),
        decay_s=table.number("decay_s", 0.8, low=0.1, high=15),
        pre_delay_ms=table.number("pre_delay_ms", 10.0, low=0, high=250),
        damping_hz=table.number("damping_hz", 6000.0, low=500, high=20000),
        low_cut_hz=table.number("low_cut_hz", 150.0, low=10, high=2000),
    )
    table.finish()
    return reverb


def _delay(table: Table) -> Delay:
    delay = Delay(
        beats=table.number("beats", 0.75, low=0.0625, high=8),
        feedback=table.number("feedback", 0.3, low=0, high=0.9),
        low_pass_hz=table.number("low_pass_hz", 4000.0, low=200, high=20000),
    )
    table.finish()
    return delay


def _sidechain(table: Table) -> Sidechain:
    sidechain = Sidechain(
        depth_db=table.number("depth_db", low=0, high=30),
        release_ms=table.number("release_ms", low=10, high=2000),
        roles=table.parsed("roles", _roles),
    )
    table.finish()
    return sidechain


def _roles(value: object) -> tuple[Role, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('must be a list of parts, e.g. ["bass", "pad"]')
    for name in value:
        if name not in tuple(Role):
            raise ValueError(f"{name!r} is none of {', '.join(Role)}")
    return tuple(Role(name) for name in value)


def _tape(table: Table) -> Tape:
    tape = Tape(
        saturation=table.number("saturation", 0.0, low=0, high=1),
        wow=table.number("wow", 0.0, low=0, high=1),
        flutter=table.number("flutter", 0.0, low=0, high=1),
        noise_db=table.optional_number("noise_db", low=-100, high=-20),
        crackle_db=table.optional_number("crackle_db", low=-100, high=-20),
        low_pass_hz=table.optional_number("low_pass_hz", low=500, high=20000),
    )
    table.finish()
    return tape
