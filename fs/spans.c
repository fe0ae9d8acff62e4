/* SPDX-License-Identifier: MIT */
/*
 * The span cache: see spans.h.
 *
 * One lock guards the tables, the waiters' lists and the stream tables; it is
 * never held while fetching, unsealing, copying or calling back.
 */
#include "fs/spans.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mutex.h"
#include "base/num.h"
#include "fs/fill.h"

enum { BUCKETS = 1024, VERSION_BUCKETS = 1024, AHEAD_IN_FLIGHT = 24, READY_MIN = 16 << 20 };

static const int64_t NEAR_NS = 2 * NS_PER_MS; /* a store that begins to answer within this is next door */

enum state { LOADING, READY };

struct cached {
	struct pool_job job; /* its load; first, so that the job is the span */
	struct version *v;   /* holds a reference */
	uint64_t number;
	enum state state;
	bool ahead;	     /* loaded before anybody asked */
	unsigned holds;	     /* readers using the block */
	atomic_uint touches; /* random reads of it */
	bool used;	     /* somebody has read of it */
	struct deadline deadline;
	struct span_block block;
	size_t n;
	struct bad_regions bad;
	struct view_read *waiters;
	struct cached *chain;		/* hash bucket */
	struct cached *newer, *older;	/* least-recently-used list, READY only */
};

struct version {
	struct spans *s;
	struct store *store;
	char *name, *etag, *kid;
	bool clear;
	struct layout layout;
	struct region_order order;
	atomic_bool moved_reported;
	unsigned refs;		/* guarded by s->mu, as all below */
	unsigned openers;
	struct key_ref *key;	/* while somebody has it open */
	struct version *chain;
};

struct spans {
	struct engine *g;
	struct spanmem *mem;
	pthread_mutex_t mu; /* rank 3 */
	struct cached *bucket[BUCKETS];
	struct version *version_bucket[VERSION_BUCKETS];
	struct cached *oldest, *newest;
	uint64_t ready_bytes;	/* of READY spans */
	uint64_t ready_max;	/* beyond this the oldest go: the page cache above holds the same bytes */
	unsigned ahead_in_flight;
	int64_t first_byte_ns;	/* how long the store takes to begin an answer, smoothed; 0: unknown */
	struct spans_stats stats;
};

/* ---- tables (all with the lock held) ---- */

static size_t
span_hash(const struct version *v, uint64_t number)
{
	return ((size_t)(uintptr_t)v / 64 + (size_t)number * 31) % BUCKETS;
}

static struct cached **
find_locked(struct version *v, uint64_t number)
{
	struct cached **at = &v->s->bucket[span_hash(v, number)];

	while (*at != NULL && ((*at)->v != v || (*at)->number != number))
		at = &(*at)->chain;
	return at;
}

static void
lru_remove_locked(struct spans *s, struct cached *c)
{
	s->ready_bytes -= c->block.n;
	*(c->older != NULL ? &c->older->newer : &s->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &s->newest) = c->older;
	c->older = c->newer = NULL;
}

static void
lru_add_locked(struct spans *s, struct cached *c)
{
	s->ready_bytes += c->block.n;
	c->older = s->newest;
	c->newer = NULL;
	*(s->newest != NULL ? &s->newest->newer : &s->oldest) = c;
	s->newest = c;
}

static void
unlink_locked(struct cached *c)
{
	struct cached **at = find_locked(c->v, c->number);

	assert(*at == c);
	*at = c->chain;
	c->chain = NULL;
}

static struct version **
version_slot(struct spans *s, const struct store *store, const char *name, const char *etag)
{
	size_t h = 5381;
	struct version **at;

	for (const char *p = name; *p != '\0'; p++)
		h = h * 33 + (unsigned char)*p;
	for (at = &s->version_bucket[h % VERSION_BUCKETS]; *at != NULL; at = &(*at)->chain)
		if ((*at)->store == store && strcmp((*at)->name, name) == 0 && strcmp((*at)->etag, etag) == 0)
			break;
	return at;
}

