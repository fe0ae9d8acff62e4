/* SPDX-License-Identifier: MIT */
/* Target: dirmeta_parse (backend/store/dirmeta.c).  Whatever is accepted names its own content and
 * no other file. */
#include <errno.h>
#include <stdlib.h>

#include "backend/store/dirmeta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dirmeta m = { .json = NULL };
	struct err e = { 0 };
	int r = dirmeta_parse(span_of(data, n), span_str("a"), "a", &m, &e);

	if ((r == 0) != (e.no == 0) || (r != 0 && r != -EBADMSG))
		abort();
	if (r != 0)
		return 0;
	if (strlen(m.content) != 20 || strncmp(m.content, "a.", 2) != 0 ||
	    strchr(m.content, '/') != NULL)
		abort();
	if (m.entry.etag[0] == '\0' || strlen(m.entry.etag) > STORE_ETAG_MAX ||
	    m.entry.envelope.n > STORE_METADATA_MAX)
		abort();
	dirmeta_clear(&m);
	return 0;
}
