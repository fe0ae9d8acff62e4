/* SPDX-License-Identifier: MIT */
/*
 * Target: dek_record_parse (crypto/dekrecord.c).
 * Properties: a failure says what it is and leaves the output alone; what is accepted keeps to the
 * limits, and its etag can stand in a request's header.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "crypto/container.h"
#include "crypto/dekrecord.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_DEK_RECORD d = { 0 };
	struct err e = { 0 };
	const int r = dek_record_parse(span_of(data, n), &d, &e);

	need(r == -e.no);
	if (r < 0) {
		need(d.id == NULL && d.wrapped == NULL && e.text[0] != '\0' && e.event != NULL);
		return 0;
	}
	need(cosmos_id_is_good(d.id));
	need(d.kid[0] != '\0' && strlen(d.kid) <= 1024 && utf8_is_valid(span_str(d.kid)));
	need(d.n_wrapped >= 1 && d.n_wrapped <= 1024);
	for (const char *c = d.etag; *c != '\0'; c++)
		need(*c > ' ' && *c < 0x7f && *c != '"');
	need(dek_record_same(&d, &d));
	return 0;
}
