/* SPDX-License-Identifier: MIT */
/* What is remembered of a blob between a listing and an open, and the table of key ids. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "fs/blobrecord.h"

static struct kid_table *kids;

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	return kid_table_new(&kids, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	kid_table_free(kids);
	return 0;
}

/* An envelope with the given protocol; "1.0" has an IV instead of regions. */
static const char *
envelope_of(const char *protocol, const char *kid, unsigned region)
{
	static const char wrapped_v1[] = "AQIDBAUGBwgJCgsMDQ4PEAECAwQFBgcICQoLDA0ODxABAgMEBQYHCA==";
	static const char wrapped_v2[] =
		"AQIDBAUGBwgJCgsMDQ4PEAECAwQFBgcICQoLDA0ODxABAgMEBQYHCAECAwQFBgcI";
	static _Thread_local char json[1024];
	const bool v1 = strcmp(protocol, "1.0") == 0;
	char layout[128];

	if (v1)
		(void)snprintf(layout, sizeof(layout),
			       "\"ContentEncryptionIV\":\"AAAAAAAAAAAAAAAAAAAAAA==\"");
	else
		(void)snprintf(layout, sizeof(layout),
			       "\"EncryptedRegionInfo\":{\"DataLength\":%u,\"NonceLength\":12}",
			       region);
	(void)snprintf(
		json, sizeof(json),
		"{\"EncryptionMode\":\"FullBlob\",\"WrappedContentKey\":{\"KeyId\":\"%s\","
		"\"EncryptedKey\":"
		"\"%s\",\"Algorithm\":\"A256KW\"},"
		"\"EncryptionAgent\":{\"Protocol\":\"%s\",\"EncryptionAlgorithm\":\"%s\"},%s,"
		"\"KeyWrappingMetadata\":{\"EncryptionLibrary\":\"test\"}}",
		kid, v1 ? wrapped_v1 : wrapped_v2, protocol, v1 ? "AES_CBC_256" : "AES_GCM_256",
		layout);
	return json;
}

static struct view_record *
record_of(const struct store_entry *entry)
{
	struct view_record *r;
	struct err e = { 0 };

	assert_int_equal(blob_record_new(kids, NULL, entry, &r, &e), 0);
	return r;
}

static struct store_entry
entry_of(const char *json, uint64_t size)
{
	struct store_entry entry = {
		.etag = "1", .content_type = "", .size = size, .name = span_str("n")
	};

	if (json != NULL)
		entry.envelope = span_str(json);
	return entry;
}

static void
an_envelope_survives_packing(void **state)
{
	static const char *const protocols[] = { "1.0", "2.0", "2.1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		const char *json = envelope_of(protocols[i], "https://v.vault.azure.net/keys/k/1",
					       i == 1 ? 4194304 : 65536);
		const struct store_entry entry = entry_of(json, 1 << 20);
		struct view_record *r = record_of(&entry);
		AUTO_ENVELOPE want = { 0 };
		AUTO_ENVELOPE got = { 0 };
		struct err e = { 0 };

		assert_int_equal(blob_record_of(r)->state, BLOB_SEALED);
		assert_string_equal(blob_record_kid(blob_record_of(r)),
				    "https://v.vault.azure.net/keys/k/1");
		assert_int_equal(envelope_parse(span_str(json), &want, &e), 0);
		assert_int_equal(blob_record_envelope(blob_record_of(r), &got, &e), 0);
		assert_true(envelope_same(&want, &got));
		assert_string_equal(got.kid, want.kid);
		assert_true(r->bytes >= sizeof(struct blob_record) +
						envelope_packed_size(blob_record_of(r)->packed));
		view_record_put(r);
	}
}

static const struct {
	const char *what, *protocol;
	bool page;
	uint64_t stored, shown;
	bool exact;
} sizes[] = {
	{ "an empty region", "2.0", false, 28, 0, true },
	{ "one byte", "2.0", false, 29, 1, true },
	{ "two regions", "2.0", false, 4194332 + 29, 4194305, true },
	{ "no size of ours", "2.0", false, 5, 5, true },
	{ "V1", "1.0", false, 32, 31, false },
	{ "V1, a page blob", "1.0", true, 512, 512, true },
};

