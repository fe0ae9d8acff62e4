/* SPDX-License-Identifier: MIT */
/* Options from -o and the environment: see options.h.  Values are checked in value.c. */
#include "cli/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "cli/value.h"

enum { VALUES_MAX = 256, SECTIONS_MAX = 256, WORD_MAX = 16 << 10 };

#define ENV_PREFIX "AZCRYPTFS_"

/* clang-format off */
const struct option_row options_table[OPTIONS_N] = {
	[OPT_SOURCE] = { "source", OPTION_TEXT, OPTION_OF_SOURCE, false, "SOURCE",
		"what a section shows (in a file of -c only)" },
	[OPT_KEYS] = { "keys", OPTION_FILE, OPTION_OF_SOURCE, true, "FILE",
		"local keys, a JWK Set; repeatable" },
	[OPT_VAULT] = { "vault", OPTION_TEXT, OPTION_OF_SOURCE, true, "URL",
		"a vault, or one key of it, that may be asked; repeatable" },
	[OPT_KEK_ALG] = { "kek_alg", OPTION_TEXT, OPTION_OF_SOURCE, true, "NAME",
		"wrap algorithms that may be used; repeatable (all known ones)" },
	[OPT_KEY_TTL] = { "key_ttl", OPTION_SECONDS, OPTION_OF_SOURCE, false, "SECONDS",
		"how long content keys are kept (3600)" },
	[OPT_V1] = { "v1", OPTION_CHOICE, OPTION_OF_SOURCE, false, "deny|read",
		"blobs of protocol 1.0, which has no integrity (deny)" },
	[OPT_UNENCRYPTED] = { "unencrypted", OPTION_CHOICE, OPTION_OF_SOURCE, false, "deny|show",
		"blobs, and containers of documents, that are not encrypted (deny)" },
	[OPT_CLEAR_CELLS] = { "clear_cells", OPTION_CHOICE, OPTION_OF_SOURCE, false,
		"deny|java|show", "values in clear where the policy says sealed (deny)" },
	[OPT_DEK_FALLBACK] = { "dek_fallback", OPTION_CHOICE, OPTION_OF_SOURCE, false,
		"off|same-kek", "try other keys of the database under the same KEK (off)" },
	[OPT_WITHHELD] = { "withheld", OPTION_CHOICE, OPTION_OF_SOURCE, false, "omit|fail",
		"properties whose key the vault denies (omit)" },
	[OPT_STREAM_SIZE] = { "stream_size", OPTION_CHOICE, OPTION_OF_SOURCE, false, "none|scan",
		"scan: a stat of all.jsonl counts its bytes (none)" },
	[OPT_RU] = { "ru", OPTION_COUNT, OPTION_OF_SOURCE, false, "N",
		"request units a second that scans of documents may use (no limit)" },
	[OPT_REGION_ORDER] = { "region_order", OPTION_CHOICE, OPTION_OF_SOURCE, false,
		"strict|recover", "recover: read blobs whose regions were moved (strict)" },
	[OPT_MAX_REGION] = { "max_region", OPTION_SIZE, OPTION_OF_SOURCE, false, "SIZE",
		"largest region to accept (64M, at most a quarter of memory)" },
	[OPT_BINDING] = { "binding", OPTION_CHOICE, OPTION_OF_SOURCE, false, "verify|require|off",
		"binding tags of blobs, which show that regions are missing (verify)" },
	[OPT_KEK] = { "kek", OPTION_TEXT, OPTION_OF_SOURCE, false, "KEYID",
		"rw: the key that wraps the content keys of blobs" },
	[OPT_WRAP_ALG] = { "wrap_alg", OPTION_TEXT, OPTION_OF_SOURCE, false, "NAME",
		"rw: how it wraps them (RSA-OAEP, or A128KW ... by its size)" },
	[OPT_PIN] = { "pin", OPTION_FILE, OPTION_OF_SOURCE, false, "FILE",
		"rw: what policies and keys of documents must be; filled at first use" },
	[OPT_CREDENTIAL] = { "credential", OPTION_TEXT, OPTION_OF_SOURCE, false, "NAME",
		"the one Entra credential for storage and Cosmos (first that works)" },
	[OPT_VAULT_CREDENTIAL] = { "vault_credential", OPTION_TEXT, OPTION_OF_SOURCE, false, "NAME",
		"the same for the vault" },
	[OPT_STORAGE_KEY_FILE] = { "storage_key_file", OPTION_FILE, OPTION_OF_SOURCE, false, "FILE",
		"file with the account key, mode 0600" },
	[OPT_SAS_FILE] = { "sas_file", OPTION_FILE, OPTION_OF_SOURCE, false, "FILE",
		"file with a shared access signature, mode 0600" },
	[OPT_COSMOS_KEY_FILE] = { "cosmos_key_file", OPTION_FILE, OPTION_OF_SOURCE, false, "FILE",
		"file with the key of a Cosmos account, mode 0600" },
	[OPT_COSMOS_TOKEN_FILE] = { "cosmos_token_file", OPTION_FILE, OPTION_OF_SOURCE, false,
		"FILE", "file with a resource token of Cosmos, mode 0600" },
	[OPT_CA_FILE] = { "ca_file", OPTION_FILE, OPTION_OF_SOURCE, false, "FILE",
		"certificates to trust instead of the system's" },
	[OPT_PROXY] = { "proxy", OPTION_TEXT, OPTION_OF_SOURCE, false, "URL",
		"HTTP proxy; \"env\" takes the usual variables (none)" },
	[OPT_ALLOW_HTTP] = { "allow_http", OPTION_TEXT, OPTION_OF_SOURCE, true, "HOST",
		"host that may be reached without TLS; loopback may; repeatable" },
	[OPT_MEMORY] = { "memory", OPTION_SIZE, OPTION_OF_MOUNT, false, "SIZE",
		"limit for data and metadata (256M, or half of the cgroup's)" },
	[OPT_TIMEOUT] = { "timeout", OPTION_SECONDS, OPTION_OF_MOUNT, false, "SECONDS",
		"deadline of one operation (60)" },
	[OPT_RO] = { "ro", OPTION_FLAG, OPTION_OF_SOURCE, false, NULL,
		"read only (yes, unless rw)" },
	[OPT_RW] = { "rw", OPTION_FLAG, OPTION_OF_MOUNT, false, NULL,
		"read and write; blobs need kek=, documents pin=" },
	[OPT_STAGING] = { "staging", OPTION_FILE, OPTION_OF_MOUNT, false, "DIR",
		"rw: where sealed bytes wait that memory has no room for (TMPDIR, /var/tmp)" },
	[OPT_TERM_WAIT] = { "term_wait", OPTION_SECONDS, OPTION_OF_MOUNT, false, "SECONDS",
		"rw: how long SIGTERM waits for writers to close their files (10)" },
	[OPT_ALLOW_OTHER] = { "allow_other", OPTION_FLAG, OPTION_OF_MOUNT, false, NULL,
		"let other users in, by the files' permissions" },
	[OPT_UID] = { "uid", OPTION_USER, OPTION_OF_MOUNT, false, "USER",
		"owner of the files (who mounts)" },
	[OPT_GID] = { "gid", OPTION_GROUP, OPTION_OF_MOUNT, false, "GROUP",
		"group of the files (of who mounts)" },
	[OPT_UMASK] = { "umask", OPTION_MODE, OPTION_OF_MOUNT, false, "MODE",
		"permissions to take away from 0444 and 0555 (0)" },
	[OPT_ATTR_TIMEOUT] = { "attr_timeout", OPTION_SECONDS, OPTION_OF_MOUNT, false, "SECONDS",
		"how long sizes and names are believed (1)" },
	[OPT_NEGATIVE_TIMEOUT] = { "negative_timeout", OPTION_SECONDS, OPTION_OF_MOUNT, false,
		"SECONDS", "how long a missing name is believed to be missing (1)" },
	[OPT_LOG] = { "log", OPTION_TEXT, OPTION_OF_MOUNT, false, "stderr|syslog|FILE",
		"where the log goes (syslog, with -f stderr)" },
	[OPT_LOG_LEVEL] = { "log_level", OPTION_CHOICE, OPTION_OF_MOUNT, false,
		"error|warning|info|debug", "(info)" },
};
/* clang-format on */

