/* SPDX-License-Identifier: MIT */
/*
 * A random tester of file systems: what it does to a directory it does to a model in memory, and
 * both must agree.  See fsx.c for how it is called.
 *
 * A slot is one name.  It has the bytes that this mount must show (local), and those that everybody
 * else must see (published): local becomes published by an fsync that succeeds, or by a writer's
 * close, if this process has no other descriptor that writes the file; by no other close.
 *
 * A descriptor that only reads is one of two things, and the mount can be asked which: it shares
 * what is being written, or it is pinned to the version that it was opened on.  A pinned one must
 * show exactly that version's size and bytes whatever becomes of the name, or ESTALE for bytes when
 * the version has been replaced; never others, never a mix.
 *
 * Somebody else may change the file (remote.c).  Who writes it here is overtaken then: what is
 * published next must fail, and the other's bytes must stay.
 */
#ifndef TESTS_FSX_FSX_H
#define TESTS_FSX_FSX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HANDLES_MAX = 4, SLOTS_MAX = 64, LINE_MAX_LOG = 160 };

/* The bytes of a name, or none at all. */
struct content {
	unsigned char *bytes;
	uint64_t size, room;
	bool absent;
};

struct handle {
	int fd;
	int flags; /* as opened */
	bool pinned;
	bool behind;	    /* pinned, and the name has other bytes by now: these are old */
	bool replaced;	    /* behind, and the store may have them no more */
	struct content old; /* of one that is behind */
};

struct slot {
	unsigned number;
	char path[4096];
	char check[4096]; /* in the second mount */
	uint64_t max_size;
	struct content local, published;
	bool dirty;
	bool overtaken; /* published has been replaced by somebody else, under a file in use here */
	struct handle handles[HANDLES_MAX];
	unsigned n_handles;
};

enum plant { PLANT_NONE, PLANT_FLIP, PLANT_TRUNCATE, PLANT_APPEND, PLANT_RENAME };

struct options {
	uint64_t seed, ops, max_size, check_wait_ms;
	unsigned files, threads, log, check_every, reopen_every, remote_every;
	const char *dir, *check, *remote;
	bool tolerate;
	enum plant plant;
	uint64_t plant_at; /* the operation from which on the fault is done */
};

struct counts {
	uint64_t ops, reads, writes, truncates, maps, opens, publishes, renames, unlinks, checks,
		reopens;
	uint64_t pinned, behind, stale; /* opened so, read so, and refused so */
	uint64_t peeks, remote, lost, errors, settled;
};

struct fsx {
	struct options opt;
	unsigned thread; /* from 0 */
	bool mounted;	 /* what is tested can be asked whether a file is being written */
	struct slot slots[SLOTS_MAX];
	struct counts n;
	uint64_t dice;
	unsigned char *scratch; /* max_size + some */
	char (*log)[LINE_MAX_LOG];
};

/* ---- model.c */

uint64_t fsx_random(struct fsx *x);
uint64_t fsx_below(struct fsx *x, uint64_t limit); /* 0 for a limit of 0 */
bool fsx_one_in(struct fsx *x, unsigned n);	   /* never for 0 */
/* An offset with a bias to the edges of pages, chunks and regions; at most limit. */
uint64_t fsx_offset(struct fsx *x, uint64_t limit);
uint64_t fsx_length(struct fsx *x, uint64_t limit); /* 1..limit, small ones more often */
void fsx_fill(struct fsx *x, unsigned char *out, size_t n);
/* Whether the planted fault is to be done now, at one of four chances; says so in the log. */
bool fsx_plants(struct fsx *x, enum plant which);

void content_write(struct content *c, uint64_t off, const void *bytes, uint64_t n);
void content_truncate(struct content *c, uint64_t size);
void content_copy(struct content *to, const struct content *from);
void content_remove(struct content *c);
void content_move(struct content *to, struct content *from); /* from is absent then */
void content_free(struct content *c);

void fsx_say(struct fsx *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints the last operations and ends with status 1: the file system and the model differ. */
_Noreturn void fsx_mismatch(struct fsx *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
_Noreturn void fsx_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- verify.c */

/* Reads [off, off + n) and more through a descriptor, against c: 0, or an errno. */
int verify_range(struct fsx *x, struct slot *s, const struct content *c, int fd, uint64_t off,
		 uint64_t n, const char *what);
/* The size, and some or all of the bytes, by a descriptor of its own: what this mount shows. */
void verify_reopen(struct fsx *x, struct slot *s);
/* What the second mount shows, at the latest after check_wait_ms. */
void verify_check(struct fsx *x, struct slot *s);
/* This mount must show local now, at the latest after a moment. */
void verify_arrives(struct fsx *x, struct slot *s);
/*
 * After an error: closes every handle, reads what is there now and adopts it.  It must be one of
 * the states that the error permits: what was published, local, and those that are given (may be
 * NULL).  Of a file that was overtaken: what was published.
 */
void verify_settle(struct fsx *x, struct slot *s, const struct content *also,
		   const struct content *or_this);
void verify_pause(unsigned ms);

/* ---- handle.c */

bool handle_writes(const struct handle *h);
bool handle_reads(const struct handle *h);
bool handle_shares(const struct handle *h); /* what is being written */
/* One of those that fit, at random, or NULL. */
struct handle *handle_pick(struct fsx *x, struct slot *s, bool (*fits)(const struct handle *));
/* What it must show. */
const struct content *handle_content(const struct slot *s, const struct handle *h);
/* An error of a read by it: one that is permitted is counted. */
void handle_read_failed(struct fsx *x, struct slot *s, const struct handle *h, const char *what,
			int error);
void handle_open(struct fsx *x, struct slot *s);
void handle_close_any(struct fsx *x, struct slot *s);
/* By the rules: every close that publishes must succeed.  Pinned ones stay open. */
void handle_close_sharing(struct fsx *x, struct slot *s);
void handle_close_every(struct fsx *x, struct slot *s);
/* Whatever comes of it. */
void handle_drop_all(struct fsx *x, struct slot *s);
/* Local is about to change: pinned descriptors stay with what it was. */
void handle_leave_behind(struct slot *s);
/* Everybody must see now what this mount shows. */
void handle_published(struct fsx *x, struct slot *s);
/* Waits until no draft of the file is left that nobody has open. */
void handle_wait_idle(struct fsx *x, struct slot *s);

/* ---- ops.c */

/* One operation on a slot, chosen at random. */
void op_any(struct fsx *x, struct slot *s);
/* An operation failed: counted where it is permitted, else the end. */
void op_failed(struct fsx *x, struct slot *s, const char *what, int error);
/* What is wrong with bytes that go now will never be seen: looks first, mostly. */
void op_before_loss(struct fsx *x, struct slot *s, bool loses);
/* Reads what another thread has. */
void op_peek(struct fsx *x);

/* ---- remote.c */

/* Somebody else creates, replaces or deletes the file. */
void op_remote(struct fsx *x, struct slot *s);

#endif
