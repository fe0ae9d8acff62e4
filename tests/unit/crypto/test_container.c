/* SPDX-License-Identifier: MIT */
/* crypto/container, policy, partition: containers of the official clients, and hostile ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/container.h"
#include "tests/unit/crypto/cosmosset.h"

/* Pieces of a container, so that a row shows only what is odd about it. */
#define NAMES	  "\"id\":\"c\",\"_rid\":\"gAABAIAAAAE=\""
#define PK(paths) "\"partitionKey\":{\"kind\":\"Hash\",\"paths\":[" paths "],\"version\":2}"
#define PK_MULTI(paths) \
	"\"partitionKey\":{\"kind\":\"MultiHash\",\"paths\":[" paths "],\"version\":2}"
#define PATH(path, key, type)                                           \
	"{\"path\":\"" path "\",\"clientEncryptionKeyId\":\"" key "\"," \
	"\"encryptionType\":\"" type "\",\"encryptionAlgorithm\":"      \
	"\"AEAD_AES_256_CBC_HMAC_SHA256\"}"
#define POLICY(version, paths)                                         \
	"\"clientEncryptionPolicy\":{\"policyFormatVersion\":" version \
	",\"includedPaths\":[" paths "]}"
#define DET(path)     PATH(path, "k", "Deterministic")
#define RND(path)     PATH(path, "k", "Randomized")
#define C(pk, policy) "{" NAMES "," pk "," policy "}"
#define P(policy)     C(PK("\"/pk\""), policy)

static int
parse(const char *json, struct container_def *out)
{
	struct err e = { 0 };
	int r = container_def_parse(span_str(json), out, &e);

	if (r != 0)
		fail_msg("%s: %s", json, e.text);
	return r;
}

/* ---- what the official clients made ---- */

static void
expect_policy(const struct container_def *d, const json_t *policy)
{
	const json_t *paths = json_object_get(policy, "includedPaths"), *item;
	json_t *printed = json_loads(d->policy_text, JSON_DECODE_ANY, NULL);
	size_t i;

	assert_true(json_is_null(policy) || policy == NULL ? json_is_null(printed)
							   : json_equal(printed, policy));
	assert_int_equal(d->policy_text[strlen(d->policy_text) - 1], '\n');
	json_decref(printed);
	assert_int_equal(d->has_policy, json_is_object(policy));
	assert_int_equal(d->n_paths, json_array_size(paths));
	assert_int_equal(d->policy_version,
			 json_integer_value(json_object_get(policy, "policyFormatVersion")));
	json_array_foreach(paths, i, item)
	{
		const struct policy_path *p = &d->path[i];
		const bool det = strcmp(cosmos_text(item, "encryptionType"), "Deterministic") == 0;

		assert_string_equal(p->name, cosmos_text(item, "path") + 1);
		assert_int_equal(p->n_name, strlen(p->name));
		assert_string_equal(p->dek_id, cosmos_text(item, "clientEncryptionKeyId"));
		assert_int_equal(p->kind, det ? CELL_DETERMINISTIC : CELL_RANDOMIZED);
		assert_int_equal(container_def_find(d, span_str(p->name)), i);
	}
}

static void
expect_partition(const struct container_def *d, const json_t *key)
{
	const json_t *paths = json_object_get(key, "paths"), *path;
	size_t i;

	assert_int_equal(d->n_partition, json_array_size(paths));
	json_array_foreach(paths, i, path)
	{
		assert_int_equal(d->partition[i].n_tokens, 1);
		assert_string_equal(d->partition[i].token[0], json_string_value(path) + 1);
		assert_int_equal(d->partition[i].policy,
				 container_def_find(d, span_str(d->partition[i].token[0])));
	}
	assert_false(d->by_id);
	assert_false(d->system_key);
}

static void
every_container_of_the_sets_is_read(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *feed = cosmos_file(cosmos_sets[s], "containers.json");
		json_t *list = json_object_get(feed, "DocumentCollections"), *item;
		size_t i;

		assert_true(json_array_size(list) >= 10);
		json_array_foreach(list, i, item)
		{
			char *text = json_dumps(item, 0);
			AUTO_CONTAINER_DEF d = { 0 };

			(void)parse(text, &d);
			assert_string_equal(d.id, cosmos_text(item, "id"));
			assert_string_equal(d.rid, cosmos_text(item, "_rid"));
			expect_policy(&d, json_object_get(item, "clientEncryptionPolicy"));
			expect_partition(&d, json_object_get(item, "partitionKey"));
			assert_int_equal(d.id_policy, container_def_find(&d, span_str("id")));
			assert_int_equal(d.id_policy >= 0, strcmp(d.id, "id-and-pk") == 0);
			assert_true(container_def_same(&d, &d));
			free(text);
		}
		json_decref(feed);
	}
}

