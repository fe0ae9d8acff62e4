/* SPDX-License-Identifier: MIT */
/* What could not be published, when nobody was there to hear of it: see draft.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/draftfile.h"

/* That of the path, whose loss does not count twice; or else the oldest, whose loss is a loss. */
static struct draft_error *
error_slot_locked(struct drafts *s, const char *path)
{
	for (unsigned i = 0; i < DRAFT_ERRORS; i++) {
		struct draft_error *x = &s->error[i];

		if (x->path == NULL || strcmp(x->path, path) != 0)
			continue;
		s->lost -= x->lost;
		return x;
	}
	return &s->error[s->next_error++ % DRAFT_ERRORS];
}

static void
remember(struct drafts *s, struct node *n, const struct err *e, bool lost)
{
	struct err ignored = { 0 };
	struct draft_error *slot;
	AUTO_BUF path;
	char *copy;

	buf_init(&path, DRAFT_PATH_MAX);
	copy = node_full_path(n, &path, &ignored) == 0 ? strdup(buf_str(&path)) : NULL;
	if (copy == NULL)
		return;
	mutex_lock(&s->mu);
	slot = error_slot_locked(s, copy);
	if (slot->path == NULL)
		(void)atomic_fetch_add(&s->errors, 1);
	free(slot->path);
	*slot = (struct draft_error){ copy, e->no, lost };
	mutex_unlock(&s->mu);
}

int
drafts_told_late(struct drafts *s, struct node *n, const char *name, struct err *e)
{
	AUTO_BUF path;
	int no = 0, r;

	if (s == NULL || atomic_load(&s->errors) == 0)
		return 0;
	buf_init(&path, DRAFT_PATH_MAX);
	r = node_full_path(n, &path, e);
	if (r == 0 && name != NULL && path.n > 1)
		r = buf_add_str(&path, "/", e);
	if (r == 0 && name != NULL)
		r = buf_add_str(&path, name, e);
	if (r < 0)
		return r;
	mutex_lock(&s->mu);
	for (unsigned i = 0; i < DRAFT_ERRORS && no == 0; i++) {
		struct draft_error *x = &s->error[i];

		if (x->path == NULL || strcmp(x->path, buf_str(&path)) != 0)
			continue;
		no = x->no;
		s->lost -= x->lost;
		free(x->path);
		*x = (struct draft_error){ 0 };
		(void)atomic_fetch_sub(&s->errors, 1);
	}
	mutex_unlock(&s->mu);
	if (no == 0)
		return 0;
	/* After ESTALE the kernel would open once more, and nobody had heard of it. */
	return err_set(e, no == ESTALE ? EIO : no,
		       "what was written to it before was not published");
}

void
draft_tell_late(struct draft *d, struct err *e)
{
	struct err ignored = { 0 };
	AUTO_BUF path;
	bool lost;

	buf_init(&path, DRAFT_PATH_MAX);
	if (node_full_path(d->node, &path, &ignored) < 0)
		return;
	e->event = "write.failed";
	if (e->advice == NULL)
		e->advice = "what is in the store is unchanged; write the file again";
	log_err(LOG_LEVEL_ERROR, e, "publish '%s'", buf_str(&path));
	mutex_lock(&d->all->mu);
	lost = d->dirty;
	d->told = true;
	d->all->lost += lost;
	mutex_unlock(&d->all->mu);
	remember(d->all, d->node, e, lost);
}

void
draft_unheard(struct draft *d, struct err *e)
{
	bool lacks;

	mutex_lock(&d->all->mu);
	d->told &= e->no != ECANCELED;
	lacks = (d->dirty || d->stamped) && !d->local && !d->unlinked && e->no != ECANCELED;
	mutex_unlock(&d->all->mu);
	if (lacks)
		draft_tell_late(d, e);
}
