"""The operator's settings for sign-in: a secrets.toml of Streamlit's with a table [auth]."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ExplorerError
from ...machine.bounded_file import read_bounded

LONGEST = 100_000  # bytes of the file
SHARED, OWN = ("redirect_uri", "cookie_secret"), ("client_id", "client_secret", "server_metadata_url")
SHORTEST_SECRET = 32  # characters, by which cookies are signed
CALLBACK = "/oauth2callback"
REFUSED, UNREACHABLE = "refused", "unreachable"  # why nobody is signed in, in the page's address


@dataclass(frozen=True)
class SignIn:
    """How visitors sign in.

    Args:
        file: that Streamlit reads.
        providers: names of the tables in [auth], such as "google"; "" if it is the only one, without a name.
    """

    file: Path
    providers: tuple[str, ...]


def read_sign_in(path: str) -> SignIn:
    """Return the settings in a file, after checking that Streamlit can use them.

    Raises:
        ExplorerError: Authlib is missing, or the file is not complete.
    """
    from ...machine.optional_packages import optional  # it imports torch, for which a server does not wait

    optional("authlib")
    file = Path(path).expanduser()
    try:
        table = tomllib.loads(read_bounded(file, LONGEST).decode()).get("auth")
    except OSError as error:
        raise ExplorerError(f"{path!r} cannot be read ({error.strerror}); give a secrets.toml.") from error
    except (ValueError, UnicodeError) as error:
        raise ExplorerError(f"{path!r} is no valid TOML ({error}); mend it.") from error
    if not isinstance(table, dict):
        raise ExplorerError(f"{path!r} has no table [auth]; see the guide's page on the command line.")
    providers = {name: value for name, value in table.items() if isinstance(value, dict)}
    _check(path, "[auth]", table, SHARED)
    for name, provider in (providers or {"": table}).items():
        _check(path, f"[auth.{name}]" if name else "[auth]", provider, OWN)
    if len(table["cookie_secret"]) < SHORTEST_SECRET:
        raise ExplorerError(
            f"'cookie_secret' in {path!r} must have at least {SHORTEST_SECRET} random characters, since it "
            "signs who visitors are."
        )
    if not table["redirect_uri"].endswith(CALLBACK):
        raise ExplorerError(
            f"'redirect_uri' in {path!r} must be the address of the page, followed by {CALLBACK}."
        )
    return SignIn(file.resolve(), tuple(providers) or ("",))


def _check(path: str, where: str, table: dict[str, Any], wanted: tuple[str, ...]) -> None:
    missing = [name for name in wanted if not (isinstance(table.get(name), str) and table[name])]
    if missing:
        raise ExplorerError(f"{path!r} lacks {missing[0]!r} in {where}; add it.")
