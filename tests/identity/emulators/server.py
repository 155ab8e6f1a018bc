"""HTTP and HTTPS servers on addresses of their own, and certificates that a test authority signs."""

from __future__ import annotations

import datetime
import email.utils
import http.client
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .tokens import Clock


@dataclass
class Request:
    """What came."""

    method: str
    target: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def path(self) -> str:
        """The path without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query's first values."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def form(self) -> dict[str, str]:
        """The body as a form, first values."""
        return {name: values[0] for name, values in parse_qs(self.body.decode("latin-1")).items()}

    @property
    def bearer(self) -> str:
        """The bearer token."""
        return self.headers.get("Authorization", "").removeprefix("Bearer ")


@dataclass
class Response:
    """What goes."""

    status: int
    body: bytes | str = b""
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]


class Server:
    """One address; `close` ends it."""

    def __init__(
        self, address: tuple[str, int], handler: Handler, clock: Clock, context: ssl.SSLContext | None = None
    ) -> None:
        emulator = self
        # Of every answer.
        self.statuses: list[int] = []

        class Each(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                if context is not None:
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def answer(self) -> None:
                if self.headers.get("Expect", "").lower() == "100-continue":
                    pass  # The base class has sent it.
                body = self.read_body()
                request = Request(self.command, self.path, self.headers, body)
                response = handler(request)
                emulator.statuses.append(response.status)
                data = response.body.encode() if isinstance(response.body, str) else response.body
                self.send_response_only(response.status)
                self.send_header("Date", email.utils.formatdate(clock.now(), usegmt=True))
                for name, value in response.headers.items():
                    self.send_header(name, value)
                if "content-length" not in {name.lower() for name in response.headers}:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def read_body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = answer

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # A client that gives up is part of many tests.

        self.server = Quiet(address, Each)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Takes no more connections."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def forward(request: Request, host: str, port: int) -> Response:
    """Hands a request on to a server behind this one, and its answer back."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in ("connection", "transfer-encoding", "expect")
    }
    headers["Content-Length"] = str(len(request.body))
    connection.request(request.method, request.target, request.body, headers)
    answer = connection.getresponse()
    body = answer.read()
    kept = {
        name: value
        for name, value in answer.getheaders()
        if name.lower() not in ("date", "connection", "transfer-encoding", "content-length", "server")
    }
    if request.method == "HEAD":
        kept["Content-Length"] = answer.getheader("Content-Length", "0")
    connection.close()
    return Response(answer.status, body, kept)


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pyproc test authority")])
        self.certificate = self._sign(self.name, self.key.public_key(), [x509.BasicConstraints(True, 0)])
        self.bundle = folder / "ca.pem"
        self.bundle.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self.bundle.chmod(0o644)

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, extensions: list[x509.ExtensionType]
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self.key, hashes.SHA256())

    def files(self, *names: str) -> tuple[Path, Path]:
        """Certificate and key for these names, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:60])])
        certificate = self._sign(
            subject,
            key.public_key(),
            [
                x509.BasicConstraints(False, None),
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            ],
        )
        stem = names[0].replace("*", "any")
        chain, private = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return chain, private

    def context(self, *names: str) -> ssl.SSLContext:
        """What a server with these names needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files(*names))
        return context
