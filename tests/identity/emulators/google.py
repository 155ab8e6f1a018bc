"""Google: the metadata server, STS, the impersonation of service accounts, and a bearer check before storage."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .server import Request, Response, forward
from .tokens import Clock, Refused, Trusted, audiences, unverified


@dataclass
class PoolProvider:
    """A provider of a workload identity pool."""

    trusted: Trusted
    allowed: set[str]
    condition: str = ""


@dataclass
class Google:
    """The state of the cloud."""

    clock: Clock
    storage_port: int
    providers: dict[str, PoolProvider] = field(default_factory=dict)
    users: dict[str, set[str]] = field(default_factory=dict)
    readers: set[str] = field(default_factory=set)
    tokens: dict[str, str] = field(default_factory=dict)
    # The API that service accounts are impersonated by is not enabled.
    disabled: bool = False

    def _token(self, principal: str) -> str:
        token = f"ya29.{secrets.token_urlsafe(60)}"
        self.tokens[token] = principal
        return token

    def sts(self, request: Request) -> Response:
        """sts.googleapis.com/v1/token."""
        form = request.form
        audience = form.get("audience", "")
        provider = self.providers.get(audience)
        if provider is None:
            return oauth(
                "invalid_target",
                'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn\'t exist.',
            )
        token = form.get("subject_token", "")
        try:
            claims = unverified(token)
        except Refused:
            return oauth("invalid_grant", "Unable to parse the ID Token.")
        if claims.get("iss") != provider.trusted.issuer:
            return oauth(
                "invalid_grant",
                f"The issuer in ID Token {claims.get('iss')} does not match the expected ones: {provider.trusted.issuer}",
            )
        if not provider.allowed & set(audiences(claims)):
            return oauth(
                "invalid_grant",
                f"The audience in ID Token [{', '.join(audiences(claims))}] does not match the expected audience.",
            )
        try:
            provider.trusted.verify(token, self.clock)
        except Refused as refused:
            said = {"expired": "The ID Token is expired.", "early": "The ID Token is not yet valid."}
            return oauth(
                "invalid_grant", said.get(refused.why, "Invalid JWT signature: no matching key of the issuer.")
            )
        if provider.condition and provider.condition != claims["sub"]:
            return oauth("unauthorized_client", "The given credential is rejected by the attribute condition.")
        pool = audience.split("/providers/")[0]
        answer = {
            "access_token": self._token(f"principal:{pool}/subject/{claims['sub']}"),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        return Response(200, json.dumps(answer), {"Content-Type": "application/json"})

    def credentials(self, request: Request) -> Response:
        """iamcredentials.googleapis.com."""
        account, _, method = request.path.rpartition("/")[2].partition(":")
        if method != "generateAccessToken":
            return api(404, "NOT_FOUND", "Requested entity was not found.")
        if self.disabled:
            return api(
                403,
                "PERMISSION_DENIED",
                "IAM Service Account Credentials API has not been used in project 123456789012 before or it is disabled.",
            )
        principal = self.tokens.get(request.bearer)
        if principal is None:
            return api(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if principal not in self.users.get(account, set()):
            return api(
                403,
                "PERMISSION_DENIED",
                "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
            )
        expires = datetime.fromtimestamp(self.clock.now() + 3600, UTC)
        answer = {"accessToken": self._token(account), "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return Response(200, json.dumps(answer), {"Content-Type": "application/json"})

    def storage(self, request: Request) -> Response:
        """storage.googleapis.com: the emulator behind it, for principals with the role."""
        principal = self.tokens.get(request.bearer)
        if principal is None:
            return api(401, "UNAUTHENTICATED", "Anonymous caller does not have storage.objects.create access.")
        if principal not in self.readers:
            return api(403, "PERMISSION_DENIED", f"{principal} does not have storage.objects.create access.")
        answer = forward(request, "127.0.0.1", self.storage_port)
        if isinstance(answer.body, bytes) and answer.headers.get("Content-type", "").startswith("application/json"):
            # The emulator does not know that TLS stands before it.
            answer.body = answer.body.replace(b"http://storage.googleapis.com", b"https://storage.googleapis.com")
        return answer


@dataclass
class Metadata:
    """The metadata server of one node."""

    google: Google
    email: str = "demo-project.svc.id.goog"
    project: str = "demo-project"
    cluster: str | None = "demo"
    # The server is the machine's own, as in a node pool that is left at GCE_METADATA.
    node: bool = False
    denied: bool = False
    starting: bool = False

    def answer(self, request: Request) -> Response:
        """Everything below 169.254.169.254."""
        flavor = {"Metadata-Flavor": "Google", "Content-Type": "application/text"}
        if request.headers.get("Metadata-Flavor") != "Google":
            return Response(403, "Missing Metadata-Flavor:Google header.", flavor)
        if self.starting:
            return Response(503, "The metadata server is starting.", flavor)
        found = self._find(request.path.removeprefix("/computeMetadata/v1/").strip("/"), request)
        if isinstance(found, Response):
            found.headers = {**flavor, **found.headers}
            return found
        return Response(200, found, flavor) if found is not None else Response(404, "Not found", flavor)

    def _find(self, path: str, request: Request) -> Response | str | None:
        texts = {
            "": "computeMetadata/",
            "project/project-id": self.project,
            "project/numeric-project-id": "123456789012",
            "instance/attributes": "cluster-location\ncluster-name\ncluster-uid\n"
            + ("kube-env\nkube-labels\n" if self.node else ""),
            "instance/attributes/cluster-name": self.cluster,
            "instance/attributes/cluster-location": self.cluster and "europe-west1",
            "instance/zone": "projects/123456789012/zones/europe-west1-b",
            "instance/service-accounts": f"default/\n{self.email}/\n",
        }
        if path in texts:
            return texts[path]
        if not path.startswith("instance/service-accounts/"):
            return None
        account, _, what = path.removeprefix("instance/service-accounts/").partition("/")
        if account not in ("default", self.email):
            return None
        if what == "" and request.query.get("recursive") == "true":
            body = {
                "aliases": ["default"],
                "email": self.email,
                "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            }
            return Response(200, json.dumps(body), {"Content-Type": "application/json"})
        if what == "email":
            return self.email
        if what == "token":
            if self.denied:
                return Response(
                    403, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
                )
            body = {"access_token": self.google._token(self.email), "expires_in": 3599, "token_type": "Bearer"}
            return Response(200, json.dumps(body), {"Content-Type": "application/json"})
        return None


def oauth(word: str, message: str) -> Response:
    """An error of STS."""
    body = {"error": word, "error_description": message}
    return Response(400, json.dumps(body), {"Content-Type": "application/json"})


def api(status: int, word: str, message: str) -> Response:
    """An error of Google's other interfaces."""
    body = {"error": {"code": status, "message": message, "status": word}}
    return Response(status, json.dumps(body), {"Content-Type": "application/json"})
