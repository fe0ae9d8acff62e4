/* SPDX-License-Identifier: MIT */
/*
 * A provider that the test steers, and requests to a keyring over it.  To be included by one file
 * of a test program, behind cmocka.h.
 */
#ifndef TESTS_UNIT_KEYS_STEERED_H
#define TESTS_UNIT_KEYS_STEERED_H

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/keys/keyring.h"

struct steered {
	struct provider base;
	const char *prefix; /* claims the key ids that begin so */
	atomic_uint calls;
	atomic_int fail;	 /* errno of the next calls, 0 = succeed */
	atomic_uint fail_calls;	 /* how many of them fail; UINT_MAX: all */
	atomic_bool gate_closed; /* calls wait while it is */
	atomic_uint inside;
	uint8_t plain[CEK_UNWRAPPED_MAX];
	size_t n_plain;
	/* What a wrap gives, and what it was given last. */
	atomic_uint wraps;
	struct wrapped_key wrapped;
	uint8_t given[CEK_UNWRAPPED_MAX];
	size_t n_given;
	enum wrap_alg given_alg;
};

static bool
steered_claims(struct provider *p, const char *kid)
{
	const struct steered *s = (struct steered *)p;

	return strncmp(kid, s->prefix, strlen(s->prefix)) == 0;
}

static int
steered_unwrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span wrapped,
	       struct deadline d, struct room out, size_t *out_n, struct err *e)
{
	struct steered *s = (struct steered *)p;
	unsigned call = atomic_fetch_add(&s->calls, 1);

	(void)kid;
	(void)alg;
	(void)wrapped;
	(void)d;
	atomic_fetch_add(&s->inside, 1);
	while (atomic_load(&s->gate_closed))
		usleep(1000);
	if (atomic_load(&s->fail) != 0 && call < atomic_load(&s->fail_calls))
		return err_set(e, atomic_load(&s->fail), "as the test wants");
	memcpy(out.p, s->plain, s->n_plain);
	*out_n = s->n_plain;
	return 0;
}

static int
steered_wrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span plain,
	     struct deadline d, struct wrapped_key *out, struct err *e)
{
	struct steered *s = (struct steered *)p;

	(void)kid;
	(void)d;
	atomic_fetch_add(&s->wraps, 1);
	if (atomic_load(&s->fail) != 0)
		return err_set(e, atomic_load(&s->fail), "as the test wants");
	memcpy(s->given, plain.p, plain.n);
	s->n_given = plain.n;
	s->given_alg = alg;
	*out = s->wrapped;
	if (alg != 0)
		out->alg = alg;
	return 0;
}

static void
steered_free(struct provider *p)
{
	(void)p;
}

static const struct provider_ops steered_ops = {
	.name = "steered",
	.claims = steered_claims,
	.unwrap = steered_unwrap,
	.wrap = steered_wrap,
	.free = steered_free,
};

static void
steer(struct steered *s, const char *prefix)
{
	struct cek cek;

	memset(s, 0, sizeof(*s));
	s->base.ops = &steered_ops;
	s->prefix = prefix;
	s->fail_calls = (unsigned)-1;
	memset(cek.k, 0x77, sizeof(cek.k));
	memset(s->wrapped.bytes, 0x5a, sizeof(s->wrapped.bytes));
	(void)snprintf(s->wrapped.kid, sizeof(s->wrapped.kid), "%s/version", prefix);
	s->wrapped.alg = WRAP_RSA_OAEP;
	s->wrapped.n = 256;
	cek_to_unwrapped(PROTOCOL_V2_0, &cek, s->plain, &s->n_plain);
}

/* ---- requests ---- */

static uint8_t wrapped_bytes[ENVELOPE_WRAPPED_MAX + 16];

static struct envelope
request(const char *kid, size_t n_wrapped)
{
	return (struct envelope){
		.protocol = PROTOCOL_V2_0,
		.alg = WRAP_RSA_OAEP,
		.kid = (char *)(uintptr_t)kid,
		.wrapped = wrapped_bytes,
		.n_wrapped = n_wrapped,
	};
}

static struct keyring *
ring_of(struct steered *s, struct keyring_config cfg)
{
	struct provider *providers[] = { &s->base };
	struct keyring *k = NULL;
	struct err e = { 0 };

	assert_int_equal(keyring_new_take(&cfg, providers, 1, &k, &e), 0);
	return k;
}

static const struct keyring_config hour = { .ttl_ns = 3600 * NS_PER_S };

#endif
