/* SPDX-License-Identifier: MIT */
/*
 * Options: -o, environment, configuration file, and which of them decides (cli/options.c,
 * cli/value.c, cli/inifile.c).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/options.h"
#include "cli/value.h"

static const char *
found(const struct options *o, const struct option_section *s, enum option_id id)
{
	const struct option_values *v = options_find(o, s, id);

	return v == NULL ? NULL : v->text[0];
}

/* ---- -o ---- */

static const struct {
	const char *line;
	enum option_id id;
	const char *values[4];
} lines[] = {
	{ "v1=read", OPT_V1, { "read" } },
	{ "ro,v1=deny,v1=deny", OPT_V1, { "deny" } },
	{ "", OPT_V1, { NULL } },
	{ ",,v1=read,", OPT_V1, { "read" } },
	{ "vault=https://a,vault=https://b", OPT_VAULT, { "https://a", "https://b" } },
	{ "vault=a\\,b", OPT_VAULT, { "a,b" } },
	{ "vault=a\\\\b", OPT_VAULT, { "a\\b" } },
	{ "vault=a\\040b", OPT_VAULT, { "a b" } },
	{ "vault=a\\", OPT_VAULT, { "a\\" } },
	{ "vault=a=b", OPT_VAULT, { "a=b" } },
	{ "keys=/a/b", OPT_KEYS, { "/a/b" } },
	{ "allow_other", OPT_ALLOW_OTHER, { "yes" } },
	{ "allow_other=no", OPT_ALLOW_OTHER, { "no" } },
	{ "memory=64M", OPT_MEMORY, { "64M" } },
	{ "attr_timeout=0", OPT_ATTR_TIMEOUT, { "0" } },
	{ "timeout=1.5", OPT_TIMEOUT, { "1.5" } },
	{ "umask=077", OPT_UMASK, { "077" } },
	{ "uid=root", OPT_UID, { "root" } },
	{ "gid=0", OPT_GID, { "0" } },
	{ "defaults,noauto,nofail,_netdev,user,users,nosuid,nodev,noexec,noatime,relatime,x-"
	  "systemd.automount,comment=x,ro",
	  OPT_RO,
	  { "yes" } },
	{ "user=alice,v1=read", OPT_V1, { "read" } },
	{ "clear_cells=java", OPT_CLEAR_CELLS, { "java" } },
	{ "dek_fallback=same-kek", OPT_DEK_FALLBACK, { "same-kek" } },
	{ "withheld=fail", OPT_WITHHELD, { "fail" } },
	{ "stream_size=scan", OPT_STREAM_SIZE, { "scan" } },
	{ "ru=400", OPT_RU, { "400" } },
	{ "ru=1000000000", OPT_RU, { "1000000000" } },
	{ "cosmos_key_file=/k", OPT_COSMOS_KEY_FILE, { "/k" } },
	{ "cosmos_token_file=/t", OPT_COSMOS_TOKEN_FILE, { "/t" } },
};

static void
test_a_line_of_options_is_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const struct option_values *v;
		struct err e = { 0 };
		struct options o;
		unsigned n = 0;

		options_init(&o);
		print_message("%s\n", lines[i].line);
		assert_int_equal(options_add_line(&o, lines[i].line, &e), 0);
		v = options_find(&o, NULL, lines[i].id);
		while (n < 4 && lines[i].values[n] != NULL) {
			assert_non_null(v);
			assert_true(n < v->n);
			assert_string_equal(v->text[n], lines[i].values[n]);
			n++;
		}
		assert_int_equal(v == NULL ? 0 : v->n, n);
		if (v != NULL)
			assert_null(v->text[n]);
		options_clear(&o);
	}
}

