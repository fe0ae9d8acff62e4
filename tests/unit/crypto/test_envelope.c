/* SPDX-License-Identifier: MIT */
/* crypto/envelope: the records of the three SDKs, and a table of what must be refused, and how. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/envelope.h"

/* Wrapped keys of 40 and 48 bytes. */
#define W40 "wam7aJrqtAiqUlC1+ieRGjTQnPLDxdsPGlTGvCdzoh3+ZODG176TUg=="
#define W48 "AqNELZhy25LJmojlzlx69d0Xo4Yzdz8t/2etZfDz4HzD16w93mrtIJVWmT4Y+wb7"
#define IV  "oKGio6SlpqeoqaqrrK2urw=="

/* Pieces of a record, so that a row shows only what is odd about it. */
#define KEY(kid, wrapped, alg)                                                                     \
	"\"WrappedContentKey\":{\"KeyId\":" kid ",\"EncryptedKey\":" wrapped ",\"Algorithm\":" alg \
	"}"
#define AGENT(protocol, algorithm) \
	"\"EncryptionAgent\":{\"Protocol\":" protocol ",\"EncryptionAlgorithm\":" algorithm "}"
#define REGION(len, nonce) \
	"\"EncryptedRegionInfo\":{\"DataLength\":" len ",\"NonceLength\":" nonce "}"
#define VECTOR(iv) "\"ContentEncryptionIV\":" iv
#define Q(s)	   "\"" s "\""

#define KEY_V1	  KEY(Q("local:kek1"), Q(W40), Q("A256KW"))
#define KEY_V2	  KEY(Q("local:kek1"), Q(W48), Q("A256KW"))
#define AGENT_V1  AGENT(Q("1.0"), Q("AES_CBC_256"))
#define AGENT_V2  AGENT(Q("2.0"), Q("AES_GCM_256"))
#define AGENT_V21 AGENT(Q("2.1"), Q("AES_GCM_256"))
#define REGION_4M REGION("4194304", "12")
#define V2(...)	  "{" KEY_V2 "," AGENT_V2 "," __VA_ARGS__ "}"

