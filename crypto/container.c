/* SPDX-License-Identifier: MIT */
/* What a container says of itself: see container.h.  The policy is in policy.c. */
#include "crypto/container.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "crypto/member.h"
#include "crypto/partition.h"
#include "crypto/policy.h"

enum { NAME_MAX_BYTES = 255, RID_MAX = 255 };

static const struct record record = { "container", "integrity.policy" };

bool
cosmos_id_is_good(const char *id)
{
	const size_t n = strlen(id);

	if (n == 0 || n > NAME_MAX_BYTES || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		const uint8_t c = (uint8_t)id[i];

		/* C1 controls are U+0080 to U+009F: c2 80 to c2 9f. */
		if (c < 0x20 || c == 0x7f || strchr("/\\?#", c) != NULL ||
		    (c == 0xc2 && (uint8_t)id[i + 1] < 0xa0))
			return false;
	}
	return utf8_is_valid(span_of(id, n));
}

/* It goes into a request's header. */
static bool
rid_is_good(const char *rid)
{
	const size_t n = strlen(rid);

	return n > 0 && n <= RID_MAX &&
	       strspn(rid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			   "0123456789+/-_=") == n;
}

static int
parse_names(const json_t *root, struct container_def *d, struct err *e)
{
	const char *id = NULL, *rid = NULL;
	int r = member_string(&record, root, "id", &id, e);

	if (r == 0)
		r = member_string(&record, root, "_rid", &rid, e);
	if (r != 0)
		return r;
	if (!cosmos_id_is_good(id))
		return member_malformed(&record, "id", "is no id of a container", e);
	if (!rid_is_good(rid))
		return member_malformed(&record, "_rid", "is no resource id", e);
	d->id = strdup(id);
	d->rid = strdup(rid);
	return d->id == NULL || d->rid == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

/* How many paths the kind of partition key may have. */
static int
parse_kind(const json_t *key, size_t *out_max, struct err *e)
{
	const char *kind = NULL;
	int r;

	if (member_find(key, "kind") == NULL) {
		*out_max = 1;
		return 0;
	}
	r = member_string(&record, key, "kind", &kind, e);
	if (r != 0)
		return r;
	if (strcmp(kind, "Hash") == 0)
		*out_max = 1;
	else if (strcmp(kind, "MultiHash") == 0)
		*out_max = CONTAINER_PATHS_MAX;
	else
		return member_malformed(&record, "kind", "of the partition key is unknown", e);
	return 0;
}

static int
parse_partition_path(const json_t *item, struct container_def *d, struct err *e)
{
	struct partition_path *p = &d->partition[d->n_partition++];
	const char *path = json_string_value(item);
	int r;

	if (path == NULL || strlen(path) != json_string_length(item) ||
	    strlen(path) > COSMOS_ID_MAX)
		return member_malformed(&record, "partitionKey",
					"has a path that is no fitting string", e);
	r = partition_path_parse(path, p, e);
	if (r == -EBADMSG)
		(void)err_mark(e, record.event, NULL);
	if (r != 0)
		return err_in(e, "%s: partitionKey", record.what);
	for (unsigned i = 0; i + 1 < d->n_partition; i++)
		if (partition_path_same(&d->partition[i], p))
			return member_malformed(&record, "partitionKey", "has a path twice", e);
	return 0;
}

static int
parse_partition(const json_t *root, struct container_def *d, struct err *e)
{
	json_t *key = NULL, *paths = NULL;
	size_t n, max = 0;
	int r = member_object(&record, root, "partitionKey", &key, e);

	if (r == 0)
		r = parse_kind(key, &max, e);
	if (r == 0)
		r = member_array(&record, key, "paths", &paths, e);
	if (r != 0)
		return r;
	n = json_array_size(paths);
	if (n == 0 || n > max)
		return member_malformed(&record, "partitionKey",
					"has a number of paths that its kind cannot have", e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = parse_partition_path(json_array_get(paths, i), d, e);
	if (r != 0)
		return r;
	d->by_id = n == 1 && d->partition[0].n_tokens == 1 &&
		   strcmp(d->partition[0].token[0], "id") == 0;
	d->system_key = json_is_true(json_object_get(key, "systemKey"));
	return 0;
}

static int
parse_policy(const json_t *root, struct container_def *d, struct err *e)
{
	json_t *policy = NULL;
	int r = 0;

	if (member_find(root, "clientEncryptionPolicy") != NULL)
		r = member_object(&record, root, "clientEncryptionPolicy", &policy, e);
	if (r == 0)
		r = policy_parse(&record, policy, d, e);
	return r == 0 ? policy_bind(&record, d, e) : r;
}

int
container_def_parse(struct span json, struct container_def *out, struct err *e)
{
	struct container_def d = { .id_policy = -1 };
	json_t *root = NULL;
	int r = member_root(&record, json, CONTAINER_TEXT_MAX, &root, e);

	if (r != 0)
		return r;
	r = parse_names(root, &d, e);
	if (r == 0)
		r = parse_partition(root, &d, e);
	if (r == 0)
		r = parse_policy(root, &d, e);
	json_decref(root);
	if (r != 0) {
		container_def_clear(&d);
		return r;
	}
	*out = d;
	return 0;
}

void
container_def_clear(struct container_def *d)
{
	for (size_t i = 0; i < d->n_paths; i++) {
		free(d->path[i].name);
		free(d->path[i].dek_id);
	}
	for (unsigned i = 0; i < d->n_partition; i++)
		partition_path_clear(&d->partition[i]);
	free(d->path);
	free(d->id);
	free(d->rid);
	free(d->policy_text);
	*d = (struct container_def){ .id_policy = -1 };
}

static bool
same_bytes(struct span a, struct span b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0; /* not secret */
}

int
container_def_find(const struct container_def *d, struct span name)
{
	for (size_t i = 0; i < d->n_paths; i++) {
		const struct policy_path *p = &d->path[i];

		if (p->name != NULL && same_bytes(span_of(p->name, p->n_name), name))
			return (int)i;
	}
	return -1;
}

/* In any order: it means nothing. */
static bool
same_policy(const struct container_def *a, const struct container_def *b)
{
	if (a->policy_version != b->policy_version || a->n_paths != b->n_paths)
		return false;
	for (size_t i = 0; i < a->n_paths; i++) {
		const struct policy_path *p = &a->path[i];
		const int at = container_def_find(b, span_of(p->name, p->n_name));

		if (at < 0 || b->path[at].kind != p->kind ||
		    strcmp(b->path[at].dek_id, p->dek_id) != 0)
			return false;
	}
	return true;
}

bool
container_def_same(const struct container_def *a, const struct container_def *b)
{
	if (a->n_partition != b->n_partition || a->system_key != b->system_key)
		return false;
	for (unsigned i = 0; i < a->n_partition; i++)
		if (!partition_path_same(&a->partition[i], &b->partition[i]))
			return false;
	return same_policy(a, b);
}
