"""Sign-in: nobody sees a page before; each person has own runs, snapshots and openings, within a quota."""

import json
from types import SimpleNamespace

import pytest
import serving
import streamlit.user_info
from apps import fine, keys, offering, opened, until
from protocol import Tab
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from explorer.errors import ExplorerError
from explorer.machine import optional_packages, paths
from explorer.ui.shared import settings
from explorer.ui.shared.sign_in import SignIn, read_sign_in
from explorer.values.recipe import Recipe

SECRET, MODEL = "s" * 32, "digits-mlp"
FILE = f"""[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "a"
client_secret = "b"
server_metadata_url = "http://localhost:1/.well-known/openid-configuration"
"""
ADA, BOB = ({"iss": "https://provider.example", "sub": name, "name": name} for name in ("ada", "bob"))
HALF = Recipe(channels={"hidden1": 0.5})


# --------------------------------------------------------------------------- the file


@pytest.fixture
def authlib(monkeypatch):
    """As if Authlib were installed: the file is read without it."""
    monkeypatch.setattr(optional_packages, "optional", lambda name: SimpleNamespace(__name__=name))


def written(folder, text: str) -> str:
    (folder / "secrets.toml").write_text(text)
    return str(folder / "secrets.toml")


def test_a_complete_file_is_taken_with_one_or_with_several_providers(tmp_path, authlib):
    assert read_sign_in(written(tmp_path, FILE)).providers == ("",)
    head, own = FILE.splitlines()[:3], "\n".join(FILE.splitlines()[3:])
    several = "\n".join([*head, "[auth.google]", own, "[auth.school]", own])
    assert read_sign_in(written(tmp_path, several)).providers == ("google", "school")


@pytest.mark.parametrize(
    "text, said",
    [
        ("[other]", "has no table"),
        ("[auth", "no valid TOML"),
        (FILE.replace('client_id = "a"', ""), "lacks 'client_id'"),
        (FILE.replace(SECRET, "short"), "at least 32 random characters"),
        (FILE.replace("oauth2callback", "elsewhere"), "followed by /oauth2callback"),
    ],
)
def test_a_file_that_is_not_complete_is_refused_in_one_sentence(text, said, tmp_path, authlib):
    with pytest.raises(ExplorerError, match=said):
        read_sign_in(written(tmp_path, text))


def test_without_authlib_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "authlib", None)
    with pytest.raises(ExplorerError, match=r"pip install 'pruning-explorer\[auth\]'"):
        read_sign_in(written(tmp_path, FILE))


# --------------------------------------------------------------------------- through a real server

SIGNED = (
    "from dataclasses import replace; from pathlib import Path; import explorer.ui.server as own; "
    "from explorer.ui.shared.sign_in import SignIn; set_up = own.configure; "
    "own.configure = lambda given: set_up(replace(given, sign_in=SignIn(Path({file!r}), ('',))))"
)


def cookies(server, claims: dict, secret: str) -> dict[str, str]:
    """What the browser of somebody has whom the provider has named; signed with the server's secret."""
    guard = server.ask("GET", "/_stcore/health").headers["set-cookie"].split(";")[0]
    payload = json.dumps({"origin": server.url, "is_logged_in": True, **claims})
    signed = create_signed_value(secret, "_streamlit_user", payload).decode()
    return {"token": guard.partition("=")[2], "cookies": f"{guard}; _streamlit_user={signed}"}


def test_only_whoever_is_signed_in_gets_a_page(tmp_path):
    with serving.running(tmp_path, MODEL, before=SIGNED.format(file=written(tmp_path, FILE))) as server:
        strangers = (None, cookies(server, ADA, "f" * 32), cookies(server, {"sub": "no issuer"}, SECRET))
        for stranger in strangers:
            with Tab(server, f"model={MODEL}", signed=stranger) as tab:
                tab.open()
                assert (tab.errors, set(tab.elements)) == ([], set())
        with Tab(server, f"model={MODEL}", signed=cookies(server, ADA, SECRET)) as tab:
            tab.open().first_number(0)
            assert "console" in tab.elements and tab.errors == []
        assert server.outward() == []


# --------------------------------------------------------------------------- each their own


@pytest.fixture
def signing_in(tmp_path, monkeypatch):
    """Sets who is signed in; the cache is a folder of its own."""
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    claims: dict = {}
    monkeypatch.setattr(streamlit.user_info, "_get_user_info", lambda: dict(claims))

    def now(who: dict | None, quota: int | None = None) -> None:
        claims.clear()
        claims.update({"is_logged_in": True, **who} if who else {"is_logged_in": False})
        monkeypatch.setattr(
            settings,
            "_settings",
            settings.Settings((MODEL,), "cpu", sign_in=SignIn(tmp_path, ("",)), quota=quota),
        )

    with offering(MODEL):
        yield now


def settled(app):
    return until(app, "measured on the model that Take away")


def pressed(app, key: str):
    app.button(key=key).click()
    return fine(app.run())


def test_runs_snapshots_and_openings_are_each_persons_own(signing_in, tmp_path):
    signing_in(ADA)
    app = settled(opened(recipe=HALF, model=MODEL))
    app.text_input(key="snapshot name").set_value("mine")
    pressed(app, "snapshot save")
    pressed(app, "keep")
    until(pressed(app, "check held out"), "Held-out accuracy")
    (ada,) = (tmp_path / "people").iterdir()
    assert len(list(ada.glob("runs/*/*.json"))) == 2 and not (tmp_path / "runs").exists()
    assert "snapshot 0" in keys(opened(model=MODEL))  # in another tab
    signing_in(BOB)
    app = settled(opened(recipe=HALF, model=MODEL))
    assert "snapshot 0" not in keys(app)
    until(app, "Opened 0 times for this model so far")
    assert any("No run is kept" in text.value for text in opened("compare", model=MODEL).markdown)
    signing_in(None)
    assert keys(opened(model=MODEL)) == {"sign in "}


def test_a_full_quota_is_one_sentence_and_deletes_nothing(signing_in, tmp_path):
    signing_in(ADA, quota=1_000)
    app = pressed(settled(opened(recipe=HALF, model=MODEL)), "keep")
    assert any("there is no room for another; delete some" in told.value for told in app.warning)
    assert list(tmp_path.glob("people/*/runs/*/*.json")) == []
    app = pressed(app, "check held out")  # the data stays closed, as its result could not be kept
    until(app, lambda app: any("no room for another" in told.value for told in app.warning))
    assert list(tmp_path.glob("people/*/held_out/*")) == []
