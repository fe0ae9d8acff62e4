/* SPDX-License-Identifier: MIT */
/* From options to settings: see settings.h. */
#include "cli/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "cli/value.h"

enum {
	MEMORY_DEFAULT = 256 << 20,
	MEMORY_MIN = 16 << 20,
	MAX_REGION_DEFAULT = 64 << 20,
	KEY_TTL_S = 3600,
	TIMEOUT_S = 60,
	ATTR_TIMEOUT_S = 1,
	TERM_WAIT_S = 10,
};

static const char *
text_of(const struct options *o, const struct option_section *s, enum option_id id)
{
	const struct option_values *v = options_find(o, s, id);

	return v != NULL ? v->text[0] : NULL;
}

static const char *const *
list_of(const struct options *o, const struct option_section *s, enum option_id id)
{
	const struct option_values *v = options_find(o, s, id);

	return v != NULL ? v->text : NULL;
}

static int64_t
ns_of(const struct options *o, const struct option_section *s, enum option_id id, int64_t seconds)
{
	const char *text = text_of(o, s, id);

	return text != NULL ? value_ns(text) : seconds * NS_PER_S;
}

/* Whether a choice was made that differs from the default. */
static bool
is_choice(const struct options *o, const struct option_section *s, enum option_id id,
	  const char *word)
{
	const char *text = text_of(o, s, id);

	return text != NULL && strcmp(text, word) == 0;
}

/* memory= or its default: what the container is allowed counts. */
static int
memory_of(const struct options *o, uint64_t cgroup_max, uint64_t *out, struct err *e)
{
	const struct option_values *v = options_find(o, NULL, OPT_MEMORY);

	if (v == NULL) {
		*out = u64_max(MEMORY_MIN, u64_min(MEMORY_DEFAULT, cgroup_max / 2));
		return 0;
	}
	*out = value_bytes(v->text[0]);
	if (*out < MEMORY_MIN)
		return err_set(e, EINVAL, "option memory (%s): less than %d MiB", v->where,
			       MEMORY_MIN >> 20);
	return 0;
}

static int
max_region_of(const struct options *o, const struct option_section *s, uint64_t memory,
	      uint64_t *out, struct err *e)
{
	const struct option_values *v = options_find(o, s, OPT_MAX_REGION);

	if (v == NULL) {
		*out = u64_min(MAX_REGION_DEFAULT, memory / 4);
		return 0;
	}
	*out = value_bytes(v->text[0]);
	if (*out > memory / 4)
		return err_set(e, EINVAL,
			       "option max_region (%s): %s is more than a quarter of memory, which "
			       "is %llu MiB",
			       v->where, v->text[0], (unsigned long long)(memory >> 20));
	return 0;
}

/* Two options of which a source can only have one. */
static int
exclude(const struct options *o, const struct option_section *s, enum option_id a, enum option_id b,
	struct err *e)
{
	const struct option_values *va = options_find(o, s, a), *vb = options_find(o, s, b);

	if (va == NULL || vb == NULL)
		return 0;
	return err_set(e, EINVAL,
		       "options %s (%s) and %s (%s) contradict each other: give one of them",
		       options_table[a].name, va->where, options_table[b].name, vb->where);
}

static int
contradictions(const struct options *o, const struct option_section *s, struct err *e)
{
	static const enum option_id ways[] = { OPT_CREDENTIAL, OPT_STORAGE_KEY_FILE, OPT_SAS_FILE,
					       OPT_COSMOS_KEY_FILE, OPT_COSMOS_TOKEN_FILE };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(ways); i++)
		for (size_t k = i + 1; r == 0 && k < ARRAY_LEN(ways); k++)
			r = exclude(o, s, ways[i], ways[k], e);
	return r;
}

