/* SPDX-License-Identifier: MIT */
/*
 * Target: container_def_parse (crypto/container.c, policy.c, partition.c).
 * Properties: a failure says what it is and leaves the output alone; what is accepted keeps to the
 * limits that the header promises, and its printed policy is read as the same policy again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "crypto/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

static void
check_partition(const struct container_def *d)
{
	need(d->n_partition >= 1 && d->n_partition <= CONTAINER_PATHS_MAX);
	for (unsigned i = 0; i < d->n_partition; i++) {
		const struct partition_path *p = &d->partition[i];

		need(p->n_tokens >= 1 && p->n_tokens <= CONTAINER_TOKENS_MAX);
		for (size_t t = 0; t < p->n_tokens; t++)
			need(p->token[t][0] != '\0');
		need(p->policy == container_def_find(d, span_str(p->token[0])));
		need(p->policy < 0 || d->path[p->policy].kind == CELL_DETERMINISTIC);
	}
}

static void
check_policy(const struct container_def *d)
{
	need(d->n_paths <= POLICY_PATHS_MAX && d->has_policy == (d->n_paths > 0));
	need(d->policy_version >= (d->has_policy ? 1 : 0) && d->policy_version <= 2);
	for (size_t i = 0; i < d->n_paths; i++) {
		const struct policy_path *p = &d->path[i];

		need(p->n_name > 0 && strlen(p->name) == p->n_name);
		need(strchr(p->name, '/') == NULL && cosmos_id_is_good(p->dek_id));
		need(container_def_find(d, span_of(p->name, p->n_name)) == (int)i);
	}
	need(d->id_policy == container_def_find(d, span_str("id")));
}

/* The printed policy in a container with the same partition key, as far as that is simple. */
static void
check_printed(const struct container_def *d)
{
	AUTO_CONTAINER_DEF back = { 0 };
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 2 * CONTAINER_TEXT_MAX);
	need(buf_addf(&b, &e,
		      "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/:\"]},"
		      "\"clientEncryptionPolicy\":%s}",
		      d->policy_text) == 0);
	if (b.n > CONTAINER_TEXT_MAX || container_def_find(d, span_str(":")) >= 0)
		return;
	need(container_def_parse(buf_span(&b), &back, &e) == 0);
	need(back.n_paths == d->n_paths && back.policy_version == d->policy_version);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_CONTAINER_DEF d = { 0 };
	struct err e = { 0 };
	const int r = container_def_parse(span_of(data, n), &d, &e);

	need(r == -e.no);
	if (r < 0) {
		need(d.id == NULL && d.path == NULL && e.text[0] != '\0' && e.event != NULL);
		return 0;
	}
	need(cosmos_id_is_good(d.id) && d.rid[0] != '\0');
	need(container_def_same(&d, &d));
	check_partition(&d);
	check_policy(&d);
	check_printed(&d);
	return 0;
}