static void
version_destroy(struct version *v)
{
	key_ref_put(v->key);
	free(v->name);
	free(v->etag);
	free(v->kid);
	free(v);
}

/* Drops a reference; a version to be destroyed (outside the lock) is returned. */
static struct version *
version_put_locked(struct version *v)
{
	struct version **at;

	if (--v->refs > 0)
		return NULL;
	at = version_slot(v->s, v->store, v->name, v->etag);
	if (*at == v)
		*at = v->chain;
	return v;
}

static void
cached_free(struct spans *s, struct cached *c)
{
	struct version *dead;

	spanmem_give(s->mem, &c->block);
	bad_regions_clear(&c->bad);
	mutex_lock(&s->mu);
	dead = version_put_locked(c->v);
	mutex_unlock(&s->mu);
	if (dead != NULL)
		version_destroy(dead);
	free(c);
}

/* ---- memory ---- */

/* The least recently used span that nobody holds; what was fetched ahead and not yet read goes last, or not at all. */
static struct cached *
victim_locked(struct spans *s, bool unread_too)
{
	struct cached *unread = NULL;

	for (struct cached *c = s->oldest; c != NULL; c = c->newer) {
		if (c->holds > 0)
			continue;
		if (c->used || !c->ahead)
			return c;
		if (unread == NULL)
			unread = c;
	}
	return unread_too ? unread : NULL;
}

static struct cached *
take_victim(struct spans *s, bool unread_too)
{
	struct cached *c;

	mutex_lock(&s->mu);
	c = victim_locked(s, unread_too);
	if (c != NULL) {
		lru_remove_locked(s, c);
		unlink_locked(c);
		s->stats.evictions++;
	}
	mutex_unlock(&s->mu);
	return c;
}

/* Keeps the cache small; what is held stays, and so does what was fetched ahead and is still to be read. */
static void
shrink(struct spans *s)
{
	for (;;) {
		struct cached *c;
		bool enough;

		mutex_lock(&s->mu);
		enough = s->ready_bytes <= s->ready_max;
		mutex_unlock(&s->mu);
		c = enough ? NULL : take_victim(s, false);
		if (c == NULL)
			return;
		cached_free(s, c);
	}
}

static uint64_t
evict(void *arg, uint64_t want)
{
	struct spans *s = arg;
	uint64_t given = spanmem_trim(s->mem);

	while (given < want) {
		struct cached *c = take_victim(s, true);

		if (c == NULL)
			break;
		const uint64_t n = c->block.n;

		cached_free(s, c); /* may land among the blocks kept for reuse */
		given += u64_max(spanmem_trim(s->mem), n);
	}
	return given;
}

int
spans_new(struct engine *g, struct spans **out, struct err *e)
{
	struct spans *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = spanmem_new(engine_budget(g), &s->mem, e);
	if (r < 0) {
		free(s);
		return r;
	}
	(void)pthread_mutex_init(&s->mu, NULL);
	s->g = g;
	s->ready_max = u64_max(budget_limit(engine_budget(g), BUDGET_DATA) / 3, READY_MIN);
	budget_set_evictor(engine_budget(g), evict, s);
	*out = s;
	return 0;
}

