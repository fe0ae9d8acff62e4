/* SPDX-License-Identifier: MIT */
/*
 * The DEKs of one container: reading their records, unwrapping, asking again.  See dockeys.h.
 *
 * One caller at a time works on the chest (`busy`); others take the last snapshot, or wait when it
 * will not do.  The lock is never held while store or keyring are asked.
 */
#include "fs/dockeys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mutex.h"
#include "base/num.h"
#include "crypto/dekrecord.h"

enum { SIBLINGS_MAX = 64, SIBLINGS_TRIED_MAX = 256 };

static const int64_t ASK_AGAIN_NS = NS_PER_S;	  /* open ones */
static const int64_t DENIED_NS = 30 * NS_PER_S;	  /* withheld and failed ones */
static const int64_t IMPATIENT_NS = 5 * NS_PER_S; /* what a listing waits for a vault */
static const int64_t WAIT_STEP_NS = 200 * NS_PER_MS;

struct slot {
	struct dek_record record; /* id NULL: not read yet */
	struct dek_open *open;
	struct err why;
	bool withheld, told; /* told: that it is withheld was logged */
	int64_t again_ns;    /* not worth asking before */
	struct dek_open *sibling[SIBLINGS_MAX];
	size_t n_siblings;
};

struct keychest {
	struct docstore *store;
	struct keyring *keys;
	const char *database;
	const struct container_def *def;
	bool show_siblings;
	size_t n_slots;
	const char **dek_id; /* of each slot; borrowed from def */
	size_t *slot_of;     /* of each path */

	/*
	 * Rank 3; guards the snapshot and busy.  The slots are of whoever is busy; records are
	 * replaced under the lock too, so that anybody may look at them.
	 */
	pthread_mutex_t mu;
	pthread_cond_t idle;
	bool busy;
	struct dockeys *now;
	int64_t fresh_until_ns, siblings_at_ns;
	struct slot *slot;
};

/* ---- the record and the vault ---- */

static int
read_record(struct keychest *c, const char *id, const char *etag, struct dek_record *out,
	    bool *out_same, struct deadline d, struct err *e)
{
	AUTO_BUF text;
	int r;

	buf_init(&text, DEK_RECORD_TEXT_MAX);
	r = docstore_key(c->store, c->database, id, etag, &text, out_same, d, e);
	if (r < 0 || *out_same)
		return r < 0 ? err_in(e, "key '%s'", id) : 0;
	r = dek_record_parse(buf_span(&text), out, e);
	if (r == 0 && strcmp(out->id, id) != 0) {
		dek_record_clear(out);
		(void)err_set(e, EBADMSG, "the record is that of another key");
		r = err_mark(e, "integrity.dek", NULL);
	}
	return r < 0 ? err_in(e, "key '%s'", id) : 0;
}

static void
put_record(struct keychest *c, struct slot *s, struct dek_record *record)
{
	struct dek_record old;

	mutex_lock(&c->mu);
	old = s->record;
	s->record = *record;
	mutex_unlock(&c->mu);
	dek_record_clear(&old);
}

static int
unwrap(struct keychest *c, struct slot *s, struct deadline d, struct err *e)
{
	struct dek_open *open = NULL;
	struct key_ref *ref = NULL;
	int r = keyring_dek(c->keys, s->record.kid, span_of(s->record.wrapped, s->record.n_wrapped),
			    d, &ref, e);

	if (r < 0)
		return r;
	if (s->open != NULL && s->open->ref == ref) {
		key_ref_put(ref);
		return 0;
	}
	r = dek_open_new_take(s->record.id, ref, &open, e);
	if (r < 0)
		return r;
	dek_open_put(s->open);
	s->open = open;
	return 0;
}

/*
 * A key that the vault denies, or has no more, may have been rewrapped since its record was read.
 */
static bool
could_be_rewrapped(const struct err *e)
{
	return (e->no == EACCES && e->event != NULL && strcmp(e->event, "auth.vault") == 0) ||
	       e->no == ENOKEY;
}

