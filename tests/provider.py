"""A small OpenID Connect provider, a process of its own: `python -m tests.provider PORT CLIENT SECRET`.

It logs in whoever is set by `POST /mood` without asking, signs with an RSA key of its own, and holds to the code flow
with PKCE (RFC 7636): a code works once, for the verifier whose challenge came first.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


class Provider(ThreadingHTTPServer):
    """What it knows."""

    def __init__(self, port: int, client: str, secret: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.issuer = f"http://127.0.0.1:{port}"
        self.client, self.secret = client, secret
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.foreign = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.claims: dict[str, Any] = {}  # of whoever logs in
        self.twist = ""  # what is wrong with the next answer
        self.codes: dict[str, dict[str, str]] = {}

    def token(self, asked: dict[str, str]) -> str:
        """An ID token, right or twisted."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": self.client, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            **self.claims,
        }  # fmt: skip
        wrong: dict[str, dict[str, Any]] = {
            "issuer": {"iss": "https://evil.example"}, "audience": {"aud": "somebody-else"},
            "expired": {"exp": now - 3_600, "iat": now - 7_200}, "nonce": {"nonce": "another"},
        }  # fmt: skip
        claims |= wrong.get(self.twist, {})
        if self.twist == "unsigned":
            parts = ({"alg": "none"}, claims)
            return ".".join(_b64(json.dumps(part).encode()) for part in parts) + "."
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.foreign if self.twist == "key" else self.key)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Provider

    def do_GET(self) -> None:
        path, asked = urlsplit(self.path).path, {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        issuer = self.server.issuer
        if path == "/.well-known/openid-configuration":
            self._say(
                {
                    "issuer": issuer,
                    **{f"{name}_endpoint": f"{issuer}/{name}" for name in ("authorization", "token", "userinfo")},
                    "jwks_uri": f"{issuer}/keys",
                }
            )
        elif path == "/keys":
            self._say({"keys": [self.server.key.as_dict(private=False)]})
        elif path == "/authorization":
            assert asked["response_type"] == "code"
            assert asked["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe(16)
            self.server.codes[code] = asked
            back = asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})
            self.send_response(302)
            self.send_header("Location", back)
            self.end_headers()
        elif path == "/userinfo":
            self._say({"sub": self.server.claims.get("sub"), "groups": ["from-userinfo"]})
        else:
            self._say({"error": "not found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/mood":
            mood = json.loads(body)
            self.server.claims, self.server.twist = mood["claims"], mood.get("twist", "")
            self._say({})
            return
        form = {k: v[0] for k, v in parse_qs(body.decode()).items()}
        asked = self.server.codes.pop(form.get("code", ""), None)
        wanted = "Basic " + base64.b64encode(f"{self.server.client}:{self.server.secret}".encode()).decode()
        proof = _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        good = asked is not None and self.headers["Authorization"] == wanted
        if (
            not good
            or asked is None
            or proof != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            self._say({"error": "invalid_grant"}, 400)
            return
        self._say({"access_token": "at", "token_type": "Bearer", "id_token": self.server.token(asked)})

    def _say(self, document: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


if __name__ == "__main__":
    with Provider(int(sys.argv[1]), sys.argv[2], sys.argv[3]) as running:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        running.serve_forever()
