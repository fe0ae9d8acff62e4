/* SPDX-License-Identifier: MIT */
/*
 * What a refusal of the blob service means: an errno, a sentence and, where
 * there is one, what the user can do.  Source: docs/FORMATS.md, "Blob errors".
 */
#ifndef BACKEND_STORE_AZERROR_H
#define BACKEND_STORE_AZERROR_H

#include "backend/net/http.h"
#include "backend/store/storewrite.h"
#include "base/err.h"

/*
 * Records the failure that an answer other than 2xx and 304 stands for, and returns -errno.  The
 * code is taken from the header x-ms-error-code, else from the XML body.  Text that the service
 * wrote is not repeated: it may quote signatures.
 */
int azerror_set(const struct http_response *r, struct err *e);

/*
 * The same for a write with condition c.  What a reader is told otherwise: a condition that does
 * not hold is -EEXIST or -ESTALE, none to be replaced -ESTALE, a name that cannot be -EINVAL.
 */
int azerror_set_write(const struct http_response *r, struct store_condition c, struct err *e);

/* The service's code, such as "BlobNotFound", "" when it gave none. */
enum { AZERROR_CODE_MAX = 63 };
void azerror_code(const struct http_response *r, char out[AZERROR_CODE_MAX + 1]);

#endif
