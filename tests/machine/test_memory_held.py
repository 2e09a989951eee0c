"""What is kept is listed by name and in bytes, stays within its limits, and can be let go from the page."""

from dataclasses import dataclass

import pytest
import torch
from apps import fine, offering, opened, until
from streamlit.testing.v1 import AppTest
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch._subclasses.functional_tensor import FunctionalTensor, FunctionalTensorMode

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import UnknownNameError
from explorer.graph.analysed import analyse
from explorer.lessons.class_board import Classroom
from explorer.loaders.model_text import load
from explorer.machine import cache, cache_folder
from explorer.machine.cache import Cache
from explorer.machine.memory_held import together, weighed
from explorer.ui import server
from explorer.ui.shared import settings
from explorer.ui.sidebar import memory_panel
from explorer.values.recipe import Recipe


def holding(name: str) -> cache.Holding | None:
    return next((found for found in cache.holdings() if found.name == name), None)


# --------------------------------------------------------------------------- bytes


@dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor


def test_tensors_count_by_their_memory_and_once():
    whole = torch.zeros(1000)
    assert weighed(whole).bytes == weighed(whole[:10]).bytes == 4000  # a view keeps all of it alive
    both = Pair(whole, whole[500:])
    assert 4000 <= weighed(both).bytes < 4500
    assert (
        together([weighed(whole), weighed(both)])
        < 4500
        < together([weighed(whole), weighed(whole.clone())])
        == 8000
    )


def test_modules_containers_and_meta_tensors():
    model = nn.Sequential(nn.Linear(10, 10), nn.BatchNorm1d(10))
    own = sum(t.nbytes for t in (*model.parameters(), *model.buffers()))
    assert weighed({"models": [model]}).bytes - weighed({"models": []}).bytes == pytest.approx(own, abs=500)
    assert weighed(torch.zeros(10**6, device="meta")).bytes == 0


def test_a_model_can_be_weighed_while_it_is_exported():
    with FakeTensorMode() as stand_ins:
        model = nn.Sequential(nn.Linear(10, 10))
    assert isinstance(stand_ins.from_tensor(torch.zeros(3)), FakeTensor)
    assert weighed(model).bytes == weighed(nn.Sequential()).bytes


# --------------------------------------------------------------------------- limits


def test_stand_ins_that_an_export_in_another_thread_puts_into_a_model_have_no_memory():
    model = nn.Linear(2, 2, bias=False)
    with FunctionalTensorMode():
        model._parameters["weight"] = FunctionalTensor.to_functional(torch.ones(1000))
    assert together([weighed([model, torch.zeros(1000)])]) < 4000 + 200


def test_the_oldest_go_beyond_the_bytes_and_one_may_always_stay():
    kept = Cache(10, "for this test", max_bytes=10_000)
    for name in "abc":
        kept.put(name, torch.zeros(1000))
    assert [kept.get(name) is not None for name in "abc"] == [False, True, True]
    kept.put("d", torch.zeros(10_000))
    assert kept.get("c") is None and len(kept.get("d")) == 10_000
    assert holding("for this test") == cache.Holding("for this test", 1, 40_000, False)


def test_what_grows_is_weighed_when_it_is_listed():
    once, growing = Cache(4, "weighed once"), Cache(4, "weighed anew", growing=True)
    value: list = []
    once.put("a", value), growing.put("a", value)
    value.append(torch.zeros(1000))
    assert holding("weighed once").bytes < 1000 < 4000 <= holding("weighed anew").bytes


def test_free_empties_all_but_what_nobody_could_bring_back():
    usual, lasting = Cache(4, "comes back"), Cache(4, "stays", lasting=True)
    usual.put("a", torch.zeros(1000)), lasting.put("a", torch.zeros(1000))
    before = cache.kept_bytes()
    cache.free()
    assert holding("comes back") is None and holding("stays").lasting and lasting.get("a") is not None
    assert cache.kept_bytes() <= before - 4000