void
spans_free(struct spans *s)
{
	if (s == NULL)
		return;
	for (struct cached *c; (c = take_victim(s, true)) != NULL;)
		cached_free(s, c);
	for (size_t i = 0; i < BUCKETS; i++)
		assert(s->bucket[i] == NULL);
	for (size_t i = 0; i < VERSION_BUCKETS; i++)
		assert(s->version_bucket[i] == NULL);
	spanmem_free(s->mem);
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

/* ---- versions ---- */

static struct version *
version_make(struct spans *s, const struct version_info *info)
{
	struct version *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->s = s;
	v->store = info->store;
	v->name = strdup(info->name);
	v->etag = strdup(info->etag);
	v->kid = strdup(info->kid);
	v->clear = info->clear;
	v->layout = info->layout;
	region_order_init(&v->order, info->recover_order);
	v->refs = 1;
	if (v->name == NULL || v->etag == NULL || v->kid == NULL) {
		version_destroy(v);
		return NULL;
	}
	return v;
}

struct version *
version_find(struct spans *s, const struct store *store, const char *name, const char *etag)
{
	struct version *v;

	mutex_lock(&s->mu);
	v = *version_slot(s, store, name, etag);
	if (v != NULL)
		v->refs++;
	mutex_unlock(&s->mu);
	return v;
}

int
version_get(struct spans *s, const struct version_info *info, struct version **out, struct err *e)
{
	struct version *made = version_make(s, info), **at;

	if (made == NULL)
		return err_set(e, ENOMEM, "out of memory");
	mutex_lock(&s->mu);
	at = version_slot(s, info->store, info->name, info->etag);
	if (*at == NULL) {
		*at = made;
		*out = made;
		made = NULL;
	} else {
		(*at)->refs++;
		*out = *at;
	}
	mutex_unlock(&s->mu);
	if (made != NULL)
		version_destroy(made);
	return 0;
}

static void
version_ref(struct version *v)
{
	mutex_lock(&v->s->mu);
	v->refs++;
	mutex_unlock(&v->s->mu);
}

void
version_put(struct version *v)
{
	struct spans *s = v->s;
	struct version *dead;

	mutex_lock(&s->mu);
	dead = version_put_locked(v);
	mutex_unlock(&s->mu);
	if (dead != NULL)
		version_destroy(dead);
}

void
version_open(struct version *v, struct key_ref *key)
{
	struct key_ref *old;

	mutex_lock(&v->s->mu);
	v->openers++;
	old = v->key;
	v->key = key != NULL ? key_ref_get(key) : NULL;
	mutex_unlock(&v->s->mu);
	key_ref_put(old);
}

void
version_close(struct version *v)
{
	struct key_ref *old = NULL;

	mutex_lock(&v->s->mu);
	if (--v->openers == 0) {
		old = v->key;
		v->key = NULL;
	}
	mutex_unlock(&v->s->mu);
	key_ref_put(old);
}

const struct layout *
version_layout(const struct version *v)
{
	return &v->layout;
}

struct region_order *
version_order(struct version *v)
{
	return &v->order;
}

bool
version_has_span(struct version *v, uint64_t span)
{
	struct cached *c;
	bool ready;

	mutex_lock(&v->s->mu);
	c = *find_locked(v, span);
	ready = c != NULL && c->state == READY;
	mutex_unlock(&v->s->mu);
	return ready;
}

/* What region_order=recover lets through is said once for each version. */
static void
report_moved(struct version *v)
{
	if (atomic_load(&v->order.misordered) > 0 && !atomic_exchange(&v->moved_reported, true))
		log_event(LOG_LEVEL_WARNING, "integrity.recovered",
			  "'%s' etag %s: regions are not in their place and are shown all the same (region_order=recover) [key=%s]",
			  v->name, v->etag, v->kid);
}

/* ---- loading ---- */

static void read_step(struct view_read *r);

struct load {
	struct fill fill;
	struct key_ref *key;
	struct cached *c;
	int64_t start_ns; /* 0 once the answer has begun */
};

static void
note_first_byte(struct spans *s, int64_t took_ns)
{
	mutex_lock(&s->mu);
	s->first_byte_ns = s->first_byte_ns == 0 ? took_ns : (s->first_byte_ns * 7 + took_ns) / 8;
	mutex_unlock(&s->mu);
}

static int
load_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct load *l = arg;

	if (entry->size != l->c->v->layout.stored_size) {
		(void)err_set(e, EIO, "the service now says %llu bytes for the same ETag",
			      (unsigned long long)entry->size);
		return err_mark(e, "net.protocol", NULL);
	}
	if (l->start_ns != 0)
		note_first_byte(l->c->v->s, clock_now_ns() - l->start_ns);
	l->start_ns = 0;
	fill_begin(&l->fill);
	return 0;
}

