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

static int
cannot_wrap(const struct provider *p, struct err *e)
{
	(void)err_set(e, EACCES, "keys of this kind (%s) cannot wrap", p->ops->name);
	return err_mark(e, "policy.kek", NULL);
}

int
provider_wrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span plain,
	      struct deadline d, struct wrapped_key *out, struct err *e)
{
	struct wrapped_key wrapped = { 0 };
	int r;

	assert(kid != NULL && plain.n > 0 && plain.n <= CEK_UNWRAPPED_MAX && e->no == 0);
	r = p->ops->wrap != NULL ? p->ops->wrap(p, kid, alg, plain, d, &wrapped, e)
				 : cannot_wrap(p, e);
	if (r != 0) {
		assert(r < 0 && e->no == -r);
		err_key(e, kid);
		return r;
	}
	assert(e->no == 0 && wrapped.kid[0] != '\0');
	assert(wrapped.n > 0 && wrapped.n <= sizeof(wrapped.bytes));
	assert(wrapped.alg != 0 && (alg == 0 || wrapped.alg == alg));
	*out = wrapped;
	return 0;
}

void
provider_free(struct provider *p)
{
	if (p != NULL)
		p->ops->free(p);
}
