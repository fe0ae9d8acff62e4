/* SPDX-License-Identifier: MIT */
/* What the options come to: one value for everything, defaults filled in, contradictions found. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend/backend.h"
#include "base/log.h"
#include "cli/options.h"
#include "fs/blobview.h"
#include "fs/docview.h"

struct settings_source {
	const char *path; /* in the mount, "" = its root */
	struct backend_config backend;
	struct blobview_config view;	 /* a source of blobs */
	struct docview_config documents; /* a source of documents */
};

/* Strings are borrowed from the options. */
struct settings {
	struct settings_source *sources;
	unsigned n_sources;
	struct engine_config engine;
	bool allow_other, has_uid, has_gid;
	uid_t uid;
	gid_t gid;
	mode_t umask;
	int64_t attr_timeout_ns, negative_timeout_ns;
	bool rw;	     /* some source can be written */
	const char *staging; /* directory; never NULL */
	int64_t term_wait_ns;
	const char *log; /* NULL: not said */
	enum log_level log_level;
};

/*
 * source: the SOURCE of the command line, borrowed; NULL: the options' sections have theirs.
 * cgroup_max: see budget_cgroup_max.
 * -EINVAL names the options that contradict each other, or the section without source.
 * The caller frees with settings_clear.
 */
int settings_make(const struct options *o, const char *source, uint64_t cgroup_max,
		  struct settings *out, struct err *e) MUST_CHECK;
void settings_clear(struct settings *s);

#endif
