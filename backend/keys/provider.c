/* SPDX-License-Identifier: MIT */
/* The wrappers around every key provider: see provider.h.  They do nothing but hold both sides to
 * the contract. */
#include "backend/keys/provider.h"

#include <assert.h>
#include <errno.h>

#include "crypto/cek.h"

bool
provider_claims(struct provider *p, const char *kid)
{
	assert(kid != NULL);
	return p->ops->claims(p, kid);
}

int
provider_unwrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span wrapped,
		struct deadline d, struct room out, size_t *out_n, struct err *e)
{
	size_t n = 0;
	int r;

	assert(kid != NULL && wrapped.n > 0);
	assert(out.n >= CEK_UNWRAPPED_MAX && e->no == 0);
	r = p->ops->unwrap(p, kid, alg, wrapped, d, out, &n, e);
	if (r != 0) {
		assert(r < 0 && e->no == -r);
		err_key(e, kid);
		return r;
	}
	assert(e->no == 0 && n <= out.n);
	*out_n = n;
	return 0;
}

void
provider_free(struct provider *p)
{
	if (p != NULL)
		p->ops->free(p);
}
