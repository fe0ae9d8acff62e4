/* SPDX-License-Identifier: MIT */
/* Requests that are worked on elsewhere, and open handles: see fs.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mutex.h"
#include "fs/caller.h"
#include "fs/dirstream.h"
#include "fs/fs.h"

struct fs *
fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

struct node *
fs_node(fuse_req_t req, fuse_ino_t ino)
{
	return tree_node(fs_of(req)->tree, ino);
}

/* ---- handles ---- */

struct handle *
handle_new(struct fs *fs, struct node *node)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	node_ref(node);
	node_opened(node, 1);
	h->node = node;
	h->refs = 1;
	mutex_lock(&fs->mu);
	h->next = fs->handles;
	h->link = &fs->handles;
	if (h->next != NULL)
		h->next->link = &h->next;
	fs->handles = h;
	mutex_unlock(&fs->mu);
	return h;
}

struct handle *
handle_of(struct fs *fs, const struct fuse_file_info *fi)
{
	struct handle *h = (struct handle *)(uintptr_t)fi->fh;

	mutex_lock(&fs->mu);
	h->refs++;
	mutex_unlock(&fs->mu);
	return h;
}

void
handle_put(struct fs *fs, struct handle *h)
{
	bool last;

	if (h == NULL)
		return;
	mutex_lock(&fs->mu);
	last = --h->refs == 0;
	if (last) {
		*h->link = h->next;
		if (h->next != NULL)
			h->next->link = h->link;
	}
	mutex_unlock(&fs->mu);
	if (!last)
		return;
	if (h->writes)
		draft_end_writer(h->draft);
	draft_put(h->draft);
	view_close(h->file);
	dirstream_free(h->stream);
	node_opened(h->node, -1);
	node_unref(h->node);
	free(h);
}

/* ---- ops ---- */

static void
op_free(struct parked *p)
{
	struct op *op = (struct op *)(void *)p;

	handle_put(op->fs, op->handle);
	node_unref(op->node);
	if (op->to_dir != NULL)
		node_unref(op->to_dir);
	free(op->name);
	free(op->to_name);
	if (op->has_room)
		op->bytes = atomic_exchange(&op->fs->room, op->bytes);
	if (op->bytes != NULL)
		explicit_bzero(op->bytes, op->has_room ? OP_ROOM : op->size);
	free(op->bytes);
	free(op);
}

bool
op_take_bytes(struct op *op, size_t n)
{
	op->has_room = n >= OP_ROOM_MIN && n <= OP_ROOM;
	if (op->has_room)
		op->bytes = atomic_exchange(&op->fs->room, NULL);
	if (op->bytes == NULL)
		op->bytes = malloc(op->has_room ? OP_ROOM : n > 0 ? n : 1);
	return op->bytes != NULL;
}

struct op *
op_new(struct fs *fs, fuse_req_t req, struct node *node)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL) {
		(void)fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	op->fs = fs;
	op->node = node;
	node_ref(node);
	op->read.deadline = deadline_in(engine_timeout_ns(fs->engine));
	park_init(&op->parked, req, fs->watch, op_free);
	return op;
}

void
op_submit(struct op *op, enum lane lane, void (*run)(struct pool_job *job))
{
	op->job.run = run;
	park(&op->parked);
	engine_submit(op->fs->engine, lane, &op->job);
}

struct deadline
op_deadline(const struct op *op)
{
	return op->read.deadline;
}

void
op_end(struct op *op)
{
	park_done(&op->parked);
}

void
op_answer(struct op *op, const char *what, int r, const struct err *e)
{
	if (r < 0) {
		op_fail(op, what, e);
		return;
	}
	if (park_claim(&op->parked))
		(void)fuse_reply_err(op->parked.req, 0);
	op_end(op);
}

/*
 * A name that is missing, or means another version by now, is an answer, unless somebody was
 * reading it; what an interrupted or stopped mount leaves undone is no event either, nor is an
 * offset that a stream has passed.
 */
static bool
worth_a_line(const struct err *e, const char *what)
{
	if (e->no == ENOENT || e->no == ESTALE)
		return strcmp(what, "read") == 0 || strcmp(what, "publish") == 0;
	if (e->no == EEXIST || e->no == ENOTEMPTY || e->no == EXDEV)
		return strcmp(what, "publish") == 0;
	return e->no != ECANCELED && e->no != ESPIPE && e->no != ESHUTDOWN;
}

static void
log_failure(const struct op *op, const char *what, const struct err *e)
{
	struct err ignored = { 0 };
	AUTO_BUF path;

	buf_init(&path, 64 << 10);
	if (worth_a_line(e, what) && node_full_path(op->node, &path, &ignored) == 0)
		log_err(LOG_LEVEL_ERROR, e, "%s '%s%s%s'", what, buf_str(&path),
			op->name != NULL && path.n > 1 ? "/" : "",
			op->name != NULL ? op->name : "");
}

static void
reply_failure(struct op *op, const struct err *e)
{
	(void)fuse_reply_err(op->parked.req, e->no == ECANCELED ? EIO : e->no);
}

void
op_fail(struct op *op, const char *what, const struct err *e)
{
	log_failure(op, what, e);
	if (park_claim(&op->parked))
		reply_failure(op, e);
	op_end(op);
}

void
op_fail_draft(struct op *op, const char *what, struct draft *d, struct err *e)
{
	const bool answers = park_claim(&op->parked);

	if (!answers || caller_state(op->parked.thread) == CALLER_ENDING)
		draft_unheard(d, e);
	log_failure(op, what, e);
	if (answers)
		reply_failure(op, e);
	op_end(op);
}
