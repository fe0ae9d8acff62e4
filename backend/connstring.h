/* SPDX-License-Identifier: MIT */
/*
 * Connection strings of storage and of Cosmos, as the portal shows them: "Name=value;Name=value".
 *
 * Source: docs/FORMATS.md, "Connection strings".
 */
#ifndef BACKEND_CONNSTRING_H
#define BACKEND_CONNSTRING_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"

struct connection {
	char *account; /* NULL when neither said nor to be told from the endpoint */
	/* The account's key, base64 text, or NULL; of storage, account is there then. */
	struct secret_text *key;
	struct secret_text *sas; /* NULL, or a SAS; never both: the key counts */
	char *endpoint;		 /* the service: "https://host[:port][/path]", no '/' at the end */
};

/*
 * Names in any case, unknown ones ignored; UseDevelopmentStorage=true means the emulator on this
 * machine.  -EINVAL when it is malformed, says something twice, or lacks what it takes to connect.
 * No part of the text appears in *e.
 */
int connection_parse(const struct secret_text *text, struct connection *out,
		     struct err *e) MUST_CHECK;
/*
 * "AccountEndpoint=https://host[:port]/;AccountKey=...": the key and the endpoint, written as the
 * origin of a source is.  The same errors.
 */
int connection_parse_cosmos(const struct secret_text *text, struct connection *out,
			    struct err *e) MUST_CHECK;
void connection_clear(struct connection *c);
#define AUTO_CONNECTION struct connection CLEANUP(connection_clear)

#endif
