"""Logging in with a browser: a one-time link or a pasted token becomes a session cookie; and logging out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from adapters.logins import redeem_login
from adapters.tokens import Tokens
from api.authentication import COOKIE, Authenticator
from api.threads import call
from api.transport.bodies import read_body
from api.transport.errors import RequestRefused
from gitops.changes import Actor

SESSION = timedelta(days=7)
FORM_BYTES = 8192
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Lucity</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:20vh auto;padding:0 1rem}}
input,button{{font:inherit;width:100%;padding:.5rem;box-sizing:border-box;margin-top:.5rem}}</style></head>
<body><h1>Lucity</h1><p role="status">{message}</p>
<form method="post" action="/login"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button></form></body></html>
"""
_ASK = "Open the login link that `lucity up` printed, or paste a token."
_USED = "This login link was used already, or is too old. Restart `lucity up` for a new one, or paste a token."


class LoginEndpoint:
    """GET and POST /login, POST /logout. `trusts` says whether a page of ours speaks."""

    def __init__(
        self,
        tokens: Tokens,
        authenticator: Authenticator,
        data: Path,
        trusts: Callable[[HTTPConnection], bool],
        *,
        secure: bool,
    ) -> None:
        self._tokens = tokens
        self._authenticator = authenticator
        self._data = data
        self._trusts = trusts
        self._secure = secure

    async def open(self, request: Request) -> Response:
        """GET: use a link up, or show the form."""
        secret = request.query_params.get("token")
        if secret is None or request.method == "HEAD":
            return _page(_ASK, 200)
        actor = await call(redeem_login, self._data, secret, datetime.now(UTC))
        return _page(_USED, 403) if actor is None else self._session(actor, SESSION)

    async def submit(self, request: Request) -> Response:
        """POST: a pasted token."""
        if not self._trusts(request):
            return _page("This form counts only from this server's own page.", 403)
        try:
            form = parse_qs((await read_body(request, FORM_BYTES)).decode(errors="replace"))
            caller = await self._authenticator.caller(form.get("token", [""])[0].strip())
        except RequestRefused as refused:
            return _page(str(refused), refused.status)
        expires = caller.record.expires_at
        rest = SESSION if expires is None else min(SESSION, expires - datetime.now(UTC))
        return self._session(caller.actor, rest)

    async def leave(self, request: Request) -> Response:
        """POST /logout."""
        if not self._trusts(request):
            return PlainTextResponse("Log out from this server's own page.\n", 403)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=self._secure)
        return response

    def _session(self, actor: Actor, lifetime: timedelta) -> Response:
        seconds = max(1, int(lifetime.total_seconds()))
        response = RedirectResponse("/", 303, headers={"Cache-Control": "no-store"})
        session = self._tokens.session(actor, seconds)
        response.set_cookie(
            COOKIE, session, max_age=seconds, path="/", httponly=True, samesite="strict", secure=self._secure
        )
        return response


def _page(message: str, status: int) -> Response:
    return HTMLResponse(_PAGE.format(message=escape(message)), status, headers={"Cache-Control": "no-store"})
