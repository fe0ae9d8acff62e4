/* SPDX-License-Identifier: MIT */
/* Single documents of a dir: store, put and deleted by a mount: see docstore.h. */
#ifndef BACKEND_STORE_DOCDIRPUT_H
#define BACKEND_STORE_DOCDIRPUT_H

#include "backend/store/docstore.h"

/* docstore_put and docstore_delete below the directory databases/. */
int docdirput_put(int databases, const struct docstore_at *at, const struct docstore_put *put,
		  char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d,
		  struct err *e) MUST_CHECK;
int docdirput_delete(int databases, const struct docstore_at *at, const char *partition,
		     const char *id, const char *etag, struct deadline d, struct err *e) MUST_CHECK;

#endif
