/* SPDX-License-Identifier: MIT */
/* The wiring: settings become stores, keyrings and views, here and nowhere else. */
#ifndef CLI_BUILD_H
#define CLI_BUILD_H

#include <stdbool.h>

#include "backend/backend.h"
#include "cli/settings.h"
#include "fs/view.h"

struct build {
	struct backend *backend; /* borrowed */
	struct engine *engine;
	struct view **views; /* one for each source of the settings, in their order */
	unsigned n_views;
};

/*
 * Opens every source.  backend is borrowed for as long as the build is open: a process has one,
 * since it takes the credentials out of the environment.  check: also asks each whether it is
 * there, so that a missing container or a refused credential is known now.  Errors are those of
 * backend_open, backend_keyring and store_list.  build_close frees, in order.
 */
int build_open(struct backend *backend, const struct settings *s, bool check, struct build *out,
	       struct err *e) MUST_CHECK;
void build_close(struct build *b);

/* The deadline of an operation that begins now. */
struct deadline build_deadline(const struct build *b);

#endif