static const struct {
	const char *name;
	const char *json;
	enum protocol protocol;
	enum wrap_alg alg;
	const char *kid;
	size_t n_wrapped;
	uint64_t region_len;
} good[] = {
	{ "Python 1.0",
	  "{\"WrappedContentKey\": {\"KeyId\": \"local:kek1\", \"EncryptedKey\": \"" W40
	  "\", \"Algorithm\": \"A256KW\"}, \"EncryptionAgent\": {\"Protocol\": \"1.0\", "
	  "\"EncryptionAlgorithm\": \"AES_CBC_256\"}, \"ContentEncryptionIV\": \"" IV
	  "\", \"KeyWrappingMetadata\": {\"EncryptionLibrary\": \"Python 12.15.0b1\"}, "
	  "\"EncryptionMode\": \"FullBlob\"}",
	  PROTOCOL_V1, WRAP_A256KW, "local:kek1", 40, 0 },
	{ "Python 2.0",
	  "{\"WrappedContentKey\": {\"KeyId\": \"local:kek1\", \"EncryptedKey\": \"" W48
	  "\", \"Algorithm\": \"A256KW\"}, \"EncryptionAgent\": {\"Protocol\": \"2.0\", "
	  "\"EncryptionAlgorithm\": \"AES_GCM_256\"}, \"EncryptedRegionInfo\": {\"DataLength\": "
	  "4194304, \"NonceLength\": 12}, \"KeyWrappingMetadata\": {\"EncryptionLibrary\": "
	  "\"Python 12.15.0b1\"}, \"EncryptionMode\": \"FullBlob\"}",
	  PROTOCOL_V2_0, WRAP_A256KW, "local:kek1", 48, 4194304 },
	{ "2.1 with its own region length", "{" KEY_V2 "," AGENT_V21 "," REGION("777777", "12") "}",
	  PROTOCOL_V2_1, WRAP_A256KW, "local:kek1", 48, 777777 },
	{ "\\u002B for +, as .NET writes",
	  "{" KEY(Q("k"),
		  Q("AqNELZhy25LJmojlzlx69d0Xo4Yzdz8t/2etZfDz4HzD16w93mrtIJVWmT4Y\\u002Bwb7"),
		  Q("A256KW")) "," AGENT_V2 "," REGION_4M "}",
	  PROTOCOL_V2_0, WRAP_A256KW, "k", 48, 4194304 },
	{ "null IV", V2(REGION_4M "," VECTOR("null")), PROTOCOL_V2_0, WRAP_A256KW, "local:kek1", 48,
	  4194304 },
	{ "region info that V1 does not know is ignored",
	  "{" KEY_V1 "," AGENT_V1 "," VECTOR(Q(IV)) "," REGION_4M "}", PROTOCOL_V1, WRAP_A256KW,
	  "local:kek1", 40, 0 },
	{ "null region info in V1",
	  "{" KEY_V1 "," AGENT_V1 "," VECTOR(Q(IV)) ",\"EncryptedRegionInfo\":null}", PROTOCOL_V1,
	  WRAP_A256KW, "local:kek1", 40, 0 },
	{ "unknown members, even with a NUL", V2(REGION_4M ",\"Future\":{\"a\":[1,\"\\u0000\"]}"),
	  PROTOCOL_V2_0, WRAP_A256KW, "local:kek1", 48, 4194304 },
	{ "another mode", V2(REGION_4M ",\"EncryptionMode\":7"), PROTOCOL_V2_0, WRAP_A256KW,
	  "local:kek1", 48, 4194304 },
	{ "white space around", " \n\t" V2(REGION_4M) "\r\n ", PROTOCOL_V2_0, WRAP_A256KW,
	  "local:kek1", 48, 4194304 },
	{ "smallest region", V2(REGION("1", "12")), PROTOCOL_V2_0, WRAP_A256KW, "local:kek1", 48,
	  1 },
	{ "largest region", V2(REGION("1073741824", "12")), PROTOCOL_V2_0, WRAP_A256KW,
	  "local:kek1", 48, 1 << 30 },
	{ "RSA with any length",
	  "{" KEY(Q("https://v/keys/k"), Q("AAAA"), Q("RSA-OAEP")) "," AGENT_V2 "," REGION_4M "}",
	  PROTOCOL_V2_0, WRAP_RSA_OAEP, "https://v/keys/k", 3, 4194304 },
	{ "RSA-OAEP-256",
	  "{" KEY(Q("k"), Q("AAAA"), Q("RSA-OAEP-256")) "," AGENT_V2 "," REGION_4M "}",
	  PROTOCOL_V2_0, WRAP_RSA_OAEP_256, "k", 3, 4194304 },
	{ "A128KW", "{" KEY(Q("k"), Q(W48), Q("A128KW")) "," AGENT_V2 "," REGION_4M "}",
	  PROTOCOL_V2_0, WRAP_A128KW, "k", 48, 4194304 },
	{ "A192KW", "{" KEY(Q("k"), Q(W48), Q("A192KW")) "," AGENT_V2 "," REGION_4M "}",
	  PROTOCOL_V2_0, WRAP_A192KW, "k", 48, 4194304 },
};

static void
reads_what_the_sdks_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		AUTO_ENVELOPE env = { 0 };
		struct err e = { 0 };

		if (envelope_parse(span_str(good[i].json), &env, &e) != 0)
			fail_msg("%s: %s", good[i].name, e.text);
		assert_int_equal(env.protocol, good[i].protocol);
		assert_int_equal(env.alg, good[i].alg);
		assert_string_equal(env.kid, good[i].kid);
		assert_int_equal(env.n_wrapped, good[i].n_wrapped);
		assert_int_equal(env.region_len, good[i].region_len);
		if (env.protocol == PROTOCOL_V1)
			for (size_t b = 0; b < 16; b++)
				assert_int_equal(env.iv[b], 0xa0 + b);
		if (env.n_wrapped == 40)
			assert_memory_equal(env.wrapped, "\xc1\xa9\xbb\x68", 4);
	}
}

#define META  "integrity.metadata"
#define UNSUP "policy.unsupported"

