# SPDX-License-Identifier: MIT
"""Key Vault and Managed HSM, the part of the data plane that readers of keys use.

Serves GET /keys, /keys/{name}, /keys/{name}/{version}, /keys/{name}/versions and
POST wrapkey and unwrapkey; the challenge, the token checks, permissions, the
firewall, key states and throttling in front of them. It creates, imports and
deletes no keys over HTTP, and knows no secrets and certificates.
Source: the Key Vault REST reference; the official clients judge it in
tests/interop/test_vault_sdks.py.

    python -m tests.emulators.vault --port 0 --config vault.json
"""

from __future__ import annotations

import base64
import ssl
import time
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from tests.emulators.jwt import Issuer, TokenError, b64url, unb64url
from tests.emulators.server import Server, run
from tests.emulators.throttle import Throttle
from tests.emulators.tokens import DEFAULT_TENANT, Tokens
from tests.emulators.vault_keys import Key, KeyStore, WrapError
from tests.emulators.wire import Request, Response, json_response

VAULT_RESOURCE = "https://vault.azure.net"
HSM_RESOURCE = "https://managedhsm.azure.net"
API_VERSIONS = frozenset({
    "2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4-preview.1", "7.4", "7.5-preview.1", "7.5",
    "7.6-preview.1", "7.6-preview.2", "7.6", "2025-06-01-preview", "2025-07-01",
})
#: Action words of Azure's role definitions, as the 403 names them.
ACTIONS = {"get": "read", "list": "read", "wrapKey": "wrap/action", "unwrapKey": "unwrap/action"}
ALL_PERMISSIONS = frozenset(ACTIONS)
OPERATIONS = {"wrapkey": "wrapKey", "unwrapkey": "unwrapKey"}
PAGE_SIZE = 25
INVALID = "Error validating token:"
THROTTLED = "Request was not processed because too many requests were received."


class Refused(Exception):
    """An answer other than 200, raised where the reason is found."""

    def __init__(self, response: Response):
        super().__init__(response.status)
        self.response = response


