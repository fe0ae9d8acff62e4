/* SPDX-License-Identifier: MIT */
/* Documents of Cosmos DB, created, replaced and deleted: see docstore.h. */
#ifndef BACKEND_STORE_COSMOSWRITE_H
#define BACKEND_STORE_COSMOSWRITE_H

#include "backend/store/cosmoscall.h"

int cosmoswrite_put(const struct cosmosservice *s, const struct docstore_at *at,
		    const struct docstore_put *put, char etag[static DOCSTORE_ETAG_MAX + 1],
		    struct deadline d, struct err *e) MUST_CHECK;
int cosmoswrite_delete(const struct cosmosservice *s, const struct docstore_at *at,
		       const char *partition, const char *id, const char *etag, struct deadline d,
		       struct err *e) MUST_CHECK;

#endif
