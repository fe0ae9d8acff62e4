/* SPDX-License-Identifier: MIT */
/* Writing to a real blob service: what no other store has.  test_azwrite.py has filled the
 * container "full". */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/net/sharedkey.h"
#include "backend/store/azblob.h"
#include "backend/store/storewrite.h"

static struct http_client *client;

static struct secret_text *
secret_of(const char *variable)
{
	struct secret_text *out = NULL;
	struct err e = { 0 };
	const char *text = getenv(variable);

	assert_non_null(text);
	assert_int_equal(secret_text_new(span_str(text), &out, &e), 0);
	return out;
}

/* container NULL: the whole account. */
static struct store *
open_store(const char *container, bool sas)
{
	const char *url = getenv("AZC_AZURITE_URL");
	const char *account = strrchr(url, '/') + 1;
	const struct azblob_config cfg = { url, account, container, "", false };
	AUTO_SECRET_TEXT secret = secret_of(sas ? "AZC_AZURITE_SAS" : "AZC_AZURITE_KEY");
	struct http_auth *auth = NULL;
	struct store *s = NULL;
	struct err e = { 0 };

	if (sas)
		assert_int_equal(sas_auth_new(secret, NULL, &auth, &e), 0);
	else
		assert_int_equal(sharedkey_auth_new(account, secret, &auth, &e), 0);
	assert_int_equal(azblob_store_open_take(&cfg, client, auth, &s, &e), 0);
	return s;
}

static struct deadline
soon(void)
{
	return deadline_in(20 * NS_PER_S);
}

static void
set(struct store_properties *p, const char *name, const char *value)
{
	struct err e = { 0 };

	assert_int_equal(store_meta_set(p, name, value, &e), 0);
}

static void
expect(int r, int wanted, const struct err *e, const char *what)
{
	if (r != wanted)
		fail_msg("%s: %d (%s), not %d", what, r, e->text, wanted);
}

static int
put(struct store *s, const char *name, const char *bytes, struct store_condition c,
    struct store_written *out, struct err *e)
{
	struct store_properties p = { .meta = NULL };

	*e = (struct err){ 0 };
	return store_put(s, name, &p, span_str(bytes), c, out, soon(), e);
}

static void
send_blocks(struct store *s, const char *name, const struct store_upload *u)
{
	static uint8_t bytes[1002];
	struct err e = { 0 };
	uint64_t off = 0;

	for (unsigned i = 0; i < 3; i++) {
		const struct store_block b = { i, off, { bytes, 1000 + i } };

		memset(bytes, (int)i, sizeof(bytes));
		expect(store_put_block(s, name, u, &b, soon(), &e), 0, &e, "block");
		off += b.bytes.n;
	}
}

static void
an_upload_in_blocks(void **state)
{
	struct store *s = open_store("full", false);
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	AUTO_STORE_PROPERTIES seen = { .meta = NULL };
	struct store_upload u;
	struct store_written made, again;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(store_upload_init(&u, &e), 0);
	send_blocks(s, "blocks", &u);
	set(&p, "encryptiondata", "{\"a\":\"b=+/\"}");
	set(&p, "mtime", "2026-11-26T15:04:05.5Z");
	set(&p, "hdi_x", "");
	set(&p, "_a", "1");
	set(&p, "A0", "x  y");
	assert_int_equal(store_property_set(&p, STORE_CONTENT_TYPE, "text/x-a; charset=utf-8", &e),
			 0);
	assert_int_equal(store_property_set(&p, STORE_CACHE_CONTROL, "no-store", &e), 0);
	expect(store_commit_blocks(s, "blocks", &u, 3, 3003, &p,
				   (struct store_condition){ .absent = true }, &made, soon(), &e),
	       0, &e, "commit");
	assert_int_equal(made.mtime_ns, INT64_C(1795705445500000000));
	expect(store_get_properties(s, "blocks", made.etag, &seen, soon(), &e), 0, &e, "look");
	assert_int_equal(seen.n_meta, p.n_meta);
	for (size_t i = 0; i < p.n_meta; i++)
		assert_string_equal(store_meta_get(&seen, p.meta[i].name), p.meta[i].value);
	assert_string_equal(seen.text[STORE_CONTENT_TYPE], "text/x-a; charset=utf-8");
	assert_string_equal(seen.text[STORE_CACHE_CONTROL], "no-store");
	assert_null(seen.text[STORE_CONTENT_LANGUAGE]);

	/* Blocks are there no more, and neither is the version. */
	send_blocks(s, "blocks", &u);
	expect(store_commit_blocks(s, "blocks", &u, 3, 3003, &p,
				   (struct store_condition){ .absent = true }, &again, soon(), &e),
	       -EEXIST, &e, "create again");
	e = (struct err){ 0 };
	expect(store_commit_blocks(s, "blocks", &u, 3, 3003, &p,
				   (struct store_condition){ .if_match = "0x1" }, &again, soon(),
				   &e),
	       -ESTALE, &e, "replace another");
	assert_string_equal(e.event, "remote.changed");
	e = (struct err){ 0 };
	expect(store_commit_blocks(s, "blocks", &u, 3, 3003, &p,
				   (struct store_condition){ .if_match = made.etag }, &again,
				   soon(), &e),
	       0, &e, "replace");
	assert_string_not_equal(again.etag, made.etag);
	store_free(s);
}

