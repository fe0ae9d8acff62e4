/* SPDX-License-Identifier: MIT */
/* The packed envelope of a long listing: see envelope.h. */
#include <errno.h>
#include <stdlib.h>

#include "crypto/envelope.h"

#include "base/num.h"

struct packed_envelope {
	uint32_t kid_index;
	uint32_t region_len; /* at most 2^30 */
	uint16_t n_wrapped;
	uint8_t protocol;
	uint8_t alg;
	uint8_t bytes[]; /* V1: the IV; then the wrapped key */
};

static size_t
iv_len(enum protocol p)
{
	return p == PROTOCOL_V1 ? sizeof(((struct envelope *)NULL)->iv) : 0;
}

int
envelope_pack(const struct envelope *env, uint32_t kid_index, struct packed_envelope **out,
	      struct err *e)
{
	const size_t n_iv = iv_len(env->protocol);
	struct packed_envelope *p = malloc(sizeof(*p) + n_iv + env->n_wrapped);

	if (p == NULL)
		return err_set(e, ENOMEM, "out of memory");
	p->kid_index = kid_index;
	p->region_len = (uint32_t)env->region_len;
	p->n_wrapped = (uint16_t)env->n_wrapped;
	p->protocol = (uint8_t)env->protocol;
	p->alg = (uint8_t)env->alg;
	memcpy(p->bytes, env->iv, n_iv);
	memcpy(p->bytes + n_iv, env->wrapped, env->n_wrapped);
	*out = p;
	return 0;
}

size_t
envelope_packed_size(const struct packed_envelope *p)
{
	return sizeof(*p) + iv_len((enum protocol)p->protocol) + p->n_wrapped;
}

uint32_t
envelope_packed_kid(const struct packed_envelope *p)
{
	return p->kid_index;
}

uint64_t
envelope_packed_region_len(const struct packed_envelope *p)
{
	return p->region_len;
}

enum protocol
envelope_packed_protocol(const struct packed_envelope *p)
{
	return (enum protocol)p->protocol;
}

enum wrap_alg
envelope_packed_alg(const struct packed_envelope *p)
{
	return (enum wrap_alg)p->alg;
}

int
envelope_unpack(const struct packed_envelope *p, const char *kid, struct envelope *out,
		struct err *e)
{
	const size_t n_iv = iv_len((enum protocol)p->protocol);
	struct envelope env = {
		.protocol = (enum protocol)p->protocol,
		.alg = (enum wrap_alg)p->alg,
		.kid = strdup(kid),
		.wrapped = malloc(p->n_wrapped),
		.n_wrapped = p->n_wrapped,
		.region_len = p->region_len,
	};

	if (env.kid == NULL || env.wrapped == NULL) {
		envelope_clear(&env);
		return err_set(e, ENOMEM, "out of memory");
	}
	memcpy(env.iv, p->bytes, n_iv);
	memcpy(env.wrapped, p->bytes + n_iv, p->n_wrapped);
	*out = env;
	return 0;
}
