"""The collector of reference cycles pauses for work that makes many values, and goes on as it was before."""

import gc
from threading import Barrier, Thread

import pytest

import explorer
from explorer.graph import export
from explorer.machine.cache import Cache
from explorer.machine.collector import without_collector


def test_it_goes_on_after_the_last_of_several_threads():
    begun, ended, states = Barrier(2), Barrier(2), []

    def other():
        with without_collector():
            begun.wait()
            ended.wait()

    thread = Thread(target=other)
    with without_collector():
        thread.start()
        begun.wait()
    states.append(gc.isenabled())
    ended.wait()
    thread.join()
    assert [*states, gc.isenabled()] == [False, True]


def test_it_goes_on_after_an_error_and_stays_off_where_it_was_off():
    with pytest.raises(KeyError), without_collector():
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with without_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_pauses_while_a_model_is_traced_and_goes_on(monkeypatch):
    analyse, states = export._analyse, []

    def noted(subject):
        states.append(gc.isenabled())
        return analyse(subject)

    monkeypatch.setattr(export, "_graphs", Cache(1))
    monkeypatch.setattr(export, "_analyse", noted)
    export.graph_of(explorer.load("digits-mlp"))
    assert states == [False] and gc.isenabled()
