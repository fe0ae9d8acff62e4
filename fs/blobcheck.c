/* SPDX-License-Identifier: MIT */
/* What may be opened: see blobcheck.h. */
#include "fs/blobcheck.h"

#include <errno.h>

static int
refuse_unencrypted(struct err *e)
{
	(void)err_set(e, EACCES,
		      "the blob is not encrypted: it has no encryptiondata in its metadata");
	return err_mark(e, "policy.unencrypted", "mount with unencrypted=show to read such blobs");
}

int
blobcheck_entry(const struct blobview *v, const struct store_entry *entry, struct err *e)
{
	if (entry->archived) {
		(void)err_set(e, ENODATA, "the blob is in the archive tier");
		return err_mark(e, "remote.archived", "rehydrate it to a hot or cool tier first");
	}
	if (entry->metadata_hidden) {
		(void)err_set(e, EOPNOTSUPP,
			      "the blob is encrypted with a customer-provided key on the service");
		return err_mark(e, "policy.unsupported",
				"read it with a client that sends that key");
	}
	if (entry->envelope.p == NULL && !v->cfg.show_unencrypted)
		return refuse_unencrypted(e);
	return 0;
}

int
blobcheck_protocol(const struct blobview *v, const struct envelope *env, struct err *e)
{
	if (env->protocol != PROTOCOL_V1 || v->cfg.v1_read)
		return 0;
	(void)err_set(e, EACCES,
		      "the blob is sealed with protocol 1.0, which authenticates nothing");
	return err_mark(e, "policy.v1",
			"mount with v1=read to read it all the same, or write it again with 2.0");
}

int
blobcheck_binding(const struct blobview *v, const struct envelope *env, const struct layout *l,
		  const struct key_ref *key, const uint8_t *tag, bool *bound, struct err *e)
{
	const struct bind_facts facts = {
		.protocol = env->protocol,
		.region_len = l->region_len,
		.n_regions = env->protocol != PROTOCOL_V1 ? layout_regions(l) : 0,
		.plain_size = l->plain_size,
		.nonce = NONCE_PYTHON,
	};
	enum bind_verdict verdict = BIND_FOREIGN;
	int r = 0;

	*bound = false;
	if (v->cfg.binding == BINDING_OFF)
		return 0;
	if (tag != NULL && env->protocol != PROTOCOL_V1)
		r = bind_check(key_ref_cek(key), &facts, tag, &verdict, e);
	if (r == 0 && verdict == BIND_WRONG) {
		(void)err_set(e, EBADMSG,
			      "the binding tag does not fit: regions are missing or were added "
			      "(%llu bytes in %llu regions)",
			      (unsigned long long)l->plain_size,
			      (unsigned long long)facts.n_regions);
		return err_mark(e, "integrity.bind", NULL);
	}
	*bound = verdict == BIND_GOOD;
	if (r == 0 && !*bound && v->cfg.binding == BINDING_REQUIRE) {
		(void)err_set(e, EACCES, "the blob has no binding tag of its content key");
		return err_mark(e, "policy.binding",
				"mount without binding=require to read what others have written");
	}
	return r;
}
