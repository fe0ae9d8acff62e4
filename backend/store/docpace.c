/* SPDX-License-Identifier: MIT */
/*
 * A decorator that spreads the charge of pages over time: see docstore.h.
 *
 * free_at is when everything that pages have cost so far has been earned; a page begins no
 * earlier.  Threads that wait for the same moment go together: what they overdraw, the pages after
 * them wait for.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "backend/store/docstore.h"
#include "base/mutex.h"
#include "base/num.h"

/*
 * PAGE_S: a page is made so small that it costs no more than the units of so many seconds, or the
 * next one would wait longer than any operation's deadline.
 */
enum { STEP_MS = 200, LONGEST_S = 86400, PAGE_S = 5 };

struct docpace {
	struct docstore store;
	struct docstore *inner;
	double units; /* a second */
	pthread_mutex_t lock;
	int64_t free_at_ns;
	double item_units; /* what an item of the last page has cost; guarded by lock */
};

static struct docpace *
of(struct docstore *s)
{
	return (struct docpace *)s; /* store is the first member */
}

/* ---- pacing */

static int64_t
free_at(struct docpace *p)
{
	int64_t at;

	mutex_lock(&p->lock);
	at = p->free_at_ns;
	mutex_unlock(&p->lock);
	return at;
}

static int
wait_turn(struct docpace *p, struct deadline d, struct err *e)
{
	int64_t left;

	while ((left = free_at(p) - clock_now_ns()) > 0) {
		if (clock_stopped())
			return err_set(e, ECANCELED, "the program is ending");
		if (deadline_left_ns(d) == 0) {
			(void)err_set(e, ETIMEDOUT, "no request units were left to spend in time");
			return err_mark(e, "net.deadline", "a larger ru= paces less");
		}
		if (left > STEP_MS * NS_PER_MS)
			left = STEP_MS * NS_PER_MS;
		clock_sleep_ns((int64_t)u64_min((uint64_t)left, (uint64_t)deadline_left_ns(d)));
	}
	return 0;
}

static void
spend(struct docpace *p, int64_t began_ns, double charge, unsigned items)
{
	double seconds = charge / p->units;

	if (!(seconds < LONGEST_S))
		seconds = LONGEST_S;
	mutex_lock(&p->lock);
	if (p->free_at_ns < began_ns)
		p->free_at_ns = began_ns;
	p->free_at_ns += (int64_t)(seconds * (double)NS_PER_S);
	if (items > 0)
		p->item_units = charge / (double)items;
	mutex_unlock(&p->lock);
}

/* How many items to ask for at most; 0 = as many as the store likes. */
static unsigned
affordable(struct docpace *p, unsigned wanted)
{
	double items;

	mutex_lock(&p->lock);
	items = p->item_units > 0 ? p->units * PAGE_S / p->item_units : UINT32_MAX;
	mutex_unlock(&p->lock);
	if (items < 1)
		return 1;
	return wanted == 0 || items < wanted ? (unsigned)(items < INT32_MAX ? items : INT32_MAX)
					     : wanted;
}

/* The caller's sink, and how many items it was sent. */
struct counting {
	struct docstore_sink sink;
	unsigned n;
};

static int
count_item(void *arg, struct span text, struct err *e)
{
	struct counting *c = arg;

	c->n++;
	return c->sink.text(c->sink.arg, text, e);
}

/* What is asked of the outer store is what the inner one has cost. */
static int
counted(struct docpace *p, int r)
{
	atomic_store(&p->store.charge_milli, atomic_load(&p->inner->charge_milli));
	atomic_store(&p->store.requests, atomic_load(&p->inner->requests));
	return r;
}

static int
docpace_page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
	     struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
	     struct deadline d, struct err *e)
{
	struct docpace *p = of(s);
	struct docstore_select paced = *sel;
	struct counting c = { sink, 0 };
	int64_t began;
	int r;

	/* A question for one item is no scan: it is paid for, but does not wait. */
	r = sel->max_items == 1 ? 0 : wait_turn(p, d, e);
	if (r < 0)
		return r;
	began = clock_now_ns();
	paced.max_items = affordable(p, sel->max_items);
	r = docstore_page(p->inner, at, &paced, cursor, (struct docstore_sink){ count_item, &c },
			  out, d, e);
	if (r == 0)
		spend(p, began, out->charge, c.n);
	return counted(p, r);
}

/* ---- the rest goes through */

static int
docpace_list(struct docstore *s, const char *database, struct docstore_names sink,
	     struct deadline d, struct err *e)
{
	return counted(of(s), docstore_list(of(s)->inner, database, sink, d, e));
}

static int
docpace_container(struct docstore *s, const struct docstore_at *at, struct buf *out,
		  struct deadline d, struct err *e)
{
	return counted(of(s), docstore_container(of(s)->inner, at, out, d, e));
}

static int
docpace_key(struct docstore *s, const char *database, const char *id, const char *etag,
	    struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	return counted(of(s), docstore_key(of(s)->inner, database, id, etag, out, out_same, d, e));
}

static int
docpace_keys(struct docstore *s, const char *database, struct docstore_sink sink, struct deadline d,
	     struct err *e)
{
	return counted(of(s), docstore_keys(of(s)->inner, database, sink, d, e));
}

static int
docpace_ranges(struct docstore *s, const struct docstore_at *at, struct docstore_ranges sink,
	       struct deadline d, struct err *e)
{
	return counted(of(s), docstore_ranges(of(s)->inner, at, sink, d, e));
}

static int
docpace_get(struct docstore *s, const struct docstore_at *at, const char *partition, const char *id,
	    const char *etag, struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	return counted(of(s),
		       docstore_get(of(s)->inner, at, partition, id, etag, out, out_same, d, e));
}

static int
docpace_put(struct docstore *s, const struct docstore_at *at, const struct docstore_put *put,
	    char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d, struct err *e)
{
	return counted(of(s), docstore_put(of(s)->inner, at, put, etag, d, e));
}

static int
docpace_delete(struct docstore *s, const struct docstore_at *at, const char *partition,
	       const char *id, const char *etag, struct deadline d, struct err *e)
{
	return counted(of(s), docstore_delete(of(s)->inner, at, partition, id, etag, d, e));
}

static void
docpace_free(struct docstore *s)
{
	struct docpace *p = of(s);

	docstore_free(p->inner);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct docstore_ops docpace_ops = {
	.name = "docpace",
	.list = docpace_list,
	.container = docpace_container,
	.key = docpace_key,
	.keys = docpace_keys,
	.ranges = docpace_ranges,
	.page = docpace_page,
	.get = docpace_get,
	.put = docpace_put,
	.delete = docpace_delete,
	.free = docpace_free,
};

int
docpace_new_take(struct docstore *inner, double units, struct docstore **out, struct err *e)
{
	struct docpace *p = calloc(1, sizeof(*p));

	assert(units > 0);
	if (p == NULL) {
		docstore_free(inner);
		return err_set(e, ENOMEM, "out of memory");
	}
	p->store.ops = &docpace_ops;
	memcpy(p->store.label, inner->label, sizeof(p->store.label));
	memcpy(p->store.database, inner->database, sizeof(p->store.database));
	memcpy(p->store.container, inner->container, sizeof(p->store.container));
	p->inner = inner;
	p->units = units;
	p->item_units = 1; /* until a page has told */
	(void)pthread_mutex_init(&p->lock, NULL);
	*out = &p->store;
	return 0;
}
