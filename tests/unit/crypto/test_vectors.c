/* SPDX-License-Identifier: MIT */
/*
 * Every blob that the official Python, .NET and Java clients made, read from
 * its stored bytes: envelope, unwrap with its KEK, layout, content, ranges;
 * and every altered one with what a careful reader must answer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "crypto/cek.h"
#include "crypto/kek.h"
#include "crypto/layout.h"
#include "crypto/mac.h"
#include "crypto/unseal.h"
#include "tests/support/vectors.h"

static const char *const dirs[] = { "tests/vectors/python", "tests/vectors/dotnet",
				    "tests/vectors/java" };

enum { FEED = 100003, MAX_REGION = 64 << 20 };

/* The KEK of a vector.  The AES keys of the sets are bare base64: they come in as a JWK. */
static struct kek *
kek_of(const struct vector *v)
{
	struct kek *k = NULL;
	struct err e = { 0 };
	uint8_t key[32];
	size_t n = 0;
	AUTO_BUF jwk;

	buf_init(&jwk, 1000);
	if (v->rsa) {
		assert_int_equal(kek_from_pem(span_str(v->key_text), &k, &e), 0);
		return k;
	}
	v->key_text[strcspn(v->key_text, "\r\n")] = '\0';
	assert_true(base64_decode(BASE64_STANDARD, span_str(v->key_text),
				  (struct room){ key, sizeof(key) }, &n));
	assert_int_equal(buf_add_str(&jwk, "{\"kty\":\"oct\",\"k\":\"", &e), 0);
	assert_int_equal(base64_encode(BASE64_URL, span_of(key, n), &jwk, &e), 0);
	assert_int_equal(buf_add_str(&jwk, "\"}", &e), 0);
	assert_int_equal(kek_from_jwk(buf_span(&jwk), &k, &e), 0);
	return k;
}

/* From the record to the content key; the errno of the step that refuses. */
static int
open_key(const struct vector *v, const char *record, struct envelope *env, struct cek *cek,
	 struct err *e)
{
	uint8_t unwrapped[CEK_UNWRAPPED_MAX];
	struct kek *k;
	size_t n;
	int r = envelope_parse(span_str(record), env, e);

	if (r < 0)
		return r;
	k = kek_of(v);
	r = kek_unwrap(k, env->alg, span_of(env->wrapped, env->n_wrapped),
		       (struct room){ unwrapped, sizeof(unwrapped) }, &n, e);
	if (r == 0)
		r = cek_from_unwrapped(env->protocol, span_of(unwrapped, n), cek, e);
	kek_free(k);
	return r;
}

/* Unseals all spans into *plain (room for stored + 16); the first failure counts. */
static int
read_all(const struct layout *l, const struct cek *cek, const uint8_t *stored, uint8_t *plain,
	 size_t *n, struct region_order *order, struct err *e)
{
	struct unsealer *u = NULL;
	int r = unsealer_new(&u, e);

	*n = 0;
	for (uint64_t i = 0; r == 0 && i < l->n_spans; i++) {
		struct bad_regions bad = { 0 };
		struct span_place p;
		size_t got = 0;

		layout_span(l, i, &p);
		assert_int_equal(p.plain_off, *n);
		r = unseal_begin(u, l, cek, order, i,
				 (struct room){ plain + *n, p.plain_len + CBC_BLOCK }, e);
		for (uint64_t at = 0; r == 0 && at < p.stored_len; at += FEED)
			r = unseal_feed(
				u,
				span_of(stored + p.stored_off + at,
					p.stored_len - at < FEED ? p.stored_len - at : FEED),
				e);
		if (r == 0)
			r = unseal_end(u, &got, &bad, e);
		*n += got;
		if (r == 0 && bad.n > 0) {
			*e = bad.first;
			r = -e->no;
		}
		bad_regions_clear(&bad);
	}
	unsealer_free(u);
	return r;
}

static void
check_exact_size(const struct vector *v, const struct layout *l, const struct cek *cek)
{
	struct span_place tail;
	struct err e = { 0 };
	uint64_t size = 0;

	if (l->protocol != PROTOCOL_V1) {
		assert_int_equal(l->plain_size, v->n_plain);
		return;
	}
	layout_v1_tail(l, &tail);
	assert_int_equal(v1_exact_size(l, cek,
				       span_of(v->stored + tail.stored_off, tail.stored_len), &size,
				       &e),
			 0);
	assert_int_equal(size, v->n_plain);
}

static void
check_ranges(const struct vectors *vs, const struct vector *v, const uint8_t *plain)
{
	size_t i;
	json_t *range;

	json_array_foreach(vs->ranges, i, range)
	{
		uint8_t hash[SHA256_LEN];
		struct err e = { 0 };
		char hex[2 * SHA256_LEN + 1];
		size_t off, n;

		if (strcmp(json_string_value(json_object_get(range, "blobName")), v->name) != 0)
			continue;
		off = (size_t)json_integer_value(json_object_get(range, "offset"));
		n = (size_t)json_integer_value(json_object_get(range, "length"));
		assert_true(off + n <= v->n_plain);
		assert_int_equal(sha256(span_of(plain + off, n), hash, &e), 0);
		for (size_t b = 0; b < SHA256_LEN; b++)
			(void)snprintf(hex + 2 * b, 3, "%02x", hash[b]);
		assert_string_equal(hex, json_string_value(json_object_get(range, "sha256")));
	}
}

