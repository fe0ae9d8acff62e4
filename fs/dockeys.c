/* SPDX-License-Identifier: MIT */
/* Snapshots of a container's keys: see dockeys.h.  What they are snapshots of is in keychest.c. */
#include "fs/dockeys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

int
dek_open_new_take(const char *id, struct key_ref *ref, struct dek_open **out, struct err *e)
{
	struct dek_open *o = calloc(1, sizeof(*o));
	int r = o == NULL ? err_set(e, ENOMEM, "out of memory")
			  : dek_keys_new(key_ref_cek(ref), &o->keys, e);

	if (r < 0) {
		free(o);
		key_ref_put(ref);
		return r;
	}
	o->refs = 1;
	o->ref = ref;
	(void)snprintf(o->id, sizeof(o->id), "%s", id);
	*out = o;
	return 0;
}

struct dek_open *
dek_open_get(struct dek_open *o)
{
	if (o != NULL)
		(void)atomic_fetch_add(&o->refs, 1);
	return o;
}

void
dek_open_put(struct dek_open *o)
{
	if (o == NULL || atomic_fetch_sub(&o->refs, 1) != 1)
		return;
	dek_keys_free(o->keys);
	key_ref_put(o->ref);
	free(o);
}

int
dockeys_new(size_t n_paths, size_t n_deks, struct dockeys **out, struct err *e)
{
	struct dockeys *k = calloc(1, sizeof(*k));

	if (k != NULL) {
		k->refs = 1;
		k->n = n_paths;
		k->n_deks = n_deks;
		k->dek = calloc(n_deks + 1, sizeof(*k->dek));
		k->key = calloc(n_paths + 1, sizeof(*k->key));
		k->dek_of = calloc(n_paths + 1, sizeof(*k->dek_of));
	}
	if (k == NULL || k->dek == NULL || k->key == NULL || k->dek_of == NULL) {
		dockeys_put(k);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out = k;
	return 0;
}

void
dockeys_finish(struct dockeys *k)
{
	k->settled = true;
	for (size_t i = 0; i < k->n_deks; i++) {
		k->passing |= k->dek[i].passing;
		k->settled &= k->dek[i].open != NULL || k->dek[i].withheld;
	}
	for (size_t i = 0; i < k->n; i++) {
		const struct dockeys_dek *d = &k->dek[k->dek_of[i]];

		k->key[i] = (struct document_key){
			.keys = d->open != NULL ? d->open->keys : NULL,
			.sibling = d->sibling_keys,
			.n_siblings = d->n_siblings,
		};
	}
}

void
dockeys_put(struct dockeys *k)
{
	if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	for (size_t i = 0; k->dek != NULL && i < k->n_deks; i++) {
		struct dockeys_dek *d = &k->dek[i];

		dek_open_put(d->open);
		for (size_t s = 0; s < d->n_siblings; s++)
			dek_open_put(d->sibling[s]);
		free(d->sibling);
		free(d->sibling_keys);
	}
	free(k->dek);
	free(k->key);
	free(k->dek_of);
	free(k);
}

bool
dockeys_has(const struct dockeys *k, size_t path)
{
	return k->key[path].keys != NULL;
}

bool
dockeys_settled(const struct dockeys *k)
{
	return k->settled;
}