static int
load_data(void *arg, struct span piece, struct err *e)
{
	struct load *l = arg;

	return fill_data(&l->fill, piece, e);
}

static int
fetch(struct load *l, struct err *e)
{
	struct version *v = l->c->v;
	struct span_place place;
	bool same;
	int r;

	if (l->key == NULL && !v->clear)
		return err_set(e, ECANCELED, "the file has been closed");
	fill_place(&v->layout, v->clear, l->c->number, &place);
	const struct store_get get = {
		.name = v->name, .off = place.stored_off, .len = place.stored_len, .if_match = v->etag,
	};

	r = store_get(v->store, &get, (struct store_get_sink){ load_begin, load_data, l }, &same, l->c->deadline, e);
	if (r == -ENOENT) { /* gone or replaced: for who has it open it is the same */
		e->no = ESTALE;
		r = -ESTALE;
	}
	return r < 0 ? r : fill_end(&l->fill, e);
}

/* Waiters of a failed load: those with time left, whose load was nobody's or ran on another's deadline, try again. */
static bool
may_try_again(const struct view_read *r, const struct err *e, bool was_ahead)
{
	return (was_ahead || e->no == ETIMEDOUT) && e->no != ECANCELED &&
	       deadline_left_ns(r->deadline) > 100 * NS_PER_MS;
}

static void
wake_waiters(struct view_read *list, const struct err *e, bool was_ahead)
{
	while (list != NULL) {
		struct view_read *r = list;

		list = r->next;
		r->next = NULL;
		if (e->no != 0 && !may_try_again(r, e, was_ahead)) {
			r->e = *e;
			r->done(r);
		} else {
			read_step(r);
		}
	}
}

/* First come, first served. */
static struct view_read *
reversed(struct view_read *list)
{
	struct view_read *out = NULL;

	while (list != NULL) {
		struct view_read *next = list->next;

		list->next = out;
		out = list;
		list = next;
	}
	return out;
}

static void
publish(struct cached *c, struct load *l, const struct err *e)
{
	struct spans *s = c->v->s;
	struct view_read *waiters;
	bool was_ahead = c->ahead;

	mutex_lock(&s->mu);
	waiters = reversed(c->waiters);
	c->waiters = NULL;
	if (was_ahead)
		s->ahead_in_flight--;
	if (e->no == 0) {
		c->block = l->fill.block;
		c->n = l->fill.n;
		c->bad = l->fill.bad;
		c->state = READY;
		lru_add_locked(s, c);
		c->holds++; /* until the waiters have had it */
	} else {
		unlink_locked(c);
	}
	mutex_unlock(&s->mu);
	if (e->no == 0) {
		l->fill.block = (struct span_block){ NULL, 0 };
		l->fill.bad = (struct bad_regions){ 0 };
		wake_waiters(waiters, e, was_ahead);
		mutex_lock(&s->mu);
		c->holds--;
		mutex_unlock(&s->mu);
		shrink(s);
	} else {
		struct err why = *e;

		cached_free(s, c);
		wake_waiters(waiters, &why, was_ahead);
	}
}

static void
run_load(struct pool_job *job)
{
	struct cached *c = (struct cached *)(void *)job;
	struct version *v = c->v;
	struct load l = { .c = c, .start_ns = clock_now_ns() };
	struct err e = { 0 };

	mutex_lock(&v->s->mu);
	l.key = v->key != NULL ? key_ref_get(v->key) : NULL;
	mutex_unlock(&v->s->mu);
	l.fill = (struct fill){
		.mem = v->s->mem, .layout = &v->layout, .order = v->clear ? NULL : &v->order,
		.cek = l.key != NULL ? key_ref_cek(l.key) : NULL, .span = c->number,
		.wait_for_memory = !c->ahead, .deadline = c->deadline,
	};
	if (fetch(&l, &e) < 0) {
		err_key(&e, v->kid);
		(void)err_in(&e, "etag %s, span %llu", v->etag, (unsigned long long)c->number);
	}
	report_moved(v);
	publish(c, &l, &e); /* c and its version may be gone from here on */
	fill_clear(&l.fill);
	key_ref_put(l.key);
}

