/* SPDX-License-Identifier: MIT */
/* The blob view end to end: a dir: store with faults in front, local keys, plain bytes out. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/keys/jwks.h"
#include "backend/store/dir.h"
#include "backend/store/fault.h"
#include "base/base64.h"
#include "crypto/kek.h"
#include "crypto/order.h"
#include "fs/blobview.h"
#include "fs/v1guard.h"
#include "tests/support/sealer.h"

enum { MIB = 1 << 20, PLAIN_MAX = 10 * MIB };

static const char kid[] = "local-key-1";
static const char jwk[] = "{\"kty\":\"oct\",\"kid\":\"local-key-1\",\"k\":"
			  "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";
static const char jwks[] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"local-key-1\",\"k\":"
			   "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}]}";
static const struct cek cek = { "the content key of all the blobs" };

static char root[64];
static unsigned serial;
static uint8_t *plain, *stored;
static struct engine *engine;
static struct store *store; /* the one with the faults; the view's */
static struct view *view;

/* ---- writing a dir: store ---- */

static void
put_file(const char *name, const void *p, size_t n)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/*
 * Plain names and directories that exist; metadata: NULL or the value of encryptiondata, as JSON
 * text.
 */
static void
put_object(const char *name, const void *p, size_t n, const char *envelope)
{
	char file[160], place[64] = "", quoted[4096] = "", json[8192];
	const char *last = strrchr(name, '/');
	size_t at = 0;

	for (const char *c = name; *c != '\0'; c++)
		(void)snprintf(place + strlen(place), sizeof(place) - strlen(place),
			       *c == '/' ? ".d/" : "%c", *c);

	serial++;
	for (const char *c = envelope; c != NULL && *c != '\0'; c++) {
		if (*c == '"')
			quoted[at++] = '\\';
		quoted[at++] = *c;
	}
	quoted[at] = '\0';
	last = last != NULL ? last + 1 : name;
	(void)snprintf(file, sizeof(file), "objects/%s.%016x.x", place, serial);
	put_file(file, p, n);
	(void)snprintf(json, sizeof(json),
		       "{\"version\":1,\"name\":\"%s\",\"content\":\"%s.%016x.x\",\"length\":%zu,"
		       "\"etag\":\"e%u\","
		       "\"last_modified\":\"2026-11-20T00:00:00Z\",\"content_type\":\"text/"
		       "plain\",\"blob_type\":\"BlockBlob\","
		       "\"metadata\":{%s%s%s}}",
		       name, last, serial, n, serial,
		       envelope != NULL ? "\"encryptiondata\":\"" : "", quoted,
		       envelope != NULL ? "\"" : "");
	(void)snprintf(file, sizeof(file), "objects/%s.m", place);
	put_file(file, json, strlen(json));
}

/* The envelope of a blob sealed with cek; kid and protocol may be others than they should. */
static void
make_envelope(enum protocol p, const char *key_id, uint64_t region, char out[2048])
{
	uint8_t unwrapped[CEK_UNWRAPPED_MAX];
	struct err e = { 0 };
	struct buf wrapped, text;
	struct kek *kek;
	size_t n;

	buf_init(&wrapped, 1000);
	buf_init(&text, 1000);
	cek_to_unwrapped(p, &cek, unwrapped, &n);
	assert_int_equal(kek_from_jwk(span_str(jwk), &kek, &e), 0);
	assert_int_equal(kek_wrap(kek, WRAP_A256KW, span_of(unwrapped, n), &wrapped, &e), 0);
	assert_int_equal(base64_encode(BASE64_STANDARD, buf_span(&wrapped), &text, &e), 0);
	n = (size_t)snprintf(out, 2048,
			     "{\"EncryptionMode\":\"FullBlob\",\"WrappedContentKey\":{\"KeyId\":\"%"
			     "s\",\"EncryptedKey\":\"%s\","
			     "\"Algorithm\":\"A256KW\"},\"EncryptionAgent\":{\"Protocol\":\"%s\","
			     "\"EncryptionAlgorithm\":\"%s\"},",
			     key_id, buf_str(&text), protocol_name(p),
			     p == PROTOCOL_V1 ? "AES_CBC_256" : "AES_GCM_256");
	if (p == PROTOCOL_V1)
		(void)snprintf(out + n, 2048 - n,
			       "\"ContentEncryptionIV\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}");
	else
		(void)snprintf(out + n, 2048 - n,
			       "\"EncryptedRegionInfo\":{\"DataLength\":%llu,\"NonceLength\":12}}",
			       (unsigned long long)region);
	kek_free(kek);
	buf_clear(&wrapped);
	buf_clear(&text);
}

