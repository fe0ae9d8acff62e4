/* SPDX-License-Identifier: MIT */
/*
 * memfs DIR BYTES: a file system without anything behind it, the limit of what FUSE can do.  It
 * stays in the foreground until it is unmounted or gets SIGTERM.
 *
 *   big         a file of BYTES bytes, answered from memory
 *   small/f...  100,000 files of 16 KiB, names and attributes made up as they are asked for
 *
 * Low-level API, two threads, plain replies from a buffer, page cache kept: the settings that were
 * measured to be the fastest that an unprivileged file system with a cache can have.
 */
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bench.h"

enum { INO_BIG = 2, INO_SMALL = 3, INO_FILE = 1000, N_FILES = 100000, FILE_SIZE = 16384 };

static const double forever = 3600;
static unsigned char *content;
static uint64_t content_size;

static void
attributes(fuse_ino_t ino, struct stat *st)
{
	bool dir = ino == FUSE_ROOT_ID || ino == INO_SMALL;

	*st = (struct stat){ .st_ino = ino, .st_nlink = dir ? 2 : 1, .st_mode = S_IFREG | 0444 };
	if (dir)
		st->st_mode = S_IFDIR | 0555;
	else
		st->st_size = ino == INO_BIG ? (off_t)content_size : FILE_SIZE;
}

static struct fuse_entry_param
entry(fuse_ino_t ino)
{
	struct fuse_entry_param e = { .ino = ino,
				      .attr_timeout = forever,
				      .entry_timeout = forever };

	attributes(ino, &e.attr);
	return e;
}

static void
on_init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	conn->max_background = 1024;
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE);
}

static fuse_ino_t
find(fuse_ino_t parent, const char *name)
{
	if (parent == FUSE_ROOT_ID && strcmp(name, "big") == 0)
		return INO_BIG;
	if (parent == FUSE_ROOT_ID && strcmp(name, "small") == 0)
		return INO_SMALL;
	if (parent == INO_SMALL && name[0] == 'f')
		return INO_FILE + strtoul(name + 1, NULL, 10);
	return 0;
}

static void
on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_ino_t ino = find(parent, name);
	struct fuse_entry_param e;

	if (ino == 0 || ino >= INO_FILE + N_FILES) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	e = entry(ino);
	fuse_reply_entry(req, &e);
}

static void
on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	attributes(ino, &st);
	fuse_reply_attr(req, &st, forever);
}

static void
on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->keep_cache = 1;
	fi->noflush = 1;
	fuse_reply_open(req, fi);
}

static void
on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	uint64_t end = ino == INO_BIG ? content_size : FILE_SIZE;
	uint64_t from = (uint64_t)off;

	(void)fi;
	if (from >= end) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	fuse_reply_buf(req, (const char *)content + from, size < end - from ? size : end - from);
}

static void
on_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *buf = must_alloc(size), name[32];
	size_t n = 0, k;
	fuse_ino_t i;

	(void)fi;
	for (i = (fuse_ino_t)off; ino == INO_SMALL && i < N_FILES; i++, n += k) {
		struct fuse_entry_param e = entry(INO_FILE + i);

		snprintf(name, sizeof(name), "f%06lu", (unsigned long)i);
		k = fuse_add_direntry_plus(req, buf + n, size - n, name, &e, (off_t)i + 1);
		if (k > size - n)
			break;
	}
	fuse_reply_buf(req, buf, n);
	free(buf);
}

static const struct fuse_lowlevel_ops ops = {
	.init = on_init,
	.lookup = on_lookup,
	.getattr = on_getattr,
	.open = on_open,
	.read = on_read,
	.readdirplus = on_readdirplus,
};

static int
serve(const char *dir)
{
	char name[] = "memfs", flag[] = "-o", options[] = "ro,fsname=memfs,subtype=memfs";
	char *argv[] = { name, flag, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	int r;

	if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, dir))
		return 1;
	fuse_loop_cfg_set_max_threads(config, 2);
	r = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	fuse_session_unmount(session);
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	return r < 0;
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		die("usage: memfs DIR BYTES");
	content_size = must_number(argv[2]);
	content = must_alloc(content_size < FILE_SIZE ? FILE_SIZE : content_size);
	madvise(content, content_size, MADV_HUGEPAGE);
	memset(content, 'x', content_size < FILE_SIZE ? FILE_SIZE : content_size);
	return serve(argv[1]);
}