/* A span that is now being loaded; the caller submits it without the lock.  NULL when memory is out. */
static struct cached *
add_locked(struct version *v, uint64_t number, bool ahead, struct deadline d)
{
	struct cached *c = calloc(1, sizeof(*c));
	struct cached **at;

	if (c == NULL)
		return NULL;
	c->job.run = run_load;
	c->v = v;
	v->refs++;
	c->number = number;
	c->state = LOADING;
	c->ahead = ahead;
	c->deadline = d;
	at = &v->s->bucket[span_hash(v, number)];
	c->chain = *at;
	*at = c;
	if (ahead)
		v->s->ahead_in_flight++;
	return c;
}

/* ---- reading ---- */

static struct version *
read_version(const struct view_read *r)
{
	return r->view_data;
}

static uint64_t
read_end(const struct view_read *r)
{
	return u64_min(r->off + r->len, read_version(r)->layout.plain_size);
}

/* The first bad region that [from, to) of the version touches, or -1. */
static int64_t
bad_region_in(const struct cached *c, const struct layout *l, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < c->bad.n; i++) {
		uint64_t begin = c->bad.at[i] * l->region_len;

		if (begin < to && begin + l->region_len > from)
			return (int64_t)c->bad.at[i];
	}
	return -1;
}

/* Cuts the wanted part out of one held span; false when it must not be shown. */
static bool
add_piece(struct view_read *r, const struct cached *c, uint64_t from, uint64_t to)
{
	const struct layout *l = &c->v->layout;
	uint64_t start = c->number * l->span_len;
	uint64_t a = u64_max(from, start), b = u64_min(to, start + l->span_len);
	int64_t bad = bad_region_in(c, l, a, b);

	if (bad >= 0) {
		r->e = c->bad.first;
		if (c->bad.at[0] != (uint64_t)bad) {
			const char *event = c->bad.first.event;

			err_clear(&r->e);
			(void)err_set(&r->e, EBADMSG, "region %lld does not verify", (long long)bad);
			(void)err_mark(&r->e, event, c->bad.first.advice);
		}
		err_key(&r->e, c->v->kid);
		(void)err_in(&r->e, "etag %s", c->v->etag);
		return false;
	}
	if (b - start > c->n) {
		(void)err_set(&r->e, EIO, "the span holds fewer bytes than the file's size");
		return false;
	}
	r->piece[r->n_pieces++] = (struct iovec){ c->block.p + (a - start), (size_t)(b - a) };
	return true;
}

/*
 * What lies around a random read in its last span, if all of it has verified: worth
 * the kernel's page cache when readers come back to the span, not at the first touch.
 */
static void
show_around(struct view_read *r)
{
	const struct cached *c = r->held[r->n_held - 1];
	const uint64_t start = c->number * c->v->layout.span_len;
	const uint64_t inside = (u64_max(r->off, start) - start) / SPAN_TARGET * SPAN_TARGET;

	const unsigned touches = atomic_load(&c->touches);

	if (r->sequential || (touches != 2 && touches % 32 != 31) || c->bad.n > 0 || inside >= c->n)
		return;
	r->around_off = start + inside;
	r->around = (struct iovec){ c->block.p + inside, (size_t)u64_min(c->n - inside, SPAN_TARGET) };
}

static void
finish_read(struct view_read *r)
{
	uint64_t end = read_end(r);

	show_around(r);

	for (unsigned i = 0; i < r->n_held; i++)
		if (!add_piece(r, r->held[i], r->off, end)) {
			r->n_pieces = 0;
			break;
		}
	r->done(r);
}

enum progress { HAVE_ALL, PARKED, NO_MEMORY };

