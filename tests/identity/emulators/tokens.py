"""Tokens of a Kubernetes issuer: signed by a key of the test's own, checked against a JWKS."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

Claims = dict[str, Any]


class Refused(Exception):
    """Why a token is not accepted: `malformed`, `issuer`, `signature`, `expired`, `early`, `audience`."""

    def __init__(self, why: str, claims: Claims | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.claims = claims or {}


@dataclass
class Clock:
    """The clock of the clouds; a test may shift it."""

    offset: float = 0.0

    def now(self) -> float:
        """Seconds since 1970, as the clouds see them."""
        return time.time() + self.offset


@dataclass
class Trusted:
    """An issuer as a cloud knows it: its name, and the keys that its JWKS has."""

    issuer: str
    jwks: dict[str, Any]

    def verify(self, token: str, clock: Clock) -> Claims:
        """Checks form, issuer, signature and time; audience and subject are the caller's."""
        claims = unverified(token)
        if claims.get("iss") != self.issuer:
            raise Refused("issuer", claims)
        kid = jwt.get_unverified_header(token).get("kid")
        keys = [key for key in self.jwks["keys"] if key["kid"] == kid]
        if not keys:
            raise Refused("signature", claims)
        try:
            jwt.decode(
                token,
                jwt.PyJWK(keys[0]).key,
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise Refused("signature", claims) from error
        if claims["exp"] <= clock.now():
            raise Refused("expired", claims)
        if claims.get("nbf", 0) > clock.now() + 60:
            raise Refused("early", claims)
        return claims


def unverified(token: str) -> Claims:
    """The claims of whatever is a token by its form."""
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise Refused("malformed") from error


def audiences(claims: Claims) -> list[str]:
    """`aud` as a list."""
    audience = claims.get("aud", [])
    return [audience] if isinstance(audience, str) else list(audience)


@dataclass
class Issuer:
    """A key and the name that it signs under, as the API server of a cluster has one."""

    issuer: str
    kid: str = "key-1"
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def jwks(self) -> dict[str, Any]:
        """The public half, as clouds read it."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self.kid, "alg": "RS256", "use": "sig"}]}

    def trusted(self) -> Trusted:
        """What a cloud is told about this issuer."""
        return Trusted(self.issuer, self.jwks())

    def token(self, audience: str, namespace: str, account: str, *, lifetime: float = 3600, age: float = 0) -> str:
        """A token of a ServiceAccount with the claims that Kubernetes writes."""
        issued = int(time.time() - age)
        claims = {
            "aud": [audience],
            "exp": issued + int(lifetime),
            "iat": issued,
            "nbf": issued,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "kubernetes.io": {
                "namespace": namespace,
                "pod": {"name": "pyproc-0", "uid": str(uuid.uuid4())},
                "serviceaccount": {"name": account, "uid": str(uuid.uuid4())},
            },
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid})
