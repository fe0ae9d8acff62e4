/* SPDX-License-Identifier: MIT */
/*
 * Target: a JWK Set (backend/keys/jwks.c, crypto/jwk.c).  PEM files named in it lie in a directory
 * that does not exist. Properties: a failure says what it is and leaves the output alone; a set
 * that is accepted can be asked and freed.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backend/keys/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct provider *p = NULL;
	struct err e = { 0 };
	int r = jwks_provider_from_text(span_of(data, n), "/nonexistent/azcryptfs/set.json", &p,
					&e);

	if (r != -e.no || (r == 0) != (p != NULL) || (r != 0 && e.text[0] == '\0'))
		abort();
	if (p != NULL && provider_claims(p, ""))
		abort();
	provider_free(p);
	return 0;
}