static const struct {
	const char *name;
	const char *json;
	int no;
	const char *event;
} bad[] = {
	{ "nothing", "", EBADMSG, META },
	{ "no JSON", "not json", EBADMSG, META },
	{ "cut", "{\"a\":", EBADMSG, META },
	{ "null", "null", EBADMSG, META },
	{ "array", "[]", EBADMSG, META },
	{ "number", "5", EBADMSG, META },
	{ "empty object", "{}", EBADMSG, META },
	{ "text after the object", V2(REGION_4M) " x", EBADMSG, META },
	{ "second object", V2(REGION_4M) V2(REGION_4M), EBADMSG, META },
	{ "no UTF-8", V2(REGION_4M ",\"x\":\"\xff\""), EBADMSG, META },
	{ "member twice", V2(REGION_4M "," REGION_4M), EBADMSG, META },
	{ "inner member twice",
	  "{" KEY_V2 ",\"EncryptionAgent\":{\"Protocol\":\"9.9\",\"Protocol\":\"2.0\","
	  "\"EncryptionAlgorithm\":\"AES_GCM_256\"}," REGION_4M "}",
	  EBADMSG, META },
	{ "unknown member twice", V2(REGION_4M ",\"x\":1,\"x\":1"), EBADMSG, META },
	{ "lower-case names",
	  "{\"wrappedContentKey\":{\"keyId\":\"k\",\"encryptedKey\":\"" W48
	  "\",\"algorithm\":\"A256KW\"},\"encryptionAgent\":{\"protocol\":\"2.0\","
	  "\"encryptionAlgorithm\":\"AES_GCM_256\"},\"encryptedRegionInfo\":{\"dataLength\":16,"
	  "\"nonceLength\":12}}",
	  EBADMSG, META },
	{ "no agent", "{" KEY_V2 "," REGION_4M "}", EBADMSG, META },
	{ "null agent", "{" KEY_V2 ",\"EncryptionAgent\":null," REGION_4M "}", EBADMSG, META },
	{ "agent a string", "{" KEY_V2 ",\"EncryptionAgent\":\"2.0\"," REGION_4M "}", EBADMSG,
	  META },
	{ "protocol a number", "{" KEY_V2 "," AGENT("2.0", Q("AES_GCM_256")) "," REGION_4M "}",
	  EBADMSG, META },
	{ "protocol with a NUL",
	  "{" KEY_V2 "," AGENT(Q("2.0\\u0000"), Q("AES_GCM_256")) "," REGION_4M "}", EBADMSG,
	  META },
	{ "no key", "{" AGENT_V2 "," REGION_4M "}", EBADMSG, META },
	{ "key an array", "{\"WrappedContentKey\":[]," AGENT_V2 "," REGION_4M "}", EBADMSG, META },

	{ "unknown protocol", "{" KEY_V2 "," AGENT(Q("3.0"), Q("AES_GCM_256")) "," REGION_4M "}",
	  EOPNOTSUPP, UNSUP },
	{ "protocol 2", "{" KEY_V2 "," AGENT(Q("2"), Q("AES_GCM_256")) "," REGION_4M "}",
	  EOPNOTSUPP, UNSUP },
	{ "protocol 2.0 and a blank",
	  "{" KEY_V2 "," AGENT(Q("2.0 "), Q("AES_GCM_256")) "," REGION_4M "}", EOPNOTSUPP, UNSUP },
	{ "unknown content algorithm",
	  "{" KEY_V2 "," AGENT(Q("2.0"), Q("AES_GCM_512")) "," REGION_4M "}", EOPNOTSUPP, UNSUP },
	{ "RSA1_5", "{" KEY(Q("k"), Q(W48), Q("RSA1_5")) "," AGENT_V2 "," REGION_4M "}", EOPNOTSUPP,
	  UNSUP },
	{ "algorithm none", "{" KEY(Q("k"), Q(W48), Q("none")) "," AGENT_V2 "," REGION_4M "}",
	  EOPNOTSUPP, UNSUP },
	{ "a user's own algorithm",
	  "{" KEY(Q("k"), Q(W48), Q("ExampleAlgorithm")) "," AGENT_V2 "," REGION_4M "}", EOPNOTSUPP,
	  UNSUP },
	{ "algorithm in small letters",
	  "{" KEY(Q("k"), Q(W48), Q("a256kw")) "," AGENT_V2 "," REGION_4M "}", EOPNOTSUPP, UNSUP },
	{ "Snowflake",
	  "{" KEY(Q("symmKey1"), Q(W40), Q("AES_CBC_256")) "," AGENT(
		  Q("1.0"),
		  Q("AES_CBC_128")) "," VECTOR(Q(IV)) ",\"KeyWrappingMetadata\":{"
						      "\"EncryptionLibrary\":\"Java 5.3.0\"}}",
	  EOPNOTSUPP, "policy.foreign" },

	{ "2.0 with CBC", "{" KEY_V2 "," AGENT(Q("2.0"), Q("AES_CBC_256")) "," REGION_4M "}",
	  EBADMSG, META },
	{ "1.0 with GCM", "{" KEY_V1 "," AGENT(Q("1.0"), Q("AES_GCM_256")) "," VECTOR(Q(IV)) "}",
	  EBADMSG, META },
	{ "V2 relabelled V1, 48 bytes", "{" KEY_V2 "," AGENT_V1 "," VECTOR(Q(IV)) "}", EBADMSG,
	  META },
	{ "V1 relabelled V2, 40 bytes", "{" KEY_V1 "," AGENT_V2 "," REGION_4M "}", EBADMSG, META },
	{ "V1 relabelled V2, 48 bytes, IV left", V2(REGION_4M "," VECTOR(Q(IV))), EBADMSG, META },

	{ "key id missing",
	  "{\"WrappedContentKey\":{\"EncryptedKey\":\"" W48 "\",\"Algorithm\":\"A256KW\"}," AGENT_V2
	  "," REGION_4M "}",
	  ENOKEY, NULL },
	{ "key id null", "{" KEY("null", Q(W48), Q("A256KW")) "," AGENT_V2 "," REGION_4M "}",
	  ENOKEY, NULL },
	{ "key id empty", "{" KEY(Q(""), Q(W48), Q("A256KW")) "," AGENT_V2 "," REGION_4M "}",
	  ENOKEY, NULL },
	{ "key id a number", "{" KEY("1", Q(W48), Q("A256KW")) "," AGENT_V2 "," REGION_4M "}",
	  EBADMSG, META },
	{ "key id with a NUL",
	  "{" KEY(Q("k\\u0000x"), Q(W48), Q("A256KW")) "," AGENT_V2 "," REGION_4M "}", EBADMSG,
	  META },
	{ "algorithm null", "{" KEY(Q("k"), Q(W48), "null") "," AGENT_V2 "," REGION_4M "}", EBADMSG,
	  META },
	{ "wrapped key empty", "{" KEY(Q("k"), Q(""), Q("RSA-OAEP")) "," AGENT_V2 "," REGION_4M "}",
	  EBADMSG, META },
	{ "wrapped key null", "{" KEY(Q("k"), "null", Q("RSA-OAEP")) "," AGENT_V2 "," REGION_4M "}",
	  EBADMSG, META },
	{ "wrapped key not padded",
	  "{" KEY(Q("k"), Q("AAAAA"), Q("RSA-OAEP")) "," AGENT_V2 "," REGION_4M "}", EBADMSG,
	  META },
	{ "wrapped key url-safe",
	  "{" KEY(Q("k"), Q("AA-_"), Q("RSA-OAEP")) "," AGENT_V2 "," REGION_4M "}", EBADMSG, META },
	{ "wrapped key not canonical",
	  "{" KEY(Q("k"), Q("AAAAAB=="), Q("RSA-OAEP")) "," AGENT_V2 "," REGION_4M "}", EBADMSG,
	  META },
	{ "wrapped key with a line break",
	  "{" KEY(Q("k"), Q("AAAA\\nAAAA"), Q("RSA-OAEP")) "," AGENT_V2 "," REGION_4M "}", EBADMSG,
	  META },

	{ "no region info", "{" KEY_V2 "," AGENT_V2 "}", EBADMSG, META },
	{ "region info null", V2("\"EncryptedRegionInfo\":null"), EBADMSG, META },
	{ "region length missing", V2("\"EncryptedRegionInfo\":{\"NonceLength\":12}"), EBADMSG,
	  META },
	{ "region length 0", V2(REGION("0", "12")), EBADMSG, META },
	{ "region length -0", V2(REGION("-0", "12")), EBADMSG, META },
	{ "region length -28", V2(REGION("-28", "12")), EBADMSG, META },
	{ "region length 2^30 + 1", V2(REGION("1073741825", "12")), EBADMSG, META },
	{ "region length 2^31", V2(REGION("2147483648", "12")), EBADMSG, META },
	{ "region length 2^32 + 16", V2(REGION("4294967312", "12")), EBADMSG, META },
	{ "region length 2^53", V2(REGION("9007199254740992", "12")), EBADMSG, META },
	{ "region length 2^64", V2(REGION("18446744073709551616", "12")), EBADMSG, META },
	{ "region length a string", V2(REGION(Q("4194304"), "12")), EBADMSG, META },
	{ "region length with a fraction", V2(REGION("4194304.0", "12")), EBADMSG, META },
	{ "region length with an exponent", V2(REGION("1e3", "12")), EBADMSG, META },
	{ "region length true", V2(REGION("true", "12")), EBADMSG, META },
	{ "nonce length missing", V2("\"EncryptedRegionInfo\":{\"DataLength\":16}"), EBADMSG,
	  META },
	{ "nonce length 0", V2(REGION("4194304", "0")), EBADMSG, META },
	{ "nonce length 11", V2(REGION("4194304", "11")), EBADMSG, META },
	{ "nonce length 13", V2(REGION("4194304", "13")), EBADMSG, META },
	{ "nonce length 28", V2(REGION("4194304", "28")), EBADMSG, META },
	{ "nonce length a string", V2(REGION("4194304", Q("12"))), EBADMSG, META },

	{ "V1 without IV", "{" KEY_V1 "," AGENT_V1 "}", EBADMSG, META },
	{ "V1 with null IV", "{" KEY_V1 "," AGENT_V1 "," VECTOR("null") "}", EBADMSG, META },
	{ "V1 with an IV of 8 bytes", "{" KEY_V1 "," AGENT_V1 "," VECTOR(Q("AAAAAAAAAAA=")) "}",
	  EBADMSG, META },
	{ "V1 with an IV of 17 bytes",
	  "{" KEY_V1 "," AGENT_V1 "," VECTOR(Q("AAAAAAAAAAAAAAAAAAAAAAA=")) "}", EBADMSG, META },
};

