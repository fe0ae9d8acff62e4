# SPDX-License-Identifier: MIT
"""A Cosmos DB account's gateway, the part that clients of encrypted documents use.

Serves the account, databases, containers with their client encryption policy, client encryption
keys, feed ranges that split and merge, and documents: points, feeds, queries, the change feed. A
document's text is kept byte for byte. In front of it: signatures, Entra ID tokens with data actions,
resource tokens, throttling, request charges, session tokens. No stored procedures, triggers, users,
batches, patches, offers, all-versions change feed; of SQL what cosmos_sql.py says.
Source: the Cosmos DB REST reference; the official client judges it in
tests/interop/test_cosmos_sdk.py.

    python -m tests.emulators.cosmos --port 0 --config cosmos.json
"""

from __future__ import annotations

import base64
import json
import math
import re
import ssl
import uuid
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.emulators import cosmos_auth as auth
from tests.emulators.cosmos_call import (
    CODES,
    OWNER_GONE,
    STALE_RID,
    TOO_MANY_REQUESTS,
    Call,
    Received,
    Refused,
    answer,
    bad,
    error_response,
    list_page,
)
from tests.emulators.cosmos_feed import DEFAULT_COUNT
from tests.emulators.cosmos_items import Items
from tests.emulators.cosmos_rules import (
    Forbidden,
    check_container,
    check_id,
    check_key,
    check_unchanged,
)
from tests.emulators.cosmos_sql import SqlError, compile_query
from tests.emulators.cosmos_store import Account, Container, Database, Document
from tests.emulators.faults import DEFAULT_CODES
from tests.emulators.jwt import Issuer
from tests.emulators.server import Server, run
from tests.emulators.throttle import Budget, Throttle
from tests.emulators.tokens import Tokens
from tests.emulators.wire import Request, Response, json_response

VERSION = re.compile(r"20\d\d-\d\d-\d\d(\.\d+)?")
NOT_FOUND = "Resource Not Found. Learn more: https://aka.ms/cosmosdb-tsg-not-found"


