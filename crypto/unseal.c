/* SPDX-License-Identifier: MIT */
/* One span, of either generation of the format: see unseal.h. */
#include "crypto/unseal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "crypto/cbc.h"

struct unsealer {
	struct region_stream *regions;
	struct cbc_stream *cbc;
	struct span_place place;
	struct room out;  /* borrowed */
	uint64_t missing; /* stored bytes still to come */
	enum protocol protocol;
	bool begun;
};

/* Whatever was decrypted must not outlive a failure. */
static void
give_up(struct unsealer *u)
{
	if (u->out.n > 0)
		OPENSSL_cleanse(u->out.p, u->out.n);
	region_stream_forget(u->regions);
	cbc_stream_forget(u->cbc);
	u->begun = false;
}

int
unsealer_new(struct unsealer **out, struct err *e)
{
	struct unsealer *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = region_stream_new(&u->regions, e);
	if (r == 0)
		r = cbc_stream_new(&u->cbc, e);
	if (r < 0) {
		unsealer_free(u);
		return r;
	}
	*out = u;
	return 0;
}

void
unsealer_free(struct unsealer *u)
{
	if (u == NULL)
		return;
	region_stream_free(u->regions);
	cbc_stream_free(u->cbc);
	free(u);
}

int
unseal_begin(struct unsealer *u, const struct layout *l, const struct cek *cek,
	     struct region_order *order, uint64_t span, struct room out, struct err *e)
{
	const size_t slack = l->protocol == PROTOCOL_V1 ? CBC_BLOCK : 0;
	int r;

	layout_span(l, span, &u->place);
	assert(out.n >= u->place.plain_len + slack);
	/* Only what the span needs: a failure wipes that much, not all of a larger buffer. */
	u->out = (struct room){ out.p, (size_t)u->place.plain_len + slack };
	u->missing = u->place.stored_len;
	u->protocol = l->protocol;
	if (l->protocol == PROTOCOL_V1)
		r = cbc_stream_begin(u->cbc, l, cek, &u->place, u->out, e);
	else
		r = region_stream_begin(u->regions, l, cek, order, &u->place, u->out, e);
	u->begun = r == 0;
	return r;
}

int
unseal_feed(struct unsealer *u, struct span stored, struct err *e)
{
	int r;

	assert(u->begun);
	if (stored.n > u->missing) {
		give_up(u);
		return err_set(e, EIO, "more bytes than were asked for");
	}
	u->missing -= stored.n;
	if (u->protocol == PROTOCOL_V1)
		r = cbc_stream_feed(u->cbc, stored, e);
	else
		r = region_stream_feed(u->regions, stored, e);
	if (r < 0)
		give_up(u);
	return r;
}

int
unseal_end(struct unsealer *u, size_t *out_n, struct bad_regions *bad, struct err *e)
{
	int r = 0;

	assert(u->begun);
	*bad = (struct bad_regions){ 0 };
	if (u->missing > 0) {
		give_up(u);
		return u->protocol == PROTOCOL_V1 ? cbc_failed(e)
						  : err_set(e, EIO, "bytes are missing at the end");
	}
	u->begun = false;
	if (u->protocol == PROTOCOL_V1)
		r = cbc_stream_end(u->cbc, out_n, e);
	else {
		region_stream_end(u->regions, bad);
		*out_n = (size_t)u->place.plain_len;
	}
	u->out = (struct room){ 0 };
	return r;
}
