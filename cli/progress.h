/* SPDX-License-Identifier: MIT */
/*
 * What get, put and export show on a terminal while they work.  Counting is for any thread,
 * drawing for one.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	_Atomic uint64_t bytes,
		bytes_total; /* plain; the total grows while directories are still being listed */
	_Atomic uint64_t files, files_total;
	atomic_bool total_known;
	const char *endless; /* NULL, or what files counts where nobody knows how many: no bar */
	int64_t started_ns;
	bool visible; /* stderr is a terminal */
	bool drawn;   /* there is a bar on the line now */
};

void progress_start(struct progress *p);

/*
 * The bar as text, at most columns wide (and out_n), without control characters: share, bytes,
 * files, rate, time left.  elapsed_ns since the start; before the first second there is no rate.
 */
void progress_text(const struct progress *p, int64_t elapsed_ns, unsigned columns, char *out,
		   size_t out_n);

/* "12.3 MiB" */
void progress_human(double bytes, char *out, size_t out_n);

void progress_draw(struct progress *p);
void progress_erase(struct progress *p); /* so that a line can be printed */

#endif
