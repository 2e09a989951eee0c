"""A small provider of OpenID Connect: signs what it says of whoever is chosen on its page."""

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

PEOPLE = ("ada", "bob")
CLIENT, SECRET = "the page", "known to both"


class Provider:
    """Where people sign in.

    Args:
        url: its address.
    Attributes:
        audience: whom its tokens are for; None = the page.
        age_s: how long ago they ended; below 0 they are good.
    """

    def __init__(self, url: str):
        self.url, self._key = url, RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self._codes: dict[str, dict[str, str]] = {}
        self.audience: str | None = None
        self.age_s = -300

    def described(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> dict[str, object]:
        return {"keys": [self._key.as_dict(private=False)]}

    def page(self, asked: dict[str, str]) -> str:
        """A link for each person."""
        ways = (f"/chosen?{urlencode({**asked, 'who': name})}" for name in PEOPLE)
        return "".join(
            f'<a href="{html.escape(way)}">{name}</a> ' for way, name in zip(ways, PEOPLE, strict=True)
        )

    def chosen(self, asked: dict[str, str]) -> str:
        """The way back to the page, with a code that is good for one use."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, given: dict[str, str], authorization: str) -> dict[str, object] | None:
        """What the server gets for a code; None if it is not the one that was to get it."""
        asked, client = (
            self._codes.pop(given.get("code", ""), None),
            (given.get("client_id"), given.get("client_secret")),
        )
        if authorization.startswith("Basic "):
            client = tuple(base64.b64decode(authorization[6:]).decode().split(":", 1))
        if asked is None or client != (CLIENT, SECRET) or given.get("redirect_uri") != asked["redirect_uri"]:
            return None
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        if asked.get("code_challenge", "") not in (
            "",
            base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        ):
            return None
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": asked["who"],
            "name": asked["who"].title(),
            "aud": self.audience or CLIENT,
            "iat": now - max(0, self.age_s) - 300,
            "exp": now - self.age_s,
            "nonce": asked.get("nonce", ""),
        }
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self._key)
        return {
            "access_token": "none is needed",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": signed,
        }


def _plain(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


@contextmanager
def running() -> Iterator[Provider]:
    """A provider on this machine until the end of the block."""

    class Requests(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place, asked = urlsplit(self.path).path, _plain(urlsplit(self.path).query)
            if place == "/chosen":
                self.send_response(302)
                self.send_header("location", provider.chosen(asked))
                self.end_headers()
            elif place == "/authorize":
                self._answer("text/html", provider.page(asked))
            else:
                known = provider.keys() if place == "/keys" else provider.described()
                self._answer("application/json", json.dumps(known))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            token = provider.token(_plain(body), self.headers.get("authorization", ""))
            self._answer(
                "application/json", json.dumps(token or {"error": "invalid_grant"}), 200 if token else 400
            )

        def _answer(self, kind: str, text: str, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        provider = Provider(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()