/*
 * Reads the record again, first as any cache on the way has it, then past the cache; unwraps when
 * it has changed.  *e holds the refusal, and keeps it when nothing helps.
 */
static int
try_rewrapped(struct keychest *c, struct slot *s, struct deadline d, struct err *e)
{
	for (int forced = 0; forced < 2; forced++) {
		struct dek_record record = { 0 };
		struct err why = { 0 };
		bool same = false, changed;
		int r = read_record(c, s->record.id, forced ? s->record.etag : NULL, &record, &same,
				    d, &why);

		changed = r == 0 && !same && !dek_record_same(&record, &s->record);
		if (changed) {
			put_record(c, s, &record);
			err_clear(e);
			r = unwrap(c, s, d, e);
			if (r == 0 || !could_be_rewrapped(e))
				return r;
		} else if (r == 0 && !same) {
			dek_record_clear(&record);
		}
		if (same || s->record.etag[0] == '\0')
			break;
	}
	return -e->no;
}

static void
tell_withheld(struct keychest *c, size_t i, struct slot *s)
{
	struct err e = s->why;

	if (s->told)
		return;
	s->told = true;
	e.event = "key.withheld";
	log_err(LOG_LEVEL_WARNING, &e, "key '%s' of %s: what it seals is left out", c->dek_id[i],
		c->store->label);
}

static bool
is_passing(const struct err *e)
{
	return e->no == ETIMEDOUT || e->no == EIO || e->no == ECANCELED || e->no == ENOMEM;
}

static struct deadline
impatient(struct deadline d)
{
	return deadline_left_ns(d) < IMPATIENT_NS ? d : deadline_in(IMPATIENT_NS);
}

static void
refresh_slot(struct keychest *c, size_t i, bool patient, struct deadline d)
{
	struct slot *s = &c->slot[i];
	const int64_t now = clock_now_ns();
	struct dek_record record = { 0 };
	struct err e = { 0 };
	bool same;
	int r = 0;

	if (now < s->again_ns && !(patient && is_passing(&s->why)))
		return;
	if (!patient)
		d = impatient(d);
	if (s->record.id == NULL) {
		r = read_record(c, c->dek_id[i], NULL, &record, &same, d, &e);
		if (r == 0)
			put_record(c, s, &record);
	}
	if (r == 0)
		r = unwrap(c, s, d, &e);
	if (r < 0 && s->record.id != NULL && could_be_rewrapped(&e))
		r = try_rewrapped(c, s, d, &e);
	s->withheld = r == -EACCES && could_be_rewrapped(&e);
	s->why = e;
	s->again_ns = r == 0 ? 0 : clock_now_ns() + DENIED_NS;
	if (r == 0)
		s->told = false;
	else if (!is_passing(&e)) { /* an open key outlives a vault that is away, not its refusal */
		dek_open_put(s->open);
		s->open = NULL;
	}
	if (s->withheld)
		tell_withheld(c, i, s);
}

/* ---- siblings ---- */

struct sibling_search {
	struct keychest *c;
	struct deadline d;
	unsigned tried; /* each may be a call to the vault, and a database can hold any number */
};

