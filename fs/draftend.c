/* SPDX-License-Identifier: MIT */
/* Drafts at the end of a mount: see draft.h. */
#include "base/log.h"
#include "fs/draftfile.h"

void
drafts_refuse(struct drafts *s)
{
	mutex_lock(&s->mu);
	s->refuse = true;
	mutex_unlock(&s->mu);
}

unsigned
drafts_busy(struct drafts *s)
{
	unsigned n;

	mutex_lock(&s->mu);
	n = s->writers + s->publishing;
	mutex_unlock(&s->mu);
	return n;
}

void
drafts_finish(struct drafts *s)
{
	mutex_lock(&s->mu);
	while (s->publishing > 0)
		(void)pthread_cond_wait(&s->quiet, &s->mu);
	mutex_unlock(&s->mu);
}

void
drafts_stop(struct drafts *s)
{
	mutex_lock(&s->mu);
	s->stop = s->refuse = true;
	mutex_unlock(&s->mu);
}

static void
log_lost(const struct draft *d)
{
	struct err ignored = { 0 };
	struct node_attr a;
	AUTO_BUF path;

	buf_init(&path, DRAFT_PATH_MAX);
	node_attr(d->node, &a);
	if (node_full_path(d->node, &path, &ignored) == 0)
		log_event(LOG_LEVEL_ERROR, "write.lost", "'%s': %llu bytes were not published: %s",
			  buf_str(&path), (unsigned long long)a.size,
			  d->local ? "it had no name that the store takes"
				   : "it was not closed before the mount ended");
}

/* The lock is held while the log is written: by now nobody waits for it. */
void
drafts_log_lost(struct drafts *s)
{
	mutex_lock(&s->mu);
	for (const struct draft *d = s->first; d != NULL; d = d->next)
		if (d->dirty && !d->unlinked && !d->told) {
			log_lost(d);
			s->lost++;
		}
	mutex_unlock(&s->mu);
}

unsigned
drafts_lost(struct drafts *s)
{
	unsigned n;

	mutex_lock(&s->mu);
	n = s->lost;
	mutex_unlock(&s->mu);
	return n;
}