/* ---- paths of partition keys ---- */

static const struct {
	const char *json; /* as it stands in the array */
	size_t n;
	const char *token[3];
} key_paths[] = {
	{ "\"/a\"", 1, { "a" } },
	{ "\"/a/b\"", 2, { "a", "b" } },
	{ "\"/a b/c\"", 2, { "a b", "c" } },
	{ "\"/\\\"a b\\\"/\\\"c\\\\\\\"d\\\"\"", 2, { "a b", "c\"d" } },
	{ "\"/'a/b'\"", 1, { "a/b" } },
	{ "\"/'it\\\\'s'/\\\"\\\\\\\\\\\"/\\\"\\\\/\\\"\"", 3, { "it's", "\\", "/" } },
	{ "\"/\\\"'\\\"\"", 1, { "'" } },
	{ "\"/\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\"", 1, { "\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87" } },
	{ "\"/a\\\"b\"", 1, { "a\"b" } },
};

static void
partition_paths_are_cut_into_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(key_paths); i++) {
		AUTO_CONTAINER_DEF d = { 0 };
		char json[512];

		(void)snprintf(json, sizeof(json), "{" NAMES ",\"partitionKey\":{\"paths\":[%s]}}",
			       key_paths[i].json);
		(void)parse(json, &d);
		assert_int_equal(d.n_partition, 1);
		assert_int_equal(d.partition[0].n_tokens, key_paths[i].n);
		for (size_t t = 0; t < key_paths[i].n; t++)
			assert_string_equal(d.partition[0].token[t], key_paths[i].token[t]);
		assert_int_equal(d.partition[0].policy, -1);
	}
}

static void
what_seals_the_id_and_the_partition_key_is_found(void **state)
{
	AUTO_CONTAINER_DEF d = { 0 };

	(void)state;
	(void)parse(C(PK_MULTI("\"/a/b\",\"/c\",\"/id\""),
		      POLICY("2", RND("/x") "," DET("/a") "," DET("/id"))),
		    &d);
	assert_int_equal(d.partition[0].policy, 1);
	assert_int_equal(d.partition[1].policy, -1);
	assert_int_equal(d.partition[2].policy, 2);
	assert_int_equal(d.id_policy, 2);
	assert_false(d.by_id);
	assert_int_equal(container_def_find(&d, span_str("x")), 0);
	assert_int_equal(container_def_find(&d, span_str("X")), -1);
	assert_int_equal(container_def_find(&d, span_str("")), -1);
	assert_int_equal(container_def_find(&d, span_of(NULL, 0)), -1);
}

static void
the_flags_of_a_partition_key(void **state)
{
	AUTO_CONTAINER_DEF d = { 0 };

	(void)state;
	(void)parse("{" NAMES ",\"partitionKey\":{\"paths\":[\"/id\"],\"systemKey\":true}}", &d);
	assert_true(d.by_id);
	assert_true(d.system_key);
	container_def_clear(&d);
	(void)parse("{" NAMES ",\"partitionKey\":{\"paths\":[\"/id/x\"],\"systemKey\":false}}", &d);
	assert_false(d.by_id);
	assert_false(d.system_key);
}

/* ---- policies ---- */

static void
null_missing_and_empty_policies_are_none(void **state)
{
	static const char *const none[] = {
		"{" NAMES "," PK("\"/pk\"") "}",
		P("\"clientEncryptionPolicy\":null"),
		P(POLICY("1", "")),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		AUTO_CONTAINER_DEF d = { 0 };

		(void)parse(none[i], &d);
		assert_false(d.has_policy);
		assert_int_equal(d.policy_version, 0);
		assert_int_equal(d.n_paths, 0);
		assert_int_equal(d.id_policy, -1);
		if (i < 2)
			assert_string_equal(d.policy_text, "null\n");
	}
}

