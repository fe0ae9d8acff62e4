/* SPDX-License-Identifier: MIT */
/*
 * The span cache: verified plaintext of blobs, a span at a time, in memory only.
 *
 * A version is one version (ETag) of one blob; its spans are fetched by one
 * GET each, unsealed on the same thread while they arrive, and published when
 * verified.  Whoever wants a span that is being fetched waits on it without a thread
 * (single-flight).
 *
 * States of a span: absent -> loading -> ready -> absent.  A failed load makes it absent
 * again and fails its waiters.  Ready spans are immutable; they are evicted, least recently used
 * first, when nobody holds them and memory is wanted.
 */
#ifndef FS_SPANS_H
#define FS_SPANS_H

#include <stdbool.h>

#include "backend/keys/keyring.h"
#include "backend/store/store.h"
#include "crypto/layout.h"
#include "crypto/unseal.h"
#include "fs/ahead.h"
#include "fs/engine.h"
#include "fs/view.h"

struct spans; /* opaque */
struct spanmem;

int spans_new(struct engine *g, struct spans **out, struct err *e) MUST_CHECK;
void spans_free(struct spans *s); /* after every version has been put */
/* What their memory comes from: for others who need as much, for a while. */
struct spanmem *spans_memory(struct spans *s);

/* What must be known of a version before its spans can be read. */
struct version_info {
	struct store *store; /* borrowed; outlives the version */
	const char *name;    /* store name */
	const char *etag;
	const struct envelope *env; /* copied; NULL: not encrypted, bytes are passed on as they are
				       (unencrypted=show) */
	bool recover_order;
	bool bound; /* a binding tag has vouched for the number of regions, and for Python's nonces
		     */
	struct layout
		layout;	    /* not encrypted: stored_size, plain_size, span_len, n_spans are used */
	struct v1guard *v1; /* borrowed; V1: spends the failure budget of name */
};

struct version; /* opaque, reference counted */

/*
 * The version of that store, name and ETag: the live one (if version_check agrees), or a new one
 * made from info.  While somebody has it open it holds a content key: version_open counts an
 * opener and hands it one (NULL when clear), version_close takes the opener away.
 */
int version_get(struct spans *s, const struct version_info *info, struct version **out,
		struct err *e) MUST_CHECK;
/*
 * Whether a live version is of that envelope (NULL: not encrypted) and stored size.  -EIO (event
 * "net.protocol") when the service says two things of one ETag: bytes of the one must not reach
 * readers of the other.
 */
int version_check(const struct version *v, const struct envelope *env, uint64_t stored_size,
		  struct err *e) MUST_CHECK;
void version_put(struct version *v);
void version_open(struct version *v, struct key_ref *key);
void version_close(struct version *v);
const struct layout *version_layout(const struct version *v);
struct region_order *version_order(struct version *v);
/* Whether the span is ready (a later read may still find it evicted). */
bool version_has_span(struct version *v, uint64_t span);

/* The live version of that name and ETag, with a reference, or NULL. */
struct version *version_find(struct spans *s, const struct store *store, const char *name,
			     const char *etag);

/*
 * Serves a read (see view.h); ahead is the reader's own stream table.  The caller holds the
 * version open.
 */
void spans_read(struct version *v, struct ahead *ahead, struct view_read *r);
void spans_read_release(struct view_read *r);

/*
 * Filling a span from bytes that the caller is fetching anyway (an open that reads the whole
 * blob).  begin may be called again to start over; after finish the span is ready for everybody;
 * abandon frees.
 */
struct span_fill; /* opaque */
int span_fill_new(struct version *v, uint64_t span, struct key_ref *key, struct deadline d,
		  struct span_fill **out, struct err *e) MUST_CHECK;
int span_fill_begin(struct span_fill *f, struct err *e) MUST_CHECK;
int span_fill_data(struct span_fill *f, struct span piece, struct err *e) MUST_CHECK;
int span_fill_finish(struct span_fill *f, struct err *e) MUST_CHECK; /* frees f on success */
void span_fill_abandon(struct span_fill *f);			     /* NULL is fine */

struct spans_stats {
	uint64_t hits, loads, ahead_loads, evictions;
};
void spans_stats(struct spans *s, struct spans_stats *out);

#endif
