# SPDX-License-Identifier: MIT
"""Entra ID's token endpoint and the two forms of managed identity endpoint.

Entra: client secret, client assertion by certificate or by a federated token
(workload identity), with the AADSTS errors that clients act on, and the two
discovery documents that MSAL reads. IMDS: /metadata/identity/oauth2/token. App
Service: /msi/token. No users, no refresh tokens, no Arc, no signing keys.
Clients insist on https for Entra and on http for IMDS: run two servers that
share one `issuer`.
Source: the Microsoft identity platform's and the managed identity reference.

    python -m tests.emulators.tokens --port 0 --config tokens.json
"""

from __future__ import annotations

import base64
import re
import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from tests.emulators.jwt import (
    Issuer,
    TokenError,
    check_times,
    claims_of,
    verify_with_certificate,
)
from tests.emulators.server import Server, run
from tests.emulators.wire import Request, Response, json_response

DEFAULT_TENANT = "11111111-2222-3333-4444-555555555555"
DEFAULT_CLIENT = "99999999-8888-7777-6666-555555555555"
DEFAULT_SECRET = "test-secret~/+ &="
SYSTEM_IDENTITY = "00000000-aaaa-bbbb-cccc-000000000001"
FEDERATION_AUDIENCE = "api://AzureADTokenExchange"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_PATH = re.compile(r"/([^/]+)/oauth2(/v2\.0)?/token")
CONFIGURATION_PATH = re.compile(r"/([^/]+)(/v2\.0)?/\.well-known/openid-configuration")
IMDS_PATH = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH = "/msi/token"
#: Resources that have a service principal in the tenant.
KNOWN_RESOURCES = (
    r"https://vault\.azure\.net", r"https://managedhsm\.azure\.net", r"https://storage\.azure\.com",
    r"https://cosmos\.azure\.com", r"https://[a-z0-9-]+\.documents\.azure\.com(:443)?",
    r"https://[a-z0-9]+\.blob\.core\.windows\.net",
)


@dataclass
class Client:
    """An app registration; what is None it cannot authenticate with."""

    secret: str | None = None
    secret_expired: bool = False
    certificate: x509.Certificate | None = None
    federated_subject: str | None = None
    federated_issuer: str = "https://oidc.example/cluster"


class EntraError(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, status: int, error: str, number: int, message: str):
        super().__init__(message)
        self.status, self.error, self.number, self.message = status, error, number, message


