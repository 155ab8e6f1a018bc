"""Microsoft Entra: federated credentials of applications, and tokens that Azurite accepts."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field

import jwt

from .server import Request, Response
from .tokens import Clock, Issuer, Refused, Trusted, audiences, unverified


@dataclass
class Federated:
    """A federated credential: what a token has to say, letter by letter."""

    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


@dataclass
class Application:
    """A managed identity."""

    tenant: str
    credentials: list[Federated] = field(default_factory=list)


@dataclass
class Entra:
    """login.microsoftonline.com."""

    clock: Clock
    issuers: dict[str, Trusted] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    key: Issuer = field(default_factory=lambda: Issuer("https://sts.windows.net"))

    def answer(self, request: Request) -> Response:
        """The token endpoint of every tenant."""
        parts = [part for part in request.path.split("/") if part]
        if request.method != "POST" or parts[1:] != ["oauth2", "v2.0", "token"]:
            return Response(404, "{}")
        tenant, form = parts[0], request.form
        if not any(application.tenant == tenant for application in self.applications.values()):
            return refusal(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        application = self.applications.get(form.get("client_id", ""))
        if application is None or application.tenant != tenant:
            return refusal(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{form.get('client_id')}' was not found in the directory '{tenant}'.",
            )
        try:
            self._check(application, form.get("client_assertion", ""))
        except Mismatch as mismatch:
            return refusal(401, "invalid_client", mismatch.number, str(mismatch))
        now = int(time.time())
        resource = form["scope"].removesuffix("/.default")
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": now,
            "nbf": now - 5,
            "exp": now + 3600,
            "appid": form["client_id"],
            "oid": str(uuid.uuid5(uuid.NAMESPACE_URL, form["client_id"])),
            "tid": tenant,
        }
        token = jwt.encode(claims, self.key.key, algorithm="RS256", headers={"kid": self.key.kid})
        self.tokens.append(token)
        answer = {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}
        return Response(200, json.dumps(answer), {"Content-Type": "application/json"})

    def _check(self, application: Application, assertion: str) -> None:
        try:
            claims = unverified(assertion)
        except Refused:
            raise Mismatch(50027, "JWT token is invalid or malformed.") from None
        issuer, subject = claims.get("iss", ""), claims.get("sub", "")
        left = [one for one in application.credentials if one.issuer == issuer]
        if not left:
            raise Mismatch(
                700211, f"No matching federated identity record found for presented assertion issuer '{issuer}'."
            )
        if not any(one.audience in audiences(claims) for one in left):
            raise Mismatch(
                700212,
                f"No matching federated identity record found for presented assertion audience '{audiences(claims)[0]}'.",
            )
        if not any(one.subject == subject for one in left):
            if any(one.subject.lower() == subject.lower() for one in left):
                raise Mismatch(
                    7002138,
                    f"No matching federated identity record found for presented assertion subject '{subject}': the case differs.",
                )
            raise Mismatch(
                700213, f"No matching federated identity record found for presented assertion subject '{subject}'."
            )
        try:
            self.issuers[issuer].verify(assertion, self.clock)
        except Refused as refused:
            if refused.why in ("expired", "early"):
                raise Mismatch(700024, "Client assertion is not within its valid time range.") from None
            raise Mismatch(50013, "Assertion failed signature validation.") from None


class Mismatch(Exception):
    """What Entra does not accept."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def refusal(status: int, word: str, number: int, message: str) -> Response:
    """An error as Entra writes it."""
    trace, correlation = uuid.uuid4(), uuid.uuid4()
    body = {
        "error": word,
        "error_description": f"AADSTS{number}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: 2026-11-24 10:00:00Z",
        "error_codes": [number],
        "timestamp": "2026-11-24 10:00:00Z",
        "trace_id": str(trace),
        "correlation_id": str(correlation),
    }
    return Response(status, json.dumps(body), {"Content-Type": "application/json"})
