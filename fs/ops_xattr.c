/* SPDX-License-Identifier: MIT */
/* FUSE callbacks on extended attributes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs.h"

struct xattrs {
	struct view *view;
	struct view_xattr x[VIEW_XATTRS_MAX];
	unsigned n;
};

static int
xattrs_of_item(void *arg, const struct view_item *item, struct err *e)
{
	struct xattrs *to = arg;

	(void)e;
	to->n = to->view->ops->xattrs(to->view, item->etag, item->size, item->record, to->x);
	return 0;
}

/* Those of the version that it was published as, if that is all of it; and how that stands. */
static void
xattrs_of_draft(struct drafts *drafts, struct node *n, struct xattrs *out)
{
	struct draft *d = draft_get(drafts, n);
	struct err ignored = { 0 };
	const char *state;

	if (d == NULL)
		return;
	if (draft_published(d, (struct view_sink){ xattrs_of_item, out }, &ignored) < 0)
		out->n = 0;
	draft_put(d);
	state = out->n > 0 ? "published" : drafts_is_local(drafts, n) ? "local" : "unpublished";
	if (out->n == VIEW_XATTRS_MAX)
		return;
	out->x[out->n].name = "user.azcrypt.draft";
	(void)snprintf(out->x[out->n++].value, sizeof(out->x->value), "%s", state);
}

static void
xattrs_of(struct fs *fs, struct node *n, struct xattrs *out)
{
	struct node_attr a;

	out->n = 0;
	out->view = node_view(n);
	node_attr(n, &a);
	if (a.dir || out->view == NULL)
		return;
	if (node_is_draft(n))
		xattrs_of_draft(fs->drafts, n, out);
	else
		out->n = out->view->ops->xattrs(out->view, node_etag(n), a.size, node_record(n),
						out->x);
}

static void
reply_xattr(fuse_req_t req, const char *value, size_t n, size_t size)
{
	if (size == 0)
		(void)fuse_reply_xattr(req, n);
	else if (size < n)
		(void)fuse_reply_err(req, ERANGE);
	else
		(void)fuse_reply_buf(req, value, n);
}

static void
answer_getxattr(fuse_req_t req, struct node *node, const char *name, size_t size)
{
	struct xattrs all;

	xattrs_of(fs_of(req), node, &all);
	for (unsigned i = 0; i < all.n; i++)
		if (strcmp(all.x[i].name, name) == 0) {
			reply_xattr(req, all.x[i].value, strlen(all.x[i].value), size);
			return;
		}
	(void)fuse_reply_err(req, ENODATA);
}

static void
answer_listxattr(fuse_req_t req, struct node *node, size_t size)
{
	char list[VIEW_XATTRS_MAX * 64];
	struct xattrs all;
	size_t at = 0;

	xattrs_of(fs_of(req), node, &all);
	for (unsigned i = 0; i < all.n; i++) {
		size_t len = strlen(all.x[i].name) + 1;

		if (at + len > sizeof(list))
			break;
		memcpy(list + at, all.x[i].name, len);
		at += len;
	}
	reply_xattr(req, list, at, size);
}

static void
run_xattr(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };

	if (tree_refresh(op->node, op_deadline(op), &e) < 0) {
		op_fail(op, "getxattr", &e);
		return;
	}
	if (!park_claim(&op->parked))
		;
	else if (op->name != NULL)
		answer_getxattr(op->parked.req, op->node, op->name, op->size);
	else
		answer_listxattr(op->parked.req, op->node, op->size);
	op_end(op);
}

/* Of a node that is only assumed, or was replaced meanwhile, the view is asked first. */
static void
submit_xattr(fuse_req_t req, struct node *n, const char *name, size_t size)
{
	struct op *op = op_new(fs_of(req), req, n);

	if (op == NULL)
		return;
	op->size = size;
	op->name = name != NULL ? strdup(name) : NULL;
	if (name != NULL && op->name == NULL) {
		const struct err e = { .no = ENOMEM };

		op_fail(op, "getxattr", &e);
		return;
	}
	op_submit(op, LANE_META, run_xattr);
}

void
fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct node *n = fs_node(req, ino);

	if (node_is_open(n) || tree_fresh(n))
		answer_getxattr(req, n, name, size);
	else
		submit_xattr(req, n, name, size);
}

void
fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct node *n = fs_node(req, ino);

	if (node_is_open(n) || tree_fresh(n))
		answer_listxattr(req, n, size);
	else
		submit_xattr(req, n, NULL, size);
}