/*
 * What mount(8) and fstab add, and what it means to a mount that is always nosuid, nodev and
 * noexec.
 */
static const char *const fstab_harmless[] = {
	"defaults", "auto",	"noauto",     "nofail",	  "_netdev",	"user",	       "users",
	"nouser",   "owner",	"noowner",    "group",	  "nogroup",	"nosuid",      "nodev",
	"noexec",   "noatime",	"atime",      "relatime", "norelatime", "strictatime", "nodiratime",
	"diratime", "lazytime", "nolazytime", "async",	  "silent",	"loud",
};
static const char *const fstab_refused[] = { "suid", "dev", "exec" };

void
options_init(struct options *o)
{
	*o = (struct options){ 0 };
}

static void
layer_clear(struct option_layer *layer)
{
	for (unsigned i = 0; i < OPTIONS_N; i++) {
		struct option_values *v = &layer->of[i];

		for (unsigned k = 0; k < v->n; k++)
			free((void *)(uintptr_t)v->text[k]);
		free(v->text);
	}
}

void
options_clear(struct options *o)
{
	layer_clear(&o->line);
	layer_clear(&o->head);
	layer_clear(&o->env);
	for (unsigned i = 0; i < o->n_sections; i++) {
		layer_clear(&o->sections[i].layer);
		free(o->sections[i].path);
	}
	free(o->sections);
	options_init(o);
}

