/* SPDX-License-Identifier: MIT */
/*
 * The tree that the kernel sees: one node for each (name, ETag).
 *
 * A node is what a nodeid stands for.  It never changes its version: when a name is found with
 * another ETag, a new node takes its place and the old one lives on for those who have it open.
 * So pages that the kernel keeps are always right.  st_ino belongs to the name.
 *
 * Attributes are fresh for attr_timeout (for a listing: at least as long as the listing took, or
 * a directory of a million names would be stale before it is shown).  A stale name is asked for
 * again; when many names of one directory are, the directory is listed again instead.
 *
 * Memory counts against the metadata share; past it tree_listed gives no node and the caller
 * lists without attributes.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"
#include "fs/view.h"

struct tree; /* opaque */
struct node; /* opaque; alive while the kernel knows it (lookups) or somebody holds a reference */

struct tree_view {
	const char *path;  /* where: "" or "a/b", plain */
	struct view *view; /* borrowed */
};

struct tree_config {
	const struct tree_view *views;
	unsigned n_views;
	struct budget *budget;
	int64_t attr_timeout_ns, negative_timeout_ns;
};

/* -EINVAL: two views at one path, or one inside another. */
int tree_new(const struct tree_config *cfg, struct tree **out, struct err *e) MUST_CHECK;
void tree_free(struct tree *t); /* frees every node, known to the kernel or not */

struct node *tree_root(struct tree *t);

struct node_attr {
	uint64_t ino;
	bool dir, exact;
	uint64_t size;
	int64_t mtime_ns;
};

void node_ref(struct node *n);
void node_unref(struct node *n);
void node_attr(struct node *n, struct node_attr *out);

/* The node that the kernel's nodeid stands for (no reference is taken). */
struct node *tree_node(struct tree *t, uint64_t nodeid);
uint64_t tree_nodeid(struct tree *t, const struct node *n);

/* The kernel has been told of the node once more, or forgets it n times. */
void tree_known(struct node *n);
void tree_forget(struct node *n, uint64_t times);

/*
 * A child that can be answered at once: fresh, or part of the mount's own directories.  One
 * reference for the caller, or NULL.
 */
struct node *tree_cached(struct node *dir, const char *name);

/*
 * A child for a walk that may go on below it: the one that tree_cached would give, or a directory
 * that is only assumed to be there.  An assumed node is not fresh, so the kernel asks for its
 * attributes when the path ends there (then the view is asked), and walks through it without a
 * request when it does not. NULL when the name should be looked up: it is known to be a file,
 * known to be missing, or its directory has just been listed.
 */
struct node *tree_assume(struct node *dir, const char *name);

/* Whether the name was looked for in vain less than the negative timeout ago. */
bool tree_missing(struct node *dir, const char *name);

/* The child of that name; asks the view when it must.  One reference for the caller.  -ENOENT. */
int tree_lookup(struct node *dir, const char *name, struct deadline d, struct node **out,
		struct err *e) MUST_CHECK;

/* Whether the node's attributes may be shown as they are. */
bool tree_fresh(struct node *n);

/*
 * When a listing began, and when the page at hand was asked for and came: its reader may be slow,
 * and the page old.
 */
struct tree_listing {
	int64_t start_ns, asked_ns, page_ns;
};

/* Asks again.  -ESTALE when the name now means another version, -ENOENT when it is gone. */
int tree_refresh(struct node *n, struct deadline d, struct err *e) MUST_CHECK;

/*
 * The node for an entry that a listing of dir gave (one reference), or NULL when there is no
 * memory for it.  The longer the listing takes, the longer what it gives is fresh, counted from
 * when its page came.  What has been learnt of the name since then stands.
 */
struct node *tree_listed(struct node *dir, const struct view_item *item, struct tree_listing l);
/* The listing is complete: what it gave is fresh for at least as long again. */
void tree_listing_done(struct node *dir, struct tree_listing l);

/* For how long the node's attributes may be shown from now on: 0 when they must be asked for. */
int64_t tree_fresh_ns(struct node *n);

/*
 * A version other than this node's was seen at its name: the next lookup finds it without a
 * request.
 */
void tree_replace(struct node *n, const struct view_item *now);
/*
 * Counts open handles: a node that is open is answered from what it is, whatever its name means
 * by now.
 */
void node_opened(struct node *n, int delta);
bool node_is_open(struct node *n);

/* Opening has told the exact size (V1). */
void tree_exact_size(struct node *n, uint64_t size);

/* The view that shows this node and its path there; NULL for the mount's own directories. */
struct view *node_view(const struct node *n);
int node_path(struct node *n, struct buf *out, struct err *e) MUST_CHECK; /* within its view */
int node_child_path(struct node *dir, const char *name, struct buf *out, struct err *e) MUST_CHECK;
int node_full_path(struct node *n, struct buf *out,
		   struct err *e) MUST_CHECK; /* within the mount, for the log: "/a/b" */
const char *node_etag(const struct node *n);
struct view_record *node_record(const struct node *n); /* borrowed */

/*
 * For the mount's own directories: child number i (no reference), or NULL; and for every node its
 * parent ("..": the root's is itself).
 */
struct node *tree_own_child(struct node *dir, unsigned i);
struct node *node_parent(struct node *n);
const char *node_name(const struct node *n); /* a draft's: until it is renamed */

/* ---- what this mount writes itself (treewrite.c) ---- */

/*
 * A draft has a node of its own, without a version.  As long as the draft lives it is what its name
 * means, whatever a listing or a lookup says, and always fresh.  The tree keeps the pointer and
 * knows nothing of it.
 */
struct draft;

/*
 * Makes it (one reference) and links it in place of over; over NULL: at a name that means nothing.
 * -ESTALE when the name means something else by now.
 */
int tree_draft(struct node *dir, const char *name, struct node *over, struct draft *draft,
	       uint64_t size, int64_t mtime_ns, struct node **out, struct err *e) MUST_CHECK;
bool node_is_draft(const struct node *n); /* or was one that came to nothing */
struct draft *node_draft(struct node *n); /* NULL when it is over, or never was */
void tree_set_attr(struct node *n, uint64_t size, int64_t mtime_ns); /* any file's */
/*
 * The draft is over; now: what its name means from here on, NULL when that must be asked.  When its
 * bytes are the same the node becomes that version's: the kernel keeps its pages of it.
 */
void tree_draft_end(struct node *n, const struct view_item *now, bool same_bytes);
/* The draft gets another name; what had it loses it. */
void tree_draft_move(struct node *n, struct node *dir, const char *name);

/* The name is gone by what this mount did (a draft's node keeps living for who has it open). */
void tree_removed(struct node *dir, const char *name);
/* What the name means by what this mount did; one reference, NULL: no memory. */
struct node *tree_made(struct node *dir, const char *name, const struct view_item *item);
/* What the name means as far as is known, however old: one reference, or NULL. */
struct node *tree_known_child(struct node *dir, const char *name);
/* What is known of the node is old: its name is asked for again. */
void tree_doubt(struct node *n);
/* Whether the node is what its name means. */
bool tree_linked(struct node *n);
/* When the node's attributes were learnt. */
int64_t tree_learnt_ns(struct node *n);

/*
 * Nodes that the kernel could be asked to forget, oldest first: fills up to max pairs of parent
 * nodeid and name (copied, freed by the caller), when the metadata share is more than 9/10 used.
 * Returns how many.
 */
struct tree_victim {
	uint64_t parent;
	char *name;
};
unsigned tree_victims(struct tree *t, struct tree_victim *out, unsigned max);

uint64_t tree_nodes(struct tree *t); /* how many there are */

#endif
