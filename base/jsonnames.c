/* SPDX-License-Identifier: MIT */
/* Names of open objects: see jsonnames.h. */
#include "base/jsonnames.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum {
	NAMES_FIRST = 64,     /* a power of two */
	NAMES_KEPT = 1 << 12, /* room that outlives the text that needed it */
	NAMES_MAX = 1 << 28,
	PLAIN_MAX = 1 << 30
};

struct name {
	const uint8_t *p; /* in the text; NULL: at off of plain */
	size_t off, n;
	uint64_t hash;	 /* of the object and the name */
	uint32_t object; /* how many names were there when it began: no two open ones share that */
	uint32_t place;	 /* in the table */
};

struct jsonnames {
	uint64_t key[2];
	struct name *name;
	uint32_t *table;			/* index of a name + 1, 0 = free; linear probing */
	uint32_t n, room;			/* names; the table has twice the room */
	uint32_t first[JSONSCAN_DEPTH_MAX + 1]; /* by depth */
	size_t first_plain[JSONSCAN_DEPTH_MAX + 1];
	struct buf plain; /* names that held escapes */
};

/*
 * ---- SipHash-1-3 of Aumasson and Bernstein: who does not know the key cannot make names collide
 */

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static uint64_t
hash_of(const uint64_t key[static 2], uint32_t object, struct span name)
{
	struct sip s = { key[0] ^ UINT64_C(0x736f6d6570736575),
			 key[1] ^ UINT64_C(0x646f72616e646f6d),
			 key[0] ^ UINT64_C(0x6c7967656e657261),
			 key[1] ^ UINT64_C(0x7465646279746573) };
	uint64_t word;

	sip_word(&s, object);
	for (; name.n >= sizeof(word); name.p += sizeof(word), name.n -= sizeof(word)) {
		memcpy(&word, name.p, sizeof(word));
		sip_word(&s, word);
	}
	word = (uint64_t)name.n << 56;
	for (size_t i = 0; i < name.n; i++)
		word |= (uint64_t)name.p[i] << 8 * i;
	sip_word(&s, word);
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* ---- the table ---- */

static void
put(struct jsonnames *n, uint32_t index)
{
	const uint32_t mask = 2 * n->room - 1;
	uint32_t at = (uint32_t)n->name[index].hash & mask;

	while (n->table[at] != 0)
		at = (at + 1) & mask;
	n->table[at] = index + 1;
	n->name[index].place = at;
}

static void
release(struct jsonnames *n)
{
	if (n->name != NULL)
		explicit_bzero(n->name, n->room * sizeof(*n->name));
	free(n->name);
	free(n->table);
	n->name = NULL;
	n->table = NULL;
	n->n = n->room = 0;
}

/* Twice the room.  Names enter the new table in the order in which they came. */
static bool
grow(struct jsonnames *n)
{
	const uint32_t room = n->room == 0 ? NAMES_FIRST : 2 * n->room, had = n->n;
	struct name *name;
	uint32_t *table;

	if (room > NAMES_MAX)
		return false;
	name = malloc(room * sizeof(*name));
	table = calloc(2 * (size_t)room, sizeof(*table));
	if (name == NULL || table == NULL) {
		free(name);
		free(table);
		return false;
	}
	if (had > 0)
		memcpy(name, n->name, had * sizeof(*name));
	release(n);
	n->name = name;
	n->table = table;
	n->room = room;
	for (; n->n < had; n->n++)
		put(n, n->n);
	return true;
}

static struct span
text_of(const struct jsonnames *n, const struct name *name)
{
	return span_of(name->p != NULL ? name->p : n->plain.p + name->off, name->n);
}

static bool
is_there(const struct jsonnames *n, uint64_t hash, uint32_t object, struct span text)
{
	const uint32_t mask = 2 * n->room - 1;

	for (uint32_t at = (uint32_t)hash & mask; n->table[at] != 0; at = (at + 1) & mask) {
		const struct name *other = &n->name[n->table[at] - 1];

		if (other->hash == hash && other->object == object && other->n == text.n &&
		    (text.n == 0 || memcmp(text_of(n, other).p, text.p, text.n) == 0))
			return true;
	}
	return false;
}

/* ---- for the scanner, and for who owns it ---- */

int
jsonnames_new(uint64_t seed, struct jsonnames **out, struct err *e)
{
	struct jsonnames *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return err_set(e, ENOMEM, "out of memory");
	n->key[0] = seed;
	n->key[1] = rotate(seed, 32) * UINT64_C(0x9e3779b97f4a7c15);
	buf_init(&n->plain, PLAIN_MAX);
	*out = n;
	return 0;
}

void
jsonnames_free(struct jsonnames *n)
{
	if (n == NULL)
		return;
	release(n);
	buf_clear(&n->plain);
	explicit_bzero(n, sizeof(*n));
	free(n);
}

static void
forget_from(struct jsonnames *n, uint32_t first, size_t first_plain)
{
	while (n->n > first)
		n->table[n->name[--n->n].place] = 0;
	n->plain.n = first_plain;
}

void
jsonnames_reset(struct jsonnames *n)
{
	if (n->room > NAMES_KEPT)
		release(n);
	else
		forget_from(n, 0, 0);
	if (n->plain.room > NAMES_KEPT)
		buf_clear(&n->plain);
	else
		buf_reset(&n->plain);
}

void
jsonnames_open(struct jsonnames *n, unsigned depth)
{
	n->first[depth] = n->n;
	n->first_plain[depth] = n->plain.n;
}

enum jsonnames_answer
jsonnames_add(struct jsonnames *n, unsigned depth, struct span raw, bool escaped)
{
	struct name name = { .p = raw.p, .n = raw.n, .object = n->first[depth] };

	if (n->n == n->room && !grow(n))
		return JSONNAMES_NO_MEMORY;
	if (escaped) {
		struct err ignored = { 0 };

		name.p = NULL;
		name.off = n->plain.n;
		if (jsonscan_unescape(raw, &n->plain, &ignored) < 0)
			return JSONNAMES_NO_MEMORY;
		name.n = n->plain.n - name.off;
	}
	name.hash = hash_of(n->key, name.object, text_of(n, &name));
	if (is_there(n, name.hash, name.object, text_of(n, &name)))
		return JSONNAMES_AGAIN;
	n->name[n->n] = name;
	put(n, n->n++);
	return JSONNAMES_NEW;
}

void
jsonnames_close(struct jsonnames *n, unsigned depth)
{
	forget_from(n, n->first[depth], n->first_plain[depth]);
}