/* kek_alg= is repeatable; backend_config wants the names in one text. */
static int
joined(const char *const *list, char **out, struct err *e)
{
	size_t n = 1;
	char *text, *to;

	if (list == NULL)
		return 0;
	for (const char *const *p = list; *p != NULL; p++)
		n += strlen(*p) + 1;
	text = to = calloc(n, 1);
	if (text == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (const char *const *p = list; *p != NULL; p++) {
		if (to != text)
			*to++ = ' ';
		to = mempcpy(to, *p, strlen(*p));
	}
	*out = text;
	return 0;
}

static bool
is_yes(const struct option_values *v)
{
	return v != NULL && value_yes(v->text[0]);
}

/* A section may stay read-only in a mount that is rw; saying both in one place is a mistake. */
static int
writable_of(const struct options *o, const struct option_section *s, bool *out, struct err *e)
{
	const struct option_values *rw = options_find(o, NULL, OPT_RW);
	const struct option_values *ro = options_find(o, s, OPT_RO);

	*out = is_yes(rw) && !is_yes(ro);
	if (is_yes(rw) && is_yes(ro) && strcmp(rw->where, ro->where) == 0)
		return err_set(e, EINVAL, "options rw and ro (%s) contradict each other",
			       rw->where);
	return 0;
}

/* What writing needs and what tags are for. */
static int
make_writing(const struct options *o, const struct option_section *s, struct settings_source *out,
	     struct err *e)
{
	const struct option_values *alg = options_find(o, s, OPT_WRAP_ALG);
	int r = writable_of(o, s, &out->view.writable, e);

	if (r < 0)
		return r;
	out->documents.writable = out->view.writable;
	out->documents.pin_file = text_of(o, s, OPT_PIN);
	out->view.kek = text_of(o, s, OPT_KEK);
	out->view.binding = is_choice(o, s, OPT_BINDING, "require") ? BINDING_REQUIRE
			    : is_choice(o, s, OPT_BINDING, "off")   ? BINDING_OFF
								    : BINDING_VERIFY;
	if (alg != NULL && !blobview_wrap_alg(alg->text[0], &out->view))
		return err_set(e, EINVAL,
			       "option wrap_alg (%s): \"%.60s\" is not one of RSA-OAEP, "
			       "RSA-OAEP-256, A128KW, A192KW, A256KW",
			       alg->where, alg->text[0]);
	return 0;
}

static void
make_documents(const struct options *o, const struct option_section *s, struct docview_config *out)
{
	out->box.clear_cells = is_choice(o, s, OPT_CLEAR_CELLS, "java")	  ? CLEAR_CELLS_JAVA
			       : is_choice(o, s, OPT_CLEAR_CELLS, "show") ? CLEAR_CELLS_SHOW
									  : CLEAR_CELLS_DENY;
	out->box.dek_fallback = is_choice(o, s, OPT_DEK_FALLBACK, "same-kek");
	out->box.withheld_fail = is_choice(o, s, OPT_WITHHELD, "fail");
	out->box.show_unencrypted = is_choice(o, s, OPT_UNENCRYPTED, "show");
	out->stream_scan = is_choice(o, s, OPT_STREAM_SIZE, "scan");
	out->attr_timeout_ns = ns_of(o, NULL, OPT_ATTR_TIMEOUT, ATTR_TIMEOUT_S);
}

static int
make_source(const struct options *o, const struct option_section *s, const char *source,
	    uint64_t memory, struct settings_source *out, struct err *e)
{
	struct backend_config *b = &out->backend;
	const char *ru = text_of(o, s, OPT_RU);
	char *kek_alg = NULL;
	int r = contradictions(o, s, e);

	if (r == 0)
		r = max_region_of(o, s, memory, &out->view.max_region, e);
	if (r == 0)
		r = joined(list_of(o, s, OPT_KEK_ALG), &kek_alg, e);
	if (r < 0)
		return r;
	out->path = s != NULL ? s->path : "";
	*b = (struct backend_config){
		.source = source,
		.vaults = list_of(o, s, OPT_VAULT),
		.keys = list_of(o, s, OPT_KEYS),
		.kek = text_of(o, s, OPT_KEK),
		.kek_alg = kek_alg,
		.key_ttl_ns = ns_of(o, s, OPT_KEY_TTL, KEY_TTL_S),
		.credential = text_of(o, s, OPT_CREDENTIAL),
		.vault_credential = text_of(o, s, OPT_VAULT_CREDENTIAL),
		.storage_key_file = text_of(o, s, OPT_STORAGE_KEY_FILE),
		.sas_file = text_of(o, s, OPT_SAS_FILE),
		.cosmos_key_file = text_of(o, s, OPT_COSMOS_KEY_FILE),
		.cosmos_token_file = text_of(o, s, OPT_COSMOS_TOKEN_FILE),
		.ru = ru != NULL ? (double)value_count(ru) : 0,
		.ca_file = text_of(o, s, OPT_CA_FILE),
		.proxy = text_of(o, s, OPT_PROXY),
		.allow_http = list_of(o, s, OPT_ALLOW_HTTP),
	};
	make_documents(o, s, &out->documents);
	out->view.v1_read = is_choice(o, s, OPT_V1, "read");
	out->view.show_unencrypted = is_choice(o, s, OPT_UNENCRYPTED, "show");
	out->view.recover_order = is_choice(o, s, OPT_REGION_ORDER, "recover");
	return make_writing(o, s, out, e);
}

/* No section may lie in another one: a path of the mount shows one source. */
static int
check_section(const struct options *o, const struct option_section *s, struct err *e)
{
	const size_t n = strlen(s->path);

	if (s->layer.of[OPT_SOURCE].n == 0)
		return err_set(e, EINVAL, "section [%s] has no source=", n > 0 ? s->path : "/");
	for (unsigned i = 0; i < o->n_sections; i++) {
		const struct option_section *other = &o->sections[i];

		if (other != s && strncmp(other->path, s->path, n) == 0 &&
		    (n == 0 || other->path[n] == '/'))
			return err_set(e, EINVAL, "section [%s] lies inside section [%s]",
				       other->path, n > 0 ? s->path : "/");
	}
	return 0;
}

static int
make_sections(const struct options *o, struct settings *out, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < o->n_sections && r == 0; i++) {
		const struct option_section *s = &o->sections[i];

		r = check_section(o, s, e);
		if (r < 0)
			return r;
		r = make_source(o, s, s->layer.of[OPT_SOURCE].text[0], out->engine.memory,
				&out->sources[i], e);
		if (r < 0)
			return err_in(e, "section [%s]", s->path[0] != '\0' ? s->path : "/");
	}
	return r;
}