class Cosmos(Server):
    """One account.

    `tokens` vouches for Entra ID's tokens: the token endpoint or its `issuer`; None takes none.
    `public_url` is what the account says of its own location (default: the server's own URL). A new
    container has `ranges` feed ranges.
    """

    def __init__(
        self,
        *,
        key: str = auth.DEFAULT_KEY,
        tokens: Tokens | Issuer | None = None,
        ranges: int = 1,
        public_url: str | None = None,
        page_size: int = DEFAULT_COUNT,
        empty_page_every: int = 0,
        check_signatures: bool = True,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        super().__init__(tls=tls, host=host, port=port)
        self.key = key
        self.account = Account(ranges)
        #: Who may ask, and what; its fields may be changed at any time.
        self.gate = auth.Gate(
            base64.b64decode(key), tokens.issuer if isinstance(tokens, Tokens) else tokens,
            check_signatures=check_signatures,
        )
        #: Size of a page of resources other than documents.
        self.page_size = page_size
        #: 0, or 2 and more: each so-many-th page of documents is empty and goes on.
        self.empty_page_every = empty_page_every
        #: So many of the next requests with a session token are told 404/1002.
        self.session_behind = 0
        #: True: documents are not stored as they were sent, but printed anew.
        self.reprints = False
        #: Every write to documents that was let in, with its bytes; credentials left out.
        self.received: list[Received] = []
        #: True: this address is not on the account's firewall list.
        self.firewall = False
        #: Request units charged so far.
        self.charged = 0.0
        self._public_url = public_url
        self._throttle = Throttle()
        self._budget = Budget()
        self._items = Items(self)

    @property
    def public_url(self) -> str:
        return (self._public_url or self.url).replace("{port}", str(self.port)).rstrip("/")

    @property
    def connection_string(self) -> str:
        return f"AccountEndpoint={self.public_url}/;AccountKey={self.key};"

    # Switches for tests.

    def limit(self, count: int, seconds: float, retry_after: float | None = None) -> None:
        """Serve at most count requests in any window of so many seconds."""
        self._throttle.limit(count, seconds, retry_after)

    def throttle_for(self, seconds: float, retry_after: float | None = None) -> None:
        """Answer 429 to everything for so long; 0 ends it."""
        self._throttle.block(seconds, retry_after)

    def limit_units(self, per_second: float | None) -> None:
        """Serve so many request units a second, then answer 429; None ends it."""
        self._budget.limit(per_second)

    def database(self, name: str) -> Database:
        """That database, made where it is missing."""
        with self.account.lock:
            return self.account.database(name) or self.account.add_database(name)

    def container(self, database: str, name: str) -> Container:
        found = self.database(database).container(name)
        if found is None:
            raise KeyError(f"no container {database}/{name}")
        return found

    def add_container(
        self, database: str, definition: dict[str, Any], ranges: int | None = None
    ) -> Container:
        """A container as a client would make it; KeyError, Forbidden where the service refuses."""
        owner = self.database(database)
        with self.account.lock:
            return self.account.add_container(
                owner, check_container(definition, owner.keys), ranges
            )

    def put_raw(self, container: Container, text: str | bytes, **place: Any) -> Document:
        """A document as the service stores it, unchecked; see Container.put_raw."""
        with self.account.lock:
            return container.put_raw(text, **place)

    def split(self, container: Container, range_id: str = "0", at: str | None = None) -> None:
        """Split a feed range; its id answers 410/1002 from now on."""
        with self.account.lock:
            container.split(range_id, at)

    def merge(self, container: Container, range_id: str, other_id: str) -> None:
        """Make one of two neighbouring feed ranges."""
        with self.account.lock:
            container.merge(range_id, other_id)

    def recreate(self, database: str, name: str) -> Container:
        """The container deleted and made anew: empty, with another resource id."""
        return self.account.recreate(database, name)

    # Requests.

    def error(self, status: int, code: str, message: str) -> Response:
        if code in ("Error", DEFAULT_CODES.get(status)):
            code = CODES.get(status, code)
        return error_response(status, code, message)

    def handle(self, request: Request) -> Response:
        call = Call(request, [s for s in request.segments if s])
        try:
            self._admit(call)
            with self.account.lock:
                response = self._route(call)
        except Refused as refused:
            response = self._refusal(refused)
        except Forbidden as error:
            response = self._refusal(bad(str(error)))
        self._charge(response)
        fields = response.headers.fields
        if "x-ms-activity-id" not in response.headers:
            fields.append(("x-ms-activity-id", call.header("x-ms-activity-id") or str(uuid.uuid4())))
        fields += (
            ("x-ms-gatewayversion", "2.0.0"), ("x-ms-serviceversion", "version=2.14.0.0"),
            ("x-ms-schemaversion", "1.19"), ("Strict-Transport-Security", "max-age=31536000"),
        )
        return response

    def _refusal(self, refused: Refused) -> Response:
        if refused.status == 304:
            response = answer(304)
        else:
            response = self.error(refused.status, CODES.get(refused.status, "Error"), refused.message)
            response.headers.set("x-ms-request-charge", "0")
        if refused.substatus:
            response.headers.set("x-ms-substatus", str(refused.substatus))
        for name, value in refused.headers.items():
            response.headers.set(name, value)
        return response

    def _charge(self, response: Response) -> None:
        units = float(response.headers.get("x-ms-request-charge") or 0)
        self._budget.spend(units)
        with self._lock:
            self.charged += units

    def _admit(self, call: Call) -> None:
        """Who asks, and whether there is room."""
        version = call.header("x-ms-version") or ""
        if not VERSION.fullmatch(version):
            raise bad(f"The version header {version!r} is not valid.")
        self.gate.audience = f"https://{urlsplit(self.public_url).hostname}"
        try:
            self.gate.check(
                call.header("authorization"), call.method, call.segments,
                call.header("x-ms-date") or call.header("date"), _action(call), self._by_rid(call),
            )
        except auth.Denied as denied:
            raise Refused(denied.status, denied.message, denied.substatus) from denied
        if self.firewall:
            raise Refused(403, "Request originated from IP 127.0.0.1 through public internet. This is "
                               "blocked by your Cosmos DB account firewall settings.")
        wait = self._throttle.take()
        if wait is None:
            wait = self._budget.wait() or None
        if wait is not None:
            raise Refused(429, "Request rate is large. More Request Units may be needed, so no changes "
                               "were made.", TOO_MANY_REQUESTS,
                          x_ms_retry_after_ms=str(math.ceil(wait * 1000)))

    def _keep(self, call: Call) -> None:
        writes = call.method in ("PUT", "DELETE") or (
            call.method == "POST" and not call.is_query and not call.is_plan
        )
        if writes and call.segments[4:5] == ["docs"]:
            headers = {n: v for n, v in call.headers.items() if n != "authorization"}
            self.received.append(
                Received(call.method, "/".join(call.segments), headers, call.request.body)
            )

    def _by_rid(self, call: Call) -> bool:
        if len(call.segments) < 2 or call.segments[0] != "dbs":
            return False
        name = call.segments[1]
        return name not in self.account.databases and self.account.database(name) is not None

    def _route(self, call: Call) -> Response:
        self._keep(call)
        match call.segments:
            case []:
                return self._account(call)
            case ["dbs"]:
                return self._databases(call)
            case ["offers"]:
                return list_page(call, "Offers", "", [], self.page_size)
            case ["dbs", name, *rest]:
                database = self.account.database(name)
                if database is None:
                    raise Refused(404, NOT_FOUND, OWNER_GONE if rest else 0)
                return self._in_database(call, database, rest)
        raise bad(f"The request path {call.request.path} is not valid.")

    def _in_database(self, call: Call, database: Database, rest: list[str]) -> Response:
        match rest:
            case []:
                return self._one_database(call, database)
            case ["colls"]:
                return self._containers(call, database)
            case ["clientencryptionkeys"]:
                return self._keys(call, database)
            case ["clientencryptionkeys", name]:
                return self._one_key(call, database, name)
            case ["colls", name, *more]:
                container = database.container(name)
                if container is None:
                    raise Refused(404, NOT_FOUND, OWNER_GONE if more else 0)
                wanted = call.header("x-ms-cosmos-intended-collection-rid")
                if wanted is not None and wanted != container.rid:
                    raise bad(f"Collection rid in the request {wanted} does not match the one on the "
                              f"service {container.rid}.", STALE_RID)
                return self._in_container(call, database, container, more)
        raise bad(f"The request path {call.request.path} is not valid.")

    def _in_container(
        self, call: Call, database: Database, container: Container, rest: list[str]
    ) -> Response:
        match rest:
            case []:
                return self._one_container(call, database, container)
            case ["docs"]:
                return self._items.serve(call, container)
            case ["docs", name]:
                return self._items.serve_one(call, container, name)
            case ["pkranges"] if call.method == "GET":
                return self._ranges(call, container)
        raise bad(f"The request path {call.request.path} is not valid.")

    # Resources.

    def _account(self, call: Call) -> Response:
        if call.method != "GET":
            raise Refused(405, f"{call.method} is not supported on the account.")
        place = [{"name": "Local", "databaseAccountEndpoint": f"{self.public_url}/"}]
        policy = {"minReplicaSetSize": 3, "maxReplicasetSize": 4}
        return answer(200, {
            "_self": "", "id": "emulator", "_rid": "emulator.documents.azure.com", "_dbs": "//dbs/",
            "media": "//media/", "addresses": "//addresses/", "writableLocations": place,
            "readableLocations": place, "enableMultipleWriteLocations": False,
            "userReplicationPolicy": {"asyncReplication": False, **policy},
            "systemReplicationPolicy": policy,
            "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
            "queryEngineConfiguration": json.dumps({
                "maxSqlQueryInputLength": 262144, "sqlAllowTop": True, "allowNewKeywords": True,
            }),
        })

    def _databases(self, call: Call) -> Response:
        if call.method == "POST" and not call.is_query:
            told = call.json()
            name = check_id(told.get("id") if isinstance(told, dict) else None, "?#")
            if name in self.account.databases:
                raise Refused(409, "Resource with specified id or name already exists.")
            made = self.account.add_database(name).resource
            return answer(201, made, etag=made["_etag"])
        rows = [d.resource for d in self.account.databases.values()]
        return self._listed(call, "Databases", "", rows)

    def _listed(self, call: Call, name: str, rid: str, rows: list[dict[str, Any]]) -> Response:
        """A feed of resources, or a query over it."""
        if call.method != "GET" and not call.is_query:
            raise Refused(405, f"{call.method} is not supported on {name}.")
        if call.is_query:
            told = call.json()
            try:
                query = compile_query(str(told["query"]), told.get("parameters"))
            except (SqlError, TypeError, KeyError) as error:
                raise bad(f"Query: {error}") from error
            texts = [json.dumps(r).encode() for r in rows]
            rows = [json.loads(query.row(t) or b"null") for t in texts if query.matches(t)]
        return list_page(call, name, rid, rows, self.page_size)

    def _one_database(self, call: Call, database: Database) -> Response:
        if call.method == "DELETE":
            del self.account.databases[database.id]
            return answer(204)
        if call.method != "GET":
            raise Refused(405, f"{call.method} is not supported on a database.")
        return answer(200, database.resource, etag=database.resource["_etag"])

    def _containers(self, call: Call, database: Database) -> Response:
        if call.method == "POST" and not call.is_query:
            made = check_container(call.json(), database.keys)
            if made["id"] in database.containers:
                raise Refused(409, "Resource with specified id or name already exists.")
            container = self.account.add_container(database, made)
            return answer(201, container.definition, etag=container.definition["_etag"])
        rows = [c.definition for c in database.containers.values()]
        return self._listed(call, "DocumentCollections", database.rid, rows)

    def _one_container(self, call: Call, database: Database, container: Container) -> Response:
        if call.method == "DELETE":
            del database.containers[container.id]
            return answer(204)
        if call.method == "PUT":
            call.check_match(container.definition["_etag"])
            new = check_container(call.json(), database.keys)
            check_unchanged(container.definition, new)
            container.definition.update(new, _etag=f'"{uuid.uuid4()}"')
        elif call.method == "GET":
            call.check_modified(container.definition["_etag"])
        else:
            raise Refused(405, f"{call.method} is not supported on a container.")
        size = container.size() >> 10
        quota = call.flag("x-ms-documentdb-populatequotainfo")
        usage = (f"documentSize={size >> 10};documentsSize={size};documentsCount={len(container)};"
                 f"collectionSize={size}") if quota else None
        session = ",".join(f"{r.id}:-1#{r.lsn}" for r in container.ranges)
        return answer(200, container.definition, etag=container.definition["_etag"],
                      x_ms_resource_usage=usage, x_ms_session_token=session)

    def _keys(self, call: Call, database: Database) -> Response:
        if call.method == "POST" and not call.is_query:
            told = check_key(call.json())
            if told["id"] in database.keys:
                raise Refused(409, "Resource with specified id or name already exists.")
            made = database.put_key(told)
            return answer(201, made, etag=made["_etag"])
        rows = list(database.keys.values())
        return self._listed(call, "ClientEncryptionKeys", database.rid, rows)

    def _one_key(self, call: Call, database: Database, name: str) -> Response:
        found = database.keys.get(name)
        if found is None:
            raise Refused(404, NOT_FOUND)
        if call.method == "PUT":
            call.check_match(found["_etag"])
            told = check_key(call.json())
            if told["id"] != name:
                raise bad("The id of a client encryption key cannot be changed.")
            found = database.put_key(told)
        elif call.method == "GET":
            call.check_modified(found["_etag"])
        else:
            raise Refused(405, f"{call.method} is not supported on a client encryption key.")
        return answer(200, found, etag=found["_etag"])

    def _ranges(self, call: Call, container: Container) -> Response:
        """All ranges at once; a client that has seen this state already is told 304."""
        etag = '"' + ".".join(r.id for r in container.ranges) + '"'
        call.check_modified(etag)
        rows = [r.to_json(container.rid) for r in container.ranges]
        response = list_page(call, "PartitionKeyRanges", container.rid, rows, self.page_size)
        response.headers.set("etag", etag)
        return response

    # Steering over HTTP.

    def control(self, request: Request) -> Response | None:
        """Switches and ranges, for tests that do not share the process."""
        match request.method, request.path:
            case "POST", "/_test/state":
                self._set_state(request.json())
            case "POST", "/_test/split":
                told = request.json()
                container = self.container(told["database"], told["container"])
                self.split(container, str(told.get("range", "0")), told.get("at"))
            case "POST", "/_test/merge":
                told = request.json()
                container = self.container(told["database"], told["container"])
                self.merge(container, *map(str, told["ranges"]))
            case "POST", "/_test/recreate":
                told = request.json()
                self.recreate(told["database"], told["container"])
            case "GET", "/_test/received":
                return json_response(200, [
                    {**told._asdict(), "body": base64.b64encode(told.body).decode()}
                    for told in self.received
                ])
            case "GET", "/_test/charged":
                return json_response(200, {"units": self.charged})
            case _:
                return None
        return json_response(200, {})

    def _set_state(self, told: dict[str, Any]) -> None:
        """{"firewall", "units_per_second", "throttle_for", "retry_after", "session_behind",
        "empty_page_every", "reprints", "check_signatures", "actions", "local"}."""
        state = dict(told)
        for name in ("firewall", "session_behind", "empty_page_every", "reprints"):
            if name in state:
                setattr(self, name, state.pop(name))
        for name in ("check_signatures", "local"):
            if name in state:
                setattr(self.gate, name, bool(state.pop(name)))
        if "actions" in state:
            self.gate.actions = frozenset(state.pop("actions"))
        if "units_per_second" in state:
            self.limit_units(state.pop("units_per_second"))
        if "throttle_for" in state:
            self.throttle_for(state.pop("throttle_for"), state.pop("retry_after", None))
        if state:
            raise ValueError(f"unknown state: {', '.join(state)}")


def _action(call: Call) -> str | None:
    """The data action that a request needs; None where Entra ID's tokens may not at all."""
    if len(call.segments) < 5 or call.segments[4] != "docs":
        return auth.READ_METADATA if call.method == "GET" or call.is_query else None
    if call.is_query or call.is_plan:
        return auth.QUERY
    if call.method == "GET":
        if call.is_change_feed:
            return auth.CHANGE_FEED
        return auth.READ_ITEM if len(call.segments) > 5 else auth.READ_FEED
    if call.method == "POST":
        upsert = call.flag("x-ms-documentdb-is-upsert")
        return auth.UPSERT_ITEM if upsert else auth.CREATE_ITEM
    return {"PUT": auth.REPLACE_ITEM, "DELETE": auth.DELETE_ITEM}.get(call.method)


def generated(told: dict[str, Any]) -> Iterator[tuple[list[Any], str, bytes]]:
    """Documents from a template: {"template", "count", "partitions", "id", "key"}.

    In the texts `template`, `id` and `key`, `{n}` is the document's number, `{p}` its number modulo
    `partitions`. `key` (default `p{p}`) is the partition key's value, or a list for a hierarchical one.
    """
    template, name, key = told["template"], told.get("id", "{n}"), told.get("key", "p{p}")
    partitions = int(told.get("partitions", 1000))

    def filled(text: str, n: str, p: str) -> str:
        return text.replace("{n}", n).replace("{p}", p)

    for i in range(int(told["count"])):
        n, p = str(i), str(i % partitions)
        keys = key if isinstance(key, list) else [key]
        yield [filled(k, n, p) for k in keys], filled(name, n, p), filled(template, n, p).encode()


def load(server: Cosmos, databases: Iterable[dict[str, Any]]) -> None:
    """Databases from a configuration: keys, containers, documents given or generated."""
    for told in databases:
        database = server.database(told["id"])
        for key in told.get("keys", ()):
            database.put_key(check_key(key))
        for container_told in told.get("containers", ()):
            definition = dict(container_told)
            documents = definition.pop("documents", ())
            generate = definition.pop("generate", None)
            ranges = definition.pop("ranges", None)
            container = server.add_container(told["id"], definition, ranges)
            for text in documents:
                server.put_raw(container, text)
            if generate is not None:
                container.fill(generated(generate))


def _make(config: dict[str, Any], tls: ssl.SSLContext | None, port: int) -> Cosmos:
    token_key = config.pop("token_key", None)
    databases = config.pop("databases", [])
    tokens = Issuer(base64.b64decode(token_key)) if token_key else None
    server = Cosmos(tokens=tokens, tls=tls, port=port, **config)
    load(server, databases)
    return server


if __name__ == "__main__":
    run(_make, "an emulated Cosmos DB account")
