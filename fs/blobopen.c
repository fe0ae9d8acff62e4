/* SPDX-License-Identifier: MIT */
/*
 * Opening a blob.
 *
 * One validating request, beside the vault's answer: for a sealed blob of one span the
 * GET of the whole, whose headers give ETag, size and envelope and whose bytes fill the span
 * cache as they come; otherwise a conditional HEAD.  What the listing said is only a guess to
 * start from: what counts is what the request says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/blobcheck.h"
#include "fs/blobpath.h"
#include "fs/unwrap.h"

struct opening {
	struct blobview *v;
	const char *name;	    /* store name */
	const char *etag;	    /* the version that is asked for */
	struct view_record *record; /* what was known of it */
	struct view_sink now;
	struct deadline deadline;
	struct unwrap *unwrap;	 /* NULL while there is nothing to unwrap */
	struct version *version; /* one reference, once it is known */
	struct span_fill *fill;	 /* while the whole blob is being fetched */
	struct envelope env;
	bool has_bind; /* a binding tag, as the request or the listing gave it: */
	uint8_t bind[BIND_RAW_LEN];
	int64_t mtime_ns;
	bool doubt; /* what the listing said of the size is not so */
};

/* ---- failures of V1 ---- */

/* V1 says one thing only, whatever failed: docs/SECURITY.md, "V1". */
static int
v1_uniform(struct err *e)
{
	char key[sizeof(e->key)];

	if (e->no != EBADMSG &&
	    !(e->no == EIO && e->event != NULL && strcmp(e->event, "integrity.v1") == 0))
		return -e->no;
	(void)snprintf(key, sizeof(key), "%s", e->key);
	err_clear(e);
	(void)err_set(e, EIO, "a V1 blob does not decrypt");
	err_key(e, key);
	return err_mark(e, "integrity.v1", NULL);
}

/* ---- from what the store said to a version ---- */

struct found { /* what a version is made of */
	const char *etag;
	uint64_t stored_size;
	bool clear, page_blob;
};

static struct found
found_entry(const struct store_entry *entry)
{
	return (struct found){ entry->etag, entry->size, entry->envelope.p == NULL,
			       entry->type == STORE_PAGE };
}

static void
clear_layout(struct layout *l, uint64_t size)
{
	*l = (struct layout){
		.stored_size = size, .plain_size = size, .span_len = SPAN_TARGET, .size_exact = true
	};
	l->n_spans = size / SPAN_TARGET + (size % SPAN_TARGET != 0);
}

static int
make_layout(struct opening *o, const struct found *f, struct layout *l, struct err *e)
{
	int r;

	if (f->clear) {
		clear_layout(l, f->stored_size);
		return 0;
	}
	r = layout_init(l, &o->env, f->stored_size, f->page_blob,
			o->v->cfg.max_region + REGION_OVERHEAD, e);
	return r < 0 && o->env.protocol == PROTOCOL_V1 ? v1_uniform(e) : r;
}

static int
start_unwrap(struct opening *o, const struct envelope *env, struct err *e)
{
	if (o->unwrap != NULL && unwrap_is_for(o->unwrap, env))
		return 0;
	unwrap_put(o->unwrap);
	o->unwrap = NULL;
	return unwrap_start(o->v->engine, o->v->keys, env, o->deadline, &o->unwrap, e);
}

static int
wait_key(struct opening *o, struct key_ref **key, struct err *e)
{
	*key = NULL;
	if (o->unwrap == NULL)
		return 0;
	return unwrap_wait(o->unwrap, key, e);
}

struct tail {
	uint8_t bytes[2 * CBC_BLOCK];
	size_t n;
};

static int
tail_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	(void)entry;
	(void)e;
	((struct tail *)arg)->n = 0;
	return 0;
}

static int
tail_data(void *arg, struct span piece, struct err *e)
{
	struct tail *t = arg;

	if (piece.n > sizeof(t->bytes) - t->n)
		return err_set(e, EIO, "more bytes than asked for");
	memcpy(t->bytes + t->n, piece.p, piece.n);
	t->n += piece.n;
	return 0;
}

/* V1 hides its size behind the padding: the last blocks tell it. */
static int
learn_v1_size(struct opening *o, const char *etag, const struct key_ref *key, struct layout *l,
	      struct err *e)
{
	struct tail t = { .n = 0 };
	struct span_place place;
	uint64_t size = 0;
	bool same;
	int r;