static int
note_sibling(void *arg, struct span text, struct err *e)
{
	struct sibling_search *search = arg;
	struct keychest *c = search->c;
	AUTO_DEK_RECORD record = { 0 };
	struct err ignored = { 0 };

	(void)e;
	if (dek_record_parse(text, &record, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < c->n_slots; i++) {
		struct slot *s = &c->slot[i];
		struct key_ref *ref = NULL;
		struct dek_open *open = NULL;

		if (s->record.id == NULL || strcmp(s->record.kid, record.kid) != 0 ||
		    strcmp(s->record.id, record.id) == 0 || s->n_siblings == SIBLINGS_MAX ||
		    search->tried == SIBLINGS_TRIED_MAX)
			continue;
		search->tried++;
		err_clear(&ignored);
		if (keyring_dek(c->keys, record.kid, span_of(record.wrapped, record.n_wrapped),
				search->d, &ref, &ignored) == 0 &&
		    dek_open_new_take(record.id, ref, &open, &ignored) == 0)
			s->sibling[s->n_siblings++] = open;
	}
	return 0;
}

static void
drop_siblings(struct slot *s)
{
	while (s->n_siblings > 0)
		dek_open_put(s->sibling[--s->n_siblings]);
}

static int
load_siblings(struct keychest *c, struct deadline d, struct err *e)
{
	struct sibling_search search = { c, d, 0 };
	int r;

	if (c->siblings_at_ns != 0 && clock_now_ns() - c->siblings_at_ns < DENIED_NS)
		return 0;
	for (size_t i = 0; i < c->n_slots; i++)
		drop_siblings(&c->slot[i]);
	r = docstore_keys(c->store, c->database, (struct docstore_sink){ note_sibling, &search }, d,
			  e);
	/* What could not be listed is asked for again soon, but not by each document that fails. */
	c->siblings_at_ns = clock_now_ns() - (r == 0 ? 0 : DENIED_NS - ASK_AGAIN_NS);
	return r;
}

/* ---- snapshots ---- */

static int
copy_siblings(const struct slot *s, struct dockeys_dek *to, struct err *e)
{
	to->sibling = calloc(s->n_siblings + 1, sizeof(struct dek_open *));
	to->sibling_keys = calloc(s->n_siblings + 1, sizeof(struct dek_keys *));
	if (to->sibling == NULL || to->sibling_keys == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (; to->n_siblings < s->n_siblings; to->n_siblings++) {
		struct dek_open *o = dek_open_get(s->sibling[to->n_siblings]);

		to->sibling[to->n_siblings] = o;
		to->sibling_keys[to->n_siblings] = o->keys;
	}
	return 0;
}

static int
snapshot(const struct keychest *c, bool siblings, struct dockeys **out, struct err *e)
{
	struct dockeys *k = NULL;
	int r = dockeys_new(c->def->n_paths, c->n_slots, &k, e);

	for (size_t i = 0; r == 0 && i < c->n_slots; i++) {
		const struct slot *s = &c->slot[i];

		k->dek[i].open = dek_open_get(s->open);
		k->dek[i].why = s->why;
		k->dek[i].withheld = s->withheld;
		k->dek[i].passing = s->open == NULL && is_passing(&s->why);
		if (siblings)
			r = copy_siblings(s, &k->dek[i], e);
	}
	if (r < 0) {
		dockeys_put(k);
		return r;
	}
	for (size_t i = 0; i < k->n; i++)
		k->dek_of[i] = c->slot_of[i];
	k->with_siblings = siblings;
	dockeys_finish(k);
	*out = k;
	return 0;
}

static int
work(struct keychest *c, bool patient, bool siblings, struct deadline d, struct dockeys **out,
     struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < c->n_slots; i++)
		refresh_slot(c, i, patient, d);
	if (siblings)
		r = load_siblings(c, patient ? d : impatient(d), e);
	return r < 0 ? r : snapshot(c, siblings, out, e);
}

/* ---- one caller at a time ---- */

static struct dockeys *
snapshot_get(struct dockeys *k)
{
	(void)atomic_fetch_add(&k->refs, 1);
	return k;
}

static bool
will_do_locked(const struct keychest *c, bool patient, bool siblings)
{
	return c->now != NULL && clock_now_ns() < c->fresh_until_ns &&
	       !(patient && c->now->passing) && (!siblings || c->now->with_siblings);
}

static void
wait_locked(struct keychest *c)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_STEP_NS;
	if (until.tv_nsec >= NS_PER_S) {
		until.tv_sec++;
		until.tv_nsec -= NS_PER_S;
	}
	(void)pthread_cond_clockwait(&c->idle, &c->mu, CLOCK_MONOTONIC, &until);
}

/* Whether the caller is to work on the chest; otherwise *out is a snapshot that will do. */
static int
begin(struct keychest *c, bool patient, bool siblings, struct deadline d, bool *to_work,
      struct dockeys **out, struct err *e)
{
	int r = 0;