class Tokens(Server):
    """Issues tokens that a Vault built on the same issuer accepts."""

    def __init__(
        self,
        *,
        issuer: Issuer | None = None,
        tenant: str = DEFAULT_TENANT,
        clients: dict[str, Client] | None = None,
        identities: Iterable[str] = (SYSTEM_IDENTITY,),
        identity_header: str = "test-identity-header",
        expires_in: int = 3599,
        public_url: str | None = None,
        resources: Iterable[str] = KNOWN_RESOURCES,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        super().__init__(tls=tls, host=host, port=port)
        self.issuer = issuer or Issuer()
        self.tenant = tenant
        self.clients = clients or {DEFAULT_CLIENT: Client(secret=DEFAULT_SECRET)}
        #: Client ids of the managed identities; the first is the system-assigned one.
        self.identities = list(identities)
        self.identity_header = identity_header
        #: Lifetime of the next tokens, in seconds.
        self.expires_in = expires_in
        #: Signs the tokens that a Kubernetes cluster would project into a pod.
        self.cluster = Issuer()
        self._resources = [re.compile(r) for r in resources]
        self._public_url = public_url
        self._count_lock = threading.Lock()
        self._issued: Counter[str] = Counter()

    @property
    def public_url(self) -> str:
        return (self._public_url or self.url).replace("{port}", str(self.port)).rstrip("/")

    @property
    def issued(self) -> dict[str, int]:
        """Tokens issued so far, by resource (scope without `/.default`)."""
        with self._count_lock:
            return dict(self._issued)

    def forget_counts(self) -> None:
        with self._count_lock:
            self._issued.clear()

    def token(
        self, resource: str, client_id: str = DEFAULT_CLIENT, expires_in: float | None = None
    ) -> str:
        """A good token without asking over HTTP; not counted."""
        lifetime = self.expires_in if expires_in is None else expires_in
        return self.issuer.access_token(resource, client_id, self.tenant, lifetime)

    def federated_token(
        self, client_id: str = DEFAULT_CLIENT, *, lifetime: float = 3600, **claims: Any
    ) -> str:
        """The content of AZURE_FEDERATED_TOKEN_FILE for a client that has a federated subject."""
        client = self.clients[client_id]
        now = time.time()
        return self.cluster.sign({
            "iss": client.federated_issuer, "sub": client.federated_subject,
            "aud": [FEDERATION_AUDIENCE], "iat": int(now), "nbf": int(now),
            "exp": int(now + lifetime), **claims,
        })

    def control(self, request: Request) -> Response | None:
        match request.method, request.path:
            case "GET", "/_test/issued":
                return json_response(200, self.issued)
            case "DELETE", "/_test/issued":
                self.forget_counts()
                return json_response(200, {})
        return None

    def error(self, status: int, code: str, message: str) -> Response:
        return json_response(status, {"error": code, "error_description": message})

    def handle(self, request: Request) -> Response:
        path = request.path
        if path == IMDS_PATH:
            return self._imds(request)
        if path == APP_SERVICE_PATH:
            return self._app_service(request)
        if request.method == "GET" and path == "/common/discovery/instance":
            return self._instance()
        if request.method == "GET" and (found := CONFIGURATION_PATH.fullmatch(path)):
            return self._configuration(found[1])
        if request.method == "POST" and (found := TOKEN_PATH.fullmatch(path)):
            return self._entra(request, found[1], v2=found[2] is not None)
        return self.error(404, "not_found", f"no resource {path}")

    # Entra ID.

    def _instance(self) -> Response:
        host = self.public_url.partition("://")[2]
        return json_response(200, {
            "tenant_discovery_endpoint":
                f"{self.public_url}/{self.tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        })

    def _configuration(self, tenant: str) -> Response:
        base = f"{self.public_url}/{tenant}"
        if tenant not in (self.tenant, "common", "organizations"):
            return self._entra_error(_unknown_tenant(tenant))
        return json_response(200, {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported":
                ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "tenant_region_scope": "EU",
        })

    def _entra(self, request: Request, tenant: str, *, v2: bool) -> Response:
        form = request.form()
        try:
            if tenant != self.tenant:
                raise _unknown_tenant(tenant)
            if form.get("grant_type") != "client_credentials":
                raise EntraError(400, "unsupported_grant_type", 70003,
                                 f"The app requested an unsupported grant type "
                                 f"'{form.get('grant_type', '')}'.")
            client_id = self._authenticate(form)
            resource = self._resource(form, v2)
        except EntraError as error:
            return self._entra_error(error)
        return json_response(200, {
            "token_type": "Bearer", "expires_in": self.expires_in,
            "ext_expires_in": self.expires_in, "access_token": self._issue(resource, client_id),
        }, [("Cache-Control", "no-store, no-cache"), ("Pragma", "no-cache")])

    def _entra_error(self, error: EntraError) -> Response:
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        return json_response(error.status, {
            "error": error.error,
            "error_description": f"AADSTS{error.number}: {error.message} Trace ID: {trace} "
                                 f"Correlation ID: {correlation} Timestamp: {stamp}",
            "error_codes": [error.number], "timestamp": stamp,
            "trace_id": trace, "correlation_id": correlation,
        })

    def _authenticate(self, form: dict[str, str]) -> str:
        client_id = form.get("client_id", "")
        client = self.clients.get(client_id)
        if client is None:
            raise EntraError(400, "unauthorized_client", 700016,
                             f"Application with identifier '{client_id}' was not found in the "
                             f"directory '{self.tenant}'.")
        if "client_assertion" in form:
            self._check_assertion(client_id, client, form)
        elif "client_secret" in form:
            self._check_secret(client_id, client, form["client_secret"])
        else:
            raise EntraError(401, "invalid_client", 7000218,
                             "The request body must contain the following parameter: "
                             "'client_assertion' or 'client_secret'.")
        return client_id

    def _check_secret(self, client_id: str, client: Client, secret: str) -> None:
        if client.secret is None or secret != client.secret:
            raise EntraError(401, "invalid_client", 7000215,
                             "Invalid client secret provided. Ensure the secret being sent in the "
                             "request is the client secret value, not the client secret ID, for a "
                             f"secret added to app '{client_id}'.")
        if client.secret_expired:
            raise EntraError(401, "invalid_client", 7000222,
                             f"The provided client secret keys for app '{client_id}' are expired.")

    def _check_assertion(self, client_id: str, client: Client, form: dict[str, str]) -> None:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise EntraError(400, "invalid_request", 900023,
                             "Specified 'client_assertion_type' is not supported.")
        assertion = form["client_assertion"]
        try:
            claims = claims_of(assertion)
            if claims.get("iss") == client_id and client.certificate is not None:
                verify_with_certificate(assertion, client.certificate)
            else:
                self._check_federation(client, claims)
                self.cluster.verify(assertion)
            check_times(claims)
        except TokenError as error:
            raise _assertion_error(error) from error

    def _check_federation(self, client: Client, claims: dict[str, Any]) -> None:
        audience = claims.get("aud")
        if claims.get("iss") != client.federated_issuer:
            raise EntraError(401, "invalid_client", 700211,
                             "No matching federated identity record found for presented assertion "
                             f"issuer '{claims.get('iss')}'.")
        if client.federated_subject is None or claims.get("sub") != client.federated_subject:
            raise EntraError(401, "invalid_client", 700213,
                             "No matching federated identity record found for presented assertion "
                             f"subject '{claims.get('sub')}'.")
        if FEDERATION_AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
            raise EntraError(401, "invalid_client", 700212,
                             "No matching federated identity record found for presented assertion "
                             f"audience '{audience}'.")

    def _resource(self, form: dict[str, str], v2: bool) -> str:
        """The audience asked for: a scope RESOURCE/.default, or a resource in the old form."""
        if v2:
            scopes = form.get("scope", "").split()
            if len(scopes) != 1 or not scopes[0].endswith("/.default"):
                raise EntraError(400, "invalid_scope", 1002012,
                                 f"The provided value for scope {form.get('scope', '')} is not "
                                 "valid. Client credential flows must have a scope value with "
                                 "/.default suffixed to the resource identifier.")
            resource = scopes[0].removesuffix("/.default")
        else:
            resource = form.get("resource", "")
        if not self._known(resource):
            raise EntraError(400, "invalid_resource", 500011,
                             f"The resource principal named {resource} was not found in the tenant "
                             f"named {self.tenant}.")
        return resource

    def _known(self, resource: str) -> bool:
        return any(r.fullmatch(resource.rstrip("/")) for r in self._resources)

    def _issue(self, resource: str, client_id: str) -> str:
        with self._count_lock:
            self._issued[resource.rstrip("/")] += 1
        return self.token(resource, client_id)

    # Managed identity.

    def _imds(self, request: Request) -> Response:
        """Without `Metadata: true` any answer proves the endpoint to a client that probes."""
        if (request.headers.get("Metadata") or "").lower() != "true":
            return self.error(400, "invalid_request", "Required metadata header not specified")
        if request.headers.get("X-Forwarded-For") is not None:
            return self.error(400, "invalid_request", "X-Forwarded-For is not allowed")
        return self._managed(request, ("client_id", "object_id", "msi_res_id"), full=True)

    def _app_service(self, request: Request) -> Response:
        if request.headers.get("X-IDENTITY-HEADER") != self.identity_header:
            return self.error(401, "unauthorized", "X-IDENTITY-HEADER is missing or wrong")
        return self._managed(
            request, ("client_id", "principal_id", "object_id", "mi_res_id"), full=False
        )

    def _managed(self, request: Request, selectors: Iterable[str], *, full: bool) -> Response:
        if request.method != "GET":
            return self.error(405, "method_not_allowed", request.method)
        query = request.query
        if not query.get("api-version"):
            return self.error(400, "bad_request_102", "Required parameter api-version is missing")
        resource = query.get("resource", "")
        if not self._known(resource):
            return self.error(400, "invalid_resource",
                              f"AADSTS500011: The resource principal named {resource} was not "
                              f"found in the tenant named {self.tenant}.")
        chosen = next((query[s] for s in selectors if query.get(s)), None)
        if not self.identities or (chosen is not None and chosen not in self.identities):
            return self.error(400, "invalid_request", "Identity not found")
        identity = chosen or self.identities[0]
        now = int(time.time())
        answer = {
            "access_token": self._issue(resource, identity), "client_id": identity,
            "expires_on": str(now + self.expires_in), "resource": resource, "token_type": "Bearer",
        }
        if full:
            answer.update(expires_in=str(self.expires_in), ext_expires_in=str(self.expires_in),
                          not_before=str(now))
        return json_response(200, answer)


def _unknown_tenant(tenant: str) -> EntraError:
    return EntraError(400, "invalid_request", 90002,
                      f"Tenant '{tenant}' not found. Check to make sure you have the correct "
                      "tenant ID and are signing into the correct cloud.")


def _assertion_error(error: TokenError) -> EntraError:
    if error.reason in ("expired", "early"):
        return EntraError(401, "invalid_client", 700024,
                          "Client assertion is not within its valid time range.")
    if error.reason == "signature":
        return EntraError(401, "invalid_client", 700027,
                          "Client assertion failed signature validation.")
    return EntraError(400, "invalid_request", 50027, "JWT token is invalid or malformed.")


def _client_from_config(told: dict[str, Any]) -> Client:
    fields = dict(told)
    path = fields.pop("certificate_file", None)
    if path is not None:
        fields["certificate"] = x509.load_pem_x509_certificate(Path(path).read_bytes())
    return Client(**fields)


def _make(config: dict[str, Any], tls: ssl.SSLContext | None, port: int) -> Tokens:
    key = config.pop("token_key", None)
    if "clients" in config:
        config["clients"] = {n: _client_from_config(c) for n, c in config["clients"].items()}
    issuer = Issuer(base64.b64decode(key)) if key else None
    return Tokens(issuer=issuer, tls=tls, port=port, **config)


if __name__ == "__main__":
    run(_make, "an emulated Entra ID token endpoint and managed identity endpoint")
