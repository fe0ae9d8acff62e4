/* SPDX-License-Identifier: MIT */
/* The vector sets: see vectors.h. */
#include "tests/support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "tests/support/sealer.h"

static void
broken(const char *what, const char *name)
{
	(void)fprintf(stderr, "test vectors: %s: %s\n", what, name);
	abort();
}

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static size_t
size_of(const json_t *object, const char *name)
{
	return (size_t)json_integer_value(json_object_get(object, name));
}

static void
from_hex(const char *hex, uint8_t *out, size_t n)
{
	if (hex == NULL || strlen(hex) != 2 * n)
		broken("bad hex", hex == NULL ? "none" : hex);
	for (size_t i = 0; i < n; i++) {
		const char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

static void
check_sha256(const uint8_t *p, size_t n, const char *want, const char *name)
{
	uint8_t hash[32], wanted[32];

	from_hex(want, wanted, sizeof(wanted));
	if (EVP_Digest(n > 0 ? p : (const uint8_t *)"", n, hash, NULL, EVP_sha256(), NULL) != 1 ||
	    memcmp(hash, wanted, sizeof(hash)) != 0)
		broken("SHA-256 differs", name);
}

static json_t *
load_json(const char *dir, const char *name, bool required)
{
	char path[256];
	json_t *j;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	j = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (j == NULL && required)
		broken("cannot read", path);
	return j == NULL ? json_array() : j;
}

/* Block i is the SHA-256 of the seed and i. */
static void
make_plain(const char *seed, uint8_t *to, size_t n)
{
	const size_t n_seed = strlen(seed);
	uint8_t in[256], hash[32];

	if (n_seed + 8 > sizeof(in))
		broken("long seed", seed);
	memcpy(in, seed, n_seed);
	for (uint64_t i = 0; i * 32 < n; i++) {
		for (int b = 0; b < 8; b++)
			in[n_seed + (size_t)b] = (uint8_t)(i >> (56 - 8 * b));
		if (EVP_Digest(in, n_seed + 8, hash, NULL, EVP_sha256(), NULL) != 1)
			abort();
		memcpy(to + i * 32, hash, n - i * 32 < 32 ? n - i * 32 : 32);
	}
}

/* The sets state nonces as a list of hex, or as the sentence of the Python set. */
static void
nonce_of(const json_t *entry, size_t region, uint8_t nonce[static 12])
{
	const json_t *nonces = json_object_get(entry, "nonces");

	if (json_is_array(nonces)) {
		from_hex(json_string_value(json_array_get(nonces, region)), nonce, 12);
		return;
	}
	memset(nonce, 0, 12);
	for (int b = 0; b < 4; b++)
		nonce[11 - b] = (uint8_t)(region >> (8 * b));
}

static void
rebuild(const json_t *entry, struct vector *v)
{
	const size_t region_len = size_of(entry, "regionDataLength");
	uint8_t nonce[12], iv[16];

	if (region_len == 0) {
		from_hex(text_of(entry, "ivHex"), iv, sizeof(iv));
		(void)sealer_cbc_padded(v->cek, iv, v->plain, v->n_plain, v->stored);
		return;
	}
	for (size_t i = 0; i * region_len < v->n_plain; i++) {
		const size_t left = v->n_plain - i * region_len;

		nonce_of(entry, i, nonce);
		sealer_region(v->cek, nonce, v->plain + i * region_len,
			      left < region_len ? left : region_len,
			      v->stored + i * (region_len + 28));
	}
}

static void
load_stored(const struct vectors *vs, const json_t *entry, struct vector *v)
{
	const json_t *stored = json_object_get(entry, "stored");
	const char *file = text_of(entry, "ciphertextFile");

	if (file != NULL)
		v->stored = vectors_file(vs, file, &v->n_stored);
	else {
		v->n_stored = size_of(stored, "length");
		v->stored = malloc(v->n_stored + 1);
		rebuild(entry, v);
	}
	if (v->n_stored != size_of(stored, "length"))
		broken("length differs", v->name);
	check_sha256(v->stored, v->n_stored, text_of(stored, "sha256"), v->name);
}

static void
load_plain(const json_t *entry, struct vector *v)
{
	const json_t *plain = json_object_get(entry, "plaintext");

	v->n_plain = size_of(plain, "length");
	v->plain = malloc(v->n_plain + 1);
	make_plain(text_of(plain, "seed"), v->plain, v->n_plain);
	check_sha256(v->plain, v->n_plain, text_of(plain, "sha256"), v->name);
}

static void
load_key(const struct vectors *vs, struct vector *v)
{
	size_t i, n;
	json_t *key;

	json_array_foreach(vs->keys, i, key) if (strcmp(text_of(key, "name"), v->kek) == 0)
	{
		v->wrap_alg = text_of(key, "wrapAlgorithm");
		v->rsa = strcmp(text_of(key, "kty"), "RSA") == 0;
		v->key_text = (char *)vectors_file(vs, text_of(key, "file"), &n);
		return;
	}
	broken("no such key", v->kek);
}

static void
load_envelope(const struct vectors *vs, const json_t *entry, struct vector *v)
{
	json_t *meta = load_json(vs->dir, text_of(entry, "metadataFile"), true);
	const char *name;
	json_t *item;

	json_object_foreach(meta, name, item) if (strcasecmp(name, "encryptiondata") == 0)
		v->envelope = strdup(json_string_value(item));
	if (v->envelope == NULL)
		broken("no envelope", v->name);
	json_decref(meta);
}

struct vectors *
vectors_open(const char *dir)
{
	struct vectors *vs = calloc(1, sizeof(*vs));
	json_t *variants;

	(void)snprintf(vs->dir, sizeof(vs->dir), "%s", dir);
	vs->index = load_json(dir, "index.json", true);
	vs->keys = load_json(dir, "keys/keys.json", true);
	vs->ranges = load_json(dir, "ranges.json", true);
	vs->damaged = load_json(dir, "damaged.json", false);
	variants = load_json(dir, "variants.json", false);
	if (json_array_extend(vs->damaged, variants) != 0)
		abort();
	json_decref(variants);
	return vs;
}

void
vectors_close(struct vectors *vs)
{
	json_decref(vs->index);
	json_decref(vs->keys);
	json_decref(vs->ranges);
	json_decref(vs->damaged);
	free(vs);
}

void
vector_load(const struct vectors *vs, size_t i, struct vector *out)
{
	const json_t *entry = json_array_get(vs->index, i);
	const char *type = text_of(entry, "blobType");

	*out = (struct vector){ .name = text_of(entry, "blobName"), .kek = text_of(entry, "kek") };
	out->page_blob = type != NULL && strcmp(type, "PageBlob") == 0;
	from_hex(text_of(entry, "contentKeyHex"), out->cek, sizeof(out->cek));
	load_plain(entry, out);
	load_stored(vs, entry, out);
	load_key(vs, out);
	load_envelope(vs, entry, out);
}

void
vector_load_named(const struct vectors *vs, const char *name, struct vector *out)
{
	size_t i;
	json_t *entry;

	json_array_foreach(vs->index, i, entry) if (strcmp(text_of(entry, "blobName"), name) == 0)
	{
		vector_load(vs, i, out);
		return;
	}
	broken("no such blob", name);
}

void
vector_clear(struct vector *v)
{
	free(v->envelope);
	free(v->key_text);
	free(v->plain);
	free(v->stored);
	*v = (struct vector){ 0 };
}

uint8_t *
vectors_file(const struct vectors *vs, const char *name, size_t *out_n)
{
	char path[256];
	uint8_t *p;
	FILE *f;
	long n;

	(void)snprintf(path, sizeof(path), "%s/%s", vs->dir, name);
	f = fopen(path, "rb");
	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
		broken("cannot read", path);
	n = ftell(f);
	rewind(f);
	p = malloc((size_t)n + 1);
	if (p == NULL || fread(p, 1, (size_t)n, f) != (size_t)n)
		broken("cannot read", path);
	p[n] = '\0';
	(void)fclose(f);
	*out_n = (size_t)n;
	return p;
}
