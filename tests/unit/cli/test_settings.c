/* SPDX-License-Identifier: MIT */
/* From options to settings: defaults, limits, contradictions (cli/settings.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/settings.h"

#define MIB (UINT64_C(1) << 20)

/* Settings of one source by -o. */
static int
make(struct options *o, const char *line, uint64_t cgroup, struct settings *s, struct err *e)
{
	options_init(o);
	assert_int_equal(options_add_line(o, line, e), 0);
	return settings_make(o, "dir:/x", cgroup, s, e);
}

static void
test_defaults(void **state)
{
	struct err e = { 0 };
	struct options o;
	struct settings s;

	(void)state;
	assert_int_equal(make(&o, "", UINT64_MAX, &s, &e), 0);
	assert_int_equal(s.n_sources, 1);
	assert_string_equal(s.sources[0].path, "");
	assert_string_equal(s.sources[0].backend.source, "dir:/x");
	assert_int_equal(s.sources[0].backend.key_ttl_ns, 3600 * NS_PER_S);
	assert_null(s.sources[0].backend.vaults);
	assert_null(s.sources[0].backend.kek_alg);
	assert_false(s.sources[0].view.v1_read);
	assert_false(s.sources[0].view.show_unencrypted);
	assert_false(s.sources[0].view.recover_order);
	assert_int_equal(s.sources[0].view.max_region, 64 * MIB);
	assert_int_equal(s.engine.memory, 256 * MIB);
	assert_int_equal(s.engine.timeout_ns, 60 * NS_PER_S);
	assert_int_equal(s.attr_timeout_ns, NS_PER_S);
	assert_int_equal(s.negative_timeout_ns, NS_PER_S);
	assert_int_equal(s.umask, 0);
	assert_false(s.allow_other || s.has_uid || s.has_gid);
	assert_null(s.log);
	assert_int_equal(s.log_level, LOG_LEVEL_INFO);
	settings_clear(&s);
	options_clear(&o);
}

static const struct {
	const char *line;
	uint64_t cgroup, memory, max_region;
} memories[] = {
	{ "", UINT64_MAX, 256 * MIB, 64 * MIB },
	{ "", 600 * MIB, 256 * MIB, 64 * MIB },
	{ "", 400 * MIB, 200 * MIB, 50 * MIB },
	{ "", 8 * MIB, 16 * MIB, 4 * MIB },
	{ "memory=1G", 400 * MIB, 1024 * MIB, 64 * MIB },
	{ "memory=128M", UINT64_MAX, 128 * MIB, 32 * MIB },
	{ "memory=128M,max_region=32M", UINT64_MAX, 128 * MIB, 32 * MIB },
	{ "max_region=1K", UINT64_MAX, 256 * MIB, 1024 },
};

static void
test_memory_follows_the_cgroup_and_bounds_the_region(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(memories); i++) {
		struct err e = { 0 };
		struct options o;
		struct settings s;

		assert_int_equal(make(&o, memories[i].line, memories[i].cgroup, &s, &e), 0);
		assert_int_equal(s.engine.memory, memories[i].memory);
		assert_int_equal(s.sources[0].view.max_region, memories[i].max_region);
		settings_clear(&s);
		options_clear(&o);
	}
}

static const struct {
	const char *line, *says;
} contradictions[] = {
	{ "memory=15M", "memory" },
	{ "max_region=64M,memory=255M", "max_region (-o)" },
	{ "storage_key_file=/a,sas_file=/b", "storage_key_file (-o) and sas_file (-o)" },
	{ "credential=cli,storage_key_file=/a", "credential (-o) and storage_key_file (-o)" },
	{ "credential=cli,sas_file=/a", "credential (-o) and sas_file (-o)" },
	{ "cosmos_key_file=/a,cosmos_token_file=/b",
	  "cosmos_key_file (-o) and cosmos_token_file (-o)" },
	{ "cosmos_key_file=/a,credential=cli", "credential (-o) and cosmos_key_file (-o)" },
	{ "cosmos_token_file=/a,credential=cli", "credential (-o) and cosmos_token_file (-o)" },
	{ "cosmos_key_file=/a,storage_key_file=/b",
	  "storage_key_file (-o) and cosmos_key_file (-o)" },
	{ "cosmos_token_file=/a,sas_file=/b", "sas_file (-o) and cosmos_token_file (-o)" },
};

