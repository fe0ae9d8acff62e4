/* SPDX-License-Identifier: MIT */
/*
 * Storage connection strings, as the portal shows them: "Name=value;Name=value".
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
	struct secret_text
		*key; /* the account's key, base64 text, or NULL; then account is there */
	struct secret_text *sas; /* NULL, or a SAS; never both: the key counts */
	char *endpoint; /* the blob service: "https://host[:port][/path]", no '/' at the end */
};

/*
 * Names in any case, unknown ones ignored; UseDevelopmentStorage=true means the emulator on this
 * machine.  -EINVAL when it is malformed, says something twice, or lacks what it takes to connect.
 * No part of the text appears in *e.
 */
int connection_parse(const struct secret_text *text, struct connection *out,
		     struct err *e) MUST_CHECK;
void connection_clear(struct connection *c);
#define AUTO_CONNECTION struct connection CLEANUP(connection_clear)

#endif
