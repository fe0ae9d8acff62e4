/* SPDX-License-Identifier: MIT */
/* Randomness: see random.h.  Nothing else may move in here: tests put their own in its place. */
#include "crypto/random.h"

#include <limits.h>

#include <openssl/rand.h>

#include "base/num.h"
#include "crypto/ossl.h"

static int
fill(int (*source)(unsigned char *, int), struct room out, struct err *e)
{
	while (out.n > 0) {
		const size_t n = u64_min(out.n, INT_MAX);

		if (source(out.p, (int)n) != 1)
			return ossl_failed(e, "the random number generator");
		out.p += n;
		out.n -= n;
	}
	return 0;
}

int
random_secret(struct room out, struct err *e)
{
	return fill(RAND_priv_bytes, out, e);
}

int
random_public(struct room out, struct err *e)
{
	return fill(RAND_bytes, out, e);
}