/* Sees that every span from i to last is on its way; what must be submitted goes to the list. */
static void
start_missing_locked(struct view_read *r, uint64_t i, uint64_t last, struct cached **submit, unsigned *n_submit)
{
	struct version *v = read_version(r);

	for (; i <= last; i++) {
		struct cached *c = *find_locked(v, i);

		if (c != NULL)
			continue;
		c = add_locked(v, i, false, r->deadline);
		if (c == NULL)
			return;
		submit[(*n_submit)++] = c;
		v->s->stats.loads++;
	}
}

/* A parked read holds nothing, or readers could hold all memory and wait for each other. */
static void
let_go_locked(struct view_read *r)
{
	for (unsigned i = 0; i < r->n_held; i++)
		((struct cached *)r->held[i])->holds--;
	r->n_held = 0;
}

/* Holds all the spans of a read, or parks it on the first that is not ready and sees that all it needs are on their way. */
static enum progress
hold_spans_locked(struct view_read *r, struct cached **submit, unsigned *n_submit)
{
	struct version *v = read_version(r);
	const uint64_t first = r->off / v->layout.span_len, last = (read_end(r) - 1) / v->layout.span_len;

	for (uint64_t i = first; i <= last; i++) {
		struct cached *c = *find_locked(v, i);

		if (c != NULL && c->state == READY) {
			c->holds++;
			c->touches += !r->sequential;
			c->used = true;
			lru_remove_locked(v->s, c);
			lru_add_locked(v->s, c);
			r->held[r->n_held++] = c;
			continue;
		}
		let_go_locked(r);
		start_missing_locked(r, i, last, submit, n_submit);
		c = *find_locked(v, i);
		if (c == NULL)
			return NO_MEMORY;
		r->next = c->waiters;
		c->waiters = r;
		return PARKED;
	}
	return HAVE_ALL;
}

static void
submit_loads(struct engine *g, struct cached **list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		engine_submit(g, list[i]->ahead ? LANE_AHEAD : LANE_DATA, &list[i]->job);
}

static enum progress
try_read(struct view_read *r)
{
	struct cached *submit[VIEW_READ_PIECES + 1];
	unsigned n = 0;
	struct spans *s = read_version(r)->s;
	struct engine *g = s->g;
	enum progress p;

	mutex_lock(&s->mu);
	p = hold_spans_locked(r, submit, &n);
	mutex_unlock(&s->mu);
	submit_loads(g, submit, n); /* from here on a parked read may be gone */
	return p;
}

static void
read_step(struct view_read *r)
{
	switch (try_read(r)) {
	case PARKED:
		return;
	case NO_MEMORY:
		(void)err_set(&r->e, ENOMEM, "out of memory");
		r->done(r);
		return;
	case HAVE_ALL:
		finish_read(r);
		return;
	}
}

/* Fetches ahead what the plan says, as far as the mount's share of such loads goes. */
static unsigned
start_ahead_locked(struct version *v, const struct ahead_plan *plan, struct cached **submit)
{
	struct spans *s = v->s;
	const struct deadline d = deadline_in(engine_timeout_ns(s->g));
	unsigned n = 0;

	for (uint64_t i = plan->first; i < plan->end && s->ahead_in_flight < AHEAD_IN_FLIGHT; i++) {
		if (*find_locked(v, i) != NULL)
			continue;
		submit[n] = add_locked(v, i, true, d);
		if (submit[n] == NULL)
			break;
		n++;
		s->stats.ahead_loads++;
	}
	return n;
}

