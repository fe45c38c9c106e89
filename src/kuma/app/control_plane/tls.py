"""The TLS contexts of the control plane's servers, from their settings.

A server whose settings name no certificate gets the one in the work directory (`kuma-cp.crt`),
which is made there once and kept over restarts.
"""

import socket
import ssl
from pathlib import Path
from typing import TypeVar

from kuma.config.control_plane import ControlPlaneSettings
from kuma.config.servers import ServerTls
from kuma.identity.addresses import local_addresses
from kuma.identity.server_tls import ensure_server_certificate, server_context
from kuma.kit.clock import Clock

T = TypeVar("T", bound=ServerTls)


class ServerCertificates:
    """Every method raises BadConfig if the files cannot be used."""

    def __init__(self, settings: ControlPlaneSettings, work_dir: Path, clock: Clock) -> None:
        self._settings = settings
        self._work_dir = work_dir
        self._clock = clock

    def data_plane_server(self) -> ssl.SSLContext:
        return server_context(self._completed(self._settings.dp_server))

    def data_plane_server_pem(self) -> bytes:
        """The certificate that proxies will see, as it is on disk now."""
        return Path(self._completed(self._settings.dp_server).tls_cert_file).read_bytes()

    def api(self) -> ssl.SSLContext:
        https = self._settings.api_server.https
        return server_context(
            self._completed(https),
            client_ca_file=https.tls_ca_file,
            require_client_cert=https.require_client_cert,
        )

    def diagnostics(self) -> ssl.SSLContext:
        return server_context(self._completed(self._settings.diagnostics))

    def _completed(self, section: T) -> T:
        if section.tls_cert_file:
            return section
        made = ensure_server_certificate(
            self._work_dir,
            hostname=socket.gethostname(),
            addresses=local_addresses(),
            clock=self._clock,
        )
        files = {"tls_cert_file": str(made.cert_file), "tls_key_file": str(made.key_file)}
        return section.model_copy(update=files)