static void
refuse(const char *name, struct span json, int no, const char *event)
{
	struct envelope env = { .n_wrapped = 77 };
	struct err e = { 0 };

	if (envelope_parse(json, &env, &e) != -no || e.no != no)
		fail_msg("%s: %s %s", name, err_name(e.no), e.text);
	assert_int_equal(env.n_wrapped, 77);
	assert_null(env.kid);
	if (event != NULL)
		assert_string_equal(e.event, event);
}

static void
refuses_everything_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refuse(bad[i].name, span_str(bad[i].json), bad[i].no, bad[i].event);
}

static void
every_cut_is_refused(void **state)
{
	const char *json = V2(REGION_4M);

	(void)state;
	for (size_t n = 0; n < strlen(json); n++)
		refuse("cut", span_of(json, n), EBADMSG, META);
}

/* A record with a key id and a wrapped key of those lengths (RSA). */
static char *
record(size_t n_kid, size_t n_wrapped_chars)
{
	char *kid = calloc(1, n_kid + 1), *wrapped = calloc(1, n_wrapped_chars + 1), *json = NULL;

	memset(kid, 'k', n_kid);
	memset(wrapped, 'A', n_wrapped_chars);
	if (n_wrapped_chars == 1368) /* 1,024 bytes */
		memset(wrapped + 1366, '=', 2);
	assert_true(asprintf(&json,
			     "{" KEY(Q("%s"), Q("%s"), Q("RSA-OAEP")) "," AGENT_V2 "," REGION_4M
								      "}",
			     kid, wrapped) > 0);
	free(kid);
	free(wrapped);
	return json;
}

