/* SPDX-License-Identifier: MIT */
/*
 * Sealing a new version of a blob: plain regions in, sealed blocks out, and one request that makes
 * them a blob with its envelope.  See viewwrite.h.
 *
 * A blob of one region is one Put Blob.  A longer one is blocks of whole regions: of one at
 * first, of more after the first ten thousand, so that the service's 50,000 blocks are enough for
 * 2 TiB.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/timetext.h"
#include "crypto/bind.h"
#include "crypto/sealer.h"
#include "fs/blobpath.h"
#include "fs/blobsend.h"
#include "fs/blobwrite.h"
#include "fs/spans.h"
#include "fs/staging.h"

enum {
	SEALED_REGION = SEALER_REGION + REGION_OVERHEAD,
	PIECE = STAGING_CHUNK, /* read at a time: what lies together where it waits */
	TIER = 10000	       /* blocks of one size before they grow */
};

static const char LIBRARY[] = "azcryptfs " AZCRYPTFS_VERSION;

struct blob_sealing {
	struct view_sealing base; /* first */
	struct blobview *v;
	char *name, *over; /* over NULL: nothing may be there */
	struct store_properties kept;
	struct envelope env;
	struct sealer *sealer;
	struct blobsend *send;	    /* once there is more than one region */
	struct sealed_block *block; /* being filled */
};

static struct blob_sealing *
sealing_of(struct view_sealing *s)
{
	return (struct blob_sealing *)(void *)s;
}

/*
 * Regions of block number n.  A block lies in memory until it is sent, in what staging leaves,
 * whatever that means for the largest file.
 */
static uint64_t
block_regions(const struct blobview *v, uint32_t n)
{
	const uint64_t most = staging_leaves(engine_budget(v->engine)) / SEALED_REGION;

	return u64_max(1, u64_min(most, n < TIER ? 1 : n < 2 * TIER ? 4 : 16));
}

static uint64_t
max_size(const struct blobview *v)
{
	return SEALER_REGION * (TIER * block_regions(v, 0) + TIER * block_regions(v, TIER) +
				(STORE_BLOCKS_MAX - 2 * TIER) * block_regions(v, 2 * TIER));
}

/* ---- life ---- */

void
blobwrite_sealing_free(struct view_sealing *base)
{
	struct blob_sealing *s = sealing_of(base);

	blobsend_drop(s->block);
	blobsend_end(s->send, false);
	sealer_free(s->sealer);
	envelope_clear(&s->env);
	store_properties_clear(&s->kept);
	free(s->name);
	free(s->over);
	free(s);
}

/*
 * The metadata of the old version goes with the name, but for what spoke of its content: a tag or a
 * time of the new content replaces them, or they go.
 */
static int
keep_properties(struct blob_sealing *s, struct deadline d, struct err *e)
{
	int r;

	if (s->over == NULL)
		return 0;
	r = store_get_properties(s->v->store, s->name, s->over, &s->kept, d, e);
	if (r == -ENOENT) {
		err_clear(e);
		(void)err_set(e, ESTALE, "the blob is gone");
		return err_mark(e, "remote.changed", NULL);
	}
	store_meta_remove(&s->kept, "encryptiondata");
	store_meta_remove(&s->kept, BIND_METADATA);
	store_meta_remove(&s->kept, "mtime");
	return r;
}