/* A sealed blob of the first n plain bytes. */
static void
put_sealed(const char *name, size_t n, uint64_t region)
{
	const uint64_t regions = n == 0 ? 1 : n / region + (n % region != 0);
	char envelope[2048];
	uint8_t *to = stored;

	for (uint64_t i = 0; i < regions; i++) {
		const uint64_t left = n - i * region;
		const size_t len = (size_t)(left < region ? left : region);
		uint8_t nonce[REGION_NONCE_LEN];

		nonce_make(NONCE_JAVA, i, nonce);
		sealer_region(cek.k, nonce, plain + i * region, len, to);
		to += len + REGION_OVERHEAD;
	}
	make_envelope(region == 4 * MIB ? PROTOCOL_V2_0 : PROTOCOL_V2_1, kid, region, envelope);
	put_object(name, stored, (size_t)(to - stored), envelope);
}

static void
put_v1(const char *name, size_t n)
{
	static const uint8_t iv[16];
	char envelope[2048];

	make_envelope(PROTOCOL_V1, kid, 0, envelope);
	put_object(name, stored, sealer_cbc_padded(cek.k, iv, plain, n, stored), envelope);
}

/* ---- a view on it ---- */

static void
open_view(const char *faults, const struct blobview_config *cfg)
{
	const struct engine_config ec = { .memory = 64 * MIB, .timeout_ns = 10 * NS_PER_S };
	const struct keyring_config kc = { .ttl_ns = 3600 * NS_PER_S };
	struct provider *provider;
	struct keyring *keys;
	struct store *dir;
	struct err e = { 0 };

	assert_int_equal(engine_new(&ec, &engine, &e), 0);
	assert_int_equal(dir_store_open(root, "", &dir, &e), 0);
	assert_int_equal(fault_store_new_take(dir, faults, &store, &e), 0);
	assert_int_equal(jwks_provider_from_text(span_str(jwks), "keys.json", &provider, &e), 0);
	assert_int_equal(keyring_new_take(&kc, &provider, 1, &keys, &e), 0);
	assert_int_equal(blobview_new_take(engine, cfg, store, keys, &view, &e), 0);
}

static const struct blobview_config usual = { .max_region = 64 * MIB };

static void
close_view(void)
{
	engine_drain(engine);
	view_free(view);
	engine_free(engine);
}

struct seen {
	unsigned n;
	char name[16][64], etag[64];
	bool dir[16], exact;
	uint64_t size;
	struct view_record *record;
};

static int
note(void *arg, const struct view_item *item, struct err *e)
{
	struct seen *s = arg;

	(void)e;
	(void)snprintf(s->name[s->n % 16], sizeof(s->name[0]), "%s", item->name);
	(void)snprintf(s->etag, sizeof(s->etag), "%s", item->etag);
	s->dir[s->n++ % 16] = item->dir;
	s->size = item->size;
	s->exact = item->exact;
	view_record_put(s->record);
	s->record = view_record_get(item->record);
	return 0;
}

static struct view_sink
into(struct seen *s)
{
	return (struct view_sink){ note, s };
}

static struct deadline
soon(void)
{
	return deadline_in(10 * NS_PER_S);
}

/* Looks a name up and opens it: 0 and the file, or -errno and why. */
static int
open_name(const char *name, struct view_file **f, struct err *e)
{
	struct seen s = { 0 }, now = { 0 };
	int r = view_lookup(view, name, into(&s), soon(), e);

	if (r == 0)
		r = view_open(view, name, s.etag, s.record, into(&now), soon(), f, e);
	view_record_put(s.record);
	view_record_put(now.record);
	return r;
}

/* Opens, reads all in pieces of `step` bytes, closes: 0 when it is what was sealed. */
static int
read_all(const char *name, size_t n, size_t step, struct err *e)
{
	uint8_t *got = malloc(VIEW_READ_MAX);
	struct view_file *f;
	size_t out_n = 1;
	int r = open_name(name, &f, e);

	for (uint64_t at = 0; r == 0 && at <= n; at += step) {
		r = view_read_wait(f, at, got, step, soon(), &out_n, e);
		if (r == 0)
			assert_int_equal(out_n, n - at < step ? n - at : step);
		if (r == 0)
			assert_memory_equal(got, plain + at, out_n);
		if (r < 0)
			view_close(f);
	}
	if (r == 0) {
		assert_int_equal(view_file_size(f), n);
		view_close(f);
	}
	free(got);
	return r;
}

