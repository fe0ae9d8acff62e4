/* SPDX-License-Identifier: MIT */
/*
 * A view shows one source as plain files: the seam.  Below it everything is
 * sealed (store, keyring), above it everything is plain (tree, FUSE callbacks,
 * commands).  Only views hold both stored bytes and keys.
 *
 * Paths are relative to the view's root: components joined by '/', each one
 * escaped (fs/names.h); "" is the root.  Attributes that a listing gave are
 * handed back on open, so that an open needs no second look.
 *
 * Blocking calls (list, lookup, open) run on the caller's thread up to their
 * deadline.  Reads are asynchronous: view_read returns at once and `done` is
 * called later, on some other thread, or before view_read returns when the bytes are at hand.
 */
#ifndef FS_VIEW_H
#define FS_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

struct view;	  /* a view's own struct begins with one */
struct view_file; /* an open file: one version of one object; reference counted */

/*
 * What a view remembers of a file beyond its attributes (for a blob: its packed envelope);
 * reference counted, immutable, freed by its view's function.  NULL where there is nothing to
 * remember.
 */
struct view_record {
	void (*free)(struct view_record *r);
	_Atomic unsigned refs;
	unsigned bytes; /* memory held, for the budget */
};
struct view_record *view_record_get(struct view_record *r); /* NULL stays NULL */
void view_record_put(struct view_record *r);

struct view_item {
	const char *name; /* escaped component, borrowed for the callback; "" when it is what was
			     asked for */
	bool dir;
	bool exact; /* size is exact; otherwise an upper bound until the file is open: do not cache
		       it */
	bool ask;   /* these attributes are not worth keeping: a stat looks the name up again */
	uint64_t size;		    /* plain bytes; of a stream: 0, or what it had when measured */
	int64_t mtime_ns;	    /* a function of the version alone */
	const char *etag;	    /* borrowed; "" for directories */
	struct view_record *record; /* borrowed; take a reference to keep it */
};

struct view_sink {
	int (*item)(void *arg, const struct view_item *item, struct err *e);
	void *arg;
};

/*
 * The shortest spans have 256 KiB (crypto/layout.h: 2^18 regions of a byte): a read touches five
 * of them at most.
 */
enum { VIEW_READ_MAX = 1 << 20, VIEW_READ_PIECES = 5 };

/* Bytes of a listing's cursor: that of a document store holds a continuation for each range. */
enum { VIEW_CURSOR_MAX = 512 << 10 };

/*
 * One read.  The caller fills the first part, zeroes the rest, and keeps it until done has run.
 * After done: e.no == 0 and the pieces hold exactly min(len, size - off) bytes, or e says why;
 * never fewer.  Of a stream: exactly len bytes, fewer (or none) where it ends only, be it with what
 * fails for good; -ESPIPE for an offset that it has passed.  The pieces stay good until
 * view_read_release, which may come after the file has been closed.
 */
struct view_read {
	uint64_t off;
	size_t len; /* 1..VIEW_READ_MAX */
	struct deadline deadline;
	void (*done)(struct view_read *r); /* owns r from then on; must not block for long */
	/* --- result --- */
	struct err e;
	struct iovec piece[VIEW_READ_PIECES];
	unsigned n_pieces;
	bool sequential;     /* part of a stream: the kernel reads ahead by itself */
	struct iovec around; /* a random read: verified bytes around it that are at hand (iov_len 0:
				none) */
	uint64_t around_off;
	/* --- the view's --- */
	struct view *view;
	void *view_data;
	void *held[VIEW_READ_PIECES];
	unsigned n_held;
	uint64_t parked;
	struct view_read *next;
};

struct view_xattr {
	const char *name; /* "user.azcrypt.protocol" ... */
	char value[512];
};
enum { VIEW_XATTRS_MAX = 12 };

struct view_write_ops; /* viewwrite.h */

struct view_ops {
	const struct view_write_ops *write; /* NULL: the view only reads */
	/* Entries of a directory, one page a call (see store_list for the cursor). */
	int (*list)(struct view *v, const char *dir, struct buf *cursor, struct view_sink sink,
		    struct deadline d, struct err *e);
	/* The item at path: sends one item, or -ENOENT. */
	int (*lookup)(struct view *v, const char *path, struct view_sink sink, struct deadline d,
		      struct err *e);
	/*
	 * Opens a file for reading, checking with the store that it still is the version `etag`
	 * with `record` (NULL: any version).
	 * -ESTALE when another version is there (sent to `now`, if it could be learnt); -ENOENT
	 *         when none is.  After 0, `now` has been sent the
	 * exact attributes; their mtime may be 0 then: the caller knows it already.
	 */
	int (*open)(struct view *v, const char *path, const char *etag, struct view_record *record,
		    struct view_sink now, struct deadline d, struct view_file **out, struct err *e);
	void (*read)(struct view_file *f, struct view_read *r);
	void (*read_release)(struct view_read *r);
	/*
	 * The attributes user.azcrypt.* of a file that a listing or lookup gave; no request, no
	 * key.  Returns how many.
	 */
	unsigned (*xattrs)(struct view *v, const char *etag, uint64_t size,
			   struct view_record *record, struct view_xattr out[VIEW_XATTRS_MAX]);
	void (*close)(struct view_file *f);
	void (*free)(struct view *v);
};

struct view {
	const struct view_ops *ops;
	bool dear; /* listing a directory may be a scan of everything: only a reader asks for it */
	char label[256]; /* what it shows, for the log */
};

struct view_file_base { /* a view's file begins with one */
	struct view *view;
	uint64_t size; /* exact plain bytes; 0 for a stream */
	bool stream;   /* read once, forward, to an end that nobody knows */
};

/* For who wants to know nothing of the items. */
struct view_sink view_no_sink(void);

/* Wrappers: they assert the contract. */
int view_list(struct view *v, const char *dir, struct buf *cursor, struct view_sink sink,
	      struct deadline d, struct err *e) MUST_CHECK;
int view_lookup(struct view *v, const char *path, struct view_sink sink, struct deadline d,
		struct err *e) MUST_CHECK;
int view_open(struct view *v, const char *path, const char *etag, struct view_record *record,
	      struct view_sink now, struct deadline d, struct view_file **out,
	      struct err *e) MUST_CHECK;
void view_read(struct view_file *f, struct view_read *r);
void view_read_release(struct view_read *r);
uint64_t view_file_size(const struct view_file *f);
bool view_file_is_stream(const struct view_file *f);
void view_close(struct view_file *f); /* after the last read of it is done */
void view_free(struct view *v);	      /* after the last file is closed */

/*
 * Waits for one read and copies it into out (off + out_n never past the end): for commands.
 * *out_n = 0 at the end of the file.
 */
int view_read_wait(struct view_file *f, uint64_t off, void *out, size_t n, struct deadline d,
		   size_t *out_n, struct err *e) MUST_CHECK;

#endif
