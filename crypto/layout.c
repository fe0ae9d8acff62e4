/* SPDX-License-Identifier: MIT */
/* Where the bytes of a sealed blob lie: see layout.h. */
#include "crypto/layout.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/num.h"

/* A region no longer than this; the longest that a writer offers. */
#define REGION_LEN_MAX (UINT64_C(1) << 30)

/*
 * With regions of a few bytes a span of SPAN_TARGET would be mostly nonces and tags: bound what
 * one GET fetches.
 */
enum { SPAN_REGIONS_MAX = 1 << 18 };

static int
impossible_size(struct err *e, uint64_t stored_size)
{
	(void)err_set(e, EBADMSG, "no sealed blob is %llu bytes long",
		      (unsigned long long)stored_size);
	return err_mark(e, "integrity.size", NULL);
}

/* Bytes of padding are told from other failures by nobody, and so are lengths. */
static int
impossible_v1_size(struct err *e)
{
	(void)err_set(e, EIO, "the blob could not be decrypted");
	return err_mark(e, "integrity.v1", NULL);
}

static uint64_t
div_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

static uint64_t
regions_a_span(uint64_t region_len)
{
	return u64_max(1, u64_min(SPAN_TARGET / region_len, SPAN_REGIONS_MAX));
}

/* false when no writer could have left that many bytes. */
static bool
v2_plain_size(uint64_t region_len, uint64_t stored_size, uint64_t *out)
{
	uint64_t full, rest;

	if (region_len == 0 || region_len > REGION_LEN_MAX || stored_size > INT64_MAX)
		return false;
	full = stored_size / (region_len + REGION_OVERHEAD);
	rest = stored_size % (region_len + REGION_OVERHEAD);
	if (rest == 0) {
		*out = full * region_len;
		return true;
	}
	/* A region without plaintext is legal only as the whole of an empty blob. */
	if (rest < REGION_OVERHEAD || (rest == REGION_OVERHEAD && full > 0))
		return false;
	*out = full * region_len + rest - REGION_OVERHEAD;
	return true;
}

static bool
v1_size_possible(uint64_t stored_size, bool page_blob)
{
	return stored_size % CBC_BLOCK == 0 && stored_size <= INT64_MAX &&
	       (page_blob || stored_size > 0);
}

static int
init_v2(struct layout *l, const struct envelope *env, uint64_t stored_size, uint64_t max_region,
	struct err *e)
{
	uint64_t plain, held;

	if (!v2_plain_size(env->region_len, stored_size, &plain))
		return impossible_size(e, stored_size);
	held = u64_min(env->region_len + REGION_OVERHEAD, stored_size);
	if (held > max_region) {
		(void)err_set(e, EFBIG, "a region of %llu bytes is more than max_region=%llu",
			      (unsigned long long)held, (unsigned long long)max_region);
		return err_mark(e, "policy.max_region", "mount with a larger max_region=");
	}
	l->region_len = env->region_len;
	l->plain_size = plain;
	l->size_exact = true;
	l->span_len = env->region_len * regions_a_span(env->region_len);
	l->n_spans = stored_size == 0 ? 0 : u64_max(1, div_up(plain, l->span_len));
	if (l->n_spans <= 1)
		l->span_len = u64_max(1, plain);
	return 0;
}

static int
init_v1(struct layout *l, const struct envelope *env, uint64_t stored_size, bool page_blob,
	struct err *e)
{
	if (!v1_size_possible(stored_size, page_blob))
		return impossible_v1_size(e);
	l->padded = !page_blob;
	l->size_exact = page_blob;
	l->plain_size = page_blob ? stored_size : stored_size - 1;
	l->span_len = SPAN_TARGET;
	l->n_spans = div_up(stored_size, SPAN_TARGET);
	memcpy(l->iv, env->iv, sizeof(l->iv));
	return 0;
}

int
layout_init(struct layout *l, const struct envelope *env, uint64_t stored_size, bool page_blob,
	    uint64_t max_region, struct err *e)
{
	struct layout made = { .protocol = env->protocol, .stored_size = stored_size };
	int r;

	if (env->protocol == PROTOCOL_V1)
		r = init_v1(&made, env, stored_size, page_blob, e);
	else
		r = init_v2(&made, env, stored_size, max_region, e);
	if (r == 0)
		*l = made;
	return r;
}

uint64_t
layout_hint_size(enum protocol p, uint64_t region_len, uint64_t stored_size, bool page_blob)
{
	uint64_t plain;

	if (p != PROTOCOL_V1)
		return v2_plain_size(region_len, stored_size, &plain) ? plain : stored_size;
	if (page_blob || !v1_size_possible(stored_size, page_blob))
		return stored_size;
	return stored_size - 1;
}

int
layout_v2_plain_size(uint64_t region_len, uint64_t stored_size, uint64_t *out, struct err *e)
{
	if (!v2_plain_size(region_len, stored_size, out))
		return impossible_size(e, stored_size);
	return 0;
}

uint64_t
layout_regions(const struct layout *l)
{
	const uint64_t stored = l->region_len + REGION_OVERHEAD;

	return l->stored_size / stored + (l->stored_size % stored != 0);
}

/* Whole regions side by side. */
static void
span_v2(const struct layout *l, uint64_t span, struct span_place *out)
{
	const uint64_t regions = regions_a_span(l->region_len), first = span * regions;
	const uint64_t stored_off = first * (l->region_len + REGION_OVERHEAD);
	const uint64_t plain_off = first * l->region_len;

	*out = (struct span_place){
		.stored_off = stored_off,
		.stored_len = u64_min(regions * (l->region_len + REGION_OVERHEAD),
				      l->stored_size - stored_off),
		.plain_off = plain_off,
		.plain_len = u64_min(regions * l->region_len, l->plain_size - plain_off),
	};
}

/* The cipher block before the span comes along: it is the IV. */
static void
span_v1(const struct layout *l, uint64_t span, struct span_place *out)
{
	const uint64_t off = span * SPAN_TARGET, lead = span == 0 ? 0 : CBC_BLOCK;

	*out = (struct span_place){
		.stored_off = off - lead,
		.stored_len = lead + u64_min(SPAN_TARGET, l->stored_size - off),
		.plain_off = off,
		.plain_len = u64_min(SPAN_TARGET, l->plain_size - off),
	};
}

void
layout_span(const struct layout *l, uint64_t span, struct span_place *out)
{
	assert(span < l->n_spans);
	if (l->protocol == PROTOCOL_V1)
		span_v1(l, span, out);
	else
		span_v2(l, span, out);
}

void
layout_v1_tail(const struct layout *l, struct span_place *out)
{
	const uint64_t n = u64_min(l->stored_size, 2 * CBC_BLOCK);

	assert(l->protocol == PROTOCOL_V1 && n > 0);
	*out = (struct span_place){
		.stored_off = l->stored_size - n,
		.stored_len = n,
		.plain_off = l->stored_size - CBC_BLOCK,
		.plain_len = l->plain_size - (l->stored_size - CBC_BLOCK),
	};
}

void
layout_set_v1_size(struct layout *l, uint64_t plain_size)
{
	assert(l->protocol == PROTOCOL_V1 && plain_size <= l->stored_size);
	assert(plain_size + CBC_BLOCK >= l->stored_size);
	l->plain_size = plain_size;
	l->size_exact = true;
}