static const struct {
	const char *line;
	const char *says[2]; /* words of the sentence */
} wrong[] = {
	{ "nonsense", { "\"nonsense\"", "-o" } },
	{ "V1=read", { "\"V1\"", NULL } },
	{ "=x", { "\"\"", NULL } },
	{ "v1", { "option v1 (-o)", "needs a value" } },
	{ "v1=", { "option v1 (-o)", "needs a value" } },
	{ "v1=maybe", { "\"maybe\"", "deny|read" } },
	{ "v1=den", { "option v1 (-o)", NULL } },
	{ "v1=deny|read", { "option v1 (-o)", NULL } },
	{ "v1=read,v1=deny", { "option v1 is given twice", "-o" } },
	{ "unencrypted=yes", { "option unencrypted (-o)", NULL } },
	{ "region_order=", { "option region_order (-o)", NULL } },
	{ "memory=lots", { "option memory (-o)", "256M" } },
	{ "memory=0", { "option memory (-o)", NULL } },
	{ "memory=-1", { "option memory (-o)", NULL } },
	{ "memory=99999999999999999999", { "option memory (-o)", NULL } },
	{ "timeout=0", { "option timeout (-o)", NULL } },
	{ "timeout=1.", { "option timeout (-o)", NULL } },
	{ "timeout=.", { "option timeout (-o)", NULL } },
	{ "timeout=-1", { "option timeout (-o)", NULL } },
	{ "timeout=1e3", { "option timeout (-o)", NULL } },
	{ "timeout=1000000001", { "option timeout (-o)", NULL } },
	{ "timeout=1s", { "option timeout (-o)", NULL } },
	{ "umask=888", { "option umask (-o)", NULL } },
	{ "umask=1777", { "option umask (-o)", NULL } },
	{ "umask=00000", { "option umask (-o)", NULL } },
	{ "uid=no-such-user-here", { "option uid (-o)", NULL } },
	{ "uid=4294967295", { "option uid (-o)", NULL } },
	{ "allow_other=perhaps", { "option allow_other (-o)", "yes or no" } },
	{ "ro=2", { "option ro (-o)", "yes or no" } },
	{ "rw=2", { "option rw (-o)", "yes or no" } },
	{ "binding=maybe", { "option binding (-o)", "verify|require|off" } },
	{ "term_wait=-1", { "option term_wait (-o)", NULL } },
	{ "kek=", { "option kek (-o)", NULL } },
	{ "suid", { "option suid (-o)", "nosuid" } },
	{ "dev", { "option dev (-o)", NULL } },
	{ "exec", { "option exec (-o)", NULL } },
	{ "noauto=1", { "\"noauto\"", NULL } },
	{ "source=dir:/x", { "option source (-o)", "section" } },
	{ "clear_cells=yes", { "option clear_cells (-o)", "deny|java|show" } },
	{ "dek_fallback=on", { "option dek_fallback (-o)", "off|same-kek" } },
	{ "withheld=", { "option withheld (-o)", NULL } },
	{ "stream_size=exact", { "option stream_size (-o)", "none|scan" } },
	{ "ru", { "option ru (-o)", "needs a value" } },
	{ "ru=0", { "option ru (-o)", "a whole number from 1" } },
	{ "ru=-5", { "option ru (-o)", NULL } },
	{ "ru=1.5", { "option ru (-o)", NULL } },
	{ "ru=1000000001", { "option ru (-o)", NULL } },
	{ "ru=1,ru=2", { "option ru is given twice", "-o" } },
	{ "cosmos_key_file=", { "option cosmos_key_file (-o)", NULL } },
	{ "cosmos_key=c2VjcmV0", { "\"cosmos_key\"", "-o" } },
};

static void
test_what_is_wrong_is_named_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err e = { 0 };
		struct options o;

		options_init(&o);
		assert_int_equal(options_add_line(&o, wrong[i].line, &e), -EINVAL);
		for (int k = 0; k < 2 && wrong[i].says[k] != NULL; k++)
			if (strstr(e.text, wrong[i].says[k]) == NULL)
				fail_msg("%s: \"%s\" does not say %s", wrong[i].line, e.text,
					 wrong[i].says[k]);
		options_clear(&o);
	}
}

static void
test_the_value_of_an_unknown_option_is_not_repeated(void **state)
{
	struct err e = { 0 };
	struct options o;

	(void)state;
	options_init(&o);
	assert_int_equal(options_add_line(&o, "account_key=c2VjcmV0", &e), -EINVAL);
	assert_null(strstr(e.text, "c2VjcmV0"));
	options_clear(&o);
}

static void
test_file_names_become_absolute(void **state)
{
	char here[4096], wanted[5000];
	struct err e = { 0 };
	struct options o;

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	options_init(&o);
	assert_int_equal(options_add_line(&o, "keys=k.json,ca_file=/etc/ca.pem,log=my.log", &e), 0);
	(void)snprintf(wanted, sizeof(wanted), "%s/k.json", here);
	assert_string_equal(found(&o, NULL, OPT_KEYS), wanted);
	assert_string_equal(found(&o, NULL, OPT_CA_FILE), "/etc/ca.pem");
	(void)snprintf(wanted, sizeof(wanted), "%s/my.log", here);
	assert_string_equal(found(&o, NULL, OPT_LOG), wanted);
	options_clear(&o);
	assert_int_equal(options_add_line(&o, "log=syslog", &e), 0);
	assert_string_equal(found(&o, NULL, OPT_LOG), "syslog");
	options_clear(&o);
}

