/* SPDX-License-Identifier: MIT */
/*
 * The log: one line an event, "LEVEL event text".  Lines are cut at 1,500
 * bytes; control characters are escaped, so that a name cannot forge a line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/*
 * Opens the log: "stderr", "syslog" or a file name (appended to, made with mode 0600).
 * -EINVAL, or the errno of opening the file.  Before this call, lines go to stderr.
 */
int log_open(const char *target, enum log_level level, struct err *e) MUST_CHECK;
int log_level_parse(const char *name, enum log_level *out,
		    struct err *e) MUST_CHECK; /* error warning info debug */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/* event is a stable dotted name from docs/ERRORS.md. */
void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * One line for a failure: what was attempted on which object (fmt), the cause, key, request id,
 * errno name and advice of *e.  A line that was written within the last second is not repeated.
 * The event is e->event, or one chosen by errno.  Does nothing when e->no is 0.
 */
void log_err(enum log_level level, const struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