static void
lengths_have_ceilings(void **state)
{
	static const struct {
		size_t kid, wrapped;
		bool good;
	} cases[] = {
		{ ENVELOPE_KID_MAX, 4, true },
		{ ENVELOPE_KID_MAX + 1, 4, false },
		{ 1, 1364, true },
		{ 1, 1368, true },
		{ 1, 1372, false },
		{ 1, ENVELOPE_JSON_MAX, false },
		{ 1, 1 << 20, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *json = record(cases[i].kid, cases[i].wrapped);
		AUTO_ENVELOPE env = { 0 };
		struct err e = { 0 };

		if (cases[i].good)
			assert_int_equal(envelope_parse(span_str(json), &env, &e), 0);
		else
			refuse("too long", span_str(json), EBADMSG, META);
		free(json);
	}
}

static void
a_hostile_name_cannot_forge_a_log_line(void **state)
{
	const char *json = "{" KEY_V2 "," AGENT(Q("9\\n\\u001b[2J\\u00e9"),
						Q("AES_GCM_256")) "," REGION_4M "}";
	AUTO_ENVELOPE env = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(envelope_parse(span_str(json), &env, &e), -EOPNOTSUPP);
	for (const char *p = e.text; *p != '\0'; p++)
		assert_true((unsigned char)*p >= 0x20);
}

static void
names_go_both_ways(void **state)
{
	(void)state;
	for (int a = WRAP_RSA_OAEP; a <= WRAP_A256KW; a++) {
		enum wrap_alg back = 0;

		assert_true(wrap_alg_parse(wrap_alg_name((enum wrap_alg)a), &back));
		assert_int_equal(back, a);
		assert_int_equal(wrap_alg_is_rsa(back), a <= WRAP_RSA_OAEP_256);
	}
	assert_string_equal(protocol_name(PROTOCOL_V1), "1.0");
	assert_string_equal(protocol_name(PROTOCOL_V2_0), "2.0");
	assert_string_equal(protocol_name(PROTOCOL_V2_1), "2.1");
}

static void
packs_and_unpacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct packed_envelope *p = NULL;
		AUTO_ENVELOPE env = { 0 };
		AUTO_ENVELOPE back = { 0 };
		struct err e = { 0 };

		assert_int_equal(envelope_parse(span_str(good[i].json), &env, &e), 0);
		assert_int_equal(envelope_pack(&env, 4000000000u, &p, &e), 0);
		assert_int_equal(envelope_packed_kid(p), 4000000000u);
		assert_int_equal(envelope_packed_protocol(p), env.protocol);
		assert_int_equal(envelope_packed_alg(p), env.alg);
		assert_int_equal(envelope_packed_region_len(p), env.region_len);
		assert_true(envelope_packed_size(p) <= env.n_wrapped + 28);
		assert_int_equal(envelope_unpack(p, env.kid, &back, &e), 0);
		assert_true(envelope_same(&env, &back));
		free(p);
	}
}