/* ---- environment ---- */

static char *mutable(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void
test_the_environment_gives_the_same_names(void **state)
{
	char *environment[] = { mutable("HOME=/x"),
				mutable("AZCRYPTFS_V1=read"),
				mutable("AZCRYPTFS_VAULT=https://a  https://b"),
				mutable("AZCRYPTFS_KEYS=/a\\ b /c"),
				mutable("AZCRYPTFS_LOG="),
				mutable("AZCRYPTFS_SERVICE_HOST=10.0.0.1"),
				mutable("AZCRYPTFS_PORT_80_TCP=tcp://10.0.0.1:80"),
				mutable("AZCRYPTFS_PORT=tcp://10.0.0.1:80"),
				NULL };
	const struct option_values *v;
	struct err e = { 0 };
	struct options o;

	(void)state;
	options_init(&o);
	assert_int_equal(options_add_environment(&o, environment, &e), 0);
	assert_string_equal(found(&o, NULL, OPT_V1), "read");
	v = options_find(&o, NULL, OPT_VAULT);
	assert_int_equal(v->n, 2);
	assert_string_equal(v->text[1], "https://b");
	assert_string_equal(v->where, "environment variable AZCRYPTFS_VAULT");
	v = options_find(&o, NULL, OPT_KEYS);
	assert_int_equal(v->n, 2);
	assert_string_equal(v->text[0], "/a b");
	assert_null(found(&o, NULL, OPT_LOG));
	options_clear(&o);
}

static const char *const wrong_variables[] = {
	"AZCRYPTFS_NONSENSE=1",
	"AZCRYPTFS_V1=2",
	"AZCRYPTFS_SOURCE=dir:/x",
	"AZCRYPTFS_=1",
	"AZCRYPTFS_A_NAME_THAT_IS_LONGER_THAN_ANY_OPTION_THAT_THERE_WILL_EVER_BE_ON_THIS_EARTH=1",
};

static void
test_a_wrong_variable_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong_variables); i++) {
		char *environment[] = { mutable(wrong_variables[i]), NULL };
		struct err e = { 0 };
		struct options o;

		options_init(&o);
		assert_int_equal(options_add_environment(&o, environment, &e), -EINVAL);
		assert_non_null(
			strstr(e.text, i == 4 ? "environment" : "environment variable AZCRYPTFS_"));
		options_clear(&o);
	}
}

/* ---- the file ---- */

struct file {
	char dir[64], path[96];
};

static void
write_file(struct file *f, const char *text, mode_t mode)
{
	FILE *out;

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_options.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/conf", f->dir);
	out = fopen(f->path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(f->path, mode), 0);
}

static int
add_text(struct options *o, const char *text, struct err *e)
{
	struct file f;
	int r;

	write_file(&f, text, 0644);
	r = options_add_file(o, f.path, e);
	assert_int_equal(unlink(f.path), 0);
	assert_int_equal(rmdir(f.dir), 0);
	return r;
}

static void
test_a_file_has_a_head_and_sections(void **state)
{
	static const char text[] = "\xef\xbb\xbf# a comment\n"
				   "v1 = read\n"
				   "memory = 64M ; behind a value\n"
				   "[/]\r\n"
				   "source = dir:/a\n"
				   "   vault = https://one\n"
				   "\tvault = https://two\n"
				   "[ b/c ]x\n"
				   "source=https://x/y\n"
				   "v1: deny";
	struct err e = { 0 };
	struct options o;

	(void)state;
	options_init(&o);
	assert_int_equal(add_text(&o, text, &e), 0);
	assert_int_equal(o.n_sections, 2);
	assert_string_equal(o.sections[0].path, "");
	assert_string_equal(found(&o, &o.sections[0], OPT_SOURCE), "dir:/a");
	assert_int_equal(options_find(&o, &o.sections[0], OPT_VAULT)->n, 2);
	assert_string_equal(found(&o, &o.sections[0], OPT_V1), "read");
	assert_string_equal(o.sections[1].path, "b/c");
	assert_string_equal(found(&o, &o.sections[1], OPT_V1), "deny");
	assert_null(found(&o, &o.sections[1], OPT_VAULT));
	assert_string_equal(found(&o, NULL, OPT_MEMORY), "64M");
	options_clear(&o);
}