static void
metadata_of_other_tools_are_kept(void **state)
{
	struct store *s = open_store("full", false);
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	AUTO_STORE_PROPERTIES seen = { .meta = NULL };
	struct store_written made;
	struct err e = { 0 };
	char name[16];

	(void)state;
	expect(store_get_properties(s, "typed", NULL, &p, soon(), &e), 0, &e, "look");
	assert_string_equal(store_meta_get(&p, "a_b"), "3");
	while (p.n_meta < STORE_META_ITEMS_MAX) {
		(void)snprintf(name, sizeof(name), "M%zu_x", p.n_meta);
		set(&p, name, name);
	}
	expect(store_set_metadata(s, "typed", &p, NULL, &made, soon(), &e), 0, &e, "set");
	expect(store_get_properties(s, "typed", made.etag, &seen, soon(), &e), 0, &e, "look again");
	assert_int_equal(seen.n_meta, p.n_meta);
	assert_string_equal(store_meta_get(&seen, "m127_x"), "M127_x");
	expect(store_set_metadata(s, "typed", &p, "0x1", &made, soon(), &e), -ESTALE, &e,
	       "another version");
	e = (struct err){ 0 };
	expect(store_set_metadata(s, "no such", &p, "0x1", &made, soon(), &e), -ESTALE, &e,
	       "none to be changed");
	e = (struct err){ 0 };
	set(&p, "a_b", "\303\244");
	expect(store_set_metadata(s, "typed", &p, NULL, &made, soon(), &e), -EINVAL, &e, "Unicode");
	store_free(s);
}

static void
what_is_in_the_way_is_told(void **state)
{
	const struct store_condition any = { .absent = false };
	struct store *s = open_store("full", false), *none = open_store("no-such-one", false);
	struct store *account = open_store(NULL, false);
	struct store_written made;
	struct store_upload u;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(store_upload_init(&u, &e), 0);
	expect(store_put_block(s, "page", &u, &(struct store_block){ 0, 0, { u.id, 16 } }, soon(),
			       &e),
	       -EOPNOTSUPP, &e, "blocks over pages");
	assert_non_null(strstr(e.advice, "remove it first"));
	e = (struct err){ 0 };
	expect(store_delete(s, "snapshots", NULL, soon(), &e), -EBUSY, &e, "snapshots");
	assert_non_null(strstr(e.advice, "snapshots"));
	e = (struct err){ 0 };
	expect(store_delete(s, "no such", NULL, soon(), &e), -ENOENT, &e, "nothing");
	e = (struct err){ 0 };
	expect(store_delete(s, "typed", "0x1", soon(), &e), -ESTALE, &e, "another version");
	expect(put(s, "leased", "2", any, &made, &e), -EBUSY, &e, "leased");
	assert_string_equal(e.event, "remote.leased");
	e = (struct err){ 0 };
	expect(store_put_block(s, "unfinished", &u, &(struct store_block){ 0, 0, { u.id, 16 } },
			       soon(), &e),
	       -EBUSY, &e, "another's upload");
	expect(put(s, "unfinished", "2", any, &made, &e), 0, &e, "small");
	expect(put(none, "x", "2", any, &made, &e), -ENOENT, &e, "no container");
	expect(put(s, "a\\b", "2", any, &made, &e), -EINVAL, &e, "backslash");
	expect(put(s, "a\377", "2", any, &made, &e), -EINVAL, &e, "no Unicode");
	expect(put(account, "fresh", "2", any, &made, &e), -EACCES, &e, "a container");
	expect(put(account, "full/", "2", any, &made, &e), -EINVAL, &e, "no name");
	expect(put(account, "full/by account", "2", any, &made, &e), 0, &e, "by account");
	expect(store_delete(s, "by account", made.etag, soon(), &e), 0, &e, "by account");
	store_free(account);
	store_free(none);
	store_free(s);
}

