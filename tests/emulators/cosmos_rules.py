# SPDX-License-Identifier: MIT
"""What the service refuses to store: ids, containers, policies and keys that break its rules."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Any

ALGORITHM = "AEAD_AES_256_CBC_HMAC_SHA256"
ENCRYPTION_TYPES = ("Deterministic", "Randomized")
POLICY_VERSIONS = (1, 2)
MAX_ID_BYTES = 1023
MAX_LEVELS = 3
_POLICY_MEMBERS = ("path", "clientEncryptionKeyId", "encryptionType", "encryptionAlgorithm")


class Forbidden(ValueError):
    """A rule that is broken; the answer is 400."""


def check_id(value: Any, more: str = "") -> str:
    """An id that may be stored; `more` are characters that this kind of resource forbids too."""
    if not isinstance(value, str) or not value:
        raise Forbidden("The input content is invalid because the required properties - 'id; ' - are "
                        "missing")
    if any(c in value for c in "/\\" + more) or value != value.rstrip(" "):
        raise Forbidden("The input name is invalid. Ensure to provide a unique non-empty string less "
                        "than '1023' characters, without '/' and '\\' and no blank at its end.")
    if len(value.encode("utf-8", "replace")) > MAX_ID_BYTES:
        raise Forbidden(f"The id is longer than {MAX_ID_BYTES} bytes.")
    return value


def check_container(told: Any, keys: Collection[str]) -> dict[str, Any]:
    """A container's definition with what the service fills in."""
    if not isinstance(told, dict):
        raise Forbidden("The request body is not an object.")
    check_id(told.get("id"), "?#")
    made = {n: v for n, v in told.items() if not n.startswith("_")}
    made["partitionKey"] = _check_partition_key(told.get("partitionKey"))
    made.setdefault("indexingPolicy", {
        "indexingMode": "consistent", "automatic": True, "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": '/"_etag"/?'}],
    })
    made.setdefault("conflictResolutionPolicy", {
        "mode": "LastWriterWins", "conflictResolutionPath": "/_ts",
        "conflictResolutionProcedure": "",
    })
    made.setdefault("geospatialConfig", {"type": "Geography"})
    if made.get("clientEncryptionPolicy") is not None:
        check_policy(made["clientEncryptionPolicy"], made["partitionKey"], keys)
    return made


def _check_partition_key(told: Any) -> dict[str, Any]:
    if told is None:
        return {"paths": ["/_partitionKey"], "kind": "Hash", "version": 2, "systemKey": True}
    paths = told.get("paths") if isinstance(told, dict) else None
    if not isinstance(paths, list) or not 1 <= len(paths) <= MAX_LEVELS:
        raise Forbidden("The partition key definition needs one to three paths.")
    if not all(isinstance(p, str) and p.startswith("/") and len(p) > 1 for p in paths):
        raise Forbidden("A partition key path begins with '/'.")
    kind = told.get("kind", "MultiHash" if len(paths) > 1 else "Hash")
    if kind not in ("Hash", "MultiHash") or (kind == "Hash" and len(paths) > 1):
        raise Forbidden(f"Partition key kind {kind!r} does not fit {len(paths)} paths.")
    version = told.get("version", 1 if kind == "Hash" else 2)
    if version not in ((1, 2) if kind == "Hash" else (2,)):
        raise Forbidden(f"Partition key version {version!r} is not supported for {kind}.")
    return {**told, "kind": kind}


def check_policy(policy: Any, partition_key: dict[str, Any], keys: Collection[str]) -> None:
    """A client encryption policy: its version, its paths and that its keys exist."""
    if not isinstance(policy, dict) or not isinstance(policy.get("includedPaths"), list):
        raise Forbidden("ClientEncryptionPolicy needs includedPaths.")
    version = policy.get("policyFormatVersion")
    if version not in POLICY_VERSIONS or isinstance(version, bool):
        raise Forbidden(f"ClientEncryptionPolicy has the unsupported policyFormatVersion {version!r}.")
    key_tops = {f"/{p.split('/')[1]}" for p in partition_key["paths"]}
    seen: set[str] = set()
    for entry in policy["includedPaths"]:
        if not isinstance(entry, dict) or not all(isinstance(entry.get(n), str) for n in _POLICY_MEMBERS):
            raise Forbidden("An entry of ClientEncryptionPolicy lacks a property.")
        path, kind = entry["path"], entry["encryptionType"]
        if not path.startswith("/") or len(path) < 2 or "/" in path[1:]:
            raise Forbidden(f"ClientEncryptionPolicy: {path!r} is not a path of one level.")
        if path in seen:
            raise Forbidden(f"ClientEncryptionPolicy: {path!r} is there twice.")
        seen.add(path)
        if kind not in ENCRYPTION_TYPES:
            raise Forbidden(f"ClientEncryptionPolicy: {kind!r} is no encryption type.")
        if entry["encryptionAlgorithm"] != ALGORITHM:
            raise Forbidden(f"ClientEncryptionPolicy: {entry['encryptionAlgorithm']!r} is no algorithm.")
        if entry["clientEncryptionKeyId"] not in keys:
            raise Forbidden(f"ClientEncryptionKey {entry['clientEncryptionKeyId']!r} does not exist.")
        if path in key_tops | {"/id"} and (version < 2 or kind != "Deterministic"):
            raise Forbidden(f"ClientEncryptionPolicy: {path!r} can only be encrypted with "
                            "policyFormatVersion 2 and Deterministic.")


def check_unchanged(old: dict[str, Any], new: dict[str, Any]) -> None:
    """What a container keeps for ever."""
    if new.get("clientEncryptionPolicy") != old.get("clientEncryptionPolicy"):
        raise Forbidden("ClientEncryptionPolicy of a container cannot be changed.")
    if new["id"] != old["id"] or new["partitionKey"]["paths"] != old["partitionKey"]["paths"]:
        raise Forbidden("The id and the partition key of a container cannot be changed.")


def check_key(told: Any) -> dict[str, Any]:
    """A client encryption key as it is sent."""
    if not isinstance(told, dict):
        raise Forbidden("The request body is not an object.")
    check_id(told.get("id"), "?#")
    if told.get("encryptionAlgorithm") != ALGORITHM:
        raise Forbidden(f"ClientEncryptionKey needs the algorithm {ALGORITHM}.")
    metadata = told.get("keyWrapMetadata")
    if not isinstance(metadata, dict) or not all(
        isinstance(metadata.get(n), str) for n in ("type", "name", "value", "algorithm")
    ):
        raise Forbidden("ClientEncryptionKey needs keyWrapMetadata of four strings.")
    try:
        wrapped = base64.b64decode(told.get("wrappedDataEncryptionKey"), validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise Forbidden("wrappedDataEncryptionKey is not base64.") from error
    if not wrapped:
        raise Forbidden("wrappedDataEncryptionKey is empty.")
    return told
