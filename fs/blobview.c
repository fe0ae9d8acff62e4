/* SPDX-License-Identifier: MIT */
/*
 * The blob view: where stored bytes, keys and ciphers meet.  Listing and
 * lookup are in bloblist.c, opening in blobopen.c; this file holds what they
 * share, reads, and attributes.
 */
#include "fs/blobview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/blobwrite.h"

unsigned
blobview_xattrs(struct view *view, const char *etag, uint64_t size, struct view_record *record,
		struct view_xattr out[VIEW_XATTRS_MAX])
{
	const struct blob_record *r = blob_record_of(record);
	unsigned n = 0;

	(void)view;
	(void)size;
	if (r == NULL)
		return 0;
#define PUT(label, ...)                                                          \
	do {                                                                     \
		out[n].name = "user.azcrypt." label;                             \
		(void)snprintf(out[n].value, sizeof(out[n].value), __VA_ARGS__); \
		n++;                                                             \
	} while (0)
	PUT("etag", "%s", etag);
	PUT("stored_size", "%llu", (unsigned long long)r->stored_size);
	if (r->state == BLOB_UNENCRYPTED) {
		PUT("protocol", "none");
		PUT("integrity", "none");
	} else if (r->state == BLOB_BROKEN) {
		PUT("protocol", "unreadable");
		PUT("integrity", "none");
	} else {
		bool v1 = envelope_packed_protocol(r->packed) == PROTOCOL_V1;

		PUT("protocol", "%s", protocol_name(envelope_packed_protocol(r->packed)));
		PUT("key_id", "%s", blob_record_kid(r));
		PUT("algorithm", "%s", wrap_alg_name(envelope_packed_alg(r->packed)));
		PUT("integrity", "%s", v1 ? "none" : r->bound ? "regions+tag" : "regions");
		if (!v1)
			PUT("region_length", "%llu",
			    (unsigned long long)envelope_packed_region_len(r->packed));
	}
#undef PUT
	return n;
}

static void
blob_read(struct view_file *file, struct view_read *r)
{
	struct blob_file *f = (struct blob_file *)(void *)file;

	spans_read(f->version, &f->ahead, r);
}

static void
blob_read_release(struct view_read *r)
{
	spans_read_release(r);
}

static void
blob_close(struct view_file *file)
{
	struct blob_file *f = (struct blob_file *)(void *)file;

	version_close(f->version);
	version_put(f->version);
	free(f);
}

static void
blobview_free(struct view *view)
{
	struct blobview *v = (struct blobview *)(void *)view;

	store_free(v->store);
	keyring_free(v->keys);
	v1guard_free(v->v1);
	kid_table_free(v->kids);
	free(v);
}

static const struct view_ops ops = {
	.list = blobview_list,
	.lookup = blobview_lookup,
	.open = blobview_open,
	.read = blob_read,
	.read_release = blob_read_release,
	.xattrs = blobview_xattrs,
	.close = blob_close,
	.free = blobview_free,
};

bool
blobview_wrap_alg(const char *name, struct blobview_config *cfg)
{
	return wrap_alg_parse(name, &cfg->wrap_alg);
}

int
blobview_new_take(struct engine *g, const struct blobview_config *cfg, struct store *store,
		  struct keyring *keys, struct view **out, struct err *e)
{
	struct blobview *v = calloc(1, sizeof(*v));
	int r;

	if (v == NULL) {
		store_free(store);
		keyring_free(keys);
		return err_set(e, ENOMEM, "out of memory");
	}
	v->ops = ops;
	v->ops.write = cfg->writable ? &blobwrite_ops : NULL;
	v->base.ops = &v->ops;
	(void)snprintf(v->base.label, sizeof(v->base.label), "%s", store->label);
	v->engine = g;
	v->cfg = *cfg;
	v->store = store;
	v->keys = keys;
	r = kid_table_new(&v->kids, e);
	if (r == 0)
		r = v1guard_new(&v->v1, e);
	if (r < 0) {
		blobview_free(&v->base);
		return r;
	}
	*out = &v->base;
	return 0;
}