/* ---- the tests ---- */

static const struct {
	size_t n;
	uint64_t region;
	unsigned heads, gets; /* for an open and all of its bytes */
} blobs[] = {
	{ 0, 4 * MIB, 0, 1 },		{ 1, 4 * MIB, 0, 1 },
	{ 100000, 4 * MIB, 0, 1 },	{ 100000, 16, 0, 1 },
	{ 3 * MIB, 65536, 0, 1 },	{ 4 * MIB - 28, 4 * MIB, 0, 1 },
	{ 4 * MIB + 1, 4 * MIB, 1, 2 }, { 9 * MIB + 5, 4 * MIB, 1, 3 },
	{ 9 * MIB, 1000, 1, 3 },
};

static void
blobs_read_back_with_as_few_requests_as_can_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
		struct err e = { 0 };

		put_sealed("blob", blobs[i].n, blobs[i].region);
		open_view("", &usual);
		if (read_all("blob", blobs[i].n, 128 << 10, &e) != 0)
			fail_msg("%zu bytes: %s", blobs[i].n, e.text);
		assert_int_equal(fault_store_calls(store, "head"), blobs[i].heads);
		assert_int_equal(fault_store_calls(store, "get"), blobs[i].gets);
		assert_int_equal(fault_store_calls(store, "probe"), 1);
		assert_int_equal(read_all("blob", blobs[i].n, VIEW_READ_MAX, &e),
				 0); /* from the cache, validated */
		close_view();
	}
}

static void
a_version_that_was_replaced_is_estale_and_the_new_one_is_told(void **state)
{
	struct seen old = { 0 }, now = { 0 };
	struct view_file *f = NULL;
	struct err e = { 0 };

	(void)state;
	for (size_t n = 1000; n <= 9 * MIB; n += 9 * MIB - 1000) { /* by GET and by HEAD */
		put_sealed("blob", n, 4 * MIB);
		open_view("", &usual);
		memset(&old, 0, sizeof(old));
		memset(&now, 0, sizeof(now));
		assert_int_equal(view_lookup(view, "blob", into(&old), soon(), &e), 0);
		put_sealed("blob", 500, 4 * MIB);
		assert_int_equal(
			view_open(view, "blob", old.etag, old.record, into(&now), soon(), &f, &e),
			-ESTALE);
		assert_string_equal(e.event, "remote.changed");
		assert_string_not_equal(now.etag, old.etag);
		assert_int_equal(now.size, 500);
		err_clear(&e);
		assert_int_equal(
			view_open(view, "blob", now.etag, now.record, into(&now), soon(), &f, &e),
			0);
		view_close(f);
		view_record_put(old.record);
		view_record_put(now.record);
		close_view();
	}
}

static void
a_version_that_goes_while_it_is_open_is_estale_where_it_was_not_read(void **state)
{
	uint8_t byte[16];
	struct view_file *f;
	struct err e = { 0 };
	size_t n;

	(void)state;
	put_sealed("blob", 9 * MIB, 4 * MIB);
	open_view("", &usual);
	assert_int_equal(open_name("blob", &f, &e), 0);
	assert_int_equal(view_read_wait(f, 0, byte, 16, soon(), &n, &e), 0);
	put_sealed("blob", 9 * MIB, 4 * MIB);
	assert_int_equal(view_read_wait(f, 100, byte, 16, soon(), &n, &e), 0); /* at hand */
	assert_memory_equal(byte, plain + 100, 16);
	assert_int_equal(view_read_wait(f, 8 * MIB, byte, 16, soon(), &n, &e), -ESTALE);
	view_close(f);
	close_view();
}

