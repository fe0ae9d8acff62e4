/* SPDX-License-Identifier: MIT */
/* crypto/dekrecord: client encryption keys of the official clients, and hostile ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "crypto/dekrecord.h"
#include "tests/unit/crypto/cosmosset.h"

#define ID	"\"id\":\"dek1\""
#define ALG	"\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\""
#define WRAPPED "\"wrappedDataEncryptionKey\":\"AQID\""
#define KID	"\"value\":\"https://v.vault.azure.net/keys/k/1\""
#define TYPE	"\"type\":\"AZURE_KEY_VAULT\""
#define META(m) "\"keyWrapMetadata\":{" m "}"
#define GOOD	ID "," ALG "," WRAPPED "," META(TYPE "," KID)

static void
every_key_of_the_sets_is_read(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *feed = cosmos_file(cosmos_sets[s], "clientencryptionkeys.json");
		json_t *list = json_object_get(feed, "ClientEncryptionKeys"), *item;
		size_t i;

		assert_true(json_array_size(list) >= 4);
		json_array_foreach(list, i, item)
		{
			const json_t *meta = json_object_get(item, "keyWrapMetadata");
			char *text = json_dumps(item, 0), etag[200];
			struct err e = { 0 };
			AUTO_DEK_RECORD r = { 0 };
			AUTO_BUF b;

			buf_init(&b, 4096);
			assert_int_equal(dek_record_parse(span_str(text), &r, &e), 0);
			assert_string_equal(r.id, cosmos_text(item, "id"));
			assert_string_equal(r.kid, cosmos_text(meta, "value"));
			assert_string_equal(r.kek_name, cosmos_text(meta, "name"));
			(void)snprintf(etag, sizeof(etag), "\"%s\"", r.etag);
			assert_string_equal(etag, cosmos_text(item, "_etag"));
			assert_true(r.n_wrapped >= 256);
			assert_int_equal(base64_encode(BASE64_STANDARD,
						       span_of(r.wrapped, r.n_wrapped), &b, &e),
					 0);
			assert_string_equal(buf_str(&b),
					    cosmos_text(item, "wrappedDataEncryptionKey"));
			assert_true(dek_record_same(&r, &r));
			free(text);
		}
		json_decref(feed);
	}
}

static void
what_may_be_missing(void **state)
{
	struct err e = { 0 };
	AUTO_DEK_RECORD r = { 0 };

	(void)state;
	assert_int_equal(dek_record_parse(span_str("{" GOOD "}"), &r, &e), 0);
	assert_string_equal(r.id, "dek1");
	assert_string_equal(r.kid, "https://v.vault.azure.net/keys/k/1");
	assert_string_equal(r.kek_name, "");
	assert_string_equal(r.etag, "");
	assert_int_equal(r.n_wrapped, 3);
	assert_memory_equal(r.wrapped, "\1\2\3", 3);
	dek_record_clear(&r);
	assert_null(r.id);
	assert_int_equal(
		dek_record_parse(span_str("{\"x\":[\"\\u0000\"],\"_etag\":\"bare\"," ID "," ALG
					  "," WRAPPED "," META(TYPE ",\"algorithm\":null,"
								    "\"name\":null,\"value\":"
								    "\"../../x?y\\u00e9 \"") "}"),
				 &r, &e),
		0);
	assert_string_equal(r.kid, "../../x?y\xc3\xa9 "); /* data, whatever it looks like */
	assert_string_equal(r.etag, "bare");
}

#define DEK   "integrity.dek"
#define ALGS  "policy.kek_alg"
#define UNSUP "policy.unsupported"