static void
sizes_are_shown_by_arithmetic_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct store_entry entry = entry_of(envelope_of(sizes[i].protocol, "k", 4194304),
						    sizes[i].stored);
		struct view_record *r;
		bool exact = !sizes[i].exact;

		entry.type = sizes[i].page ? STORE_PAGE : STORE_BLOCK;
		r = record_of(&entry);
		if (blob_record_size(blob_record_of(r), &exact) != sizes[i].shown ||
		    exact != sizes[i].exact)
			fail_msg("%s", sizes[i].what);
		view_record_put(r);
	}
}

static void
what_is_not_sealed_or_broken_says_so(void **state)
{
	struct store_entry entry = entry_of(NULL, 77);
	struct view_record *r = record_of(&entry);
	bool exact;

	(void)state;
	assert_int_equal(blob_record_of(r)->state, BLOB_UNENCRYPTED);
	assert_int_equal(blob_record_size(blob_record_of(r), &exact), 77);
	assert_string_equal(blob_record_kid(blob_record_of(r)), "");
	view_record_put(r);
	entry = entry_of("{}", 77);
	r = record_of(&entry);
	assert_int_equal(blob_record_of(r)->state, BLOB_BROKEN);
	view_record_put(r);
	entry = entry_of(envelope_of("9.9", "k", 4194304), 77);
	r = record_of(&entry);
	assert_int_equal(blob_record_of(r)->state, BLOB_BROKEN);
	view_record_put(r);
	entry = entry_of(NULL, 77); /* the service hides whether there is one: not unencrypted */
	entry.metadata_hidden = true;
	r = record_of(&entry);
	assert_int_equal(blob_record_of(r)->state, BLOB_BROKEN);
	view_record_put(r);
}

static void
a_key_id_is_stored_once(void **state)
{
	const struct store_entry entry = entry_of(envelope_of("2.0", "same", 4194304), 100);
	struct view_record *a = record_of(&entry), *b = record_of(&entry);

	(void)state;
	assert_ptr_equal(blob_record_kid(blob_record_of(a)), blob_record_kid(blob_record_of(b)));
	view_record_put(a);
	assert_string_equal(blob_record_kid(blob_record_of(b)), "same");
	assert_ptr_equal(view_record_get(b), b);
	view_record_put(b);
	view_record_put(b);
	assert_null(view_record_get(NULL));
	view_record_put(NULL);
}

static void *
come_and_go(void *arg)
{
	struct view_record *held[16] = { NULL };

	for (unsigned i = 0; i < 5000; i++) {
		const unsigned at = i * 7 % 16;
		char kid[24];
		struct store_entry entry;

		(void)snprintf(kid, sizeof(kid), "kid-%u",
			       i % 600); /* more than there are buckets */
		entry = entry_of(envelope_of("2.0", kid, 4194304), 100);
		view_record_put(held[at]);
		held[at] = record_of(&entry);
		if (strcmp(blob_record_kid(blob_record_of(held[at])), kid) != 0)
			return arg;
	}
	for (unsigned i = 0; i < 16; i++)
		view_record_put(held[i]);
	return NULL;
}

/* A container may name another key in every blob: who brings a key id pays for it. */
static void
a_key_id_is_charged_to_the_record_that_brought_it(void **state)
{
	char kid[1001];
	struct store_entry entry;
	struct view_record *first, *second;

	(void)state;
	memset(kid, 'k', 1000);
	kid[1000] = '\0';
	entry = entry_of(envelope_of("2.0", kid + 500, 4096), 100);
	first = record_of(&entry);
	second = record_of(&entry);
	assert_true(first->bytes >= second->bytes + 500);
	view_record_put(first);
	view_record_put(second);
}

static void
records_of_many_keys_come_and_go(void **state)
{
	pthread_t id[4];
	void *failed;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&id[i], NULL, come_and_go, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++) {
		(void)pthread_join(id[i], &failed);
		assert_null(failed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		WITH(an_envelope_survives_packing),
		WITH(sizes_are_shown_by_arithmetic_alone),
		WITH(what_is_not_sealed_or_broken_says_so),
		WITH(a_key_id_is_stored_once),
		WITH(a_key_id_is_charged_to_the_record_that_brought_it),
		WITH(records_of_many_keys_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
