/* SPDX-License-Identifier: MIT */
/* A set of names: see nameset.h. */
#include "fs/nameset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/mac.h"

enum { SLOTS_MIN = 256, ENTRY_OVERHEAD = 32 };

void
nameset_init(struct nameset *s, struct budget *budget)
{
	*s = (struct nameset){ .budget = budget };
}

void
nameset_clear(struct nameset *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->entry[i].name);
		free(s->entry[i].note);
	}
	free(s->entry);
	free(s->slot);
	budget_give(s->budget, BUDGET_METADATA, s->charged);
	nameset_init(s, s->budget);
}

/* Names come from strangers: only a hash that they cannot steer keeps chains short. */
static int
hash_of(const char *name, uint64_t *out, struct err *e)
{
	uint8_t sum[SHA256_LEN];
	int r = sha256(span_str(name), sum, e);

	if (r == 0)
		memcpy(out, sum, sizeof(*out));
	return r;
}

static size_t
slot_of(const struct nameset *s, const char *name, uint64_t hash)
{
	size_t i = (size_t)hash & (s->n_slots - 1);

	while (s->slot[i] != 0 && strcmp(s->entry[s->slot[i] - 1].name, name) != 0)
		i = (i + 1) & (s->n_slots - 1);
	return i;
}

static int
charge(struct nameset *s, uint64_t bytes, struct err *e)
{
	if (!budget_try(s->budget, BUDGET_METADATA, bytes)) {
		(void)err_set(e, EFBIG, "more names than memory= holds");
		return err_mark(e, NULL, "raise memory=, or name what you look for in the path");
	}
	s->charged += bytes;
	return 0;
}

static int
rehash(struct nameset *s, struct err *e)
{
	uint64_t hash = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n; i++) {
		r = hash_of(s->entry[i].name, &hash, e);
		if (r == 0)
			s->slot[slot_of(s, s->entry[i].name, hash)] = (uint32_t)i + 1;
	}
	return r;
}

/* At most half of the slots are ever taken. */
static int
grow(struct nameset *s, struct err *e)
{
	const size_t n_slots = s->n_slots == 0 ? SLOTS_MIN : s->n_slots * 2, room = n_slots / 2;
	struct nameset_entry *entry;
	uint32_t *slot;
	int r;

	if (s->n < s->room)
		return 0;
	r = charge(s, (n_slots - s->n_slots) * sizeof(*slot) + (room - s->room) * sizeof(*entry),
		   e);
	if (r < 0)
		return r;
	entry = reallocarray(s->entry, room, sizeof(*entry)); /* not secret */
	if (entry != NULL)
		s->entry = entry;
	slot = calloc(n_slots, sizeof(*slot));
	if (entry == NULL || slot == NULL) {
		free(slot);
		return err_set(e, ENOMEM, "out of memory");
	}
	free(s->slot);
	s->slot = slot;
	s->n_slots = n_slots;
	s->room = room;
	return rehash(s, e);
}

int
nameset_add(struct nameset *s, const char *name, const char *note, struct err *e)
{
	struct nameset_entry x = { NULL, NULL };
	uint64_t hash = 0;
	size_t at;
	int r = grow(s, e);

	if (r == 0)
		r = hash_of(name, &hash, e);
	if (r < 0)
		return r;
	at = slot_of(s, name, hash);
	if (s->slot[at] != 0)
		return 0;
	r = charge(s, strlen(name) + (note != NULL ? strlen(note) : 0) + ENTRY_OVERHEAD, e);
	if (r < 0)
		return r;
	x.name = strdup(name);
	x.note = note != NULL ? strdup(note) : NULL;
	if (x.name == NULL || (note != NULL && x.note == NULL)) {
		free(x.name);
		free(x.note);
		return err_set(e, ENOMEM, "out of memory");
	}
	s->entry[s->n++] = x;
	s->slot[at] = (uint32_t)s->n;
	return 0;
}

long
nameset_find(const struct nameset *s, const char *name)
{
	struct err ignored = { 0 };
	uint64_t hash = 0;

	if (s->n == 0 || hash_of(name, &hash, &ignored) < 0)
		return -1;
	return (long)s->slot[slot_of(s, name, hash)] - 1;
}
