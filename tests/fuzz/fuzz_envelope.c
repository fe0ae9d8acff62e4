/* SPDX-License-Identifier: MIT */
/*
 * Target: envelope_parse, and what is made of its result (crypto/envelope.c, packed.c, layout.c).
 * Properties: a failure says what it is and leaves the output alone; what is accepted keeps to the
 * limits that the header promises and survives being packed.
 */
#include <stdint.h>
#include <stdlib.h>

#include "crypto/envelope.h"
#include "crypto/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
check_limits(const struct envelope *env)
{
	const size_t n_kid = strlen(env->kid);

	need(env->protocol >= PROTOCOL_V1 && env->protocol <= PROTOCOL_V2_1);
	need(env->alg >= WRAP_RSA_OAEP && env->alg <= WRAP_A256KW);
	need(n_kid > 0 && n_kid <= ENVELOPE_KID_MAX);
	need(env->n_wrapped > 0 && env->n_wrapped <= ENVELOPE_WRAPPED_MAX);
	need((env->region_len == 0) == (env->protocol == PROTOCOL_V1));
	need(env->region_len <= 1 << 30);
}

static void
check_packing(const struct envelope *env)
{
	struct packed_envelope *p = NULL;
	AUTO_ENVELOPE back = { 0 };
	struct err e = { 0 };

	need(envelope_pack(env, 7, &p, &e) == 0);
	need(envelope_unpack(p, env->kid, &back, &e) == 0);
	need(envelope_same(env, &back));
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_ENVELOPE env = { 0 };
	struct err e = { 0 };
	const int r = envelope_parse(span_of(data, n), &env, &e);

	need(r == -e.no);
	if (r < 0) {
		need(env.kid == NULL && env.wrapped == NULL && e.text[0] != '\0');
		return 0;
	}
	check_limits(&env);
	check_packing(&env);
	return 0;
}