static void
policies_that_are_unusual_but_good(void **state)
{
	AUTO_CONTAINER_DEF d = { 0 };

	(void)state;
	(void)parse(P("\"clientEncryptionPolicy\":{\"future\":[1,\"\\u0000\"],"
		      "\"policyFormatVersion\":1,\"includedPaths\":[" PATH(
			      "/a\\\"b \xe2\x82\xac", "key one \xc3\xa9", "Randomized") "]}"),
		    &d);
	assert_string_equal(d.path[0].name, "a\"b \xe2\x82\xac");
	assert_string_equal(d.path[0].dek_id, "key one \xc3\xa9");
	assert_non_null(strstr(d.policy_text, "\n  \"future\": ["));
	/* In the order of the service. */
	assert_true(strstr(d.policy_text, "future") < strstr(d.policy_text, "policyFormatVersion"));
}

static void
as_many_paths_as_the_limit_and_not_one_more(void **state)
{
	(void)state;
	for (size_t n = POLICY_PATHS_MAX; n <= POLICY_PATHS_MAX + 1; n++) {
		struct container_def d = { 0 };
		struct err e = { 0 };
		AUTO_BUF b;
		int r;

		buf_init(&b, 1 << 20);
		assert_int_equal(buf_add_str(&b,
					     "{" NAMES
					     "," PK("\"/pk\"") ",\"clientEncryptionPolicy\":{"
							       "\"policyFormatVersion\":2,"
							       "\"includedPaths\":[",
					     &e),
				 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf_addf(&b, &e, "%s" RND("/p%zu"), i > 0 ? "," : "", i),
					 0);
		assert_int_equal(buf_add_str(&b, "]}}", &e), 0);
		r = container_def_parse(buf_span(&b), &d, &e);
		assert_int_equal(r, n <= POLICY_PATHS_MAX ? 0 : -EBADMSG);
		if (r == 0)
			assert_int_equal(container_def_find(&d, span_str("p255")), 255);
		container_def_clear(&d);
	}
}

#define META  "integrity.policy"
#define UNSUP "policy.unsupported"

