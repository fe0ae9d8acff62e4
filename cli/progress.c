/* SPDX-License-Identifier: MIT */
/* The progress bar: see progress.h. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/num.h"

enum { COLUMNS_DEFAULT = 80, BAR_WIDTH = 20 };

void
progress_start(struct progress *p)
{
	*p = (struct progress){ .started_ns = clock_now_ns(),
				.visible = isatty(STDERR_FILENO) == 1 };
}

void
progress_human(double n, char *out, size_t out_n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	unsigned u = 0;

	while (n >= 1024 && u < ARRAY_LEN(units) - 1) {
		n /= 1024;
		u++;
	}
	(void)snprintf(out, out_n, u == 0 ? "%.0f %s" : "%.1f %s", n, units[u]);
}

/* "1:02:03", "4:05" */
static void
duration(double seconds, char *out, size_t out_n)
{
	const uint64_t s = seconds > 359999 ? 359999 : (uint64_t)seconds;

	if (s >= 3600)
		(void)snprintf(out, out_n, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600,
			       s / 60 % 60, s % 60);
	else
		(void)snprintf(out, out_n, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
}

static void
rate_text(uint64_t done, uint64_t total, bool total_known, int64_t elapsed_ns, char *out,
	  size_t out_n)
{
	char per_second[32], left[32];
	double rate;

	out[0] = '\0';
	if (elapsed_ns < NS_PER_S || done == 0)
		return;
	rate = (double)done / ((double)elapsed_ns / (double)NS_PER_S);
	progress_human(rate, per_second, sizeof(per_second));
	if (!total_known) {
		(void)snprintf(out, out_n, "  %s/s", per_second);
		return;
	}
	duration((double)(total - u64_min(done, total)) / rate, left, sizeof(left));
	(void)snprintf(out, out_n, "  %s/s  %s left", per_second, left);
}

void
progress_text(const struct progress *p, int64_t elapsed_ns, unsigned columns, char *out,
	      size_t out_n)
{
	const uint64_t done = p->bytes, total = u64_max(p->bytes_total, p->bytes);
	const unsigned share = total == 0 ? 0 : (unsigned)((double)done * 100.0 / (double)total);
	const bool known = p->total_known;
	char bar[BAR_WIDTH + 1], have[32], all[32], rate[80];

	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', u64_min(share, 100) * BAR_WIDTH / 100);
	bar[BAR_WIDTH] = '\0';
	progress_human((double)done, have, sizeof(have));
	progress_human((double)total, all, sizeof(all));
	rate_text(done, total, known, elapsed_ns, rate, sizeof(rate));
	if (p->endless != NULL)
		(void)snprintf(out, out_n, "%s  %" PRIu64 " %s%s", have, p->files, p->endless,
			       rate);
	else
		(void)snprintf(out, out_n,
			       "[%s] %3u%%  %s of %s%s  %" PRIu64 "/%" PRIu64 "%s files%s", bar,
			       share, have, all, known ? "" : "+", p->files, p->files_total,
			       known ? "" : "+", rate);
	if (columns < out_n)
		out[columns] = '\0';
}

void
progress_draw(struct progress *p)
{
	char text[256];
	struct winsize size;
	unsigned columns = COLUMNS_DEFAULT;

	if (!p->visible)
		return;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		columns = size.ws_col;
	progress_text(p, clock_now_ns() - p->started_ns, columns - 1, text, sizeof(text));
	(void)fprintf(stderr, "\r%s\033[K", text);
	p->drawn = true;
}

void
progress_erase(struct progress *p)
{
	if (p->drawn)
		(void)fputs("\r\033[K", stderr);
	p->drawn = false;
}
