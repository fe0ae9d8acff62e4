/* SPDX-License-Identifier: MIT */
/*
 * What Azure says of a blob, in headers or in a listing's XML, as a
 * store_entry.  Both spell the same attributes differently; this is the one
 * place that knows how.  Source: docs/FORMATS.md, "Blob REST".
 */
#ifndef BACKEND_STORE_AZATTR_H
#define BACKEND_STORE_AZATTR_H

#include <stdbool.h>

#include "backend/net/http.h"
#include "backend/store/store.h"

enum { AZATTR_BIND_MAX = 256 };

enum azattr_key {
	AZATTR_NONE, /* not one that matters */
	AZATTR_ETAG,
	AZATTR_SIZE,
	AZATTR_MTIME,
	AZATTR_CONTENT_TYPE,
	AZATTR_BLOB_TYPE,
	AZATTR_TIER,
	AZATTR_RESOURCE_TYPE,
	AZATTR_CPK, /* present at all: encrypted with a customer-provided key */
	AZATTR_ENVELOPE,
	AZATTR_FOLDER,
	AZATTR_BIND,
	AZATTR_OWN_MTIME /* the metadata item, which counts more than AZATTR_MTIME */
};

/* One blob's attributes and the memory that entry points into; do not copy.  Large: not for the
 * stack. */
struct azattr {
	struct store_entry entry;
	bool has_size;
	bool folder_marker; /* hdi_isfolder; counts for empty blobs only */
	char etag[STORE_ETAG_MAX + 1];
	char content_type[256];
	bool has_own_mtime;
	int64_t own_mtime_ns;
	bool has_bind;
	size_t bind_n;
	char bind[AZATTR_BIND_MAX];
	size_t envelope_n;
	bool has_envelope;
	char envelope[STORE_METADATA_MAX + 1];
};

/* Forgets all but the (unchanged) memory. */
void azattr_reset(struct azattr *a);

/* The attribute that a listing's property element, or an item of <Metadata>, stands for. */
enum azattr_key azattr_xml_key(const char *element);
enum azattr_key azattr_metadata_key(const char *name);

/*
 * Takes one value of n bytes, NUL-terminated.  false when it cannot be what it says it is (an ETag
 * that is no header text, a size that is no number); an odd date, type or tier is read as
 * "unknown".  The first envelope and the first binding tag count; of a tag that is too long, its
 * beginning.
 */
bool azattr_set(struct azattr *a, enum azattr_key key, const char *value, size_t n) MUST_CHECK;

/* Completes the entry after the last value: name is borrowed.  false when the ETag or the size is
 * missing. */
bool azattr_finish(struct azattr *a, struct span name) MUST_CHECK;

/* All of it from the headers of an answer, whose object has size bytes.  -EIO, event
 * "net.protocol". */
int azattr_from_headers(struct azattr *a, const struct http_response *r, struct span name,
			uint64_t size, struct err *e) MUST_CHECK;

/* Strips the quotes of an ETag; false when it is not printable ASCII of 1..STORE_ETAG_MAX bytes. */
bool azattr_etag(const char *value, char out[STORE_ETAG_MAX + 1]) MUST_CHECK;

/* "Fri, 20 Nov 2026 00:00:00 GMT" in seconds since 1970. */
bool azattr_http_date(const char *value, int64_t *out) MUST_CHECK;

/* "2026-11-20T00:00:00Z" in seconds since 1970. */
bool azattr_iso_date(const char *value, int64_t *out) MUST_CHECK;

#endif