/* The option of that name, OPTIONS_N when there is none. */
static enum option_id
option_named(const char *name)
{
	unsigned i = 0;

	while (i < OPTIONS_N && strcmp(options_table[i].name, name) != 0)
		i++;
	return (enum option_id)i;
}

/* Keeps text (taken, also on failure) as one more value. */
static int
keep_take(struct option_values *v, char *text, const char *where, struct err *e)
{
	const char **more;

	if (v->n == VALUES_MAX) {
		free(text);
		return err_set(e, EINVAL, "more than %d values", VALUES_MAX);
	}
	more = reallocarray(v->text, v->n + 2, sizeof(*more)); /* not secret */
	if (more == NULL) {
		free(text);
		return err_set(e, ENOMEM, "out of memory");
	}
	more[v->n++] = text;
	more[v->n] = NULL;
	v->text = more;
	(void)snprintf(v->where, sizeof(v->where), "%s", where);
	return 0;
}

static int
unknown(const char *name, const char *where, struct err *e)
{
	err_set(e, EINVAL, "unknown option \"%.60s\" (%s)", name, where);
	return err_mark(e, NULL, "azcryptfs help options lists them");
}

/* Text of a value as it is kept: file names absolute; the caller frees. */
static int
kept_text(const struct option_row *row, const char *value, const char *base, char **out,
	  struct err *e)
{
	char *text;
	int r;

	if (row->kind == OPTION_FILE ||
	    (row == &options_table[OPT_LOG] && strcmp(value, "stderr") != 0 &&
	     strcmp(value, "syslog") != 0))
		return value_absolute(value, "", base, out, e);
	if (row == &options_table[OPT_SOURCE] && strncmp(value, "dir:", 4) == 0) {
		r = value_absolute(value + 4, "dir:", base, out, e);
		return r;
	}
	text = strdup(value);
	if (text == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*out = text;
	return 0;
}

int
options_add(struct option_layer *layer, const char *name, const char *value, const char *where,
	    const char *base, struct err *e)
{
	const enum option_id id = option_named(name);
	const struct option_row *row;
	struct option_values *v;
	char *text;
	int r;

	if (id == OPTIONS_N)
		return unknown(name, where, e);
	row = &options_table[id];
	v = &layer->of[id];
	r = value_check(row, value, e);
	if (r == 0)
		r = kept_text(row, value == NULL ? "yes" : value, base, &text, e);
	if (r < 0)
		return err_in(e, "option %s (%s)", name, where);
	if (v->n > 0 && !row->repeats) {
		const bool same = strcmp(v->text[0], text) == 0;

		free(text);
		return same ? 0
			    : err_set(e, EINVAL,
				      "option %s is given twice with different values (%s and %s)",
				      name, v->where, where);
	}
	return keep_take(v, text, where, e);
}

/*
 * Cuts the next word off *rest, which ends at the separator, and undoes its backslashes into out.
 * false when nothing is left.
 */
static bool
next_word(const char **rest, char separator, struct buf *out, struct err *e, int *r)
{
	const char *p = *rest;

	buf_reset(out);
	*r = 0;
	if (*p == '\0')
		return false;
	while (*p != '\0' && *p != separator && *r == 0) {
		char c = *p++;

		if (c == '\\' && p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' &&
		    p[2] >= '0' && p[2] <= '7') {
			c = (char)((p[0] - '0') << 6 | (p[1] - '0') << 3 | (p[2] - '0'));
			p += 3;
		} else if (c == '\\' && *p != '\0') {
			c = *p++;
		}
		*r = buf_add(out, &c, 1, e);
	}
	*rest = *p == separator ? p + 1 : p;
	return true;
}

static bool
is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

/* One of fstab's own: 1 = nothing to do, 0 = not one of them, or why not. */
static int
fstab_option(const char *name, bool has_value, struct err *e)
{
	if (strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0 ||
	    strcmp(name, "comment") == 0)
		return 1;
	if (has_value)
		return strcmp(name, "user") == 0;
	if (is_one_of(name, fstab_harmless, ARRAY_LEN(fstab_harmless)))
		return 1;
	if (is_one_of(name, fstab_refused, ARRAY_LEN(fstab_refused)))
		return err_set(e, EINVAL,
			       "option %s (-o): a mount is always nosuid, nodev and noexec", name);
	return 0;
}

static int
add_word(struct options *o, char *word, struct err *e)
{
	char *value = strchr(word, '=');
	int r;

	if (value != NULL)
		*value++ = '\0';
	r = fstab_option(word, value != NULL, e);
	if (r != 0)
		return r < 0 ? r : 0;
	if (strcmp(word, "source") == 0) {
		err_set(e, EINVAL, "option source (-o) belongs into a section of a file");
		return err_mark(e, NULL, "say: azcryptfs mount SOURCE DIR, or mount -c FILE DIR");
	}
	return options_add(&o->line, word, value, "-o", NULL, e);
}

/* A copy that may be cut up; the words hold no NUL, an octal escape for it ends them. */
int
options_add_line(struct options *o, const char *text, struct err *e)
{
	AUTO_BUF word;
	int r = 0;

	buf_init(&word, WORD_MAX);
	while (r == 0 && next_word(&text, ',', &word, e, &r))
		if (r == 0 && word.n > 0)
			r = add_word(o, (char *)word.p, e);
	return r;
}

/* Kubernetes gives every pod such variables for a service that happens to be called azcryptfs. */
static bool
is_service_link(const char *name)
{
	return strncmp(name, "SERVICE_", 8) == 0 || strncmp(name, "PORT=", 5) == 0 ||
	       strncmp(name, "PORT_", 5) == 0;
}

static int
add_values(struct options *o, const char *name, const char *values, const char *where,
	   struct err *e)
{
	const enum option_id id = option_named(name);
	AUTO_BUF word;
	int r = 0;

