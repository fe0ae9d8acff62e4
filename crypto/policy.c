/* SPDX-License-Identifier: MIT */
/* The client encryption policy: see policy.h.  Source: docs/FORMATS.md, "Container policy". */
#include "crypto/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "crypto/member.h"

enum { VERSION_MAX = 2, VERSION_OF_ID = 2 /* from which id and partition key may be sealed */ };

static const char cell_algorithm[] = "AEAD_AES_256_CBC_HMAC_SHA256";

static int
parse_version(const struct record *rec, const json_t *policy, struct container_def *d,
	      struct err *e)
{
	uint64_t version;
	int r = member_integer(rec, policy, "policyFormatVersion", 1, UINT64_MAX, &version, e);

	if (r != 0)
		return r;
	if (version > VERSION_MAX) {
		(void)err_set(e, EOPNOTSUPP, "%s: policyFormatVersion %llu is not supported",
			      rec->what, (unsigned long long)version);
		return err_mark(e, "policy.unsupported", NULL);
	}
	d->policy_version = (int)version;
	return 0;
}

/* "/" and one name. */
static int
parse_name(const struct record *rec, const json_t *item, struct policy_path *to, struct err *e)
{
	const char *path = NULL;
	int r = member_string(rec, item, "path", &path, e);

	if (r != 0)
		return r;
	if (path[0] != '/' || path[1] == '\0' || strchr(path + 1, '/') != NULL)
		return member_malformed(rec, "path", "is not \"/\" and one name", e);
	if (strlen(path + 1) > COSMOS_ID_MAX)
		return member_malformed(rec, "path", "is too long", e);
	to->name = strdup(path + 1);
	if (to->name == NULL)
		return err_set(e, ENOMEM, "out of memory");
	to->n_name = strlen(to->name);
	return 0;
}

/* Exactly as the service spells it: what differs in case is another type. */
static int
parse_kind(const struct record *rec, const json_t *item, struct policy_path *to, struct err *e)
{
	const char *type = NULL;
	int r = member_string(rec, item, "encryptionType", &type, e);

	if (r != 0)
		return r;
	if (strcmp(type, "Deterministic") == 0)
		to->kind = CELL_DETERMINISTIC;
	else if (strcmp(type, "Randomized") == 0)
		to->kind = CELL_RANDOMIZED;
	else
		return member_unsupported(rec, "encryptionType", type, e);
	return 0;
}

static int
parse_path(const struct record *rec, const json_t *item, struct policy_path *to, struct err *e)
{
	const char *algorithm = NULL, *dek = NULL;
	int r = parse_name(rec, item, to, e);

	if (r == 0)
		r = parse_kind(rec, item, to, e);
	if (r == 0)
		r = member_string(rec, item, "encryptionAlgorithm", &algorithm, e);
	if (r == 0)
		r = member_string(rec, item, "clientEncryptionKeyId", &dek, e);
	if (r != 0)
		return r;
	if (strcmp(algorithm, cell_algorithm) != 0)
		return member_malformed(rec, "encryptionAlgorithm", "is unknown", e);
	if (!cosmos_id_is_good(dek))
		return member_malformed(rec, "clientEncryptionKeyId", "is no id of a key", e);
	to->dek_id = strdup(dek);
	return to->dek_id == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

static int
parse_paths(const struct record *rec, const json_t *list, struct container_def *d, struct err *e)
{
	const size_t n = json_array_size(list);

	if (n > POLICY_PATHS_MAX)
		return member_malformed(rec, "includedPaths", "has too many entries", e);
	d->path = calloc(n + 1, sizeof(*d->path));
	if (d->path == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		struct policy_path *to = &d->path[i];
		char what[64];
		const struct record here = { what, rec->event };
		int r;

		(void)snprintf(what, sizeof(what), "%s: includedPaths[%zu]", rec->what, i);
		r = parse_path(&here, json_array_get(list, i), to, e);
		/* Counted at once, so that half of a path is freed too. */
		d->n_paths++;
		if (r != 0)
			return r;
		if (container_def_find(d, span_of(to->name, to->n_name)) != (int)i)
			return member_malformed(&here, "path", "is there twice", e);
	}
	return 0;
}

static int
add_dump(const char *text, size_t n, void *to)
{
	struct err ignored = { 0 };

	return buf_add(to, text, n, &ignored);
}

/*
 * For people to read.  Indented, deep nesting becomes much longer than the text it was: hence the
 * ceiling.
 */
static int
print_policy(const struct record *rec, const json_t *policy, struct container_def *d, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, CONTAINER_TEXT_MAX);
	if (json_dump_callback(policy, add_dump, &b, JSON_INDENT(2)) != 0)
		return member_malformed(rec, "clientEncryptionPolicy", "is too long", e);
	if (buf_add(&b, "\n", 1, e) != 0)
		return -e->no;
	d->policy_text = strdup(buf_str(&b));
	return d->policy_text == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

int
policy_parse(const struct record *rec, const json_t *policy, struct container_def *d, struct err *e)
{
	json_t *paths = NULL;
	int r;

	if (policy == NULL) {
		d->policy_text = strdup("null\n");
		return d->policy_text == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
	}
	r = parse_version(rec, policy, d, e);
	if (r == 0)
		r = member_array(rec, policy, "includedPaths", &paths, e);
	if (r == 0)
		r = parse_paths(rec, paths, d, e);
	if (r == 0)
		r = print_policy(rec, policy, d, e);
	d->has_policy = r == 0 && d->n_paths > 0;
	if (!d->has_policy)
		d->policy_version = 0;
	return r;
}

/* The service lets id and partition key be sealed only so that they can still be found. */
static int
check_findable(const struct record *rec, const struct container_def *d, int path, struct err *e)
{
	if (path < 0)
		return 0;
	if (d->policy_version < VERSION_OF_ID)
		return member_malformed(rec, "policyFormatVersion",
					"is too old for an encrypted id or partition key", e);
	if (d->path[path].kind != CELL_DETERMINISTIC)
		return member_malformed(rec, "encryptionType",
					"of an id or partition key is not Deterministic", e);
	return 0;
}

int
policy_bind(const struct record *rec, struct container_def *d, struct err *e)
{
	int r;

	d->id_policy = container_def_find(d, span_str("id"));
	r = check_findable(rec, d, d->id_policy, e);
	for (unsigned i = 0; r == 0 && i < d->n_partition; i++) {
		struct partition_path *p = &d->partition[i];

		p->policy = container_def_find(d, span_str(p->token[0]));
		r = check_findable(rec, d, p->policy, e);
	}
	return r;
}
