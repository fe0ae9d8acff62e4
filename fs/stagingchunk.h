/* SPDX-License-Identifier: MIT */
/*
 * The chunks of a staging, hot and sealed: what staging.c moves bytes in and out of.
 *
 * A chunk is hot (plain, in memory), or as its entry of the table says.  Sealing never touches the
 * plain bytes: a chunk that finds no room stays hot as it is.
 *
 * Charged to the budget: sealed chunks, and hot ones beyond STAGING_HOT_MIN.  What a staging cannot
 * do without (STAGING_OWN: those, two blocks into which the next chunks are sealed, and a write
 * that waits) is charged as long as that does not fail; it counts like sealed chunks, of which
 * fewer are kept in memory then.
 */
#ifndef FS_STAGINGCHUNK_H
#define FS_STAGINGCHUNK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/num.h"
#include "crypto/chunkseal.h"
#include "fs/staging.h"
#include "fs/stagingfile.h"
#include "fs/stagingtable.h"

struct staging_area {
	struct budget *budget;
	char *dir;
	struct chunkseal_key *key;
	uint64_t sealed_max, hot_max, own_max; /* of sealed: own_max without the chunks */
	_Atomic uint64_t sealed; /* bytes of sealed chunks in memory, and STAGING_OWN */
	_Atomic uint64_t hot;	 /* and of hot ones that are charged */
	_Atomic uint64_t serial; /* the last staging's */
};

enum { STAGING_OWN = (STAGING_HOT_MIN + 2) * STAGING_CHUNK + (1 << 20) };

struct staging_hot {
	uint64_t index;
	uint8_t *p; /* STAGING_CHUNK bytes, wiped when given up */
};

/* Of staging_lend.  While it is out the borrower has what stands behind `out`. */
struct staging_loan {
	uint64_t index;
	bool out;
	const uint8_t *p;
	uint8_t *sealed; /* NULL, or a block: the chunk is to be put away ... */
	bool in_memory;	 /* ... in memory: the block is charged; else in the file */
	struct chunkseal_mark mark;
	struct chunkseal *sealer; /* the borrower's own */
};

struct staging {
	struct staging_area *area;
	struct chunkseal *sealer; /* NULL until the first chunk is sealed */
	uint64_t serial;
	uint64_t size;
	struct view_plain base;
	uint64_t base_end;			 /* bytes of the base that still count; <= size */
	struct staging_hot hot[STAGING_HOT_MAX]; /* the last used one first */
	unsigned n_hot;
	bool full;	/* there was no memory for one more hot chunk */
	bool own;	/* STAGING_OWN is charged */
	uint8_t *spare; /* NULL, or a block for what is sealed next; holds nothing plain */
	struct staging_table table;
	struct staging_file file;
	struct staging_loan loan;
};

/* A stretch of one chunk. */
struct staging_part {
	uint64_t index;
	size_t from, to; /* within the chunk */
};

static inline struct staging_part
staging_part_at(uint64_t off, uint64_t n)
{
	const size_t from = (size_t)(off % STAGING_CHUNK);

	return (struct staging_part){ off / STAGING_CHUNK, from,
				      from + (size_t)u64_min(n, STAGING_CHUNK - from) };
}

static inline size_t
staging_part_len(struct staging_part p)
{
	return p.to - p.from;
}

static inline bool
staging_part_is_whole(struct staging_part p)
{
	return staging_part_len(p) == STAGING_CHUNK;
}

/* Takes memory for n bytes of sealed chunks, or gives it back. */
bool staging_take_sealed(struct staging *s, uint64_t n);
void staging_give_sealed(struct staging *s, uint64_t n);
/* A block for a sealed chunk, NULL when there is no memory; and what becomes of it. */
uint8_t *staging_spare_take(struct staging *s);
void staging_spare_give(struct staging *s, uint8_t *p); /* NULL is fine */
struct chunkseal_place staging_place(const struct staging *s, uint64_t index);
/* Whether the hot chunk would be let go of without being sealed first. */
bool staging_is_put_away(const struct staging *s, const struct staging_hot *h);
/* Whether the blocks for n more hot chunks are had from such ones, all outside of [from, to). */
bool staging_has_put_away(const struct staging *s, uint64_t n, uint64_t from, uint64_t to);

/* The hot chunk of that number, NULL when it is not. */
const struct staging_hot *staging_find_hot(const struct staging *s, uint64_t index);
/* What the staging has to be charged for is not there any more. */
void staging_give_own(struct staging *s);
/* Gives up the hot chunks from that number on, wiped. */
void staging_cool(struct staging *s, uint64_t index);
/* Lets go of the sealed form of a chunk. */
void staging_forget(struct staging *s, struct staging_chunk *c);

/* Bytes that nobody has written: the base's, then zeros. */
int staging_unwritten(struct staging *s, struct staging_part p, uint8_t *out,
		      struct err *e) MUST_CHECK;
/* All of a sealed chunk to p; wiped when it does not verify.  -EIO (event "local.staging"). */
int staging_open(struct staging *s, const struct staging_chunk *c, uint64_t index, uint8_t *p,
		 struct err *e) MUST_CHECK;
/* Makes a chunk hot, but for the part that the caller overwrites at once.  -ENOSPC, -ENOMEM: what
 * would have to give way finds no room. */
int staging_warm(struct staging *s, struct staging_part over, uint8_t **out,
		 struct err *e) MUST_CHECK;
/* The same to be changed: what is sealed of it does not count any more. */
int staging_warm_to_change(struct staging *s, struct staging_part over, uint8_t **out,
			   struct err *e) MUST_CHECK;

#endif