/* An RSA-2048 key, V1 with its IV. */
static void
a_packed_rsa_envelope_has_at_most_300_bytes(void **state)
{
	uint8_t wrapped[256] = { 1 };
	char kid[] = "k";
	struct envelope env = { .protocol = PROTOCOL_V1,
				.alg = WRAP_RSA_OAEP,
				.kid = kid,
				.wrapped = wrapped,
				.n_wrapped = sizeof(wrapped) };
	struct packed_envelope *p = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(envelope_pack(&env, 0, &p, &e), 0);
	assert_true(envelope_packed_size(p) <= 300);
	free(p);
}

static void
same_means_all_that_a_reader_relies_on(void **state)
{
	uint8_t wrapped_a[40] = { 1 }, wrapped_b[40] = { 1 };
	char kid_a[] = "a", kid_b[] = "a";
	const struct envelope a = { .protocol = PROTOCOL_V2_0,
				    .alg = WRAP_A256KW,
				    .kid = kid_a,
				    .wrapped = wrapped_a,
				    .n_wrapped = 40,
				    .region_len = 16 };
	struct envelope b = a;

	(void)state;
	b.kid = kid_b;
	b.wrapped = wrapped_b;
	assert_true(envelope_same(&a, &b));
	wrapped_b[39] = 1;
	assert_false(envelope_same(&a, &b));
	wrapped_b[39] = 0;
	b.n_wrapped = 39;
	assert_false(envelope_same(&a, &b));
	b.n_wrapped = 40;
	kid_b[0] = 'b';
	assert_false(envelope_same(&a, &b));
	kid_b[0] = 'a';
	b.region_len = 17;
	assert_false(envelope_same(&a, &b));
	b.region_len = 16;
	b.protocol = PROTOCOL_V2_1;
	assert_false(envelope_same(&a, &b));
	b.protocol = PROTOCOL_V2_0;
	b.alg = WRAP_A192KW;
	assert_false(envelope_same(&a, &b));
	b.alg = WRAP_A256KW;
	b.iv[15] = 1;
	assert_false(envelope_same(&a, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_sdks_write),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(lengths_have_ceilings),
		cmocka_unit_test(a_hostile_name_cannot_forge_a_log_line),
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(packs_and_unpacks),
		cmocka_unit_test(a_packed_rsa_envelope_has_at_most_300_bytes),
		cmocka_unit_test(same_means_all_that_a_reader_relies_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
