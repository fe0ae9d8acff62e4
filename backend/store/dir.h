/* SPDX-License-Identifier: MIT */
/*
 * dir: sealed objects in a local directory, as an offline export has them.  No server, no account.
 * The layout is described in docs/FORMATS.md, "The dir: store".
 *
 *   ROOT/azcryptfs-store.json  {"format":"azcryptfs-dir","version":1,"kind":"blobs"}
 *   ROOT/objects/              a name is split at '/'; every component but the last is a directory
 *                              ENC.d, the last a metadata file ENC.m, which names its content file
 *                              (ENC.<16 hex>.x, in the same directory) and is renamed into place
 *                              last
 *
 * ENC keeps A-Z a-z 0-9 _ - and '.' (not as a component's first character); other bytes are %XX
 * (upper case), the empty component is "%", and what is longer than 200 bytes is cut into pieces of
 * up to 200 (never inside %XX), all but the last being directories PIECE.c.
 *
 * ENC.m: {"version":1,"name":...,"content":...,"length":N,"etag":...,
 * "last_modified":"2026-11-20T00:00:00Z","content_type":...,
 * "blob_type":"BlockBlob"|"PageBlob"|"AppendBlob","metadata":{...}}.
 *
 * A symbolic link below objects/, and a file that is not spelled so, is no part of the store.  An
 * object whose metadata file is malformed is listed (size 0, an envelope that cannot be read), so
 * that it does not hide its neighbours; all else says -EBADMSG and names the file.
 */
#ifndef BACKEND_STORE_DIR_H
#define BACKEND_STORE_DIR_H

#include "backend/store/store.h"

/* path: the root; prefix: "" or names below "prefix/" only.  -ENOENT, -ENOTDIR, -EINVAL when it is
 * not such a store or of a newer version. */
int dir_store_open(const char *path, const char *prefix, struct store **out,
		   struct err *e) MUST_CHECK;

#endif