	if (!l->padded)
		return 0;
	layout_v1_tail(l, &place);
	const struct store_get get = {
		.name = o->name,
		.off = place.stored_off,
		.len = place.stored_len,
		.if_match = etag,
	};

	r = store_get(o->v->store, &get, (struct store_get_sink){ tail_begin, tail_data, &t },
		      &same, o->deadline, e);
	if (r < 0)
		return r;
	r = v1guard_begin(o->v->v1, o->name, e);
	if (r < 0)
		return r;
	r = v1_exact_size(l, key_ref_cek(key), span_of(t.bytes, t.n), &size, e);
	v1guard_end(o->v->v1, o->name, r < 0);
	if (r == 0)
		layout_set_v1_size(l, size);
	return r < 0 ? v1_uniform(e) : 0;
}

/* A tag that is none of a version known here counts as absent. */
static void
take_bind(struct opening *o, struct span text)
{
	struct err ignored = { 0 };

	o->has_bind = text.p != NULL && bind_parse(text, o->bind, &ignored) == 0;
}

/*
 * The envelope counts as the request gave it; parses and checks it, so that no vault is asked for
 * a blob that cannot be.
 */
static int
take_envelope(struct opening *o, const struct store_entry *entry, struct err *e)
{
	const struct found f = found_entry(entry);
	struct layout l;
	int r;

	envelope_clear(&o->env);
	if (entry->envelope.p == NULL)
		return 0;
	take_bind(o, entry->bind);
	r = envelope_parse(entry->envelope, &o->env, e);
	if (r == 0)
		r = blobcheck_protocol(o->v, &o->env, e);
	return r < 0 ? r : make_layout(o, &f, &l, e);
}

/* The live version, made if need be. */
static int
make_version(struct opening *o, struct found f, struct key_ref *key, struct err *e)
{
	struct version_info info = {
		.store = o->v->store,
		.name = o->name,
		.etag = f.etag,
		.env = f.clear ? NULL : &o->env,
		.recover_order = o->v->cfg.recover_order,
	};
	int r;

	if (o->version == NULL)
		o->version = version_find(engine_spans(o->v->engine), o->v->store, o->name, f.etag);
	if (o->version != NULL)
		return version_check(o->version, info.env, f.stored_size, e);
	if (!f.clear && o->env.protocol == PROTOCOL_V1)
		info.v1 = o->v->v1;
	r = make_layout(o, &f, &info.layout, e);
	if (r == 0 && info.v1 != NULL)
		r = learn_v1_size(o, f.etag, key, &info.layout, e);
	if (r == 0 && !f.clear)
		r = blobcheck_binding(o->v, &o->env, &info.layout, key,
				      o->has_bind ? o->bind : NULL, &info.bound, e);
	return r < 0 ? r : version_get(engine_spans(o->v->engine), &info, &o->version, e);
}

static int
send_now(struct opening *o, const char *etag, int64_t mtime_ns, struct view_record *record,
	 struct err *e)
{
	const struct layout *l = o->version != NULL ? version_layout(o->version) : NULL;

	return blobview_send("", etag, mtime_ns, record, l != NULL ? l->plain_size : 0, l != NULL,
			     o->now, e);
}

/*
 * Another version than the one that was asked for: say what it is, and let the kernel look again.
 */
static int
report_change(struct opening *o, const struct store_entry *entry, struct err *e)
{
	struct view_record *record = NULL;
	int r = blob_record_new(o->v->kids, NULL, entry, &record, e);

	if (r == 0)
		r = blobview_send("", entry->etag, entry->mtime_ns, record, 0, false, o->now, e);
	view_record_put(record);
	if (r < 0)
		return r;
	(void)err_set(e, ESTALE, "the blob has been replaced (etag %s, was %s)", entry->etag,
		      o->etag);
	return err_mark(e, "remote.changed", NULL);
}

/* Nothing has changed: what the listing said is the truth. */
static int
trust_record(struct opening *o, struct err *e)
{
	const struct blob_record *rec = blob_record_of(o->record);
	const struct found f = { o->etag, rec->stored_size, rec->state != BLOB_SEALED,
				 rec->page_blob };
	struct key_ref *key = NULL;
	int r;

	envelope_clear(&o->env);
	o->has_bind = blob_record_bind(rec) != NULL;
	if (o->has_bind)
		memcpy(o->bind, blob_record_bind(rec), BIND_RAW_LEN);
	r = rec->state == BLOB_SEALED ? blob_record_envelope(rec, &o->env, e) : 0;
	if (r == 0)
		r = wait_key(o, &key, e);
	return r < 0 ? r : make_version(o, f, key, e);
}

