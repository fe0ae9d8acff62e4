/* SPDX-License-Identifier: MIT */
/* What the keyring is asked for: see wanted.h. */
#include "backend/keys/wanted.h"

#include <errno.h>

#include "base/buf.h"

enum {
	RSA_WRAPPED_MIN = 256,	/* RSA-2048 */
	RSA_WRAPPED_MAX = 1024, /* RSA-8192 */
	KW_WRAPPED_V1 = 40,	/* RFC 3394 adds eight bytes to 32 */
	KW_WRAPPED_V2 = 48	/* and to 40 */
};

struct wanted
wanted_cek(const struct envelope *env)
{
	return (struct wanted){
		.kid = env->kid,
		.alg = env->alg,
		.use = (enum wanted_use)env->protocol,
		.wrapped = span_of(env->wrapped, env->n_wrapped),
	};
}

struct wanted
wanted_dek(const char *kid, struct span wrapped)
{
	return (struct wanted){
		.kid = kid, .alg = WRAP_RSA_OAEP, .use = WANTED_DEK, .wrapped = wrapped
	};
}

/* Length prefixes, so that no two different requests run together to the same bytes. */
static int
add_part(struct buf *b, struct span s, struct err *e)
{
	uint64_t n = s.n;
	int r = buf_add(b, &n, sizeof(n), e);

	return r != 0 ? r : buf_add(b, s.p, s.n, e);
}

int
wanted_id(const struct wanted *w, uint8_t out[static SHA256_LEN], struct err *e)
{
	AUTO_BUF b;
	uint32_t kind[2] = { (uint32_t)w->alg, (uint32_t)w->use };
	int r;

	buf_init(&b, ENVELOPE_KID_MAX + ENVELOPE_WRAPPED_MAX + 64);
	r = add_part(&b, span_str(w->kid), e);
	if (r == 0)
		r = add_part(&b, span_of(kind, sizeof(kind)), e);
	if (r == 0)
		r = add_part(&b, w->wrapped, e);
	return r != 0 ? r : sha256(buf_span(&b), out, e);
}

int
wanted_check_algorithm(const struct wanted *w, unsigned algs, struct err *e)
{
	if ((algs >> w->alg & 1) != 0)
		return 0;
	(void)err_set(e, EACCES, "the key is wrapped with %s, which kek_alg= does not allow",
		      wrap_alg_name(w->alg));
	return err_mark(e, "policy.kek_alg",
			w->use == WANTED_DEK
				? "data-encryption keys are always wrapped so: add it to kek_alg="
				: "add the algorithm to kek_alg= if you trust whoever wrote the "
				  "blob");
}

static const char *
use_name(enum wanted_use use)
{
	return use == WANTED_DEK ? "a data-encryption key" : protocol_name((enum protocol)use);
}

int
wanted_check_length(const struct wanted *w, struct err *e)
{
	size_t n = w->wrapped.n;
	size_t kw = w->use == WANTED_V1 ? KW_WRAPPED_V1 : KW_WRAPPED_V2;
	bool fits = wrap_alg_is_rsa(w->alg) ? n >= RSA_WRAPPED_MIN && n <= RSA_WRAPPED_MAX
					    : n == kw;

	if (fits)
		return 0;
	(void)err_set(e, EBADMSG, "a wrapped key of %zu bytes cannot be %s of %s%s", n,
		      wrap_alg_name(w->alg), w->use == WANTED_DEK ? "" : "protocol ",
		      use_name(w->use));
	return err_mark(e, "integrity.cek", NULL);
}

int
wanted_take(const struct wanted *w, struct span unwrapped, struct cek *out, struct err *e)
{
	if (w->use != WANTED_DEK)
		return cek_from_unwrapped((enum protocol)w->use, unwrapped, out, e);
	if (unwrapped.n != CEK_LEN) {
		(void)err_set(e, EBADMSG,
			      "the unwrapped key is no data-encryption key: it has %zu bytes",
			      unwrapped.n);
		return err_mark(e, "integrity.cek", NULL);
	}
	memcpy(out->k, unwrapped.p, CEK_LEN);
	return 0;
}
