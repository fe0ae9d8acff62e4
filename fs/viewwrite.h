/* SPDX-License-Identifier: MIT */
/*
 * Writing through a view: plain bytes in, a new sealed version out.  See view.h for the words.
 *
 * A file is written whole.  Its new version is sealed with one `sealing`: regions may be given
 * while the file still grows, in order and each once; the commit gives the rest and publishes
 * content and metadata in one step, on a condition.  Nobody sees anything of it before, and a
 * sealing that is freed without a commit has never been.  A byte that has been given cannot be
 * given again: who changes it starts over with another sealing.
 *
 * All calls block up to their deadline, with no lock held across I/O; a sealing is used by one
 * thread at a time.
 */
#ifndef FS_VIEWWRITE_H
#define FS_VIEWWRITE_H

#include "fs/view.h"

/* Whether a file of that path can be written. */
enum view_place {
	VIEW_PLACE_SEALED, /* yes: sealed and published */
	VIEW_PLACE_LOCAL   /* it stays in the staging area until it is renamed to another place */
};

/*
 * Where plain bytes come from.  read fills out with exactly n bytes of the file from off on.  lend,
 * where there is one, gives them out where they lie, until give_back; NULL: they have to be read.
 */
struct view_plain {
	int (*read)(void *arg, uint64_t off, void *out, size_t n, struct err *e);
	void *arg;
	const uint8_t *(*lend)(void *arg, uint64_t off, size_t n); /* NULL: nothing is lent */
	void (*give_back)(void *arg);
};

/* A sealing; a view's begins with one. */
struct view_sealing {
	struct view *view;
	uint64_t region; /* plain bytes of a region that may be given early; 0: all with the commit
			  */
	uint64_t max_size; /* plain bytes of the largest file */
};

#define VIEW_NO_TIME INT64_MIN

/* The new version. */
struct view_publish {
	uint64_t size;	  /* plain bytes, those given early included */
	int64_t mtime_ns; /* VIEW_NO_TIME: the store's own */
};

struct view_write_ops {
	int (*place)(struct view *v, const char *path, enum view_place *out, struct err *e);
	int (*may_replace)(struct view *v, const char *path, const char *etag,
			   struct view_record *record, bool keeps_content, struct deadline d,
			   struct err *e);
	int (*seal)(struct view *v, const char *path, const char *over, struct deadline d,
		    struct view_sealing **out, struct err *e);
	int (*region)(struct view_sealing *s, struct view_plain plain, struct deadline d,
		      struct err *e);
	int (*commit)(struct view_sealing *s, const struct view_publish *p, struct view_plain plain,
		      struct view_sink now, struct deadline d, struct err *e);
	void (*sealing_free)(struct view_sealing *s);
	int (*remove)(struct view *v, const char *path, const char *etag,
		      struct view_record *record, struct deadline d, struct err *e);
	int (*rename)(struct view *v, const char *from, const char *etag,
		      struct view_record *record, const char *to, const char *over,
		      struct view_sink now, struct deadline d, struct err *e);
	int (*set_mtime)(struct view *v, const char *path, const char *etag,
			 struct view_record *record, int64_t mtime_ns, struct view_sink now,
			 struct deadline d, struct err *e);
	int (*make_dir)(struct view *v, const char *path, struct deadline d, struct err *e);
	int (*remove_dir)(struct view *v, const char *path, struct deadline d, struct err *e);
	/* A version is shown in other bytes than it was written in: the service adds to it. */
	bool respells;
};

bool view_writes(const struct view *v);
/* Whether what was written is, byte for byte, what its version shows. */
bool view_keeps_bytes(const struct view *v);

/* Pure: asks nobody.  -EROFS: this view, or this part of it, only reads; -EINVAL, -EILSEQ,
 * -ENAMETOOLONG: no file can have that name. */
int view_place(struct view *v, const char *path, enum view_place *out, struct err *e) MUST_CHECK;

/*
 * Whether that version may be written over, said when it is opened for writing.  keeps_content: the
 * writer starts from what is there (it will be read through view_open).  -EACCES with a reason.
 */
int view_may_replace(struct view *v, const char *path, const char *etag, struct view_record *record,
		     bool keeps_content, struct deadline d, struct err *e) MUST_CHECK;

/*
 * Starts a new version of path.  over: the version that it replaces, whose other metadata and
 * content type it keeps; NULL: nothing may be there.  It may ask the store and the vault.
 */
int view_seal(struct view *v, const char *path, const char *over, struct deadline d,
	      struct view_sealing **out, struct err *e) MUST_CHECK;

/*
 * The next full region, read from plain while the call lasts.  Returns when it is sealed; sending
 * goes on behind.  Waits while too much is on its way.  A failure of sending is told by a later
 * call: the sealing is dead then, the file is not: it can be sealed again from its beginning.
 */
int view_seal_region(struct view_sealing *s, struct view_plain plain, struct deadline d,
		     struct err *e) MUST_CHECK;

/*
 * Seals what has not been given and publishes: 0 when the store keeps it.  now is sent the new
 * version's attributes.  -EEXIST, -ESTALE: the condition does not hold; -EINVAL: the view does not
 * take such content (a document that is none); else see storewrite.h.  After any failure what was
 * there is still there, and the sealing can only be freed.
 */
int view_seal_commit(struct view_sealing *s, const struct view_publish *p, struct view_plain plain,
		     struct view_sink now, struct deadline d, struct err *e) MUST_CHECK;
void view_sealing_free(struct view_sealing *s); /* NULL is fine */

/* Removes that version.  -ESTALE, -ENOENT. */
int view_remove(struct view *v, const char *path, const char *etag, struct view_record *record,
		struct deadline d, struct err *e) MUST_CHECK;
/*
 * Gives that version another name; over as in view_seal.  Not one step: for a moment, and when the
 * machine dies in it, the file has both names, whole under each.  -EXDEV when the view cannot.
 */
int view_rename(struct view *v, const char *from, const char *etag, struct view_record *record,
		const char *to, const char *over, struct view_sink now, struct deadline d,
		struct err *e) MUST_CHECK;
/*
 * Keeps another mtime with the version; it becomes a new version of the same bytes.  -EOPNOTSUPP.
 */
int view_set_mtime(struct view *v, const char *path, const char *etag, struct view_record *record,
		   int64_t mtime_ns, struct view_sink now, struct deadline d,
		   struct err *e) MUST_CHECK;
/* -EEXIST. */
int view_make_dir(struct view *v, const char *path, struct deadline d, struct err *e) MUST_CHECK;
/* -ENOTEMPTY; 0 when there is no such directory any more. */
int view_remove_dir(struct view *v, const char *path, struct deadline d, struct err *e) MUST_CHECK;

#endif