static void
test_contradictions_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contradictions); i++) {
		struct err e = { 0 };
		struct options o;
		struct settings s = { .n_sources = 77 };

		assert_int_equal(make(&o, contradictions[i].line, UINT64_MAX, &s, &e), -EINVAL);
		if (strstr(e.text, contradictions[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", e.text, contradictions[i].says);
		assert_int_equal(s.n_sources, 77);
		options_clear(&o);
	}
}

static void
test_every_option_arrives(void **state)
{
	struct err e = { 0 };
	struct options o;
	struct settings s;
	const struct backend_config *b;

	(void)state;
	assert_int_equal(make(&o,
			      "keys=/k,vault=https://a,vault=https://"
			      "b,kek_alg=RSA-OAEP,kek_alg=A256KW,key_ttl=7,v1=read,"
			      "unencrypted=show,region_order=recover,credential=cli,vault_"
			      "credential=managed,ca_file=/c,"
			      "proxy=http://"
			      "p,allow_http=h,timeout=0.5,ro,allow_other,uid=5,gid=6,umask=027,"
			      "attr_timeout=2,"
			      "negative_timeout=3,log=/l,log_level=debug",
			      UINT64_MAX, &s, &e),
			 0);
	b = &s.sources[0].backend;
	assert_string_equal(b->keys[0], "/k");
	assert_string_equal(b->vaults[1], "https://b");
	assert_null(b->vaults[2]);
	assert_string_equal(b->kek_alg, "RSA-OAEP A256KW");
	assert_int_equal(b->key_ttl_ns, 7 * NS_PER_S);
	assert_string_equal(b->credential, "cli");
	assert_string_equal(b->vault_credential, "managed");
	assert_string_equal(b->ca_file, "/c");
	assert_string_equal(b->proxy, "http://p");
	assert_string_equal(b->allow_http[0], "h");
	assert_true(s.sources[0].view.v1_read && s.sources[0].view.show_unencrypted &&
		    s.sources[0].view.recover_order);
	assert_int_equal(s.engine.timeout_ns, NS_PER_S / 2);
	assert_true(s.allow_other && s.has_uid && s.has_gid);
	assert_int_equal(s.uid, 5);
	assert_int_equal(s.gid, 6);
	assert_int_equal(s.umask, 027);
	assert_int_equal(s.attr_timeout_ns, 2 * NS_PER_S);
	assert_int_equal(s.negative_timeout_ns, 3 * NS_PER_S);
	assert_string_equal(s.log, "/l");
	assert_int_equal(s.log_level, LOG_LEVEL_DEBUG);
	settings_clear(&s);
	options_clear(&o);
}

static void
test_options_of_documents_have_strict_defaults(void **state)
{
	const struct docview_config *d;
	struct err e = { 0 };
	struct options o;
	struct settings s;

	(void)state;
	assert_int_equal(make(&o, "", UINT64_MAX, &s, &e), 0);
	d = &s.sources[0].documents;
	assert_int_equal(d->box.clear_cells, CLEAR_CELLS_DENY);
	assert_false(d->box.dek_fallback || d->box.withheld_fail || d->box.show_unencrypted ||
		     d->stream_scan);
	assert_int_equal(d->attr_timeout_ns, NS_PER_S);
	assert_true(s.sources[0].backend.ru <= 0);
	assert_null(s.sources[0].backend.cosmos_key_file);
	assert_null(s.sources[0].backend.cosmos_token_file);
	settings_clear(&s);
	options_clear(&o);
}

static void
test_every_option_of_documents_arrives(void **state)
{
	const struct docview_config *d;
	struct err e = { 0 };
	struct options o;
	struct settings s;

	(void)state;
	assert_int_equal(make(&o,
			      "clear_cells=show,dek_fallback=same-kek,withheld=fail,"
			      "unencrypted=show,stream_size=scan,ru=400,attr_timeout=2,"
			      "cosmos_key_file=/k",
			      UINT64_MAX, &s, &e),
			 0);
	d = &s.sources[0].documents;
	assert_int_equal(d->box.clear_cells, CLEAR_CELLS_SHOW);
	assert_true(d->box.dek_fallback && d->box.withheld_fail && d->box.show_unencrypted &&
		    d->stream_scan);
	assert_int_equal(d->attr_timeout_ns, 2 * NS_PER_S);
	assert_int_equal((int)s.sources[0].backend.ru, 400);
	assert_string_equal(s.sources[0].backend.cosmos_key_file, "/k");
	settings_clear(&s);
	options_clear(&o);
	assert_int_equal(make(&o, "clear_cells=java,cosmos_token_file=/t", UINT64_MAX, &s, &e), 0);
	assert_int_equal(s.sources[0].documents.box.clear_cells, CLEAR_CELLS_JAVA);
	assert_string_equal(s.sources[0].backend.cosmos_token_file, "/t");
	settings_clear(&s);
	options_clear(&o);
}

/* ---- sections ---- */

static void
give(struct options *o, const char *path, const char *name, const char *value)
{
	struct option_section *section;
	struct err e = { 0 };

	assert_int_equal(options_section(o, path, &section, &e), 0);
	if (name != NULL)
		assert_int_equal(options_add(&section->layer, name, value, "conf, line 1", "/", &e),
				 0);
}

static void
test_each_section_is_a_source(void **state)
{
	struct err e = { 0 };
	struct options o;
	struct settings s;

	(void)state;
	options_init(&o);
	give(&o, "/a/", "source", "dir:/1");
	give(&o, "b//c", "source", "dir:/2");
	give(&o, "b/c", "v1", "read");
	give(&o, "ab", "source", "dir:/3");
	assert_int_equal(settings_make(&o, NULL, UINT64_MAX, &s, &e), 0);
	assert_int_equal(s.n_sources, 3);
	assert_string_equal(s.sources[0].path, "a");
	assert_string_equal(s.sources[1].path, "b/c");
	assert_true(s.sources[1].view.v1_read);
	assert_false(s.sources[2].view.v1_read);
	assert_string_equal(s.sources[2].backend.source, "dir:/3");
	settings_clear(&s);
	options_clear(&o);
}

static void
test_a_section_without_source_and_one_inside_another_are_refused(void **state)
{
	struct err e = { 0 };
	struct options o;
	struct settings s;

	(void)state;
	options_init(&o);
	give(&o, "a", NULL, NULL);
	assert_int_equal(settings_make(&o, NULL, UINT64_MAX, &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, "[a] has no source="));
	options_clear(&o);

	err_clear(&e);
	give(&o, "a/b", "source", "dir:/1");
	give(&o, "a", "source", "dir:/2");
	assert_int_equal(settings_make(&o, NULL, UINT64_MAX, &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, "[a/b] lies inside section [a]"));
	options_clear(&o);

	err_clear(&e);
	give(&o, "/", "source", "dir:/1");
	give(&o, "a", "source", "dir:/2");
	assert_int_equal(settings_make(&o, NULL, UINT64_MAX, &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, "[a] lies inside section [/]"));
	options_clear(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_memory_follows_the_cgroup_and_bounds_the_region),
		cmocka_unit_test(test_contradictions_are_named),
		cmocka_unit_test(test_every_option_arrives),
		cmocka_unit_test(test_options_of_documents_have_strict_defaults),
		cmocka_unit_test(test_every_option_of_documents_arrives),
		cmocka_unit_test(test_each_section_is_a_source),
		cmocka_unit_test(test_a_section_without_source_and_one_inside_another_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