static void
test_names_in_a_file_start_from_its_directory(void **state)
{
	struct err e = { 0 };
	struct options o;
	struct file f;
	char wanted[128];

	(void)state;
	options_init(&o);
	write_file(&f, "[/]\nsource=dir:store\nkeys=k.json\n", 0600);
	assert_int_equal(options_add_file(&o, f.path, &e), 0);
	(void)snprintf(wanted, sizeof(wanted), "dir:%s/store", f.dir);
	assert_string_equal(found(&o, &o.sections[0], OPT_SOURCE), wanted);
	(void)snprintf(wanted, sizeof(wanted), "%s/k.json", f.dir);
	assert_string_equal(found(&o, &o.sections[0], OPT_KEYS), wanted);
	options_clear(&o);
	(void)unlink(f.path);
	(void)rmdir(f.dir);
}

static const struct {
	const char *text, *says;
} wrong_files[] = {
	{ "", "no section" },
	{ "v1=read\n", "no section" },
	{ "[/]\nsource=dir:/a\nnonsense=1\n", "line 3" },
	{ "[/]\nsource=dir:/a\nv1=maybe\n", "line 3" },
	{ "[/]\nsource=dir:/a\nallow_other\n", "line 3" },
	{ "[/]\nsource=dir:/a\nsource=dir:/b\n", "given twice" },
	{ "[a]\nsource=dir:/a\n[b]\nsource=dir:/b\n[a]\nsource=dir:/c\n", "given twice" },
	{ "source=dir:/a\n[/]\n", "line 1: source= belongs into a section" },
	{ "[/]\nmemory=64M\n", "line 2: option memory is for the whole mount" },
	{ "[/]\nlog_level=debug\n", "for the whole mount" },
	{ "[a/../b]\nsource=dir:/a\n", "line 1" },
	{ "[.]\nsource=dir:/a\n", "\"..\"" },
	{ "[a\nsource=dir:/a\n", "line 1" },
	{ "v1=read\n\n\n[/]\nrw=yes\n", "line 5" },
};

static void
test_a_wrong_file_is_refused_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong_files); i++) {
		struct err e = { 0 };
		struct options o;

		options_init(&o);
		assert_int_equal(add_text(&o, wrong_files[i].text, &e), -EINVAL);
		if (strstr(e.text, wrong_files[i].says) == NULL)
			fail_msg("%s\n\"%s\" does not say \"%s\"", wrong_files[i].text, e.text,
				 wrong_files[i].says);
		options_clear(&o);
	}
}

static void
test_a_long_line_is_refused_not_cut(void **state)
{
	struct err e = { 0 };
	struct options o;
	char text[1024] = "[/]\nvault=https://";

	(void)state;
	memset(text + strlen(text), 'a', 400);
	options_init(&o);
	assert_int_equal(add_text(&o, text, &e), -EINVAL);
	assert_non_null(strstr(e.text, "line 2: longer than"));
	options_clear(&o);
}

static void
test_a_file_that_others_may_write_is_refused(void **state)
{
	static const mode_t modes[] = { 0622, 0660, 0646 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct err e = { 0 };
		struct options o;
		struct file f;

		options_init(&o);
		write_file(&f, "[/]\nsource=dir:/a\n", modes[i]);
		assert_int_equal(options_add_file(&o, f.path, &e), -EACCES);
		options_clear(&o);
		(void)unlink(f.path);
		(void)rmdir(f.dir);
	}
}

static void
test_what_is_no_file_is_refused(void **state)
{
	struct err e = { 0 };
	struct options o;

	(void)state;
	options_init(&o);
	assert_int_equal(options_add_file(&o, "/nonexistent", &e), -ENOENT);
	err_clear(&e);
	assert_int_equal(options_add_file(&o, "/tmp", &e), -EINVAL);
	options_clear(&o);
}

/* ---- who decides ---- */

static void
test_line_before_section_before_head_before_environment(void **state)
{
	char *environment[] = { mutable("AZCRYPTFS_V1=read"),
				mutable("AZCRYPTFS_VAULT=https://env"),
				mutable("AZCRYPTFS_KEY_TTL=1"),
				mutable("AZCRYPTFS_PROXY=http://env"), NULL };
	struct err e = { 0 };
	struct options o;
	const struct option_section *s;

	(void)state;
	options_init(&o);
	assert_int_equal(options_add_environment(&o, environment, &e), 0);
	assert_int_equal(add_text(&o,
				  "vault=https://head\nkey_ttl=2\nproxy=http://"
				  "head\n[s]\nsource=dir:/a\nkey_ttl=3\nproxy=http://section\n",
				  &e),
			 0);
	assert_int_equal(options_add_line(&o, "proxy=http://line", &e), 0);
	s = &o.sections[0];
	assert_string_equal(found(&o, s, OPT_V1), "read");
	assert_string_equal(found(&o, s, OPT_VAULT), "https://head");
	assert_int_equal(options_find(&o, s, OPT_VAULT)->n, 1);
	assert_string_equal(found(&o, s, OPT_KEY_TTL), "3");
	assert_string_equal(found(&o, NULL, OPT_KEY_TTL), "2");
	assert_string_equal(found(&o, s, OPT_PROXY), "http://line");
	assert_null(found(&o, s, OPT_CA_FILE));
	options_clear(&o);
}

