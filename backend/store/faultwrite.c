/* SPDX-License-Identifier: MIT */
/* Writes that fail on purpose, before they happen or after: see fault.h. */
#include <errno.h>

#include "backend/store/faultplan.h"

static struct fault *
of(struct store *s)
{
	return (struct fault *)s; /* store is the first member */
}

/* The write has happened, and nobody is told. */
static int
answer(const struct fault_call *call, int r, struct err *e)
{
	return r == 0 && call->lost ? err_set(e, EIO, "fault: the answer was lost") : r;
}

static int
fault_properties(struct store *s, const char *name, const char *if_match,
		 struct store_properties *out, struct deadline d, struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_PROPERTIES, &call, d, e);

	return r < 0 ? r : store_get_properties(of(s)->inner, name, if_match, out, d, e);
}

static int
fault_put(struct store *s, const char *name, const struct store_properties *p, struct span bytes,
	  struct store_condition c, struct store_written *out, struct deadline d, struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_PUT, &call, d, e);

	if (r == 0)
		r = store_put(of(s)->inner, name, p, bytes, c, out, d, e);
	return answer(&call, r, e);
}

static int
fault_block(struct store *s, const char *name, const struct store_upload *u,
	    const struct store_block *b, struct deadline d, struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_BLOCK, &call, d, e);

	if (r == 0)
		r = store_put_block(of(s)->inner, name, u, b, d, e);
	return answer(&call, r, e);
}

static int
fault_commit(struct store *s, const char *name, const struct store_upload *u, uint32_t n_blocks,
	     uint64_t size, const struct store_properties *p, struct store_condition c,
	     struct store_written *out, struct deadline d, struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_COMMIT, &call, d, e);

	if (r == 0)
		r = store_commit_blocks(of(s)->inner, name, u, n_blocks, size, p, c, out, d, e);
	return answer(&call, r, e);
}

static void
fault_abandon(struct store *s, const char *name, const struct store_upload *u)
{
	store_abandon_blocks(of(s)->inner, name, u);
}

static int
fault_set_metadata(struct store *s, const char *name, const struct store_properties *p,
		   const char *if_match, struct store_written *out, struct deadline d,
		   struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_META, &call, d, e);

	if (r == 0)
		r = store_set_metadata(of(s)->inner, name, p, if_match, out, d, e);
	return answer(&call, r, e);
}

static int
fault_copy(struct store *s, const char *from, const char *if_match, const char *to,
	   struct store_condition c, struct store_written *out, struct deadline d, struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_COPY, &call, d, e);

	if (r == 0)
		r = store_copy(of(s)->inner, from, if_match, to, c, out, d, e);
	return answer(&call, r, e);
}

static int
fault_delete(struct store *s, const char *name, const char *if_match, struct deadline d,
	     struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_DELETE, &call, d, e);

	if (r == 0)
		r = store_delete(of(s)->inner, name, if_match, d, e);
	return answer(&call, r, e);
}

static int
fault_make_folder(struct store *s, const char *name, struct deadline d, struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_FOLDER, &call, d, e);

	if (r == 0)
		r = store_make_folder(of(s)->inner, name, d, e);
	return answer(&call, r, e);
}

static int
fault_remove_folder(struct store *s, const char *name, struct deadline d, struct err *e)
{
	struct fault_call call = { .lost = false };
	int r = faultplan_apply(of(s), FAULT_FOLDER, &call, d, e);

	if (r == 0)
		r = store_remove_folder(of(s)->inner, name, d, e);
	return answer(&call, r, e);
}

const struct store_write_ops faultwrite_ops = {
	.properties = fault_properties,
	.put = fault_put,
	.block = fault_block,
	.commit = fault_commit,
	.abandon = fault_abandon,
	.set_metadata = fault_set_metadata,
	.copy = fault_copy,
	.delete = fault_delete,
	.make_folder = fault_make_folder,
	.remove_folder = fault_remove_folder,
};
