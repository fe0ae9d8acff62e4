/* SPDX-License-Identifier: MIT */
/* Blob records: see blobrecord.h. */
#include "fs/blobrecord.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutex.h"
#include "crypto/bind.h"
#include "crypto/layout.h"

enum { KID_BUCKETS = 256 };

struct kid_text {
	struct kid_table *table;
	struct kid_text *chain;
	unsigned refs; /* guarded by the table's mu */
	char s[];
};

struct kid_table {
	pthread_mutex_t mu;
	struct kid_text *bucket[KID_BUCKETS];
};

int
kid_table_new(struct kid_table **out, struct err *e)
{
	struct kid_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&t->mu, NULL);
	*out = t;
	return 0;
}

void
kid_table_free(struct kid_table *t)
{
	if (t == NULL)
		return;
	(void)pthread_mutex_destroy(&t->mu);
	free(t);
}

static struct kid_text **
slot(struct kid_table *t, const char *kid)
{
	unsigned h = 5381;
	struct kid_text **at;

	for (const char *p = kid; *p != '\0'; p++)
		h = h * 33 + (unsigned char)*p;
	for (at = &t->bucket[h % KID_BUCKETS]; *at != NULL && strcmp((*at)->s, kid) != 0;
	     at = &(*at)->chain)
		;
	return at;
}

/* *bytes: what was allocated for it, 0 when it was known. */
static struct kid_text *
kid_get(struct kid_table *t, const char *kid, size_t *bytes)
{
	const size_t n = sizeof(struct kid_text) + strlen(kid) + 1;
	struct kid_text **at, *k;

	mutex_lock(&t->mu);
	at = slot(t, kid);
	k = *at;
	*bytes = k == NULL ? n : 0;
	if (k == NULL) {
		k = calloc(1, n);
		if (k != NULL) {
			memcpy(k->s, kid, strlen(kid) + 1);
			k->table = t;
			*at = k;
		}
	}
	if (k != NULL)
		k->refs++;
	mutex_unlock(&t->mu);
	return k;
}

static void
kid_put(struct kid_text *k)
{
	struct kid_table *t;

	if (k == NULL)
		return;
	t = k->table;
	mutex_lock(&t->mu);
	if (--k->refs == 0) {
		*slot(t, k->s) = k->chain;
		free(k);
	}
	mutex_unlock(&t->mu);
}

static void
record_free(struct view_record *base)
{
	struct blob_record *r = (struct blob_record *)(void *)base;

	free(r->packed);
	kid_put(r->kid);
	free(r);
}

static int
remember_envelope(struct blob_record *r, struct kid_table *t, struct envelope_template *like,
		  struct span json, struct err *e)
{
	struct err ignored = { 0 };
	AUTO_ENVELOPE env = { 0 };
	size_t kid_bytes;
	int rc;

	rc = like != NULL ? envelope_template_parse(like, json, &env, &ignored)
			  : envelope_parse(json, &env, &ignored);
	if (rc < 0) {
		r->state = BLOB_BROKEN;
		return 0;
	}
	r->kid = kid_get(t, env.kid, &kid_bytes);
	if (r->kid == NULL)
		return err_set(e, ENOMEM, "out of memory");
	rc = envelope_pack(&env, 0, &r->packed, e);
	if (rc == 0)
		r->base.bytes += (unsigned)(envelope_packed_size(r->packed) + kid_bytes);
	return rc;
}

static void
remember_bind(struct blob_record *r, struct span text)
{
	struct err ignored = { 0 };

	r->bound = bind_parse(text, r->bind, &ignored) == 0;
}

int
blob_record_new(struct kid_table *t, struct envelope_template *like,
		const struct store_entry *entry, struct view_record **out, struct err *e)
{
	const size_t n = sizeof(struct blob_record) + (entry->bind.p != NULL ? BIND_RAW_LEN : 0);
	struct blob_record *r = calloc(1, n);
	int rc = 0;

	if (r == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r->base = (struct view_record){ .free = record_free, .refs = 1, .bytes = (unsigned)n + 16 };
	if (entry->bind.p != NULL)
		remember_bind(r, entry->bind);
	r->stored_size = entry->size;
	r->page_blob = entry->type == STORE_PAGE;
	r->archived = entry->archived;
	if (entry->metadata_hidden)
		r->state = BLOB_BROKEN;
	else if (entry->envelope.p == NULL)
		r->state = BLOB_UNENCRYPTED;
	else
		rc = remember_envelope(r, t, like, entry->envelope, e);
	if (rc < 0) {
		record_free(&r->base);
		return rc;
	}
	*out = &r->base;
	return 0;
}

int
blob_record_envelope(const struct blob_record *r, struct envelope *out, struct err *e)
{
	return envelope_unpack(r->packed, r->kid->s, out, e);
}

const char *
blob_record_kid(const struct blob_record *r)
{
	return r->kid != NULL ? r->kid->s : "";
}

const uint8_t *
blob_record_bind(const struct blob_record *r)
{
	return r->bound ? r->bind : NULL;
}

uint64_t
blob_record_size(const struct blob_record *r, bool *exact)
{
	*exact = true;
	if (r->state != BLOB_SEALED)
		return r->stored_size;
	if (envelope_packed_protocol(r->packed) == PROTOCOL_V1 && !r->page_blob)
		*exact = false;
	return layout_hint_size(envelope_packed_protocol(r->packed),
				envelope_packed_region_len(r->packed), r->stored_size,
				r->page_blob);
}
