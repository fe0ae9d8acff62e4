/* SPDX-License-Identifier: MIT */
/*
 * A draft, for the files that draft.h names.
 *
 * One lock (rank 0: the node table's may be taken under it) guards all drafts of a mount; it is
 * never held across I/O.  Beyond it there are two rights, each had by one thread at a time:
 *
 *   the turn   who changes the content, the version or the name, or publishes
 *   the desk   who calls the staging area; had for one call
 *
 * The desk may be taken with the turn, never the other way round.
 *
 * While a file grows a job gives its full regions to the sealing, without the turn: what it reads
 * was written before, and whoever wants to change that, or to use the sealing, waits for it.
 */
#ifndef FS_DRAFTFILE_H
#define FS_DRAFTFILE_H

#include <stdatomic.h>

#include "base/mutex.h"
#include "fs/draft.h"

enum { DRAFT_ERRORS = 64, DRAFT_PATH_MAX = 64 << 10 };

/* What the name means in the store, as far as this mount knows. */
struct draft_version {
	char *etag; /* owned; NULL: nothing */
	struct view_record *record;
	uint64_t size;
	int64_t mtime_ns;
	bool exact;
};

struct draft {
	struct drafts *all;
	struct draft *next, **link; /* link NULL: it is over */
	struct node *node;	    /* a reference; its name changes with lock and turn */
	struct view *view;
	pthread_cond_t changed; /* turn or desk was given back */
	struct pool_job job;	/* publishes when the last writer is gone */
	struct pool_job give;	/* gives full regions to the sealing */

	/* --- with the lock --- */
	unsigned holds, writers;
	bool turn, desk;
	bool dirty;	  /* content that no version has */
	bool stamped;	  /* an mtime that no version has */
	bool local;	  /* nothing of it is published until it is renamed */
	bool unlinked;	  /* nothing of it is published any more */
	bool told;	  /* somebody knows that publishing failed, and has written nothing since */
	bool queued;	  /* job */
	unsigned awaited; /* opens that will come: the kernel was told to look again ... */
	int64_t awaited_until_ns; /* ... unless it does not */
	int64_t mtime_ns;
	bool giving;	/* job give uses the sealing: nobody else does */
	uint64_t gave;	/* bytes that it has given, and who has the turn does not know */
	bool not_given; /* the same of its failure */

	/* --- with the turn (the version: and with lock and desk, to change it) --- */
	struct draft_version version;	/* what the next publish replaces */
	struct view_sealing *sealing;	/* regions are given to it while the file grows; or NULL */
	uint64_t given;			/* bytes that were */
	bool early;			/* so far every write was at the end */
	int broken;			/* errno of writes that failed ... */
	uint64_t broken_at, broken_end; /* ... and where, until that was written after all */

	/* --- with the desk --- */
	struct staging *staging;
	struct view_file *base; /* the version, open for reading; NULL: not yet */
};

struct draft_error {
	char *path; /* in the mount; owned */
	int no;
	bool lost; /* counted as lost until somebody is told */
};

struct drafts {
	pthread_mutex_t mu;
	pthread_cond_t quiet; /* fewer are busy */
	struct drafts_config cfg;
	struct draft *first;
	unsigned writers, publishing, lost;
	atomic_uint awaited;	/* of all drafts */
	_Atomic uint64_t mount; /* its number, once it has been asked for */
	bool refuse, stop;
	struct draft_error error[DRAFT_ERRORS];
	unsigned next_error;
	atomic_uint errors; /* how many there are */
};

void draft_take_turn(struct draft *d);
void draft_give_turn(struct draft *d);
void draft_take_desk(struct draft *d);
void draft_give_desk(struct draft *d);

bool draft_has_writers(struct draft *d);
/* Nobody holds it, or it never was anybody's. */
void draft_free(struct draft *d);
/* The draft's state has changed: publishes or ends it if that is what it asks for.  Unlocks. */
void draft_settle_unlock(struct draft *d);
int draft_version_copy(struct draft_version *out, const struct draft_version *v,
		       struct err *e) MUST_CHECK;
/*
 * With the turn: what the name means in the store is this from here on (takes what v owns); or the
 * draft has another name, which means that.
 */
void draft_set_version(struct draft *d, struct draft_version *v);
void draft_move(struct draft *d, struct node *to_dir, const char *to_name, struct draft_version *v);
void draft_version_clear(struct draft_version *v);
/* A sink that keeps one item in a draft_version. */
struct view_sink draft_version_sink(struct draft_version *v);

/* With the turn. */
int draft_truncate_turn(struct draft *d, uint64_t size, struct err *e) MUST_CHECK;

/* ---- sealing while a file grows (draftgrow.c); with the turn ---- */

/*
 * Has full regions given to a sealing.  The last one, full or not, is left for the commit.  The
 * writer may be ahead by some regions, which the staging area has plain; then it waits.  When it
 * fails nobody need know: publishing starts over.
 */
void draft_seal_early(struct draft *d);
/* Whether a write there must look after the sealing.  With the lock. */
bool draft_meets_sealing_locked(const struct draft *d, uint64_t off, uint64_t end);
/* Takes note of what has been given; wait: once all is that can be. */
void draft_collect(struct draft *d, bool wait);
/* Nothing is being given to the sealing any more. */
void draft_await_given(struct draft *d);
/* Forgets what was sealed early. */
void draft_drop_sealing(struct draft *d);
/* What was written so far, as view_plain. */
struct view_plain draft_plain(struct draft *d);

/* ---- publishing (draftpublish.c) ---- */

/* With the turn: publishes under that path in place of over. */
int draft_publish_as(struct draft *d, const char *path, const char *over, struct err *e) MUST_CHECK;
/* With the turn: publishes what is dirty. */
int draft_publish_turn(struct draft *d, struct err *e) MUST_CHECK;
void draft_run_publish(struct pool_job *job);
/* With the lock. */
bool draft_publishable_locked(const struct draft *d);

/* ---- telling late (drafttell.c) ---- */

/* Logs a failure that nobody hears of now, and remembers it for the next open. */
void draft_tell_late(struct draft *d, struct err *e);

#endif