static int
start(struct blob_sealing *s, const char *over, struct deadline d, struct err *e)
{
	int r = 0;

	s->base = (struct view_sealing){ &s->v->base, SEALER_REGION, max_size(s->v) };
	s->over = over != NULL ? strdup(over) : NULL;
	if (over != NULL && s->over == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = keep_properties(s, d, e);
	if (r == 0)
		r = sealer_new(SEALER_REGION, &s->sealer, e);
	if (r == 0)
		r = keyring_wrap(s->v->keys, s->v->cfg.kek, s->v->cfg.wrap_alg, PROTOCOL_V2_0,
				 sealer_cek(s->sealer), d, &s->env, NULL, e);
	s->env.region_len = SEALER_REGION;
	return r;
}

int
blobview_check_kek(struct view *view, struct deadline d, struct err *e)
{
	struct blob_sealing s = { .v = blobview_of(view) };
	int r = start(&s, NULL, d, e);

	sealer_free(s.sealer);
	envelope_clear(&s.env);
	return r;
}

int
blobwrite_seal(struct view *view, const char *path, const char *over, struct deadline d,
	       struct view_sealing **out, struct err *e)
{
	struct blobview *v = blobview_of(view);
	struct blob_sealing *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->v = v;
	r = blobwrite_name(v, path, over == NULL, d, &s->name, e);
	if (r == 0)
		r = start(s, over, d, e);
	if (r < 0) {
		blobwrite_sealing_free(&s->base);
		return r;
	}
	*out = &s->base;
	return 0;
}

/* ---- regions ---- */

/* The plain bytes from off on are sealed from where they lie, or else are put where the sealed ones
 * will be. */
static int
seal_piece(struct blob_sealing *s, struct view_plain plain, uint64_t off, uint8_t *at, size_t n,
	   struct err *e)
{
	const uint8_t *lent = plain.lend != NULL ? plain.lend(plain.arg, off, n) : NULL;
	int r = lent != NULL ? 0 : plain.read(plain.arg, off, at, n, e);

	if (r == 0)
		r = sealer_add(s->sealer, span_of(lent != NULL ? lent : at, n), e);
	if (lent != NULL)
		plain.give_back(plain.arg);
	return r;
}

/* Seals the next n bytes, a region or the rest, to the end of what is there already. */
static int
seal_region(struct blob_sealing *s, struct view_plain plain, size_t n, struct sealed_block *to,
	    struct err *e)
{
	uint64_t off = sealer_plain_size(s->sealer);
	uint8_t *at = to->p + to->n + REGION_NONCE_LEN;
	size_t stored = 0;
	int r = sealer_begin(s->sealer, (struct room){ to->p + to->n, to->room - to->n }, e);

	for (size_t piece; r == 0 && n > 0; n -= piece, off += piece, at += piece) {
		piece = n < PIECE ? n : PIECE;
		r = seal_piece(s, plain, off, at, piece, e);
	}
	if (r == 0)
		r = sealer_end(s->sealer, &stored, e);
	to->n += stored;
	return r;
}

/*
 * The block that the next region goes to; left: stored bytes still to come, UINT64_MAX if unknown.
 */
static int
need_block(struct blob_sealing *s, uint64_t left, struct deadline d, struct err *e)
{
	uint64_t room;
	int r = 0;

	if (s->block != NULL)
		return 0;
	if (s->send == NULL)
		r = blobsend_new(s->v->engine, s->v->store, s->name, &s->send, e);
	if (r < 0)
		return r;
	room = block_regions(s->v, blobsend_blocks(s->send)) * SEALED_REGION;
	return blobsend_block(s->send, (size_t)(room < left ? room : left), d, &s->block, e);
}

static void
send_full(struct blob_sealing *s)
{
	if (s->block->n < s->block->room)
		return;
	blobsend_submit(s->block);
	s->block = NULL;
}

int
blobwrite_region(struct view_sealing *base, struct view_plain plain, struct deadline d,
		 struct err *e)
{
	struct blob_sealing *s = sealing_of(base);
	int r = need_block(s, UINT64_MAX, d, e);

	if (r == 0)
		r = seal_region(s, plain, SEALER_REGION, s->block, e);
	if (r == 0)
		send_full(s);
	return r;
}

/* ---- the commit ---- */

/* What is left after the regions that were given. */
static uint64_t
left_to_seal(const struct blob_sealing *s, uint64_t size)
{
	const uint64_t left = size - sealer_plain_size(s->sealer);

	return left + (left + SEALER_REGION - 1) / SEALER_REGION * REGION_OVERHEAD;
}

static int
seal_rest(struct blob_sealing *s, uint64_t size, struct view_plain plain, struct deadline d,
	  struct err *e)
{
	int r = 0;

	for (uint64_t left; r == 0 && (left = size - sealer_plain_size(s->sealer)) > 0;) {
		r = need_block(s, left_to_seal(s, size), d, e);
		if (r == 0)
			r = seal_region(s, plain,
					left < SEALER_REGION ? (size_t)left : SEALER_REGION,
					s->block, e);
		if (r == 0)
			send_full(s);
	}
	if (r == 0 && s->block != NULL) { /* a block of many regions, not filled */
		blobsend_submit(s->block);
		s->block = NULL;
	}
	return r < 0 ? r : blobsend_wait(s->send, d, e);
}

/* Envelope, tag and time go with the content, in the same request. */
static int
finish_properties(struct blob_sealing *s, const struct view_publish *p, char tag[BIND_TEXT_LEN + 1],
		  struct buf *envelope, struct err *e)
{
	const struct bind_facts facts = {
		.protocol = PROTOCOL_V2_0,
		.region_len = SEALER_REGION,
		.n_regions = sealer_regions(s->sealer),
		.plain_size = p->size,
		.nonce = NONCE_PYTHON,
	};
	char mtime[TIMETEXT_MAX + 1];
	int r = envelope_print(&s->env, LIBRARY, envelope, e);

	if (r == 0)
		r = bind_make(sealer_cek(s->sealer), &facts, tag, e);
	if (r == 0)
		r = store_meta_set(&s->kept, "encryptiondata", buf_str(envelope), e);
	if (r == 0)
		r = store_meta_set(&s->kept, BIND_METADATA, tag, e);
	if (r == 0 && p->mtime_ns != VIEW_NO_TIME) {
		timetext_print(p->mtime_ns, mtime);
		r = store_meta_set(&s->kept, "mtime", mtime, e);
	}
	return r;
}

/* One region, one request. */
static int
put_whole(struct blob_sealing *s, const struct view_publish *p, struct view_plain plain,
	  struct store_condition c, char tag[BIND_TEXT_LEN + 1], struct buf *envelope,
	  struct store_written *out, struct deadline d, struct err *e)
{
	struct spanmem *memory = spans_memory(engine_spans(s->v->engine));
	struct sealed_block b = { .room = (size_t)p->size + REGION_OVERHEAD };
	int r = spanmem_take(memory, b.room, SPANMEM_WAIT, d, &b.mem, e);

	if (r < 0)
		return r;
	b.p = b.mem.p;
	r = seal_region(s, plain, (size_t)p->size, &b, e);
	if (r == 0)
		r = finish_properties(s, p, tag, envelope, e);
	if (r == 0)
		r = store_put(s->v->store, s->name, &s->kept, span_of(b.p, b.n), c, out, d, e);
	spanmem_give(memory, &b.mem);
	return r;
}

static int
put_blocks(struct blob_sealing *s, const struct view_publish *p, struct view_plain plain,
	   struct store_condition c, char tag[BIND_TEXT_LEN + 1], struct buf *envelope,
	   struct store_written *out, struct deadline d, struct err *e)
{
	int r = seal_rest(s, p->size, plain, d, e);

	if (r == 0)
		r = finish_properties(s, p, tag, envelope, e);
	if (r == 0)
		r = store_commit_blocks(s->v->store, s->name, blobsend_upload(s->send),
					blobsend_blocks(s->send), blobsend_bytes(s->send), &s->kept,
					c, out, d, e);
	if (r == 0) {
		blobsend_end(s->send, true);
		s->send = NULL;
	}
	return r;
}

int
blobwrite_commit(struct view_sealing *base, const struct view_publish *p, struct view_plain plain,
		 struct view_sink now, struct deadline d, struct err *e)
{
	struct blob_sealing *s = sealing_of(base);
	const struct store_condition c = { .absent = s->over == NULL, .if_match = s->over };
	const bool whole = s->send == NULL && p->size <= SEALER_REGION;
	struct store_entry entry = { .etag = "", .content_type = "" };
	struct store_written made = { .etag = "" };
	char tag[BIND_TEXT_LEN + 1];
	AUTO_BUF envelope;
	int r;

	buf_init(&envelope, ENVELOPE_JSON_MAX);
	if (p->size < sealer_plain_size(s->sealer) || p->size > base->max_size)
		return err_set(e, EFBIG, "a file of %llu bytes cannot be written",
			       (unsigned long long)p->size);
	r = (whole ? put_whole : put_blocks)(s, p, plain, c, tag, &envelope, &made, d, e);
	if (r < 0)
		return r;
	entry.etag = made.etag;
	entry.size = p->size + sealer_regions(s->sealer) * REGION_OVERHEAD;
	entry.mtime_ns = p->mtime_ns != VIEW_NO_TIME ? p->mtime_ns : made.mtime_ns;
	entry.envelope = buf_span(&envelope);
	entry.bind = span_str(tag);
	return blobwrite_send(s->v, &entry, now, e);
}
