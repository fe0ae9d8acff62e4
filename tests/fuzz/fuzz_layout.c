/* SPDX-License-Identifier: MIT */
/*
 * Target: layout_init and layout_span (crypto/layout.c), and the hint that stat shows.
 * Input: region length, stored size, max_region (8 bytes each, little endian), protocol, page blob.
 * Properties: what is accepted is tiled by its spans without gap, overlap or overflow; the hint
 * is never larger than what is stored, and exact for V2.
 */
#include <stdint.h>
#include <stdlib.h>

#include "crypto/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

/* Span i, and that span i + 1 begins where it ends. */
static void
check_span(const struct layout *l, uint64_t i)
{
	const uint64_t lead = l->protocol == PROTOCOL_V1 ? CBC_BLOCK : 0;
	struct span_place p, next;

	layout_span(l, i, &p);
	need(p.stored_len > 0 && p.stored_len <= l->stored_size);
	need(p.stored_off <= l->stored_size - p.stored_len);
	need(p.plain_off <= l->plain_size && p.plain_len <= l->plain_size - p.plain_off);
	need(p.plain_off == i * l->span_len);
	need((i == 0) == (p.stored_off == 0));
	if (i + 1 == l->n_spans) {
		need(p.stored_off + p.stored_len == l->stored_size);
		need(p.plain_off + p.plain_len == l->plain_size);
		return;
	}
	layout_span(l, i + 1, &next);
	need(p.stored_off + p.stored_len == next.stored_off + lead);
	need(p.plain_off + p.plain_len == next.plain_off);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct envelope env = { 0 };
	struct err e = { 0 };
	uint64_t in[3], hint;
	struct layout l;

	if (n != sizeof(in) + 2)
		return 0;
	memcpy(in, data, sizeof(in));
	env.protocol = (enum protocol)(data[sizeof(in)] % 3 + PROTOCOL_V1);
	env.region_len = in[0];
	hint = layout_hint_size(env.protocol, in[0], in[1], data[n - 1] & 1);
	need(hint <= in[1]);
	if (layout_init(&l, &env, in[1], data[n - 1] & 1, in[2], &e) < 0) {
		need(e.no != 0);
		return 0;
	}
	need(l.plain_size == hint && l.span_len > 0 && (l.n_spans > 0) == (in[1] > 0));
	for (uint64_t i = 0; i < l.n_spans && i < 4; i++) {
		check_span(&l, i);
		check_span(&l, l.n_spans - 1 - i);
		check_span(&l, in[2] % l.n_spans);
	}
	return 0;
}