	if (id == OPTIONS_N || id == OPT_SOURCE)
		return unknown(name, where, e);
	if (!options_table[id].repeats)
		return options_add(&o->env, name, values, where, NULL, e);
	buf_init(&word, WORD_MAX);
	while (r == 0 && next_word(&values, ' ', &word, e, &r))
		if (r == 0 && word.n > 0)
			r = options_add(&o->env, name, buf_str(&word), where, NULL, e);
	return r;
}

/* One "AZCRYPTFS_NAME=value". */
static int
add_variable(struct options *o, const char *variable, struct err *e)
{
	const char *const begin = variable + strlen(ENV_PREFIX), *const equals = strchr(begin, '=');
	char name[64], where[128];
	size_t n;

	if (equals == NULL || equals[1] == '\0' || is_service_link(begin))
		return 0;
	n = (size_t)(equals - begin);
	(void)snprintf(where, sizeof(where), "environment variable %.*s", (int)(equals - variable),
		       variable);
	if (n >= sizeof(name))
		return unknown(where + strlen("environment variable "), "environment", e);
	for (size_t i = 0; i < n; i++)
		name[i] = begin[i] >= 'A' && begin[i] <= 'Z' ? (char)(begin[i] - 'A' + 'a')
							     : begin[i];
	name[n] = '\0';
	return add_values(o, name, equals + 1, where, e);
}

int
options_add_environment(struct options *o, char **environment, struct err *e)
{
	int r = 0;

	for (char **v = environment; *v != NULL && r == 0; v++)
		if (strncmp(*v, ENV_PREFIX, strlen(ENV_PREFIX)) == 0)
			r = add_variable(o, *v, e);
	return r;
}

/* "a/b" from "/a//b/": false when a component is "." or "..". */
static bool
clean_path(const char *path, char *out)
{
	char *to = out;

	for (const char *p = path; *p != '\0';) {
		size_t n = strcspn(p, "/");

		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (n > 0 && to != out)
			*to++ = '/';
		memcpy(to, p, n);
		to += n;
		p += n + (p[n] == '/');
	}
	*to = '\0';
	return true;
}

int
options_section(struct options *o, const char *path, struct option_section **out, struct err *e)
{
	struct option_section *more;
	char *clean = malloc(strlen(path) + 1);

	if (clean == NULL)
		return err_set(e, ENOMEM, "out of memory");
	if (!clean_path(path, clean)) {
		free(clean);
		return err_set(
			e, EINVAL,
			"section [%.100s]: \".\" and \"..\" cannot be part of a path in the mount",
			path);
	}
	for (unsigned i = 0; i < o->n_sections; i++)
		if (strcmp(o->sections[i].path, clean) == 0) {
			free(clean);
			*out = &o->sections[i];
			return 0;
		}
	more = o->n_sections == SECTIONS_MAX ? NULL
					     : reallocarray(o->sections, o->n_sections + 1,
							    sizeof(*more)); /* not secret */
	if (more == NULL) {
		free(clean);
		return err_set(e, o->n_sections == SECTIONS_MAX ? EINVAL : ENOMEM,
			       "too many sections");
	}
	o->sections = more;
	more += o->n_sections++;
	*more = (struct option_section){ .path = clean };
	*out = more;
	return 0;
}

const struct option_values *
options_find(const struct options *o, const struct option_section *s, enum option_id id)
{
	const struct option_layer *const places[] = { &o->line, s != NULL ? &s->layer : &o->head,
						      &o->head, &o->env };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i]->of[id].n > 0)
			return &places[i]->of[id];
	return NULL;
}
