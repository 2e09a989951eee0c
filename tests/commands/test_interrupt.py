"""Ctrl+C ends a command that swallows it, and leaves alone what clears up after it."""

import os
import signal
import time

import pytest

from explorer.commands import interrupt

SOON = 0.05


def swallowed(most_s: float) -> None:
    """What a library does that catches everything, for so long at most."""
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(SOON)
        except BaseException:
            break
    while time.monotonic() < until:
        time.sleep(SOON)


def test_a_swallowed_interrupt_is_raised_again():
    with pytest.raises(KeyboardInterrupt), interrupt.insistent(SOON):
        swallowed(60)


def test_without_it_a_swallowed_interrupt_is_lost():
    swallowed(5 * SOON)


def test_clearing_up_is_not_interrupted_again():
    cleared = []
    with pytest.raises(KeyboardInterrupt), interrupt.insistent(SOON):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
        finally:
            time.sleep(6 * SOON)
            cleared.append(True)
    assert cleared == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_somebody_else_stays():
    def other(number, frame):
        pass

    before = signal.signal(signal.SIGINT, other)
    try:
        with interrupt.insistent(SOON):
            assert signal.getsignal(signal.SIGINT) is other
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_alarm_of_somebody_else_stays():
    before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[0] > 0
    with interrupt.insistent(SOON):
        pass
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[0] > 0) == before