static const struct {
	const char *name;
	const char *json;
	int no;
	const char *event;
	const char *says; /* part of the text; NULL = anything */
} bad[] = {
	{ "nothing", "", EBADMSG, META, NULL },
	{ "no JSON", "{", EBADMSG, META, NULL },
	{ "array", "[]", EBADMSG, META, NULL },
	{ "text behind", P(POLICY("1", DET("/a"))) "x", EBADMSG, META, NULL },
	{ "no id", "{\"_rid\":\"a\"," PK("\"/pk\"") "}", EBADMSG, META, "id" },
	{ "id with a slash", "{\"id\":\"a/b\",\"_rid\":\"a\"," PK("\"/pk\"") "}", EBADMSG, META,
	  NULL },
	{ "no _rid", "{\"id\":\"c\"," PK("\"/pk\"") "}", EBADMSG, META, "_rid" },
	{ "empty _rid", "{\"id\":\"c\",\"_rid\":\"\"," PK("\"/pk\"") "}", EBADMSG, META, "_rid" },
	{ "_rid that ends a header", "{\"id\":\"c\",\"_rid\":\"a\\r\\nb\"," PK("\"/pk\"") "}",
	  EBADMSG, META, "_rid" },
	{ "member twice",
	  "{" NAMES "," PK("\"/pk\"") "," POLICY("1", DET("/a")) "," POLICY("1", "") "}", EBADMSG,
	  META, NULL },
	{ "inner member twice",
	  P("\"clientEncryptionPolicy\":{\"policyFormatVersion\":1,\"policyFormatVersion\":2,"
	    "\"includedPaths\":[]}"),
	  EBADMSG, META, NULL },

	{ "no partition key", "{" NAMES "}", EBADMSG, META, "partitionKey" },
	{ "partition key null", "{" NAMES ",\"partitionKey\":null}", EBADMSG, META, NULL },
	{ "no path", "{" NAMES "," PK("") "}", EBADMSG, META, NULL },
	{ "two paths for one hash", "{" NAMES "," PK("\"/a\",\"/b\"") "}", EBADMSG, META, NULL },
	{ "four paths", "{" NAMES "," PK_MULTI("\"/a\",\"/b\",\"/c\",\"/d\"") "}", EBADMSG, META,
	  NULL },
	{ "a path twice", "{" NAMES "," PK_MULTI("\"/a\",\"/\\\"a\\\"\"") "}", EBADMSG, META,
	  "twice" },
	{ "kind Range", "{" NAMES ",\"partitionKey\":{\"kind\":\"Range\",\"paths\":[\"/a\"]}}",
	  EBADMSG, META, "kind" },
	{ "kind hash", "{" NAMES ",\"partitionKey\":{\"kind\":\"hash\",\"paths\":[\"/a\"]}}",
	  EBADMSG, META, "kind" },
	{ "kind no string", "{" NAMES ",\"partitionKey\":{\"kind\":1,\"paths\":[\"/a\"]}}", EBADMSG,
	  META, "kind" },
	{ "paths no array", "{" NAMES ",\"partitionKey\":{\"paths\":\"/a\"}}", EBADMSG, META,
	  NULL },
	{ "path no string", "{" NAMES "," PK("1") "}", EBADMSG, META, NULL },
	{ "path with a NUL", "{" NAMES "," PK("\"/a\\u0000\"") "}", EBADMSG, META, NULL },
	{ "empty path", "{" NAMES "," PK("\"\"") "}", EBADMSG, META, NULL },
	{ "path is /", "{" NAMES "," PK("\"/\"") "}", EBADMSG, META, NULL },
	{ "path without /", "{" NAMES "," PK("\"a\"") "}", EBADMSG, META, NULL },
	{ "path ends with /", "{" NAMES "," PK("\"/a/\"") "}", EBADMSG, META, NULL },
	{ "empty token", "{" NAMES "," PK("\"/a//b\"") "}", EBADMSG, META, NULL },
	{ "empty quotes", "{" NAMES "," PK("\"/\\\"\\\"\"") "}", EBADMSG, META, NULL },
	{ "open quotes", "{" NAMES "," PK("\"/\\\"a\"") "}", EBADMSG, META, NULL },
	{ "quotes end on a backslash", "{" NAMES "," PK("\"/\\\"a\\\\\"") "}", EBADMSG, META,
	  NULL },
	{ "unknown escape", "{" NAMES "," PK("\"/\\\"a\\\\n\\\"\"") "}", EBADMSG, META, NULL },
	{ "text behind quotes", "{" NAMES "," PK("\"/\\\"a\\\"b\"") "}", EBADMSG, META, NULL },

	{ "policy no object", P("\"clientEncryptionPolicy\":[]"), EBADMSG, META, NULL },
	{ "no version", P("\"clientEncryptionPolicy\":{\"includedPaths\":[]}"), EBADMSG, META,
	  "policyFormatVersion" },
	{ "version 0", P(POLICY("0", DET("/a"))), EBADMSG, META, "policyFormatVersion" },
	{ "version -1", P(POLICY("-1", DET("/a"))), EBADMSG, META, "policyFormatVersion" },
	{ "version 1.0", P(POLICY("1.0", DET("/a"))), EBADMSG, META, "policyFormatVersion" },
	{ "version \"2\"", P(POLICY("\"2\"", DET("/a"))), EBADMSG, META, "policyFormatVersion" },
	{ "version 3", P(POLICY("3", DET("/a"))), EOPNOTSUPP, UNSUP, "policyFormatVersion 3" },
	{ "version 2^62", P(POLICY("4611686018427387904", DET("/a"))), EOPNOTSUPP, UNSUP,
	  "4611686018427387904" },
	{ "no paths", P("\"clientEncryptionPolicy\":{\"policyFormatVersion\":1}"), EBADMSG, META,
	  "includedPaths" },
	{ "paths an object",
	  P("\"clientEncryptionPolicy\":{\"policyFormatVersion\":1,\"includedPaths\":{}}"), EBADMSG,
	  META, "includedPaths" },
	{ "path entry no object", P(POLICY("1", "\"/a\"")), EBADMSG, META, "includedPaths[0]" },
	{ "nested", P(POLICY("1", DET("/a/b"))), EBADMSG, META, "path" },
	{ "root", P(POLICY("1", DET("/"))), EBADMSG, META, "path" },
	{ "empty", P(POLICY("1", DET(""))), EBADMSG, META, "path" },
	{ "no slash", P(POLICY("1", DET("a"))), EBADMSG, META, "path" },
	{ "trailing slash", P(POLICY("1", DET("/a/"))), EBADMSG, META, "path" },
	{ "NUL in a path", P(POLICY("1", DET("/a\\u0000b"))), EBADMSG, META, "path" },
	{ "path twice", P(POLICY("1", DET("/a") "," RND("/b") "," RND("/a"))), EBADMSG, META,
	  "includedPaths[2]" },
	{ "path twice, one escaped", P(POLICY("1", DET("/a") "," DET("/\\u0061"))), EBADMSG, META,
	  "twice" },
	{ "Plaintext", P(POLICY("1", PATH("/a", "k", "Plaintext"))), EOPNOTSUPP, UNSUP,
	  "\"Plaintext\"" },
	{ "lower case", P(POLICY("1", PATH("/a", "k", "deterministic"))), EOPNOTSUPP, UNSUP,
	  "\"deterministic\"" },
	{ "no type", P(POLICY("1", PATH("/a", "k", ""))), EOPNOTSUPP, UNSUP, NULL },
	{ "type 1",
	  P(POLICY("1", "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k\",\"encryptionType\":1,"
			"\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}")),
	  EBADMSG, META, "encryptionType" },
	{ "another algorithm",
	  P(POLICY("1",
		   "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k\",\"encryptionType\":"
		   "\"Randomized\",\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA512\"}")),
	  EBADMSG, META, "encryptionAlgorithm" },
	{ "no algorithm",
	  P(POLICY("1", "{\"path\":\"/a\",\"clientEncryptionKeyId\":\"k\",\"encryptionType\":"
			"\"Randomized\"}")),
	  EBADMSG, META, "encryptionAlgorithm" },
	{ "no key id",
	  P(POLICY("1", "{\"path\":\"/a\",\"encryptionType\":\"Randomized\","
			"\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}")),
	  EBADMSG, META, "clientEncryptionKeyId" },
	{ "key id up the tree", P(POLICY("1", PATH("/a", "../../x", "Randomized"))), EBADMSG, META,
	  "clientEncryptionKeyId" },
	{ "key id ..", P(POLICY("1", PATH("/a", "..", "Randomized"))), EBADMSG, META,
	  "clientEncryptionKeyId" },
	{ "key id with a query", P(POLICY("1", PATH("/a", "a?b", "Randomized"))), EBADMSG, META,
	  "clientEncryptionKeyId" },
	{ "empty key id", P(POLICY("1", PATH("/a", "", "Randomized"))), EBADMSG, META,
	  "clientEncryptionKeyId" },

	{ "id under version 1", P(POLICY("1", DET("/id"))), EBADMSG, META, NULL },
	{ "id randomized", P(POLICY("2", RND("/id"))), EBADMSG, META, "Deterministic" },
	{ "partition key under version 1", P(POLICY("1", DET("/pk"))), EBADMSG, META, NULL },
	{ "partition key randomized", P(POLICY("2", RND("/pk"))), EBADMSG, META, "Deterministic" },
	{ "first token of a partition key randomized", C(PK("\"/a/b\""), POLICY("2", RND("/a"))),
	  EBADMSG, META, "Deterministic" },
	{ "third partition key randomized",
	  C(PK_MULTI("\"/x\",\"/y\",\"/z\""), POLICY("2", DET("/x") "," RND("/z"))), EBADMSG, META,
	  "Deterministic" },
};