/* ---- what values say ---- */

static void
test_values_are_read_to_the_digit(void **state)
{
	(void)state;
	assert_int_equal(value_ns("0"), 0);
	assert_int_equal(value_ns("1"), NS_PER_S);
	assert_int_equal(value_ns("1.5"), 3 * NS_PER_S / 2);
	assert_int_equal(value_ns(".25"), NS_PER_S / 4);
	assert_int_equal(value_ns("0.0000000019"), 1);
	assert_int_equal(value_ns("1000000000"), 1000000000 * NS_PER_S);
	assert_int_equal(value_mode("022"), 022);
	assert_int_equal(value_mode("0777"), 0777);
	assert_int_equal(value_bytes("64M"), 64 << 20);
	assert_int_equal(value_user("root"), 0);
	assert_int_equal(value_user("4294967294"), 4294967294);
	assert_int_equal(value_group("root"), 0);
	assert_true(value_yes("on"));
	assert_false(value_yes("0"));
}

static const struct {
	const char *text;
	int64_t at;
} times[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "2026-11-20T00:00:00Z", 1795132800 },
	{ "2026-11-20T00:00:00z", 1795132800 },
	{ "2026-11-20T00:00:00.999Z", 1795132800 },
	{ "2026-11-20T01:30:00+01:30", 1795132800 },
	{ "2026-11-19T19:00:00.5-05:00", 1795132800 },
	{ "2026-11-20T00:00:00-00:00", 1795132800 },
	{ "2028-02-29T23:59:59Z", 1835481599 },
};
static const char *const no_times[] = {
	"",
	"now",
	"2026-11-20",
	"2026-11-20T00:00:00",
	"2026-11-20 00:00:00Z",
	"2026-13-20T00:00:00Z",
	"2026-02-30T00:00:00Z",
	"2026-11-20T25:00:00Z",
	"2026-11-20T00:60:00Z",
	"2026-11-20T00:00:00.Z",
	"2026-11-20T00:00:00ZZ",
	"2026-11-20T00:00:00+1:00",
	"2026-11-20T00:00:00+01:0x",
	"2026-11-20T00:00:00+24:00",
	"2026-11-20T00:00:00+01:60",
	"2026-11-20T00:00:00+0100",
	"2026-11-20T00:00:00 Z",
	"-026-11-20T00:00:00Z",
};

static void
test_times_are_those_of_rfc_3339(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		int64_t at = -1;

		if (!value_time(times[i].text, &at) || at != times[i].at)
			fail_msg("%s: %lld", times[i].text, (long long)at);
	}
	for (size_t i = 0; i < ARRAY_LEN(no_times); i++) {
		int64_t at = 77;

		if (value_time(no_times[i], &at))
			fail_msg("%s: %lld", no_times[i], (long long)at);
		assert_int_equal(at, 77);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_of_options_is_taken_apart),
		cmocka_unit_test(test_what_is_wrong_is_named_with_its_place),
		cmocka_unit_test(test_the_value_of_an_unknown_option_is_not_repeated),
		cmocka_unit_test(test_file_names_become_absolute),
		cmocka_unit_test(test_the_environment_gives_the_same_names),
		cmocka_unit_test(test_a_wrong_variable_is_named),
		cmocka_unit_test(test_a_file_has_a_head_and_sections),
		cmocka_unit_test(test_names_in_a_file_start_from_its_directory),
		cmocka_unit_test(test_a_wrong_file_is_refused_with_its_line),
		cmocka_unit_test(test_a_long_line_is_refused_not_cut),
		cmocka_unit_test(test_a_file_that_others_may_write_is_refused),
		cmocka_unit_test(test_what_is_no_file_is_refused),
		cmocka_unit_test(test_line_before_section_before_head_before_environment),
		cmocka_unit_test(test_values_are_read_to_the_digit),
		cmocka_unit_test(test_times_are_those_of_rfc_3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
