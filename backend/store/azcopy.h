/* SPDX-License-Identifier: MIT */
/*
 * Copies within an account, made by the service.  Most are done with the answer; one that goes on
 * is waited for, and called off at the deadline.
 */
#ifndef BACKEND_STORE_AZCOPY_H
#define BACKEND_STORE_AZCOPY_H

#include "backend/store/azget.h"
#include "backend/store/storewrite.h"

struct azcopy {
	const struct azservice *service;
	const char *from, *if_match; /* URL; the version, NULL = the current one */
	const char *to;		     /* URL */
	struct store_condition c;    /* of the target */
};

/*
 * As store_copy.  -EIO, event "remote.copy", when the service gives up.  A copy that failed or was
 * called off leaves nothing under the new name.
 */
int azcopy_run(const struct azcopy *c, struct store_written *out, struct deadline d,
	       struct err *e) MUST_CHECK;

#endif