static void
what_policy_refuses_is_refused_with_advice(void **state)
{
	struct blobview_config v1 = usual, clear = usual, narrow = usual;
	char envelope[2048];
	struct err e = { 0 };

	(void)state;
	v1.v1_read = clear.show_unencrypted = true;
	narrow.max_region = MIB;
	put_v1("v1", 1000);
	put_object("clear", plain, 1000, NULL);
	put_sealed("large", 9 * MIB, 4 * MIB);
	make_envelope(PROTOCOL_V2_0, "other-key", 4 * MIB, envelope);
	put_object("other", stored, 1028, envelope);
	put_object("broken", stored, 1028, "{}");
#define REFUSED(name, no, what)                                          \
	do {                                                             \
		assert_int_equal(read_all(name, 1000, 4096, &e), -(no)); \
		if ((what) != NULL)                                      \
			assert_string_equal(e.event, what);              \
		err_clear(&e);                                           \
	} while (0)
	open_view("", &usual);
	REFUSED("v1", EACCES, "policy.v1");
	REFUSED("clear", EACCES, "policy.unencrypted");
	REFUSED("other", EACCES, "policy.kek");
	REFUSED("broken", EBADMSG, (const char *)NULL);
	REFUSED("missing", ENOENT, (const char *)NULL);
	close_view();
	open_view("", &v1);
	assert_int_equal(read_all("v1", 1000, 300, &e), 0);
	REFUSED("clear", EACCES, "policy.unencrypted");
	close_view();
	open_view("", &clear);
	assert_int_equal(read_all("clear", 1000, 300, &e), 0);
	REFUSED("v1", EACCES, "policy.v1");
	close_view();
	open_view("", &narrow);
	REFUSED("large", EFBIG, "policy.max_region");
	close_view();
}

static void
v1_sizes_are_learnt_at_open(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 4096, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1 };
	struct blobview_config v1 = usual;

	(void)state;
	v1.v1_read = true;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct seen s = { 0 };
		struct err e = { 0 };

		put_v1("v1", sizes[i]);
		open_view("", &v1);
		assert_int_equal(view_lookup(view, "v1", into(&s), soon(), &e), 0);
		assert_false(s.exact);
		assert_true(s.size >= sizes[i] && s.size <= sizes[i] + 15);
		assert_int_equal(read_all("v1", sizes[i], 100000, &e), 0);
		view_record_put(s.record);
		close_view();
	}
}

/*
 * A service that tells two versions under one ETag must not have the bytes of the one shown to
 * readers of the other.
 */
static void
two_versions_under_one_etag_are_never_mixed(void **state)
{
	struct blobview_config clear = usual;
	struct view_file *first, *second;
	char envelope[2048];
	uint8_t byte[16];
	struct err e = { 0 };
	size_t n;

	(void)state;
	clear.show_unencrypted = true;
	put_sealed("sealed", 9 * MIB, 4 * MIB);
	put_object("clear", plain, 1028, NULL);
	open_view("", &clear);
	assert_int_equal(open_name("sealed", &first, &e), 0);
	serial -= 2;
	make_envelope(PROTOCOL_V2_1, kid, 4 * MIB, envelope); /* another wrapped key */
	put_object("sealed", stored, 9 * MIB + 3 * REGION_OVERHEAD, envelope);
	assert_int_equal(open_name("sealed", &second, &e), -EIO);
	assert_string_equal(e.event, "net.protocol");
	err_clear(&e);
	assert_int_equal(view_read_wait(first, 5 * MIB, byte, 16, soon(), &n, &e), 0);
	assert_memory_equal(byte, plain + 5 * MIB, 16);
	view_close(first);

	assert_int_equal(open_name("clear", &first, &e), 0);
	put_sealed("clear", 1000, 4 * MIB);
	assert_int_equal(open_name("clear", &second, &e), -EIO);
	assert_string_equal(e.event, "net.protocol");
	view_close(first);
	close_view();
}

/* The padding of a V1 blob can be asked for by reads as well as by opens. */
static void
reads_spend_the_failure_budget_of_v1_too(void **state)
{
	static const uint8_t iv[16];
	struct blobview_config v1 = usual;
	struct view_file *f;
	char envelope[2048];
	uint8_t byte[16];
	struct err e = { 0 };
	size_t n;

	(void)state;
	v1.v1_read = true;
	put_v1("v1", 4 * MIB + 100);
	open_view("", &v1);
	assert_int_equal(open_name("v1", &f, &e), 0);
	serial--;
	make_envelope(PROTOCOL_V1, kid, 0, envelope);
	n = sealer_cbc_padded(cek.k, iv, plain, 4 * MIB + 100, stored);
	stored[n - CBC_BLOCK - 1] ^= 0x55;
	put_object("v1", stored, n, envelope);
	for (unsigned i = 0; i < 2 * V1_FAILURES_MAX; i++) {
		const bool spent = i >= V1_FAILURES_MAX;

		assert_int_equal(view_read_wait(f, 4 * MIB, byte, 16, soon(), &n, &e),
				 spent ? -EACCES : -EIO);
		assert_string_equal(e.event, spent ? "policy.v1_quarantine" : "integrity.v1");
		err_clear(&e);
	}
	view_close(f);
	close_view();
}

