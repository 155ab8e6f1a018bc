"""Hashes passwords, which is slow on purpose: one call keeps a core busy for a while."""

import base64
import hashlib
import hmac
import os

from pyproc_worker import expose, run_worker


def scrypt(password: str, salt: bytes) -> bytes:
    """The key that belongs to a password and a salt."""
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=3, dklen=32)


@expose
def hash_password(password: str) -> str:
    """What to store instead of the password."""
    salt = os.urandom(16)
    return "$".join(base64.b64encode(part).decode() for part in (salt, scrypt(password, salt)))


@expose
def verify_password(password: str, stored: str) -> bool:
    """Whether this is the password that was stored."""
    salt, key = (base64.b64decode(part) for part in stored.split("$"))
    return hmac.compare_digest(key, scrypt(password, salt))


if __name__ == "__main__":
    run_worker()