/* ---- the whole blob in one GET ---- */

static int
whole_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct opening *o = arg;
	struct key_ref *key = NULL;
	int r;

	if (strcmp(entry->etag, o->etag) != 0)
		return report_change(o, entry, e);
	o->doubt = entry->size != blob_record_of(o->record)->stored_size;
	if (o->doubt) /* one of the two is wrong: no version is made of it */
		return err_set(e, EIO, "the size is %llu, not %llu as listed",
			       (unsigned long long)entry->size,
			       (unsigned long long)blob_record_of(o->record)->stored_size);
	r = blobcheck_entry(o->v, entry, e);
	if (r == 0)
		r = take_envelope(o, entry, e);
	if (r == 0 && o->env.kid != NULL)
		r = start_unwrap(o, &o->env, e);
	if (r == 0)
		r = wait_key(o, &key, e);
	if (r == 0)
		r = make_version(o, found_entry(entry), key, e);
	if (r == 0 && o->fill == NULL && version_layout(o->version)->n_spans == 1)
		r = span_fill_new(o->version, 0, key, o->deadline, &o->fill, e);
	if (r == 0 && o->fill != NULL)
		r = span_fill_begin(o->fill, e);
	o->mtime_ns = entry->mtime_ns;
	return r;
}

static int
whole_data(void *arg, struct span piece, struct err *e)
{
	struct opening *o = arg;

	if (o->fill == NULL)
		return err_set(e, EIO, "bytes for a blob that has none");
	return span_fill_data(o->fill, piece, e);
}

static int
get_whole(struct opening *o, uint64_t stored_size, bool cached, struct err *e)
{
	const struct store_get get = {
		.name = o->name,
		.max = stored_size,
		.if_none_match = cached ? o->etag : NULL,
	};
	bool same = false;
	int r = store_get(o->v->store, &get, (struct store_get_sink){ whole_begin, whole_data, o },
			  &same, o->deadline, e);

	if (r == 0 && same)
		return trust_record(o, e);
	if (r == 0 && o->fill != NULL) {
		r = span_fill_finish(o->fill, e);
		if (r == 0)
			o->fill = NULL;
	}
	return r;
}

/* ---- or a conditional HEAD ---- */

static int
head_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	struct opening *o = arg;
	struct key_ref *key = NULL;
	int r;

	if (strcmp(entry->etag, o->etag) != 0)
		return report_change(o, entry, e);
	r = blobcheck_entry(o->v, entry, e);
	if (r == 0)
		r = take_envelope(o, entry, e);
	if (r == 0 && o->env.kid != NULL)
		r = start_unwrap(o, &o->env, e);
	if (r == 0)
		r = wait_key(o, &key, e);
	return r < 0 ? r : make_version(o, found_entry(entry), key, e);
}

static int
head_first(struct opening *o, struct err *e)
{
	const struct blob_record *rec = blob_record_of(o->record);
	bool usable = rec->state == BLOB_SEALED ||
		      (rec->state == BLOB_UNENCRYPTED && o->v->cfg.show_unencrypted);
	bool same = false;
	int r = store_head(o->v->store, o->name,
			   usable && !rec->archived && !o->doubt ? o->etag : NULL,
			   (struct store_list_sink){ head_entry, o }, &same, o->deadline, e);

	return r == 0 && same ? trust_record(o, e) : r;
}

/* ---- open ---- */

/* The vault can be asked before the store has answered, when the listing told the envelope. */
static int
guess_unwrap(struct opening *o, struct err *e)
{
	const struct blob_record *rec = blob_record_of(o->record);
	AUTO_ENVELOPE env = { 0 };
	struct err unsaid = { 0 };
	struct layout l;
	int r;

	if (rec->state != BLOB_SEALED)
		return 0;
	r = blob_record_envelope(rec, &env, e);
	if (r == 0)
		r = blobcheck_protocol(o->v, &env, e);
	if (r < 0)
		return r;
	/* Not worth a call when the size cannot be; whether it is so, the request will say. */
	if (layout_init(&l, &env, rec->stored_size, rec->page_blob,
			o->v->cfg.max_region + REGION_OVERHEAD, &unsaid) < 0)
		return 0;
	return start_unwrap(o, &env, e);
}

