/* SPDX-License-Identifier: MIT */
/* Nonces and the order of regions: see order.h. */
#include "crypto/order.h"

#include <assert.h>
#include <string.h>

static void
put_be64(uint8_t *to, uint64_t v)
{
	const uint64_t be = __builtin_bswap64(v);

	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "written for little endian");
	memcpy(to, &be, sizeof(be));
}

static uint64_t
get_be64(const uint8_t *from)
{
	uint64_t be;

	memcpy(&be, from, sizeof(be));
	return __builtin_bswap64(be);
}

static uint32_t
get_32(const uint8_t *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof(v));
	return v;
}

void
region_order_init(struct region_order *o, bool recover)
{
	atomic_init(&o->maybe, NONCE_ANY);
	atomic_init(&o->misordered, 0);
	o->recover = recover;
}

bool
region_order_accepts(struct region_order *o, const uint8_t nonce[static REGION_NONCE_LEN],
		     uint64_t i)
{
	const unsigned matches = nonce_dialects(nonce, i);
	unsigned maybe = atomic_load(&o->maybe);

	while ((maybe & matches) != 0) {
		if ((maybe & matches) == maybe ||
		    atomic_compare_exchange_weak(&o->maybe, &maybe, maybe & matches))
			return true;
	}
	if (o->recover)
		(void)atomic_fetch_add(&o->misordered, 1);
	return o->recover;
}

/*
 * Java's number as releases before 12.34.2 wrote it: through a signed 32-bit integer.  Beyond
 * 2^32 such numbers repeat and would let regions change places unseen: those are not accepted.
 */
static bool
is_java_overflow(uint64_t number, uint64_t i)
{
	return i >= UINT64_C(1) << 31 && i < UINT64_C(1) << 32 &&
	       number == (UINT64_C(0xffffffff00000000) | i);
}

unsigned
nonce_dialects(const uint8_t nonce[static REGION_NONCE_LEN], uint64_t i)
{
	const uint64_t front = get_be64(nonce), back = get_be64(nonce + 4);
	unsigned set = 0;

	if (get_32(nonce) == 0) {
		if (back == i)
			set |= NONCE_PYTHON;
		if (__builtin_bswap64(back) == i + 1)
			set |= NONCE_DOTNET;
	}
	if (get_32(nonce + 8) == 0 && (front == i || is_java_overflow(front, i)))
		set |= NONCE_JAVA;
	return set;
}

void
nonce_make(enum nonce_dialect d, uint64_t i, uint8_t out[static REGION_NONCE_LEN])
{
	memset(out, 0, REGION_NONCE_LEN);
	switch (d) {
	case NONCE_PYTHON:
		put_be64(out + 4, i);
		return;
	case NONCE_JAVA:
		put_be64(out, i);
		return;
	case NONCE_DOTNET:
		put_be64(out + 4, __builtin_bswap64(i + 1));
		return;
	case NONCE_ANY:
		break;
	}
	assert(d != NONCE_ANY);
}

const char *
region_order_name(const struct region_order *o)
{
	static const char *const names[NONCE_ANY + 1] = {
		"none",	  "python",	      "java",		"python or java",
		"dotnet", "python or dotnet", "java or dotnet", "python, java or dotnet",
	};

	return names[atomic_load(&o->maybe) & NONCE_ANY];
}
