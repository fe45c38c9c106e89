"""Keeps the token that Envoy sends equal to the one in the user's file (token.py says how)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from kuma.dataplane.errors import BadToken
from kuma.dataplane.log import Log
from kuma.dataplane.token import Token, read_token, secret_file, take_token_from
from kuma.dataplane.work_dir import WorkDir
from kuma.kit.file_watch import FileWatch


class TokenRenewal:
    """A context on the running loop; without a token, or with one that is no file's, it rests."""

    def __init__(self, token: Token | None, work_dir: WorkDir, log: Log) -> None:
        self._token = token
        self._work_dir = work_dir
        self._log = log
        self._watch: FileWatch | None = None

    @property
    def current(self) -> str:
        """Empty: there is no token."""
        return self._token.value if self._token is not None else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._watch is not None:
            self._watch.close()

    def take_over(self, bootstrap: Mapping[str, Any]) -> bool:
        """Change `bootstrap` so that Envoy takes the token from here; False: nothing to do."""
        if self._token is None or self._token.path is None or not FileWatch.is_supported:
            return False
        secret = self._work_dir.write_secret(secret_file(self._token.value))
        if not take_token_from(bootstrap, secret):
            return False
        self._watch = FileWatch(self._token.path, self._changed)
        return True

    def _changed(self) -> None:
        assert self._token is not None
        path = self._token.path
        if path is None or not path.exists():  # being replaced, or gone: the old one stays
            return
        try:
            token = read_token("", path, now=datetime.now(UTC))
        except BadToken as error:
            self._log.warning("the changed token is not used", error=str(error))
            return
        if token is not None and token != self._token:
            self._token = token
            self._work_dir.write_secret(secret_file(token.value))
            self._log.info("the token has changed: used from the next connection on")
