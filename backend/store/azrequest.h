/* SPDX-License-Identifier: MIT */
/*
 * One request that writes: what it says in headers, and what was made of it.  Source:
 * docs/FORMATS.md, "Blob writing".
 */
#ifndef BACKEND_STORE_AZREQUEST_H
#define BACKEND_STORE_AZREQUEST_H

#include "backend/store/azget.h"
#include "backend/store/storewrite.h"

enum { AZREQUEST_OWNED_MAX = HTTP_REQUEST_HEADERS_MAX, AZREQUEST_QUOTED_MAX = STORE_ETAG_MAX + 3 };

/* Large: not for deep stacks.  What goes wrong while it is put together is said when it is sent. */
struct azrequest {
	struct http_request req; /* body and url_header are set by whoever builds it */
	size_t n;		 /* headers */
	char *owned[AZREQUEST_OWNED_MAX];
	size_t n_owned;
	int no; /* errno of the first thing that went wrong */
	const char *why;
};

/* method and url are borrowed until it has been sent. */
void azrequest_init(struct azrequest *q, const char *method, const char *url);
void azrequest_clear(struct azrequest *q);
#define AUTO_AZREQUEST struct azrequest CLEANUP(azrequest_clear)

/* Borrowed.  -EINVAL later when the value is not one line of ASCII. */
void azrequest_header(struct azrequest *q, const char *name, const char *value);
/* An ETag, in quotes; NULL: nothing. */
void azrequest_etag(struct azrequest *q, const char *name, const char *etag);
void azrequest_condition(struct azrequest *q, struct store_condition c);
/* All x-ms-meta- headers; x-ms-blob-content-type and its like. */
void azrequest_metadata(struct azrequest *q, const struct store_properties *p);
void azrequest_properties(struct azrequest *q, const struct store_properties *p);

/* Sends it; 0 with an answer of any status.  The service may have carried out an earlier attempt
 * than the one that was answered. */
int azrequest_send(const struct azservice *s, struct azrequest *q, struct deadline d,
		   struct http_response *out, struct err *e) MUST_CHECK;

/* The version that a 2xx answer speaks of.  false when it names none. */
bool azrequest_made(const struct http_response *r, struct store_written *out) MUST_CHECK;

#endif