static void
make_mount(const struct options *o, struct settings *out)
{
	const char *uid = text_of(o, NULL, OPT_UID), *gid = text_of(o, NULL, OPT_GID);
	const char *umask_text = text_of(o, NULL, OPT_UMASK),
		   *other = text_of(o, NULL, OPT_ALLOW_OTHER);

	out->allow_other = other != NULL && value_yes(other);
	out->has_uid = uid != NULL;
	out->uid = uid != NULL ? value_user(uid) : 0;
	out->has_gid = gid != NULL;
	out->gid = gid != NULL ? value_group(gid) : 0;
	out->umask = umask_text != NULL ? value_mode(umask_text) : 0;
	out->attr_timeout_ns = ns_of(o, NULL, OPT_ATTR_TIMEOUT, ATTR_TIMEOUT_S);
	out->negative_timeout_ns = ns_of(o, NULL, OPT_NEGATIVE_TIMEOUT, ATTR_TIMEOUT_S);
	out->engine.timeout_ns = ns_of(o, NULL, OPT_TIMEOUT, TIMEOUT_S);
	out->term_wait_ns = ns_of(o, NULL, OPT_TERM_WAIT, TERM_WAIT_S);
	out->staging = text_of(o, NULL, OPT_STAGING);
	if (out->staging == NULL)
		out->staging = getenv("TMPDIR");
	if (out->staging == NULL || out->staging[0] != '/')
		out->staging = "/var/tmp";
}

static int
make_log(const struct options *o, struct settings *out, struct err *e)
{
	const char *level = text_of(o, NULL, OPT_LOG_LEVEL);

	out->log = text_of(o, NULL, OPT_LOG);
	out->log_level = LOG_LEVEL_INFO;
	return level != NULL ? log_level_parse(level, &out->log_level, e) : 0;
}

int
settings_make(const struct options *o, const char *source, uint64_t cgroup_max,
	      struct settings *out, struct err *e)
{
	struct settings s = { 0 };
	int r = memory_of(o, cgroup_max, &s.engine.memory, e);

	if (r == 0)
		r = make_log(o, &s, e);
	if (r < 0)
		return r;
	make_mount(o, &s);
	s.n_sources = source != NULL ? 1 : o->n_sections;
	s.sources = calloc(s.n_sources, sizeof(*s.sources));
	if (s.sources == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	else if (source != NULL)
		r = make_source(o, NULL, source, s.engine.memory, &s.sources[0], e);
	else
		r = make_sections(o, &s, e);
	if (r < 0) {
		settings_clear(&s);
		return r;
	}
	for (unsigned i = 0; i < s.n_sources; i++)
		s.rw |= s.sources[i].view.writable;
	*out = s;
	return 0;
}

void
settings_clear(struct settings *s)
{
	for (unsigned i = 0; s->sources != NULL && i < s->n_sources; i++)
		free((void *)(uintptr_t)s->sources[i].backend.kek_alg);
	free(s->sources);
	*s = (struct settings){ 0 };
}