static void
hostile_containers_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct container_def d = { .policy_version = 77 };
		struct err e = { 0 };
		int r = container_def_parse(span_str(bad[i].json), &d, &e);

		if (r != -bad[i].no || e.event == NULL || strcmp(e.event, bad[i].event) != 0 ||
		    (bad[i].says != NULL && strstr(e.text, bad[i].says) == NULL))
			fail_msg("%s: %d %s: %s", bad[i].name, r, e.event, e.text);
		assert_int_equal(d.policy_version, 77);
		assert_null(d.id);
	}
}

/* n times c between two texts. */
static int
parse_long(const char *before, char c, size_t n, const char *after, struct err *e)
{
	struct container_def d = { 0 };
	char *text = malloc(strlen(before) + n + strlen(after) + 1);
	int r;

	assert_non_null(text);
	memcpy(text, before, strlen(before));
	memset(text + strlen(before), c, n);
	memcpy(text + strlen(before) + n, after, strlen(after) + 1);
	r = container_def_parse(span_str(text), &d, e);
	free(text);
	container_def_clear(&d);
	return r;
}

static void
lengths_are_bounded(void **state)
{
	static const struct {
		const char *before;
		char c;
		size_t n;
		const char *after;
		int no;
	} rows[] = {
		{ "{\"_rid\":\"a\"," PK("\"/p\"") ",\"id\":\"", 'a', 255, "\"}", 0 },
		{ "{\"_rid\":\"a\"," PK("\"/p\"") ",\"id\":\"", 'a', 256, "\"}", EBADMSG },
		{ "{\"id\":\"a\"," PK("\"/p\"") ",\"_rid\":\"", 'a', 255, "\"}", 0 },
		{ "{\"id\":\"a\"," PK("\"/p\"") ",\"_rid\":\"", 'a', 256, "\"}", EBADMSG },
		{ "{" NAMES ",\"partitionKey\":{\"paths\":[\"/", 'a', 1022, "\"]}}", 0 },
		{ "{" NAMES ",\"partitionKey\":{\"paths\":[\"/", 'a', 1023, "\"]}}", EBADMSG },
		{ "{" NAMES ",\"partitionKey\":{\"paths\":[\"", '/', 40, "\"]}}", EBADMSG },
		{ "{" NAMES
		  "," PK("\"/p\"") ",\"clientEncryptionPolicy\":{"
				   "\"policyFormatVersion\":1,\"includedPaths\":[{"
				   "\"clientEncryptionKeyId\":\"k\","
				   "\"encryptionType\":\"Randomized\",\"encryptionAlgorithm\":"
				   "\"AEAD_AES_256_CBC_HMAC_SHA256\",\"path\":\"/",
		  'a', 1023, "\"}]}}", 0 },
		{ "{" NAMES
		  "," PK("\"/p\"") ",\"clientEncryptionPolicy\":{"
				   "\"policyFormatVersion\":1,\"includedPaths\":[{"
				   "\"clientEncryptionKeyId\":\"k\","
				   "\"encryptionType\":\"Randomized\",\"encryptionAlgorithm\":"
				   "\"AEAD_AES_256_CBC_HMAC_SHA256\",\"path\":\"/",
		  'a', 1024, "\"}]}}", EBADMSG },
		{ "{" NAMES
		  "," PK("\"/p\"") ",\"clientEncryptionPolicy\":{"
				   "\"policyFormatVersion\":1,\"includedPaths\":[{\"path\":\"/a\","
				   "\"encryptionType\":\"Randomized\",\"encryptionAlgorithm\":"
				   "\"AEAD_AES_256_CBC_HMAC_SHA256\",\"clientEncryptionKeyId\":\"",
		  'k', 10240, "\"}]}}", EBADMSG },
		{ "{" NAMES "," PK("\"/p\"") ",\"x\":\"", 'a', CONTAINER_TEXT_MAX, "\"}", EBADMSG },
		{ "", '[', 100000, "", EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		int r = parse_long(rows[i].before, rows[i].c, rows[i].n, rows[i].after, &e);

		if (r != -rows[i].no)
			fail_msg("row %zu: %d %s", i, r, e.text);
		if (r != 0)
			assert_string_equal(e.event, META);
	}
}

static void
too_many_tokens(void **state)
{
	(void)state;
	for (size_t n = CONTAINER_TOKENS_MAX; n <= CONTAINER_TOKENS_MAX + 1; n++) {
		struct container_def d = { 0 };
		struct err e = { 0 };
		AUTO_BUF b;

		buf_init(&b, 4096);
		assert_int_equal(buf_add_str(&b, "{" NAMES ",\"partitionKey\":{\"paths\":[\"", &e),
				 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf_add_str(&b, "/a", &e), 0);
		assert_int_equal(buf_add_str(&b, "\"]}}", &e), 0);
		assert_int_equal(container_def_parse(buf_span(&b), &d, &e),
				 n <= CONTAINER_TOKENS_MAX ? 0 : -EBADMSG);
		container_def_clear(&d);
	}
}

/* A thousand brackets around a list: indented, every element would have a line of 2,000 blanks. */
static void
a_policy_that_grows_when_it_is_printed_is_refused(void **state)
{
	struct container_def d = { 0 };
	struct err e = { 0 };
	AUTO_BUF b;
	int r;

	(void)state;
	buf_init(&b, 1 << 20);
	r = buf_add_str(&b,
			"{" NAMES
			"," PK("\"/p\"") ",\"clientEncryptionPolicy\":{"
					 "\"policyFormatVersion\":1,\"includedPaths\":[],\"x\":",
			&e);
	for (int i = 0; r == 0 && i < 1000; i++)
		r = buf_add_str(&b, "[", &e);
	for (int i = 0; r == 0 && i < 10000; i++)
		r = buf_add_str(&b, "1,", &e);
	r = r == 0 ? buf_add_str(&b, "1", &e) : r;
	for (int i = 0; r == 0 && i < 1000; i++)
		r = buf_add_str(&b, "]", &e);
	r = r == 0 ? buf_add_str(&b, "}}", &e) : r;
	assert_int_equal(r, 0);
	assert_int_equal(container_def_parse(buf_span(&b), &d, &e), -EBADMSG);
	assert_string_equal(e.event, META);
	assert_null(d.id);
}

/* ---- comparing ---- */

static void
what_makes_another_container(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} pairs[] = {
		{ P(POLICY("1", DET("/a") "," RND("/b"))), P(POLICY("1", RND("/b") "," DET("/a"))),
		  true },
		{ "{\"id\":\"x\",\"_rid\":\"y\"," PK("\"/pk\"") "}",
		  "{" NAMES "," PK("\"/\\\"pk\\\"\"") ",\"clientEncryptionPolicy\":null}", true },
		{ P(POLICY("1", DET("/a"))), P(POLICY("2", DET("/a"))), false },
		{ P(POLICY("1", DET("/a"))), P(POLICY("1", RND("/a"))), false },
		{ P(POLICY("1", DET("/a"))), P(POLICY("1", DET("/b"))), false },
		{ P(POLICY("1", DET("/a"))), P(POLICY("1", DET("/a") "," DET("/b"))), false },
		{ P(POLICY("1", DET("/a"))), P(POLICY("1", PATH("/a", "l", "Deterministic"))),
		  false },
		{ P(POLICY("1", DET("/a"))), P("\"x\":1"), false },
		{ "{" NAMES "," PK("\"/a\"") "}", "{" NAMES "," PK("\"/b\"") "}", false },
		{ "{" NAMES "," PK("\"/a\"") "}", "{" NAMES "," PK("\"/a/b\"") "}", false },
		{ "{" NAMES "," PK_MULTI("\"/a\",\"/b\"") "}", "{" NAMES "," PK_MULTI("\"/a\"") "}",
		  false },
		{ "{" NAMES ",\"partitionKey\":{\"paths\":[\"/a\"],\"systemKey\":true}}",
		  "{" NAMES ",\"partitionKey\":{\"paths\":[\"/a\"]}}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		AUTO_CONTAINER_DEF a = { 0 };
		AUTO_CONTAINER_DEF b = { 0 };

		(void)parse(pairs[i].a, &a);
		(void)parse(pairs[i].b, &b);
		if (container_def_same(&a, &b) != pairs[i].same ||
		    container_def_same(&b, &a) != pairs[i].same)
			fail_msg("pair %zu", i);
	}
}

static void
ids_that_the_service_could_have(void **state)
{
	static const char *const good[] = {
		"a", "...", ".a", "a b", "a%2F", "\xc3\xa9", "\xf0\x9f\xa6\x80", "\xc2\xa0", "'\"&;"
	};
	static const char *const ill[] = {
		"",	".",	"..",	    "a/b",	 "a\\b",	 "a?b",	 "a#b", "a\nb",
		"\x7f", "\x01", "\xc2\x85", "a\xc2\x80", "\xed\xa0\x80", "\xff", "\xc2"
	};
	char longest[257];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!cosmos_id_is_good(good[i]))
			fail_msg("\"%s\" is good", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(ill); i++)
		if (cosmos_id_is_good(ill[i]))
			fail_msg("\"%s\" is not good", ill[i]);
	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	assert_false(cosmos_id_is_good(longest));
	longest[255] = '\0';
	assert_true(cosmos_id_is_good(longest));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_container_of_the_sets_is_read),
		cmocka_unit_test(partition_paths_are_cut_into_tokens),
		cmocka_unit_test(what_seals_the_id_and_the_partition_key_is_found),
		cmocka_unit_test(the_flags_of_a_partition_key),
		cmocka_unit_test(null_missing_and_empty_policies_are_none),
		cmocka_unit_test(policies_that_are_unusual_but_good),
		cmocka_unit_test(as_many_paths_as_the_limit_and_not_one_more),
		cmocka_unit_test(hostile_containers_are_refused),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(too_many_tokens),
		cmocka_unit_test(a_policy_that_grows_when_it_is_printed_is_refused),
		cmocka_unit_test(what_makes_another_container),
		cmocka_unit_test(ids_that_the_service_could_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
