/* SPDX-License-Identifier: MIT */
/* Uploads in blocks to a dir: store: see dirupload.h. */
#include "backend/store/dirupload.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/store/dirstage.h"
#include "base/mutex.h"

/* Where a block lies; len 0: it has not been sent. */
struct sent {
	uint64_t off;
	uint32_t len;
};

struct dirupload {
	struct store_upload id;
	int fd;
	unsigned users; /* calls that use fd now, and one for being in the list */
	struct sent *sent;
	uint32_t room;
	struct dirupload *next;
};

void
diruploads_init(struct diruploads *all)
{
	all->first = NULL;
	(void)pthread_mutex_init(&all->lock, NULL);
}

static void
release(struct diruploads *all, struct dirupload *u)
{
	bool last;

	mutex_lock(&all->lock);
	last = --u->users == 0;
	mutex_unlock(&all->lock);
	if (!last)
		return;
	(void)close(u->fd);
	free(u->sent);
	free(u);
}

static struct dirupload *
find_locked(struct diruploads *all, const struct store_upload *id)
{
	for (struct dirupload *u = all->first; u != NULL; u = u->next)
		if (memcmp(u->id.id, id->id, sizeof(id->id)) == 0)
			return u;
	return NULL;
}

static struct dirupload *
acquire(struct diruploads *all, const struct store_upload *id)
{
	struct dirupload *u;

	mutex_lock(&all->lock);
	u = find_locked(all, id);
	if (u != NULL)
		u->users++;
	mutex_unlock(&all->lock);
	return u;
}

/* Two threads may come with a first block at once: both open the file, and one of them counts. */
static struct dirupload *
insert_take(struct diruploads *all, struct dirupload *mine)
{
	struct dirupload *u;

	mutex_lock(&all->lock);
	u = find_locked(all, &mine->id);
	if (u == NULL) {
		u = mine;
		u->users++;
		u->next = all->first;
		all->first = u;
	} else {
		u->users++;
	}
	mutex_unlock(&all->lock);
	if (u != mine)
		release(all, mine);
	return u;
}

static int
begin(struct diruploads *all, int stage, const struct store_upload *id, struct dirupload **out,
      struct err *e)
{
	struct dirupload *u = acquire(all, id);
	char file[DIRSTAGE_FILE];
	int r;

	if (u == NULL) {
		u = calloc(1, sizeof(*u));
		if (u == NULL)
			return err_set(e, ENOMEM, "out of memory");
		u->id = *id;
		u->users = 1;
		dirstage_name(id->id, dirstage_part, file);
		r = dirstage_make(stage, file, &u->fd, e);
		if (r < 0) {
			free(u);
			return r;
		}
		u = insert_take(all, u);
	}
	*out = u;
	return 0;
}

static int
note_locked(struct dirupload *u, const struct store_block *b, struct err *e)
{
	uint32_t room = u->room > 0 ? u->room : 16;
	struct sent *sent;

	if (b->number >= u->room) {
		while (room <= b->number)
			room *= 2;
		sent = reallocarray(u->sent, room, sizeof(*sent));
		if (sent == NULL)
			return err_set(e, ENOMEM, "out of memory");
		memset(sent + u->room, 0, (room - u->room) * sizeof(*sent));
		u->sent = sent;
		u->room = room;
	}
	u->sent[b->number] = (struct sent){ b->off, (uint32_t)b->bytes.n };
	return 0;
}

int
dirupload_block(struct diruploads *all, int stage, const struct store_upload *id,
		const struct store_block *b, struct deadline d, struct err *e)
{
	struct dirupload *u;
	int r = begin(all, stage, id, &u, e);

	if (r < 0)
		return r;
	r = dirstage_write(u->fd, b->bytes, b->off, d, e);
	if (r == 0) {
		mutex_lock(&all->lock);
		r = note_locked(u, b, e);
		mutex_unlock(&all->lock);
	}
	release(all, u);
	return r;
}

/* Whether the blocks lie one after the other, without a gap. */
static bool
adds_up_locked(const struct dirupload *u, uint32_t n_blocks, uint64_t size)
{
	uint64_t at = 0;

	if (n_blocks > u->room)
		return false;
	for (uint32_t i = 0; i < n_blocks; i++) {
		if (u->sent[i].len == 0 || u->sent[i].off != at)
			return false;
		at += u->sent[i].len;
	}
	return at == size;
}

int
dirupload_finish(struct diruploads *all, const struct store_upload *id, uint32_t n_blocks,
		 uint64_t size, struct err *e)
{
	struct dirupload *u = acquire(all, id);
	bool whole;
	int r;

	if (u == NULL)
		return err_set(e, EINVAL, "no block of this upload has been sent");
	mutex_lock(&all->lock);
	whole = adds_up_locked(u, n_blocks, size);
	mutex_unlock(&all->lock);
	if (!whole)
		r = err_set(e, EINVAL, "the blocks do not make up the object");
	else if (ftruncate(u->fd, (off_t)size) < 0)
		r = err_set(e, errno, "cannot cut the content: %s", strerrordesc_np(errno));
	else
		r = dirstage_sync(u->fd, e);
	release(all, u);
	return r;
}

void
dirupload_end(struct diruploads *all, int stage, const struct store_upload *id)
{
	struct dirupload **at, *u = NULL;
	char file[DIRSTAGE_FILE];

	mutex_lock(&all->lock);
	for (at = &all->first; *at != NULL; at = &(*at)->next)
		if (memcmp((*at)->id.id, id->id, sizeof(id->id)) == 0) {
			u = *at;
			*at = u->next;
			break;
		}
	mutex_unlock(&all->lock);
	dirstage_name(id->id, dirstage_part, file);
	if (stage >= 0)
		(void)unlinkat(stage, file, 0);
	if (u != NULL)
		release(all, u);
}

void
diruploads_clear(struct diruploads *all, int objects)
{
	struct err ignored = { 0 };
	int stage = -1;

	if (all->first != NULL && dirstage_open(objects, &stage, &ignored) < 0)
		stage = -1;
	while (all->first != NULL) {
		const struct store_upload id = all->first->id;

		dirupload_end(all, stage, &id);
	}
	if (stage >= 0)
		(void)close(stage);
	(void)pthread_mutex_destroy(&all->lock);
}