	mutex_lock(&c->mu);
	*to_work = false;
	while (!will_do_locked(c, patient, siblings)) {
		if (!c->busy) {
			*to_work = c->busy = true;
			break;
		}
		if (c->now != NULL && !patient && !siblings) /* old, but somebody is at it */
			break;
		if (deadline_left_ns(d) == 0) {
			(void)err_set(e, ETIMEDOUT, "the container's keys were not read in time");
			r = err_mark(e, "net.deadline", NULL);
			break;
		}
		wait_locked(c);
	}
	if (r == 0 && !*to_work)
		*out = snapshot_get(c->now);
	mutex_unlock(&c->mu);
	return r;
}

static void
end(struct keychest *c, struct dockeys *made)
{
	struct dockeys *old = NULL;

	mutex_lock(&c->mu);
	if (made != NULL && (c->show_siblings || !made->with_siblings)) {
		old = c->now;
		c->now = snapshot_get(made);
		c->fresh_until_ns = clock_now_ns() + ASK_AGAIN_NS;
	}
	c->busy = false;
	(void)pthread_cond_broadcast(&c->idle);
	mutex_unlock(&c->mu);
	dockeys_put(old);
}

int
keychest_keys(struct keychest *c, bool patient, bool siblings, struct deadline d,
	      struct dockeys **out, struct err *e)
{
	struct dockeys *made = NULL;
	bool to_work;
	int r = begin(c, patient, siblings, d, &to_work, out, e);

	if (r < 0 || !to_work)
		return r;
	r = work(c, patient, siblings, d, &made, e);
	end(c, made);
	if (r == 0)
		*out = made;
	return r;
}

/* ---- life ---- */

static size_t
slot_for(struct keychest *c, const char *dek_id)
{
	size_t i = 0;

	while (i < c->n_slots && strcmp(c->dek_id[i], dek_id) != 0)
		i++;
	if (i == c->n_slots)
		c->dek_id[c->n_slots++] = dek_id;
	return i;
}

int
keychest_new(struct docstore *store, struct keyring *keys, const char *database,
	     const struct container_def *def, bool show_siblings, struct keychest **out,
	     struct err *e)
{
	struct keychest *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		*c = (struct keychest){ .store = store,
					.keys = keys,
					.database = database,
					.def = def,
					.show_siblings = show_siblings };
		(void)pthread_mutex_init(&c->mu, NULL);
		(void)pthread_cond_init(&c->idle, NULL);
		c->dek_id = calloc(def->n_paths + 1, sizeof(char *));
		c->slot_of = calloc(def->n_paths + 1, sizeof(size_t));
		c->slot = calloc(def->n_paths + 1, sizeof(struct slot));
	}
	if (c == NULL || c->dek_id == NULL || c->slot_of == NULL || c->slot == NULL) {
		keychest_free(c);
		return err_set(e, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < def->n_paths; i++)
		c->slot_of[i] = slot_for(c, def->path[i].dek_id);
	*out = c;
	return 0;
}

void
keychest_free(struct keychest *c)
{
	if (c == NULL)
		return;
	dockeys_put(c->now);
	for (size_t i = 0; c->slot != NULL && i < c->n_slots; i++) {
		drop_siblings(&c->slot[i]);
		dek_open_put(c->slot[i].open);
		dek_record_clear(&c->slot[i].record);
	}
	free(c->slot);
	free(c->slot_of);
	free(c->dek_id);
	(void)pthread_cond_destroy(&c->idle);
	(void)pthread_mutex_destroy(&c->mu);
	free(c);
}

size_t
keychest_count(const struct keychest *c)
{
	return c->n_slots;
}

void
keychest_entry(struct keychest *c, size_t i, struct keychest_entry *out)
{
	*out = (struct keychest_entry){ 0 };
	mutex_lock(&c->mu);
	(void)snprintf(out->id, sizeof(out->id), "%s", c->dek_id[i]);
	if (c->slot[i].record.id != NULL) {
		(void)snprintf(out->kid, sizeof(out->kid), "%s", c->slot[i].record.kid);
		(void)snprintf(out->kek_name, sizeof(out->kek_name), "%s",
			       c->slot[i].record.kek_name);
	}
	mutex_unlock(&c->mu);
}
