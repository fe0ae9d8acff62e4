/* SPDX-License-Identifier: MIT */
/* Target: dirname_decode and dirname_encode (backend/store/dirname.c).  What is decoded encodes to
 * the same, and the other way round. */
#include <stdlib.h>

#include "backend/store/dirname.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must_be_equal(struct span a, struct span b)
{
	if (a.n != b.n || (a.n > 0 && memcmp(a.p, b.p, a.n) != 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct span input = span_of(data, n);
	struct buf decoded, encoded;
	struct err e = { 0 };

	buf_init(&decoded, n + 1);
	buf_init(&encoded, 3 * n + 1);
	if (dirname_decode((const char *)data, n, &decoded)) {
		if (dirname_encode(buf_span(&decoded), &encoded, &e) < 0)
			abort();
		must_be_equal(buf_span(&encoded), input);
	}
	buf_reset(&decoded);
	buf_reset(&encoded);
	if (n == 0 || (memchr(data, '\0', n) == NULL && memchr(data, '/', n) == NULL)) {
		if (dirname_encode(input, &encoded, &e) < 0 ||
		    !dirname_decode(buf_str(&encoded), encoded.n, &decoded))
			abort();
		must_be_equal(buf_span(&decoded), input);
	}
	buf_clear(&decoded);
	buf_clear(&encoded);
	return 0;
}