static const struct {
	const char *script;
	size_t n;
	int no;
} faults[] = {
	{ "get:1 errno EIO", 1000, EIO },
	{ "get:1 cut 5", 1000, EIO },
	{ "get:1 flip 100", 1000, EBADMSG },
	{ "get:1 errno EACCES", 1000, EACCES },
	{ "head:1 errno ETIMEDOUT", 9 * MIB, ETIMEDOUT },
	{ "get:1 cut 3000000", 9 * MIB, EIO },
	{ "get flip 5000000", 9 * MIB, EBADMSG },
	{ "probe:1 errno EIO", 1000, EIO },
	{ "get:1 errno EFBIG", 1000, EFBIG },
};

/*
 * Whatever fails fails with its reason, leaves nothing behind, and does not last longer than its
 * cause.
 */
static void
a_fault_is_told_and_over_when_its_cause_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct err e = { 0 };
		int r;

		put_sealed("blob", faults[i].n, 4 * MIB);
		open_view(faults[i].script, &usual);
		r = read_all("blob", faults[i].n, VIEW_READ_MAX, &e);
		if (r != -faults[i].no && !(faults[i].no == EFBIG && r == 0))
			fail_msg("%s: %d %s", faults[i].script, r, e.text);
		err_clear(&e);
		if (strchr(faults[i].script, ':') != NULL && faults[i].no != EBADMSG)
			assert_int_equal(read_all("blob", faults[i].n, VIEW_READ_MAX, &e), 0);
		close_view();
	}
}

static void
a_directory_hides_a_blob_of_its_name_behind_a_mark(void **state)
{
	struct seen s = { 0 };
	struct err e = { 0 };
	char path[128];
	struct buf cursor;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/objects/x.d", root);
	assert_int_equal(mkdir(path, 0755), 0);
	put_sealed("x", 10, 4 * MIB);
	put_sealed("x/y", 20, 4 * MIB);
	open_view("", &usual);
	buf_init(&cursor, STORE_CURSOR_MAX);
	assert_int_equal(view_list(view, "", &cursor, into(&s), soon(), &e), 0);
	assert_int_equal(s.n, 2);
	assert_true(s.dir[0] && !s.dir[1]);
	assert_string_equal(s.name[0], "x");
	assert_string_equal(s.name[1], "x%00");
	assert_int_equal(read_all("x%00", 10, 100, &e), 0);
	assert_int_equal(read_all("x/y", 20, 100, &e), 0);
	assert_int_equal(read_all("x", 0, 100, &e), -EISDIR);
	err_clear(&e);
	assert_int_equal(read_all("x/y%00", 20, 100, &e), -ENOENT);
	view_record_put(s.record);
	buf_clear(&cursor);
	close_view();
}

/* ---- */

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int
make_root(void **state)
{
	static const char marker[] =
		"{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"blobs\"}";
	char path[128];

	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/azc-view-XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	put_file("azcryptfs-store.json", marker, strlen(marker));
	(void)snprintf(path, sizeof(path), "%s/objects", root);
	return mkdir(path, 0755);
}

static int
remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int
make_plain(void **state)
{
	(void)state;
	plain = malloc(PLAIN_MAX);
	stored = malloc(4 * PLAIN_MAX);
	if (plain == NULL || stored == NULL)
		return -1;
	sealer_pattern(plain, PLAIN_MAX, 1);
	return 0;
}

static int
free_plain(void **state)
{
	(void)state;
	free(plain);
	free(stored);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t) cmocka_unit_test_setup_teardown(t, make_root, remove_root)
		WITH(blobs_read_back_with_as_few_requests_as_can_be),
		WITH(a_version_that_was_replaced_is_estale_and_the_new_one_is_told),
		WITH(a_version_that_goes_while_it_is_open_is_estale_where_it_was_not_read),
		WITH(what_policy_refuses_is_refused_with_advice),
		WITH(v1_sizes_are_learnt_at_open),
		WITH(two_versions_under_one_etag_are_never_mixed),
		WITH(reads_spend_the_failure_budget_of_v1_too),
		WITH(a_fault_is_told_and_over_when_its_cause_is),
		WITH(a_directory_hides_a_blob_of_its_name_behind_a_mark),
	};

	return cmocka_run_group_tests(tests, make_plain, free_plain);
}
