/* SPDX-License-Identifier: MIT */
/*
 * The table of nodes behind tree.h: private to tree.c, treelookup.c and node.c.
 *
 * One lock (rank 1) guards the table and all that changes in nodes; functions that end in _locked
 * want it held. It is never held while a view is asked.
 */
#ifndef FS_NODE_H
#define FS_NODE_H

#include <stdatomic.h>

#include "base/mutex.h"
#include "fs/tree.h"

enum { MISSING_SLOTS = 4096, RECENT = 256 };
enum { NODE_ETAG_ROOM = 64 }; /* of a draft's node, for the version that it becomes */

struct node {
	struct tree *t;
	struct node *parent;	    /* holds a reference; NULL: the root */
	struct view *view;	    /* NULL: one of the mount's own directories */
	struct node *chain;	    /* hash bucket */
	struct node *newer, *older; /* all nodes by age */
	union {
		struct view_record *record; /* files */
		struct directory *d;	    /* directories: what listing them has told */
		struct draft *draft;	    /* drafted: NULL when that is over */
	};
	uint64_t ino, size;
	int64_t mtime_ns, learnt_ns, fresh_until_ns;
	uint32_t refs;	  /* references of this process: children, handles, work */
	uint32_t lookups; /* what the kernel counts */
	uint32_t bytes;	  /* charged to the budget */
	uint32_t opens;	  /* open handles */
	bool dir, view_root;
	atomic_bool drafted; /* what is being written: no version; its parent and name may change */
	bool exact : 1;
	bool linked : 1; /* this is what its name means now */
	bool ask : 1;	 /* see view_item */
	uint8_t n_name;	 /* strlen(name): etag follows its NUL */
	char name[];	 /* name NUL etag NUL */
};

struct directory {
	int64_t list_start_ns, list_until_ns; /* what the last listing gave is fresh until then */
	int64_t storm_since_ns;
	unsigned storm;	   /* stale names asked for since */
	unsigned entries;  /* of the listing that is under way or was the last */
	bool listed;	   /* has been listed once */
	bool refreshing;   /* somebody lists it again right now */
	struct node **own; /* children of the mount's own directories */
	unsigned n_own;
};

struct missing {	 /* a name that was looked for in vain, or removed */
	uint64_t number; /* names_ino of directory and name */
	int64_t until_ns;
	int64_t gone_ns; /* when this mount removed it: a listing that is older knows it still */
};

struct tree {
	pthread_mutex_t mu;
	pthread_cond_t refreshed;
	struct budget *budget;
	int64_t attr_timeout_ns, negative_timeout_ns, started_ns;
	struct node
		*recent[RECENT]; /* references to what was found but not yet told to the kernel */
	unsigned next_recent;
	struct missing missing[MISSING_SLOTS]; /* a name's slot is its number's: a later one takes
						  it over */
	struct node *root;
	struct node **bucket;
	size_t n_buckets, n_nodes;
	struct node *oldest, *newest;
};

/* Of which moment an attribute tells, and until when it may be shown. */
struct learnt {
	int64_t at_ns, fresh_until_ns;
};
static inline struct learnt
learnt_now(const struct tree *t)
{
	const int64_t now = clock_now_ns();

	return (struct learnt){ now, now + t->attr_timeout_ns };
}

/* Where the child of that name hangs: *slot is it, or NULL. */
struct node **node_slot_locked(struct tree *t, const struct node *parent, const char *name);
/* Makes the node what its name means, or takes that away from it. */
void node_link_locked(struct node *n);
void node_unlink_locked(struct node *n);

/*
 * A node with one reference, not yet linked; NULL when there is no memory for it (must: take it
 * all the same).
 */
struct node *node_new_locked(struct tree *t, struct node *parent, struct view *view,
			     const struct view_item *item, bool must);
/* The same for a draft: there is room for every name that it may get. */
struct node *node_new_draft_locked(struct node *dir, const struct view_item *item,
				   struct draft *draft);
/* The draft has become that version; false when the node has no room for it. */
bool node_become_locked(struct node *n, const struct view_item *item, struct learnt l);
/* Gives a draft's node, which is not linked, another name. */
void node_rename_locked(struct node *n, struct node *dir, const char *name);
void node_free(struct node *n);
/* Frees what nobody needs any more, and its parents with it. */
void node_release_locked(struct node *n);
/*
 * Keeps a node for a while: the kernel has been told ESTALE and will look it up right away, and
 * must not be sent in circles.
 */
void node_keep_locked(struct node *n);

/*
 * The node that stands for item in dir from now on, with one reference: another's, if more was
 * learnt of the name later, or if it is being written.
 */
struct node *node_update_locked(struct node *dir, const char *name, const struct view_item *item,
				struct learnt l, bool must);
/* Its own time, or that of a listing which has confirmed it. */
int64_t node_fresh_until_locked(const struct node *n);
bool node_fresh_locked(const struct node *n);
/* Where it is remembered that the name was looked for in vain; *number is the name's. */
struct missing *node_missing_slot(struct node *dir, const char *name, uint64_t *number);

#endif
