"""AWS: STS with OIDC providers and trust policies, the agent of EKS Pod Identity, and S3 (moto) for sessions only."""

from __future__ import annotations

import json
import re
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .server import Request, Response, forward
from .tokens import Clock, Refused, Trusted, audiences, unverified

ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+")
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


@dataclass
class Provider:
    """An IAM OIDC provider of an account."""

    trusted: Trusted
    client_ids: set[str]


@dataclass
class Trust:
    """The trust policy of a role for web identities."""

    issuer: str
    subject: str
    audience: str


@dataclass
class Session:
    """Keys that were given out."""

    token: str
    arn: str
    secret: str


@dataclass
class Aws:
    """The state of the cloud."""

    clock: Clock
    moto: int
    providers: dict[tuple[str, str], Provider] = field(default_factory=dict)
    roles: dict[str, Trust] = field(default_factory=dict)
    associations: dict[tuple[str, str], str] = field(default_factory=dict)
    trusts_pods: bool = True
    cluster: Trusted | None = None
    sessions: dict[str, Session] = field(default_factory=dict)
    # How long keys are valid, in seconds. boto3 does not use those with less than ten minutes.
    lifetime: float = 3600
    busy: bool = False

    def sts(self, request: Request) -> Response:
        """sts.amazonaws.com."""
        action = request.form.get("Action")
        if action == "GetCallerIdentity":
            return self._caller(request)
        if action != "AssumeRoleWithWebIdentity":
            return error(400, "InvalidAction", f"Could not find operation {action}")
        try:
            self._admit(request.form)
        except Denied as denied:
            return error(denied.status, denied.code, str(denied))
        answer = forward(request, "127.0.0.1", self.moto)
        role = request.form["RoleArn"].split("/")[-1]
        account = request.form["RoleArn"].split(":")[4]
        arn = f"arn:aws:sts::{account}:assumed-role/{role}/{request.form['RoleSessionName']}"
        text = answer.body.decode() if isinstance(answer.body, bytes) else answer.body
        part = {name: between(text, name) for name in ("AccessKeyId", "SessionToken", "SecretAccessKey")}
        self.sessions[part["AccessKeyId"]] = Session(part["SessionToken"], arn, part["SecretAccessKey"])
        ends = between(text, "Expiration")
        answer.body = text.replace(f"<Expiration>{ends}<", f"<Expiration>{self._expiration()}<")
        return answer

    def _expiration(self) -> str:
        return datetime.fromtimestamp(time.time() + self.lifetime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _admit(self, form: dict[str, str]) -> None:
        if self.busy:
            raise Denied(400, "Throttling", "Rate exceeded")
        role, token = form.get("RoleArn", ""), form.get("WebIdentityToken", "")
        match = ROLE.fullmatch(role)
        if not match:
            raise Denied(
                400,
                "ValidationError",
                f"1 validation error detected: Value '{role}' at 'roleArn' failed to satisfy constraint",
            )
        try:
            issuer = unverified(token).get("iss", "")
        except Refused:
            raise Denied(
                400,
                "InvalidIdentityToken",
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
            ) from None
        provider = self.providers.get((match[1], issuer))
        if provider is None:
            raise Denied(400, "InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
        try:
            claims = provider.trusted.verify(token, self.clock)
        except Refused as refused:
            if refused.why == "expired":
                raise Denied(
                    400,
                    "ExpiredTokenException",
                    "Token expired: current date/time must be before the expiration date/time",
                ) from None
            if refused.why == "early":
                raise Denied(400, "InvalidIdentityToken", "Token is not yet valid") from None
            raise Denied(
                400,
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
            ) from None
        if not provider.client_ids & set(audiences(claims)):
            raise Denied(400, "InvalidIdentityToken", "Incorrect token audience")
        trust = self.roles.get(role)
        if (
            trust is None
            or trust.issuer != issuer
            or trust.subject != claims["sub"]
            or trust.audience not in audiences(claims)
        ):
            raise Denied(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")

    def _caller(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        account = session.arn.split(":")[4]
        return Response(
            200,
            f'<GetCallerIdentityResponse xmlns="{NAMESPACE}"><GetCallerIdentityResult><Arn>{session.arn}</Arn>'
            f"<UserId>AROA:x</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
            {"Content-Type": "text/xml"},
        )

    def _session(self, request: Request) -> Session | None:
        match = re.search(r"Credential=([^/]+)/", request.headers.get("Authorization", ""))
        session = self.sessions.get(match[1]) if match else None
        given = request.headers.get("X-Amz-Security-Token")
        return session if session is not None and session.token == given else None

    def s3(self, request: Request) -> Response:
        """S3: moto's, for whoever has keys that were given out here."""
        if self._session(request) is None:
            body = "<Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided does not exist in our records.</Message></Error>"
            return Response(403, body, {"Content-Type": "application/xml"})
        return forward(request, "127.0.0.1", self.moto)

    def agent(self, request: Request) -> Response:
        """The agent of EKS Pod Identity on the node."""
        if request.headers.get("Host", "").split(":")[0] not in ("169.254.170.23", "[fd00"):
            return Response(403, "Access denied")
        token = request.headers.get("Authorization", "")
        try:
            unverified(token)
        except Refused:
            return Response(400, "Service account token cannot be empty or malformed")
        assert self.cluster is not None
        try:
            claims = self.cluster.verify(token, self.clock)
        except Refused as refused:
            code = "ExpiredTokenException" if refused.why == "expired" else "InvalidTokenException"
            return Response(
                400, f"[{uuid.uuid4()}]: ({code}): The token included in the request is {refused.why}, fault: client"
            )
        if "pods.eks.amazonaws.com" not in audiences(claims):
            return Response(
                400,
                f"[{uuid.uuid4()}]: (InvalidTokenException): Audience provided in the token is invalid, fault: client",
            )
        _, _, namespace, account = claims["sub"].split(":")
        role = self.associations.get((namespace, account))
        if role is None:
            return Response(
                404,
                f"[{uuid.uuid4()}]: (ResourceNotFoundException): No association found for service account, fault: client",
            )
        if not self.trusts_pods:
            return Response(
                403,
                f"[{uuid.uuid4()}]: (AccessDeniedException): Unauthorized Exception! EKS does not have permissions to assume the associated role., fault: client",
            )
        key, session = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(120)
        secret = secrets.token_urlsafe(30)
        arn = f"arn:aws:sts::{role.split(':')[4]}:assumed-role/{role.split('/')[-1]}/eks-pyproc-{account}"
        self.sessions[key] = Session(session, arn, secret)
        answer = {
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "Token": session,
            "AccountId": role.split(":")[4],
            "Expiration": self._expiration(),
        }
        return Response(200, json.dumps(answer), {"Content-Type": "application/json"})


class Denied(Exception):
    """A refusal of STS."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def between(xml: str, name: str) -> str:
    """The text of the first element of this name."""
    return xml.split(f"<{name}>", 1)[1].split(f"</{name}>", 1)[0]


def error(status: int, code: str, message: str) -> Response:
    """An error as the query protocol writes it."""
    escaped = message.replace("&", "&amp;").replace("<", "&lt;")
    body = (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{escaped}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return Response(status, body, {"Content-Type": "text/xml"})