static const struct {
	const char *name;
	const char *json;
	int no;
	const char *event;
} bad[] = {
	{ "nothing", "", EBADMSG, DEK },
	{ "array", "[]", EBADMSG, DEK },
	{ "empty", "{}", EBADMSG, DEK },
	{ "member twice", "{" GOOD "," ID "}", EBADMSG, DEK },
	{ "no id", "{" ALG "," WRAPPED "," META(TYPE "," KID) "}", EBADMSG, DEK },
	{ "id with a slash", "{\"id\":\"a/b\"," ALG "," WRAPPED "," META(TYPE "," KID) "}", EBADMSG,
	  DEK },
	{ "id with a NUL", "{\"id\":\"a\\u0000\"," ALG "," WRAPPED "," META(TYPE "," KID) "}",
	  EBADMSG, DEK },
	{ "no algorithm", "{" ID "," WRAPPED "," META(TYPE "," KID) "}", EBADMSG, DEK },
	{ "another algorithm",
	  "{" ID ",\"encryptionAlgorithm\":\"MdeAead\"," WRAPPED "," META(TYPE "," KID) "}",
	  EOPNOTSUPP, UNSUP },
	{ "no wrapped key", "{" ID "," ALG "," META(TYPE "," KID) "}", EBADMSG, DEK },
	{ "empty wrapped key",
	  "{" ID "," ALG ",\"wrappedDataEncryptionKey\":\"\"," META(TYPE "," KID) "}", EBADMSG,
	  DEK },
	{ "wrapped key no base64",
	  "{" ID "," ALG ",\"wrappedDataEncryptionKey\":\"AQI\"," META(TYPE "," KID) "}", EBADMSG,
	  DEK },
	{ "wrapped key in the other alphabet",
	  "{" ID "," ALG ",\"wrappedDataEncryptionKey\":\"____\"," META(TYPE "," KID) "}", EBADMSG,
	  DEK },
	{ "no metadata", "{" ID "," ALG "," WRAPPED "}", EBADMSG, DEK },
	{ "metadata no object", "{" ID "," ALG "," WRAPPED ",\"keyWrapMetadata\":\"x\"}", EBADMSG,
	  DEK },
	{ "no type", "{" ID "," ALG "," WRAPPED "," META(KID) "}", EBADMSG, DEK },
	{ "another type", "{" ID "," ALG "," WRAPPED "," META("\"type\":\"AWS_KMS\"," KID) "}",
	  EACCES, ALGS },
	{ "type in lower case",
	  "{" ID "," ALG "," WRAPPED "," META("\"type\":\"azure_key_vault\"," KID) "}", EACCES,
	  ALGS },
	{ "RSA1_5", "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"algorithm\":\"RSA1_5\"," KID) "}",
	  EACCES, ALGS },
	{ "RSA-OAEP-256",
	  "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"algorithm\":\"RSA-OAEP-256\"," KID) "}",
	  EACCES, ALGS },
	{ "wrap algorithm empty",
	  "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"algorithm\":\"\"," KID) "}", EACCES, ALGS },
	{ "wrap algorithm no string",
	  "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"algorithm\":1," KID) "}", EBADMSG, DEK },
	{ "no key id", "{" ID "," ALG "," WRAPPED "," META(TYPE) "}", EBADMSG, DEK },
	{ "key id null", "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"value\":null") "}", EBADMSG,
	  DEK },
	{ "key id empty", "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"value\":\"\"") "}", EBADMSG,
	  DEK },
	{ "key id with a NUL",
	  "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"value\":\"https://a\\u0000b\"") "}", EBADMSG,
	  DEK },
	{ "key id not UTF-8", "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"value\":\"\xff\"") "}",
	  EBADMSG, DEK },
	{ "name no string", "{" ID "," ALG "," WRAPPED "," META(TYPE ",\"name\":1," KID) "}",
	  EBADMSG, DEK },
	{ "etag no string", "{" GOOD ",\"_etag\":1}", EBADMSG, DEK },
	{ "etag that ends a header", "{" GOOD ",\"_etag\":\"\\\"a\\r\\nb\\\"\"}", EBADMSG, DEK },
	{ "etag with a quote inside", "{" GOOD ",\"_etag\":\"\\\"a\\\"b\\\"\"}", EBADMSG, DEK },
	{ "etag outside ASCII", "{" GOOD ",\"_etag\":\"\\\"\xc3\xa9\\\"\"}", EBADMSG, DEK },
	{ "etag of half a quote", "{" GOOD ",\"_etag\":\"\\\"\"}", EBADMSG, DEK },
};