void
spans_read(struct version *v, struct ahead *ahead, struct view_read *r)
{
	struct cached *submit[AHEAD_DEPTH_MAX];
	struct spans *s = v->s;
	struct ahead_plan plan;
	struct cached *first;
	uint64_t end;
	unsigned n;
	bool waited;

	r->view_data = v;
	end = read_end(r);
	if (r->off >= end) { /* at or past the end: nothing, and no failure */
		r->done(r);
		return;
	}
	mutex_lock(&s->mu);
	first = *find_locked(v, r->off / v->layout.span_len);
	waited = first == NULL || first->state != READY;
	s->stats.hits += !waited;
	const struct ahead_read note = {
		.off = r->off, .len = (size_t)(end - r->off), .last_span = (end - 1) / v->layout.span_len,
		.n_spans = v->layout.n_spans, .waited = waited,
		/* Next door more spans in flight do not come faster, they only take memory. */
		.depth_max = s->first_byte_ns < NEAR_NS ? AHEAD_DEPTH_MIN : AHEAD_DEPTH_MAX,
	};

	plan = ahead_note(ahead, &note);
	r->sequential = plan.sequential;
	mutex_unlock(&s->mu);
	v = read_version(r);
	version_ref(v); /* the read may be answered, and its file closed, before the rest is asked for */
	read_step(r);
	mutex_lock(&s->mu);
	n = start_ahead_locked(v, &plan, submit);
	mutex_unlock(&s->mu);
	submit_loads(s->g, submit, n);
	version_put(v);
}

void
spans_read_release(struct view_read *r)
{
	struct spans *s;

	if (r->n_held == 0) /* then the version may be gone already */
		return;
	s = read_version(r)->s;
	mutex_lock(&s->mu);
	let_go_locked(r);
	mutex_unlock(&s->mu);
}

void
spans_stats(struct spans *s, struct spans_stats *out)
{
	mutex_lock(&s->mu);
	*out = s->stats;
	mutex_unlock(&s->mu);
}

/* ---- filling from outside ---- */

struct span_fill {
	struct fill fill;
	struct version *v;
	struct key_ref *key;
};

int
span_fill_new(struct version *v, uint64_t span, struct key_ref *key, struct deadline d, struct span_fill **out,
	      struct err *e)
{
	struct span_fill *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(e, ENOMEM, "out of memory");
	version_ref(v);
	f->v = v;
	f->key = key != NULL ? key_ref_get(key) : NULL;
	f->fill = (struct fill){
		.mem = v->s->mem, .layout = &v->layout, .order = v->clear ? NULL : &v->order,
		.cek = key != NULL ? key_ref_cek(key) : NULL, .span = span, .wait_for_memory = true, .deadline = d,
	};
	*out = f;
	return 0;
}

int
span_fill_begin(struct span_fill *f, struct err *e)
{
	(void)e;
	fill_begin(&f->fill);
	return 0;
}

int
span_fill_data(struct span_fill *f, struct span piece, struct err *e)
{
	return fill_data(&f->fill, piece, e);
}

/* The span, ready, unless somebody else has put one there. */
static void
install(struct span_fill *f, struct cached *c)
{
	struct spans *s = f->v->s;

	mutex_lock(&s->mu);
	if (*find_locked(f->v, f->fill.span) != NULL) {
		mutex_unlock(&s->mu);
		free(c);
		return;
	}
	c->v = f->v;
	f->v->refs++;
	c->number = f->fill.span;
	c->state = READY;
	c->block = f->fill.block;
	c->n = f->fill.n;
	c->bad = f->fill.bad;
	c->chain = s->bucket[span_hash(c->v, c->number)];
	s->bucket[span_hash(c->v, c->number)] = c;
	lru_add_locked(s, c);
	s->stats.loads++;
	mutex_unlock(&s->mu);
	f->fill.block = (struct span_block){ NULL, 0 };
	f->fill.bad = (struct bad_regions){ 0 };
}

int
span_fill_finish(struct span_fill *f, struct err *e)
{
	struct cached *c;
	int r = fill_end(&f->fill, e);

	report_moved(f->v);
	if (r == 0 && f->fill.bad.n > 0 && f->v->layout.plain_size == 0) {
		*e = f->fill.bad.first; /* nobody will read a byte and find out */
		r = -e->no;
	}
	if (r < 0) {
		err_key(e, f->v->kid);
		return r;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(e, ENOMEM, "out of memory");
	install(f, c);
	shrink(f->v->s);
	span_fill_abandon(f);
	return 0;
}

void
span_fill_abandon(struct span_fill *f)
{
	if (f == NULL)
		return;
	fill_clear(&f->fill);
	key_ref_put(f->key);
	version_put(f->v);
	free(f);
}