static void
copies(void **state, bool sas)
{
	const char *from = sas ? "from \303\244+%&?" : "from#", *to = sas ? "to/1" : "to/2";
	struct store *s = open_store("full", sas);
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	AUTO_STORE_PROPERTIES seen = { .meta = NULL };
	struct store_written made, copy, again;
	struct err e = { 0 };

	(void)state;
	set(&p, "encryptiondata", "{}");
	set(&p, "mtime", "2001-02-03T04:05:06.7Z");
	expect(store_put(s, from, &p, span_str("bytes"), (struct store_condition){ .absent = true },
			 &made, soon(), &e),
	       0, &e, "put");
	expect(store_copy(s, from, made.etag, to, (struct store_condition){ .absent = true }, &copy,
			  soon(), &e),
	       0, &e, "copy");
	assert_int_equal(copy.mtime_ns, made.mtime_ns);
	expect(store_get_properties(s, to, copy.etag, &seen, soon(), &e), 0, &e, "look");
	assert_string_equal(store_meta_get(&seen, "encryptiondata"), "{}");
	expect(store_copy(s, from, made.etag, to, (struct store_condition){ .absent = true },
			  &again, soon(), &e),
	       -EEXIST, &e, "copy over");
	e = (struct err){ 0 };
	expect(store_copy(s, from, "0x1", to, (struct store_condition){ .if_match = copy.etag },
			  &again, soon(), &e),
	       -ESTALE, &e, "copy of another");
	e = (struct err){ 0 };
	expect(store_copy(s, from, made.etag, to, (struct store_condition){ .if_match = "0x1" },
			  &again, soon(), &e),
	       -ESTALE, &e, "copy over another");
	e = (struct err){ 0 };
	expect(store_copy(s, "no such", NULL, to, (struct store_condition){ .absent = false },
			  &again, soon(), &e),
	       -ENOENT, &e, "copy of nothing");
	e = (struct err){ 0 };
	expect(store_copy(s, from, made.etag, to, (struct store_condition){ .if_match = copy.etag },
			  &again, soon(), &e),
	       0, &e, "replace");
	expect(store_delete(s, from, made.etag, soon(), &e), 0, &e, "delete");
	store_free(s);
}

static void
copies_with_a_key(void **state)
{
	copies(state, false);
}

static void
copies_with_a_sas(void **state)
{
	copies(state, true);
}

static void
folders(void **state)
{
	struct store *s = open_store("full", false);
	struct store_written made;
	struct err e = { 0 };

	(void)state;
	expect(store_make_folder(s, "d", soon(), &e), 0, &e, "make");
	expect(store_make_folder(s, "d", soon(), &e), -EEXIST, &e, "make again");
	e = (struct err){ 0 };
	expect(store_make_folder(s, "trail", soon(), &e), -EEXIST, &e, "a marker with a slash");
	expect(put(s, "d/x", "1", (struct store_condition){ .absent = true }, &made, &e), 0, &e,
	       "below");
	expect(store_remove_folder(s, "d", soon(), &e), -ENOTEMPTY, &e, "full");
	e = (struct err){ 0 };
	expect(store_delete(s, "d/x", NULL, soon(), &e), 0, &e, "below");
	expect(store_remove_folder(s, "d", soon(), &e), 0, &e, "remove");
	expect(store_remove_folder(s, "d", soon(), &e), 0, &e, "remove nothing");
	expect(store_remove_folder(s, "trail", soon(), &e), 0, &e, "remove with a slash");
	expect(store_make_folder(s, "trail", soon(), &e), 0, &e, "make in its place");
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upload_in_blocks),
		cmocka_unit_test(metadata_of_other_tools_are_kept),
		cmocka_unit_test(what_is_in_the_way_is_told),
		cmocka_unit_test(copies_with_a_key),
		cmocka_unit_test(copies_with_a_sas),
		cmocka_unit_test(folders),
	};
	const struct http_config cfg = { .allow_http = NULL };
	struct err e = { 0 };
	int r;

	if (http_client_new(&cfg, &client, &e) < 0) {
		print_error("%s\n", e.text);
		return 1;
	}
	r = cmocka_run_group_tests(tests, NULL, NULL);
	http_client_free(client);
	return r;
}
