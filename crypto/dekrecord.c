/* SPDX-License-Identifier: MIT */
/* Wrapped data-encryption keys: see dekrecord.h. */
#include "crypto/dekrecord.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "crypto/container.h"
#include "crypto/mac.h"
#include "crypto/member.h"

enum { KID_MAX = 1024, KEK_NAME_MAX = 1024, WRAPPED_MAX = 1024, ETAG_MAX = 128 };

static const struct record record = { "client encryption key", "integrity.dek" };

static const char cell_algorithm[] = "AEAD_AES_256_CBC_HMAC_SHA256";
static const char wrap_algorithm[] = "RSA-OAEP"; /* of all official clients */

static int
copy(const char *text, char **out, struct err *e)
{
	*out = strdup(text);
	return *out == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

/* What may be missing. */
static int
optional_string(const json_t *object, const char *name, const char *missing, const char **out,
		struct err *e)
{
	*out = missing;
	if (member_find(object, name) == NULL)
		return 0;
	return member_string(&record, object, name, out, e);
}

static int
parse_names(const json_t *root, struct dek_record *d, struct err *e)
{
	const char *id = NULL, *algorithm = NULL;
	int r = member_string(&record, root, "id", &id, e);

	if (r == 0)
		r = member_string(&record, root, "encryptionAlgorithm", &algorithm, e);
	if (r != 0)
		return r;
	if (!cosmos_id_is_good(id))
		return member_malformed(&record, "id", "is no id of a key", e);
	if (strcmp(algorithm, cell_algorithm) != 0)
		return member_unsupported(&record, "encryptionAlgorithm", algorithm, e);
	return copy(id, &d->id, e);
}

static int
parse_wrapped(const json_t *root, struct dek_record *d, struct err *e)
{
	uint8_t wrapped[WRAPPED_MAX];
	size_t n = 0;
	int r = member_base64(&record, root, "wrappedDataEncryptionKey",
			      (struct room){ wrapped, sizeof(wrapped) }, &n, e);

	if (r != 0)
		return r;
	d->wrapped = malloc(n);
	if (d->wrapped == NULL)
		return err_set(e, ENOMEM, "out of memory");
	memcpy(d->wrapped, wrapped, n);
	d->n_wrapped = n;
	return 0;
}

/* Other resolvers and algorithms exist on paper; no official client unwraps with them. */
static int
check_resolver(const char *type, const char *algorithm, struct err *e)
{
	if (strcmp(type, "AZURE_KEY_VAULT") != 0)
		(void)err_set(e, EACCES, "%s: wrapped by \"%.40s\", which is not AZURE_KEY_VAULT",
			      record.what, type);
	else if (strcmp(algorithm, wrap_algorithm) != 0)
		(void)err_set(e, EACCES, "%s: wrapped with \"%.40s\", which is not %s", record.what,
			      algorithm, wrap_algorithm);
	else
		return 0;
	return err_mark(e, "policy.kek_alg", NULL);
}

static int
parse_metadata(const json_t *root, struct dek_record *d, struct err *e)
{
	const char *type = NULL, *kid = NULL, *name = NULL, *algorithm = NULL;
	json_t *meta = NULL;
	int r = member_object(&record, root, "keyWrapMetadata", &meta, e);

	if (r == 0)
		r = member_string(&record, meta, "type", &type, e);
	if (r == 0)
		r = optional_string(meta, "algorithm", wrap_algorithm, &algorithm, e);
	if (r == 0)
		r = check_resolver(type, algorithm, e);
	if (r == 0)
		r = member_string(&record, meta, "value", &kid, e);
	if (r == 0)
		r = optional_string(meta, "name", "", &name, e);
	if (r != 0)
		return r;
	if (kid[0] == '\0' || strlen(kid) > KID_MAX || strlen(name) > KEK_NAME_MAX)
		return member_malformed(&record, "keyWrapMetadata", "names no key, or at length",
					e);
	r = copy(kid, &d->kid, e);
	return r == 0 ? copy(name, &d->kek_name, e) : r;
}

/* It goes into a request's header: visible ASCII between its quotes. */
static int
parse_etag(const json_t *root, struct dek_record *d, struct err *e)
{
	const char *etag = NULL;
	size_t n;
	int r = optional_string(root, "_etag", "", &etag, e);

	if (r != 0)
		return r;
	n = strlen(etag);
	if (n > ETAG_MAX)
		return member_malformed(&record, "_etag", "is too long", e);
	if (n >= 2 && etag[0] == '"' && etag[n - 1] == '"') {
		etag++;
		n -= 2;
	}
	for (size_t i = 0; i < n; i++)
		if (etag[i] <= ' ' || etag[i] >= 0x7f || etag[i] == '"')
			return member_malformed(&record, "_etag", "is no entity tag", e);
	d->etag = strndup(etag, n);
	return d->etag == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

int
dek_record_parse(struct span json, struct dek_record *out, struct err *e)
{
	struct dek_record d = { 0 };
	json_t *root = NULL;
	int r = member_root(&record, json, DEK_RECORD_TEXT_MAX, &root, e);

	if (r != 0)
		return r;
	r = parse_names(root, &d, e);
	if (r == 0)
		r = parse_metadata(root, &d, e);
	if (r == 0)
		r = parse_wrapped(root, &d, e);
	if (r == 0)
		r = parse_etag(root, &d, e);
	json_decref(root);
	if (r != 0) {
		dek_record_clear(&d);
		return r;
	}
	*out = d;
	return 0;
}

void
dek_record_clear(struct dek_record *r)
{
	free(r->id);
	free(r->kid);
	free(r->kek_name);
	free(r->wrapped);
	free(r->etag);
	*r = (struct dek_record){ 0 };
}

bool
dek_record_same(const struct dek_record *a, const struct dek_record *b)
{
	return a->n_wrapped == b->n_wrapped && strcmp(a->kid, b->kid) == 0 &&
	       mac_equal(a->wrapped, b->wrapped, a->n_wrapped);
}
