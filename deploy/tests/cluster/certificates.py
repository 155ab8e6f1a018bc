"""One authority for an API server, its administrator and its webhooks."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make(folder: Path) -> None:
    """ca, tls (127.0.0.1) and admin (of system:masters), each a .key and a .crt; for tokens sa.key and sa.pub."""
    new_key(folder, "ca")
    openssl(folder, "req -x509 -new -key ca.key -subj /CN=test -days 2 -out ca.crt")
    signed(folder, "tls", "/CN=localhost", "subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    signed(folder, "admin", "/O=system:masters/CN=admin", "extendedKeyUsage=clientAuth\n")
    openssl(folder, "genrsa -out sa.key 2048")
    openssl(folder, "rsa -in sa.key -pubout -out sa.pub")


def signed(folder: Path, name: str, subject: str, extensions: str) -> None:
    """A key, and a certificate of the authority for it."""
    new_key(folder, name)
    (folder / f"{name}.ext").write_text(extensions)
    openssl(folder, f"req -new -key {name}.key -subj {subject} -out {name}.csr")
    authority = "-CA ca.crt -CAkey ca.key -CAcreateserial -days 2"
    openssl(folder, f"x509 -req -in {name}.csr {authority} -extfile {name}.ext -out {name}.crt")


def new_key(folder: Path, name: str) -> None:
    """A key for a certificate."""
    openssl(folder, f"ecparam -name prime256v1 -genkey -noout -out {name}.key")


def openssl(folder: Path, arguments: str) -> None:
    """Runs openssl in the folder."""
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)