static bool
fits_one_span(const struct blob_record *rec)
{
	uint64_t region;

	if (rec->state != BLOB_SEALED || rec->stored_size == 0 ||
	    envelope_packed_protocol(rec->packed) == PROTOCOL_V1)
		return false;
	region = envelope_packed_region_len(rec->packed);
	return rec->stored_size <=
	       (region < SPAN_TARGET ? SPAN_TARGET / region * region : SPAN_TARGET);
}

static int
validate(struct opening *o, struct err *e)
{
	const struct blob_record *rec = blob_record_of(o->record);
	int r;

	if (!fits_one_span(rec))
		return head_first(o, e);
	o->version = version_find(engine_spans(o->v->engine), o->v->store, o->name, o->etag);
	r = get_whole(o, rec->stored_size, o->version != NULL && version_has_span(o->version, 0),
		      e);
	if ((r == -EFBIG && e->event == NULL) ||
	    (r < 0 && o->doubt)) { /* it has grown, or somebody is wrong about its size */
		err_clear(e);
		if (o->version != NULL)
			version_put(o->version);
		o->version = NULL;
		r = head_first(o, e);
	}
	return r;
}

static int
finish_open(struct opening *o, struct view_file **out, struct err *e)
{
	struct blob_file *f;
	struct key_ref *key = NULL;
	int r = wait_key(o, &key, e);

	if (r == 0)
		r = send_now(o, o->etag, o->mtime_ns, o->record, e);
	if (r < 0)
		return r;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return err_set(e, ENOMEM, "out of memory");
	f->base.view = &o->v->base;
	f->base.size = version_layout(o->version)->plain_size;
	f->version = o->version;
	o->version = NULL;
	version_open(f->version, key);
	*out = (struct view_file *)(void *)f;
	return 0;
}

struct looked_up {
	struct view_record *record;
	char etag[STORE_ETAG_MAX + 1];
	int64_t mtime_ns;
	bool dir;
};

static int
keep_item(void *arg, const struct view_item *item, struct err *e)
{
	struct looked_up *l = arg;

	(void)e;
	l->dir = item->dir;
	l->mtime_ns = item->mtime_ns;
	l->record = view_record_get(item->record);
	(void)snprintf(l->etag, sizeof(l->etag), "%s", item->etag);
	return 0;
}

static int
open_known(struct opening *o, const char *path, struct view_file **out, struct err *e)
{
	enum blob_path_kind kind;
	AUTO_BUF name;
	int r;

	buf_init(&name, STORE_NAME_MAX);
	r = blobpath_name(o->v->store, path, o->deadline, &name, &kind, e);
	o->name = buf_str(&name);
	if (r == 0)
		r = guess_unwrap(o, e);
	if (r == 0)
		r = validate(o, e);
	if (r == 0)
		r = finish_open(o, out, e);
	if (r < 0 && e->key[0] == '\0')
		err_key(e, o->env.kid != NULL ? o->env.kid
					      : blob_record_kid(blob_record_of(o->record)));
	if (r < 0 && blob_record_of(o->record)->state == BLOB_SEALED &&
	    envelope_packed_protocol(blob_record_of(o->record)->packed) == PROTOCOL_V1)
		r = v1_uniform(e);
	span_fill_abandon(o->fill);
	if (o->version != NULL)
		version_put(o->version);
	unwrap_put(o->unwrap);
	envelope_clear(&o->env);
	return r;
}

int
blobview_open(struct view *view, const char *path, const char *etag, struct view_record *record,
	      struct view_sink now, struct deadline d, struct view_file **out, struct err *e)
{
	struct looked_up l = { .record = view_record_get(record) };
	struct opening o = { .v = blobview_of(view), .now = now, .deadline = d };
	int r = 0;

	if (record == NULL)
		r = blobview_lookup(view, path, (struct view_sink){ keep_item, &l }, d, e);
	else
		(void)snprintf(l.etag, sizeof(l.etag), "%s", etag);
	if (r == 0 && l.dir)
		r = err_set(e, EISDIR, "is a directory");
	o.etag = l.etag;
	o.record = l.record;
	o.mtime_ns = l.mtime_ns;
	if (r == 0)
		r = open_known(&o, path, out, e);
	view_record_put(l.record);
	return r;
}