static void
check_blob(const struct vectors *vs, const struct vector *v)
{
	AUTO_ENVELOPE env = { 0 };
	struct region_order order;
	struct layout l;
	struct err e = { 0 };
	AUTO_CEK cek;
	uint8_t *plain = malloc(v->n_stored + 4096);
	size_t n = 0;

	if (open_key(v, v->envelope, &env, &cek, &e) != 0)
		fail_msg("%s: %s", v->name, e.text);
	assert_memory_equal(cek.k, v->cek, CEK_LEN);
	assert_string_equal(wrap_alg_name(env.alg), v->wrap_alg);
	assert_int_equal(layout_init(&l, &env, v->n_stored, v->page_blob, MAX_REGION, &e), 0);
	check_exact_size(v, &l, &cek);
	region_order_init(&order, false);
	if (read_all(&l, &cek, v->stored, plain, &n, &order, &e) != 0)
		fail_msg("%s: %s", v->name, e.text);
	assert_int_equal(n, v->n_plain);
	assert_memory_equal(plain, v->plain, n);
	check_ranges(vs, v, plain);
	free(plain);
}

static void
reads_every_blob_of_the_three_clients(void **state)
{
	(void)state;
	for (size_t d = 0; d < ARRAY_LEN(dirs); d++) {
		struct vectors *vs = vectors_open(dirs[d]);

		for (size_t i = 0; i < json_array_size(vs->index); i++) {
			struct vector v;

			vector_load(vs, i, &v);
			check_blob(vs, &v);
			vector_clear(&v);
		}
		vectors_close(vs);
	}
}

/*
 * Altered blobs that are read all the same, or refused by another layer; all others must be
 * refused.
 */
static const struct {
	const char *name;
	bool plain_is_right;
} accepted[] = {
	/* Nothing in the format can show that whole regions are gone at the end. */
	{ "v2 last region dropped at its boundary", false },
	{ "v2.1 last region dropped at its boundary", false },
	{ "v2.1 every region up to the last region dropped", false },
	{ "v2.1 empty blob stored as no bytes", true },
	/* V1 has no authentication at all. */
	{ "v1 first block changed", false },
	/* The key's name is compared by who resolves it. */
	{ "other key id", true },
	{ "key id in capitals", true },
	{ "extra unknown fields are ignored", true },
	{ "fields in another order", true },
	{ "protocol 2.1 named 2.0 with a 2.0 prefix in the wrapped key", true },
	{ "IV present and null", true },
	{ "key wrapping metadata missing", true },
	{ "encryption mode missing", true },
};

static int
accepted_index(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++)
		if (strcmp(accepted[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int
read_altered(const struct vector *v, const char *record, const uint8_t *stored, size_t n_stored,
	     bool *same, struct err *e)
{
	AUTO_ENVELOPE env = { 0 };
	struct region_order order;
	struct layout l;
	AUTO_CEK cek;
	uint8_t *plain;
	size_t n = 0;
	int r = open_key(v, record, &env, &cek, e);

	if (r == 0)
		r = layout_init(&l, &env, n_stored, v->page_blob, MAX_REGION, e);
	if (r < 0)
		return r;
	plain = malloc(n_stored + 4096);
	region_order_init(&order, false);
	r = read_all(&l, &cek, stored, plain, &n, &order, e);
	*same = r == 0 && n == v->n_plain && memcmp(plain, v->plain, n) == 0;
	free(plain);
	return r;
}

static bool
errno_is_right(const char *name, int no)
{
	if (strncmp(name, "v1 ", 3) == 0 && strstr(name, "IV") == NULL)
		return no == EIO;
	if (strncmp(name, "unknown ", 8) == 0)
		return no == EOPNOTSUPP;
	if (strstr(name, "key id null") != NULL || strstr(name, "key id missing") != NULL)
		return no == ENOKEY;
	return no == EBADMSG;
}

static void
check_damaged(const struct vectors *vs, const json_t *d)
{
	const char *name = json_string_value(json_object_get(d, "name"));
	const char *record = json_string_value(json_object_get(d, "encryptiondata"));
	const char *file = json_string_value(json_object_get(d, "ciphertextFile"));
	const int want = accepted_index(name);
	uint8_t *stored = NULL;
	struct err e = { 0 };
	struct vector v;
	size_t n_stored;
	bool same = false;
	int r;

	if (record == NULL)
		return; /* an unencrypted blob is the view's business */
	vector_load_named(vs, json_string_value(json_object_get(d, "basedOn")), &v);
	n_stored = v.n_stored;
	if (file != NULL)
		stored = vectors_file(vs, file, &n_stored);
	r = read_altered(&v, record, stored != NULL ? stored : v.stored, n_stored, &same, &e);
	if ((r == 0) != (want >= 0) || (r < 0 && !errno_is_right(name, -r)))
		fail_msg("%s: %s: %s", vs->dir, name, r < 0 ? e.text : "was read");
	if (want >= 0 && same != accepted[want].plain_is_right)
		fail_msg("%s: %s: plaintext", vs->dir, name);
	free(stored);
	vector_clear(&v);
}

static void
refuses_every_altered_blob_that_can_be_told(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t d = 0; d < ARRAY_LEN(dirs); d++) {
		struct vectors *vs = vectors_open(dirs[d]);
		size_t i;
		json_t *entry;

		json_array_foreach(vs->damaged, i, entry) check_damaged(vs, entry);
		n += json_array_size(vs->damaged);
		vectors_close(vs);
	}
	assert_true(n > 80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_blob_of_the_three_clients),
		cmocka_unit_test(refuses_every_altered_blob_that_can_be_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
