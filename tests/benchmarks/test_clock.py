"""Commands in fresh processes: what is reported, never how long it took."""

import math
import sys

import pytest

from benchmarks.clock import CommandFailed, Run, Spread, ended, fresh_run, peak_bytes


def test_the_spread_of_several_values() -> None:
    spread = Spread.of([2.0, 3.0, 2.5])
    assert (spread.least, spread.most) == (2.0, 3.0)
    assert spread.share == pytest.approx(0.5)
    assert Spread.of([4.0]).share == 0.0
    assert Spread.of([0.0, 0.0]).share == 0.0
    assert math.isinf(Spread.of([0.0, 1.0]).share)
    with pytest.raises(ValueError):
        Spread.of([])


def test_peaks_are_bytes_on_every_system() -> None:
    assert peak_bytes(2048, "linux") == 2 * 2**20
    assert peak_bytes(2048, "darwin") == 2048


def test_times_add_up_and_the_larger_memory_counts() -> None:
    assert Run(1.0, 300, "a") + Run(2.0, 200, "b") == Run(3.0, 300, "b")


def test_a_command_reports_what_it_printed_and_held() -> None:
    run = fresh_run((sys.executable, "-c", "held = bytearray(64 << 20); print(len(held))"))
    assert run.stdout.strip() == str(64 << 20)
    assert run.peak_bytes > 64 << 20
    assert run.seconds > 0


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(CommandFailed, match="ends with 3") as caught:
        fresh_run(
            (sys.executable, "-c", "import sys; print('first\\nno such stem', file=sys.stderr); sys.exit(3)")
        )
    assert caught.value.cause == "no such stem"


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(CommandFailed, match="no-such-command: cannot be started"):
        fresh_run(("no-such-command",))


def test_a_benchmark_ends_with_its_code_or_one_line() -> None:
    def failing() -> int:
        raise CommandFailed("demucs ends with 1")

    with pytest.raises(SystemExit) as caught:
        ended(lambda: 1)
    assert caught.value.code == 1
    with pytest.raises(SystemExit, match="demucs ends with 1"):
        ended(failing)