static void
hostile_records_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct dek_record d = { .n_wrapped = 77 };
		struct err e = { 0 };
		int r = dek_record_parse(span_str(bad[i].json), &d, &e);

		if (r != -bad[i].no || e.event == NULL || strcmp(e.event, bad[i].event) != 0)
			fail_msg("%s: %d %s: %s", bad[i].name, r, e.event, e.text);
		assert_int_equal(d.n_wrapped, 77);
		assert_null(d.id);
	}
}

/* n times c between two texts. */
static int
parse_long(const char *before, char c, size_t n, const char *after)
{
	struct dek_record d = { 0 };
	struct err e = { 0 };
	AUTO_BUF b;
	int r;

	buf_init(&b, 1 << 20);
	assert_int_equal(buf_add_str(&b, before, &e), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_add(&b, &c, 1, &e), 0);
	assert_int_equal(buf_add_str(&b, after, &e), 0);
	r = dek_record_parse(buf_span(&b), &d, &e);
	if (r != 0)
		assert_string_equal(e.event, DEK);
	dek_record_clear(&d);
	return r;
}

static void
lengths_are_bounded(void **state)
{
	static const char kid[] = "{" ID "," ALG "," WRAPPED ",\"keyWrapMetadata\":{" TYPE
				  ",\"value\":\"";
	static const char name[] = "{" ID "," ALG "," WRAPPED ",\"keyWrapMetadata\":{" TYPE "," KID
				   ",\"name\":\"";
	static const char wrapped[] = "{" ID "," ALG
				      "," META(TYPE "," KID) ",\"wrappedDataEncryptionKey"
							     "\":\"";

	(void)state;
	assert_int_equal(parse_long(kid, 'k', 1, "\"}}"), 0);
	assert_int_equal(parse_long(kid, 'k', 1024, "\"}}"), 0);
	assert_int_equal(parse_long(kid, 'k', 1025, "\"}}"), -EBADMSG);
	assert_int_equal(parse_long(name, 'n', 1024, "\"}}"), 0);
	assert_int_equal(parse_long(name, 'n', 1025, "\"}}"), -EBADMSG);
	assert_int_equal(parse_long(wrapped, 'A', 1364, "AA==\"}"), 0); /* 1,024 bytes */
	assert_int_equal(parse_long(wrapped, 'A', 1364, "AAA=\"}"), -EBADMSG);
	assert_int_equal(parse_long("{" GOOD ",\"_etag\":\"", 'e', 128, "\"}"), 0);
	assert_int_equal(parse_long("{" GOOD ",\"_etag\":\"", 'e', 129, "\"}"), -EBADMSG);
	assert_int_equal(parse_long("{" GOOD ",\"x\":\"", 'x', DEK_RECORD_TEXT_MAX, "\"}"),
			 -EBADMSG);
}

static void
a_rewrap_differs_and_nothing_else_does(void **state)
{
	struct dek_record a = { 0 }, b = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(dek_record_parse(span_str("{" GOOD "}"), &a, &e), 0);
	assert_int_equal(dek_record_parse(span_str("{" GOOD ",\"_etag\":\"\\\"2\\\"\"}"), &b, &e),
			 0);
	assert_true(dek_record_same(&a, &b));
	b.wrapped[2] ^= 1;
	assert_false(dek_record_same(&a, &b));
	b.wrapped[2] ^= 1;
	b.kid[0] ^= 1;
	assert_false(dek_record_same(&a, &b));
	b.kid[0] ^= 1;
	b.n_wrapped--;
	assert_false(dek_record_same(&a, &b));
	dek_record_clear(&a);
	dek_record_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_the_sets_is_read),
		cmocka_unit_test(what_may_be_missing),
		cmocka_unit_test(hostile_records_are_refused),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(a_rewrap_differs_and_nothing_else_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
