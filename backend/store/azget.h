/* SPDX-License-Identifier: MIT */
/*
 * Reading one blob: its attributes and its bytes.  Nothing that the service
 * says is believed: an answer that is not what was asked for is thrown away,
 * asked for once more, and then a failure.  Source: docs/FORMATS.md, "Blob reading".
 */
#ifndef BACKEND_STORE_AZGET_H
#define BACKEND_STORE_AZGET_H

#include "backend/net/http.h"
#include "backend/store/store.h"

#define AZGET_VERSION                                                                          \
	"2021-12-02" /* x-ms-version of all requests: the newest that has no surprises for old \
			accounts */

struct azservice {
	struct http_client *client;
	struct http_auth *auth; /* NULL = anonymous */
};

/* As store_head and store_get; url is the blob's, name what it is called in entries. */
int azget_head(const struct azservice *s, const char *url, const char *name,
	       const char *if_none_match, struct store_list_sink sink, bool *out_same,
	       struct deadline d, struct err *e) MUST_CHECK;
int azget_bytes(const struct azservice *s, const char *url, const struct store_get *get,
		struct store_get_sink sink, bool *out_same, struct deadline d,
		struct err *e) MUST_CHECK;

/* GET of a small text into page (reset first; its ceiling counts); complete says whether a 200
 * answer's body is whole.  Other statuses: see azerror.h. */
int azget_text(const struct azservice *s, const char *url, bool (*complete)(struct span body),
	       struct buf *page, struct http_response *out, struct deadline d,
	       struct err *e) MUST_CHECK;

#endif