def test_freed_results_come_back_the_same():
    subject = load("digits-cnn")

    def measured():
        return prune(analyse(subject), Recipe(channels={"conv2": 0.5}), Conditions(latency=False))

    first = measured()
    for name in (
        "analysed graphs",
        "dense models, ready to run",
        "scores of weights and channels",
        "counted answers of dense models",
    ):
        assert holding(name).bytes > 0, name
    cache.free()
    assert not [found for found in cache.holdings() if not found.lasting]
    assert measured() == first


# --------------------------------------------------------------------------- disk


def test_only_chosen_kinds_are_deleted_and_never_the_record_or_foreign_files(tmp_path):
    foreign = ("held_out/m.log", "thesis/chapter.txt")
    for name in ("scans/a.jsonl", "recoveries/x/last.pt", "runs/y/z.json", "shapes-1-t.npz", *foreign):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    found = {one.kind: (one.files, one.bytes) for one in cache_folder.stored(tmp_path)}
    assert found == {"scans": (1, 5), "pictures": (1, 5), "recoveries": (1, 5), "runs": (1, 5)}
    cache_folder.delete(["scans", "recoveries", "pictures"], tmp_path)
    assert [one.kind for one in cache_folder.stored(tmp_path)] == ["runs"]
    assert all((tmp_path / name).exists() for name in foreign)
    with pytest.raises(UnknownNameError, match="recoveries"):
        cache_folder.delete(["held_out"], tmp_path)


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.txt").write_text("mine")
    root = tmp_path / "cache"
    root.mkdir()
    (root / "scans").symlink_to(tmp_path / "elsewhere")
    cache_folder.delete(["scans"], root)
    assert (tmp_path / "elsewhere/a.txt").exists() and not (root / "scans").exists()


# --------------------------------------------------------------------------- the page


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))
    with offering("digits-mlp"):
        yield tmp_path


def unfolded() -> AppTest:
    app = AppTest.from_file(str(server.SCRIPT), default_timeout=60)
    app.session_state[memory_panel.KEY] = True
    return fine(app.run())


def named(elements, label: str):
    return next(found for found in elements if found.label == label)


def listed(app: AppTest) -> str:
    return "\n".join(found.value for found in app.markdown if "| what |" in found.value)


def test_the_page_frees_memory_and_what_it_needs_comes_back(folder):
    app = until(unfolded(), lambda app: "dense models, ready to run" in listed(app))
    for_this_test = Cache(4, "only for this test")
    for_this_test.put("a", torch.zeros(10))
    assert "only for this test" in listed(fine(app.run()))
    fine(named(app.button, "Free the memory").click().run())
    assert "only for this test" not in listed(app) and for_this_test.get("a") is None
    assert "models and their data" in listed(app) and "analysed graphs" in listed(fine(app.run()))


def test_the_disk_is_cleared_only_when_one_is_sure(folder):
    (folder / "recoveries/x").mkdir(parents=True)
    (folder / "recoveries/x/last.pt").write_bytes(bytes(2_000_000))
    app = unfolded()
    assert "2.0 MB" in listed(app)
    assert named(app.multiselect, "Delete").value == []  # what would not come back is not chosen beforehand
    fine(named(app.multiselect, "Delete").select("recoveries").run())
    assert named(app.button, "Delete from disk").disabled
    fine(named(app.checkbox, "Yes, delete them from this machine").check().run())
    fine(named(app.button, "Delete from disk").click().run())
    assert not (folder / "recoveries").exists()


def test_a_closed_popover_looks_nothing_up(folder, monkeypatch):
    monkeypatch.setattr(cache_folder, "stored", lambda: pytest.fail("the disk was read"))
    assert not listed(opened())


def test_a_class_frees_nothing(folder):
    settings.configure(settings.Settings(("digits-mlp",), "cpu", classroom=Classroom()))
    assert not [found for found in unfolded().button if found.label == "Free the memory"]