class Vault(Server):
    """One vault.

    `tokens` vouches for bearer tokens: the token endpoint or its `issuer`. `public_url` is what
    key ids begin with (default: the server's own URL; "{port}" stands for its port), so a
    test that maps a real host name onto loopback sees the ids that it would see in Azure.
    """

    def __init__(
        self,
        tokens: Tokens | Issuer,
        keys: Iterable[Key] = (),
        *,
        public_url: str | None = None,
        tenant: str = DEFAULT_TENANT,
        authority: str = "https://login.microsoftonline.com",
        resource: str = VAULT_RESOURCE,
        permissions: Iterable[str] = ALL_PERMISSIONS,
        page_size: int = PAGE_SIZE,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        super().__init__(tls=tls, host=host, port=port)
        self.issuer = tokens.issuer if isinstance(tokens, Tokens) else tokens
        self.keys = KeyStore(keys)
        self.tenant = tenant
        self.authority = authority
        self.resource = resource
        #: What callers may do; a client id in `client_permissions` has its own set.
        self.permissions = frozenset(permissions)
        self.client_permissions: dict[str, frozenset[str]] = {}
        #: The inner code of a refusal: ForbiddenByRbac, ForbiddenByPolicy or AccessDenied.
        self.denial = "ForbiddenByRbac"
        #: True: this address is not on the vault's firewall list.
        self.firewall = False
        self.page_size = page_size
        #: Operations (wrapKey, unwrapKey, get, list) that were carried out, by key id.
        self.operations: list[tuple[str, str]] = []
        self._public_url = public_url
        self._throttle = Throttle()
        self._accepted: set[str] = set()
        self._revoked: set[str] = set()

    @property
    def public_url(self) -> str:
        return (self._public_url or self.url).replace("{port}", str(self.port)).rstrip("/")

    def kid(self, key: Key) -> str:
        """The full, versioned id of a key."""
        return f"{self._bare_kid(key)}/{key.version}"

    def _bare_kid(self, key: Key) -> str:
        return f"{self.public_url}/keys/{key.name}"

    def limit(self, count: int, seconds: float, retry_after: float | None = None) -> None:
        """Serve at most count requests in any window of so many seconds."""
        self._throttle.limit(count, seconds, retry_after)

    def throttle_for(self, seconds: float, retry_after: float | None = None) -> None:
        """Answer 429 to everything for so long; 0 ends it."""
        self._throttle.block(seconds, retry_after)

    def revoke_tokens(self) -> None:
        """From now on refuse every token that this vault has accepted so far."""
        self._revoked |= self._accepted

    def error(self, status: int, code: str, message: str, inner: str | None = None) -> Response:
        told: dict[str, Any] = {"code": code, "message": message}
        if inner is not None:
            told["innererror"] = {"code": inner}
        return json_response(status, {"error": told})

    def handle(self, request: Request) -> Response:
        try:
            response = self._serve_request(request)
        except Refused as refused:
            response = refused.response
        client_request = request.headers.get("x-ms-client-request-id")
        if client_request:
            response.headers.set("x-ms-client-request-id", client_request)
        for name, value in (
            ("Cache-Control", "no-cache"),
            ("x-ms-keyvault-region", "westeurope"),
            ("x-ms-request-id", str(uuid.uuid4())),
            ("x-ms-keyvault-service-version", "1.9.0.0"),
            ("Strict-Transport-Security", "max-age=31536000;includeSubDomains"),
        ):
            response.headers.set(name, value)
        return response

    def control(self, request: Request) -> Response | None:
        """Key states and switches, for tests that do not share the process."""
        match request.method, request.path:
            case "POST", "/_test/keys":
                key = self.keys.add(Key.from_config(request.json()))
                return json_response(200, {"kid": self.kid(key)})
            case "POST", "/_test/rotate":
                key = self.keys.rotate(request.json()["name"])
                return json_response(200, {"kid": self.kid(key)})
            case "POST", "/_test/state":
                self._set_state(request.json())
                return json_response(200, {})
        return None

    def _set_state(self, told: dict[str, Any]) -> None:
        """{"permissions", "denial", "firewall", "throttle_for", "revoke_tokens", "key": {...}}."""
        state = dict(told)
        if "permissions" in state:
            self.permissions = frozenset(state.pop("permissions"))
        if "denial" in state:
            self.denial = state.pop("denial")
        if "firewall" in state:
            self.firewall = bool(state.pop("firewall"))
        if "throttle_for" in state:
            self.throttle_for(state.pop("throttle_for"), state.pop("retry_after", None))
        if state.pop("revoke_tokens", False):
            self.revoke_tokens()
        if "key" in state:
            self._set_key_state(dict(state.pop("key")))
        if state:
            raise ValueError(f"unknown state: {', '.join(state)}")

    def _set_key_state(self, state: dict[str, Any]) -> None:
        key = self.keys.find(state.pop("name"), state.pop("version", ""))
        if key is None:
            raise KeyError("no such key")
        for name, value in state.items():
            if name not in ("enabled", "not_before", "expires", "operations"):
                raise ValueError(f"unknown key state {name}")
            setattr(key, name, value)

    def _serve_request(self, request: Request) -> Response:
        client = self._authenticate(request)
        self._check_api_version(request)
        if self.firewall:
            raise Refused(self._firewall_error(client))
        wait = self._throttle.take()
        if wait is not None:
            raise Refused(self._throttled(wait))
        parts = request.segments
        if parts[0].lower() != "keys":
            raise Refused(self.error(404, "NotFound", f"no resource {request.path}"))
        if request.method == "GET":
            return self._get(request, client, [p for p in parts[1:] if p])
        if request.method == "POST":
            return self._operate(request, client, parts[1:])
        raise Refused(self.error(405, "MethodNotAllowed", request.method))

    # Who asks.

    def _challenge(self, message: str) -> Refused:
        response = self.error(401, "Unauthorized", message)
        response.headers.set(
            "WWW-Authenticate",
            f'Bearer authorization="{self.authority}/{self.tenant}", resource="{self.resource}"',
        )
        return Refused(response)

    def _authenticate(self, request: Request) -> str:
        """The client id of a good token; whatever the body, a 401 looks the same."""
        scheme, _, token = (request.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise self._challenge("AKV10000: Request is missing a Bearer or PoP token.")
        try:
            claims = self.issuer.verify(token.strip())
        except TokenError as error:
            if error.reason == "expired":
                raise self._challenge(f"[TokenExpired] {INVALID} 'S2S12086'.") from error
            raise self._challenge(f"[BearerReadAccessTokenFailed] {INVALID} 'S2S12005'.") from error
        if str(claims["aud"]).rstrip("/") != self.resource:
            raise self._challenge(
                f"AKV10022: Invalid audience. Expected {self.resource}, found: {claims['aud']}."
            )
        if claims["tid"] != self.tenant:
            raise self._challenge(
                "AKV10032: Invalid issuer. Expected one of "
                f"https://sts.windows.net/{self.tenant}/, found {claims['iss']}."
            )
        if claims["jti"] in self._revoked:
            raise self._challenge(f"[TokenRevoked] {INVALID} 'S2S12102'.")
        self._accepted.add(claims["jti"])
        return str(claims["appid"])

    def _check_api_version(self, request: Request) -> None:
        versions = {k.lower(): v for k, v in request.query.items()}
        version = versions.get("api-version")
        if not version:
            raise self._bad("api-version must be specified")
        if version not in API_VERSIONS:
            raise self._bad(f"The specified version ({version}) is not recognized.")

    def _firewall_error(self, client: str) -> Response:
        return self.error(
            403, "Forbidden",
            "Client address is not authorized and caller is not a trusted service.\r\n"
            f"Client address: 127.0.0.1\r\nCaller: appid={client}\r\nVault: {self.public_url}",
            "ForbiddenByFirewall",
        )

    def _throttled(self, wait: float) -> Response:
        response = self.error(429, "Throttled", THROTTLED, "VaultRequestTypeLimitReached")
        if wait > 0:
            response.headers.set("Retry-After", f"{wait:g}")
        return response

    def _require(self, permission: str, client: str, name: str, key: Key | None) -> None:
        """Permissions are looked at before existence: a stranger learns no names."""
        granted = self.client_permissions.get(client, self.permissions)
        if key is not None and key.permissions is not None:
            granted = key.permissions
        if permission in granted:
            return
        action = f"Microsoft.KeyVault/vaults/keys/{ACTIONS[permission]}"
        raise Refused(self.error(
            403, "Forbidden",
            "Caller is not authorized to perform action on resource.\r\n"
            f"Caller: appid={client};oid={client}\r\nAction: '{action}'\r\nResource: '{name}'",
            self.denial,
        ))

    def _bad(self, message: str) -> Refused:
        return Refused(self.error(400, "BadParameter", message))

    # What is asked.

    def _find(self, name: str, version: str) -> Key:
        key = self.keys.find(name, version)
        if key is None:
            shown = f"{name}/{version}" if version else name
            raise Refused(self.error(
                404, "KeyNotFound",
                f"A key with (name/id) {shown} was not found in this key vault. If you recently "
                "deleted this key you may be able to recover it using the recovery command.",
            ))
        return key

    def _get(self, request: Request, client: str, parts: list[str]) -> Response:
        if not parts:
            self._require("list", client, "keys", None)
            listed = [(self._bare_kid(k), k) for k in self.keys.current()]
            return self._page(request, "keys", listed)
        name, version = parts[0], parts[1] if len(parts) > 1 else ""
        if len(parts) > 2:
            raise Refused(self.error(404, "NotFound", f"no resource {request.path}"))
        if version.lower() == "versions":
            self._require("list", client, name, None)
            self._find(name, "")
            listed = [(self.kid(k), k) for k in self.keys.versions(name)]
            return self._page(request, f"keys/{quote(name)}/versions", listed)
        self._require("get", client, name, self.keys.find(name, version))
        key = self._find(name, version)
        self.operations.append(("get", self.kid(key)))
        return json_response(200, {
            "key": key.jwk(self.kid(key)), "attributes": key.attributes(), "tags": key.tags,
        })

    def _page(self, request: Request, path: str, listed: list[tuple[str, Key]]) -> Response:
        query = {k.lower(): v for k, v in request.query.items()}
        try:
            size = int(query.get("maxresults", self.page_size))
            start = int(base64.urlsafe_b64decode(query.get("$skiptoken", "") or b"MA=="))
        except ValueError as error:
            raise self._bad("maxresults or $skiptoken is not valid") from error
        if not 1 <= size <= PAGE_SIZE or start < 0:
            raise self._bad(f"maxresults must be between 1 and {PAGE_SIZE}")
        link = None
        if start + size < len(listed):
            token = base64.urlsafe_b64encode(str(start + size).encode()).decode()
            link = (
                f"{self.public_url}/{path}?api-version={query['api-version']}"
                f"&$skiptoken={quote(token)}&maxresults={size}"
            )
        value = [
            {"kid": kid, "attributes": key.attributes(), "tags": key.tags}
            for kid, key in listed[start : start + size]
        ]
        return json_response(200, {"value": value, "nextLink": link})

    def _operate(self, request: Request, client: str, parts: list[str]) -> Response:
        """POST {name}/{version}/{operation}; an empty version is the current one."""
        if len(parts) == 2:
            parts = [parts[0], "", parts[1]]
        operation = OPERATIONS.get(parts[-1].lower())
        if len(parts) != 3 or operation is None:
            raise Refused(self.error(404, "NotFound", f"no resource {request.path}"))
        name, version, _ = parts
        self._require(operation, client, name, self.keys.find(name, version))
        key = self._find(name, version)
        self._check_state(key, operation)
        algorithm, value = self._parameters(request)
        try:
            result = (key.wrap if operation == "wrapKey" else key.unwrap)(algorithm, value)
        except WrapError as error:
            raise self._bad(f"The parameter is incorrect. {error}".rstrip()) from error
        self.operations.append((operation, self.kid(key)))
        return json_response(200, {"kid": self.kid(key), "value": b64url(result)})

    def _check_state(self, key: Key, operation: str) -> None:
        """Dates bind wrapping only; what was wrapped can always be unwrapped."""
        def forbidden(message: str, inner: str) -> Refused:
            return Refused(self.error(403, "Forbidden", message, inner))

        if not key.enabled:
            raise forbidden(
                f"Operation {operation} is not allowed on a disabled key.", "KeyDisabled"
            )
        if operation not in key.allowed:
            raise forbidden(
                f"Operation {operation} is not permitted on this key.", "KeyOperationForbidden"
            )
        if operation == "unwrapKey":
            return
        if key.expires is not None and key.expires <= time.time():
            raise forbidden("Operation wrapKey is not allowed on an expired key.", "KeyExpired")
        if key.not_before is not None and key.not_before > time.time():
            raise forbidden(
                "Operation wrapKey is not allowed on a key not yet valid.", "KeyNotYetValid"
            )

    def _parameters(self, request: Request) -> tuple[str, bytes]:
        try:
            body = request.json()
            algorithm, value = body["alg"], unb64url(body["value"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._bad("Property 'alg' or 'value' is missing or not valid.") from error
        if not isinstance(algorithm, str):
            raise self._bad("Property 'alg' is not valid.")
        if algorithm == "RSA1_5":
            raise self._bad("Algorithm RSA1_5 is not allowed.")
        return algorithm, value


def _make(config: dict[str, Any], tls: ssl.SSLContext | None, port: int) -> Vault:
    key = config.pop("token_key", None)
    if key is None:
        raise SystemExit("config: token_key (base64, shared with the token emulator) is missing")
    keys = [Key.from_config(k) for k in config.pop("keys", [])]
    if config.pop("hsm", False):
        config.setdefault("resource", HSM_RESOURCE)
    return Vault(Issuer(base64.b64decode(key)), keys, tls=tls, port=port, **config)


if __name__ == "__main__":
    run(_make, "an emulated Key Vault")
